//! What is kept of a statement's entries: one row for each movement that can be told apart. It must never judge, nor
//! keep a person's address or account number.

use services_statements::{CreditDebit, Detail, Entry, Item, Money, Statement, Sum};
use time::{Date, macros::format_description};
use uuid::Uuid;

/// The longest text kept of a reference or information.
const TEXT_MAX: usize = 500;

/// One row of `office.entries`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// The statement's place in the file, from 1.
    pub place: i32,
    /// The entry's number in its statement, from 1.
    pub number: i64,
    /// 0 the whole entry, else one of its details.
    pub detail: i32,
    /// Minor units; nothing with more decimals than the currency has.
    pub amount: Option<u64>,
    pub amount_text: String,
    pub currency: String,
    pub credit_debit: CreditDebit,
    pub reversal: bool,
    /// BOOK, PDNG, INFO or the servicer's own.
    pub status: String,
    pub booking_date: Option<Date>,
    pub value_date: Option<Date>,
    pub uetr: Option<Uuid>,
    pub end_to_end_id: Option<String>,
    pub servicer_reference: Option<String>,
    /// The batch that an entry without details stands for.
    pub batch: Option<String>,
    /// UETR and minor units of each detail of an entry that is not the sum of its details, and is therefore kept whole.
    pub parts: Vec<(Uuid, u64)>,
    /// Upper case, letters and digits alone.
    pub party: Option<String>,
    /// Minor units.
    pub charges: u64,
    pub information: Option<String>,
}

/// Collects rows while a file is judged.
#[derive(Debug, Default)]
pub struct Collector {
    place: i32,
    early: Vec<Detail>,
    pub rows: Vec<EntryRow>,
}

impl Collector {
    pub fn take(&mut self, item: &Item) {
        match item {
            Item::Opened(_) => {
                self.place += 1;
                self.early.clear();
            }
            Item::Details { details, .. } => self.early.extend(details.iter().cloned()),
            Item::Entry(entry) => {
                let mut details = std::mem::take(&mut self.early);
                details.extend(entry.details.iter().cloned());
                let rows = rows(self.place, entry, &details);
                self.rows.extend(rows);
            }
            Item::Balance(_) | Item::Summary(_) | Item::Finding(_) | Item::Closed(_) => {}
        }
    }
}

/// An entry's details if they can be told apart and are the whole of it, else the entry.
fn rows(place: i32, entry: &Entry, details: &[Detail]) -> Vec<EntryRow> {
    let stated = |detail: &Detail| {
        detail.amount.as_ref().is_some_and(|own| own.currency == entry.amount.currency)
    };
    let split = details.len() > 1 && details.iter().all(stated) && sums_up(entry, details);
    if split {
        let numbered = (1_i32..).zip(details);
        return numbered.map(|(number, detail)| row(place, entry, Some(detail), number)).collect();
    }
    let only = details.first().filter(|_| details.len() == 1);
    let mut whole = row(place, entry, only, 0);
    if details.len() > 1 {
        whole.parts = details.iter().filter_map(part).collect();
    }
    vec![whole]
}

/// What names a detail: its UETR, with its amount.
fn part(detail: &Detail) -> Option<(Uuid, u64)> {
    Some((uetr(detail)?, detail.amount.as_ref()?.minor_units()?))
}

fn uetr(detail: &Detail) -> Option<Uuid> {
    detail.references.uetr.as_deref().and_then(|text| Uuid::parse_str(text.trim()).ok())
}

fn sums_up(entry: &Entry, details: &[Detail]) -> bool {
    let sum = details.iter().try_fold(Sum::ZERO, |sum, detail| {
        let side = detail.credit_debit.unwrap_or(entry.credit_debit);
        sum.plus(Sum::signed(detail.amount.as_ref()?.value, side))
    });
    sum == Some(entry.signed())
}

