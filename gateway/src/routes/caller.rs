//! Who calls: a bearer API key, compared by digest, and what it may do; a key is shown once and never stored.
use axum::{extract::FromRequestParts, http::header, http::request::Parts};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    app::App,
    problem::{Code, Problem},
};

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Look at transfers, events, balances.
    Read,
    /// Ask quotes, create and cancel transfers.
    Send,
    /// Accept, hold, reject, confirm and return.
    Decide,
    /// Make, change and remove webhooks.
    Manage,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Send, Self::Decide, Self::Manage];

    /// The word in a key's scopes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Send => "send",
            Self::Decide => "decide",
            Self::Manage => "manage",
        }
    }
}

/// A caller whose key is known.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key's id.
    pub key: Uuid,
    scopes: Vec<String>,
}

impl Caller {
    /// Whether the caller may.
    ///
    /// # Errors
    /// `SCOPE_MISSING` when it may not.
    pub fn may(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.iter().any(|own| own == scope.as_str()) {
            return Ok(());
        }
        let detail = format!("authorization: the key lacks the scope {}", scope.as_str());
        Err(Problem::new(Code::ScopeMissing, detail))
    }
}

/// What of a secret is stored.
#[must_use]
pub fn secret_digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let secret = header.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
        let missing =
            || Problem::new(Code::ApiKeyMissing, "authorization: send `Bearer` and an API key");
        let digest = secret_digest(secret.ok_or_else(missing)?);
        let key = app.store.api_key_fetch(&digest).await?;
        let unknown = || Problem::new(Code::ApiKeyUnknown, "authorization: ask for a new key");
        let key = key.ok_or_else(unknown)?;
        Ok(Self { key: key.id, scopes: key.scopes })
    }
}
