//! What a node counts and times, by the names of docs/metrics.md; no label ever names a person, a transfer or an amount.
use services_runtime::telemetry::{Measured, Metric};

/// Every metric of a node.
pub const METRICS: &[Metric] = &[
    ("causeway_ledger_submits_total", Measured::Counter, "Submits that this node saw, by outcome"),
    ("causeway_ledger_queue_depth", Measured::Gauge, "Envelopes that wait to be proposed"),
    ("causeway_ledger_places_taken", Measured::Gauge, "Envelopes without an answer"),
    ("causeway_ledger_places_taken_bytes", Measured::Gauge, "Bytes of envelopes without an answer"),
    (
        "causeway_ledger_commit_seconds",
        Measured::Histogram,
        "From an entry's proposal to its outcome, at the leader",
    ),
    ("causeway_ledger_apply_seconds", Measured::Histogram, "What applying one entry takes"),
    (
        "causeway_ledger_log_sync_seconds",
        Measured::Histogram,
        "What writing and syncing a batch of the log takes",
    ),
    ("causeway_ledger_applied_entries_total", Measured::Counter, "Entries applied since the start"),
    ("causeway_ledger_applied_records_total", Measured::Counter, "Records made since the start"),
    (
        "causeway_ledger_apply_lag_entries",
        Measured::Gauge,
        "Entries committed and not applied here",
    ),
    ("causeway_ledger_records_total", Measured::Counter, "Records of the whole ledger"),
    ("causeway_ledger_log_bytes_total", Measured::Counter, "Bytes written to the log"),
    ("causeway_ledger_state_bytes_total", Measured::Counter, "Bytes written to the state"),
    ("causeway_ledger_history_bytes_total", Measured::Counter, "Bytes written to history"),
    ("causeway_ledger_leader_changes_total", Measured::Counter, "Leaders heard of, none included"),
    ("causeway_ledger_leader_known", Measured::Gauge, "1 while this node knows a leader"),
    ("causeway_ledger_leads", Measured::Gauge, "1 while this node leads"),
    (
        "causeway_ledger_peer_lag_entries",
        Measured::Gauge,
        "Entries of the log that a peer lacks, as the leader knows; 0 elsewhere",
    ),
    (
        "causeway_ledger_divergence_checks_total",
        Measured::Counter,
        "Comparisons of roots with another node, by outcome same or different",
    ),
    (
        "causeway_ledger_clock_offset_seconds",
        Measured::Gauge,
        "How far this clock is from the median of the voters' clocks",
    ),
    ("causeway_ledger_disk_free_bytes", Measured::Gauge, "Free bytes of the fullest disk in use"),
    (
        "causeway_ledger_snapshot_lag_entries",
        Measured::Gauge,
        "Entries applied since the last snapshot",
    ),
    (
        "causeway_ledger_backup_sent_seconds",
        Measured::Gauge,
        "Unix time at which this node last sent a backup to its end; absent before the first",
    ),
    (
        "causeway_ledger_alarms_total",
        Measured::Counter,
        "What stopped this node or made it hand over",
    ),
];

/// A number as a gauge takes it, precise to 2⁵³.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a metric, not money")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

/// The same of a length.
pub(crate) fn count(value: usize) -> f64 {
    float(u64::try_from(value).unwrap_or(u64::MAX))
}
