//! The event cursor and the events seen, written in one SQL transaction with what they changed.
use sqlx::{FromRow, PgExecutor};
use time::OffsetDateTime;

use super::{Connection, Error, Store, big, unsigned};

/// An event as REST shows it.
#[derive(Clone, Debug, FromRow)]
pub struct EventRow {
    /// This participant's own number.
    pub number: i64,
    /// The record's number.
    pub sequence: i64,
    /// Replicated time.
    pub at: OffsetDateTime,
    /// What it says, without personal data.
    pub data: serde_json::Value,
}

/// Keeps an event.
///
/// # Errors
/// When the statement fails.
pub async fn event_insert(
    connection: &mut Connection,
    number: u64,
    sequence: u64,
    at: OffsetDateTime,
    data: serde_json::Value,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO event (number, sequence, at, data) VALUES ($1, $2, $3, $4)")
        .bind(big("number", number)?)
        .bind(big("sequence", sequence)?)
        .bind(at)
        .bind(data)
        .execute(connection)
        .await?;
    Ok(())
}

/// Moves the cursor; false when another process moved it.
///
/// # Errors
/// When the statement fails.
pub async fn cursor_move(connection: &mut Connection, from: u64, to: u64) -> Result<bool, Error> {
    let done = sqlx::query("UPDATE event_cursor SET number = $2 WHERE number = $1")
        .bind(big("number", from)?)
        .bind(big("number", to)?)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Events after a number, at most `limit`, as this transaction or pool sees them.
///
/// # Errors
/// When the statement fails.
pub async fn event_list(
    executor: impl PgExecutor<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<EventRow>, Error> {
    Ok(sqlx::query_as(
        "SELECT number, sequence, at, data FROM event WHERE number > $1
         ORDER BY number LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(executor)
    .await?)
}

impl Store {
    /// The last number seen.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn cursor_fetch(&self) -> Result<u64, Error> {
        let (number,): (i64,) =
            sqlx::query_as("SELECT number FROM event_cursor").fetch_one(&self.pool).await?;
        Ok(unsigned(number))
    }

    /// Events after a number, at most `limit`.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn event_list(&self, after: i64, limit: i64) -> Result<Vec<EventRow>, Error> {
        event_list(&self.pool, after, limit).await
    }
}
