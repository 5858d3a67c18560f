//! The party store in Postgres: opens it, migrates it, and gives connections to its parts; the only module family that knows SQL.
use sqlx::{
    AssertSqlSafe, PgConnection, PgPool, Postgres,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr, time::Duration};

use crate::settings::Database;

pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod banking;
pub mod batches;
pub mod book;
pub mod cases;
pub mod events;
pub mod keys;
pub mod outbox;
pub mod parties;
pub mod payees;
pub mod pickup;
pub mod quotes;
pub mod tracking;
pub mod transfers;
pub mod webhooks;

/// A failure of the party store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The schema's name is no plain word.
    #[error("database.schema: must be lower-case letters, digits and underscores")]
    Schema,
    /// The database can't be reached, or the URL is wrong.
    #[error("the database can't be opened; check database.url")]
    Open(#[source] sqlx::Error),
    /// The schema can't be brought to this version.
    #[error("the schema can't be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[source] sqlx::Error),
    /// A number exceeds what the store holds.
    #[error("{0}: exceeds 2⁶³ − 1")]
    Range(&'static str),
}

impl Error {
    /// Whether the database did not answer, so that the same may be tried again.
    #[must_use]
    pub fn unavailable(&self) -> bool {
        match self {
            Self::Open(_) => true,
            Self::Statement(error) => unavailable(error),
            Self::Schema | Self::Migrate(_) | Self::Range(_) => false,
        }
    }
}

fn unavailable(error: &sqlx::Error) -> bool {
    // Classes of SQLSTATE: connection, rollback, resources, lock, intervention.
    const AGAIN: [&str; 5] = ["08", "40", "53", "55", "57"];
    if let sqlx::Error::Database(database) = error {
        let code = database.code().unwrap_or_default();
        return AGAIN.iter().any(|class| code.starts_with(class));
    }
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
    )
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Statement(error)
    }
}

/// A handle to one gateway's schema.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Opens the schema, makes it if it is new, and migrates it.
    ///
    /// # Errors
    /// When the database can't be reached or the schema not migrated.
    pub async fn open(settings: &Database) -> Result<Self, Error> {
        let schema = &settings.schema;
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if schema.is_empty() || !schema.bytes().all(word) {
            return Err(Error::Schema);
        }
        let options = PgConnectOptions::from_str(&settings.url)
            .map_err(Error::Open)?
            .options([("search_path", schema.as_str())]);
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections_max)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await
            .map_err(Error::Open)?;
        // The name is a plain word, checked above.
        let create = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
        // IF NOT EXISTS alone fails when two who start at once both find none.
        let mut transaction = pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext('causeway gateway schema'))")
            .execute(&mut *transaction)
            .await?;
        sqlx::query(create).execute(&mut *transaction).await?;
        transaction.commit().await?;
        sqlx::migrate!("../migrations/gateway").run(&pool).await.map_err(Error::Migrate)?;
        Ok(Self { pool })
    }

    /// Begins an SQL transaction.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        Ok(self.pool.begin().await?)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }
}

/// Commits what was begun.
///
/// # Errors
/// When the database does not answer.
pub async fn commit(transaction: Transaction) -> Result<(), Error> {
    Ok(transaction.commit().await?)
}

/// An SQL transaction.
pub type Transaction = sqlx::Transaction<'static, Postgres>;

/// A connection within an SQL transaction.
pub type Connection = PgConnection;

pub use sqlx::types::Json;

pub(crate) fn big(field: &'static str, value: u64) -> Result<i64, Error> {
    i64::try_from(value).map_err(|_| Error::Range(field))
}

/// Stored numbers are never negative.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
