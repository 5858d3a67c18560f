//! Idempotency keys with the answers they got, each under the API key that used it.
use ledger_types::Uetr;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Error, Store, transfers::uuid};

/// What is known of an idempotency key.
#[derive(Clone, Debug, FromRow)]
pub struct Idempotency {
    /// Digest of the first request.
    pub fingerprint: Vec<u8>,
    /// The transfer it made.
    pub uetr: Option<Uuid>,
    /// The status of its finished answer.
    pub status: Option<i16>,
    /// The body of its finished answer.
    pub body: Option<serde_json::Value>,
}

impl Store {
    /// Takes an idempotency key: `None` when it is new and now ours, else what is known of it.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn idempotency_begin(
        &self,
        api_key: Uuid,
        key: &str,
        fingerprint: &[u8],
    ) -> Result<Option<Idempotency>, Error> {
        loop {
            let taken = sqlx::query(
                "INSERT INTO idempotency (api_key, key, fingerprint) VALUES ($1, $2, $3)
                 ON CONFLICT (api_key, key) DO NOTHING",
            )
            .bind(api_key)
            .bind(key)
            .bind(fingerprint)
            .execute(&self.pool)
            .await?;
            if taken.rows_affected() == 1 {
                return Ok(None);
            }
            let known = sqlx::query_as(
                "SELECT fingerprint, uetr, status, body FROM idempotency
                 WHERE api_key = $1 AND key = $2",
            )
            .bind(api_key)
            .bind(key)
            .fetch_optional(&self.pool)
            .await?;
            // None when it was given back in between: then it may be ours.
            if known.is_some() {
                return Ok(known);
            }
        }
    }

    /// Keeps the finished answer.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn idempotency_finish(
        &self,
        api_key: Uuid,
        key: &str,
        uetr: Option<Uetr>,
        (status, body): (u16, Option<serde_json::Value>),
    ) -> Result<(), Error> {
        sqlx::query(
            "UPDATE idempotency SET uetr = $3, status = $4, body = $5
             WHERE api_key = $1 AND key = $2",
        )
        .bind(api_key)
        .bind(key)
        .bind(uetr.map(uuid))
        .bind(i16::try_from(status).unwrap_or(500))
        .bind(body)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Names the transfer that a key is making, before anything of it is kept, and tells the name:
    /// the first one stays, even of a request that was cut off and whose statement came late. None
    /// when the key was given back.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn idempotency_name(
        &self,
        api_key: Uuid,
        key: &str,
        uetr: Uetr,
    ) -> Result<Option<Uetr>, Error> {
        let name: Option<Uuid> = sqlx::query_scalar(
            "UPDATE idempotency SET uetr = COALESCE(uetr, $3) WHERE api_key = $1 AND key = $2
             RETURNING uetr",
        )
        .bind(api_key)
        .bind(key)
        .bind(uuid(uetr))
        .fetch_optional(&self.pool)
        .await?;
        Ok(name.and_then(|name| Uetr::from_bytes(*name.as_bytes()).ok()))
    }

    /// Gives a key back whose request left nothing.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn idempotency_forget(&self, api_key: Uuid, key: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM idempotency WHERE api_key = $1 AND key = $2")
            .bind(api_key)
            .bind(key)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets the keys older than the published 24 hours. One whose request was cut off stays as
    /// long: what it was keeping may be kept yet.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn idempotency_sweep(&self) -> Result<(), Error> {
        sqlx::query("DELETE FROM idempotency WHERE created_at < now() - interval '24 hours'")
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
