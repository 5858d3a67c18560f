//! Schema `office` in Postgres, and what is read of schema `ledger` beside it; every act is one SQL transaction with
//! its line of history. It must never decide what a movement is or what is wrong with it.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use sqlx::{
    PgConnection, PgPool, Postgres, Row, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};
use time::OffsetDateTime;

use crate::{actor::Actor, calendar::Calendars, error::Error, settings::Rules};

mod accounts;
mod attached;
mod audit;
mod breaks;
mod bulk;
mod corrections;
mod day_rows;
mod days;
mod journals;
mod ledger;
mod matching;
mod movements;
mod pulls;
mod statements;

pub use accounts::{AccountRow, MapRow, NewAccount};
pub use attached::{Attachment, AttachmentRow};
pub use audit::{AuditFilter, AuditRow, Deed};
pub use breaks::{ActRow, BreakFilter, BreakRow, CommentRow, Shown};
pub use corrections::{CorrectionRow, Proposed};
pub use days::{Close, DayRow, DocumentRow};
pub use journals::{Answered, Compared, JournalRow};
pub use matching::Matched;
pub use movements::{ElsewhereRow, MovementRow};
pub(crate) use pulls::{Listed, Seen};
pub use statements::{Imported, RefusedRow, StatementRow};

const CONNECTIONS_MAX: u32 = 8;
/// A database that is away is noticed, and tried again, after this time.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// Compiling a plan takes longer than these plans run, and which index is read must not depend on a plan that was made for
/// another account.
const PLANS: [(&str, &str); 2] = [("jit", "off"), ("plan_cache_mode", "force_custom_plan")];

/// Which statement failed, and why.
#[derive(Debug, thiserror::Error)]
#[error("schema office: {statement} failed")]
pub struct Failure {
    statement: &'static str,
    #[source]
    source: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("no address of a database: write postgres://user@host:port/database")]
    Url(#[source] sqlx::Error),
    #[error("the schema cannot be brought up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    #[error("the statement or the connection failed")]
    Statement(#[source] sqlx::Error),
    #[error("column {0} is unreadable")]
    Unreadable(&'static str),
}

/// Names the statement that failed.
pub(crate) fn failed(statement: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::Store(Failure { statement, source: Cause::Statement(source) })
}

pub(crate) fn unreadable(column: &'static str) -> Error {
    Error::Store(Failure { statement: "read", source: Cause::Unreadable(column) })
}

/// The back office's handle; clones share connections.
#[derive(Clone, Debug)]
pub struct Office {
    pub(crate) pool: PgPool,
    pub(crate) rules: Arc<Rules>,
    pub(crate) calendars: Arc<Calendars>,
}

impl Office {
    /// Prepares connections, which are made when first used.
    ///
    /// # Errors
    /// When the address is none, or a calendar file is wrong.
    pub fn new(database_url: &str, rules: Rules) -> Result<Self, Error> {
        let wrong =
            |source| Error::Store(Failure { statement: "connect", source: Cause::Url(source) });
        let options: PgConnectOptions = database_url.parse().map_err(wrong)?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options.application_name("office").options(PLANS));
        let calendars = Calendars::load(rules.calendars.as_deref())?;
        Ok(Self { pool, rules: Arc::new(rules), calendars: Arc::new(calendars) })
    }

    /// The pool, for readers such as tests and reports.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Business days by currency.
    #[must_use]
    pub fn calendars(&self) -> &Calendars {
        &self.calendars
    }

    /// Makes the schema or brings it up to date.
    ///
    /// # Errors
    /// When a migration fails.
    pub async fn migrate(&self) -> Result<(), Error> {
        let mut migrator = sqlx::migrate!("../../migrations/office");
        // The database holds other schemas, each with a history of its own.
        migrator.create_schema("office");
        migrator.dangerous_set_table_name("office._migrations");
        let failed =
            |source| Error::Store(Failure { statement: "migrate", source: Cause::Migrate(source) });
        migrator.run(&self.pool).await.map_err(failed)
    }

    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, Error> {
        self.pool.begin().await.map_err(failed("begin"))
    }
}

pub(crate) async fn commit(transaction: Transaction<'_, Postgres>) -> Result<(), Error> {
    transaction.commit().await.map_err(failed("commit"))
}

/// A line of history.
pub(crate) struct Act<'a> {
    pub(crate) verb: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) id: String,
    pub(crate) detail: Value,
    pub(crate) actor: &'a Actor,
    pub(crate) now: OffsetDateTime,
}

pub(crate) async fn act(connection: &mut PgConnection, act: Act<'_>) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO office.acts (at, actor, role, verb, subject, subject_id, detail, participant)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(act.now)
    .bind(act.actor.name())
    .bind(act.actor.role().as_str())
    .bind(act.verb)
    .bind(act.subject)
    .bind(act.id)
    .bind(act.detail)
    .bind(act.actor.participant().map(i64::from))
    .execute(connection)
    .await
    .map_err(failed("write history"))?;
    Ok(())
}

/// One at a time may do this, until its transaction ends.
pub(crate) async fn turn(connection: &mut PgConnection, what: &str) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('causeway.office.' || $1, 0))")
        .bind(what)
        .execute(connection)
        .await
        .map_err(failed("take a turn"))?;
    Ok(())
}

pub(crate) fn column<'r, T>(row: &'r PgRow, name: &'static str) -> Result<T, Error>
where
    T: sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    row.try_get(name).map_err(|_| unreadable(name))
}

/// A number that travels as text, because Postgres has none of its size.
pub(crate) fn parsed<T: std::str::FromStr>(row: &PgRow, name: &'static str) -> Result<T, Error> {
    let text: String = column(row, name)?;
    text.parse().map_err(|_| unreadable(name))
}

pub(crate) fn parsed_or_none<T: std::str::FromStr>(
    row: &PgRow,
    name: &'static str,
) -> Result<Option<T>, Error> {
    let text: Option<String> = column(row, name)?;
    text.map(|text| text.parse().map_err(|_| unreadable(name))).transpose()
}

/// Ids of participants are 32 bits wide.
pub(crate) fn participant(row: &PgRow, name: &'static str) -> Result<u32, Error> {
    let value: i64 = column(row, name)?;
    u32::try_from(value).map_err(|_| unreadable(name))
}

/// A number of rows or of bytes, as Postgres keeps it.
pub(crate) fn counted(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
