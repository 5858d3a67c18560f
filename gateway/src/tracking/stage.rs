//! Where a transfer stands in a sender's words: who has the money and since when; pure, told by rows.
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::store::{cases, transfers::Row};

/// What a sender is told; each has its sentences in the message files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The debtor agent's own second pair of eyes has yet to approve it; nothing is reserved.
    AwaitingApproval,
    /// Not on the ledger yet.
    Queued,
    /// Reserved; the creditor agent has yet to decide.
    Pending,
    /// The creditor agent reviews.
    Held,
    /// Final on the ledger; the creditor agent has yet to credit.
    Settled,
    /// Final on the ledger; cash waits for the creditor.
    ReadyToCollect,
    /// The creditor agent took it and has not posted it (ACWP).
    Accepted,
    /// The creditor agent blocked it (BLCK).
    Blocked,
    /// The creditor has it (ACCC).
    Credited,
    /// The creditor picked the cash up (CPUC).
    Collected,
    /// The debtor agent asked for it back.
    Recalled,
    /// Some or all is on its way back, with the debtor agent.
    Returning,
    /// Some or all was credited to the debtor again.
    Returned,
    /// Refused.
    Rejected,
    /// Not accepted in time.
    Expired,
    /// Called off by the debtor agent.
    Cancelled,
    /// Never on the ledger, and never will be.
    Burned,
}

/// Who has the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The sender again.
    Debtor,
    /// The sender's institution.
    DebtorAgent,
    /// The institution that pays out.
    CreditorAgent,
    /// Who it was sent to.
    Creditor,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 17] = [
        Self::AwaitingApproval,
        Self::Queued,
        Self::Pending,
        Self::Held,
        Self::Settled,
        Self::ReadyToCollect,
        Self::Accepted,
        Self::Blocked,
        Self::Credited,
        Self::Collected,
        Self::Recalled,
        Self::Returning,
        Self::Returned,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
        Self::Burned,
    ];

    /// As JSON and the message files name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Queued => "queued",
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Settled => "settled",
            Self::ReadyToCollect => "ready_to_collect",
            Self::Accepted => "accepted",
            Self::Blocked => "blocked",
            Self::Credited => "credited",
            Self::Collected => "collected",
            Self::Recalled => "recalled",
            Self::Returning => "returning",
            Self::Returned => "returned",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Burned => "burned",
        }
    }

    /// Who has the money then.
    #[must_use]
    pub const fn holder(self) -> Holder {
        match self {
            Self::Queued | Self::Pending | Self::Held | Self::Returning => Holder::DebtorAgent,
            Self::Settled
            | Self::ReadyToCollect
            | Self::Accepted
            | Self::Blocked
            | Self::Recalled => Holder::CreditorAgent,
            Self::Credited | Self::Collected => Holder::Creditor,
            Self::AwaitingApproval
            | Self::Returned
            | Self::Rejected
            | Self::Expired
            | Self::Cancelled
            | Self::Burned => Holder::Debtor,
        }
    }

    /// Whether the sender still waits for the money to arrive.
    #[must_use]
    pub const fn waiting(self) -> bool {
        matches!(self, Self::Queued | Self::Pending | Self::Held | Self::Settled | Self::Accepted)
    }

    /// Whether nothing can change any more.
    #[must_use]
    pub const fn over(self) -> bool {
        matches!(self, Self::Rejected | Self::Expired | Self::Cancelled | Self::Burned)
    }
}

/// The stage of a transfer, and since when.
#[must_use]
pub fn stage(row: &Row, returns: &[Row], recalls: &[cases::Row]) -> (Stage, OffsetDateTime) {
    let back = returns.iter().filter(|back| back.settled_at.is_some());
    let latest = back.max_by_key(|back| (back.settled_at, back.id));
    if let Some(back) = latest {
        return match (back.credited_at, back.settled_at) {
            (Some(at), _) => (Stage::Returned, at),
            (None, at) => (Stage::Returning, at.unwrap_or(back.created_at)),
        };
    }
    let asked = recalls.iter().find(|case| matches!(case.status.as_str(), "open" | "pending"));
    if let Some(case) = asked {
        return (Stage::Recalled, case.recalled_at);
    }
    let settled = row.settled_at.unwrap_or(row.created_at);
    let confirmed = row.confirmed_at.unwrap_or(settled);
    let ended = row.ended_at.unwrap_or(row.created_at);
    let submitted = row.submitted_at.unwrap_or(row.created_at);
    match (row.status.as_str(), row.confirmation.as_deref()) {
        ("AWAITING_APPROVAL", _) => (Stage::AwaitingApproval, row.created_at),
        ("QUEUED", _) => (Stage::Queued, row.created_at),
        ("PENDING", _) if row.held_until.is_some() => (Stage::Held, submitted),
        ("PENDING", _) => (Stage::Pending, submitted),
        (_, Some("CPUC")) => (Stage::Collected, row.credited_at.unwrap_or(confirmed)),
        ("CREDITED", _) => (Stage::Credited, row.credited_at.unwrap_or(confirmed)),
        (_, Some("BLCK")) => (Stage::Blocked, confirmed),
        // Cash is taken in when it lies at the counter.
        (_, Some("ACWP")) if row.payout_method == "cash_pickup" => {
            (Stage::ReadyToCollect, confirmed)
        }
        (_, Some("ACWP")) => (Stage::Accepted, confirmed),
        ("SETTLED", _) => (Stage::Settled, settled),
        ("EXPIRED", _) => (Stage::Expired, ended),
        ("CANCELLED", _) => (Stage::Cancelled, ended),
        ("BURNED", _) => (Stage::Burned, ended),
        (_, _) => (Stage::Rejected, ended),
    }
}
