//! Breaks as people work them: read, assigned, commented, closed and opened again, every act in history.

use serde_json::{Value, json};
use services_iso20022::statement::money;
use sqlx::{PgConnection, postgres::PgRow};
use time::{Date, OffsetDateTime};

use super::{
    Act, AttachmentRow, CorrectionRow, ElsewhereRow, MovementRow, Office, act, column, commit,
    failed, movements, parsed, participant,
};
use crate::{
    actor::Actor,
    breaks::{Resolution, stands_alone},
    day::decimal,
    error::Error,
};

/// A break.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BreakRow {
    #[serde(rename = "break")]
    pub id: i64,
    /// Sent back with every act: it refuses what somebody changed meanwhile.
    pub version: i32,
    pub account: i64,
    pub identification: String,
    pub leg: String,
    pub participant: u32,
    pub currency: String,
    pub cause: String,
    /// Minor units.
    #[serde(serialize_with = "as_text")]
    pub at_risk: u64,
    #[serde(serialize_with = "as_text")]
    pub value_date: Date,
    /// Each reason why two tellings are held for one, with its points.
    pub evidence: Value,
    #[serde(with = "time::serde::rfc3339")]
    pub opened_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    pub owner: Option<String>,
    /// `open`, `proposed`, `approved` or `closed`.
    pub state: String,
    pub suggestion: String,
    pub resolution: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
    /// The break whose movements it took over.
    pub follows: Option<i64>,
}

pub(super) fn as_text<T: ToString, S: serde::Serializer>(
    value: &T,
    out: S,
) -> Result<S::Ok, S::Error> {
    out.serialize_str(&value.to_string())
}

impl BreakRow {
    /// The money at risk as a decimal of its currency.
    #[must_use]
    pub fn at_risk_text(&self) -> String {
        decimal(i128::from(self.at_risk), money::exponent(&self.currency).unwrap_or(0))
    }

    /// Whole days since it was opened.
    #[must_use]
    pub fn age_days(&self, now: OffsetDateTime) -> i64 {
        (self.closed_at.unwrap_or(now) - self.opened_at).whole_days()
    }
}

/// Which breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BreakFilter {
    /// Closed ones too.
    pub all: bool,
    pub currency: Option<String>,
    pub cause: Option<String>,
    pub owner: Option<String>,
    /// Due before then and not closed.
    pub overdue_at: Option<OffsetDateTime>,
    /// Those that follow one with this due time and number in the queue; for pages.
    pub after: Option<(OffsetDateTime, i64)>,
    /// 0 is 10,000.
    pub limit: i64,
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CommentRow {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub author: String,
    pub text: String,
}

/// A line of history.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ActRow {
    pub act: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub actor: String,
    pub role: String,
    pub verb: String,
    pub detail: Value,
}

/// Everything about one break.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Shown {
    #[serde(flatten)]
    pub row: BreakRow,
    pub movements: Vec<MovementRow>,
    /// What other legs say of the same postings, and which book stands alone by that.
    pub elsewhere: Vec<ElsewhereRow>,
    pub stands_alone: Option<&'static str>,
    pub comments: Vec<CommentRow>,
    pub attachments: Vec<AttachmentRow>,
    pub corrections: Vec<CorrectionRow>,
    pub history: Vec<ActRow>,
}

const COLUMNS: &str = "b.break, b.version, b.account, a.identification, a.leg, a.participant, b.currency, b.cause,
    b.at_risk::text AS at_risk, b.value_date, b.evidence, b.opened_at, b.due_at, b.owner, b.state, b.suggestion,
    b.resolution, b.closed_at, b.follows";
/// Breaks of one statement.
pub(super) const LIMIT: i64 = 10_000;

