//! Batches and their rows: what came, what is claimed, what became of it; it knows no form of a file and decides no outcome.
use std::time::Duration;

use ledger_types::ParticipantId;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Error, Store, commit, groups::Group};

pub mod shown;

/// A batch.
#[derive(Clone, Debug, FromRow)]
pub struct BatchRow {
    /// Its id.
    pub id: Uuid,
    /// Its place in lists.
    pub number: i64,
    /// `csv`, `json_lines` or `pain.001`.
    pub form: String,
    /// `best_effort` or `all_or_nothing`.
    pub mode: String,
    /// `receiving`, `processing`, `sent`, `refused` or `cancelled`.
    pub state: String,
    /// Why it was refused.
    pub code: Option<String>,
    /// The ISO reason of that.
    pub reason: Option<String>,
    /// The words of that.
    pub detail: Option<String>,
    /// What a pain.001 says of itself.
    pub original: serde_json::Value,
    /// The key that sent it.
    pub api_key: Uuid,
    /// Who held that key then.
    pub owner: String,
    /// When its upload began.
    pub created_at: OffsetDateTime,
    /// When every row was here.
    pub received_at: Option<OffsetDateTime>,
    /// When the first row was sent.
    pub started_at: Option<OffsetDateTime>,
    /// When no row was left to be sent.
    pub ended_at: Option<OffsetDateTime>,
}

/// Why a row or a batch is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A page of docs/errors.
    pub code: String,
    /// ISO reason.
    pub reason: String,
    /// The field that is wrong, if one is.
    pub field: Option<String>,
    /// What is wrong and what to do.
    pub detail: String,
}

/// A row as it came.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// From 1.
    pub number: i32,
    /// SHA-256 of the row as it came.
    pub digest: Vec<u8>,
    /// The row's own, or made for it.
    pub uetr: Uuid,
    /// The order as JSON.
    pub body: Option<Vec<u8>>,
    /// The row's own reference.
    pub reference: Option<String>,
    /// `InstrId`.
    pub instruction_id: Option<String>,
    /// `PmtInfId`.
    pub payment_id: Option<String>,
    /// Why it cannot be read.
    pub refusal: Option<Refusal>,
}

/// A row to be sent.
#[derive(Clone, Debug, FromRow)]
pub struct WorkRow {
    /// From 1.
    pub number: i32,
    /// Its transfer's reference.
    pub uetr: Uuid,
    /// Where it stands.
    pub status: String,
    /// The order as JSON.
    pub body: Option<Vec<u8>>,
}

/// The end of an upload.
#[derive(Clone, Copy, Debug)]
pub struct Came<'a> {
    /// How many rows came.
    pub rows: i64,
    /// What a pain.001 says of itself.
    pub original: &'a serde_json::Value,
    /// What is said of a row whose UETR another row has.
    pub twice: &'a Refusal,
    /// A file received in this time that has the same rows keeps this one out.
    pub same_within: Duration,
}

/// What an upload that came to its end is.
#[derive(Clone, Debug)]
pub enum Received {
    /// Taken, now or before.
    Whole,
    /// Another number of rows than came under the key before.
    OtherRows,
    /// A batch that has the same rows was received before.
    Before(SameFile),
}

/// The batch that has the same rows.
#[derive(Clone, Debug, FromRow)]
pub struct SameFile {
    /// Its id.
    pub id: Uuid,
    /// When every row was here.
    pub received_at: OffsetDateTime,
}

/// The latest batch of the same rows, unless it was refused; one at a time asks and is received.
async fn same_file(
    connection: &mut Connection,
    file: &[u8],
    within: Duration,
) -> Result<Option<SameFile>, Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 0))")
        .bind(file)
        .execute(&mut *connection)
        .await?;
    let since = OffsetDateTime::now_utc() - within;
    Ok(sqlx::query_as(
        "SELECT id, received_at FROM batch
         WHERE rows_sha256 = $1 AND state <> 'refused' AND received_at > $2
         ORDER BY number DESC LIMIT 1",
    )
    .bind(file)
    .bind(since)
    .fetch_optional(connection)
    .await?)
}

