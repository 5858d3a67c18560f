//! API keys: owners, scopes and the digests of their secrets; a secret itself is never stored.
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Connection, Error, Store,
    audit::audit_append,
    commit,
    groups::{Group, in_order},
};
use crate::security::audit::{Actor, Entry};

/// An API key that may be used.
#[derive(Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: Uuid,
    /// Who holds it.
    pub owner: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Whether its last use was noted in this minute.
    pub noted: AtomicBool,
    /// The ed25519 public key that its requests are signed with, if they have to be.
    pub signature_key: Option<Vec<u8>>,
}

/// An API key as a list shows it.
#[derive(Clone, Debug, FromRow)]
pub struct KeyRow {
    /// Its id.
    pub id: Uuid,
    /// Who holds it.
    pub owner: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was taken back.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// Until when a former secret opens too.
    pub former_until: Option<OffsetDateTime>,
    /// The ed25519 public key that its requests are signed with, if they have to be.
    pub signature_key: Option<Vec<u8>>,
}

impl KeyRow {
    /// `live`, `expired` or `revoked`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        let over = self.expires_at.is_some_and(|at| at <= OffsetDateTime::now_utc());
        match (self.revoked_at.is_some(), over) {
            (true, _) => "revoked",
            (false, true) => "expired",
            (false, false) => "live",
        }
    }
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its id.
    pub id: Uuid,
    /// Who holds it.
    pub owner: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
}

const SHOWN: &str = "SELECT k.id, k.owner, k.scopes, k.created_at, k.expires_at, k.revoked_at,
        k.last_used_at, k.signature_key, max(s.expires_at) FILTER (WHERE s.expires_at > now()) AS former_until
    FROM api_key k LEFT JOIN api_key_secret s ON s.api_key = k.id";

async fn secret_insert(
    connection: &mut Connection,
    key: Uuid,
    secret_sha256: &[u8],
) -> Result<(), Error> {
    sqlx::query("INSERT INTO api_key_secret (api_key, secret_sha256) VALUES ($1, $2)")
        .bind(key)
        .bind(secret_sha256)
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    /// Keeps a key with its secret's digest, and the act.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn api_key_insert(
        &self,
        new: &NewKey,
        secret_sha256: &[u8],
        act: &Entry,
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sqlx::query("INSERT INTO api_key (id, owner, scopes, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(new.id)
            .bind(&new.owner)
            .bind(&new.scopes)
            .bind(new.expires_at)
            .execute(&mut *transaction)
            .await?;
        secret_insert(&mut transaction, new.id, secret_sha256).await?;
        audit_append(&mut transaction, act).await?;
        commit(transaction).await
    }

    /// The key that a secret of this digest opens, unless secret or key have ended. What another
    /// process changes is seen within a second.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn api_key_fetch(
        &self,
        secret_sha256: Vec<u8>,
    ) -> Result<Option<Arc<ApiKey>>, Error> {
        let since = match self.opened.get(&secret_sha256) {
            Ok(key) => return Ok(Some(key)),
            Err(since) => since,
        };
        let key = self.groups.api_keys.ask(secret_sha256.clone()).await?.map(Arc::new);
        if let Some(key) = &key {
            self.opened.put(secret_sha256, key, since);
        }
        Ok(key)
    }

    /// Notes that a key was used in this minute.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn api_key_used(&self, id: Uuid) -> Result<(), Error> {
        sqlx::query("UPDATE api_key SET last_used_at = date_trunc('minute', now()) WHERE id = $1")
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Notes that a client of an OAuth2 issuer came, as a key without secrets and scopes of its own,
    /// under which its Idempotency-Keys are kept; false when it was taken back.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn oauth_client_used(&self, id: Uuid, name: &str) -> Result<bool, Error> {
        let known: Option<(bool, bool)> = sqlx::query_as(
            "SELECT revoked_at IS NULL,
                coalesce(last_used_at >= date_trunc('minute', now()), false)
             FROM api_key WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        if let Some((live, noted)) = known {
            if live && !noted {
                self.api_key_used(id).await?;
            }
            return Ok(live);
        }
        let mut transaction = self.begin().await?;
        let first = sqlx::query(
            "INSERT INTO api_key (id, owner, scopes, last_used_at)
             VALUES ($1, $2, '{}', date_trunc('minute', now())) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(name)
        .execute(&mut *transaction)
        .await?;
        if first.rows_affected() == 1 {
            let actor = Actor { owner: name.to_owned(), key: Some(id) };
            let entry = actor.entry("client.first_seen", id, serde_json::json!({}));
            audit_append(&mut transaction, &entry).await?;
        }
        commit(transaction).await.map(|()| true)
    }

    /// Every key, the oldest first.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn api_key_list(&self) -> Result<Vec<KeyRow>, Error> {
        let text = format!("{SHOWN} GROUP BY k.id ORDER BY k.created_at, k.id");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(text)).fetch_all(&self.pool).await?)
    }

    /// One key.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn api_key_row(&self, id: Uuid) -> Result<Option<KeyRow>, Error> {
        let text = format!("{SHOWN} WHERE k.id = $1 GROUP BY k.id");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(id).fetch_optional(&self.pool).await?)
    }

    /// Adds a secret; the former one opens beside it for `overlap`, and older ones no more. False
    /// when there is no such key, or it has ended.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn api_key_rotate(
        &self,
        id: Uuid,
        secret_sha256: &[u8],
        overlap: Duration,
        act: &Entry,
    ) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let live: Option<Uuid> = sqlx::query_scalar(
            "SELECT id FROM api_key WHERE id = $1 AND revoked_at IS NULL
                AND (expires_at IS NULL OR expires_at > now()) FOR UPDATE",
        )
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
        if live.is_none() {
            return Ok(false);
        }
        sqlx::query("DELETE FROM api_key_secret WHERE api_key = $1 AND expires_at IS NOT NULL")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE api_key_secret SET expires_at = now() + make_interval(secs => $2)
             WHERE api_key = $1",
        )
        .bind(id)
        .bind(overlap.as_secs_f64())
        .execute(&mut *transaction)
        .await?;
        secret_insert(&mut transaction, id, secret_sha256).await?;
        audit_append(&mut transaction, act).await?;
        commit(transaction).await?;
        self.opened.changed();
        Ok(true)
    }

    /// Sets or removes the public key that a key's requests are signed with; false when there is no
    /// such key, or it has ended.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn api_key_signature_set(
        &self,
        id: Uuid,
        public: Option<&[u8]>,
        act: &Entry,
    ) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let done = sqlx::query(
            "UPDATE api_key SET signature_key = $2 WHERE id = $1 AND revoked_at IS NULL
                AND (expires_at IS NULL OR expires_at > now())",
        )
        .bind(id)
        .bind(public)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        audit_append(&mut transaction, act).await?;
        commit(transaction).await?;
        self.opened.changed();
        Ok(true)
    }

    /// Takes a nonce of a key's signature; false when it was taken before.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn signature_nonce_take(
        &self,
        id: Uuid,
        nonce_sha256: &[u8],
        expires_at: OffsetDateTime,
    ) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO signature_nonce (api_key, nonce_sha256, expires_at) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(nonce_sha256)
        .bind(expires_at)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets nonces whose signatures are too old to be taken.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn signature_nonce_sweep(&self) -> Result<(), Error> {
        let query = "DELETE FROM signature_nonce WHERE expires_at < now()";
        sqlx::query(query).execute(&self.pool).await?;
        Ok(())
    }

    /// Takes a key back for ever; false when there is none or it was taken back before.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn api_key_revoke(&self, id: Uuid, act: &Entry) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let done = sqlx::query(
            "UPDATE api_key SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL",
        )
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        audit_append(&mut transaction, act).await?;
        commit(transaction).await?;
        self.opened.changed();
        Ok(true)
    }
}

