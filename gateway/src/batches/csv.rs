//! CSV (RFC 4180) with a header: one order a row, columns named as the fields of a transfer; it knows no network.
use std::io::Read;

use super::read::{Bounded, Failure, Put, Row, digest};
use crate::{
    personal::Person,
    problem::{Code, Problem},
    transfers::order::{AmountBody, OrderBody},
};

/// Columns beside those of people.
const COLUMNS: [&str; 14] = [
    "uetr",
    "end_to_end_id",
    "creditor_agent",
    "corridor",
    "quote",
    "instructed_amount",
    "instructed_currency",
    "interbank_settlement_amount",
    "interbank_settlement_currency",
    "payout_method",
    "purpose",
    "relationship",
    "source_of_funds",
    "remittance_information",
];
/// Columns that a file must have.
const REQUIRED: [&str; 4] = ["creditor_agent", "payout_method", "purpose", "debtor.name"];
const ROLES: [&str; 5] =
    ["debtor", "creditor", "ultimate_debtor", "initiating_party", "ultimate_creditor"];
const OF_PERSON: [&str; 8] = [
    "name",
    "account",
    "address",
    "country",
    "date_of_birth",
    "place_of_birth",
    "national_identifier",
    "customer_identification",
];
/// Between the lines of an address.
const LINE: char = '|';

/// Reads to the end.
///
/// # Errors
/// A header that is wrong, or bytes that break off.
pub fn read(source: impl Read, put: &mut Put<'_>) -> Result<(), Failure> {
    let (source, row_end) = Bounded::new(source);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
    let columns = header(&mut reader)?;
    let mut record = csv::ByteRecord::new();
    let mut number = 0;
    loop {
        row_end.reached();
        if !reader.read_byte_record(&mut record).map_err(|error| failed(&error))? {
            return Ok(());
        }
        number += 1;
        if !put(row(number, &columns, &record)) {
            return Err(Failure::Gone);
        }
    }
}

fn header<R: Read>(reader: &mut csv::Reader<R>) -> Result<Vec<String>, Failure> {
    let names = reader.byte_headers().map_err(|error| failed(&error))?;
    let mut columns: Vec<String> = Vec::new();
    for name in names {
        let name = String::from_utf8_lossy(name);
        let name = name.trim().trim_start_matches('\u{feff}').to_owned();
        if !known(&name) {
            let detail = format!("header: there is no column `{name}`; see docs/batches.md");
            return Err(Failure::malformed(detail));
        }
        if columns.contains(&name) {
            return Err(Failure::malformed(format!("header: the column `{name}` is given twice")));
        }
        columns.push(name);
    }
    match REQUIRED.iter().find(|name| !columns.iter().any(|own| own == *name)) {
        Some(name) => {
            let detail =
                format!("header: the column `{name}` is missing; the first line names all");
            Err(Failure::malformed(detail))
        }
        None => Ok(columns),
    }
}

fn known(name: &str) -> bool {
    let person = name.split_once('.');
    let person =
        person.is_some_and(|(role, part)| ROLES.contains(&role) && OF_PERSON.contains(&part));
    person || COLUMNS.contains(&name)
}

fn failed(error: &csv::Error) -> Failure {
    let csv::ErrorKind::Io(cause) = error.kind() else {
        return Failure::malformed(format!("body: {error}"));
    };
    if cause.kind() == std::io::ErrorKind::InvalidData {
        let detail = "body: a row exceeds 64 KiB; look for a quote that is not closed";
        return Failure::malformed(detail);
    }
    Failure::Broken
}

fn row(number: u32, columns: &[String], record: &csv::ByteRecord) -> Row {
    let cells = Cells::read(columns, record);
    let reference = cells.as_ref().ok().and_then(|cells| cells.text("end_to_end_id"));
    Row {
        number,
        digest: digest(record.iter()),
        order: cells.and_then(|cells| cells.order()).map(Box::new).map_err(Box::new),
        reference,
        instruction_id: None,
        payment_id: None,
    }
}

/// A row's cells; an empty one is none.
struct Cells<'a> {
    columns: &'a [String],
    values: Vec<&'a str>,
}

impl<'a> Cells<'a> {
    fn read(columns: &'a [String], record: &'a csv::ByteRecord) -> Result<Self, Problem> {
        if record.len() != columns.len() {
            let (has, due) = (record.len(), columns.len());
            let detail = format!("row: it has {has} cells, the header {due}; correct the row");
            return Err(Problem::new(Code::BodyMalformed, detail));
        }
        let mut values = Vec::with_capacity(columns.len());
        for (column, cell) in columns.iter().zip(record) {
            let text = std::str::from_utf8(cell);
            values.push(text.map_err(|_| Problem::field(column, "must be UTF-8"))?);
        }
        Ok(Self { columns, values })
    }

    fn text(&self, column: &str) -> Option<String> {
        let at = self.columns.iter().position(|own| own == column)?;
        self.values.get(at).filter(|value| !value.is_empty()).map(|value| (*value).to_owned())
    }

    fn order(&self) -> Result<OrderBody, Problem> {
        let due =
            |column: &str| self.text(column).ok_or_else(|| Problem::field(column, "must be given"));
        let corridor = self.text("corridor").map(|text| text.parse()).transpose();
        Ok(OrderBody {
            uetr: self.text("uetr"),
            end_to_end_id: self.text("end_to_end_id"),
            creditor_agent: due("creditor_agent")?,
            corridor: corridor.map_err(|_| Problem::field("corridor", "must be a whole number"))?,
            quote: self.text("quote"),
            instructed_amount: self.amount("instructed")?,
            interbank_settlement_amount: self.amount("interbank_settlement")?,
            payout_method: due("payout_method")?,
            purpose: due("purpose")?,
            debtor: self.person("debtor").unwrap_or_default(),
            creditor: self.person("creditor").unwrap_or_default(),
            ultimate_debtor: self.person("ultimate_debtor"),
            initiating_party: self.person("initiating_party"),
            ultimate_creditor: self.person("ultimate_creditor"),
            relationship: self.text("relationship"),
            source_of_funds: self.text("source_of_funds"),
            remittance_information: self.text("remittance_information"),
        })
    }

    fn amount(&self, side: &str) -> Result<Option<AmountBody>, Problem> {
        let names = [format!("{side}_amount"), format!("{side}_currency")];
        match (self.text(&names[0]), self.text(&names[1])) {
            (Some(amount), Some(currency)) => Ok(Some(AmountBody { amount, currency })),
            (Some(_), None) => Err(Problem::field(&names[1], "must be given with the amount")),
            // A column of one currency may be filled for every row.
            (None, _) => Ok(None),
        }
    }

    fn person(&self, role: &str) -> Option<Person> {
        let part = |name: &str| self.text(&format!("{role}.{name}"));
        let address = part("address");
        let lines = address.iter().flat_map(|text| text.split(LINE)).map(str::trim);
        let person = Person {
            name: part("name").unwrap_or_default(),
            account: part("account"),
            address: lines.filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            country: part("country"),
            date_of_birth: part("date_of_birth"),
            place_of_birth: part("place_of_birth"),
            national_identifier: part("national_identifier"),
            customer_identification: part("customer_identification"),
        };
        (person != Person::default()).then_some(person)
    }
}
