//! History as auditors read it, and the acts that change no table of the office: who signed in, opened personal data,
//! took a file away.

use serde_json::Value;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use super::{Act, Office, act, column, failed};
use crate::{actor::Actor, error::Error};

/// A line of history with what it was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub act: i64,
    pub at: OffsetDateTime,
    pub actor: String,
    pub role: String,
    /// For whom the actor works; none for the network.
    pub participant: Option<u32>,
    pub verb: String,
    pub subject: String,
    pub subject_id: String,
    pub detail: Value,
}

/// Which lines, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub actor: Option<String>,
    pub verb: Option<String>,
    pub subject: Option<String>,
    pub subject_id: Option<String>,
    /// Older than this act; for pages.
    pub before: Option<i64>,
    pub limit: i64,
}

/// What a person does that changes no other table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    SignIn,
    SignOut,
    /// Opens the personal data of a transfer.
    Unseal,
    /// Takes a file away.
    Download,
}

impl Deed {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignOut => "sign_out",
            Self::Unseal => "unseal",
            Self::Download => "download",
        }
    }
}

/// Lines that one page looks at: a filter that fits few of them ends there, and goes on with the next page.
const SCANNED_MAX: i64 = 20_000;

impl Office {
    /// Writes a line of history before what it tells of is done.
    ///
    /// # Errors
    /// When the database does not answer: then it must not be done.
    pub async fn deed(
        &self,
        actor: &Actor,
        deed: Deed,
        (subject, id): (&'static str, String),
        detail: Value,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let mut connection = self.pool.acquire().await.map_err(failed("connect"))?;
        let line = Act { verb: deed.as_str(), subject, id, detail, actor, now };
        act(&mut connection, line).await
    }

    /// History, newest first: all of it for who works for the network, else what the participant's own people did.
    /// Gives the number of the last line that was looked at, from which to go on; none at the end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
    ) -> Result<(Vec<AuditRow>, Option<i64>), Error> {
        // Which index is read must not depend on a plan made for other questions.
        let own = match actor.participant() {
            Some(_) => "participant = $1",
            None => "$1::bigint IS NULL",
        };
        let by = if filter.actor.is_some() { "actor = $2" } else { "$2::text IS NULL" };
        let text = format!(
            "WITH looked AS MATERIALIZED (
                SELECT * FROM office.acts WHERE {own} AND {by} AND act < $3 ORDER BY act DESC LIMIT $8),
             found AS (SELECT * FROM looked WHERE ($4::text IS NULL OR verb = $4)
                AND ($5::text IS NULL OR subject = $5) AND ($6::text IS NULL OR subject_id = $6)
                ORDER BY act DESC LIMIT $7)
             SELECT f.*, (SELECT CASE WHEN count(*) = $8 THEN min(act) END FROM looked) AS last
             FROM (SELECT) one LEFT JOIN found f ON TRUE ORDER BY f.act DESC"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(actor.participant().map(i64::from))
            .bind(&filter.actor)
            .bind(filter.before.unwrap_or(i64::MAX))
            .bind(&filter.verb)
            .bind(&filter.subject)
            .bind(&filter.subject_id)
            .bind(filter.limit)
            .bind(SCANNED_MAX)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("read history"))?;
        let last: Option<i64> = match rows.first() {
            Some(row) => column(row, "last")?,
            None => None,
        };
        let found = rows.iter().filter_map(|row| audit_row(row).transpose());
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let full = i64::try_from(found.len()).unwrap_or(i64::MAX) >= filter.limit;
        let next = if full { found.last().map(|row| row.act) } else { last };
        Ok((found, next))
    }
}

fn audit_row(row: &PgRow) -> Result<Option<AuditRow>, Error> {
    let Some(act) = column::<Option<i64>>(row, "act")? else { return Ok(None) };
    let participant: Option<i64> = column(row, "participant")?;
    Ok(Some(AuditRow {
        act,
        at: column(row, "at")?,
        actor: column(row, "actor")?,
        role: column(row, "role")?,
        participant: participant.and_then(|id| u32::try_from(id).ok()),
        verb: column(row, "verb")?,
        subject: column(row, "subject")?,
        subject_id: column(row, "subject_id")?,
        detail: column(row, "detail")?,
    }))
}