fn break_row(row: &PgRow) -> Result<BreakRow, Error> {
    Ok(BreakRow {
        id: column(row, "break")?,
        version: column(row, "version")?,
        account: column(row, "account")?,
        identification: column(row, "identification")?,
        leg: column(row, "leg")?,
        participant: participant(row, "participant")?,
        currency: column(row, "currency")?,
        cause: column(row, "cause")?,
        at_risk: parsed(row, "at_risk")?,
        value_date: column(row, "value_date")?,
        evidence: column(row, "evidence")?,
        opened_at: column(row, "opened_at")?,
        due_at: column(row, "due_at")?,
        owner: column(row, "owner")?,
        state: column(row, "state")?,
        suggestion: column(row, "suggestion")?,
        resolution: column(row, "resolution")?,
        closed_at: column(row, "closed_at")?,
        follows: column(row, "follows")?,
    })
}

/// A break that is locked until its transaction ends, if the actor sees it and saw this version of it.
pub(super) async fn locked(
    connection: &mut PgConnection,
    actor: &Actor,
    id: i64,
    version: Option<i32>,
) -> Result<BreakRow, Error> {
    let own = fetched(connection, actor, id, "FOR UPDATE OF b").await?;
    match version {
        Some(given) if given != own.version => {
            Err(Error::Stale { what: "break", id, found: own.version, given })
        }
        Some(_) | None => Ok(own),
    }
}

/// A break if the actor sees it.
pub(super) async fn seen(
    connection: &mut PgConnection,
    actor: &Actor,
    id: i64,
) -> Result<BreakRow, Error> {
    fetched(connection, actor, id, "").await
}

