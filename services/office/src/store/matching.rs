//! Movements laid side by side: what is open is read, compared, and what changed is written, in one SQL transaction.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use services_matching::Rules;
use sqlx::{PgConnection, postgres::PgRow};
use time::{Date, OffsetDateTime};

use super::{Act, Office, act, column, commit, failed, parsed, parsed_or_none, turn, unreadable};
use crate::{
    actor::Actor,
    breaks,
    bridge::Leg,
    error::Error,
    outcome::{self, Changes, Context, NewBreak, Part, State, Stored, StoredBreak},
};

/// Everything that is compared is found by its key, one by one, however few rows Postgres believes in: of a day that just
/// came in it has counted none, and a plan for what it believes took minutes where this takes seconds. `OFFSET 0` keeps a
/// subquery from being joined another way.
const BY_KEY: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;
    SET LOCAL enable_mergejoin = off; SET LOCAL max_parallel_workers_per_gather = 0";

/// No book says anything of another: while one is written, the next is read and compared.
const BOOKS_AT_ONCE: usize = 2;

/// What a run changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Matched {
    pub compared: usize,
    pub matches: usize,
    pub dissolved: usize,
    pub opened: usize,
    /// Breaks whose cause was gone.
    pub closed: usize,
    /// Breaks that are back.
    pub back: usize,
}

impl Matched {
    const fn of(compared: usize, changes: &Changes) -> Self {
        Self {
            compared,
            matches: changes.matches.len(),
            dissolved: changes.dissolved.len(),
            opened: changes.opened.len(),
            closed: changes.closed.len(),
            back: changes.back.len(),
        }
    }

    const fn with(self, other: Self) -> Self {
        Self {
            compared: self.compared + other.compared,
            matches: self.matches + other.matches,
            dissolved: self.dissolved + other.dissolved,
            opened: self.opened + other.opened,
            closed: self.closed + other.closed,
            back: self.back + other.back,
        }
    }

    /// Whether anything changed.
    #[must_use]
    pub const fn changed(&self) -> bool {
        self.matches + self.dissolved + self.opened + self.closed + self.back > 0
    }
}

impl Office {
    /// Compares every book with the ledger: what is open, and what shares a reference with it. A second run changes
    /// nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn match_all(&self, now: OffsetDateTime) -> Result<Matched, Error> {
        let books = sqlx::query(
            "SELECT DISTINCT leg, participant FROM office.accounts ORDER BY leg, participant",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list books"))?;
        let books =
            books.iter().map(|book| Ok((column(book, "leg")?, column(book, "participant")?)));
        let books = books.collect::<Result<Vec<(String, i64)>, Error>>()?;
        let compared = stream::iter(books)
            .map(|(leg, participant)| async move { self.match_book(&leg, participant, now).await });
        let all: Vec<Matched> = compared.buffer_unordered(BOOKS_AT_ONCE).try_collect().await?;
        Ok(all.into_iter().fold(Matched::default(), Matched::with))
    }

    async fn match_book(
        &self,
        leg: &str,
        participant: i64,
        now: OffsetDateTime,
    ) -> Result<Matched, Error> {
        let mut transaction = self.begin().await?;
        turn(&mut transaction, &format!("book {leg} {participant}")).await?;
        sqlx::raw_sql(BY_KEY).execute(&mut *transaction).await.map_err(failed("plan by key"))?;
        let context = self.context(&mut transaction, leg, participant, now).await?;
        if !news(&mut transaction, leg, participant, &context).await? {
            return Ok(Matched::default());
        }
        let stored = stored(&mut transaction, leg, participant).await?;
        let breaks = stored_breaks(&mut transaction, &stored).await?;
        // A day of a million movements takes seconds.
        let count = stored.len();
        let task =
            tokio::task::spawn_blocking(move || outcome::changes(&stored, &breaks, &context));
        let failed =
            |_| Error::Invalid { field: "matching", reason: "it failed: report this".to_owned() };
        let changes = task.await.map_err(failed)?;
        if !changes.is_empty() {
            let leg = Leg::of(leg).ok_or_else(|| unreadable("leg"))?;
            self.write(&mut transaction, leg, &changes, now).await?;
        }
        commit(transaction).await?;
        Ok(Matched::of(count, &changes))
    }

