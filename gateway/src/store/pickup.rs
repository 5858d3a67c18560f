//! Cash at the till: wrong codes counted, and paid out once.
use ledger_types::TransferId;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Error, transfers::uuid};

/// A pickup as it stands, locked for this SQL transaction.
#[derive(Clone, Debug, FromRow)]
pub struct PickupRow {
    /// Wrong codes shown.
    pub wrong: i32,
    /// No code is looked at before.
    pub locked_until: Option<OffsetDateTime>,
    /// When it was paid out.
    pub paid_at: Option<OffsetDateTime>,
    /// By whose request.
    pub paid_by: Option<Uuid>,
    /// Under which Idempotency-Key.
    pub paid_key: Option<String>,
}

/// The pickup of a transfer; a second till waits here for the first.
///
/// # Errors
/// When a statement fails.
pub async fn pickup_lock(
    connection: &mut Connection,
    transfer: TransferId,
) -> Result<PickupRow, Error> {
    let agent = i64::from(transfer.debtor_agent.0);
    sqlx::query("INSERT INTO pickup (debtor_agent, uetr) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(agent)
        .bind(uuid(transfer.uetr))
        .execute(&mut *connection)
        .await?;
    Ok(sqlx::query_as(
        "SELECT wrong, locked_until, paid_at, paid_by, paid_key FROM pickup
         WHERE debtor_agent = $1 AND uetr = $2 FOR UPDATE",
    )
    .bind(agent)
    .bind(uuid(transfer.uetr))
    .fetch_one(connection)
    .await?)
}

/// Counts a wrong code, and locks the pickup until then.
///
/// # Errors
/// When the statement fails.
pub async fn pickup_wrong(
    connection: &mut Connection,
    transfer: TransferId,
    locked_until: Option<OffsetDateTime>,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE pickup SET wrong = wrong + 1, locked_until = coalesce($3, locked_until)
         WHERE debtor_agent = $1 AND uetr = $2",
    )
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(locked_until)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that the cash is paid out, by which request.
///
/// # Errors
/// When the statement fails.
pub async fn pickup_paid(
    connection: &mut Connection,
    transfer: TransferId,
    (by, key): (Uuid, &str),
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE pickup SET paid_at = now(), paid_by = $3, paid_key = $4
         WHERE debtor_agent = $1 AND uetr = $2",
    )
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(by)
    .bind(key)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes who was shown a code, and gives how often it was shown.
///
/// # Errors
/// When a statement fails.
pub async fn pickup_code_shown(
    connection: &mut Connection,
    transfer: TransferId,
    by: Uuid,
) -> Result<i64, Error> {
    let agent = i64::from(transfer.debtor_agent.0);
    sqlx::query("INSERT INTO pickup_code_shown (debtor_agent, uetr, api_key) VALUES ($1, $2, $3)")
        .bind(agent)
        .bind(uuid(transfer.uetr))
        .bind(by)
        .execute(&mut *connection)
        .await?;
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM pickup_code_shown WHERE debtor_agent = $1 AND uetr = $2",
    )
    .bind(agent)
    .bind(uuid(transfer.uetr))
    .fetch_one(connection)
    .await?)
}
