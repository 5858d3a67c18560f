//! Why a gateway does not start or stops; what a caller of REST is told lives in `problem`.
use std::path::PathBuf;

use crate::{screening, store};

/// A failure that ends the gateway.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the settings is unreadable.
    #[error("{}: cannot be read; check {field}", file.display())]
    File {
        /// The settings' field.
        field: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key file does not hold a key.
    #[error("{field}: the file must hold 32 bytes in hexadecimal")]
    Key {
        /// The settings' field.
        field: &'static str,
    },
    /// The genesis is malformed.
    #[error("genesis: the file is no genesis")]
    Genesis(#[source] ledger_proof::DecodeError),
    /// The HTTPS certificate is unusable.
    #[error("https: the certificate or key cannot be used")]
    Https(#[source] services_runtime::tls::Error),
    /// The client certificate, or the address of a node or quoting service, is unusable.
    #[error("ledger, fx: the certificate or an address cannot be used")]
    Tls(#[source] services_runtime::tls::Error),
    /// The certificate of payee checks, or another gateway's address, is unusable.
    #[error("payee, peers: the certificate or an address cannot be used")]
    Payee(#[source] services_runtime::tls::Error),
    /// The sanctions lists are unusable.
    #[error("screening: the lists cannot be used")]
    Screening(#[source] screening::exact::Error),
    /// The party store failed.
    #[error("the party store failed")]
    Store(#[source] store::Error),
    /// Health and metrics can't be served.
    #[error("health_listen: health cannot be served")]
    Health(#[source] services_runtime::health::Error),
    /// Spans.
    #[error("telemetry: spans cannot be sent")]
    Telemetry(#[source] services_runtime::telemetry::Error),
    /// The address can't be listened on, or serving ended.
    #[error("listen: cannot serve on {address}")]
    Serve {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// An event is missing from the participant's own stream.
    #[error("events: number {expected} is missing, number {found} came; stop and investigate")]
    Gap {
        /// The number due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// Another process moved the cursor of this schema.
    #[error("events: another process uses this schema; run one gateway per schema")]
    Fenced,
    /// A record can't be read.
    #[error("events: record {sequence} has no meaning to this version")]
    Record {
        /// Which.
        sequence: u64,
        /// Why.
        #[source]
        source: ledger_proof::DecodeError,
    },
    /// Webhooks can't be sent.
    #[error(
        "webhooks: the HTTP client cannot be made; check webhooks.ca, or install CA certificates"
    )]
    Webhooks(#[source] reqwest::Error),
    /// A limit above which transfers wait for approval is none.
    #[error("security.approval.limits: currency must be ISO 4217")]
    ApprovalLimit,
    /// An issuer's keys are nowhere.
    #[error("security.oauth.jwks: must be a file or an https URL")]
    Jwks,
    /// Nothing, or two things, would sign.
    #[error("signing_key, signing: give one of them, a key's file or a token")]
    SigningKeys,
    /// The token can't be used.
    #[error("signing.pkcs11: the token can't be used")]
    Signer(#[source] crate::signer::Error),
    /// What signs broke off.
    #[error("the signature was not finished")]
    Signing(#[source] tokio::task::JoinError),
    /// Core banking can't be called.
    #[error("banking.{field}: {why}")]
    Banking {
        /// The field of `[banking]`.
        field: &'static str,
        /// What it must be.
        why: &'static str,
    },
    /// No randomness.
    #[error("the system gives no randomness")]
    Randomness,
}
