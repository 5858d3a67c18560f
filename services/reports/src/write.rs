//! A table as a file, the same bytes each time: CSV, XLSX, PDF and Parquet. It must never read a clock.

use crate::error::Error;
use crate::store::Position;
use crate::table::Table;

mod csv;
mod letters;
mod parquet;
mod pdf;
mod xlsx;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// RFC 4180, UTF-8, with a header; lines end with a line feed.
    Csv,
    /// Office Open XML: numbers as numbers where a spreadsheet holds them exactly, else as text.
    Xlsx,
    /// PDF 1.7 for paper: A4 across, text that can be selected.
    Pdf,
    /// Apache Parquet: amounts and shares as DECIMAL, days as DATE, times as TIMESTAMP in UTC.
    Parquet,
}

/// What a file says of its report beside the rows, where its format has a place for it.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The report's name.
    pub title: &'static str,
    /// What it says, in a line.
    pub about: &'static str,
    pub position: &'a Position,
    /// What was asked.
    pub asked: &'a [(&'static str, String)],
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Csv, Self::Xlsx, Self::Pdf, Self::Parquet];

    /// Its word, and the ending of its files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Pdf => "pdf",
            Self::Parquet => "parquet",
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

/// The file's bytes.
///
/// # Errors
/// When a format can't hold the table.
pub fn write(table: &Table, format: Format, head: &Head<'_>) -> Result<Vec<u8>, Error> {
    match format {
        Format::Csv => csv::write(table),
        Format::Xlsx => xlsx::write(table, head),
        Format::Pdf => Ok(pdf::write(table, head)),
        Format::Parquet => parquet::write(table, head),
    }
}

#[cfg(test)]
mod tests;
