//! Sign-ins that failed, counted by kind, so that a flood of them is a few rows of the audit log; it keeps no credentials.
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// Why a sign-in failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No credentials.
    Missing,
    /// A key that is unknown, expired or revoked.
    Unknown,
    /// A scope that the key lacks.
    Scope,
    /// An access token that opens nothing.
    Token,
    /// A signature that is missing or does not hold.
    Signature,
}

/// What failed since it was last written down.
#[derive(Debug, Default)]
pub struct Failures {
    missing: AtomicU64,
    unknown: AtomicU64,
    scope: AtomicU64,
    token: AtomicU64,
    signature: AtomicU64,
}

impl Failures {
    /// Counts one.
    pub fn count(&self, failure: Failure) {
        let counter = match failure {
            Failure::Missing => &self.missing,
            Failure::Unknown => &self.unknown,
            Failure::Scope => &self.scope,
            Failure::Token => &self.token,
            Failure::Signature => &self.signature,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes what was counted; none when nothing failed.
    #[must_use]
    pub fn take(&self) -> Option<Value> {
        let [missing, unknown, scope, token, signature] =
            [&self.missing, &self.unknown, &self.scope, &self.token, &self.signature]
                .map(|own| own.swap(0, Ordering::Relaxed));
        let some = missing + unknown + scope + token + signature > 0;
        some.then(|| {
            json!({
                "missing": missing, "unknown": unknown, "scope": scope, "token": token,
                "signature": signature,
            })
        })
    }
}
