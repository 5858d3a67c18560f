//! Schema `ledger` in Postgres: one SQL transaction a batch, fenced by the cursor's epoch; it decides no balance.
use std::{collections::BTreeMap, time::Duration};

use ledger_proof::{
    codec::{DecodeError, Digest, Field},
    tree::Frontier,
};
use ledger_types::AccountId;
use services_runtime::trace::now_micros;
use sqlx::{
    PgConnection, PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};

use crate::{book, record::Record};

mod batch;
mod copy;
mod load;
mod rebuild;
mod recalls;
mod rows;
mod save;
mod stored;
mod summary;
mod sweep;
mod writer;

pub use batch::Batch;
pub use copy::Unreadable;
pub use rebuild::{Plan, Rebuilt, TABLES};
pub use summary::{Summary, summary};
pub use sweep::{Pace, Swept};
pub use writer::{Writer, Written};

/// One for each batch that may be open, and one for whoever asks meanwhile.
const CONNECTIONS_MAX: u32 = writer::OPEN_MAX + 1;
/// A database that is away is noticed, and tried again, after this time.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// A commit does not wait for the disk. Rows and cursor are one SQL transaction, and Postgres writes
/// its log in one order: a crash takes the last transactions whole, the cursor says so, and the
/// ledger tells them again. What others commit durably after reading a row takes the row along.
const ASYNCHRONOUS: [(&str, &str); 1] = [("synchronous_commit", "off")];

/// Every batch finds its rows by their keys. A plan made while the tables were empty must not stay a scan of
/// all of a table once it has grown, so no such plan is made; what is a scan by nature, as the sums of a summary, looks
/// so dear then that it would be compiled.
const BY_KEY: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("jit", "off"),
];

