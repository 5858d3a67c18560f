//! Closed days as a page lists them, and documents of one participant.

use sqlx::{Row as _, postgres::PgRow};
use time::{Date, OffsetDateTime};

use super::{Error, Store, each, failed, parsed, query, small};

const DAYS_MAX: i64 = 100;

/// A closed day without its report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedRow {
    pub currency: String,
    pub exponent: u8,
    pub day: Date,
    pub up_to: i64,
    /// Minor units.
    pub balances: i128,
    pub closed_at: OffsetDateTime,
    pub closed_by: String,
}

/// A document that an actor sees, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRow {
    pub document: i64,
    pub participant: Option<i64>,
    pub name: String,
    pub size: i32,
    pub digest: String,
}

impl Store {
    /// Closed days, newest first: for who works for the network.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn closed(&self) -> Result<Vec<ClosedRow>, Error> {
        let text = format!(
            "SELECT d.currency, c.exponent, d.day, d.up_to, d.balances::text AS balances, d.closed_at, d.closed_by
             FROM office.days d JOIN ledger.currencies c USING (currency)
             ORDER BY d.day DESC, d.currency LIMIT {DAYS_MAX}"
        );
        let rows = query(text).fetch_all(&self.pool).await;
        each(rows, "list closed days", |row| {
            Ok(ClosedRow {
                currency: row.try_get("currency")?,
                exponent: small(row, "exponent")?,
                day: row.try_get("day")?,
                up_to: row.try_get("up_to")?,
                balances: parsed(row, "balances")?,
                closed_at: row.try_get("closed_at")?,
                closed_by: row.try_get("closed_by")?,
            })
        })
    }

    /// Whether a day is closed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_closed(&self, currency: &str, day: Date) -> Result<bool, Error> {
        let read = failed("find a closed day");
        let row = sqlx::query(
            "SELECT EXISTS (SELECT FROM office.days WHERE currency = $1 AND day = $2) AS closed",
        )
        .bind(currency)
        .bind(day)
        .fetch_one(&self.pool)
        .await
        .map_err(&read)?;
        row.try_get("closed").map_err(read)
    }

    /// The documents of a closed day that an actor sees.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn documents(
        &self,
        own: Option<u32>,
        currency: &str,
        day: Date,
    ) -> Result<Vec<DocumentRow>, Error> {
        let rows = sqlx::query(
            "SELECT document, participant, name, length(bytes) AS size, encode(digest, 'hex') AS digest
             FROM office.documents WHERE currency = $1 AND day = $2 AND ($3::bigint IS NULL OR participant = $3)
             ORDER BY document LIMIT 2000",
        )
        .bind(currency)
        .bind(day)
        .bind(own.map(i64::from))
        .fetch_all(&self.pool)
        .await;
        each(rows, "list documents", document)
    }

    /// One document's name and bytes, if the actor sees it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn document(
        &self,
        own: Option<u32>,
        (currency, day): (&str, Date),
        document: i64,
    ) -> Result<Option<(String, Vec<u8>)>, Error> {
        let rows = sqlx::query(
            "SELECT name, bytes FROM office.documents WHERE document = $1 AND currency = $2 AND day = $3
                AND ($4::bigint IS NULL OR participant = $4)",
        )
        .bind(document)
        .bind(currency)
        .bind(day)
        .bind(own.map(i64::from))
        .fetch_all(&self.pool)
        .await;
        let read =
            each(rows, "read a document", |row| Ok((row.try_get("name")?, row.try_get("bytes")?)));
        Ok(read?.pop())
    }
}

/// A document of one participant, with its day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnDocumentRow {
    pub currency: String,
    pub day: Date,
    pub row: DocumentRow,
}

impl Store {
    /// The newest documents of one participant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn own_documents(&self, own: u32) -> Result<Vec<OwnDocumentRow>, Error> {
        let rows = sqlx::query(
            "SELECT document, participant, name, length(bytes) AS size, encode(digest, 'hex') AS digest, currency, day
             FROM office.documents WHERE participant = $1 ORDER BY day DESC, document DESC LIMIT 200",
        )
        .bind(i64::from(own))
        .fetch_all(&self.pool)
        .await;
        each(rows, "list a participant's documents", |row| {
            Ok(OwnDocumentRow {
                currency: row.try_get("currency")?,
                day: row.try_get("day")?,
                row: document(row)?,
            })
        })
    }

    /// The last closed day of each currency.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn last_closed(&self) -> Result<Vec<(String, Option<Date>)>, Error> {
        let rows = sqlx::query(
            "SELECT c.currency, (SELECT d.day FROM office.days d WHERE d.currency = c.currency
                ORDER BY d.day DESC LIMIT 1) AS day
             FROM ledger.currencies c ORDER BY c.currency LIMIT 200",
        )
        .fetch_all(&self.pool)
        .await;
        each(rows, "find the last closed days", |row| {
            Ok((row.try_get("currency")?, row.try_get("day")?))
        })
    }
}

fn document(row: &PgRow) -> Result<DocumentRow, sqlx::Error> {
    Ok(DocumentRow {
        document: row.try_get("document")?,
        participant: row.try_get("participant")?,
        name: row.try_get("name")?,
        size: row.try_get("size")?,
        digest: row.try_get("digest")?,
    })
}
