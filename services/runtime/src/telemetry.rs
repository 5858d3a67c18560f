//! Starts tracing to standard error and the Prometheus recorder. It must never know what is logged
//! or measured; services name their own fields and metrics.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Upper bounds for every histogram, in seconds: from a fast local call to a stuck one.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Json,
    #[default]
    Pretty,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub format: Format,
    /// A filter in the syntax of tracing's `EnvFilter`, e.g. `info,openraft=warn`.
    pub filter: String,
    /// Where spans go by OTLP over gRPC: `http://` and an address of this machine. Absent: nowhere.
    pub otlp_endpoint: Option<String>,
    /// Which part of the traces that begin here is sent, from 0 to 1; the same at every service, so
    /// that they choose the same traces. A trace that a caller began is sent if the caller says so.
    pub sampling_ratio: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: Format::default(),
            filter: "info".to_owned(),
            otlp_endpoint: None,
            sampling_ratio: 1.0,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("telemetry.filter: {filter:?} is not a filter; write for example info,openraft=warn")]
    Filter {
        filter: String,
        #[source]
        source: ParseError,
    },
    #[error("telemetry.sampling_ratio: {ratio} is no part of a whole; write a number from 0 to 1")]
    Ratio { ratio: f64 },
    #[error(
        "telemetry.otlp_endpoint: {endpoint:?} is not http:// with a loopback address and a port; run \
         a collector on this machine, for example at http://127.0.0.1:4317"
    )]
    Endpoint { endpoint: String },
    #[error("telemetry.otlp_endpoint: no exporter can be made of it")]
    Exporter {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("tracing was already started in this process; start it once")]
    Tracing(#[source] TryInitError),
    #[error("the metrics recorder cannot be installed; install it once per process")]
    Metrics(#[source] BuildError),
}

/// Starts tracing for the whole process. Call once, first.
pub fn init(settings: &Settings) -> Result<(), Error> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|source| Error::Filter { filter: settings.filter.clone(), source })?;
    // https://no-color.org: any non-empty value means no colour.
    let colour = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    match settings.format {
        Format::Json => builder.json().flatten_event(true).finish().try_init(),
        Format::Pretty => builder.finish().try_init(),
    }
    .map_err(Error::Tracing)
}

/// A metric: its name, its kind with its unit, and what it tells.
pub type Metric = (&'static str, Measured, &'static str);

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    Counter,
    Gauge,
    Histogram,
}

/// What the runtime itself measures in any service.
pub const METRICS: &[Metric] = &[
    ("http_connections_refused_total", Measured::Counter, "HTTPS connections beyond the limit"),
    ("tls_connections_refused_total", Measured::Counter, "gRPC connections not let in, by reason"),
    (
        "tls_certificate_not_after_seconds",
        Measured::Gauge,
        "Unix time at which the first certificate of a loaded file ends",
    ),
    ("process_ready", Measured::Gauge, "1 while every check of /readyz holds"),
    ("process_check", Measured::Gauge, "1 while this check of /readyz holds"),
    ("telemetry_spans_total", Measured::Counter, "Spans of sampled traces that ended"),
    (
        "telemetry_spans_exported_total",
        Measured::Counter,
        "Spans given to the collector, by outcome sent or lost; those missing found the queue full",
    ),
];

/// Says what metrics mean, for `# HELP` lines. Call behind [`metrics`].
pub fn describe(described: &[Metric]) {
    for (name, measured, help) in METRICS.iter().chain(described) {
        match measured {
            Measured::Counter => metrics::describe_counter!(*name, *help),
            Measured::Gauge => metrics::describe_gauge!(*name, *help),
            Measured::Histogram => metrics::describe_histogram!(*name, *help),
        }
    }
}

/// Installs the process's metrics recorder. Call once; give the handle to `health::State`.
pub fn metrics() -> Result<PrometheusHandle, Error> {
    PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(Error::Metrics)
}
