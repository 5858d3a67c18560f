//! A table as a file, the same bytes each time: CSV and XLSX. It must never read a clock.

use crate::error::Error;
use crate::table::Table;

mod csv;
mod xlsx;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// RFC 4180, UTF-8, with a header; lines end with a line feed.
    Csv,
    /// Office Open XML: numbers as numbers where a spreadsheet holds them exactly, else as text.
    Xlsx,
}

impl Format {
    pub const ALL: [Self; 2] = [Self::Csv, Self::Xlsx];

    /// Its word, and the ending of its files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }
}

impl std::str::FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::Invalid { field: "format", reason: format!("{text} is none of {names}") }
        })
    }
}

/// The file's bytes; `title` names the sheet.
///
/// # Errors
/// When a format can't hold the table.
pub fn write(table: &Table, format: Format, title: &str) -> Result<Vec<u8>, Error> {
    match format {
        Format::Csv => csv::write(table),
        Format::Xlsx => xlsx::write(table, title),
    }
}

#[cfg(test)]
mod tests;
