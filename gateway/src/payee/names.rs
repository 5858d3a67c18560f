//! Whether two writings of a name mean one person: case, accents, punctuation, titles and the order of its parts are no difference; it knows no account.
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// How alike two names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// One name, written otherwise at most.
    Same,
    /// A misspelling, an initial or a part left out.
    Close,
    /// Another name.
    Other,
}

/// Titles and forms of address in front of a name, in normal form.
const TITLES: [&str; 17] = [
    "MR", "MRS", "MS", "MISS", "MX", "DR", "PROF", "ENGR", "ATTY", "SIR", "MADAM", "DATO", "DATUK",
    "DATIN", "TUAN", "PUAN", "CIK",
];

/// Edits of a hundred letters up to which a name counts as misspelt (Damerau and Levenshtein; the
/// longer of the two is counted).
const EDITS_PERCENT_MAX: usize = 15;

/// Compares a name as it was typed with the one that an account has.
#[must_use]
pub fn compare(typed: &str, held: &str) -> Likeness {
    let (typed, held) = (parts(typed), parts(held));
    if typed.is_empty() || held.is_empty() {
        return Likeness::Other;
    }
    let (one, other) = (sorted(&typed), sorted(&held));
    if one == other || typed.concat() == held.concat() || one.concat() == other.concat() {
        return Likeness::Same;
    }
    let close = misspelt(&one.concat(), &other.concat())
        || misspelt(&typed.concat(), &held.concat())
        || shortened(&typed, &held)
        || shortened(&held, &typed);
    if close { Likeness::Close } else { Likeness::Other }
}

/// Compatibility-decomposed, without accents, upper case, parted at punctuation, without titles, which
/// stand in front or, where the family name comes first, behind its comma.
fn parts(name: &str) -> Vec<String> {
    let clauses: Vec<Vec<String>> = name.split(',').map(words).collect();
    let title = |word: &&String| TITLES.contains(&word.as_str());
    let named = |clause: &Vec<String>| clause.iter().skip_while(title).cloned().collect::<Vec<_>>();
    let parts = clauses.iter().map(named).collect::<Vec<_>>().concat();
    // A name is not made of titles alone.
    if parts.is_empty() { clauses.concat() } else { parts }
}

fn words(clause: &str) -> Vec<String> {
    let folded: String = clause
        .nfkd()
        .filter(|letter| !is_combining_mark(*letter))
        .flat_map(char::to_uppercase)
        .filter(|letter| !matches!(letter, '\'' | '’' | '‘' | '`' | '´' | '\u{ad}'))
        .filter(|letter| !('\u{200b}'..='\u{200f}').contains(letter))
        .map(|letter| if letter.is_alphanumeric() { letter } else { ' ' })
        .collect();
    folded.split_whitespace().map(str::to_owned).collect()
}

fn sorted(parts: &[String]) -> Vec<String> {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    parts
}

fn misspelt(one: &str, other: &str) -> bool {
    let longer = one.chars().count().max(other.chars().count());
    let edits = strsim::damerau_levenshtein(one, other);
    edits.saturating_mul(100) <= longer.saturating_mul(EDITS_PERCENT_MAX)
}

/// Whether every part of the first, two at least, is a part of the second or its initial, and one
/// of more than an initial is a whole part.
fn shortened(short: &[String], long: &[String]) -> bool {
    if short.len() < 2 || short.len() > long.len() {
        return false;
    }
    let mut left: Vec<&String> = long.iter().collect();
    let mut whole = false;
    let mut initials = Vec::new();
    for part in short {
        match left.iter().position(|other| *other == part) {
            Some(at) => {
                left.remove(at);
                whole |= part.chars().count() > 1;
            }
            None if part.chars().count() == 1 => initials.push(part),
            None => return false,
        }
    }
    let fits = initials.into_iter().all(|initial| {
        let at = left.iter().position(|other| other.starts_with(initial.as_str()));
        at.map(|at| left.remove(at)).is_some()
    });
    whole && fits
}

#[cfg(test)]
mod tests {
    use super::{Likeness, compare};

    #[test]
    fn names_are_compared_as_people_write_them() {
        for (typed, held, likeness) in [
            ("Bea Testperson", "Bea Testperson", Likeness::Same),
            ("TESTPERSON, bea", "Bea Testperson", Likeness::Same),
            ("TESTPERSON, Mrs Béa", "Bea Testperson", Likeness::Same),
            ("Mrs. Béa Testperson", "Bea Testperson", Likeness::Same),
            ("Dato' Dr Amir Testperson", "Amir Testperson", Likeness::Same),
            ("Juan Dela Cruz", "Juan De la Cruz", Likeness::Same),
            ("O'Testperson Ann", "Ann OTestperson", Likeness::Same),
            ("陳 大文", "陳大文", Likeness::Same),
            ("Ｂｅａ Testperson", "Bea Testperson", Likeness::Same),
            ("Bea Testpersn", "Bea Testperson", Likeness::Close),
            ("Bae Testperson", "Bea Testperson", Likeness::Close),
            ("Bea Testperson", "Bea Maria Testperson", Likeness::Close),
            ("B Testperson", "Bea Testperson", Likeness::Close),
            ("Bea M. Testperson", "Bea Testperson", Likeness::Close),
            ("Bea M. Testperson", "Bea Maria Testperson", Likeness::Close),
            ("Bea", "Bea Testperson", Likeness::Other),
            ("B T", "Bea Testperson", Likeness::Other),
            ("Carl Otherman", "Bea Testperson", Likeness::Other),
            ("陳小文", "陳大文", Likeness::Other),
            ("Mr", "Bea Testperson", Likeness::Other),
            ("", "Bea Testperson", Likeness::Other),
            ("Bea Testperson", "", Likeness::Other),
        ] {
            assert_eq!(compare(typed, held), likeness, "{typed} / {held}");
        }
    }
}
