//! What payee checks keep: references to accounts until they are over, and how much each asker was told on each day; no name and no account in the open.
use sqlx::FromRow;
use time::OffsetDateTime;

use super::{Connection, Error, Store};

/// A reference that was given out.
#[derive(Clone, Debug, FromRow)]
pub struct ReferenceRow {
    /// The account, sealed.
    pub sealed: Vec<u8>,
    /// Until when it stands for the account.
    pub expires_at: OffsetDateTime,
}

/// A reference by its digest.
///
/// # Errors
/// When the statement fails.
pub async fn payee_reference_fetch(
    connection: &mut Connection,
    reference_sha256: &[u8],
) -> Result<Option<ReferenceRow>, Error> {
    let query = "SELECT sealed, expires_at FROM payee_reference WHERE reference_sha256 = $1";
    Ok(sqlx::query_as(query).bind(reference_sha256).fetch_optional(connection).await?)
}

impl Store {
    /// Keeps a reference.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn payee_reference_insert(
        &self,
        reference_sha256: &[u8],
        row: &ReferenceRow,
    ) -> Result<(), Error> {
        let query = "INSERT INTO payee_reference (reference_sha256, sealed, expires_at)
             VALUES ($1, $2, $3)";
        sqlx::query(query)
            .bind(reference_sha256)
            .bind(&row.sealed)
            .bind(row.expires_at)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Counts an answer of this day (UTC) before it is known; false when there were `max` already.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn payee_answer_take(&self, asker: &str, max: u32) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO payee_day (asker, day, answers)
             SELECT $1, (now() AT TIME ZONE 'utc')::date, 1 WHERE $2 > 0
             ON CONFLICT (asker, day) DO UPDATE SET answers = payee_day.answers + 1
                WHERE payee_day.answers < $2",
        )
        .bind(asker)
        .bind(i64::from(max))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes one back that told nothing.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn payee_answer_give_back(&self, asker: &str) -> Result<(), Error> {
        sqlx::query(
            "UPDATE payee_day SET answers = answers - 1
             WHERE asker = $1 AND day = (now() AT TIME ZONE 'utc')::date AND answers > 0",
        )
        .bind(asker)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that an asker met the day's limit; false when it was noted on this day before.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn payee_limit_note(&self, asker: &str) -> Result<bool, Error> {
        let done = sqlx::query(
            "INSERT INTO payee_day (asker, day, answers, limited)
             VALUES ($1, (now() AT TIME ZONE 'utc')::date, 0, true)
             ON CONFLICT (asker, day) DO UPDATE SET limited = true WHERE NOT payee_day.limited",
        )
        .bind(asker)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets references that are over for a day, which a transfer could have been late by, and days
    /// long past.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn payee_sweep(&self) -> Result<(), Error> {
        for statement in [
            "DELETE FROM payee_reference WHERE expires_at < now() - interval '1 day'",
            "DELETE FROM payee_day WHERE day < (now() AT TIME ZONE 'utc')::date - 31",
        ] {
            sqlx::query(statement).execute(&self.pool).await?;
        }
        Ok(())
    }
}