    async fn context(
        &self,
        connection: &mut PgConnection,
        leg: &str,
        participant: i64,
        now: OffsetDateTime,
    ) -> Result<Context, Error> {
        let rows = sqlx::query(
            "SELECT a.account, a.value_date_days, a.search_days, a.charges_max::text AS charges_max,
                coalesce((SELECT max(s.to_day) FROM office.statements s
                    WHERE s.account = a.account AND s.kind = a.compared),
                    (SELECT max(m.value_date) FROM office.movements m
                    WHERE m.account = a.account AND m.book = 'statement' AND a.compared <> 'statement')) AS covered
             FROM office.accounts a WHERE a.leg = $1 AND a.participant = $2",
        )
        .bind(leg)
        .bind(participant)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed("read the books' rules"))?;
        let mut context = Context::default();
        let mut rules = Rules { search_days: 0, ..Rules::default() };
        for row in &rows {
            let days = |name| -> Result<u16, Error> {
                u16::try_from(column::<i16>(row, name)?).map_err(|_| unreadable(name))
            };
            // Accounts of one servicer are compared together, by the widest of their rules.
            rules.value_date_days = rules.value_date_days.max(days("value_date_days")?);
            rules.search_days = rules.search_days.max(days("search_days")?);
            rules.charges_max = rules.charges_max.max(parsed(row, "charges_max")?);
            if let Some(day) = column::<Option<Date>>(row, "covered")? {
                context.covered.insert(column(row, "account")?, day);
            }
        }
        context.rules = rules;
        if leg == Leg::Journal.as_str() {
            context.told = told(connection, participant).await?;
        }
        // Each book has an index of its own.
        let book = if leg == Leg::Journal.as_str() { "journal" } else { "statement" };
        let text = format!(
            "SELECT DISTINCT m.account, m.currency, m.value_date
             FROM office.movements m JOIN office.accounts a USING (account)
             WHERE a.leg = $1 AND a.participant = $2 AND m.book = '{book}'
                AND m.state IN ('open', 'awaited', 'broken')"
        );
        let told = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(leg)
            .bind(participant)
            .fetch_all(connection)
            .await
            .map_err(failed("read what statements told"))?;
        for row in &told {
            let (currency, day): (String, Date) =
                (column(row, "currency")?, column(row, "value_date")?);
            if !self.calendars.cut_off_passed(&currency, day, now) {
                context.ledger_open.insert((column(row, "account")?, day));
            }
        }
        Ok(context)
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        leg: Leg,
        changes: &Changes,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        dissolve(connection, &changes.dissolved, now).await?;
        states(connection, &changes.states).await?;
        matches_insert(connection, changes, now).await?;
        let service = Actor::service();
        for id in &changes.closed {
            close(connection, *id, now).await?;
            let follower = changes.opened.iter().find(|own| own.follows == Some(*id));
            let note = follower.map(|own| own.cause.as_str());
            let detail = json!({ "resolution": "cause_gone", "now": note });
            let line = Act {
                verb: "close",
                subject: "break",
                id: id.to_string(),
                detail,
                actor: &service,
                now,
            };
            act(connection, line).await?;
        }
        for id in &changes.back {
            super::breaks::open_again(connection, *id).await?;
            let detail = json!({ "note": "its cause is back" });
            let line = Act {
                verb: "reopen",
                subject: "break",
                id: id.to_string(),
                detail,
                actor: &service,
                now,
            };
            act(connection, line).await?;
        }
        for opened in &changes.opened {
            self.open(connection, leg, opened, now).await?;
        }
        Ok(())
    }

    async fn open(
        &self,
        connection: &mut PgConnection,
        leg: Leg,
        own: &NewBreak,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let row = sqlx::query(
            "INSERT INTO office.breaks (identity, account, currency, cause, at_risk, value_date, evidence, opened_at,
                due_at, state, suggestion, follows, owner)
             VALUES ($1, $2, $3, $4, $5::numeric, $6, $7, $8, $9, 'open', $10, $11,
                (SELECT owner FROM office.breaks WHERE break = $11))
             RETURNING break",
        )
        .bind(&own.identity)
        .bind(own.account)
        .bind(&own.currency)
        .bind(own.cause.as_str())
        .bind(own.at_risk.to_string())
        .bind(own.value_date)
        .bind(explained(&own.evidence))
        .bind(now)
        .bind(breaks::due_at(own.cause, now, &self.rules))
        .bind(breaks::suggestion(own.cause, leg, own.credit).as_str())
        .bind(own.follows)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("open a break"))?;
        let id: i64 = column(&row, "break")?;
        sqlx::query(
            "INSERT INTO office.break_movements (break, movement) SELECT $1, unnest($2::bigint[])",
        )
        .bind(id)
        .bind(&own.movements)
        .execute(&mut *connection)
        .await
        .map_err(failed("keep a break's movements"))?;
        let detail = json!({ "cause": own.cause.as_str(), "at_risk": own.at_risk.to_string(), "follows": own.follows });
        let service = Actor::service();
        let line = Act {
            verb: "open",
            subject: "break",
            id: id.to_string(),
            detail,
            actor: &service,
            now,
        };
        act(connection, line).await
    }
}

