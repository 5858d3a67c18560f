//! What a gateway counts and times, by the names of docs/operations.md; no label ever names a person, a transfer or an amount.
use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::banking::Unresolved;
use crate::store::transfers::{Change, Changed};

/// A transfer was kept for the first time in a status.
pub fn reached(outgoing: bool, status: &'static str) {
    let direction = direction(outgoing);
    counter!("causeway_gateway_transfers_total", "direction" => direction, "status" => status)
        .increment(1);
}

/// A record or an outcome changed a transfer; call once the change is committed.
pub fn changed(changed: &Changed) {
    let Changed { outgoing, change, after } = changed;
    let status = match change {
        Change::Pending { .. } => "PENDING",
        Change::Settled => "SETTLED",
        Change::Ended { status, .. } => status,
        Change::Confirmed { credited: true, .. } => "CREDITED",
        Change::Held { .. } | Change::Confirmed { credited: false, .. } => return,
    };
    reached(*outgoing, status);
    if !outgoing {
        return;
    }
    match change {
        Change::Settled => histogram!("causeway_gateway_finality_seconds").record(*after),
        Change::Confirmed { .. } => histogram!("causeway_gateway_credited_seconds").record(*after),
        Change::Pending { .. } | Change::Held { .. } | Change::Ended { .. } => {}
    }
}

/// Screening found a name, or gave no answer.
pub fn screened(outgoing: bool, outcome: &'static str) {
    let direction = direction(outgoing);
    counter!(
        "causeway_gateway_screening_refusals_total",
        "direction" => direction, "outcome" => outcome
    )
    .increment(1);
}

/// How many items wait for the ledger's answer.
pub fn outbox(pending: u32) {
    gauge!("causeway_gateway_outbox_pending").set(pending);
}

/// A webhook was sent: delivered, failed or parked.
pub fn webhook(outcome: &'static str, took: Duration) {
    counter!("causeway_gateway_webhooks_total", "outcome" => outcome).increment(1);
    histogram!("causeway_gateway_webhook_seconds").record(took);
}

/// How many webhooks wait and are parked.
pub fn webhooks(waiting: i64, parked: i64) {
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    gauge!("causeway_gateway_webhooks_pending", "state" => "waiting").set(count(waiting));
    gauge!("causeway_gateway_webhooks_pending", "state" => "parked").set(count(parked));
}

/// Core banking was called: reserve, capture, release, check, credit or, after a key, operations.
pub fn banking_call(operation: String, outcome: &'static str, took: Duration) {
    let labels = [("operation", operation), ("outcome", outcome.to_owned())];
    counter!("causeway_gateway_banking_calls_total", &labels).increment(1);
    let [operation, _] = labels;
    histogram!("causeway_gateway_banking_call_seconds", &[operation]).record(took);
}

/// What core banking left open.
pub fn banking(unresolved: &Unresolved) {
    gauge!("causeway_gateway_banking_open").set(unresolved.count);
    gauge!("causeway_gateway_banking_oldest_open_seconds").set(unresolved.oldest);
}

/// A request was answered.
pub fn request(method: &'static str, route: String, status: u16, took: Duration) {
    let labels = [("method", method.to_owned()), ("route", route)];
    histogram!("causeway_gateway_request_seconds", &labels).record(took);
    let [method, route] = labels;
    let labels = [method, route, ("status", status.to_string())];
    counter!("causeway_gateway_requests_total", &labels).increment(1);
}

const fn direction(outgoing: bool) -> &'static str {
    if outgoing { "out" } else { "in" }
}
