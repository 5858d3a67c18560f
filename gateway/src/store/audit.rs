//! The audit log's rows: appended under one lock within the SQL transaction of the act itself, read in order; it judges no chain.
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Error, Store, commit};
use crate::security::audit::{Digest, Entry, Head, Row};

/// A row as it is kept.
#[derive(Clone, Debug, FromRow)]
pub struct AuditRow {
    /// Without gaps from 1.
    pub number: i64,
    /// When.
    pub at: OffsetDateTime,
    /// Who acted.
    pub actor: String,
    /// By which key.
    pub api_key: Option<Uuid>,
    /// What was done.
    pub act: String,
    /// To what.
    pub subject: String,
    /// JSON as it was written.
    pub detail: String,
    /// The chain's digest.
    pub digest: Vec<u8>,
}

impl AuditRow {
    /// What its digest covers.
    #[must_use]
    pub fn covered(&self) -> Row {
        Row {
            number: self.number,
            at_micros: micros(self.at),
            actor: self.actor.clone(),
            key: self.api_key,
            act: self.act.clone(),
            subject: self.subject.clone(),
            detail: self.detail.clone(),
        }
    }
}

fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(0)
}

const COLUMNS: &str = "number, at, actor, api_key, act, subject, detail, digest";

/// Appends what is done in this SQL transaction.
///
/// # Errors
/// When a statement fails.
pub async fn audit_append(connection: &mut Connection, entry: &Entry) -> Result<(), Error> {
    // Whoever appends waits here for who appended before, until that is committed.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('causeway audit ' || current_schema()))")
        .execute(&mut *connection)
        .await?;
    let last: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
    let head = last.map_or_else(Head::default, |(number, digest)| Head {
        number,
        digest: Digest::try_from(digest).unwrap_or_default(),
    });
    // Postgres keeps microseconds, so no more are covered.
    let at_micros = micros(OffsetDateTime::now_utc());
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_micros) * 1_000);
    let row = Row {
        number: head.number + 1,
        at_micros,
        actor: entry.actor.clone(),
        key: entry.key,
        act: entry.act.to_owned(),
        subject: entry.subject.clone(),
        detail: entry.detail.to_string(),
    };
    let digest = row.digest(&head.digest);
    sqlx::query(
        "INSERT INTO audit (number, at, actor, api_key, act, subject, detail, digest)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(row.number)
    .bind(at.unwrap_or(OffsetDateTime::UNIX_EPOCH))
    .bind(&row.actor)
    .bind(row.key)
    .bind(&row.act)
    .bind(&row.subject)
    .bind(&row.detail)
    .bind(digest.as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Appends what needs nothing beside it.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn audit_append(&self, entry: &Entry) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        audit_append(&mut transaction, entry).await?;
        commit(transaction).await
    }

    /// Rows after a number, in order, at most `limit`.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn audit_list(&self, after: i64, limit: i64) -> Result<Vec<AuditRow>, Error> {
        let text =
            format!("SELECT {COLUMNS} FROM audit WHERE number > $1 ORDER BY number LIMIT $2");
        let query = sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(after).bind(limit);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// The last row.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn audit_last(&self) -> Result<Option<AuditRow>, Error> {
        let text = format!("SELECT {COLUMNS} FROM audit ORDER BY number DESC LIMIT 1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(text)).fetch_optional(&self.pool).await?)
    }
}
