//! Mid rates read from files in the ECB's reference-rate format; it prices nothing and knows no corridor.
use std::{collections::BTreeMap, path::Path};

use ledger_types::{Currency, Timestamp};
use rust_decimal::Decimal;
use time::{Date, macros::format_description};

/// The currency that every rate of the files is stated against.
const BASE: &[u8; 3] = b"EUR";

/// Why a file holds no rates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("rates file {path}: cannot be read")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line is no CSV.
    #[error("rates file: malformed CSV")]
    Csv(#[source] csv::Error),
    /// A field holds another thing than it should.
    #[error("rates file: {field} {value:?} {rule}")]
    Invalid {
        /// Which column.
        field: String,
        /// What it holds.
        value: String,
        /// What it must hold.
        rule: &'static str,
    },
}

/// Units of a currency for one euro, and of which day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quotation {
    units_per_euro: Decimal,
    date: Date,
}

/// A cross rate: destination units for one source unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mid {
    /// The rate.
    pub rate: Decimal,
    /// Midnight UTC of the older of its two days: never younger than the rate is.
    pub at: Timestamp,
}

impl Mid {
    /// How old the rate is.
    #[must_use]
    pub const fn age_micros(&self, now: Timestamp) -> u64 {
        now.micros_since(self.at)
    }
}

/// The newest rate of each currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateTable {
    quotations: BTreeMap<Currency, Quotation>,
}

impl RateTable {
    /// Reads some files; where two state the same currency the younger day wins, then the later
    /// file.
    ///
    /// # Errors
    /// Names the first file or field that is unusable.
    pub fn read(paths: &[impl AsRef<Path>]) -> Result<Self, Error> {
        let mut table = Self::default();
        for path in paths {
            let path = path.as_ref();
            let text = std::fs::read_to_string(path)
                .map_err(|source| Error::Read { path: path.display().to_string(), source })?;
            table.add(&text)?;
        }
        Ok(table)
    }

    /// Adds the rates of one file's text: `Date,USD,JPY,…` (one day a line, `N/A` for none) or
    /// `currency,units_per_eur,date` (one currency a line).
    ///
    /// # Errors
    /// Names the field that is unusable.
    pub fn add(&mut self, text: &str) -> Result<(), Error> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(text.as_bytes());
        let header = reader.headers().map_err(Error::Csv)?.clone();
        let first = header.get(0).unwrap_or_default().trim_start_matches('\u{feff}');
        let by_day = match first.to_ascii_lowercase().as_str() {
            "date" => true,
            "currency" => false,
            _ => {
                return Err(invalid("header", first, "must begin with Date or currency"));
            }
        };
        for row in reader.records() {
            let row = row.map_err(Error::Csv)?;
            if row.iter().all(str::is_empty) {
                continue;
            }
            if by_day { self.add_day(&header, &row)? } else { self.add_currency(&row)? }
        }
        Ok(())
    }

    /// Destination units for one source unit, crossed through the euro; `None` when either
    /// currency has no rate.
    #[must_use]
    pub fn mid(&self, source: Currency, destination: Currency) -> Option<Mid> {
        let (from, to) = (self.quotation(source), self.quotation(destination));
        let date = match (from.date, to.date) {
            (Some(from), Some(to)) => from.min(to),
            (Some(date), None) | (None, Some(date)) => date,
            (None, None) => return None,
        };
        let rate = to.units?.checked_div(from.units?)?;
        let seconds = date.midnight().assume_utc().unix_timestamp();
        let micros = u64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
        Some(Mid { rate, at: Timestamp::from_micros(micros) })
    }

    /// How many currencies have a rate, the euro not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.quotations.len()
    }

    /// Whether no currency has a rate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.quotations.is_empty()
    }

    fn quotation(&self, currency: Currency) -> Side {
        if &currency.bytes() == BASE {
            return Side { units: Some(Decimal::ONE), date: None };
        }
        let found = self.quotations.get(&currency);
        Side { units: found.map(|row| row.units_per_euro), date: found.map(|row| row.date) }
    }

    fn add_day(
        &mut self,
        header: &csv::StringRecord,
        row: &csv::StringRecord,
    ) -> Result<(), Error> {
        let date = parse_date(row.get(0).unwrap_or_default())?;
        for (code, value) in header.iter().zip(row.iter()).skip(1) {
            // Retired currencies keep their columns, and have no code any more.
            let Ok(currency) = code.parse::<Currency>() else { continue };
            if !value.is_empty() && value != "N/A" {
                self.put(currency, parse_units(code, value)?, date);
            }
        }
        Ok(())
    }

    fn add_currency(&mut self, row: &csv::StringRecord) -> Result<(), Error> {
        let field = |at: usize| row.get(at).unwrap_or_default();
        let currency = field(0)
            .parse::<Currency>()
            .map_err(|_| invalid("currency", field(0), "must be a code of ISO 4217"))?;
        self.put(currency, parse_units(field(0), field(1))?, parse_date(field(2))?);
        Ok(())
    }

    fn put(&mut self, currency: Currency, units_per_euro: Decimal, date: Date) {
        let kept = self.quotations.entry(currency).or_insert(Quotation { units_per_euro, date });
        if date >= kept.date {
            *kept = Quotation { units_per_euro, date };
        }
    }
}

/// One side of a cross; the euro has no day of its own.
struct Side {
    units: Option<Decimal>,
    date: Option<Date>,
}

fn parse_units(field: &str, value: &str) -> Result<Decimal, Error> {
    value
        .parse::<Decimal>()
        .ok()
        .filter(|units| *units > Decimal::ZERO)
        .ok_or_else(|| invalid(field, value, "must be a positive decimal or N/A"))
}

/// `2026-10-30` as in the history, or `30 October 2026` as in the daily file.
fn parse_date(value: &str) -> Result<Date, Error> {
    let iso = format_description!("[year]-[month]-[day]");
    let long = format_description!("[day padding:none] [month repr:long] [year]");
    Date::parse(value, iso)
        .or_else(|_| Date::parse(value, long))
        .map_err(|_| invalid("date", value, "must be a day such as 2026-10-30"))
}

fn invalid(field: &str, value: &str, rule: &'static str) -> Error {
    Error::Invalid { field: field.to_owned(), value: value.to_owned(), rule }
}

#[cfg(test)]
mod tests;
