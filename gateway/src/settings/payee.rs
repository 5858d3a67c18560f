//! Payee checks between gateways: where this one answers, whom it asks, and how much of either; it holds no secret.
use std::net::SocketAddr;

use serde::Deserialize;
use services_runtime::tls::Files;

/// Payee checks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Payee {
    /// Where other gateways ask this one, by gRPC over mutual TLS; absent: nowhere.
    pub listen: Option<SocketAddr>,
    /// The certificate of that listener, which names this gateway, and the participants' CA.
    pub tls: Option<Files>,
    /// How long a sender waits; core banking of the other side has three quarters of it.
    pub timeout_ms: u64,
    /// Checks a second of one API key, and at once after a rest.
    pub key_checks_per_s: u32,
    /// See `key_checks_per_s`.
    pub key_burst: u32,
    /// Answers a day (UTC) of one API key that teach something: all but an account's `match` and
    /// `not_possible`.
    pub key_answers_a_day: u32,
    /// Checks a second that one other gateway may ask, and at once after a rest.
    pub peer_checks_per_s: u32,
    /// See `peer_checks_per_s`.
    pub peer_burst: u32,
    /// The same of one other gateway.
    pub peer_answers_a_day: u32,
    /// How long a reference to an account lasts.
    pub reference_s: u32,
    /// Answers to other gateways go out at whole multiples of this, whatever they say.
    pub answer_every_ms: u64,
}

impl Default for Payee {
    fn default() -> Self {
        Self {
            listen: None,
            tls: None,
            timeout_ms: 2_000,
            key_checks_per_s: 5,
            key_burst: 50,
            key_answers_a_day: 500,
            peer_checks_per_s: 20,
            peer_burst: 200,
            peer_answers_a_day: 5_000,
            reference_s: 1_800,
            answer_every_ms: 100,
        }
    }
}

/// Another participant's gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Whose.
    pub participant: u32,
    /// `https://host:port` of its `payee.listen`.
    pub uri: String,
}
