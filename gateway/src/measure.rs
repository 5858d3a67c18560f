//! What a gateway counts and times, by the names of docs/metrics.md; no label ever names a person, a transfer or an amount.
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use services_runtime::telemetry::{Measured, Metric};

use crate::banking::Unresolved;
use crate::store::changes::{Change, Changed};

/// A transfer was kept for the first time in a status.
pub fn reached(outgoing: bool, status: &'static str) {
    let direction = direction(outgoing);
    counter!("causeway_gateway_transfers_total", "direction" => direction, "status" => status)
        .increment(1);
}

/// A record or an outcome changed a transfer; call once the change is committed.
pub fn changed(changed: &Changed) {
    let Changed { outgoing, change, after, corridor, .. } = changed;
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
        Change::Settled => {
            histogram!("causeway_gateway_finality_seconds", "corridor" => corridor.to_string())
                .record(*after);
        }
        Change::Confirmed { .. } => {
            histogram!("causeway_gateway_credited_seconds", "corridor" => corridor.to_string())
                .record(*after);
        }
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

/// How many items wait for the ledger's answer, and how long the oldest has.
pub fn outbox(pending: u32, oldest: Duration) {
    gauge!("causeway_gateway_outbox_pending").set(pending);
    gauge!("causeway_gateway_outbox_oldest_seconds").set(oldest);
}

/// How long the event stream said nothing that was kept.
pub fn silence(silence: Option<Duration>) {
    if let Some(silence) = silence {
        gauge!("causeway_gateway_events_silence_seconds").set(silence);
    }
}

/// How many of the participant's records the ledger has and the store lacks.
pub fn events_behind(records: u64) {
    gauge!("causeway_gateway_events_lag").set(u32::try_from(records).unwrap_or(u32::MAX));
}

/// A quote was asked of a liquidity bank.
pub fn quoted(given: bool) {
    let outcome = if given { "given" } else { "refused" };
    counter!("causeway_gateway_quotes_total", "outcome" => outcome).increment(1);
}

/// A payee was checked: asked of another gateway, or answered to one.
pub fn payee_check(outgoing: bool, result: &'static str) {
    let direction = direction(outgoing);
    counter!(
        "causeway_gateway_payee_checks_total", "direction" => direction, "result" => result
    )
    .increment(1);
}

/// Rows of batches came to their end here: sent or rejected.
pub fn batch_rows(outcome: &'static str, rows: u64) {
    counter!("causeway_gateway_batch_rows_total", "outcome" => outcome).increment(rows);
}

/// A webhook was sent: delivered, failed or parked.
pub fn webhook(outcome: &'static str, took: Duration) {
    counter!("causeway_gateway_webhooks_total", "outcome" => outcome).increment(1);
    histogram!("causeway_gateway_webhook_seconds").record(took);
}

/// How many webhooks wait and are parked, and how many seconds the oldest has waited.
pub fn webhooks(waiting: i64, parked: i64, oldest: i64) {
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    gauge!("causeway_gateway_webhooks_pending", "state" => "waiting").set(count(waiting));
    gauge!("causeway_gateway_webhooks_pending", "state" => "parked").set(count(parked));
    gauge!("causeway_gateway_webhooks_oldest_seconds").set(count(oldest));
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

/// Every metric of a gateway.
pub const METRICS: &[Metric] = &[
    (
        "causeway_gateway_transfers_total",
        Measured::Counter,
        "Transfers that reached a status, by direction",
    ),
    (
        "causeway_gateway_finality_seconds",
        Measured::Histogram,
        "From this gateway's receipt of a transfer it sends to its final record, by corridor",
    ),
    (
        "causeway_gateway_credited_seconds",
        Measured::Histogram,
        "From receipt to the recorded credit of the creditor, by corridor",
    ),
    (
        "causeway_gateway_outbox_pending",
        Measured::Gauge,
        "Items without the ledger's answer, counted each second",
    ),
    (
        "causeway_gateway_outbox_oldest_seconds",
        Measured::Gauge,
        "How long the oldest of them has none",
    ),
    (
        "causeway_gateway_events_silence_seconds",
        Measured::Gauge,
        "How long the participant's event stream said nothing that was kept",
    ),
    (
        "causeway_gateway_events_lag",
        Measured::Gauge,
        "Records of the participant that the ledger has and the store lacks",
    ),
    (
        "causeway_gateway_quotes_total",
        Measured::Counter,
        "Quotes asked of liquidity banks, by outcome",
    ),
    (
        "causeway_gateway_payee_checks_total",
        Measured::Counter,
        "Payee checks asked and answered, by direction and result",
    ),
    ("causeway_gateway_batch_rows_total", Measured::Counter, "Rows of batches by outcome"),
    (
        "causeway_gateway_screening_refusals_total",
        Measured::Counter,
        "Screenings that were not clear, by direction and outcome",
    ),
    ("causeway_gateway_webhooks_total", Measured::Counter, "Webhooks sent, by outcome"),
    ("causeway_gateway_webhook_seconds", Measured::Histogram, "Until a receiver's answer"),
    (
        "causeway_gateway_webhooks_pending",
        Measured::Gauge,
        "Deliveries planned and not taken, by state, counted each second",
    ),
    (
        "causeway_gateway_webhooks_oldest_seconds",
        Measured::Gauge,
        "How long the oldest delivery that is not parked has waited",
    ),
    (
        "causeway_gateway_banking_calls_total",
        Measured::Counter,
        "Calls to core banking over HTTP, by operation and outcome",
    ),
    ("causeway_gateway_banking_call_seconds", Measured::Histogram, "Until core banking's answer"),
    (
        "causeway_gateway_banking_open",
        Measured::Gauge,
        "Operations of core banking without outcome, counted each second",
    ),
    (
        "causeway_gateway_banking_oldest_open_seconds",
        Measured::Gauge,
        "How long the oldest of them has none",
    ),
    (
        "causeway_gateway_requests_total",
        Measured::Counter,
        "HTTP requests answered, by method, route and status",
    ),
    ("causeway_gateway_request_seconds", Measured::Histogram, "Until the head of an answer"),
];

const fn direction(outgoing: bool) -> &'static str {
    if outgoing { "out" } else { "in" }
}
