//! Who calls: a bearer API key, compared by digest, or an access token, and what it may do; neither is ever stored.
use std::{
    str::FromStr,
    sync::{Arc, atomic::Ordering},
};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
    response::Response,
};
use services_runtime::{tickets::Ticket, trace};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::tokens::Tokens;
use crate::{
    app::App,
    problem::{Code, Problem},
    security::{audit::Actor, failures::Failure, rates::Slot, token::resembles},
    transfers::order::Maker,
};

pub mod signed;
pub mod tokens;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Look at transfers, events, balances.
    Read,
    /// Ask quotes, create and cancel transfers.
    Send,
    /// Accept, hold, reject, confirm and return.
    Decide,
    /// Make, change and remove webhooks and API keys.
    Manage,
    /// Look at transfers that wait for approval, and decide about them.
    Approve,
    /// Read the audit log.
    Audit,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Send, Self::Decide, Self::Manage, Self::Approve, Self::Audit];

    /// The word in a key's scopes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Send => "send",
            Self::Decide => "decide",
            Self::Manage => "manage",
            Self::Approve => "approve",
            Self::Audit => "audit",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        known.ok_or_else(|| format!("must be one of {}", Self::ALL.map(Self::as_str).join(", ")))
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
    /// Who holds the key.
    pub owner: String,
    scopes: Vec<String>,
    place: Option<Place>,
    app: App,
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
        self.app.security.failures.count(Failure::Scope);
        let detail = format!("authorization: the key lacks the scope {}", scope.as_str());
        Err(Problem::new(Code::ScopeMissing, detail))
    }

    /// Who makes what this request makes.
    #[must_use]
    pub fn maker(&self) -> Maker {
        Maker { key: self.key, owner: self.owner.clone() }
    }

    /// The same for the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.maker().actor()
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
        let missing = || {
            app.security.failures.count(Failure::Missing);
            Problem::new(Code::ApiKeyMissing, "authorization: send `Bearer` and an API key")
        };
        let secret = secret.ok_or_else(missing)?;
        if let Some(tokens) = app.tokens.as_ref().filter(|_| resembles(secret)) {
            return by_token(app, parts, tokens, secret).await;
        }
        let key = app.store.api_key_fetch(secret_digest(secret)).await?;
        let unknown = || {
            app.security.failures.count(Failure::Unknown);
            Problem::new(Code::ApiKeyUnknown, "authorization: ask for a new key")
        };
        let key = key.ok_or_else(unknown)?;
        bounded(app, parts, key.id)?;
        if let Some(public) = &key.signature_key {
            signed::signed(app, parts, key.id, public).await?;
        }
        if !key.noted.swap(true, Ordering::Relaxed) {
            app.store.api_key_used(key.id).await?;
        }
        let place = parts.extensions.get().cloned();
        let (owner, scopes) = (key.owner.clone(), key.scopes.clone());
        Ok(Self { key: key.id, owner, scopes, place, app: app.clone() })
    }
}

/// A client of an OAuth2 issuer, by its access token.
async fn by_token(
    app: &App,
    parts: &Parts,
    tokens: &Tokens,
    token: &str,
) -> Result<Caller, Problem> {
    let client = tokens.client(token).await.inspect_err(|problem| {
        if problem.is(Code::TokenInvalid) {
            app.security.failures.count(Failure::Token);
        }
    })?;
    bounded(app, parts, client.id)?;
    if !app.store.oauth_client_used(client.id, &client.name).await? {
        app.security.failures.count(Failure::Token);
        let detail = "authorization: the client's access was taken back here";
        return Err(Problem::new(Code::TokenInvalid, detail));
    }
    let place = parts.extensions.get().cloned();
    let (key, owner, scopes) = (client.id, client.name, client.scopes);
    Ok(Caller { key, owner, scopes, place, app: app.clone() })
}

/// Refuses a request that is one too many of its key in this moment.
fn bounded(app: &App, parts: &Parts, key: Uuid) -> Result<(), Problem> {
    let standing = app.security.rates.request(key);
    if let Some(slot) = parts.extensions.get::<Slot>() {
        slot.put(standing);
    }
    if !standing.exceeded {
        return Ok(());
    }
    let detail =
        "authorization: the key's rate is used up; wait for Retry-After, then go on slower";
    Err(Problem::new(Code::RateLimitExceeded, detail))
}
