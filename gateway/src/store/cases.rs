//! Recalls and their answers as rows that follow the ledger's records; what a recall means is not this file's.
use ledger_types::{ParticipantId, RecallAnswer, Timestamp, TransferId, Uetr};
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Error, Store, big, transfers::uuid};
use crate::clock;

/// A recall and its last answer.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    /// Who asks.
    pub debtor_agent: i64,
    /// What it calls the recall.
    pub recall_case: Uuid,
    /// Of which transfer.
    pub uetr: Uuid,
    /// Who answers.
    pub creditor_agent: i64,
    /// Whether this gateway asked.
    pub outgoing: bool,
    /// ISO cancellation reason.
    pub reason: String,
    /// How much is asked back, minor units of the settlement currency.
    pub amount: i64,
    /// The settlement currency.
    pub currency: String,
    /// When it was recorded.
    pub recalled_at: OffsetDateTime,
    /// By when an answer is due.
    pub answer_by: OffsetDateTime,
    /// Its record.
    pub record: Option<i64>,
    /// open, pending, accepted, rejected.
    pub status: String,
    /// ISO reason of the last answer.
    pub answer_reason: Option<String>,
    /// When that was recorded.
    pub answered_at: Option<OffsetDateTime>,
    /// Its record.
    pub answer_record: Option<i64>,
    /// The return that an accept named.
    pub return_uetr: Option<Uuid>,
}

impl Row {
    /// Whether an answer that ends it is still to come.
    #[must_use]
    pub fn open(&self) -> bool {
        matches!(self.status.as_str(), "open" | "pending")
    }

    /// Whether that answer is late at a time.
    #[must_use]
    pub fn overdue(&self, now: OffsetDateTime) -> bool {
        self.open() && self.answer_by < now
    }
}

/// A recall that was recorded.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Of which transfer.
    pub transfer: TransferId,
    /// Who answers.
    pub creditor_agent: ParticipantId,
    /// What the debtor agent calls it.
    pub case: Uuid,
    /// Whether this gateway asked.
    pub outgoing: bool,
    /// ISO cancellation reason.
    pub reason: &'a str,
    /// Minor units.
    pub amount: u64,
    /// The settlement currency.
    pub currency: &'a str,
    /// By when an answer is due.
    pub answer_by: Timestamp,
}

/// An answer that was recorded.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Whose recall.
    pub debtor_agent: ParticipantId,
    /// Which.
    pub case: Uuid,
    /// What the answer is.
    pub answer: RecallAnswer,
    /// ISO reason.
    pub reason: &'a str,
    /// The return of an accept.
    pub returns: Option<Uetr>,
    /// By when the next answer is due, of a pending one.
    pub promised_at: Timestamp,
}

/// Keeps a recall; its record is added when it is heard.
///
/// # Errors
/// When the statement fails.
pub async fn recall_insert(
    connection: &mut Connection,
    asked: &Asked<'_>,
    at: Timestamp,
    record: Option<u64>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO recall (debtor_agent, recall_case, uetr, creditor_agent, outgoing, reason,
            amount, currency, recalled_at, answer_by, record)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (debtor_agent, recall_case) DO UPDATE
            SET recalled_at = excluded.recalled_at, record = excluded.record
            WHERE recall.record IS NULL AND excluded.record IS NOT NULL",
    )
    .bind(i64::from(asked.transfer.debtor_agent.0))
    .bind(asked.case)
    .bind(uuid(asked.transfer.uetr))
    .bind(i64::from(asked.creditor_agent.0))
    .bind(asked.outgoing)
    .bind(asked.reason)
    .bind(big("amount", asked.amount)?)
    .bind(asked.currency)
    .bind(clock::calendar_or_epoch(at))
    .bind(clock::calendar_or_epoch(asked.answer_by))
    .bind(record.map(|record| big("record", record)).transpose()?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps an answer. One that ends the recall stays; its record is added when it is heard.
///
/// # Errors
/// When the statement fails.
pub async fn recall_answer(
    connection: &mut Connection,
    said: &Said<'_>,
    at: Timestamp,
    record: Option<u64>,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE recall SET status = $3, answer_reason = $4, return_uetr = $5,
            answer_by = coalesce($6, answer_by), answered_at = $7, answer_record = $8
         WHERE debtor_agent = $1 AND recall_case = $2
            AND (status IN ('open', 'pending') OR (status = $3 AND answer_record IS NULL))",
    )
    .bind(i64::from(said.debtor_agent.0))
    .bind(said.case)
    .bind(said.answer.word())
    .bind(said.reason)
    .bind(said.returns.map(uuid))
    .bind(clock::calendar(said.promised_at))
    .bind(clock::calendar_or_epoch(at))
    .bind(record.map(|record| big("record", record)).transpose()?)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// A recall.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn recall_fetch(
        &self,
        debtor_agent: ParticipantId,
        case: Uuid,
    ) -> Result<Option<Row>, Error> {
        Ok(sqlx::query_as("SELECT * FROM recall WHERE debtor_agent = $1 AND recall_case = $2")
            .bind(i64::from(debtor_agent.0))
            .bind(case)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The recalls of a transfer, oldest first.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn recall_of(&self, transfer: TransferId) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM recall WHERE debtor_agent = $1 AND uetr = $2
             ORDER BY recalled_at, recall_case",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .fetch_all(&self.pool)
        .await?)
    }

    /// The work queue of both sides: what is due first comes first.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn recall_list(&self, open: bool, limit: i64) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM recall WHERE NOT $1 OR status IN ('open', 'pending')
             ORDER BY answer_by, debtor_agent, recall_case LIMIT $2",
        )
        .bind(open)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }
}
