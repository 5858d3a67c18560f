//! What one posted leg of the ledger is to an account: a movement, as a statement would tell it. It must never know
//! a table.

use ledger_proof::{Item, codec::Field};
use services_statements::CreditDebit;
use time::{Date, Month, OffsetDateTime};
use uuid::Uuid;

use crate::{calendar::Calendars, take::party_key};

/// Which book of an account is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leg {
    /// The cash behind a currency, told by its custodian.
    Custodian,
    /// A participant's own account, told by who keeps it.
    Participant,
    /// A participant's own account, told by the participant itself.
    Journal,
}

impl Leg {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Custodian => "custodian",
            Self::Participant => "participant",
            Self::Journal => "journal",
        }
    }

    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Custodian, Self::Participant, Self::Journal]
            .into_iter()
            .find(|leg| leg.as_str() == word)
    }
}

/// A posted leg, with what its records and accounts say.
#[derive(Clone, Debug)]
pub struct Posting {
    pub sequence: i64,
    pub leg: i16,
    pub decided_sequence: i64,
    /// 1 transfer, 2 withdrawal, 3 funding.
    pub subject_kind: i16,
    pub subject: Vec<u8>,
    pub debit_account: u64,
    pub credit_account: u64,
    pub currency: String,
    pub amount: u64,
    pub decided_at: OffsetDateTime,
    /// The signed item of the record that made it, and of the one that decided it.
    pub item: Option<Vec<u8>>,
    pub decided_item: Option<Vec<u8>>,
    /// Names of the accounts' owners.
    pub debit_owner: String,
    pub credit_owner: String,
}

/// A row of `office.movements` of the book of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerMovement {
    pub account: i64,
    pub sequence: i64,
    pub leg: i16,
    pub decided_sequence: i64,
    pub amount: u64,
    pub currency: String,
    pub credit_debit: CreditDebit,
    pub value_date: Date,
    pub uetr: Option<Uuid>,
    pub servicer_reference: Option<String>,
    pub party: Option<String>,
    pub returns: Option<Uuid>,
}

/// The movement that a posted leg is on an account; nothing if it does not touch it.
#[must_use]
pub fn movement(
    posting: &Posting,
    account: i64,
    leg: Leg,
    ledger_account: u64,
    calendars: &Calendars,
) -> Option<LedgerMovement> {
    let debited = posting.debit_account == ledger_account;
    if !debited && posting.credit_account != ledger_account {
        return None;
    }
    // Cash that comes in is a debit of the custody account, and a credit on the custodian's statement.
    let credit = debited == (leg == Leg::Custodian);
    let told = told(posting);
    let other = if debited { &posting.credit_owner } else { &posting.debit_owner };
    let local = || calendars.day_of(&posting.currency, posting.decided_at);
    Some(LedgerMovement {
        account,
        sequence: posting.sequence,
        leg: posting.leg,
        decided_sequence: posting.decided_sequence,
        amount: posting.amount,
        currency: posting.currency.clone(),
        credit_debit: if credit { CreditDebit::Credit } else { CreditDebit::Debit },
        value_date: told.value_date.unwrap_or_else(local),
        uetr: told.uetr,
        servicer_reference: told.reference,
        party: party_key(other),
        returns: told.returns,
    })
}

#[derive(Default)]
struct Told {
    value_date: Option<Date>,
    uetr: Option<Uuid>,
    reference: Option<String>,
    returns: Option<Uuid>,
}

/// What names a movement to a bank: a transfer's UETR, a custodian's reference and day.
fn told(posting: &Posting) -> Told {
    let item = posting.item.as_deref().and_then(|bytes| Item::from_bytes(bytes).ok());
    let decided = posting.decided_item.as_deref().and_then(|bytes| Item::from_bytes(bytes).ok());
    match posting.subject_kind {
        1 => {
            let returns = match &item {
                Some(Item::Return(body)) => body.links.first().map(|link| link.uetr.bytes()),
                Some(_) | None => None,
            };
            Told {
                uetr: Uuid::from_slice(&posting.subject).ok(),
                returns: returns.map(Uuid::from_bytes),
                ..Told::default()
            }
        }
        2 => match &decided {
            Some(Item::WithdrawPaid(body)) => {
                Told { reference: Some(body.bank_reference.to_string()), ..Told::default() }
            }
            Some(_) | None => Told::default(),
        },
        _ => match &item {
            Some(Item::Fund(body)) => Told {
                value_date: numbered_day(body.value_date),
                reference: Some(body.bank_reference.to_string()),
                ..Told::default()
            },
            Some(_) | None => Told::default(),
        },
    }
}

/// A day written as yyyymmdd.
#[must_use]
pub fn numbered_day(number: u32) -> Option<Date> {
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()
}

/// A day as yyyymmdd.
#[must_use]
pub fn day_number(day: Date) -> u32 {
    let year = u32::try_from(day.year()).unwrap_or(0);
    year * 10_000 + u32::from(u8::from(day.month())) * 100 + u32::from(day.day())
}