/// As it is read.
#[derive(Clone, FromRow)]
struct Read {
    place: i64,
    id: Uuid,
    owner: String,
    scopes: Vec<String>,
    noted: bool,
    signature_key: Option<Vec<u8>>,
}

impl Read {
    fn into_key(self) -> ApiKey {
        let Self { place: _, id, owner, scopes, noted, signature_key } = self;
        ApiKey { id, owner, scopes, noted: AtomicBool::new(noted), signature_key }
    }
}

#[derive(Debug)]
pub(super) struct Opening;

impl Group for Opening {
    type Item = Vec<u8>;
    type Answer = Option<ApiKey>;

    async fn run(
        connection: &mut Connection,
        digests: &[Vec<u8>],
    ) -> Result<Vec<Option<ApiKey>>, Error> {
        // Few keys send many requests.
        let mut asked: Vec<&[u8]> = digests.iter().map(Vec::as_slice).collect();
        asked.sort_unstable();
        asked.dedup();
        let opened: Vec<Read> = sqlx::query_as(
            "SELECT c.place, k.id, k.owner, k.scopes, k.signature_key,
                coalesce(k.last_used_at >= date_trunc('minute', now()), false) AS noted
             FROM unnest($1::bytea[]) WITH ORDINALITY AS c (secret_sha256, place)
             JOIN api_key_secret s ON s.secret_sha256 = c.secret_sha256
             JOIN api_key k ON k.id = s.api_key
             WHERE k.revoked_at IS NULL
                AND (s.expires_at IS NULL OR s.expires_at > now())
                AND (k.expires_at IS NULL OR k.expires_at > now())",
        )
        .bind(&asked)
        .fetch_all(connection)
        .await?;
        let opened = opened.into_iter().map(|read| (read.place, read));
        let found = in_order(asked.len(), opened);
        let key = |digest: &Vec<u8>| {
            let at = asked.binary_search(&digest.as_slice()).ok()?;
            found.get(at)?.first().cloned().map(Read::into_key)
        };
        Ok(digests.iter().map(key).collect())
    }
}
