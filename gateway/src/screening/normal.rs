//! One normal form of names, so that spelling by case, accent, punctuation or order is no way around; it knows no list.
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Compatibility-decomposed, without accents, upper case, punctuation as space, tokens sorted.
#[must_use]
pub fn normal(name: &str) -> String {
    let folded: String = name
        .nfkd()
        .filter(|letter| !is_combining_mark(*letter))
        .flat_map(char::to_uppercase)
        .filter(|letter| !joins(*letter))
        .map(|letter| if letter.is_alphanumeric() { letter } else { ' ' })
        .collect();
    let mut tokens: Vec<&str> = folded.split_whitespace().collect();
    tokens.sort_unstable();
    tokens.join(" ")
}

/// Marks within a word that disappear without parting it.
fn joins(letter: char) -> bool {
    matches!(letter, '\'' | '’' | '‘' | '`' | '´' | '\u{ad}' | '\u{200b}' | '\u{200c}' | '\u{200d}')
}