/// Whoever holds a row that a batch needs, and does not go on, is waited for so long; nothing waits for ever.
const PATIENT: [(&str, &str); 1] = [("lock_timeout", "10s")];

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the database is no URL that Postgres understands.
    #[error("database_url: must be postgres://user@host:port/database")]
    Url(#[source] sqlx::Error),
    /// The schema cannot be brought up to date.
    #[error("schema ledger: migration failed")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A statement or the connection failed; a commit may or may not have happened.
    #[error("schema ledger: {statement} failed")]
    Statement {
        /// Which.
        statement: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Another reconciler has taken over.
    #[error("schema ledger: another reconciler holds epoch {found}, this one has {held}")]
    Fenced {
        /// This reconciler's.
        held: i64,
        /// The cursor's.
        found: i64,
    },
    /// The stream jumped: stop, and never skip.
    #[error("stream has a gap: record {found} where {expected} is due")]
    Gap {
        /// The cursor's.
        expected: u64,
        /// The stream's.
        found: u64,
    },
    /// The database died and took back the last transactions, whose commits did not wait for the disk.
    #[error("schema ledger has {found} records where {written} were: the rest is written again")]
    Forgotten {
        /// How many this reconciler had written.
        written: u64,
        /// How many are here.
        found: u64,
    },
    /// A record contradicts the books.
    #[error("schema ledger: the books do not take a record")]
    Book(#[source] book::Error),
    /// A balance of an account that no record opened.
    #[error("record {sequence} or one shortly before it moves money of an account never opened")]
    AccountUnknown {
        /// The first record of the batch.
        sequence: u64,
    },
    /// A stored value has no meaning to this version.
    #[error("schema ledger: column {column} is unreadable; rebuild the schema from record 0")]
    Unreadable {
        /// Which.
        column: &'static str,
    },
    /// What Postgres sends of a table cannot be read.
    #[error("schema ledger: rows are unreadable; rebuild the schema from record 0")]
    Copy(#[source] Unreadable),
    /// A rebuild that cannot be; nothing has changed.
    #[error("schema ledger is not rebuilt: {0}")]
    Rebuild(&'static str),
    /// The process is stopping.
    #[error("stopped in the middle")]
    Stopped,
    /// The stored frontier is damaged.
    #[error("schema ledger: the cursor's frontier is unreadable; rebuild the schema from record 0")]
    Frontier(#[source] DecodeError),
}

impl Error {
    /// Whether the same may succeed later: the database was away or busy.
    #[must_use]
    pub fn transient(&self) -> bool {
        match self {
            Self::Statement { source, .. } => transient(source),
            Self::Migrate(sqlx::migrate::MigrateError::Execute(source)) => transient(source),
            Self::Forgotten { .. } => true,
            Self::Migrate(_)
            | Self::Url(_)
            | Self::Fenced { .. }
            | Self::Gap { .. }
            | Self::Book(_)
            | Self::AccountUnknown { .. }
            | Self::Unreadable { .. }
            | Self::Copy(_)
            | Self::Rebuild(_)
            | Self::Stopped
            | Self::Frontier(_) => false,
        }
    }

    pub(crate) fn statement(statement: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Statement { statement, source }
    }
}

fn transient(error: &sqlx::Error) -> bool {
    // Classes of SQLSTATE: connection, rollback, resources, lock, intervention.
    const RETRY: [&str; 5] = ["08", "40", "53", "55", "57"];
    if let sqlx::Error::Database(database) = error {
        let code = database.code().unwrap_or_default();
        return RETRY.iter().any(|class| code.starts_with(class));
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

/// What has been written, and the right to write next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the record that is due.
    pub next_sequence: u64,
    /// The frontier over the records before it.
    pub frontier: Frontier,
    /// The network of record 0; `None` before it is written.
    pub network: Option<Digest>,
    /// Which reconciler may write.
    pub epoch: i64,
}

impl Cursor {
    /// Whether what was written is here, and nobody else has taken over.
    fn holds(&self, written: &Self) -> Result<(), Error> {
        if self.epoch != written.epoch {
            return Err(Error::Fenced { held: written.epoch, found: self.epoch });
        }
        let (written, found) = (written.next_sequence, self.next_sequence);
        if found < written { Err(Error::Forgotten { written, found }) } else { Ok(()) }
    }
}

/// The balances of one account, as the postings make them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    /// Reserved debits.
    pub debits_pending: u128,
    /// Posted debits.
    pub debits_posted: u128,
    /// Reserved credits.
    pub credits_pending: u128,
    /// Posted credits.
    pub credits_posted: u128,
}

/// The schema `ledger`.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Prepares connections, which are made when first used.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(database_url: &str) -> Result<Self, Error> {
        let options: PgConnectOptions = database_url.parse().map_err(Error::Url)?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_release(|connection, _| Box::pin(in_step(connection)))
            .connect_lazy_with(
                options
                    .application_name("reconciliation")
                    .options(ASYNCHRONOUS)
                    .options(BY_KEY)
                    .options(PATIENT),
            );
        Ok(Self { pool })
    }

    /// The pool, for readers.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// What the tables say about themselves.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn summary(&self) -> Result<Summary, Error> {
        summary(&self.pool).await
    }

    /// Makes the schema or brings it up to date.
    ///
    /// # Errors
    /// When a migration fails.
    pub async fn migrate(&self) -> Result<(), Error> {
        let mut connection = self.pool.acquire().await.map_err(Error::statement("migrate"))?;
        // A role that may only write cannot migrate, and need not: nothing is locked in vain either.
        if migrated(&mut connection).await {
            return Ok(());
        }
        // A statement that waits for a lock makes everybody behind it wait too: rather try again.
        sqlx::raw_sql("SET lock_timeout = '5s'")
            .execute(&mut *connection)
            .await
            .map_err(Error::statement("migrate"))?;
        let done =
            migrator().run_direct(None, &mut *connection, false).await.map_err(Error::Migrate);
        // The connection goes with its setting.
        let _closed = connection.close().await;
        done
    }

    /// Takes the right to write, from whoever has it; or, given the epoch already held, reads the
    /// cursor again after a failure.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another took over since.
    pub async fn claim(&self, held: Option<i64>) -> Result<Cursor, Error> {
        let held = match held {
            Some(held) => held,
            None => self.fence().await?,
        };
        let mut connection = self.pool.acquire().await.map_err(Error::statement("claim"))?;
        // By the lock: a commit whose answer did not come ends first.
        let cursor = lock(&mut connection).await?;
        match cursor.epoch == held {
            true => Ok(cursor),
            false => Err(Error::Fenced { held, found: cursor.epoch }),
        }
    }

    /// Takes the right to write from whoever has it; gives the new epoch.
    pub(crate) async fn fence(&self) -> Result<i64, Error> {
        let failed = || Error::statement("claim");
        let mut transaction = self.pool.begin().await.map_err(failed())?;
        // An epoch that a crash took back would be given twice: this commit waits.
        sqlx::raw_sql("SET LOCAL synchronous_commit = on")
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
        let row = sqlx::query("UPDATE ledger.cursor SET epoch = epoch + 1 RETURNING epoch")
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed())?;
        transaction.commit().await.map_err(failed())?;
        column(&row, "epoch")
    }

    /// Writes records behind the cursor that the last write gave, what follows from them, and the
    /// cursor, in one SQL transaction.
    ///
    /// # Errors
    /// When nothing was written, or ([`Error::transient`]) nobody knows: claim again and go on
    /// from the cursor.
    pub async fn write(&self, held: &Cursor, records: &[Record]) -> Result<Cursor, Error> {
        let writer = Writer::new(self.clone(), held.clone());
        writer.write_all([Batch::new(records.to_vec())]).await
    }

    /// The failure, or what is behind it: who has taken over adds the same rows, and is met there
    /// before the cursor tells of it.
    pub async fn or_fenced(&self, failure: Error, held: &Cursor) -> Error {
        if failure.transient() {
            return failure;
        }
        match self.claim(Some(held.epoch)).await {
            Err(fenced @ Error::Fenced { .. }) => fenced,
            Ok(_) | Err(_) => failure,
        }
    }

    /// Every account's balances and the number of records they follow from.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn balances(&self) -> Result<(BTreeMap<AccountId, Balances>, u64), Error> {
        let rows = sqlx::query(
            "SELECT b.account::text, b.debits_pending::text, b.debits_posted::text,
                    b.credits_pending::text, b.credits_posted::text, c.next_sequence
             FROM ledger.cursor c LEFT JOIN ledger.balances b ON TRUE",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(Error::statement("read balances"))?;
        let mut balances = BTreeMap::new();
        let mut records = 0;
        for row in &rows {
            records = unsigned(row, "next_sequence")?;
            if row.try_get::<Option<String>, _>("account").ok().flatten().is_some() {
                let amounts = Balances {
                    debits_pending: parsed(row, "debits_pending")?,
                    debits_posted: parsed(row, "debits_posted")?,
                    credits_pending: parsed(row, "credits_pending")?,
                    credits_posted: parsed(row, "credits_posted")?,
                };
                balances.insert(AccountId(parsed(row, "account")?), amounts);
            }
        }
        Ok((balances, records))
    }
}

/// Whether a connection answers what it is asked. One that was dropped amid a COPY may give that answer to the next
/// statement (sqlx 0.9.0 does not count on it), so that nobody after would be told the truth: it is closed instead.
async fn in_step(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let asked = signed(now_micros());
    let told: i64 = sqlx::query_scalar("SELECT $1").bind(asked).fetch_one(connection).await?;
    Ok(told == asked)
}

/// The migrations of this schema.
fn migrator() -> sqlx::migrate::Migrator {
    let mut migrator = sqlx::migrate!("../../migrations/ledger");
    // The database may hold other schemas, each with a history of its own.
    migrator.create_schema("ledger");
    migrator.dangerous_set_table_name("ledger._migrations");
    migrator
}

/// Whether every migration was applied, as it is here.
async fn migrated(connection: &mut PgConnection) -> bool {
    let rows = sqlx::query("SELECT version, checksum FROM ledger._migrations WHERE success")
        .fetch_all(connection)
        .await
        .unwrap_or_default();
    let applied = |row: &PgRow| Some((row.try_get(0).ok()?, row.try_get(1).ok()?));
    let applied: BTreeMap<i64, Vec<u8>> = rows.iter().filter_map(applied).collect();
    let own = migrator();
    own.migrations
        .iter()
        .all(|own| applied.get(&own.version).is_some_and(|sum| **sum == *own.checksum))
}

/// The cursor as it is.
async fn look(connection: &mut PgConnection) -> Result<Cursor, Error> {
    let row = sqlx::query("SELECT next_sequence, frontier, network, epoch FROM ledger.cursor")
        .fetch_one(connection)
        .await
        .map_err(Error::statement("read cursor"))?;
    cursor(&row)
}

/// The cursor, which nobody else moves until the transaction ends.
async fn lock(connection: &mut PgConnection) -> Result<Cursor, Error> {
    let row =
        sqlx::query("SELECT next_sequence, frontier, network, epoch FROM ledger.cursor FOR UPDATE")
            .fetch_one(connection)
            .await
            .map_err(Error::statement("lock cursor"))?;
    cursor(&row)
}

fn cursor(row: &PgRow) -> Result<Cursor, Error> {
    let network: Vec<u8> = column(row, "network")?;
    let frontier: Vec<u8> = column(row, "frontier")?;
    let frontier = Frontier::from_bytes(&frontier).map_err(Error::Frontier)?;
    let next_sequence = unsigned(row, "next_sequence")?;
    if frontier.size() != next_sequence {
        return Err(Error::Unreadable { column: "next_sequence" });
    }
    Ok(Cursor {
        next_sequence,
        frontier,
        network: Digest::try_from(network.as_slice()).ok(),
        epoch: column(row, "epoch")?,
    })
}

fn column<'r, T>(row: &'r PgRow, name: &'static str) -> Result<T, Error>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(name).map_err(|_| Error::Unreadable { column: name })
}

/// A number that Postgres keeps signed.
fn unsigned<T: TryFrom<i64>>(row: &PgRow, name: &'static str) -> Result<T, Error> {
    let value: i64 = column(row, name)?;
    T::try_from(value).map_err(|_| Error::Unreadable { column: name })
}

/// A number or word that travels as text.
fn parsed<T: std::str::FromStr>(row: &PgRow, name: &'static str) -> Result<T, Error> {
    let text: String = column(row, name)?;
    text.parse().map_err(|_| Error::Unreadable { column: name })
}

/// Postgres has no unsigned integers; record numbers and times stay far below 2⁶³.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
