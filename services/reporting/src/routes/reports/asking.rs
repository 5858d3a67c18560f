//! The form of a report: its fields, what a person wrote into them, and what is wrong with each. It must never widen what
//! a participant's person asks to more than his participant.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use services_office::{day::decimal, take};
use services_reports::{Asked, Error as Unmade, Kind, kind::local, write::Format};

use super::super::{form::Fields, transfers::minor};
use crate::{app::Told, store::CurrencyRow};

/// One field as the form shows it.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// Of an `input`; `select` for a choice.
    pub(super) kind: &'static str,
    pub(super) help: &'static str,
    pub(super) value: String,
    pub(super) needed: bool,
    pub(super) options: Vec<String>,
    pub(super) error: Option<String>,
}

/// What is wrong, by field.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors(BTreeMap<&'static str, String>);

impl Errors {
    pub(super) fn of(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn put(&mut self, name: &'static str, reason: impl Display) {
        self.0.entry(name).or_insert_with(|| reason.to_string());
    }

    /// What is read of a field; what is wrong with it is kept.
    fn keep<T>(&mut self, name: &'static str, read: Result<T, String>) -> Option<T> {
        read.map_err(|reason| self.put(name, reason)).ok()
    }

    /// The same for the top of the page.
    pub(super) fn told(&self) -> Told {
        let mut lines = self.0.iter().map(|(name, reason)| format!("{name}: {reason}"));
        let mut told = Told::invalid("", "");
        told.text = lines.next().unwrap_or_default();
        for line in lines {
            told.text += "; ";
            told.text += &line;
        }
        told
    }
}

impl From<&Unmade> for Errors {
    fn from(error: &Unmade) -> Self {
        let mut own = Self::default();
        let after = |text: String| match text.split_once(": ") {
            Some((_, reason)) => reason.to_owned(),
            None => text,
        };
        match error {
            Unmade::Invalid { field, reason } => own.put(field, reason),
            Unmade::Behind { .. } | Unmade::GatewayBehind { .. } => {
                own.put("records", after(error.to_string()));
            }
            Unmade::OfficeBehind { .. } | Unmade::ScreeningsBehind { .. } => {
                own.put("acts", after(error.to_string()))
            }
            Unmade::TooLong { .. }
            | Unmade::Altered
            | Unmade::Database { .. }
            | Unmade::Unreadable(_)
            | Unmade::Format { .. }
            | Unmade::Manifest(_) => {}
        }
        own
    }
}

/// Name, label, kind of input and help of what a report is asked with.
type Shape = (&'static str, &'static str, &'static str, &'static str);

const DAYS: [Shape; 3] = [
    ("from", "First day", "date", "Empty: from the beginning"),
    ("to", "Last day", "date", "Empty: to the end"),
    ("zone", "Time zone of the days", "text", "An IANA name, such as Asia/Manila"),
];
const PARTICIPANT: Shape =
    ("participant", "Participant", "number", "Its number; empty: all of the network");
const CURRENCY: Shape = ("currency", "Currency", "select", "");
const ABOVE: Shape = ("above", "Transfers above", "text", "In the currency, such as 500000.00");
const USD200: Shape = (
    "usd200",
    "200 US dollars are",
    "text",
    "In money that is sent, such as HKD=1560.00, MYR=890.00; empty: cost at that amount is not told",
);
const RANGE: [Shape; 2] = [
    (
        "records",
        "Records that count, from 0",
        "number",
        "Empty: all there are; the report is never of a later one",
    ),
    ("acts", "Acts of the office that count", "number", "Empty: all there are"),
];

/// The fields of a kind, with what was written and what is wrong.
pub(super) fn fields(
    kind: Kind,
    network: bool,
    (given, currencies): (&Fields, &[CurrencyRow]),
    errors: &Errors,
) -> Vec<Field> {
    let mut shapes = Vec::new();
    if kind.of_days() {
        shapes.extend(DAYS);
    }
    if kind != Kind::Audit {
        shapes.extend(network.then_some(PARTICIPANT));
        shapes.push(CURRENCY);
    }
    shapes.extend((kind == Kind::Covered).then_some(ABOVE));
    shapes.extend((kind == Kind::Corridors).then_some(USD200));
    shapes.extend(RANGE);
    let covered = kind == Kind::Covered;
    let own = |(name, label, kind, help): Shape| Field {
        name,
        label,
        kind,
        help,
        value: match given.text(name) {
            None if name == "zone" => "UTC".to_owned(),
            _ => given.shown(name),
        },
        needed: covered && matches!(name, "currency" | "above"),
        options: match kind {
            "select" => currencies.iter().map(|row| row.currency.clone()).collect(),
            _ => Vec::new(),
        },
        error: errors.of(name),
    };
    shapes.into_iter().map(own).collect()
}

/// The formats that were ticked; those that most want where nothing was written yet.
pub(super) fn formats(given: &Fields) -> Option<Vec<Format>> {
    let ticked = |format: &Format| given.is(&format!("format_{}", format.name()));
    let formats: Vec<Format> = Format::ALL.into_iter().filter(ticked).collect();
    match formats.is_empty() {
        true if given.is("sent") => None,
        true => Some(vec![Format::Csv, Format::Xlsx]),
        false => Some(formats),
    }
}

/// What a person asks for; his participant's where he works for one.
pub(super) fn read(
    kind: Kind,
    own: Option<u32>,
    (given, currencies): (&Fields, &[CurrencyRow]),
) -> Result<(Asked, Vec<Format>), Errors> {
    let mut errors = Errors::default();
    let mut asked = Asked::all(kind);
    let day = |name: &'static str| match given.text(name).map(|text| (text, take::date(text))) {
        Some((text, None)) => Err(format!("{text} is no date: write YYYY-MM-DD")),
        Some((_, day)) => Ok(day),
        None => Ok(None),
    };
    asked.from = errors.keep("from", day("from")).flatten();
    asked.to = errors.keep("to", day("to")).flatten();
    if let Some(zone) = given.text("zone") {
        zone.clone_into(&mut asked.zone);
    }
    asked.participant = match own {
        Some(own) => Some(own),
        None => errors.keep("participant", number(given, "participant")).flatten(),
    };
    asked.records = errors.keep("records", number(given, "records")).flatten();
    asked.acts = errors.keep("acts", number(given, "acts")).flatten();
    let usd200 = given.text("usd200").into_iter().flat_map(|text| text.split(','));
    let usd200 = usd200.map(|text| local(text.trim())).collect::<Result<Vec<_>, _>>();
    asked.usd200 = errors.keep("usd200", usd200).unwrap_or_default();
    let currency = given.text("currency").map(str::to_uppercase);
    let known = |code: &String| currencies.iter().find(|row| row.currency == *code);
    if let Some(code) = currency.as_ref().filter(|code| known(code).is_none()) {
        errors.put("currency", format!("{code} is none of the ledger's"));
    }
    if kind == Kind::Covered {
        if currency.is_none() {
            errors.put("currency", "choose one");
        }
        let row = currency.as_ref().and_then(known);
        asked.above = match (given.text("above"), row) {
            (Some(text), Some(row)) => errors.keep("above", above(text, row)),
            (None, _) => {
                errors.put("above", "write the amount that is exceeded");
                None
            }
            (Some(_), None) => None,
        };
    }
    asked.currency = currency;
    let formats = formats(given).ok_or_else(|| "tick one at least".to_owned());
    let formats = errors.keep("format", formats).unwrap_or_default();
    if errors.0.is_empty()
        && let Err(error) = asked.check()
    {
        errors = Errors::from(&error);
    }
    if errors.0.is_empty() { Ok((asked, formats)) } else { Err(errors) }
}

