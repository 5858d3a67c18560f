//! A report as rows and columns, without a format. It must never round an amount.

use time::Date;

/// What a column holds in every row, where it holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Text,
    Day,
    Count,
    Amount,
    Share,
    Time,
}

impl Holds {
    /// Whether people compare it by its digits.
    #[must_use]
    pub const fn numbers(self) -> bool {
        match self {
            Self::Count | Self::Amount | Self::Share => true,
            Self::Text | Self::Day | Self::Time => false,
        }
    }
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// In words with underscores.
    pub name: &'static str,
    pub holds: Holds,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Empty,
    Text(String),
    Day(Date),
    Count(i64),
    /// Minor units of a currency with so many decimals.
    Amount {
        units: i128,
        decimals: u32,
    },
    /// A part of a whole, in millionths.
    Share(i64),
    /// Microseconds since 1970, UTC.
    Time(i64),
}

impl Cell {
    /// A text, or nothing where there is none.
    #[must_use]
    pub fn text(text: Option<String>) -> Self {
        text.filter(|text| !text.is_empty()).map_or(Self::Empty, Self::Text)
    }

    /// A part of a whole; nothing of nothing.
    #[must_use]
    pub fn share(part: i64, whole: i64) -> Self {
        let millionths = i128::from(part) * 1_000_000;
        match millionths.checked_div(i128::from(whole)) {
            Some(millionths) => Self::Share(i64::try_from(millionths).unwrap_or(i64::MAX)),
            None => Self::Empty,
        }
    }

    /// As every format but numbers of a spreadsheet shows it: decimals with a point, times in RFC 3339, UTC.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Day(day) => day.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Amount { units, decimals } => decimal(*units, *decimals),
            Self::Share(millionths) => decimal(i128::from(*millionths), 6),
            Self::Time(micros) => time(*micros),
        }
    }
}

fn decimal(units: i128, decimals: u32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let places = usize::try_from(decimals).unwrap_or_default();
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = places + 1);
    let (whole, rest) = digits.split_at(digits.len() - places);
    match rest {
        "" => format!("{sign}{whole}"),
        rest => format!("{sign}{whole}.{rest}"),
    }
}

fn time(micros: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
    let text =
        at.ok().and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_default()
}

/// A report's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_shown_without_rounding() {
        let amount = |units, decimals| Cell::Amount { units, decimals }.shown();
        assert_eq!(amount(403_790, 2), "4037.90");
        assert_eq!(amount(-5, 2), "-0.05");
        assert_eq!(amount(7, 0), "7");
        assert_eq!(amount(i128::MIN, 3), "-170141183460469231731687303715884105.728");
        assert_eq!(Cell::share(2, 3).shown(), "0.666666");
        assert_eq!(Cell::share(0, 0), Cell::Empty);
        assert_eq!(Cell::Time(1_764_172_800_000_001).shown(), "2025-11-26T16:00:00.000001Z");
        assert_eq!(Cell::text(Some(String::new())), Cell::Empty);
    }
}