/// Rejects rows whose UETR a row before has.
async fn reject_twice(
    connection: &mut Connection,
    batch: Uuid,
    twice: &Refusal,
) -> Result<(), Error> {
    sqlx::query(
        // A list made once: the planner knows nothing yet of rows that just came.
        "UPDATE batch_row SET status = 'rejected', body = NULL, code = $2, reason = $3,
            field = $4, detail = $5
         WHERE batch = $1 AND status = 'waiting' AND number = ANY (ARRAY(
            SELECT number FROM (
                SELECT number, row_number() OVER (PARTITION BY uetr ORDER BY number) AS at
                FROM batch_row WHERE batch = $1) AS same
            WHERE at > 1))",
    )
    .bind(batch)
    .bind(&twice.code)
    .bind(&twice.reason)
    .bind(&twice.field)
    .bind(&twice.detail)
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks the rows of a batch as sent: their transfers say the rest. False when the batch is no
/// longer to be sent.
///
/// # Errors
/// When a statement fails.
pub async fn batch_rows_sent(connection: &mut Connection, batch: Uuid) -> Result<bool, Error> {
    let open: bool =
        sqlx::query_scalar("SELECT state = 'processing' FROM batch WHERE id = $1 FOR UPDATE")
            .bind(batch)
            .fetch_one(&mut *connection)
            .await?;
    if open {
        sqlx::query(
            "UPDATE batch_row SET status = 'sent', body = NULL
             WHERE batch = $1 AND status IN ('waiting', 'sending')",
        )
        .bind(batch)
        .execute(connection)
        .await?;
    }
    Ok(open)
}

/// Closes a batch that is open; rows that were not sent never will be.
async fn close(
    connection: &mut Connection,
    (batch, state): (Uuid, &str),
    refusal: Option<&Refusal>,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE batch SET state = $2, ended_at = now(), code = $3, reason = $4, detail = $5
         WHERE id = $1 AND state IN ('receiving', 'processing')",
    )
    .bind(batch)
    .bind(state)
    .bind(refusal.map(|refusal| &refusal.code))
    .bind(refusal.map(|refusal| &refusal.reason))
    .bind(refusal.map(|refusal| &refusal.detail))
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    // A claimed row may have its transfer already, unless the whole batch is refused.
    let left = if refusal.is_some() { ["waiting", "sending"] } else { ["waiting", "waiting"] };
    sqlx::query(
        "UPDATE batch_row SET status = 'cancelled', body = NULL, code = $3, reason = $4
         WHERE batch = $1 AND status = ANY($2)",
    )
    .bind(batch)
    .bind(left.as_slice())
    .bind(refusal.map(|refusal| &refusal.code))
    .bind(refusal.map(|refusal| &refusal.reason))
    .execute(connection)
    .await?;
    Ok(true)
}

