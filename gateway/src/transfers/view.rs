//! How REST shows a transfer: its ISO status, and ledger-final and beneficiary-credited as the two facts that they are.
use proto::convert::Network;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    clock::rfc3339,
    directory::decimal,
    store::transfers::{Row, TimelineRow},
    tracking,
};

/// An amount of this gateway's own telling.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AmountView {
    /// With exactly the currency's decimals.
    #[schema(pattern = "^[0-9]{1,20}(\\.[0-9]{1,8})?$")]
    pub amount: String,
    /// ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
}

/// A transfer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransferView {
    /// Network id of who submitted it.
    pub debtor_agent: i64,
    /// Its reference.
    pub uetr: String,
    /// Network id of who decides.
    pub creditor_agent: i64,
    /// `outgoing` or `incoming`.
    pub direction: &'static str,
    /// Corridor number.
    pub corridor: i64,
    /// AWAITING_APPROVAL, QUEUED, or the ledger's state: PENDING, SETTLED, CREDITED, REJECTED,
    /// EXPIRED, CANCELLED, BURNED.
    pub status: String,
    /// ExternalPaymentTransactionStatus1Code; CANC for a cancellation.
    pub iso_status: String,
    /// ISO reason of its end, or of a hold while it is PENDING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Name of the refusal: a page of docs/errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The ledger's record of the last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<i64>,
    /// What the debtor is debited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructed_amount: Option<AmountView>,
    /// What the creditor agent gets.
    pub interbank_settlement_amount: AmountView,
    /// How the creditor is paid.
    pub payout_method: String,
    /// ISO purpose; in a return, the return reason.
    pub purpose: String,
    /// The debtor's own reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_to_end_id: Option<String>,
    /// The quote it is made at, by the id of `POST /v1/quotes`; after an approval the one that its order named before it.
    pub quotes: Vec<String>,
    /// The transfer that this one returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_of: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// When the ledger took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<String>,
    /// When it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Until when the creditor agent holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_until: Option<String>,
    /// When it became final on the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_final_at: Option<String>,
    /// When it ended without settling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// ACCC, CPUC, ACWP or BLCK.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// When the creditor was credited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beneficiary_credited_at: Option<String>,
    /// Path of the tracking page, for who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_path: Option<String>,
    /// The OpenTelemetry trace of its life; the same at every participant.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// A line of a timeline.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TimelineView {
    /// RFC 3339.
    pub at: String,
    /// `received`, `pending`, `held`, `ledger_final`, `beneficiary_credited`, …
    pub event: String,
    /// ISO status.
    pub iso_status: String,
    /// ISO reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The ledger's record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<i64>,
    /// The OpenTelemetry trace of the transfer's life.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// The ISO status of a row.
#[must_use]
pub fn iso_status(row: &Row) -> &str {
    match (row.status.as_str(), row.confirmation.as_deref()) {
        (_, Some(confirmation)) => confirmation,
        ("QUEUED" | "AWAITING_APPROVAL", None) => "PDNG",
        ("PENDING", None) => "ACSP",
        ("SETTLED" | "CREDITED", None) => "ACSC",
        ("CANCELLED", None) => "CANC",
        (_, None) => "RJCT",
    }
}

/// Shows a row.
#[must_use]
pub fn transfer(app: &App, row: &Row) -> TransferView {
    let network = app.directory.fresh();
    let tracked = row.transfer().filter(|_| row.tracking_sha256.is_some());
    let token = tracked.map(|transfer| tracking::token(&app.sealing_key, transfer));
    let at = |time: Option<time::OffsetDateTime>| time.map(rfc3339);
    // A hold is over once the transfer is decided.
    let held = row.status == "PENDING";
    let hold_reason = row.hold_reason.clone().filter(|_| held);
    TransferView {
        debtor_agent: row.debtor_agent,
        uetr: row.uetr.to_string(),
        creditor_agent: row.creditor_agent,
        direction: if row.outgoing { "outgoing" } else { "incoming" },
        corridor: row.corridor,
        iso_status: iso_status(row).to_owned(),
        status: row.status.clone(),
        reason: row.reason.clone().or(hold_reason),
        refusal: row.refusal.clone(),
        record: row.record,
        instructed_amount: row
            .instructed_amount
            .zip(row.instructed_currency.as_ref())
            .map(|(amount, currency)| body(network.as_deref(), amount, currency)),
        interbank_settlement_amount: body(network.as_deref(), row.amount, &row.currency),
        payout_method: row.payout_method.clone(),
        purpose: row.purpose.clone(),
        end_to_end_id: row.end_to_end_id.clone(),
        quotes: row.quotes.iter().map(ToString::to_string).collect(),
        return_of: row.return_of.map(|uetr| uetr.to_string()),
        created_at: rfc3339(row.created_at),
        submitted_at: at(row.submitted_at),
        deadline: at(row.deadline),
        held_until: at(row.held_until.filter(|_| held)),
        ledger_final_at: at(row.settled_at),
        ended_at: at(row.ended_at),
        confirmation: row.confirmation.clone(),
        beneficiary_credited_at: at(row.credited_at),
        tracking_path: token.map(|token| format!("/t/{token}")),
        trace_id: row.transfer().map(|transfer| app.trace_id(transfer)),
    }
}

/// Shows a line of a timeline.
#[must_use]
pub fn line(row: TimelineRow, trace_id: Option<&str>) -> TimelineView {
    TimelineView {
        at: rfc3339(row.at),
        event: row.event,
        iso_status: row.iso_status,
        reason: row.reason,
        record: row.record,
        trace_id: trace_id.map(ToOwned::to_owned),
    }
}

/// Minor units as REST shows them.
#[must_use]
pub fn body(network: Option<&Network>, minor_units: i64, currency: &str) -> AmountView {
    let units = u64::try_from(minor_units).unwrap_or(0);
    AmountView { amount: decimal(network, units, currency), currency: currency.to_owned() }
}
