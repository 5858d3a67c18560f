//! Who calls: a bearer API key, compared by digest, and what it may do; a key is shown once and never stored.
use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
    response::Response,
};
use services_runtime::{tickets::Ticket, trace};
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

/// A request's place among those in hand.
#[derive(Clone, Debug)]
pub struct Place(#[expect(dead_code, reason = "held, not read")] Arc<Ticket<[u8; 32]>>);

impl Place {
    pub(super) fn new(ticket: Ticket<[u8; 32]>) -> Self {
        Self(Arc::new(ticket))
    }
}

/// A caller whose key is known.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key's id.
    pub key: Uuid,
    scopes: Vec<String>,
    place: Option<Place>,
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

    /// Goes on with `work` to its end, in this request's place, even when the caller goes away:
    /// what is cut off between two statements would have to be found out by the next request.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn to_the_end(
        &self,
        work: impl Future<Output = Result<Response, Problem>> + Send + 'static,
    ) -> Result<Response, Problem> {
        let place = self.place.clone();
        let work = tokio::spawn(trace::carried(async move {
            let done = work.await;
            drop(place);
            done
        }));
        work.await.unwrap_or_else(|error| Err(Problem::internal(&error)))
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
        let place = parts.extensions.get().cloned();
        Ok(Self { key: key.id, scopes: key.scopes, place })
    }
}
