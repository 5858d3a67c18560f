//! What a break is to people: what is proposed, by when it is to be closed, how old it is. It must never decide
//! whether there is one.

pub use services_matching::Cause;
use time::{Duration, OffsetDateTime};

use crate::{bridge::Leg, correction::Kind, settings::Rules};

/// Why a person closed a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// One of the books was corrected.
    Corrected,
    /// The difference is borne.
    WrittenOff,
    /// Both tellings stand as they are.
    Accepted,
    /// It was none.
    NoBreak,
}

impl Resolution {
    pub const ALL: [Self; 4] = [Self::Corrected, Self::WrittenOff, Self::Accepted, Self::NoBreak];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Corrected => "corrected",
            Self::WrittenOff => "written_off",
            Self::Accepted => "accepted",
            Self::NoBreak => "no_break",
        }
    }

    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word.trim().to_lowercase())
    }
}

/// The cause of a stored word.
#[must_use]
pub fn cause(word: &str) -> Option<Cause> {
    Cause::ALL.into_iter().find(|cause| cause.as_str() == word)
}

/// What is proposed of a break until somebody proposes otherwise.
#[must_use]
pub const fn suggestion(cause: Cause, leg: Leg, credit: bool) -> Kind {
    match (cause, leg) {
        (Cause::MissingInLedger, Leg::Custodian) if credit => Kind::Fund,
        (Cause::MissingInLedger, Leg::Custodian) => Kind::WithdrawPaid,
        (Cause::Reversed, Leg::Participant) => Kind::Return,
        (Cause::Reversed, Leg::Custodian) => Kind::WithdrawFailed,
        (Cause::ChargesDeducted | Cause::ValueDateDiffers, _) => Kind::Accept,
        (
            Cause::MissingInStatement
            | Cause::MissingInLedger
            | Cause::AmountDiffers
            | Cause::CurrencyDiffers
            | Cause::Duplicated
            | Cause::WrongAccount
            | Cause::BatchSumDiffers,
            _,
        )
        | (Cause::Reversed, Leg::Journal) => Kind::AskServicer,
    }
}

/// Which of three books stands alone, by what other legs say of the same postings: the one of the break's own leg where all
/// others are as the ledger has it, the ledger where none is. Nothing where they disagree or do not tell yet.
#[must_use]
pub fn stands_alone<'a>(leg: &str, states: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let as_ledger = states.filter_map(|state| match state {
        "matched" | "agreed" => Some(true),
        "broken" | "closed" => Some(false),
        _ => None,
    });
    let told: Vec<bool> = as_ledger.collect();
    match (told.contains(&true), told.contains(&false)) {
        (true, false) if leg == Leg::Journal.as_str() => Some("journal"),
        (true, false) => Some("statement"),
        (false, true) => Some("ledger"),
        (true, true) | (false, false) => None,
    }
}

/// By when a break is to be closed.
#[must_use]
pub fn due_at(cause: Cause, opened_at: OffsetDateTime, rules: &Rules) -> OffsetDateTime {
    let own = rules.sla_hours_by_cause.get(cause.as_str()).copied();
    opened_at.saturating_add(Duration::hours(i64::from(own.unwrap_or(rules.sla_hours))))
}
