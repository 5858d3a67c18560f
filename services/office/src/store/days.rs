//! Days closed per currency: everything must tie out, or the day stays open and says why.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, postgres::PgRow};
use time::{Date, OffsetDateTime};

use super::{Act, Office, act, column, commit, day_rows, failed, parsed, turn};
use crate::{
    actor::Actor,
    day::{Books, Carried, decimal},
    documents::{self, Document},
    error::{DayRefusal, Error},
};

/// A day to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    pub currency: String,
    pub day: Date,
    /// The last record of the day; absent: the last of those stamped before the cut-off.
    pub up_to: Option<i64>,
}

/// A closed day, or one as it would be closed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DayRow {
    pub currency: String,
    pub day: String,
    pub after: i64,
    pub up_to: i64,
    /// Σ balances, equal to the custodian's closing balance.
    pub balances: String,
    pub statement: i64,
    pub report: Value,
    /// SHA-256 of the report.
    pub digest: String,
    pub documents: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub closed_at: OffsetDateTime,
    pub closed_by: String,
}

/// A document of a closed day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRow {
    pub name: String,
    pub participant: Option<u32>,
    pub bytes: Vec<u8>,
}

struct Closing {
    books: Books,
    statement: i64,
    report: Value,
    digest: [u8; 32],
    /// Names of its documents.
    names: Vec<String>,
}

impl Office {
    /// What closing a day would say, and change nothing. Reads the ledger's rows forward first.
    ///
    /// # Errors
    /// [`Error::Day`] with what keeps it open.
    pub async fn day_preview(
        &self,
        actor: &Actor,
        close: &Close,
        now: OffsetDateTime,
    ) -> Result<DayRow, Error> {
        actor.may_read_all()?;
        let mut transaction = self.begin().await?;
        let closing = self.closing(&mut transaction, close, now).await?;
        Ok(shown(close, &closing, (actor, now)))
    }

    /// Closes a day: up to one record, for ever.
    ///
    /// # Errors
    /// [`Error::Day`] with what keeps it open; then nothing changed.
    pub async fn day_close(
        &self,
        actor: &Actor,
        close: &Close,
        now: OffsetDateTime,
    ) -> Result<DayRow, Error> {
        actor.may_judge()?;
        actor.may_keep()?;
        // So that breaks which the newest rows make are known.
        self.ledger_read().await?;
        self.match_all(now).await?;
        let mut transaction = self.begin().await?;
        turn(&mut transaction, &format!("day {}", close.currency)).await?;
        let closing = self.closing(&mut transaction, close, now).await?;
        let documents = self.documents(&mut transaction, &closing.books, now).await?;
        insert(&mut transaction, close, &closing, (actor, now)).await?;
        insert_documents(&mut transaction, close, &documents).await?;
        let detail = json!({
            "up_to": closing.books.up_to,
            "balances": closing.books.text(closing.books.balances()),
            "digest": hex::encode(closing.digest),
        });
        let id = format!("{} {}", close.currency, close.day);
        act(&mut transaction, Act { verb: "close", subject: "day", id, detail, actor, now })
            .await?;
        commit(transaction).await?;
        Ok(shown(close, &closing, (actor, now)))
    }

    async fn closing(
        &self,
        connection: &mut PgConnection,
        close: &Close,
        now: OffsetDateTime,
    ) -> Result<Closing, Error> {
        let currency = close.currency.as_str();
        let refuse = |reason| Error::Day {
            currency: currency.to_owned(),
            day: close.day.to_string(),
            reason,
        };
        let cut_off = self.business(close, now).map_err(refuse)?;
        let (exponent, custodian) = day_rows::currency(connection, currency).await?;
        let former = day_rows::former(connection, currency).await?;
        let (mut after, mut carried) = (-1, Carried::default());
        if let Some(former) = former {
            self.follows(close, former.day).map_err(refuse)?;
            let altered = || refuse(DayRefusal::FormerAltered(former.day.to_string()));
            carried = former.carried(exponent).ok_or_else(altered)?;
            after = former.up_to;
        }
        let up_to = last_record(connection, close.up_to, after, cut_off).await?.map_err(refuse)?;
        let told = day_rows::told(connection, currency, close.day).await?;
        let told = told.ok_or_else(|| refuse(DayRefusal::StatementMissing))?;
        if told.arithmetic == "fails" {
            let words = "opening balance plus entries is not the closing balance".to_owned();
            return Err(refuse(DayRefusal::Findings(words)));
        }
        let of = (currency, exponent, custodian);
        let mut books = day_rows::books(connection, of, (after, up_to), &carried).await?;
        (books.day, books.number) = (Some(close.day), number(connection, currency).await?);
        let balances = books.balances();
        if balances != told.closing {
            return Err(refuse(DayRefusal::Mismatch {
                ledger: books.text(balances),
                statement: books.text(told.closing),
                off: books.text(balances - told.closing),
            }));
        }
        self.breaks_allow(connection, close, books.exponent).await?.map_err(refuse)?;
        let report = books.report(&self.rules);
        let names = documents::names(&books, &books.moves(&self.rules));
        let digest = Sha256::digest(report.to_string()).into();
        Ok(Closing { books, statement: told.statement, report, digest, names })
    }

