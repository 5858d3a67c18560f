//! The personal data of one transfer, in its participant's own party store. It must never read two at once, nor keep one.

use std::time::Duration;

use serde_json::Value;
use sqlx::{
    PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use uuid::Uuid;

use super::{Error, failed, query};
use crate::settings;

/// The party store of one gateway.
#[derive(Clone, Debug)]
pub struct Parties {
    pool: PgPool,
    schema: String,
}

/// What a party store has of a transfer.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PartyRow {
    /// IVMS101's fields.
    pub personal: Option<Value>,
    /// Why the sealed data could not be opened.
    pub sealed_error: Option<String>,
}

impl std::fmt::Debug for PartyRow {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("PartyRow(‹personal›)")
    }
}

impl Parties {
    /// Prepares connections, which are made when first used and only read.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(settings: &settings::PartyStore) -> Result<Self, Error> {
        let options: PgConnectOptions =
            settings.database_url.parse().map_err(failed("read a party store's address"))?;
        let options = options
            .application_name("reporting-parties")
            .options([("default_transaction_read_only", "on"), ("statement_timeout", "5s")]);
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(3))
            .connect_lazy_with(options);
        Ok(Self { pool, schema: settings.schema.clone() })
    }

    /// The personal data of a transfer; none if the participant has none of it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn party(&self, debtor_agent: u32, uetr: Uuid) -> Result<Option<PartyRow>, Error> {
        // The settings hold nothing but letters, digits and underscores.
        let text = format!(
            "SELECT personal, sealed_error FROM {}.party WHERE debtor_agent = $1 AND uetr = $2",
            self.schema
        );
        let read = failed("read a party store");
        let row = query(text)
            .bind(i64::from(debtor_agent))
            .bind(uetr)
            .fetch_optional(&self.pool)
            .await
            .map_err(&read)?;
        row.map(|row| {
            Ok(PartyRow {
                personal: row.try_get("personal")?,
                sealed_error: row.try_get("sealed_error")?,
            })
        })
        .transpose()
        .map_err(read)
    }
}
