//! API keys made, rotated and taken back, from a terminal or over REST: every act goes into the audit log, every secret is shown once.
use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Error,
    clock::rfc3339,
    routes::caller::{Scope, secret_digest},
    sealing::random,
    security::audit::Actor,
    store::{self, Store, api_keys::NewKey},
};

/// A key that is wanted.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who will hold it.
    pub owner: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
}

/// A key with its secret.
#[derive(Clone)]
pub struct Made {
    /// Its id.
    pub id: Uuid,
    /// Shown this once.
    pub secret: String,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Made").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Makes a key.
///
/// # Errors
/// When the system has no randomness or the store fails.
pub async fn make(store: &Store, actor: &Actor, asked: Asked) -> Result<Made, Error> {
    let id = Uuid::from_bytes(random().map_err(|_| Error::Randomness)?);
    let secret = fresh()?;
    let scopes: Vec<_> = asked.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let detail = json!({
        "owner": asked.owner,
        "scopes": scopes,
        "expires_at": asked.expires_at.map(rfc3339),
    });
    let new = NewKey { id, owner: asked.owner, scopes, expires_at: asked.expires_at };
    let act = actor.entry("key.made", id, detail);
    store.api_key_insert(&new, &secret_digest(&secret), &act).await.map_err(Error::Store)?;
    Ok(Made { id, secret })
}

/// Gives a key a new secret; the former one opens beside it for `overlap`. None when there is no
/// such key, or it has ended.
///
/// # Errors
/// When the system has no randomness or the store fails.
pub async fn rotate(
    store: &Store,
    actor: &Actor,
    id: Uuid,
    overlap: Duration,
) -> Result<Option<Made>, Error> {
    let secret = fresh()?;
    let act = actor.entry("key.rotated", id, json!({ "overlap_s": overlap.as_secs() }));
    let done = store.api_key_rotate(id, &secret_digest(&secret), overlap, &act).await;
    Ok(done.map_err(Error::Store)?.then_some(Made { id, secret }))
}

/// Takes a key back for ever; false when there is none or it was taken back before.
///
/// # Errors
/// When the store fails.
pub async fn revoke(store: &Store, actor: &Actor, id: Uuid) -> Result<bool, store::Error> {
    store.api_key_revoke(id, &actor.entry("key.revoked", id, json!({}))).await
}

fn fresh() -> Result<String, Error> {
    Ok(format!("cw_{}", hex::encode(random::<32>().map_err(|_| Error::Randomness)?)))
}
