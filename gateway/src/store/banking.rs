//! What core banking was asked over HTTP, kept before it is sent and until its outcome is known.
use std::time::Duration;

use ledger_types::{TransferId, Uetr};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Error, Store,
    transfers::{participant, uuid},
};

/// Operations that one sweep asks after.
const DUE_MAX: i64 = 64;

/// An operation as it is kept.
#[derive(Clone, FromRow)]
pub struct OperationRow {
    /// Whose transfer.
    pub debtor_agent: i64,
    /// Which transfer.
    pub uetr: Uuid,
    /// reserve, capture, release or credit.
    pub operation: String,
    /// Which of its kind, from 1.
    pub round: i16,
    /// The exact bytes, while it is open.
    pub body: Option<Vec<u8>>,
    /// open, done or refused.
    pub state: String,
    /// ISO reason of a refusal.
    pub reason: Option<String>,
    /// How often a sweep asked.
    pub attempts: i32,
}

impl std::fmt::Debug for OperationRow {
    /// The body names an account.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("OperationRow");
        out.field("operation", &self.operation).field("state", &self.state).finish_non_exhaustive()
    }
}

impl OperationRow {
    /// Its transfer; `None` if the row was tampered with.
    #[must_use]
    pub fn transfer(&self) -> Option<TransferId> {
        id(self.debtor_agent, self.uetr)
    }
}

/// A transfer's last reservation.
#[derive(Clone, Debug, FromRow)]
pub struct Reservation {
    /// Which, from 1.
    pub round: i16,
    /// open, done or refused.
    pub state: String,
    /// Whether it was captured or released.
    pub ended: bool,
}

fn id(debtor_agent: i64, uetr: Uuid) -> Option<TransferId> {
    let uetr = Uetr::from_bytes(*uetr.as_bytes()).ok()?;
    Some(TransferId { debtor_agent: participant(debtor_agent), uetr })
}

impl Store {
    /// Keeps an operation; false when it was kept before. A sweep asks after it from then on.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn bank_operation_insert(
        &self,
        transfer: TransferId,
        operation: &str,
        round: i16,
        body: &[u8],
        swept_after: Duration,
    ) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO bank_operation (debtor_agent, uetr, operation, round, body, next_at)
             VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
             ON CONFLICT (debtor_agent, uetr, operation, round) DO NOTHING",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(operation)
        .bind(round)
        .bind(body)
        .bind(swept_after.as_secs_f64())
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// An operation.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn bank_operation(
        &self,
        transfer: TransferId,
        operation: &str,
        round: i16,
    ) -> Result<Option<OperationRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT debtor_agent, uetr, operation, round, body, state, reason, attempts
             FROM bank_operation
             WHERE debtor_agent = $1 AND uetr = $2 AND operation = $3 AND round = $4",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(operation)
        .bind(round)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// A transfer's last reservation.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn bank_reservation(
        &self,
        transfer: TransferId,
    ) -> Result<Option<Reservation>, Error> {
        Ok(sqlx::query_as(
            "SELECT round, state, ended FROM bank_operation
             WHERE debtor_agent = $1 AND uetr = $2 AND operation = 'reserve'
             ORDER BY round DESC LIMIT 1",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Keeps an outcome: done, or refused with its reason. The first stays.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn bank_operation_answer(
        &self,
        transfer: TransferId,
        operation: &str,
        round: i16,
        (state, reason): (&str, Option<&str>),
    ) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE bank_operation
             SET state = $5, reason = $6, body = NULL, answered_at = now()
             WHERE debtor_agent = $1 AND uetr = $2 AND operation = $3 AND round = $4
                AND state = 'open'",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(operation)
        .bind(round)
        .bind(state)
        .bind(reason)
        .execute(&mut *transaction)
        .await?;
        if state == "done" && matches!(operation, "capture" | "release") {
            sqlx::query(
                "UPDATE bank_operation SET ended = true
                 WHERE debtor_agent = $1 AND uetr = $2 AND operation = 'reserve' AND round = $3",
            )
            .bind(i64::from(transfer.debtor_agent.0))
            .bind(uuid(transfer.uetr))
            .bind(round)
            .execute(&mut *transaction)
            .await?;
        }
        super::commit(transaction).await
    }

    /// Open operations that a sweep has to ask after, the longest due first.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn bank_operation_due(&self) -> Result<Vec<OperationRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT debtor_agent, uetr, operation, round, body, state, reason, attempts
             FROM bank_operation WHERE state = 'open' AND next_at <= now()
             ORDER BY next_at LIMIT $1",
        )
        .bind(DUE_MAX)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Has a sweep ask after an open operation later.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn bank_operation_later(
        &self,
        transfer: TransferId,
        operation: &str,
        round: i16,
        wait: Duration,
    ) -> Result<(), Error> {
        sqlx::query(
            "UPDATE bank_operation
             SET attempts = attempts + 1, next_at = now() + make_interval(secs => $5)
             WHERE debtor_agent = $1 AND uetr = $2 AND operation = $3 AND round = $4
                AND state = 'open'",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(operation)
        .bind(round)
        .bind(wait.as_secs_f64())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Transfers that were never kept, wait for approval or ended without settling, and have money
    /// reserved; of one transfer or of all.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn bank_orphans(&self, of: Option<TransferId>) -> Result<Vec<TransferId>, Error> {
        let rows: Vec<(i64, Uuid)> = sqlx::query_as(
            "SELECT o.debtor_agent, o.uetr FROM bank_operation o
             LEFT JOIN transfer t ON t.debtor_agent = o.debtor_agent AND t.uetr = o.uetr
             WHERE o.operation = 'reserve' AND o.state = 'done' AND NOT o.ended
                AND (t.uetr IS NULL OR t.status IN ('AWAITING_APPROVAL', 'REJECTED', 'EXPIRED',
                    'CANCELLED', 'BURNED'))
                AND ($1::bigint IS NULL OR (o.debtor_agent = $1 AND o.uetr = $2))
             ORDER BY o.created_at LIMIT $3",
        )
        .bind(of.map(|transfer| i64::from(transfer.debtor_agent.0)))
        .bind(of.map(|transfer| uuid(transfer.uetr)))
        .bind(DUE_MAX)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().filter_map(|(agent, uetr)| id(agent, uetr)).collect())
    }

    /// How many operations have no outcome, and the age of the oldest.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn bank_unresolved(&self) -> Result<(u32, Duration), Error> {
        let (count, seconds): (i64, f64) = sqlx::query_as(
            "SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
             FROM bank_operation WHERE state = 'open'",
        )
        .fetch_one(&self.pool)
        .await?;
        let oldest = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Ok((u32::try_from(count).unwrap_or(u32::MAX), oldest))
    }
}
