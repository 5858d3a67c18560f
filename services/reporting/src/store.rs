//! What pages read of schemas `ledger` and `office`, each by an index and with a limit; the office itself reads and
//! writes what people act on. It must never write.

use std::time::Duration;

use sqlx::{
    PgPool, Postgres, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};
use time::OffsetDateTime;

pub mod days;
pub mod overview;
pub mod participants;
pub mod party;
pub mod transfers;

const CONNECTIONS_MAX: u32 = 8;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// No page may keep the database busy for longer.
const STATEMENT_TIMEOUT: &str = "5s";

/// Which statement failed, and why.
#[derive(Debug, thiserror::Error)]
#[error("{statement} failed")]
pub struct Error {
    statement: &'static str,
    #[source]
    source: sqlx::Error,
}

pub(crate) fn failed(statement: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error { statement, source }
}

/// A reader; clones share connections.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
}

/// A currency and its decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrencyRow {
    pub currency: String,
    pub exponent: u8,
}

impl Store {
    /// Prepares connections, which are made when first used and only read.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(database_url: &str) -> Result<Self, Error> {
        let options: PgConnectOptions = database_url.parse().map_err(failed("read the address"))?;
        let options = options.application_name("reporting").options([
            ("default_transaction_read_only", "on"),
            ("statement_timeout", STATEMENT_TIMEOUT),
            // Compiling a plan takes longer than a page's plans run.
            ("jit", "off"),
            // Which index is read must not depend on a plan that was made for another participant.
            ("plan_cache_mode", "force_custom_plan"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// Every currency of the ledger.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn currencies(&self) -> Result<Vec<CurrencyRow>, Error> {
        let read = failed("read currencies");
        let rows = sqlx::query(
            "SELECT currency, exponent FROM ledger.currencies ORDER BY currency LIMIT 200",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(&read)?;
        let own = |row: &PgRow| {
            Ok(CurrencyRow {
                currency: row.try_get("currency")?,
                exponent: small(row, "exponent")?,
            })
        };
        rows.iter().map(own).collect::<Result<_, _>>().map_err(read)
    }

    /// The records of a time: the first of an entry at or after it, and so that of everything later.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn first_record(&self, at: OffsetDateTime) -> Result<Option<i64>, Error> {
        let read = failed("find a time's first record");
        let row = sqlx::query(
            "SELECT first_sequence FROM ledger.entries WHERE at_micros >= $1 ORDER BY at_micros LIMIT 1",
        )
        .bind(micros(at))
        .fetch_optional(&self.pool)
        .await
        .map_err(&read)?;
        row.map(|row| row.try_get("first_sequence")).transpose().map_err(read)
    }
}

/// A time as the ledger's tables have it.
#[must_use]
pub fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// A time of the ledger's tables; none for 0.
#[must_use]
pub fn moment(micros: i64) -> Option<OffsetDateTime> {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
    at.ok().filter(|_| micros > 0)
}

fn unreadable(name: &str) -> sqlx::Error {
    sqlx::Error::ColumnNotFound(format!("{name} is unreadable"))
}

/// A number that travels as text, because Postgres has none of its size.
fn parsed<T: std::str::FromStr>(row: &PgRow, name: &str) -> Result<T, sqlx::Error> {
    let text: String = row.try_get(name)?;
    text.parse().map_err(|_| unreadable(name))
}

fn small(row: &PgRow, name: &str) -> Result<u8, sqlx::Error> {
    u8::try_from(row.try_get::<i16, _>(name)?).map_err(|_| unreadable(name))
}

fn participant(row: &PgRow, name: &str) -> Result<u32, sqlx::Error> {
    u32::try_from(row.try_get::<i64, _>(name)?).map_err(|_| unreadable(name))
}

fn uuid(row: &PgRow, name: &str) -> Result<uuid::Uuid, sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(name)?;
    uuid::Uuid::from_slice(&bytes).map_err(|_| unreadable(name))
}

type Rows = Result<Vec<PgRow>, sqlx::Error>;

/// Reads every row by one function.
fn each<T>(
    rows: Rows,
    statement: &'static str,
    own: impl Fn(&PgRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, Error> {
    let read = failed(statement);
    let rows = rows.map_err(&read)?;
    rows.iter().map(own).collect::<Result<_, _>>().map_err(read)
}

/// A query's text that is put together from words of this crate alone.
fn query(text: String) -> sqlx::query::Query<'static, Postgres, sqlx::postgres::PgArguments> {
    sqlx::query(sqlx::AssertSqlSafe(text))
}
