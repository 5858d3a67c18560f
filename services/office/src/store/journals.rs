//! Journals compared: what each digest promised, the ledger's rows that agree with it, and of the others the rows that came.

use std::collections::BTreeSet;

use serde_json::json;
use services_iso20022::statement::money;
use sqlx::{PgConnection, postgres::PgRow};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    AccountRow, Act, Matched, Office, act, column, commit, counted, failed, matching, parsed, turn,
};
use crate::{
    actor::Actor,
    bridge::Leg,
    calendar::Calendars,
    error::{DayRefusal, Error},
    journal::{Digest, Row, Rows, Scope, Wanted, invalid},
};

/// What comparing a digest came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Compared {
    pub journal: i64,
    pub revision: i32,
    /// Rows of the journal, and of the ledger.
    pub rows: u64,
    pub ledger_rows: usize,
    pub buckets: usize,
    pub differing: usize,
    /// What is asked for; nothing if all is equal.
    pub wanted: Option<Wanted>,
}

/// What rows that came were taken for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Answered {
    pub journal: i64,
    /// Rows that travelled.
    pub rows: usize,
    pub matched: Matched,
}

/// A journal that was compared.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct JournalRow {
    pub journal: i64,
    pub identification: String,
    pub currency: String,
    pub day: String,
    pub revision: i32,
    pub rows: i64,
    pub differing: i32,
    /// Rows that came; nothing while they are waited for.
    pub travelled: Option<i64>,
    #[serde(with = "time::serde::rfc3339")]
    pub compared_at: OffsetDateTime,
    pub compared_by: String,
}

/// A movement of either book with its row as a journal has it.
struct Own {
    movement: i64,
    state: String,
    row: Row,
}

impl Office {
    /// Compares the digest of a participant's journal with the ledger. Rows of equal buckets agree; those of the others
    /// wait until their rows come.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field, [`Error::NotFound`] without such an account of leg `journal`, [`Error::Day`]
    /// before the day's cut-off; then nothing changed.
    pub async fn journal_compare(
        &self,
        actor: &Actor,
        digest: &Digest,
        now: OffsetDateTime,
    ) -> Result<Compared, Error> {
        actor.may_act()?;
        digest.check()?;
        let account = self.journal_account(actor, &digest.scope).await?;
        let day = digest.scope.date()?;
        over(&self.calendars, &digest.scope, day, now)?;
        self.ledger_read().await?;
        let mut transaction = self.begin().await?;
        turn(&mut transaction, &format!("book journal {}", account.own.participant)).await?;
        let ledger = rows_of(&mut transaction, &account, day, "ledger").await?;
        let own = rows_of(&mut transaction, &account, day, "journal").await?;
        let (differing, ledger) = compared(digest.clone(), ledger).await?;
        let equal = |own: &&Own| !differing.contains(&own.row.bucket(digest.bits));
        let agreed = ledger.iter().filter(equal).filter(|own| own.state != "agreed");
        let agreed: Vec<i64> = agreed.map(|own| own.movement).collect();
        let gone: Vec<i64> = own.iter().filter(equal).map(|own| own.movement).collect();
        settle(&mut transaction, (&agreed, &gone), now).await?;
        let (journal, revision) =
            insert(&mut transaction, (&account, day), digest, &differing, (actor, now)).await?;
        let detail = json!({
            "day": digest.scope.day,
            "revision": revision,
            "rows": digest.rows,
            "differing": differing.len(),
        });
        let id = journal.to_string();
        let line = Act { verb: "compare", subject: "journal", id, detail, actor, now };
        act(&mut transaction, line).await?;
        commit(transaction).await?;
        self.match_all(now).await?;
        Ok(Compared {
            journal,
            revision,
            rows: digest.rows,
            ledger_rows: ledger.len(),
            buckets: 1 << digest.bits,
            differing: differing.len(),
            wanted: (!differing.is_empty()).then(|| digest.wanted(&differing)),
        })
    }

