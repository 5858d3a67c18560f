//! The event cursor and the events seen, written in one SQL transaction with what they changed.
use futures_util::future::BoxFuture;
use sqlx::{FromRow, PgExecutor};
use time::OffsetDateTime;

use super::{
    Connection, Error, Store, big,
    groups::Group,
    leaving::{Leaving, Sent},
    statement::Statement,
    unsigned,
};

/// An event, as it is kept and as REST shows it.
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

/// Keeps events and moves the cursor over them; false when it stands elsewhere, and then nothing of this may be
/// committed.
///
/// # Errors
/// When the statement fails.
pub async fn event_keep(
    connection: &mut Connection,
    events: &[EventRow],
    (from, to): (u64, u64),
) -> Result<bool, Error> {
    let mut statement = Statement::default();
    statement
        .part(
            "event_made",
            "INSERT INTO event (number, sequence, at, data)
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::jsonb[])",
        )
        .bind(events.iter().map(|event| event.number).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.sequence).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.at).collect::<Vec<_>>())
        .bind(events.iter().map(|event| &event.data).collect::<Vec<_>>());
    statement
        .part("moved", "UPDATE event_cursor SET number = $2 WHERE one AND number = $1")
        .bind(big("number", from)?)
        .bind(big("number", to)?);
    Ok(statement.execute(connection).await? == 1)
}

/// The last number seen.
///
/// # Errors
/// When the statement fails.
pub async fn cursor_read(executor: impl PgExecutor<'_>) -> Result<u64, Error> {
    let (number,): (i64,) =
        sqlx::query_as("SELECT number FROM event_cursor").fetch_one(executor).await?;
    Ok(unsigned(number))
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

/// What a batch of the stream does, within the SQL transaction that moves the cursor.
pub trait Work: Send + Sync {
    /// Whether something may leave for the ledger with it: then its commit waits for the disk. What
    /// the stream told alone need not, since it tells that again.
    fn durable(&self) -> bool;

    /// Does it, from the beginning each time, and gives what leaves with it.
    ///
    /// # Errors
    /// When a statement fails, or the stream can't be followed.
    fn run<'a>(
        &'a self,
        connection: &'a mut Connection,
    ) -> BoxFuture<'a, Result<Vec<Sent>, crate::Error>>;
}

/// What the stream told.
#[derive(Debug)]
pub(super) struct Telling;

impl Group for Telling {
    type Item = Box<dyn Work>;
    type Answer = Vec<Sent>;

    fn durable(work: &Box<dyn Work>) -> bool {
        work.durable()
    }

    fn leaving(answer: &mut Vec<Sent>) -> Vec<Leaving> {
        Sent::leaving(answer)
    }

    async fn run(
        connection: &mut Connection,
        work: &[Box<dyn Work>],
    ) -> Result<Vec<Vec<Sent>>, Error> {
        let mut sent = Vec::with_capacity(work.len());
        for one in work {
            sent.push(one.run(connection).await.map_err(|error| {
                if let crate::Error::Store(error) = error {
                    error
                } else {
                    Error::Work(Box::new(error))
                }
            })?);
        }
        Ok(sent)
    }
}

impl Store {
    /// Does what a batch of the stream asks for.
    ///
    /// # Errors
    /// What the work gives, or when the database does not answer.
    pub async fn event_work(&self, work: Box<dyn Work>) -> Result<(), crate::Error> {
        match self.writes.events.ask(work).await {
            // The answers of what left are written by the sender.
            Ok(_sent) => Ok(()),
            Err(Error::Work(error)) => Err(*error),
            Err(error) => Err(crate::Error::Store(error)),
        }
    }

    /// The last number seen.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn cursor_fetch(&self) -> Result<u64, Error> {
        cursor_read(&self.pool).await
    }

    /// Events after a number, at most `limit`.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn event_list(&self, after: i64, limit: i64) -> Result<Vec<EventRow>, Error> {
        event_list(&self.pool, after, limit).await
    }
}