/// The days that a participant's journals have told of each account.
async fn told(
    connection: &mut PgConnection,
    participant: i64,
) -> Result<BTreeMap<i64, BTreeSet<Date>>, Error> {
    let rows = sqlx::query(
        "SELECT a.account, ARRAY(SELECT DISTINCT j.day FROM office.journals j
            WHERE j.account = a.account AND (j.differing = '{}'
                OR EXISTS (SELECT FROM office.journal_answers r WHERE r.journal = j.journal))) AS days
         FROM office.accounts a WHERE a.leg = 'journal' AND a.participant = $1",
    )
    .bind(participant)
    .fetch_all(connection)
    .await
    .map_err(failed("read what journals told"))?;
    let own = |row: &PgRow| {
        let days: Vec<Date> = column(row, "days")?;
        Ok((column(row, "account")?, days.into_iter().collect()))
    };
    rows.iter().map(own).collect()
}

/// Whether a book is to be compared: something in it is new, or a day, a cut-off or a rule is. Remembers under what.
async fn news(
    connection: &mut PgConnection,
    leg: &str,
    participant: i64,
    context: &Context,
) -> Result<bool, Error> {
    let Context { covered, told, ledger_open, rules } = context;
    let under = format!("{covered:?} {told:?} {ledger_open:?} {rules:?}");
    let row = sqlx::query(
        "SELECT EXISTS (SELECT FROM office.movements m JOIN office.accounts a USING (account)
                WHERE a.leg = $1 AND a.participant = $2 AND m.state = 'open') AS open,
            EXISTS (SELECT FROM office.books b WHERE b.leg = $1 AND b.participant = $2 AND b.compared = $3) AS same",
    )
    .bind(leg)
    .bind(participant)
    .bind(&under)
    .fetch_one(&mut *connection)
    .await
    .map_err(failed("look for news"))?;
    if column(&row, "same")? {
        return column(&row, "open");
    }
    sqlx::query(
        "INSERT INTO office.books (leg, participant, compared) VALUES ($1, $2, $3)
         ON CONFLICT (leg, participant) DO UPDATE SET compared = $3",
    )
    .bind(leg)
    .bind(participant)
    .bind(&under)
    .execute(connection)
    .await
    .map_err(failed("remember under what was compared"))?;
    Ok(true)
}