    /// Takes the rows that were asked for, and compares them with the ledger's: each difference is a break.
    ///
    /// # Errors
    /// [`Error::Invalid`] if they are not what the day's newest digest promised, [`Error::Exists`] if they were taken;
    /// then nothing changed.
    pub async fn journal_take(
        &self,
        actor: &Actor,
        rows: &Rows,
        now: OffsetDateTime,
    ) -> Result<Answered, Error> {
        actor.may_act()?;
        let account = self.journal_account(actor, &rows.scope).await?;
        let day = rows.scope.date()?;
        self.ledger_read().await?;
        let mut transaction = self.begin().await?;
        turn(&mut transaction, &format!("book journal {}", account.own.participant)).await?;
        let asked = asked(&mut transaction, (&account, day), rows).await?;
        let came = rows.check(&asked.digest, &asked.differing)?;
        let within = |own: &&Own| asked.differing.contains(&own.row.bucket(asked.digest.bits));
        let known = rows_of(&mut transaction, &account, day, "journal").await?;
        let (gone, new) = replaced(known.iter().filter(within), came);
        settle(&mut transaction, (&[], &gone), now).await?;
        let ledger = rows_of(&mut transaction, &account, day, "ledger").await?;
        let waiting = |own: &&Own| matches!(own.state.as_str(), "awaited" | "agreed");
        let open = ledger.iter().filter(within).filter(waiting).map(|own| own.movement);
        state(&mut transaction, &open.collect::<Vec<_>>(), "open").await?;
        movements_insert(&mut transaction, asked.journal, &account, &new).await?;
        sqlx::query("INSERT INTO office.journal_answers (journal, rows, taken_at, taken_by) VALUES ($1, $2, $3, $4)")
            .bind(asked.journal)
            .bind(counted(u64::try_from(rows.rows.len()).unwrap_or(u64::MAX)))
            .bind(now)
            .bind(actor.name())
            .execute(&mut *transaction)
            .await
            .map_err(failed("keep a journal's answer"))?;
        let detail = json!({ "rows": rows.rows.len(), "new": new.len(), "withdrawn": gone.len() });
        let id = asked.journal.to_string();
        let line = Act { verb: "take", subject: "journal", id, detail, actor, now };
        act(&mut transaction, line).await?;
        commit(transaction).await?;
        let matched = self.match_all(now).await?;
        Ok(Answered { journal: asked.journal, rows: rows.rows.len(), matched })
    }

    /// Journals that were compared, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn journal_list(&self, actor: &Actor, limit: i64) -> Result<Vec<JournalRow>, Error> {
        let rows = sqlx::query(
            "SELECT j.journal, a.identification, a.currency, j.day, j.revision, j.rows, cardinality(j.differing) AS differing,
                r.rows AS travelled, j.compared_at, j.compared_by
             FROM office.journals j JOIN office.accounts a USING (account)
                LEFT JOIN office.journal_answers r USING (journal)
             WHERE $1::bigint IS NULL OR a.participant = $1 ORDER BY j.journal DESC LIMIT $2",
        )
        .bind(actor.participant().map(i64::from))
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list journals"))?;
        let own = |row: &PgRow| {
            Ok(JournalRow {
                journal: column(row, "journal")?,
                identification: column(row, "identification")?,
                currency: column(row, "currency")?,
                day: column::<Date>(row, "day")?.to_string(),
                revision: column(row, "revision")?,
                rows: column(row, "rows")?,
                differing: column(row, "differing")?,
                travelled: column(row, "travelled")?,
                compared_at: column(row, "compared_at")?,
                compared_by: column(row, "compared_by")?,
            })
        };
        rows.iter().map(own).collect()
    }

    async fn journal_account(&self, actor: &Actor, scope: &Scope) -> Result<AccountRow, Error> {
        let same = |row: &AccountRow| {
            let own = &row.own;
            let named = own.identification == scope.account && own.currency == scope.currency;
            own.leg == Leg::Journal && named
        };
        let found = self.accounts(actor).await?.into_iter().find(same);
        let id = format!("{} in {}", scope.account, scope.currency);
        found.ok_or(Error::NotFound { what: "account of leg journal", id })
    }
}

/// A day that is not over has rows to come.
fn over(calendars: &Calendars, scope: &Scope, day: Date, now: OffsetDateTime) -> Result<(), Error> {
    if calendars.cut_off_passed(&scope.currency, day, now) {
        return Ok(());
    }
    let cut_off = calendars.get(&scope.currency).and_then(|own| own.cut_off(day));
    let text = cut_off.map_or_else(|| format!("at the end of {day}"), |at| at.to_string());
    let (currency, day) = (scope.currency.clone(), scope.day.clone());
    Err(Error::Day { currency, day, reason: DayRefusal::CutOff(text) })
}

/// Which buckets differ: a day of a million rows takes seconds.
async fn compared(digest: Digest, ledger: Vec<Own>) -> Result<(BTreeSet<u32>, Vec<Own>), Error> {
    let task = tokio::task::spawn_blocking(move || {
        let rows: Vec<Row> = ledger.iter().map(|own| own.row.clone()).collect();
        digest.differing(&rows).map(|differing| (differing, ledger))
    });
    task.await.map_err(|_| invalid("journal", "comparing failed: report this".to_owned()))?
}

/// What the newest digest of a day promised and what was asked for of it.
struct Asked {
    journal: i64,
    digest: Digest,
    differing: BTreeSet<u32>,
}

