//! Numbers and dates as a column map says they are written. It must never read what could also be
//! read otherwise.

use services_iso20022::{Decimal, statement::CreditDebit};

use super::map::{Cells, ColumnMap};

/// The amount of a row and its direction: signed, signed by a word, or in one of two columns.
pub(super) fn money(
    map: &ColumnMap,
    cells: &Cells,
    record: &[String],
) -> Option<(Decimal, CreditDebit)> {
    let read = |name: &str| cells.get(record, name).map(|text| decimal(map, &text));
    if let Some(amount) = read("amount") {
        let (side, value) = amount?;
        if !cells.has("credit_debit") {
            return Some((value, side));
        }
        let word = map.words.side(&cells.get(record, "credit_debit")?)?;
        // A minus sign beside the word for debit says it twice; beside credit it contradicts.
        let fits = side == CreditDebit::Credit || word == CreditDebit::Debit;
        return fits.then_some((value, word));
    }
    let (credit, debit) = (read("credit"), read("debit"));
    let used = |one: &Option<Option<(CreditDebit, Decimal)>>| {
        one.as_ref().is_some_and(|one| one.is_none_or(|(_, value)| value.digits != 0))
    };
    match (used(&credit), used(&debit)) {
        (true, true) => None,
        (_, true) => Some((debit??.1, CreditDebit::Debit)),
        (_, false) => {
            let (side, value) = credit.or(debit)??;
            (side == CreditDebit::Credit || value.digits == 0)
                .then_some((value, CreditDebit::Credit))
        }
    }
}

/// A decimal under the map's marks, and its sign: in front, behind, or as brackets.
pub(super) fn decimal(map: &ColumnMap, text: &str) -> Option<(CreditDebit, Decimal)> {
    let text = text.trim();
    let bracketed = text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    let (mut negative, mut rest) = bracketed.map_or((false, text), |inner| (true, inner.trim()));
    let signs = [('-', true), ('\u{2212}', true), ('+', false)];
    for (sign, minus) in signs {
        if let Some(inner) = rest.strip_prefix(sign).or_else(|| rest.strip_suffix(sign)) {
            if negative {
                return None;
            }
            (negative, rest) = (minus, inner.trim());
            break;
        }
    }
    let (whole, fraction) = rest.split_once(map.decimal_mark).unwrap_or((rest, ""));
    let whole = ungrouped(whole, map.thousands_mark)?;
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(&whole) || !digits(fraction) {
        return None;
    }
    let value = format!("{whole}.{fraction}").parse().ok()?;
    let side = if negative { CreditDebit::Debit } else { CreditDebit::Credit };
    Some((side, value))
}

/// The whole part without the marks between its groups: the last has three digits, those before it
/// two or three (lakh and crore), so that `12.50` is never read as 1250.
fn ungrouped(whole: &str, mark: Option<char>) -> Option<String> {
    let Some(mark) = mark else { return Some(whole.to_owned()) };
    let spaced = |own: char| own == mark || mark == ' ' && matches!(own, '\u{a0}' | '\u{202f}');
    let groups: Vec<&str> = whole.split(spaced).collect();
    let fits = match groups.as_slice() {
        [_] => true,
        [first, middle @ .., last] => {
            (1..=3).contains(&first.len())
                && last.len() == 3
                && middle.iter().all(|group| (2..=3).contains(&group.len()))
        }
        [] => false,
    };
    fits.then(|| groups.concat())
}

/// A date as a pattern of `YYYY` or `YY`, `MM` or `MMM`, and `DD`, whose other characters are
/// themselves; what follows in the text, such as a time, does not count.
pub(super) fn date(format: &str, text: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let (mut year, mut month, mut day) = (None, None, None);
    let (mut format, mut rest) = (format, text);
    while !format.is_empty() {
        let numeric = |length: usize, rest: &str| -> Option<u32> {
            let own = rest.get(..length)?;
            own.bytes().all(|byte| byte.is_ascii_digit()).then(|| own.parse().ok())?
        };
        let taken = if format.starts_with("YYYY") {
            year = numeric(4, rest);
            (4, 4)
        } else if format.starts_with("YY") {
            year = numeric(2, rest).map(|year| if year >= 80 { 1900 + year } else { 2000 + year });
            (2, 2)
        } else if format.starts_with("MMM") {
            let name = rest.get(..3)?.to_ascii_lowercase();
            month = MONTHS
                .iter()
                .position(|own| *own == name)
                .and_then(|at| u32::try_from(at + 1).ok());
            (3, 3)
        } else if format.starts_with("MM") {
            month = numeric(2, rest);
            (2, 2)
        } else if format.starts_with("DD") {
            day = numeric(2, rest);
            (2, 2)
        } else {
            let (own, other) = (format.chars().next()?, rest.chars().next()?);
            if own != other {
                return None;
            }
            (own.len_utf8(), other.len_utf8())
        };
        format = format.get(taken.0..)?;
        rest = rest.get(taken.1..)?;
    }
    if rest.starts_with(|next: char| next.is_ascii_digit()) {
        return None;
    }
    crate::text::calendar(year?, month?, day?)
}
