//! Quotes that this gateway got, each a chain of one or two hops; prices come from elsewhere.
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Store};

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
    /// The id of its first hop.
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
}

impl Store {
    /// Keeps a quote.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn quote_insert(&self, quote: &QuoteRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO quote (id, corridor, source_currency, source_amount,
                destination_currency, destination_amount, hops, submit_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(quote.id)
        .bind(quote.corridor)
        .bind(&quote.source_currency)
        .bind(quote.source_amount)
        .bind(&quote.destination_currency)
        .bind(quote.destination_amount)
        .bind(&quote.hops)
        .bind(quote.submit_by)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A quote by id.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn quote_fetch(&self, id: Uuid) -> Result<Option<QuoteRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT id, corridor, source_currency, source_amount, destination_currency,
                destination_amount, hops, submit_by FROM quote WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?)
    }
}