async fn asked(
    connection: &mut PgConnection,
    (account, day): (&AccountRow, Date),
    rows: &Rows,
) -> Result<Asked, Error> {
    let row = sqlx::query(
        "SELECT j.journal, j.revision, encode(j.digest, 'hex') AS digest, j.bits, encode(j.buckets, 'hex') AS buckets,
            j.differing, EXISTS (SELECT FROM office.journal_answers r WHERE r.journal = j.journal) AS answered
         FROM office.journals j WHERE j.account = $1 AND j.day = $2 ORDER BY j.revision DESC LIMIT 1",
    )
    .bind(account.account)
    .bind(day)
    .fetch_optional(connection)
    .await
    .map_err(failed("read a journal"))?;
    let id = || format!("{} of {}", rows.scope.account, rows.scope.day);
    let row = row.ok_or_else(|| Error::NotFound { what: "journal", id: id() })?;
    let (digest, revision): (String, i32) = (column(&row, "digest")?, column(&row, "revision")?);
    if digest != rows.digest {
        let reason =
            format!("is not that of revision {revision}, the newest: answer what it asks for");
        return Err(invalid("digest", reason));
    }
    if column(&row, "answered")? {
        return Err(Error::Exists { what: "answer to journal", id: id() });
    }
    let differing: Vec<i32> = column(&row, "differing")?;
    if differing.is_empty() {
        return Err(invalid("rows", "all was equal: none were asked for".to_owned()));
    }
    let bits: i16 = column(&row, "bits")?;
    let digest = Digest {
        journal: rows.journal,
        scope: rows.scope.clone(),
        rows: 0,
        credits: String::new(),
        debits: String::new(),
        bits: u8::try_from(bits).unwrap_or_default(),
        buckets: column(&row, "buckets")?,
    };
    let differing = differing.into_iter().filter_map(|at| u32::try_from(at).ok()).collect();
    Ok(Asked { journal: column(&row, "journal")?, digest, differing })
}

/// Movements of a day that one book told, as rows of a journal.
async fn rows_of(
    connection: &mut PgConnection,
    account: &AccountRow,
    day: Date,
    book: &'static str,
) -> Result<Vec<Own>, Error> {
    let rows = sqlx::query(
        "SELECT movement, state, amount::text AS amount, credit_debit, value_date, uetr, servicer_reference
         FROM office.movements
         WHERE account = $1 AND value_date = $2 AND book = $3 AND state <> 'withdrawn' ORDER BY movement",
    )
    .bind(account.account)
    .bind(day)
    .bind(book)
    .fetch_all(connection)
    .await
    .map_err(failed("read a day's movements"))?;
    let own = |row: &PgRow| {
        let (uetr, reference): (Option<Uuid>, Option<String>) =
            (column(row, "uetr")?, column(row, "servicer_reference")?);
        let side: String = column(row, "credit_debit")?;
        let reference = uetr.map(|uetr| uetr.to_string()).or(reference).unwrap_or_default();
        Ok(Own {
            movement: column(row, "movement")?,
            state: column(row, "state")?,
            row: Row {
                reference: reference.trim().to_owned(),
                amount: parsed(row, "amount")?,
                credit: side == "CRDT",
                value_date: column(row, "value_date")?,
            },
        })
    };
    rows.iter().map(own).collect()
}

/// Which known movements are in no row that came, and which rows are in no known movement; rows may be alike.
fn replaced<'a>(known: impl Iterator<Item = &'a Own>, came: Vec<Row>) -> (Vec<i64>, Vec<Row>) {
    let (mut gone, mut new) = (Vec::new(), came);
    for own in known {
        match new.iter().position(|row| *row == own.row) {
            Some(at) => drop(new.swap_remove(at)),
            None => gone.push(own.movement),
        }
    }
    (gone, new)
}

/// What agrees now and what a journal has no more: their matches are dissolved, their breaks closed, and what else
/// hung on those is open again.
async fn settle(
    connection: &mut PgConnection,
    (agreed, gone): (&[i64], &[i64]),
    now: OffsetDateTime,
) -> Result<(), Error> {
    let touched: Vec<i64> = [agreed, gone].concat();
    if touched.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT DISTINCT match FROM office.movements WHERE movement = ANY($1) AND match IS NOT NULL",
    )
    .bind(&touched)
    .fetch_all(&mut *connection)
    .await
    .map_err(failed("read matches"))?;
    let ids = rows.iter().map(|row| column(row, "match")).collect::<Result<Vec<i64>, _>>()?;
    matching::dissolve(connection, &ids, now).await?;
    let rows = sqlx::query(
        "SELECT DISTINCT break FROM office.break_movements JOIN office.breaks USING (break)
         WHERE movement = ANY($1) AND state <> 'closed' ORDER BY break",
    )
    .bind(&touched)
    .fetch_all(&mut *connection)
    .await
    .map_err(failed("read breaks"))?;
    let service = Actor::service();
    for row in &rows {
        let id: i64 = column(row, "break")?;
        matching::close(connection, id, now).await?;
        let detail = json!({ "resolution": "cause_gone", "now": "the journal tells otherwise" });
        let id = id.to_string();
        let line = Act { verb: "close", subject: "break", id, detail, actor: &service, now };
        act(connection, line).await?;
    }
    let breaks = rows.iter().map(|row| column(row, "break")).collect::<Result<Vec<i64>, _>>()?;
    sqlx::query(
        "UPDATE office.movements SET state = 'open' WHERE state = 'broken'
            AND movement IN (SELECT movement FROM office.break_movements WHERE break = ANY($1))",
    )
    .bind(&breaks)
    .execute(&mut *connection)
    .await
    .map_err(failed("open movements again"))?;
    state(connection, agreed, "agreed").await?;
    state(connection, gone, "withdrawn").await
}