fn explained(evidence: &[(&'static str, u16)]) -> Value {
    evidence.iter().map(|(reason, points)| json!({ "reason": reason, "points": points })).collect()
}

/// What is open in a book, what shares a reference with it, and what hangs on that by a match or a break.
async fn stored(
    connection: &mut PgConnection,
    leg: &str,
    participant: i64,
) -> Result<Vec<Stored>, Error> {
    let rows = sqlx::query(
        "WITH own AS (SELECT account FROM office.accounts WHERE leg = $1 AND participant = $2),
         base AS (SELECT m.* FROM office.movements m JOIN own USING (account)
            WHERE m.state IN ('open', 'awaited', 'broken')),
         shared AS (
            SELECT o.movement FROM base b CROSS JOIN LATERAL (SELECT movement FROM office.movements
                WHERE uetr IN (b.uetr, b.returns) AND state IN ('matched', 'closed') OFFSET 0) o
            UNION SELECT o.movement FROM base b CROSS JOIN LATERAL (SELECT movement FROM office.movements
                WHERE end_to_end_id = b.end_to_end_id AND state IN ('matched', 'closed') OFFSET 0) o
            UNION SELECT o.movement FROM base b CROSS JOIN LATERAL (SELECT movement FROM office.movements
                WHERE servicer_reference = b.servicer_reference AND state IN ('matched', 'closed') OFFSET 0) o
            UNION SELECT movement FROM base),
         hung AS (
            SELECT movement FROM shared
            UNION SELECT o.movement FROM shared s
                CROSS JOIN LATERAL (SELECT break FROM office.break_movements WHERE movement = s.movement OFFSET 0) b
                CROSS JOIN LATERAL (SELECT movement FROM office.break_movements WHERE break = b.break OFFSET 0) o),
         whole AS (
            SELECT movement FROM hung
            UNION SELECT o.movement FROM hung h
                CROSS JOIN LATERAL (SELECT match FROM office.movements WHERE movement = h.movement OFFSET 0) m
                CROSS JOIN LATERAL (SELECT movement FROM office.movements WHERE match = m.match OFFSET 0) o)
         SELECT m.movement, m.account, m.book, m.amount::text AS amount, m.currency, m.credit_debit, m.value_date,
            m.uetr, m.end_to_end_id, m.servicer_reference, m.party, m.batch, m.reversal, m.returns,
            m.charges::text AS charges, m.parts, m.state, m.match
         FROM whole w CROSS JOIN LATERAL (SELECT * FROM office.movements WHERE movement = w.movement OFFSET 0) m
            JOIN own USING (account)
         WHERE m.state NOT IN ('agreed', 'withdrawn')
         ORDER BY m.movement",
    )
    .bind(leg)
    .bind(participant)
    .fetch_all(connection)
    .await
    .map_err(failed("read open movements"))?;
    rows.iter().map(movement).collect()
}

fn movement(row: &PgRow) -> Result<Stored, Error> {
    let (book, side): (String, String) = (column(row, "book")?, column(row, "credit_debit")?);
    let state: String = column(row, "state")?;
    Ok(Stored {
        movement: column(row, "movement")?,
        account: column(row, "account")?,
        ledger: book == "ledger",
        amount: parsed(row, "amount")?,
        currency: column(row, "currency")?,
        credit: side == "CRDT",
        value_date: column(row, "value_date")?,
        uetr: column(row, "uetr")?,
        end_to_end_id: column(row, "end_to_end_id")?,
        servicer_reference: column(row, "servicer_reference")?,
        party: column(row, "party")?,
        batch: column(row, "batch")?,
        reversal: column(row, "reversal")?,
        returns: column(row, "returns")?,
        charges: parsed_or_none(row, "charges")?.unwrap_or(0),
        parts: parts(&column(row, "parts")?)?,
        state: State::of(&state).ok_or_else(|| unreadable("state"))?,
        matched: column(row, "match")?,
    })
}

/// Parts of an entry, as they were kept.
fn parts(value: &Option<Value>) -> Result<Vec<Part>, Error> {
    let part = |own: &Value| {
        let uetr = own.get(0)?.as_str()?.parse().ok()?;
        Some(Part { uetr, amount: own.get(1)?.as_str()?.parse().ok()? })
    };
    let all = value.as_ref().and_then(Value::as_array).into_iter().flatten();
    all.map(|own| part(own).ok_or_else(|| unreadable("parts"))).collect()
}

async fn stored_breaks(
    connection: &mut PgConnection,
    stored: &[Stored],
) -> Result<Vec<StoredBreak>, Error> {
    let movements: Vec<i64> = stored.iter().map(|own| own.movement).collect();
    let rows = sqlx::query(
        "SELECT b.break, b.identity, b.at_risk::text AS at_risk, b.state <> 'closed' AS open,
            coalesce(b.resolution = 'cause_gone', FALSE) AS gone, array_agg(bm.movement) AS movements
         FROM office.breaks b JOIN office.break_movements bm USING (break)
         WHERE b.break IN (SELECT break FROM office.break_movements WHERE movement = ANY($1))
         GROUP BY b.break ORDER BY b.break",
    )
    .bind(&movements)
    .fetch_all(connection)
    .await
    .map_err(failed("read breaks"))?;
    let own = |row: &PgRow| {
        Ok(StoredBreak {
            id: column(row, "break")?,
            identity: column(row, "identity")?,
            at_risk: parsed(row, "at_risk")?,
            open: column(row, "open")?,
            gone: column(row, "gone")?,
            movements: column(row, "movements")?,
        })
    };
    let breaks = rows.iter().map(own).collect::<Result<Vec<StoredBreak>, Error>>()?;
    // One that reaches beyond what was read is not judged by a part of it.
    let read: BTreeSet<i64> = movements.into_iter().collect();
    Ok(breaks
        .into_iter()
        .filter(|own| own.movements.iter().all(|one| read.contains(one)))
        .collect())
}

pub(super) async fn dissolve(
    connection: &mut PgConnection,
    matches: &[i64],
    now: OffsetDateTime,
) -> Result<(), Error> {
    if matches.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO office.match_movements (match, movement)
         SELECT match, movement FROM office.movements WHERE match = ANY($1) ON CONFLICT DO NOTHING",
    )
    .bind(matches)
    .execute(&mut *connection)
    .await
    .map_err(failed("keep what matches held"))?;
    sqlx::query("UPDATE office.movements SET state = 'open', match = NULL WHERE match = ANY($1)")
        .bind(matches)
        .execute(&mut *connection)
        .await
        .map_err(failed("free movements"))?;
    sqlx::query("UPDATE office.matches SET dissolved_at = $2 WHERE match = ANY($1)")
        .bind(matches)
        .bind(now)
        .execute(connection)
        .await
        .map_err(failed("dissolve matches"))?;
    Ok(())
}

async fn states(connection: &mut PgConnection, states: &[(i64, State)]) -> Result<(), Error> {
    if states.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE office.movements m SET state = t.state, match = NULL
         FROM unnest($1::bigint[], $2::text[]) AS t (movement, state) WHERE m.movement = t.movement",
    )
    .bind(states.iter().map(|(movement, _)| *movement).collect::<Vec<_>>())
    .bind(states.iter().map(|(_, state)| state.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(failed("keep states"))?;
    Ok(())
}

async fn matches_insert(
    connection: &mut PgConnection,
    changes: &Changes,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let count = i64::try_from(changes.matches.len()).unwrap_or(i64::MAX);
    if count == 0 {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT nextval(pg_get_serial_sequence('office.matches', 'match')) AS match FROM generate_series(1, $1)",
    )
    .bind(count)
    .fetch_all(&mut *connection)
    .await
    .map_err(failed("number matches"))?;
    let ids = rows.iter().map(|row| column(row, "match")).collect::<Result<Vec<i64>, _>>()?;
    let all = &changes.matches;
    sqlx::query(
        "INSERT INTO office.matches (match, account, score, evidence, made_at) OVERRIDING SYSTEM VALUE
         SELECT match, account, score, evidence, $5
         FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::jsonb[]) AS t (match, account, score, evidence)",
    )
    .bind(&ids)
    .bind(all.iter().map(|one| one.account).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.score).collect::<Vec<_>>())
    .bind(all.iter().map(|one| explained(&one.evidence)).collect::<Vec<Value>>())
    .bind(now)
    .execute(&mut *connection)
    .await
    .map_err(failed("keep matches"))?;
    let pairs =
        ids.iter().zip(all).flat_map(|(id, one)| one.movements.iter().map(|own| (*id, *own)));
    let pairs: BTreeMap<i64, i64> = pairs.map(|(id, movement)| (movement, id)).collect();
    let (movements, matches): (Vec<i64>, Vec<i64>) = pairs.into_iter().unzip();
    sqlx::query(
        "UPDATE office.movements m SET state = 'matched', match = t.match
         FROM unnest($1::bigint[], $2::bigint[]) AS t (movement, match) WHERE m.movement = t.movement",
    )
    .bind(movements)
    .bind(matches)
    .execute(connection)
    .await
    .map_err(failed("keep matched movements"))?;
    Ok(())
}

pub(super) async fn close(
    connection: &mut PgConnection,
    id: i64,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE office.breaks SET state = 'closed', resolution = 'cause_gone', closed_at = $2, version = version + 1
         WHERE break = $1",
    )
    .bind(id)
    .bind(now)
    .execute(connection)
    .await
    .map_err(failed("close a break"))?;
    Ok(())
}