    /// What only a day that is closed is read leg by leg for.
    async fn documents(
        &self,
        connection: &mut PgConnection,
        books: &Books,
        now: OffsetDateTime,
    ) -> Result<Vec<Document>, Error> {
        let records = (books.after, books.up_to);
        let legs = day_rows::legs(connection, &books.currency, records).await?;
        documents::documents(books, &legs, &books.moves(&self.rules), now)
    }

    fn business(&self, close: &Close, now: OffsetDateTime) -> Result<OffsetDateTime, DayRefusal> {
        let calendar = self.calendars.get(&close.currency).ok_or(DayRefusal::CalendarMissing)?;
        calendar.business(close.day)?;
        let cut_off = calendar.cut_off(close.day).ok_or(DayRefusal::CalendarMissing)?;
        if now < cut_off {
            return Err(DayRefusal::CutOff(cut_off.to_string()));
        }
        Ok(cut_off)
    }

    /// Days are closed in order, none left out.
    fn follows(&self, close: &Close, last: Date) -> Result<(), DayRefusal> {
        if close.day <= last {
            return Err(DayRefusal::Closed);
        }
        let calendar = self.calendars.get(&close.currency).ok_or(DayRefusal::CalendarMissing)?;
        let before = calendar.former(close.day);
        match before {
            Some(day) if day > last => Err(DayRefusal::Former(day.to_string())),
            // A new year's first day: the file does not reach back.
            Some(_) | None => Ok(()),
        }
    }

    async fn breaks_allow(
        &self,
        connection: &mut PgConnection,
        close: &Close,
        exponent: u8,
    ) -> Result<Result<(), DayRefusal>, Error> {
        let row = sqlx::query(
            // What a participant's own journal says is no part of the network's books.
            "SELECT count(*) AS count, coalesce(sum(b.at_risk), 0)::text AS at_risk
             FROM office.breaks b JOIN office.accounts a USING (account)
             WHERE b.state <> 'closed' AND b.currency = $1 AND b.value_date <= $2 AND a.leg <> 'journal'",
        )
        .bind(&close.currency)
        .bind(close.day)
        .fetch_one(connection)
        .await
        .map_err(failed("count open breaks"))?;
        let (count, at_risk): (i64, i128) = (column(&row, "count")?, parsed(&row, "at_risk")?);
        let limit = self.rules.open_breaks_max.get(&close.currency).copied().unwrap_or(0);
        if at_risk > i128::from(limit) {
            let (at_risk, limit) =
                (decimal(at_risk, exponent), decimal(i128::from(limit), exponent));
            return Ok(Err(DayRefusal::Breaks { count, at_risk, limit }));
        }
        Ok(Ok(()))
    }

    /// Closed days, newest first.
    ///
    /// # Errors
    /// When the actor works for one participant, or the database does not answer.
    pub async fn day_list(
        &self,
        actor: &Actor,
        currency: Option<&str>,
        limit: i64,
    ) -> Result<Vec<DayRow>, Error> {
        actor.may_read_all()?;
        self.day_rows(currency, None, limit).await
    }

    /// One closed day.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn day_show(
        &self,
        actor: &Actor,
        currency: &str,
        day: Date,
    ) -> Result<DayRow, Error> {
        actor.may_read_all()?;
        let missing = || Error::NotFound { what: "day", id: format!("{currency} {day}") };
        self.day_rows(Some(currency), Some(day), 1).await?.pop().ok_or_else(missing)
    }

    async fn day_rows(
        &self,
        currency: Option<&str>,
        day: Option<Date>,
        limit: i64,
    ) -> Result<Vec<DayRow>, Error> {
        let rows = sqlx::query(
            "SELECT d.currency, d.day, d.after, d.up_to, d.balances::text AS balances, d.statement, d.report, d.digest,
                d.closed_at, d.closed_by, c.exponent,
                ARRAY(SELECT o.name FROM office.documents o WHERE o.currency = d.currency AND o.day = d.day
                    ORDER BY o.document) AS documents
             FROM office.days d JOIN ledger.currencies c USING (currency)
             WHERE ($1::text IS NULL OR d.currency = $1) AND ($2::date IS NULL OR d.day = $2)
             ORDER BY d.day DESC, d.currency LIMIT $3",
        )
        .bind(currency)
        .bind(day)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list days"))?;
        rows.iter().map(day_row).collect()
    }

    /// The documents of a closed day that an actor sees.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn day_documents(
        &self,
        actor: &Actor,
        currency: &str,
        day: Date,
    ) -> Result<Vec<DocumentRow>, Error> {
        let rows = sqlx::query(
            "SELECT name, participant, bytes FROM office.documents WHERE currency = $1 AND day = $2
                AND ($3::bigint IS NULL OR participant = $3) ORDER BY document",
        )
        .bind(currency)
        .bind(day)
        .bind(actor.participant().map(i64::from))
        .fetch_all(&self.pool)
        .await
        .map_err(failed("read documents"))?;
        let own = |row: &PgRow| {
            let owner: Option<i64> = column(row, "participant")?;
            Ok(DocumentRow {
                name: column(row, "name")?,
                participant: owner.and_then(|owner| u32::try_from(owner).ok()),
                bytes: column(row, "bytes")?,
            })
        };
        rows.iter().map(own).collect()
    }
}