async fn state(
    connection: &mut PgConnection,
    movements: &[i64],
    state: &'static str,
) -> Result<(), Error> {
    sqlx::query("UPDATE office.movements SET state = $2, match = NULL WHERE movement = ANY($1)")
        .bind(movements)
        .bind(state)
        .execute(connection)
        .await
        .map_err(failed("keep states"))?;
    Ok(())
}

async fn insert(
    connection: &mut PgConnection,
    (account, day): (&AccountRow, Date),
    digest: &Digest,
    differing: &BTreeSet<u32>,
    (actor, now): (&Actor, OffsetDateTime),
) -> Result<(i64, i32), Error> {
    let exponent = money::exponent(&digest.scope.currency).unwrap_or(0);
    let (credits, debits) = (
        minor_units("credits", &digest.credits, exponent)?,
        minor_units("debits", &digest.debits, exponent)?,
    );
    let differing = differing.iter().filter_map(|at| i32::try_from(*at).ok());
    let row = sqlx::query(
        "INSERT INTO office.journals (account, day, revision, digest, rows, credits, debits, bits, buckets, differing,
            compared_at, compared_by)
         SELECT $1, $2, coalesce(max(revision), 0) + 1, $3, $4, $5::numeric, $6::numeric, $7, decode($8, 'hex'), $9, $10, $11
         FROM office.journals WHERE account = $1 AND day = $2
         RETURNING journal, revision",
    )
    .bind(account.account)
    .bind(day)
    .bind(digest.id().as_slice())
    .bind(counted(digest.rows))
    .bind(credits)
    .bind(debits)
    .bind(i16::from(digest.bits))
    .bind(&digest.buckets)
    .bind(differing.collect::<Vec<i32>>())
    .bind(now)
    .bind(actor.name())
    .fetch_one(connection)
    .await
    .map_err(failed("keep a journal"))?;
    Ok((column(&row, "journal")?, column(&row, "revision")?))
}

/// A sum of many amounts, as digits of minor units.
fn minor_units(field: &'static str, text: &str, exponent: u8) -> Result<String, Error> {
    let wrong = || invalid(field, format!("{text} is no sum of the currency"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    let good = fraction.len() == usize::from(exponent)
        && (1..=39).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    if good { Ok(digits) } else { Err(wrong()) }
}

async fn movements_insert(
    connection: &mut PgConnection,
    journal: i64,
    account: &AccountRow,
    rows: &[Row],
) -> Result<(), Error> {
    let uetr = |row: &Row| {
        (row.reference.len() == 36).then(|| Uuid::try_parse(&row.reference).ok()).flatten()
    };
    let reference = |row: &Row| {
        let own = row.reference.clone();
        Some(own).filter(|own| uetr(row).is_none() && !own.is_empty())
    };
    let side = |row: &Row| if row.credit { "CRDT" } else { "DBIT" };
    sqlx::query(
        "INSERT INTO office.movements (account, book, journal, amount, currency, credit_debit, value_date, uetr,
            servicer_reference, reversal, state)
         SELECT $1, 'journal', $2, amount::numeric, $3, credit_debit, value_date, uetr, servicer_reference, FALSE, 'open'
         FROM unnest($4::text[], $5::text[], $6::date[], $7::uuid[], $8::text[])
            AS t (amount, credit_debit, value_date, uetr, servicer_reference)",
    )
    .bind(account.account)
    .bind(journal)
    .bind(&account.own.currency)
    .bind(rows.iter().map(|row| row.amount.to_string()).collect::<Vec<_>>())
    .bind(rows.iter().map(side).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.value_date).collect::<Vec<_>>())
    .bind(rows.iter().map(uetr).collect::<Vec<_>>())
    .bind(rows.iter().map(reference).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(failed("keep a journal's rows"))?;
    Ok(())
}