async fn fetched(
    connection: &mut PgConnection,
    actor: &Actor,
    id: i64,
    lock: &'static str,
) -> Result<BreakRow, Error> {
    let text = format!(
        "SELECT {COLUMNS} FROM office.breaks b JOIN office.accounts a USING (account) WHERE b.break = $1 {lock}"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(failed("read a break"))?;
    let missing = || Error::NotFound { what: "break", id: id.to_string() };
    let own = break_row(&row.ok_or_else(missing)?)?;
    if actor.sees(own.participant) { Ok(own) } else { Err(missing()) }
}

pub(super) fn wrong_state(own: &BreakRow) -> Error {
    Error::State { what: "break", id: own.id, state: own.state.clone() }
}

impl Office {
    /// Breaks, those due first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn break_list(
        &self,
        actor: &Actor,
        filter: &BreakFilter,
    ) -> Result<Vec<BreakRow>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM office.breaks b JOIN office.accounts a USING (account)
             WHERE ($1 OR b.state <> 'closed') AND ($2::text IS NULL OR b.currency = $2)
                AND ($3::text IS NULL OR b.cause = $3) AND ($4::text IS NULL OR b.owner = $4)
                AND ($5::timestamptz IS NULL OR b.due_at < $5 AND b.state <> 'closed')
                AND ($6::timestamptz IS NULL OR (b.due_at, b.break) > ($6, $9)) AND ($7::bigint IS NULL OR a.participant = $7)
             ORDER BY b.due_at, b.break LIMIT $8"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(filter.all)
            .bind(&filter.currency)
            .bind(&filter.cause)
            .bind(&filter.owner)
            .bind(filter.overdue_at)
            .bind(filter.after.map(|(due_at, _)| due_at))
            .bind(actor.participant().map(i64::from))
            .bind(if filter.limit > 0 { filter.limit } else { LIMIT })
            .bind(filter.after.map(|(_, id)| id))
            .fetch_all(&self.pool)
            .await
            .map_err(failed("list breaks"))?;
        rows.iter().map(break_row).collect()
    }

    /// Breaks by their numbers, as far as the actor sees them.
    pub(super) async fn breaks_named(
        &self,
        actor: &Actor,
        numbers: &[i64],
    ) -> Result<Vec<BreakRow>, Error> {
        let text = format!(
            "SELECT {COLUMNS} FROM office.breaks b JOIN office.accounts a USING (account)
             WHERE b.break = ANY($1) AND ($2::bigint IS NULL OR a.participant = $2)"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(numbers)
            .bind(actor.participant().map(i64::from))
            .fetch_all(&self.pool)
            .await
            .map_err(failed("read breaks"))?;
        rows.iter().map(break_row).collect()
    }

    /// Everything about one break.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another participant's.
    pub async fn break_show(&self, actor: &Actor, id: i64) -> Result<Shown, Error> {
        let mut transaction = self.begin().await?;
        let row = seen(&mut transaction, actor, id).await?;
        let elsewhere = movements::elsewhere(&mut transaction, actor, id).await?;
        let states = elsewhere.iter().map(|own| own.state.as_str());
        Ok(Shown {
            movements: movements::of_break(&mut transaction, id).await?,
            stands_alone: stands_alone(&row.leg, states),
            elsewhere,
            comments: comments(&mut transaction, id).await?,
            attachments: super::attached::list(&mut transaction, id).await?,
            corrections: super::corrections::list(&mut transaction, id).await?,
            history: history(&mut transaction, "break", &id.to_string()).await?,
            row,
        })
    }

    /// Gives a break an owner, or takes it away.
    ///
    /// # Errors
    /// [`Error::Stale`] if somebody changed it meanwhile, [`Error::State`] if it is closed.
    pub async fn break_assign(
        &self,
        actor: &Actor,
        (id, version): (i64, i32),
        owner: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        actor.may_act()?;
        let mut transaction = self.begin().await?;
        assign(&mut transaction, actor, (id, version), owner, now).await?;
        commit(transaction).await
    }

    /// Says something about a break. A comment changes no version.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty one or one over 4,000 letters.
    pub async fn break_comment(
        &self,
        actor: &Actor,
        id: i64,
        text: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        actor.may_act()?;
        let mut transaction = self.begin().await?;
        locked(&mut transaction, actor, id, None).await?;
        comment(&mut transaction, actor, id, text, now).await?;
        commit(transaction).await
    }

    /// Closes a break of which another person has approved a correction.
    ///
    /// # Errors
    /// [`Error::State`] without an approval, [`Error::Stale`].
    pub async fn break_close(
        &self,
        actor: &Actor,
        (id, version): (i64, i32),
        resolution: Resolution,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        actor.may_judge()?;
        let mut transaction = self.begin().await?;
        close(&mut transaction, actor, (id, version), resolution, now).await?;
        commit(transaction).await
    }

    /// Opens a closed break again; what was approved before counts no more.
    ///
    /// # Errors
    /// [`Error::State`] if it is open, or its cause is gone, [`Error::Stale`].
    pub async fn break_reopen(
        &self,
        actor: &Actor,
        (id, version): (i64, i32),
        note: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        actor.may_judge()?;
        let mut transaction = self.begin().await?;
        let own = locked(&mut transaction, actor, id, Some(version)).await?;
        if own.state != "closed" || own.resolution.as_deref() == Some("cause_gone") {
            return Err(wrong_state(&own));
        }
        open_again(&mut transaction, id).await?;
        movement_states(&mut transaction, id, "closed", "broken").await?;
        let detail = json!({ "note": note });
        let line = Act { verb: "reopen", subject: "break", id: id.to_string(), detail, actor, now };
        act(&mut transaction, line).await?;
        commit(transaction).await
    }

    /// The history of anything: of an account, map, file, break, correction or day.
    ///
    /// # Errors
    /// When the database does not answer, or the actor works for one participant.
    pub async fn history(
        &self,
        actor: &Actor,
        subject: &str,
        id: &str,
    ) -> Result<Vec<ActRow>, Error> {
        if actor.participant().is_some() {
            return Ok(Vec::new());
        }
        let mut connection = self.pool.acquire().await.map_err(failed("connect"))?;
        history(&mut connection, subject, id).await
    }
}

pub(super) async fn assign(
    connection: &mut PgConnection,
    actor: &Actor,
    (id, version): (i64, i32),
    owner: Option<&str>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let own = locked(connection, actor, id, Some(version)).await?;
    if own.state == "closed" {
        return Err(wrong_state(&own));
    }
    let owner = owner.map(|owner| owner.trim().to_lowercase()).filter(|owner| !owner.is_empty());
    sqlx::query("UPDATE office.breaks SET owner = $2, version = version + 1 WHERE break = $1")
        .bind(id)
        .bind(&owner)
        .execute(&mut *connection)
        .await
        .map_err(failed("assign a break"))?;
    let detail = json!({ "from": own.owner, "to": owner });
    let line = Act { verb: "assign", subject: "break", id: id.to_string(), detail, actor, now };
    act(connection, line).await
}