async fn number(connection: &mut PgConnection, currency: &str) -> Result<u64, Error> {
    let row =
        sqlx::query("SELECT (count(*) + 1)::text AS number FROM office.days WHERE currency = $1")
            .bind(currency)
            .fetch_one(connection)
            .await
            .map_err(failed("count days"))?;
    parsed(&row, "number")
}

/// The last record of the day: an entry's, so that what came together stays together.
async fn last_record(
    connection: &mut PgConnection,
    wanted: Option<i64>,
    after: i64,
    cut_off: OffsetDateTime,
) -> Result<Result<i64, DayRefusal>, Error> {
    let micros = i64::try_from(cut_off.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
    let row = sqlx::query(
        "SELECT (SELECT next_sequence FROM ledger.cursor) AS holds,
            (SELECT max(last_sequence) FROM ledger.entries WHERE at_micros < $1) AS last,
            EXISTS (SELECT FROM ledger.entries WHERE last_sequence = $2) AS whole",
    )
    .bind(micros)
    .bind(wanted)
    .fetch_one(connection)
    .await
    .map_err(failed("find the day's last record"))?;
    let (holds, whole): (i64, bool) = (column(&row, "holds")?, column(&row, "whole")?);
    let last = column::<Option<i64>>(&row, "last")?.unwrap_or(-1);
    Ok(match wanted {
        Some(wanted) if wanted >= holds => Err(DayRefusal::Behind { holds, wanted }),
        Some(wanted) if !whole || wanted <= after => Err(DayRefusal::Record(wanted)),
        Some(wanted) => Ok(wanted),
        None if last <= after => Err(DayRefusal::Record(last)),
        None => Ok(last),
    })
}

async fn insert(
    connection: &mut PgConnection,
    close: &Close,
    closing: &Closing,
    (actor, now): (&Actor, OffsetDateTime),
) -> Result<(), Error> {
    let books = &closing.books;
    sqlx::query(
        "INSERT INTO office.days (currency, day, after, up_to, balances, statement, report, digest, closed_at, closed_by)
         VALUES ($1, $2, $3, $4, $5::numeric, $6, $7, $8, $9, $10)",
    )
    .bind(&close.currency)
    .bind(close.day)
    .bind(books.after)
    .bind(books.up_to)
    .bind(books.balances().to_string())
    .bind(closing.statement)
    .bind(closing.report.to_string())
    .bind(closing.digest.as_slice())
    .bind(now)
    .bind(actor.name())
    .execute(connection)
    .await
    .map_err(failed("keep a day"))?;
    Ok(())
}

async fn insert_documents(
    connection: &mut PgConnection,
    close: &Close,
    documents: &[Document],
) -> Result<(), Error> {
    for document in documents {
        sqlx::query(
            "INSERT INTO office.documents (currency, day, participant, name, bytes, digest)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&close.currency)
        .bind(close.day)
        .bind(i64::from(document.participant))
        .bind(&document.name)
        .bind(document.text.as_bytes())
        .bind(Sha256::digest(&document.text).as_slice())
        .execute(&mut *connection)
        .await
        .map_err(failed("keep a document"))?;
    }
    Ok(())
}

fn shown(close: &Close, closing: &Closing, (actor, now): (&Actor, OffsetDateTime)) -> DayRow {
    let books = &closing.books;
    DayRow {
        currency: close.currency.clone(),
        day: close.day.to_string(),
        after: books.after,
        up_to: books.up_to,
        balances: books.text(books.balances()),
        statement: closing.statement,
        report: closing.report.clone(),
        digest: hex::encode(closing.digest),
        documents: closing.names.clone(),
        closed_at: now,
        closed_by: actor.name().to_owned(),
    }
}

fn day_row(row: &PgRow) -> Result<DayRow, Error> {
    let exponent = u8::try_from(column::<i16>(row, "exponent")?).unwrap_or(0);
    Ok(DayRow {
        currency: column(row, "currency")?,
        day: column::<Date>(row, "day")?.to_string(),
        after: column(row, "after")?,
        up_to: column(row, "up_to")?,
        balances: decimal(parsed(row, "balances")?, exponent),
        statement: column(row, "statement")?,
        report: serde_json::from_str(&column::<String>(row, "report")?)
            .map_err(|_| super::unreadable("report"))?,
        digest: hex::encode(column::<Vec<u8>>(row, "digest")?),
        documents: column(row, "documents")?,
        closed_at: column(row, "closed_at")?,
        closed_by: column(row, "closed_by")?,
    })
}