impl Store {
    /// The batch of an Idempotency-Key: this one, or the one that has it.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn batch_begin(
        &self,
        (id, form, mode): (Uuid, &str, &str),
        (api_key, key): (Uuid, &str),
    ) -> Result<BatchRow, Error> {
        sqlx::query(
            "INSERT INTO batch (id, api_key, owner, idempotency_key, form, mode)
             SELECT $1, id, owner, $3, $4, $5 FROM api_key WHERE id = $2
             ON CONFLICT (api_key, idempotency_key) DO NOTHING",
        )
        .bind(id)
        .bind(api_key)
        .bind(key)
        .bind(form)
        .bind(mode)
        .execute(&self.pool)
        .await?;
        Ok(sqlx::query_as("SELECT * FROM batch WHERE api_key = $1 AND idempotency_key = $2")
            .bind(api_key)
            .bind(key)
            .fetch_one(&self.pool)
            .await?)
    }

    /// One batch.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_fetch(&self, id: Uuid) -> Result<Option<BatchRow>, Error> {
        Ok(sqlx::query_as("SELECT * FROM batch WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Batches before a place, the newest first.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_list(&self, before: i64, limit: i64) -> Result<Vec<BatchRow>, Error> {
        Ok(sqlx::query_as("SELECT * FROM batch WHERE number < $1 ORDER BY number DESC LIMIT $2")
            .bind(before)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }

    /// Batches whose rows are to be sent, the oldest first.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_open(&self) -> Result<Vec<BatchRow>, Error> {
        Ok(sqlx::query_as("SELECT * FROM batch WHERE state = 'processing' ORDER BY number")
            .fetch_all(&self.pool)
            .await?)
    }

    /// Keeps rows while the batch is received, none twice, and gives the first that is here as
    /// another, or that came too late.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn batch_keep(&self, batch: Uuid, rows: &[NewRow]) -> Result<Option<i32>, Error> {
        let mut transaction = self.begin().await?;
        let numbers: Vec<i32> = rows.iter().map(|row| row.number).collect();
        let digests: Vec<&[u8]> = rows.iter().map(|row| row.digest.as_slice()).collect();
        let receiving: bool =
            sqlx::query_scalar("SELECT state = 'receiving' FROM batch WHERE id = $1 FOR SHARE")
                .bind(batch)
                .fetch_one(&mut *transaction)
                .await?;
        if receiving {
            insert(&mut transaction, batch, rows, (&numbers, &digests)).await?;
        }
        let differs: Option<i32> = sqlx::query_scalar(
            "SELECT min(came.number)
             FROM unnest($2::integer[], $3::bytea[]) AS came (number, digest)
             LEFT JOIN batch_row r ON r.batch = $1 AND r.number = came.number
             WHERE r.digest IS DISTINCT FROM came.digest",
        )
        .bind(batch)
        .bind(&numbers)
        .bind(&digests)
        .fetch_one(&mut *transaction)
        .await?;
        commit(transaction).await?;
        Ok(differs)
    }

    /// Closes the upload: rows with a UETR of a row before are rejected, the others may be sent.
    /// Nothing changes when it is another file than came before, or the same as one of before.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn batch_received(&self, batch: Uuid, came: &Came<'_>) -> Result<Received, Error> {
        let mut transaction = self.begin().await?;
        let state: String = sqlx::query_scalar("SELECT state FROM batch WHERE id = $1 FOR UPDATE")
            .bind(batch)
            .fetch_one(&mut *transaction)
            .await?;
        let (kept, file): (i64, Vec<u8>) = sqlx::query_as(
            "SELECT count(*), sha256(coalesce(string_agg(digest, ''::bytea ORDER BY number), ''))
             FROM batch_row WHERE batch = $1",
        )
        .bind(batch)
        .fetch_one(&mut *transaction)
        .await?;
        if kept != came.rows {
            return Ok(Received::OtherRows);
        }
        if state == "receiving" {
            if let Some(before) = same_file(&mut transaction, &file, came.same_within).await? {
                return Ok(Received::Before(before));
            }
            reject_twice(&mut transaction, batch, came.twice).await?;
            sqlx::query(
                "UPDATE batch SET state = 'processing', received_at = now(), original = $2,
                    rows_sha256 = $3
                 WHERE id = $1",
            )
            .bind(batch)
            .bind(came.original)
            .bind(&file)
            .execute(&mut *transaction)
            .await?;
        }
        commit(transaction).await?;
        Ok(Received::Whole)
    }

    /// Refuses a batch whole, unless it has ended: nothing more of it is sent.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn batch_refuse(&self, batch: Uuid, refusal: &Refusal) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        close(&mut transaction, (batch, "refused"), Some(refusal)).await?;
        commit(transaction).await
    }

    /// Cancels what is not sent; false when the batch had ended.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn batch_cancel(&self, batch: Uuid) -> Result<bool, Error> {
        let mut transaction = self.begin().await?;
        let closed = close(&mut transaction, (batch, "cancelled"), None).await?;
        commit(transaction).await?;
        Ok(closed)
    }

    /// Notes that sending begins.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_start(&self, batch: Uuid) -> Result<(), Error> {
        sqlx::query("UPDATE batch SET started_at = coalesce(started_at, now()) WHERE id = $1")
            .bind(batch)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Notes that no row is left to be sent.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_end(&self, batch: Uuid) -> Result<(), Error> {
        sqlx::query(
            "UPDATE batch SET state = 'sent', ended_at = now()
             WHERE id = $1 AND state = 'processing' AND NOT EXISTS (SELECT FROM batch_row
                WHERE batch = $1 AND status IN ('waiting', 'sending'))",
        )
        .bind(batch)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Claims the next rows behind a number. A row whose UETR is a transfer's already is rejected
    /// here: a transfer that is found later is the row's own.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_claim(
        &self,
        (batch, debtor_agent): (Uuid, ParticipantId),
        (after, limit): (i32, i64),
        taken: &Refusal,
    ) -> Result<Vec<WorkRow>, Error> {
        let mut rows: Vec<WorkRow> = sqlx::query_as(
            // Only those that are claimed are looked for among transfers, not all that wait, and each is
            // found by its key.
            "WITH waiting AS MATERIALIZED (
                SELECT batch, number, status, uetr FROM batch_row
                WHERE batch = $1 AND status = 'waiting' AND number > $3
                    AND EXISTS (SELECT FROM batch WHERE id = $1 AND state = 'processing')
                ORDER BY number LIMIT $4),
             next AS (SELECT batch, number, status AS was, EXISTS (SELECT FROM transfer t
                WHERE t.debtor_agent = $2 AND t.uetr = waiting.uetr) AS taken FROM waiting)
             UPDATE batch_row r SET status = CASE WHEN taken THEN 'rejected' ELSE 'sending' END,
                code = CASE WHEN taken THEN $5 END, reason = CASE WHEN taken THEN $6 END,
                field = CASE WHEN taken THEN $7 END, detail = CASE WHEN taken THEN $8 END,
                body = CASE WHEN taken THEN NULL ELSE body END
             FROM next WHERE r.batch = next.batch AND r.number = next.number AND r.status = next.was
             RETURNING r.number, r.uetr, r.status, r.body",
        )
        .bind(batch)
        .bind(i64::from(debtor_agent.0))
        .bind(after)
        .bind(limit)
        .bind(&taken.code)
        .bind(&taken.reason)
        .bind(&taken.field)
        .bind(&taken.detail)
        .fetch_all(&self.pool)
        .await?;
        rows.sort_unstable_by_key(|row| row.number);
        Ok(rows)
    }

    /// Rows in one of these states, in order.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_work(&self, batch: Uuid, states: &[&str]) -> Result<Vec<WorkRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT number, uetr, status, body FROM batch_row
             WHERE batch = $1 AND status = ANY($2) ORDER BY number",
        )
        .bind(batch)
        .bind(states)
        .fetch_all(&self.pool)
        .await?)
    }

    /// The rows whose UETR is a transfer's of this debtor agent.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_taken(
        &self,
        batch: Uuid,
        debtor_agent: ParticipantId,
    ) -> Result<Vec<i32>, Error> {
        Ok(sqlx::query_scalar(
            "SELECT r.number FROM batch_row r
             JOIN transfer t ON t.debtor_agent = $2 AND t.uetr = r.uetr
             WHERE r.batch = $1 AND r.status <> 'rejected' ORDER BY r.number",
        )
        .bind(batch)
        .bind(i64::from(debtor_agent.0))
        .fetch_all(&self.pool)
        .await?)
    }

    /// Writes a row's end: sent, or why not.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn batch_row_end(&self, ended: RowEnd) -> Result<(), Error> {
        self.writes.batch_rows.ask(ended).await
    }
}

