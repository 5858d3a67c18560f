//! What reconciliation counts, times and traces, by the names of docs/metrics.md; no label and no span ever names a person or an amount.
use ledger_proof::record::RecordKind;
use ledger_types::{NetworkId, ParticipantId, TransferId, Uetr};
use proto::trace::{of_transfer, transfer_of};
use services_runtime::{
    telemetry::{Measured, Metric},
    trace::{Kind, Span, Tracer, Value},
};

use crate::record::{Content, Record};

/// Every metric of reconciliation.
pub const METRICS: &[Metric] = &[
    (
        "causeway_reconciliation_records_total",
        Measured::Counter,
        "Records written; its rate is how fast reconciliation catches up",
    ),
    (
        "causeway_reconciliation_lag_records",
        Measured::Gauge,
        "Records that the ledger has and the tables lack",
    ),
    (
        "causeway_reconciliation_lag_seconds",
        Measured::Gauge,
        "How much older the newest written record is than the ledger's word of its own; 0 without lag",
    ),
    (
        "causeway_reconciliation_batch_seconds",
        Measured::Histogram,
        "One batch, from its booking to its commit",
    ),
    (
        "causeway_reconciliation_tie_outs_total",
        Measured::Counter,
        "Comparisons of all balances with the ledger's",
    ),
    (
        "causeway_reconciliation_tie_out_failures_total",
        Measured::Counter,
        "Comparisons that found a difference",
    ),
    (
        "causeway_reconciliation_mismatches",
        Measured::Gauge,
        "Accounts that differed in the last comparison",
    ),
    (
        "causeway_reconciliation_sweeps_total",
        Measured::Counter,
        "Sweeps of the tables, from their first row to their last",
    ),
    (
        "causeway_reconciliation_swept_records_total",
        Measured::Counter,
        "Records whose columns were hashed again and compared with the ledger",
    ),
    ("causeway_reconciliation_sweep_seconds", Measured::Histogram, "One sweep, rests included"),
    (
        "causeway_reconciliation_sweep_findings",
        Measured::Gauge,
        "Differences that the last sweep found, at most 100",
    ),
];

/// Sends a span for each record of a committed batch that is about a transfer, in its trace.
pub(crate) fn booked(tracer: &Tracer, network: NetworkId, batch: &[Record], begun_micros: u64) {
    if !tracer.on() {
        return;
    }
    for record in batch {
        let Some(transfer) = about(record) else { continue };
        let root = tracer.derived(&of_transfer(network, transfer));
        let sequence = i64::try_from(record.sequence).unwrap_or(i64::MAX);
        let span = Span::new(root.child(), "reconciliation.book", Kind::Consumer, begun_micros)
            .child_of(root)
            .with("causeway.record", Value::Number(sequence))
            .with("causeway.record.kind", Value::Id(format!("{:?}", record.kind)));
        tracer.finish(span);
    }
}

fn about(record: &Record) -> Option<TransferId> {
    let Content::Outcome { shared, item } = &record.content else { return None };
    let debtor_agent: ParticipantId = shared.debtor_agent;
    match (record.kind, item) {
        // What the shared part names as debtor agent is the author of a submit.
        (RecordKind::Item(_), Some(item)) => transfer_of(debtor_agent, item),
        (RecordKind::Expiry, _) => {
            Some(TransferId { debtor_agent, uetr: Uetr::from_bytes(shared.subject).ok()? })
        }
        (RecordKind::Item(_) | RecordKind::Entry | RecordKind::Genesis, _)
        | (RecordKind::EnvelopeRefusal, _) => None,
    }
}
