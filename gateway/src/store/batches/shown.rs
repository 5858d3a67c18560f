//! Rows of batches as they stand, each with what its transfer says; it changes nothing.
use ledger_types::ParticipantId;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::{Error, Store};

/// A row as it stands.
#[derive(Clone, Debug, FromRow)]
pub struct ShownRow {
    /// From 1.
    pub number: i32,
    /// Its transfer's reference.
    pub uetr: Uuid,
    /// The row's own reference.
    pub reference: Option<String>,
    /// `InstrId`.
    pub instruction_id: Option<String>,
    /// `PmtInfId`.
    pub payment_id: Option<String>,
    /// WAITING, SENDING, or where its transfer stands.
    pub status: String,
    /// ACCC, CPUC, ACWP or BLCK.
    pub confirmation: Option<String>,
    /// A page of docs/errors.
    pub code: Option<String>,
    /// ISO reason.
    pub reason: Option<String>,
    /// The field that is wrong.
    pub field: Option<String>,
    /// What is wrong and what to do.
    pub detail: Option<String>,
    /// The ledger's record.
    pub record: Option<i64>,
    /// When the ledger took it.
    pub submitted_at: Option<OffsetDateTime>,
}

/// How many rows stand where.
#[derive(Clone, Debug, FromRow)]
pub struct Count {
    /// As [`ShownRow::status`].
    pub status: String,
    /// As [`ShownRow::confirmation`].
    pub confirmation: Option<String>,
    /// How many.
    pub rows: i64,
}

impl Store {
    /// Rows behind a number, of these states if any are named, in order.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_rows(
        &self,
        (batch, debtor_agent): (Uuid, ParticipantId),
        states: Option<&[&str]>,
        (after, limit): (i32, i64),
    ) -> Result<Vec<ShownRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM (
                SELECT r.number, r.uetr, r.reference, r.instruction_id, r.payment_id,
                    CASE WHEN r.status = 'sent' THEN coalesce(t.status, 'QUEUED')
                        ELSE upper(r.status) END AS status,
                    t.confirmation, coalesce(r.code, t.refusal) AS code,
                    coalesce(r.reason, t.reason) AS reason, r.field, r.detail, t.record,
                    t.submitted_at
                FROM batch_row r
                LEFT JOIN transfer t ON t.debtor_agent = $2 AND t.uetr = r.uetr
                    AND r.status = 'sent'
                WHERE r.batch = $1 AND r.number > $3) AS shown
             WHERE $4::text[] IS NULL OR status = ANY($4) ORDER BY number LIMIT $5",
        )
        .bind(batch)
        .bind(i64::from(debtor_agent.0))
        .bind(after)
        .bind(states)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// How many rows of a batch stand where.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_counts(
        &self,
        batch: Uuid,
        debtor_agent: ParticipantId,
    ) -> Result<Vec<Count>, Error> {
        Ok(sqlx::query_as(
            "SELECT CASE WHEN r.status = 'sent' THEN coalesce(t.status, 'QUEUED')
                ELSE upper(r.status) END AS status, t.confirmation, count(*) AS rows
             FROM batch_row r
             LEFT JOIN transfer t ON t.debtor_agent = $2 AND t.uetr = r.uetr AND r.status = 'sent'
             WHERE r.batch = $1 GROUP BY 1, 2 ORDER BY 1, 2",
        )
        .bind(batch)
        .bind(i64::from(debtor_agent.0))
        .fetch_all(&self.pool)
        .await?)
    }
}