pub(super) async fn comment(
    connection: &mut PgConnection,
    actor: &Actor,
    id: i64,
    text: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 4_000 {
        let reason = "must have 1 to 4,000 letters".to_owned();
        return Err(Error::Invalid { field: "comment", reason });
    }
    sqlx::query("INSERT INTO office.comments (break, at, author, text) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(now)
        .bind(actor.name())
        .bind(text)
        .execute(&mut *connection)
        .await
        .map_err(failed("keep a comment"))?;
    let detail = json!({ "letters": text.chars().count() });
    let line = Act { verb: "comment", subject: "break", id: id.to_string(), detail, actor, now };
    act(connection, line).await
}

pub(super) async fn close(
    connection: &mut PgConnection,
    actor: &Actor,
    (id, version): (i64, i32),
    resolution: Resolution,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let own = locked(connection, actor, id, Some(version)).await?;
    if own.state != "approved" {
        return Err(wrong_state(&own));
    }
    sqlx::query(
        "UPDATE office.breaks SET state = 'closed', resolution = $2, closed_at = $3, version = version + 1
         WHERE break = $1",
    )
    .bind(id)
    .bind(resolution.as_str())
    .bind(now)
    .execute(&mut *connection)
    .await
    .map_err(failed("close a break"))?;
    movement_states(connection, id, "broken", "closed").await?;
    let detail = json!({ "resolution": resolution.as_str() });
    let line = Act { verb: "close", subject: "break", id: id.to_string(), detail, actor, now };
    act(connection, line).await
}

async fn movement_states(
    connection: &mut PgConnection,
    id: i64,
    from: &'static str,
    to: &'static str,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE office.movements m SET state = $3 FROM office.break_movements b
         WHERE b.break = $1 AND b.movement = m.movement AND m.state = $2",
    )
    .bind(id)
    .bind(from)
    .bind(to)
    .execute(connection)
    .await
    .map_err(failed("keep states"))?;
    Ok(())
}

async fn comments(connection: &mut PgConnection, id: i64) -> Result<Vec<CommentRow>, Error> {
    let rows = sqlx::query(
        "SELECT at, author, text FROM office.comments WHERE break = $1 ORDER BY comment",
    )
    .bind(id)
    .fetch_all(connection)
    .await
    .map_err(failed("read comments"))?;
    let own = |row: &PgRow| {
        Ok(CommentRow {
            at: column(row, "at")?,
            author: column(row, "author")?,
            text: column(row, "text")?,
        })
    };
    rows.iter().map(own).collect()
}

async fn history(
    connection: &mut PgConnection,
    subject: &str,
    id: &str,
) -> Result<Vec<ActRow>, Error> {
    let rows = sqlx::query(
        "SELECT act, at, actor, role, verb, detail FROM office.acts WHERE subject = $1 AND subject_id = $2
         ORDER BY act",
    )
    .bind(subject)
    .bind(id)
    .fetch_all(connection)
    .await
    .map_err(failed("read history"))?;
    let own = |row: &PgRow| {
        Ok(ActRow {
            act: column(row, "act")?,
            at: column(row, "at")?,
            actor: column(row, "actor")?,
            role: column(row, "role")?,
            verb: column(row, "verb")?,
            detail: column(row, "detail")?,
        })
    };
    rows.iter().map(own).collect()
}

/// Opens a break again; corrections that are settled settle nothing more of it.
pub(super) async fn open_again(connection: &mut PgConnection, id: i64) -> Result<(), Error> {
    sqlx::query(
        "UPDATE office.breaks SET state = 'open', resolution = NULL, closed_at = NULL, version = version + 1,
            settled_corrections = coalesce((SELECT max(correction) FROM office.corrections c
                WHERE c.break = breaks.break), 0)
         WHERE break = $1",
    )
    .bind(id)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed("open a break again"))
}
