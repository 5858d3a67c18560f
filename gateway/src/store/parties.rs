//! The home of personal data, and what screening said of it; nothing here leaves by a log.
use ledger_types::TransferId;

use super::{Connection, Error, Store, transfers::uuid};
use crate::personal::Personal;

/// Keeps the personal data of a transfer, or why it could not be opened.
///
/// # Errors
/// When the statement fails.
pub async fn party_insert(
    connection: &mut Connection,
    transfer: TransferId,
    personal: Option<&Personal>,
    sealed_error: Option<&str>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO party (debtor_agent, uetr, personal, sealed_error) VALUES ($1, $2, $3, $4)
         ON CONFLICT (debtor_agent, uetr) DO NOTHING",
    )
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(personal.map(sqlx::types::Json))
    .bind(sealed_error)
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps who and whom of a transfer that is known, as it is sealed now.
///
/// # Errors
/// When the statement fails.
pub async fn party_replace(
    connection: &mut Connection,
    transfer: TransferId,
    personal: &Personal,
) -> Result<(), Error> {
    sqlx::query("UPDATE party SET personal = $3 WHERE debtor_agent = $1 AND uetr = $2")
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(sqlx::types::Json(personal))
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps what screening said, for the inside.
///
/// # Errors
/// When the statement fails.
pub async fn screening_insert(
    connection: &mut Connection,
    transfer: TransferId,
    outcome: &str,
    detail: serde_json::Value,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO screening (debtor_agent, uetr, outcome, detail) VALUES ($1, $2, $3, $4)",
    )
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(outcome)
    .bind(detail)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// The personal data of a transfer; `None` if there is none or it could not be opened.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn party_fetch(&self, transfer: TransferId) -> Result<Option<Personal>, Error> {
        let row: Option<(Option<sqlx::types::Json<Personal>>,)> =
            sqlx::query_as("SELECT personal FROM party WHERE debtor_agent = $1 AND uetr = $2")
                .bind(i64::from(transfer.debtor_agent.0))
                .bind(uuid(transfer.uetr))
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.and_then(|(personal,)| personal).map(|json| json.0))
    }
}
