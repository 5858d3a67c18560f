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
}

impl Default for Settings {
    fn default() -> Self {
        Self { format: Format::default(), filter: "info".to_owned() }
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

/// Installs the process's metrics recorder. Call once; give the handle to `health::State`.
pub fn metrics() -> Result<PrometheusHandle, Error> {
    PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(Error::Metrics)
}
