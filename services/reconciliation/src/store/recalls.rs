//! Writes a batch's recalls and answers inside the batch's SQL transaction; they are rare, so one statement each.
use ledger_types::{RecallAnswer, Timestamp};
use sqlx::PgConnection;

use super::{Error, signed};
use crate::book::Changes;

/// Adds the recalls, then the answers in their order: a pending one moves the time.
pub(super) async fn save(connection: &mut PgConnection, changes: &Changes) -> Result<(), Error> {
    for row in &changes.recalls {
        sqlx::query(
            "INSERT INTO ledger.recalls (debtor_agent, recall_case, uetr, creditor_agent, reason,
                 amount, currency, sequence, recalled_micros, answer_by_micros)
             VALUES ($1, $2, $3, $4, $5, $6::text::numeric, $7, $8, $9, $10::text::numeric)",
        )
        .bind(i64::from(row.debtor_agent.0))
        .bind(row.case.0.as_slice())
        .bind(row.uetr.bytes().to_vec())
        .bind(i64::from(row.creditor_agent.0))
        .bind(row.reason.to_string())
        .bind(row.amount.to_string())
        .bind(row.currency.to_string())
        .bind(signed(row.sequence))
        .bind(signed(row.at.micros()))
        .bind(row.answer_by.micros().to_string())
        .execute(&mut *connection)
        .await
        .map_err(Error::statement("add recall"))?;
    }
    for row in &changes.recall_answers {
        let pending = row.item.answer == RecallAnswer::Pending;
        let promised = Some(row.item.promised_at).filter(|_| pending);
        let returns = row.item.returns.first().map(|uetr| uetr.bytes().to_vec());
        sqlx::query(
            "UPDATE ledger.recalls SET answer = $3, answer_reason = $4, answer_sequence = $5,
                 answered_micros = $6, return_uetr = $7,
                 answer_by_micros = coalesce($8::text::numeric, answer_by_micros)
             WHERE debtor_agent = $1 AND recall_case = $2",
        )
        .bind(i64::from(row.item.debtor_agent.0))
        .bind(row.item.case.0.as_slice())
        .bind(i16::from(row.item.answer.code()))
        .bind(row.item.reason.to_string())
        .bind(signed(row.sequence))
        .bind(signed(row.at.micros()))
        .bind(returns.unwrap_or_default())
        .bind(promised.map(Timestamp::micros).map(|micros| micros.to_string()))
        .execute(&mut *connection)
        .await
        .map_err(Error::statement("write answer to a recall"))?;
    }
    Ok(())
}
