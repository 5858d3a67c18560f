//! Quotes that this gateway got, each a chain of one or two hops; prices come from elsewhere.
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Error, Store, groups::Group, statement::Statement};

/// One firm quote of a chain, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHop {
    /// Its name on the ledger.
    pub quote: Uuid,
    /// Who gave it.
    pub liquidity_bank: u32,
    /// Where the bank takes.
    pub source_account: u64,
    /// Where the bank gives.
    pub destination_account: u64,
    /// The currency taken.
    pub source_currency: String,
    /// The currency given.
    pub destination_currency: String,
    /// Minor units taken.
    pub source_amount: u64,
    /// Minor units given.
    pub destination_amount: u64,
    /// Extra minor units for the creditor agent.
    pub payout_fee: u64,
    /// Destination per source.
    pub rate: String,
    /// The mid rate behind it.
    pub mid_rate: String,
    /// Where that comes from.
    pub mid_source: String,
    /// Of when, microseconds.
    pub mid_at_micros: u64,
    /// The last time of a submit, microseconds.
    pub submit_by_micros: u64,
    /// Until when it binds, microseconds.
    pub hold_until_micros: u64,
    /// The fee schedule shown with it.
    pub fee_schedule_version: u32,
}

/// A quote's row.
#[derive(Clone, Debug, FromRow)]
pub struct QuoteRow {
    /// The name that this gateway gave it: on the ledger, answers to many questions share one.
    pub id: Uuid,
    /// Its corridor.
    pub corridor: i64,
    /// The currency debited.
    pub source_currency: String,
    /// Minor units debited.
    pub source_amount: i64,
    /// The currency credited.
    pub destination_currency: String,
    /// Minor units credited.
    pub destination_amount: i64,
    /// Its hops.
    pub hops: Json<Vec<StoredHop>>,
    /// The last time of a submit.
    pub submit_by: OffsetDateTime,
    /// The UETR of the one transfer that it is for, once there is one.
    pub used_by: Option<Uuid>,
}

impl Store {
    /// Keeps a quote.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn quote_insert(&self, quote: QuoteRow) -> Result<(), Error> {
        self.writes.quotes.ask(quote).await
    }

    /// A quote by id.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn quote_fetch(&self, id: Uuid) -> Result<Option<QuoteRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT id, corridor, source_currency, source_amount, destination_currency,
                destination_amount, hops, submit_by, used_by FROM quote WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Takes a quote for a transfer; false when it is another's.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn quote_take(&self, id: Uuid, uetr: Uuid) -> Result<bool, Error> {
        let taken = sqlx::query(
            "UPDATE quote SET used_by = $2 WHERE id = $1 AND (used_by IS NULL OR used_by = $2)",
        )
        .bind(id)
        .bind(uetr)
        .execute(&self.pool)
        .await?;
        Ok(taken.rows_affected() == 1)
    }
}

/// Gives a quote back that was taken for a transfer which is not sent at it.
///
/// # Errors
/// When the statement fails.
pub async fn quote_return(connection: &mut Connection, id: Uuid, uetr: Uuid) -> Result<(), Error> {
    sqlx::query("UPDATE quote SET used_by = NULL WHERE id = $1 AND used_by = $2")
        .bind(id)
        .bind(uetr)
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(Debug)]
pub(super) struct Keeping;

impl Group for Keeping {
    type Item = QuoteRow;
    type Answer = ();

    async fn run(connection: &mut Connection, quotes: &[QuoteRow]) -> Result<Vec<()>, Error> {
        quote_keep(connection, quotes).await?;
        Ok(vec![(); quotes.len()])
    }
}

/// Keeps quotes; the same again is the same.
///
/// # Errors
/// When the statement fails.
pub async fn quote_keep(connection: &mut Connection, quotes: &[QuoteRow]) -> Result<(), Error> {
    if quotes.is_empty() {
        return Ok(());
    }
    let mut statement = Statement::default();
    quote_part(&mut statement, quotes);
    statement.execute(connection).await?;
    Ok(())
}

/// The same as a part of a statement.
pub fn quote_part(statement: &mut Statement, quotes: &[QuoteRow]) {
    let texts = |of: fn(&QuoteRow) -> &str| quotes.iter().map(of).collect::<Vec<_>>();
    let numbers = |of: fn(&QuoteRow) -> i64| quotes.iter().map(of).collect::<Vec<_>>();
    statement
        .part(
            "quote_made",
            "INSERT INTO quote (id, corridor, source_currency, source_amount,
            destination_currency, destination_amount, hops, submit_by, used_by)
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::text[],
            $6::bigint[], $7::jsonb[], $8::timestamptz[], $9::uuid[])
         ON CONFLICT (id) DO NOTHING",
        )
        .bind(quotes.iter().map(|quote| quote.id).collect::<Vec<_>>())
        .bind(numbers(|quote| quote.corridor))
        .bind(texts(|quote| &quote.source_currency))
        .bind(numbers(|quote| quote.source_amount))
        .bind(texts(|quote| &quote.destination_currency))
        .bind(numbers(|quote| quote.destination_amount))
        .bind(quotes.iter().map(|quote| &quote.hops).collect::<Vec<_>>())
        .bind(quotes.iter().map(|quote| quote.submit_by).collect::<Vec<_>>())
        .bind(quotes.iter().map(|quote| quote.used_by).collect::<Vec<_>>());
}
