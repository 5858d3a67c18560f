//! Where the participant's core banking is: the built-in book, or an endpoint of the bank's own; it holds the path of the secret, never the secret.
use std::path::PathBuf;

use serde::Deserialize;

/// Core banking.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Banking {
    /// Which.
    pub kind: Kind,
    /// Of `http`: `https://host/path` under which the operations are.
    pub url: String,
    /// Of `http`: file of what signs each call, `whsec_…` (HMAC-SHA256) or `whsk_…` (ed25519).
    pub secret: PathBuf,
    /// CAs of the bank's certificate (PEM), and no other; absent: those of the system.
    pub ca: Option<PathBuf>,
    /// Whether `http://` may be used; for tests and a bank on this machine.
    pub allow_http: bool,
    /// Of one call, from dialling to the end of the answer.
    pub timeout_ms: u64,
    /// Of one operation, its calls and waits together, before its caller is told to come again.
    pub patience_ms: u64,
    /// The wait behind the first call that told nothing; each later one is twice as long.
    pub retry_ms_min: u64,
    /// The longest wait, chance apart.
    pub retry_ms_max: u64,
    /// Calls at one time.
    pub concurrency_max: usize,
    /// After so many calls in a row that told nothing the bank gets one at a time.
    pub failures_max: u32,
    /// How far apart those are.
    pub pause_ms: u64,
}

/// Which core banking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The built-in book.
    #[default]
    Book,
    /// The bank's own, by signed calls.
    Http,
}

impl Default for Banking {
    fn default() -> Self {
        Self {
            kind: Kind::Book,
            url: String::new(),
            secret: PathBuf::new(),
            ca: None,
            allow_http: false,
            timeout_ms: 3_000,
            patience_ms: 8_000,
            retry_ms_min: 200,
            retry_ms_max: 30_000,
            concurrency_max: 32,
            failures_max: 8,
            pause_ms: 1_000,
        }
    }
}
