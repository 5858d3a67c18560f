//! The party store in Postgres: opens it, migrates it, and gives connections to its parts; the only module family that knows SQL.
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool, Postgres,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr, sync::Arc, time::Duration};

use self::{
    groups::Grouped,
    leaving::Carrier,
    opened::Opened,
    writer::{Lane, Writer},
};
use crate::settings::Database;

pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod banking;
pub mod batches;
pub mod book;
pub mod cases;
pub mod changes;
pub mod events;
mod groups;
pub mod keep;
pub mod keys;
pub mod leaving;
mod opened;
pub mod outbox;
pub mod parties;
pub mod payees;
pub mod pickup;
pub mod quotes;
pub mod statement;
pub mod tracking;
pub mod transfers;
pub mod webhooks;
mod writer;

/// Connections whose commits do not wait for the disk.
const LAZY_CONNECTIONS: u32 = 8;
/// A connection that rested for so long may be broken.
const RESTED: Duration = Duration::from_secs(1);

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
    /// A statement answered for fewer than it was asked.
    #[error("a statement gave no row for what it was asked")]
    Unanswered,
    /// What this rests on was committed, but was not on the disk when the database died.
    #[error("the database has forgotten what this rests on; it is done again")]
    Forgotten,
    /// What goes with the statements failed.
    #[error("what goes with the statements failed")]
    Work(#[source] Box<crate::Error>),
    /// What failed for all that went together.
    #[error("statements for many failed")]
    Shared(#[source] Arc<Self>),
}

impl Error {
    /// Whether the database did not answer, so that the same may be tried again.
    #[must_use]
    pub fn unavailable(&self) -> bool {
        let alone = self.alone();
        matches!(alone, Self::Open(_))
            || matches!(alone, Self::Statement(error) if unavailable(error))
    }

    /// Whether the name of a row is another's, in a table that says whose.
    #[must_use]
    pub fn taken(&self, table: &str) -> bool {
        matches!(self.alone(), Self::Statement(sqlx::Error::Database(error))
            if error.is_unique_violation() && error.table() == Some(table))
    }

    /// Whether what the statement rests on is gone, so that it must be made anew.
    #[must_use]
    pub fn forgotten(&self) -> bool {
        matches!(self.alone(), Self::Forgotten)
    }

    /// What failed, for however many.
    fn alone(&self) -> &Self {
        if let Self::Shared(error) = self { error.alone() } else { self }
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
    groups: Arc<Groups>,
    writes: Arc<Writes>,
    opened: Arc<Opened>,
}

/// What many callers read together.
#[derive(Debug)]
struct Groups {
    transfers: Grouped<transfers::Fetching>,
    parties: Grouped<parties::Fetching>,
    api_keys: Grouped<api_keys::Opening>,
    keys: Grouped<keys::Looking>,
    checks: Grouped<book::Checks>,
}

impl Groups {
    fn new(pool: &PgPool) -> Self {
        Self {
            transfers: Grouped::new("transfers", pool, 2),
            parties: Grouped::new("parties", pool, 1),
            api_keys: Grouped::new("api keys", pool, 2),
            keys: Grouped::new("keys", pool, 1),
            checks: Grouped::new("book", pool, 1),
        }
    }
}

/// What many callers write together, each kind behind those that it may follow from.
#[derive(Debug)]
struct Writes {
    events: Lane<events::Telling>,
    keys: Lane<keys::Beginning>,
    moves: Lane<book::Moves>,
    quotes: Lane<quotes::Keeping>,
    keeping: Lane<keep::Keeping>,
    deciding: Lane<keep::Deciding>,
    booking: Lane<keep::Booking>,
    envelopes: Lane<outbox::Enveloping>,
    outcomes: Lane<outbox::Answering>,
    batch_rows: Lane<batches::Ending>,
    answers: Lane<keys::Finishing>,
}

impl Writes {
    fn new(pool: &PgPool, lazy: &PgPool, carrier: Arc<dyn Carrier>) -> Self {
        let mut writer = Writer::new(pool, lazy, carrier);
        let writes = Self {
            events: writer.lane(),
            keys: writer.lane(),
            moves: writer.lane(),
            quotes: writer.lane(),
            keeping: writer.lane(),
            deciding: writer.lane(),
            booking: writer.lane(),
            envelopes: writer.lane(),
            outcomes: writer.lane(),
            batch_rows: writer.lane(),
            answers: writer.lane(),
        };
        writer.start();
        writes
    }
}

impl Store {
    /// Opens the schema, makes it if it is new, and migrates it; `carrier` takes over what is to reach
    /// the ledger.
    ///
    /// # Errors
    /// When the database can't be reached or the schema not migrated.
    pub async fn open(settings: &Database, carrier: Arc<dyn Carrier>) -> Result<Self, Error> {
        let schema = &settings.schema;
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if schema.is_empty() || !schema.bytes().all(word) {
            return Err(Error::Schema);
        }
        let options = options(settings)?;
        let pool = open_pool(settings.connections_max, options.clone()).await?;
        // For what need not be on disk when it is committed: what the ledger tells again, or what means
        // nothing without a later commit of the other pool, which flushes it too.
        let lazily = options.options([("synchronous_commit", "off")]);
        let lazy = open_pool(LAZY_CONNECTIONS, lazily).await?;
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
        let groups = Arc::new(Groups::new(&lazy));
        let writes = Arc::new(Writes::new(&pool, &lazy, carrier));
        Ok(Self { pool, groups, writes, opened: Arc::default() })
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

fn options(settings: &Database) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(&settings.url).map_err(Error::Open)?;
    // Everything here is found by its key, so that one plan serves all. A plan made while a table was
    // young must not stay a scan of all of it once it has grown (decisions/0034 says what statements do for it). What is
    // left of scans looks so dear that it would be compiled.
    let ways = ["enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_material", "jit"];
    let plans = ways.map(|way| (way, "off")).into_iter();
    let plans = plans.chain([("plan_cache_mode", "force_generic_plan")]);
    Ok(options.options([("search_path", settings.schema.as_str())]).options(plans))
}

async fn open_pool(connections_max: u32, options: PgConnectOptions) -> Result<PgPool, Error> {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(Duration::from_secs(5))
        // Asked after only when it rested: else every statement would take two turns.
        .test_before_acquire(false)
        .before_acquire(|connection, rest| {
            Box::pin(async move {
                if rest.idle_for > RESTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await
        .map_err(Error::Open)
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
