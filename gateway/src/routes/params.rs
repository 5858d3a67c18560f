//! Query strings of the REST resources; they hold no personal data.
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

/// Whose transfer, where two debtor agents used one UETR.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    /// Network id of the debtor agent.
    #[param(minimum = 0, maximum = 4_294_967_295_u32)]
    pub debtor_agent: Option<u32>,
}

/// Where a transfer stands, as a filter.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TransferStatus {
    /// Waits for a second pair of eyes.
    #[serde(rename = "AWAITING_APPROVAL")]
    AwaitingApproval,
    /// Not answered by the ledger yet.
    Queued,
    /// Reserved; the creditor agent has yet to decide.
    Pending,
    /// Final on the ledger.
    Settled,
    /// The creditor has the money.
    Credited,
    /// Refused.
    Rejected,
    /// Nobody accepted in time.
    Expired,
    /// Withdrawn by the debtor agent.
    Cancelled,
    /// Its identity was closed for ever.
    Burned,
}

impl TransferStatus {
    /// The word of the API and of the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "AWAITING_APPROVAL",
            Self::Queued => "QUEUED",
            Self::Pending => "PENDING",
            Self::Settled => "SETTLED",
            Self::Credited => "CREDITED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
            Self::Burned => "BURNED",
        }
    }
}

/// Which page of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The cursor of the page before.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    pub cursor: Option<i64>,
    /// 1 to 500, 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<i64>,
    /// Only transfers of this status.
    #[param(inline)]
    pub status: Option<TransferStatus>,
}

/// Which page of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LogPage {
    /// `next_cursor` of the page before.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    pub cursor: Option<i64>,
    /// 1 to 500, 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<i64>,
}

/// From where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The last number seen, 0 for all.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    pub after: Option<i64>,
    /// 1 to 1000, 200 if absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<i64>,
    /// For how many seconds the answer may wait for an event, 0 to 20, 0 if absent.
    #[param(minimum = 0, maximum = 20)]
    pub wait_s: Option<i64>,
}

/// Where an approval stands, as a filter.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalState {
    /// Waits.
    Open,
    /// Released.
    Approved,
    /// Said no to.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// Approved, and then refused by a rule, a price or a partner.
    Refused,
}

impl ApprovalState {
    /// The word of the API and of the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }
}

/// Which page of the approvals.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ApprovalPageOf {
    /// The cursor of the page before.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    pub cursor: Option<i64>,
    /// 1 to 500, 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<i64>,
    /// Only approvals of this state.
    #[param(inline)]
    pub state: Option<ApprovalState>,
}

/// Which recalls.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Only those that wait for an answer.
    pub open: Option<bool>,
    /// 1 to 500, 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<i64>,
}

/// A list's length.
///
/// # Errors
/// Below 1 or above the greatest.
pub fn limited(given: Option<i64>, absent: i64, greatest: i64) -> Result<i64, Problem> {
    let limit = given.unwrap_or(absent);
    let within = (1..=greatest).contains(&limit);
    within
        .then_some(limit)
        .ok_or_else(|| Problem::field("limit", &format!("must be 1 to {greatest}")))
}

/// The cursor of what follows a page; none after one that is not full.
#[must_use]
pub fn next<T>(rows: &[T], limit: i64, cursor: impl Fn(&T) -> i64) -> Option<i64> {
    let full = i64::try_from(rows.len()).is_ok_and(|length| length == limit);
    rows.last().filter(|_| full).map(cursor)
}

/// A number that counts from 0.
///
/// # Errors
/// Below 0.
pub fn counted(field: &str, given: Option<i64>) -> Result<i64, Problem> {
    let number = given.unwrap_or(0);
    (number >= 0).then_some(number).ok_or_else(|| Problem::field(field, "must not be below 0"))
}
