//! What a reconciler needs to be told; it reads no file itself.
use std::net::SocketAddr;

use services_runtime::tls::Files;

/// The settings of one reconciler.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Serves health and metrics on loopback; absent serves none.
    pub health_listen: Option<SocketAddr>,
    /// Where spans go.
    #[serde(default)]
    pub telemetry: services_runtime::telemetry::Settings,
    /// It is ready while the tables lack at most so many records of the ledger.
    #[serde(default = "lag_records_max")]
    pub lag_records_max: u64,
    /// `postgres://user@host:port/database`; the schema is always `ledger`.
    pub database_url: String,
    /// `https://host:port` of each node, in the order of node ids from 1.
    pub ledger: Vec<String>,
    /// The operator's certificate and key, and the participants' CA.
    pub tls: Files,
    /// How long a call of the ledger may take.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// The most records of one SQL transaction.
    #[serde(default = "batch_records_max")]
    pub batch_records_max: usize,
    /// How long a started batch waits for more records.
    #[serde(default = "batch_wait_ms")]
    pub batch_wait_ms: u64,
    /// How often balances are compared with the ledger's.
    #[serde(default = "tie_out_ms")]
    pub tie_out_ms: u64,
    /// The share of its time that the sweep in the background works, 1 to 90.
    #[serde(default = "sweep_percent")]
    pub sweep_percent: u32,
    /// How long the sweep rests at least between rounds.
    #[serde(default = "sweep_pause_ms")]
    pub sweep_pause_ms: u64,
}

const fn lag_records_max() -> u64 {
    100_000
}

fn timeout_ms() -> u64 {
    10_000
}

const fn batch_records_max() -> usize {
    16_384
}

const fn batch_wait_ms() -> u64 {
    200
}

const fn tie_out_ms() -> u64 {
    5_000
}

const fn sweep_percent() -> u32 {
    25
}

const fn sweep_pause_ms() -> u64 {
    1_000
}