fn row(place: i32, entry: &Entry, detail: Option<&Detail>, number: i32) -> EntryRow {
    let none = Detail::default();
    let own = detail.unwrap_or(&none);
    let whole = number == 0;
    let amount: &Money = own.amount.as_ref().filter(|_| !whole).unwrap_or(&entry.amount);
    let side = own.credit_debit.filter(|_| !whole).unwrap_or(entry.credit_debit);
    let references = &own.references;
    let batch = entry.batches.iter().find_map(|batch| {
        batch.payment_information_id.clone().or_else(|| batch.message_id.clone())
    });
    let party = match side {
        CreditDebit::Credit => {
            own.parties.debtor.as_deref().or(own.parties.debtor_agent.as_deref())
        }
        CreditDebit::Debit => {
            own.parties.creditor.as_deref().or(own.parties.creditor_agent.as_deref())
        }
    };
    let own_reference = references.servicer_reference.as_deref();
    let servicer = own_reference.or(entry.servicer_reference.as_deref().filter(|_| whole));
    let (charges, currency) = (&own.charges, &amount.currency);
    let charges = match charges.sum(currency) {
        sum if sum.is_zero() && whole => entry.charges.sum(currency),
        sum => sum,
    };
    let information = own.additional_information.as_deref();
    let information =
        information.or_else(|| own.remittance_information.first().map(String::as_str));
    EntryRow {
        place,
        number: i64::try_from(entry.number).unwrap_or(i64::MAX),
        detail: number,
        amount: amount.minor_units().filter(|units| *units > 0),
        amount_text: amount.decimal_text(),
        currency: currency.clone(),
        credit_debit: side,
        reversal: entry.reversal,
        status: entry.status.as_str().to_owned(),
        booking_date: entry.booking_date.as_deref().and_then(date),
        value_date: entry.value_date.as_deref().and_then(date),
        uetr: uetr(own),
        end_to_end_id: reference(references.end_to_end_id.as_deref()),
        servicer_reference: reference(servicer),
        batch: batch
            .filter(|_| whole && entry.details_count != 1)
            .and_then(|own| reference(Some(&own))),
        parts: Vec::new(),
        party: party.and_then(party_key),
        charges: charges.money(currency).map_or(0, |(money, side)| match side {
            CreditDebit::Credit => money.minor_units().unwrap_or(0),
            CreditDebit::Debit => 0,
        }),
        information: information.or(entry.additional_information.as_deref()).map(cut),
    }
}

/// The date that a text begins with.
#[must_use]
pub fn date(text: &str) -> Option<Date> {
    let day = text.trim().get(..10)?;
    Date::parse(day, format_description!("[year]-[month]-[day]")).ok()
}

/// A reference that refers to something.
fn reference(text: Option<&str>) -> Option<String> {
    let text = text?.trim();
    let nothing = ["", "NOTPROVIDED", "NONREF", "NOREF", "NONE"];
    (!nothing.contains(&text.to_uppercase().as_str())).then(|| cut(text))
}

/// A name as names are compared: upper case, letters and digits alone.
#[must_use]
pub fn party_key(name: &str) -> Option<String> {
    let key: String = name.chars().filter(|one| one.is_alphanumeric()).collect();
    (!key.is_empty()).then(|| cut(&key.to_uppercase()))
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

/// A booked balance in minor units, credits positive; nothing with more decimals than the currency has.
#[must_use]
pub fn signed_units(balance: &services_statements::Balance) -> Option<i128> {
    let units = i128::from(balance.amount.minor_units()?);
    Some(match balance.credit_debit {
        CreditDebit::Credit => units,
        CreditDebit::Debit => -units,
    })
}

/// The days that a statement covers: its period, else those of its balances.
#[must_use]
pub fn days(statement: &Statement) -> (Option<Date>, Option<Date>) {
    let head = &statement.head;
    let balance = |own: &Option<services_statements::Balance>| {
        own.as_ref().and_then(|own| own.date.as_deref()).and_then(date)
    };
    let from = head.from.as_deref().and_then(date).or_else(|| balance(&statement.opening));
    let to = balance(&statement.closing).or_else(|| head.to.as_deref().and_then(date));
    (from, to)
}
