//! Why an act was not done, each with a code that stays and what to do next. It must never hold a database's words
//! for a caller: those are its source.

use crate::store;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{actor}: {why}")]
    Forbidden { actor: String, why: &'static str },
    #[error("there is no {what} {id}")]
    NotFound { what: &'static str, id: String },
    #[error("{field}: {reason}")]
    Invalid { field: &'static str, reason: String },
    #[error("{what} {id} is at version {found}, not {given}")]
    Stale { what: &'static str, id: i64, found: i32, given: i32 },
    #[error("{what} {id} is {state}")]
    State { what: &'static str, id: i64, state: String },
    #[error("correction {id} was proposed by {by}")]
    SamePerson { id: i64, by: String },
    #[error("{what} {id} is there already")]
    Exists { what: &'static str, id: String },
    #[error("{currency} {day}: {reason}")]
    Day { currency: String, day: String, reason: DayRefusal },
    #[error("the ledger has no record of the item of correction {id}")]
    NotRecorded { id: i64 },
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("server {server}: {reason}")]
    Pull { server: String, reason: String },
    #[error("a document cannot be written: {0}")]
    Document(String),
    #[error("the database did not take it")]
    Store(#[source] store::Failure),
}

/// Why a day stays open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DayRefusal {
    #[error("the day is closed")]
    Closed,
    #[error("the day before, {0}, is open")]
    Former(String),
    #[error("the report of the day before, {0}, is not the one that was closed")]
    FormerAltered(String),
    #[error("it is no business day: {0}")]
    Holiday(String),
    #[error("no calendar says whether it is a business day")]
    CalendarMissing,
    #[error("its cut-off {0} has not passed")]
    CutOff(String),
    #[error("schema ledger holds records before {holds}, and {wanted} is asked for")]
    Behind { holds: i64, wanted: i64 },
    #[error("record {0} lies before the end of the day before, or outside an entry")]
    Record(i64),
    #[error("the custodian's statement of the day is missing")]
    StatementMissing,
    #[error(
        "the ledger's balances are {ledger}, the custodian's statement closes with {statement}: {off} differ"
    )]
    Mismatch { ledger: String, statement: String, off: String },
    #[error("the statement of the day has unsettled findings: {0}")]
    Findings(String),
    #[error("{count} open breaks put {at_risk} at risk, and {limit} is the limit")]
    Breaks { count: i64, at_risk: String, limit: String },
}

impl DayRefusal {
    const fn code(&self) -> &'static str {
        match self {
            Self::Closed => "DAY_CLOSED",
            Self::Former(_) => "DAY_BEFORE_OPEN",
            Self::FormerAltered(_) => "DAY_BEFORE_ALTERED",
            Self::Holiday(_) => "NO_BUSINESS_DAY",
            Self::CalendarMissing => "CALENDAR_MISSING",
            Self::CutOff(_) => "CUT_OFF_NOT_PASSED",
            Self::Behind { .. } => "LEDGER_BEHIND",
            Self::Record(_) => "RECORD_OUT_OF_PLACE",
            Self::StatementMissing => "STATEMENT_MISSING",
            Self::Mismatch { .. } => "BALANCE_MISMATCH",
            Self::Findings(_) => "STATEMENT_FINDINGS",
            Self::Breaks { .. } => "BREAKS_OPEN",
        }
    }

    const fn next_step(&self) -> &'static str {
        match self {
            Self::Closed => "nothing to do: show the day",
            Self::Former(_) => "close that day first",
            Self::FormerAltered(_) => {
                "restore office.days from a backup: its digest is of another report"
            }
            Self::Holiday(_) => "close the next business day, which takes these records in",
            Self::CalendarMissing => "add a calendar file of the currency that covers the day",
            Self::CutOff(_) => "wait for the cut-off",
            Self::Behind { .. } => "wait for reconciliation, or name an earlier record",
            Self::Record(_) => "name the last record of an entry after the day before",
            Self::StatementMissing => {
                "import the custodian's statement whose closing balance has this date"
            }
            Self::Mismatch { .. } => {
                "work the breaks of the custodian's account until both are equal"
            }
            Self::Findings(_) => "ask the custodian for a statement whose arithmetic holds",
            Self::Breaks { .. } => "work the breaks, or raise the limit in the settings",
        }
    }
}

impl Error {
    /// For scripts and a console; codes stay.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "FORBIDDEN",
            Self::NotFound { .. } => "NOT_FOUND",
            Self::Invalid { .. } => "INVALID",
            Self::Stale { .. } => "STALE",
            Self::State { .. } => "STATE",
            Self::SamePerson { .. } => "SAME_PERSON",
            Self::Exists { .. } => "EXISTS",
            Self::Day { reason, .. } => reason.code(),
            Self::NotRecorded { .. } => "NOT_RECORDED",
            Self::File { .. } => "FILE",
            Self::Pull { .. } => "PULL",
            Self::Document(_) => "DOCUMENT",
            Self::Store(_) => "DATABASE",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "ask somebody whose role allows it",
            Self::NotFound { .. } => "list what there is",
            Self::Invalid { .. } => "correct the field",
            Self::Stale { .. } => "look at it again: somebody has changed it meanwhile",
            Self::State { .. } => "look at it: this is not possible in that state",
            Self::SamePerson { .. } => "ask another person to decide, or withdraw it",
            Self::Exists { .. } => "nothing to do, or choose another name",
            Self::Day { reason, .. } => reason.next_step(),
            Self::NotRecorded { .. } => {
                "sign and send the item first, then wait for reconciliation"
            }
            Self::File { .. } => "see that the file is there and readable",
            Self::Pull { .. } => {
                "run `sftp` with the same host and ssh_config by hand: host key, identity and folder must be right"
            }
            Self::Document(_) => "correct the participant's names and codes",
            Self::Store(_) => "see that the database answers, then try again",
        }
    }
}
