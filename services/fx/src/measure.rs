//! What a quoting service counts and times, by the names of docs/metrics.md; no label ever names an amount or who asks.
use services_runtime::telemetry::{Measured, Metric};

/// Every metric of a quoting service.
pub const METRICS: &[Metric] = &[
    ("causeway_fx_quotes_given_total", Measured::Counter, "Quotes given, by currencies"),
    (
        "causeway_fx_quotes_registered_total",
        Measured::Counter,
        "Standing quotes that the ledger has answered for",
    ),
    ("causeway_fx_quotes_refused_total", Measured::Counter, "Questions without a quote, by reason"),
    ("causeway_fx_quote_seconds", Measured::Histogram, "From a question to its answer"),
    (
        "causeway_fx_mid_rate_age_seconds",
        Measured::Gauge,
        "Age of the mid rate of each served pair, since midnight UTC of its day",
    ),
    (
        "causeway_fx_mid_rate_age_seconds_max",
        Measured::Gauge,
        "The greatest age at which the service quotes",
    ),
    ("causeway_fx_rate_reads_total", Measured::Counter, "Readings of the rate files, by outcome"),
];