/// What became of a row.
#[derive(Clone, Debug)]
pub struct RowEnd {
    /// Of which batch.
    pub batch: Uuid,
    /// Its number.
    pub number: i32,
    /// Why it is not sent.
    pub refusal: Option<Refusal>,
}

#[derive(Debug)]
pub(super) struct Ending;

impl Group for Ending {
    type Item = RowEnd;
    type Answer = ();

    async fn run(connection: &mut Connection, rows: &[RowEnd]) -> Result<Vec<()>, Error> {
        let texts = |of: fn(&Refusal) -> Option<&str>| {
            rows.iter().map(|row| row.refusal.as_ref().and_then(of)).collect::<Vec<_>>()
        };
        sqlx::query(
            "UPDATE batch_row r SET body = NULL, code = c.code, reason = c.reason, field = c.field,
                detail = c.detail, status = CASE WHEN c.code IS NULL THEN 'sent' ELSE 'rejected' END
             FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[])
                AS c (batch, number, code, reason, field, detail)
             WHERE r.batch = c.batch AND r.number = c.number AND r.status IN ('waiting', 'sending')",
        )
        .bind(rows.iter().map(|row| row.batch).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.number).collect::<Vec<_>>())
        .bind(texts(|refusal| Some(&refusal.code)))
        .bind(texts(|refusal| Some(&refusal.reason)))
        .bind(texts(|refusal| refusal.field.as_deref()))
        .bind(texts(|refusal| Some(&refusal.detail)))
        .execute(connection)
        .await?;
        Ok(vec![(); rows.len()])
    }
}

async fn insert(
    connection: &mut Connection,
    batch: Uuid,
    rows: &[NewRow],
    (numbers, digests): (&[i32], &[&[u8]]),
) -> Result<(), Error> {
    let uetrs: Vec<Uuid> = rows.iter().map(|row| row.uetr).collect();
    let bodies: Vec<Option<&[u8]>> = rows.iter().map(|row| row.body.as_deref()).collect();
    let texts = |of: fn(&NewRow) -> Option<&String>| -> Vec<Option<&str>> {
        rows.iter().map(|row| of(row).map(String::as_str)).collect()
    };
    sqlx::query(
        "INSERT INTO batch_row (batch, number, digest, uetr, body, reference, instruction_id,
            payment_id, code, reason, field, detail, status)
         SELECT $1, came.*, CASE WHEN came.code IS NULL THEN 'waiting' ELSE 'rejected' END
         FROM unnest($2::integer[], $3::bytea[], $4::uuid[], $5::bytea[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
            AS came (number, digest, uetr, body, reference, instruction_id, payment_id, code,
                reason, field, detail)
         ON CONFLICT (batch, number) DO NOTHING",
    )
    .bind(batch)
    .bind(numbers)
    .bind(digests)
    .bind(uetrs)
    .bind(bodies)
    .bind(texts(|row| row.reference.as_ref()))
    .bind(texts(|row| row.instruction_id.as_ref()))
    .bind(texts(|row| row.payment_id.as_ref()))
    .bind(texts(|row| row.refusal.as_ref().map(|refusal| &refusal.code)))
    .bind(texts(|row| row.refusal.as_ref().map(|refusal| &refusal.reason)))
    .bind(texts(|row| row.refusal.as_ref().and_then(|refusal| refusal.field.as_ref())))
    .bind(texts(|row| row.refusal.as_ref().map(|refusal| &refusal.detail)))
    .execute(connection)
    .await?;
    Ok(())
}