fn number<T: FromStr>(given: &Fields, name: &'static str) -> Result<Option<T>, String> {
    let read = |text: &str| text.parse().map_err(|_| format!("{text} is no whole number"));
    given.text(name).map(read).transpose()
}

fn above(text: &str, row: &CurrencyRow) -> Result<u64, String> {
    let CurrencyRow { currency, exponent } = row;
    minor(text, *exponent)
        .ok_or_else(|| format!("{text} is no amount of {currency}: it has {exponent} decimals"))
}

/// What was asked, as the form is filled again.
pub(super) fn again(asked: &Asked, formats: &[Format], currencies: &[CurrencyRow]) -> Fields {
    let row = currencies.iter().find(|row| Some(&row.currency) == asked.currency.as_ref());
    let exponent = row.map_or(0, |row| row.exponent);
    let told = asked.parameters().into_iter().map(|(name, value)| match (name, asked.above) {
        ("above", Some(units)) => (name.to_owned(), decimal(units.into(), exponent)),
        _ => (name.to_owned(), value),
    });
    let range = [
        asked.records.map(|count| ("records".to_owned(), count.to_string())),
        asked.acts.map(|count| ("acts".to_owned(), count.to_string())),
    ];
    let formats =
        formats.iter().map(|format| (format!("format_{}", format.name()), "1".to_owned()));
    Fields::of(told.chain(range.into_iter().flatten()).chain(formats))
}
