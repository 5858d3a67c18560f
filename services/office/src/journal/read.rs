//! A journal's file as a participant's own system writes it: CSV with a heading, or one JSON object a line. It must never
//! guess a column or an amount.

use services_iso20022::{amount::Decimal, statement::money};
use time::Date;
use uuid::Uuid;

use super::{Row, RowText, invalid};
use crate::{error::Error, take::date};

/// The columns of the CSV, in any order; others are left alone.
pub const COLUMNS: [&str; 4] = ["reference", "amount", "direction", "value_date"];
/// The longest reference.
const REFERENCE_MAX: usize = 140;

/// Rows of one day, and how many are of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    pub rows: Vec<Row>,
    pub of_other_days: usize,
}

/// Reads the rows of a day.
///
/// # Errors
/// [`Error::Invalid`] naming the line and the field; then nothing was read.
pub fn journal(bytes: &[u8], currency: &str, day: Date) -> Result<Day, Error> {
    if money::exponent(currency).is_none() {
        return Err(invalid("currency", format!("{currency} is none of ISO 4217")));
    }
    let object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let texts = if object { json_lines(bytes) } else { csv(bytes) }?;
    let mut own = Day { rows: Vec::new(), of_other_days: 0 };
    for (line, text) in texts {
        let row = row(&text, currency)
            .map_err(|reason| invalid("journal", format!("line {line}: {reason}")))?;
        if row.value_date == day {
            own.rows.push(row);
        } else {
            own.of_other_days += 1;
        }
    }
    Ok(own)
}

type Lines = Vec<(u64, RowText)>;

fn json_lines(bytes: &[u8]) -> Result<Lines, Error> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| invalid("journal", "is no UTF-8: write it in UTF-8".to_owned()))?;
    let lines = (1_u64..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let read = |(number, line): (u64, &str)| {
        let row = serde_json::from_str(line)
            .map_err(|error| invalid("journal", format!("line {number}: {error}")))?;
        Ok((number, row))
    };
    lines.map(read).collect()
}

fn csv(bytes: &[u8]) -> Result<Lines, Error> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let unreadable = |error: csv::Error| invalid("journal", error.to_string());
    let headings = reader.headers().map_err(unreadable)?.clone();
    let place = |name: &str| {
        let named =
            |heading: &str| heading.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name);
        let mut places = (0..headings.len()).filter(|at| headings.get(*at).is_some_and(named));
        match (places.next(), places.next()) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(_)) => {
                Err(invalid("journal", format!("line 1: column {name} is there twice")))
            }
            (None, _) => {
                let all = COLUMNS.join(", ");
                Err(invalid(
                    "journal",
                    format!("line 1: column {name} is missing; columns are {all}"),
                ))
            }
        }
    };
    let places = [place("reference")?, place("amount")?, place("direction")?, place("value_date")?];
    let mut all = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let [reference, amount, direction, value_date] =
            places.map(|at| record.get(at).unwrap_or_default().to_owned());
        all.push((line, RowText { reference, amount, direction, value_date }));
    }
    Ok(all)
}

/// One row as its words say it.
///
/// # Errors
/// The field and what is wrong with it.
pub fn row(text: &RowText, currency: &str) -> Result<Row, String> {
    let credit = match text.direction.trim() {
        "CRDT" => true,
        "DBIT" => false,
        other => return Err(format!("direction: {other} is neither CRDT nor DBIT")),
    };
    let value_date = date(text.value_date.trim())
        .ok_or_else(|| format!("value_date: {} is no date: write YYYY-MM-DD", text.value_date))?;
    Ok(Row {
        reference: reference(&text.reference)?,
        amount: amount(&text.amount, currency)?,
        credit,
        value_date,
    })
}

fn amount(text: &str, currency: &str) -> Result<u64, String> {
    let wrong = || format!("amount: {text} is no amount of {currency} over 0");
    let value: Decimal = text.parse().map_err(|_| wrong())?;
    let money = money::Money { currency: currency.to_owned(), value };
    money.minor_units().filter(|units| *units > 0).ok_or_else(wrong)
}

/// UETRs in their one spelling; other references as they are.
fn reference(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() > REFERENCE_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "reference: must have at most {REFERENCE_MAX} letters and no control characters"
        ));
    }
    let uetr = (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten();
    Ok(uetr.map_or_else(|| text.to_owned(), |uetr| uetr.to_string()))
}
