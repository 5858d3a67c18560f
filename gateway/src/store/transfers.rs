//! Transfers as this gateway knows them: rows that follow the ledger's records and never go back.
use std::time::Duration;

use ledger_types::{ParticipantId, Timestamp, TransferId, Uetr};
use services_runtime::trace;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Error, Store, big, unsigned};
use crate::clock;

/// A transfer's row.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    /// Place in this store, for cursors.
    pub id: i64,
    /// Who submitted it.
    pub debtor_agent: i64,
    /// Its reference.
    pub uetr: Uuid,
    /// Who decides.
    pub creditor_agent: i64,
    /// Whether this gateway submitted it.
    pub outgoing: bool,
    /// The transfer that it returns.
    pub return_of: Option<Uuid>,
    /// Its corridor.
    pub corridor: i64,
    /// QUEUED, or the ledger's state.
    pub status: String,
    /// ISO reason of its end.
    pub reason: Option<String>,
    /// Name of the refusal.
    pub refusal: Option<String>,
    /// The record of the last change.
    pub record: Option<i64>,
    /// What the debtor is debited, minor units.
    pub instructed_amount: Option<i64>,
    /// Its currency.
    pub instructed_currency: Option<String>,
    /// Interbank settlement amount, minor units.
    pub amount: i64,
    /// Its currency.
    pub currency: String,
    /// What core banking was asked to reserve.
    pub reserved_amount: i64,
    /// How the creditor is paid.
    pub payout_method: String,
    /// Why the debtor pays.
    pub purpose: String,
    /// The debtor's own reference.
    pub end_to_end_id: Option<String>,
    /// Quotes used.
    pub quotes: Vec<Uuid>,
    /// When it expires.
    pub deadline: Option<OffsetDateTime>,
    /// Until when it is held.
    pub held_until: Option<OffsetDateTime>,
    /// Why it is held.
    pub hold_reason: Option<String>,
    /// When this gateway first knew of it.
    pub created_at: OffsetDateTime,
    /// When the ledger took it.
    pub submitted_at: Option<OffsetDateTime>,
    /// Ledger-final.
    pub settled_at: Option<OffsetDateTime>,
    /// When it ended without settling.
    pub ended_at: Option<OffsetDateTime>,
    /// ACCC, CPUC, ACWP or BLCK.
    pub confirmation: Option<String>,
    /// When that was recorded.
    pub confirmed_at: Option<OffsetDateTime>,
    /// Beneficiary-credited.
    pub credited_at: Option<OffsetDateTime>,
    /// The creditor agent's own decision.
    pub decision: Option<String>,
    /// Whether core banking is done with it.
    pub booked: bool,
    /// SHA-256 of its tracking token.
    pub tracking_sha256: Option<Vec<u8>>,
}

impl Row {
    /// Its identity; `None` if the row was tampered with.
    #[must_use]
    pub fn transfer(&self) -> Option<TransferId> {
        let uetr = Uetr::from_bytes(*self.uetr.as_bytes()).ok()?;
        Some(TransferId { debtor_agent: participant(self.debtor_agent), uetr })
    }

    /// Interbank settlement amount.
    #[must_use]
    pub fn settlement_amount(&self) -> u64 {
        unsigned(self.amount)
    }
}

/// A participant's id as stored.
#[must_use]
pub fn participant(stored: i64) -> ParticipantId {
    ParticipantId(u32::try_from(stored).unwrap_or(0))
}

/// A transfer that this gateway learns of.
#[derive(Clone, Debug)]
pub struct New {
    /// Its identity.
    pub transfer: TransferId,
    /// Who decides.
    pub creditor_agent: ParticipantId,
    /// Whether this gateway submits it.
    pub outgoing: bool,
    /// The transfer that it returns.
    pub return_of: Option<Uetr>,
    /// Its corridor.
    pub corridor: u32,
    /// QUEUED; REJECTED if it is refused here, AWAITING_APPROVAL if it is parked.
    pub status: &'static str,
    /// ISO reason of a refusal.
    pub reason: Option<String>,
    /// Name of the refusal.
    pub refusal: Option<String>,
    /// Minor units debited and their currency.
    pub instructed: Option<(u64, String)>,
    /// Minor units credited and their currency.
    pub settlement: (u64, String),
    /// What core banking reserves.
    pub reserved_amount: u64,
    /// How the creditor is paid.
    pub payout_method: &'static str,
    /// Why the debtor pays.
    pub purpose: String,
    /// The debtor's own reference.
    pub end_to_end_id: Option<String>,
    /// Quotes used.
    pub quotes: Vec<Uuid>,
    /// SHA-256 of its tracking token.
    pub tracking_sha256: Option<Vec<u8>>,
}

/// Inserts a transfer, with the span of who asks for it; false when its identity is known already.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_insert(connection: &mut Connection, new: &New) -> Result<bool, Error> {
    let instructed = new.instructed.as_ref();
    let amount = instructed.map(|(amount, _)| big("instructed_amount", *amount)).transpose()?;
    let done = sqlx::query(
        "INSERT INTO transfer (debtor_agent, uetr, creditor_agent, outgoing, return_of, corridor,
            status, reason, refusal, instructed_amount, instructed_currency, amount, currency,
            reserved_amount, payout_method, purpose, end_to_end_id, quotes, tracking_sha256,
            traceparent, ended_at, booked)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, CASE WHEN $7 = 'REJECTED' THEN now() END,
            $7 IN ('REJECTED', 'AWAITING_APPROVAL'))
         ON CONFLICT (debtor_agent, uetr) DO NOTHING",
    )
    .bind(i64::from(new.transfer.debtor_agent.0))
    .bind(uuid(new.transfer.uetr))
    .bind(i64::from(new.creditor_agent.0))
    .bind(new.outgoing)
    .bind(new.return_of.map(uuid))
    .bind(i64::from(new.corridor))
    .bind(new.status)
    .bind(&new.reason)
    .bind(&new.refusal)
    .bind(amount)
    .bind(instructed.map(|(_, currency)| currency))
    .bind(big("amount", new.settlement.0)?)
    .bind(&new.settlement.1)
    .bind(big("reserved_amount", new.reserved_amount)?)
    .bind(new.payout_method)
    .bind(&new.purpose)
    .bind(&new.end_to_end_id)
    .bind(&new.quotes)
    .bind(&new.tracking_sha256)
    .bind(trace::kept())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A change that a record made to a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Reserved on the ledger.
    Pending {
        /// When it expires.
        deadline: Timestamp,
    },
    /// The creditor agent reviews.
    Held {
        /// Why.
        reason: String,
        /// Until when.
        until: Timestamp,
    },
    /// Final.
    Settled,
    /// Ended without settling: REJECTED, EXPIRED, CANCELLED or BURNED.
    Ended {
        /// The state.
        status: &'static str,
        /// ISO reason.
        reason: Option<String>,
        /// Name of the refusal, if the ledger refused it.
        refusal: Option<String>,
    },
    /// The creditor agent's word after settlement.
    Confirmed {
        /// ACCC, CPUC, ACWP or BLCK.
        status: &'static str,
        /// Whether the creditor has the money.
        credited: bool,
    },
}

impl Change {
    /// The word in the timeline, the ISO status and the reason.
    fn words(&self) -> (&'static str, &'static str, Option<&str>) {
        match self {
            Self::Pending { .. } => ("pending", "ACSP", None),
            Self::Held { reason, .. } => ("held", "ACSP", Some(reason)),
            Self::Settled => ("ledger_final", "ACSC", None),
            Self::Ended { status, reason, .. } => {
                let (word, iso) = match *status {
                    "CANCELLED" => ("cancelled", "CANC"),
                    "EXPIRED" => ("expired", "RJCT"),
                    "BURNED" => ("burned", "RJCT"),
                    _ => ("rejected", "RJCT"),
                };
                (word, iso, reason.as_deref())
            }
            Self::Confirmed { status, credited: true } => ("beneficiary_credited", status, None),
            Self::Confirmed { status, credited: false } => ("confirmed", status, None),
        }
    }
}

/// A change that was applied for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which transfer.
    pub transfer: TransferId,
    /// Whether this gateway submitted the transfer.
    pub outgoing: bool,
    /// Its corridor.
    pub corridor: i64,
    /// What changed.
    pub change: Change,
    /// When this gateway first knew of the transfer.
    pub created_at: OffsetDateTime,
    /// How long after this gateway first knew of the transfer.
    pub after: Duration,
    /// The span of who asked for it.
    pub traceparent: Option<String>,
}

/// Applies a change and writes it to the timeline; none when it was applied before.
///
/// # Errors
/// When a statement fails.
pub async fn transfer_change(
    connection: &mut Connection,
    transfer: TransferId,
    change: &Change,
    at: Timestamp,
    record: u64,
) -> Result<Option<Changed>, Error> {
    let record = (record != 0).then(|| big("record", record)).transpose()?;
    let time = clock::calendar_or_epoch(at);
    if let Change::Pending { deadline } = change {
        deadline_set(connection, transfer, *deadline).await?;
    }
    let query = match change {
        Change::Pending { .. } => sqlx::query_as(
            "UPDATE transfer SET status = 'PENDING', submitted_at = $3, record = $4
             WHERE debtor_agent = $1 AND uetr = $2 AND status = 'QUEUED'
             RETURNING outgoing, created_at, corridor, traceparent",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(time)
        .bind(record),
        Change::Held { reason, until } => sqlx::query_as(
            "UPDATE transfer SET hold_reason = $3, held_until = $4, record = $5
             WHERE debtor_agent = $1 AND uetr = $2 AND status = 'PENDING'
                AND held_until IS DISTINCT FROM $4
             RETURNING outgoing, created_at, corridor, traceparent",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(reason)
        .bind(clock::calendar(*until))
        .bind(record),
        Change::Settled => sqlx::query_as(
            "UPDATE transfer SET status = 'SETTLED', settled_at = $3, record = $4,
                submitted_at = coalesce(submitted_at, $3)
             WHERE debtor_agent = $1 AND uetr = $2 AND status IN ('QUEUED', 'PENDING')
             RETURNING outgoing, created_at, corridor, traceparent",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(time)
        .bind(record),
        Change::Ended { status, reason, refusal } => sqlx::query_as(
            "UPDATE transfer SET status = $3, reason = $4, refusal = $5, ended_at = $6, record = $7
             WHERE debtor_agent = $1 AND uetr = $2 AND status IN ('QUEUED', 'PENDING')
             RETURNING outgoing, created_at, corridor, traceparent",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(*status)
        .bind(reason)
        .bind(refusal)
        .bind(time)
        .bind(record),
        Change::Confirmed { status, credited } => sqlx::query_as(
            "UPDATE transfer SET confirmation = $3, confirmed_at = $4, record = $5,
                status = CASE WHEN $6 THEN 'CREDITED' ELSE status END,
                credited_at = CASE WHEN $6 THEN $4 ELSE credited_at END
             WHERE debtor_agent = $1 AND uetr = $2 AND status = 'SETTLED'
                AND confirmation IS DISTINCT FROM $3
             RETURNING outgoing, created_at, corridor, traceparent",
        )
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(*status)
        .bind(time)
        .bind(record)
        .bind(*credited),
    };
    let row: Option<ChangedRow> = query.fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    timeline_insert(connection, transfer, at, change.words(), record).await?;
    Ok(Some(changed(transfer, change, time, row)))
}

/// Direction, first knowledge, corridor and `traceparent` of a row that was changed.
type ChangedRow = (bool, OffsetDateTime, i64, Option<String>);

fn changed(
    transfer: TransferId,
    change: &Change,
    time: OffsetDateTime,
    (outgoing, created_at, corridor, traceparent): ChangedRow,
) -> Changed {
    // The ledger's clock may be behind this machine's.
    let after = Duration::try_from(time - created_at).unwrap_or_default();
    let change = change.clone();
    Changed { transfer, outgoing, corridor, change, created_at, after, traceparent }
}

/// The outcome comes without a deadline, the record with it; either may be first.
async fn deadline_set(
    connection: &mut Connection,
    transfer: TransferId,
    deadline: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE transfer SET deadline = coalesce($3, deadline)
         WHERE debtor_agent = $1 AND uetr = $2 AND status IN ('QUEUED', 'PENDING')",
    )
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(clock::calendar(deadline))
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Adds a line to a transfer's timeline: (event, ISO status, reason).
///
/// # Errors
/// When the statement fails.
pub async fn timeline_insert(
    connection: &mut Connection,
    transfer: TransferId,
    at: Timestamp,
    (event, iso_status, reason): (&str, &str, Option<&str>),
    record: Option<i64>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO timeline (debtor_agent, uetr, at, event, iso_status, reason, record)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(clock::calendar_or_epoch(at))
    .bind(event)
    .bind(iso_status)
    .bind(reason)
    .bind(record)
    .execute(connection)
    .await?;
    Ok(())
}

/// A line of a timeline.
#[derive(Clone, Debug, FromRow)]
pub struct TimelineRow {
    /// When.
    pub at: OffsetDateTime,
    /// What.
    pub event: String,
    /// ISO status.
    pub iso_status: String,
    /// ISO reason.
    pub reason: Option<String>,
    /// The ledger's record.
    pub record: Option<i64>,
}

/// Writes a decision about an incoming transfer; false when one was written before or it is too
/// late.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_decide(
    connection: &mut Connection,
    transfer: TransferId,
    decision: &str,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE transfer SET decision = $3
         WHERE debtor_agent = $1 AND uetr = $2 AND NOT outgoing AND status = 'PENDING'
            AND (decision IS NULL OR decision = 'hold')",
    )
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(decision)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that core banking is done with a transfer; false when that was noted before.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_book(
    connection: &mut Connection,
    transfer: TransferId,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE transfer SET booked = true WHERE debtor_agent = $1 AND uetr = $2 AND NOT booked",
    )
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

impl Store {
    /// Transfers of a UETR, of one debtor agent if it is named.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_fetch(
        &self,
        uetr: Uetr,
        debtor_agent: Option<ParticipantId>,
    ) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM transfer WHERE uetr = $1 AND ($2::bigint IS NULL OR debtor_agent = $2)",
        )
        .bind(uuid(uetr))
        .bind(debtor_agent.map(|id| i64::from(id.0)))
        .fetch_all(&self.pool)
        .await?)
    }

    /// Transfers after a place in the store, at most `limit`.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_list(
        &self,
        after: i64,
        status: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM transfer WHERE id > $1 AND ($2::text IS NULL OR status = $2)
             ORDER BY id LIMIT $3",
        )
        .bind(after)
        .bind(status)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// The transfer of a tracking token's digest.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_tracked(&self, token_sha256: &[u8]) -> Result<Option<Row>, Error> {
        Ok(sqlx::query_as("SELECT * FROM transfer WHERE tracking_sha256 = $1")
            .bind(token_sha256)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// A transfer's timeline.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn timeline_fetch(&self, row: &Row) -> Result<Vec<TimelineRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT at, event, iso_status, reason, record FROM timeline
             WHERE debtor_agent = $1 AND uetr = $2 ORDER BY at, id",
        )
        .bind(row.debtor_agent)
        .bind(row.uetr)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Incoming transfers that wait for this gateway's decision, held ones included.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_undecided(&self) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM transfer WHERE NOT outgoing AND status = 'PENDING'
                AND (decision IS NULL OR decision = 'hold') AND NOT booked ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Transfers that core banking has yet to capture, release or credit.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_unbooked(&self) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM transfer WHERE NOT booked AND status NOT IN ('QUEUED', 'PENDING')
             ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Transfers that return a given one of this gateway's.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn transfer_returns(&self, original: Uuid) -> Result<Vec<Row>, Error> {
        Ok(sqlx::query_as("SELECT * FROM transfer WHERE return_of = $1 ORDER BY id")
            .bind(original)
            .fetch_all(&self.pool)
            .await?)
    }
}

/// A UETR as the store's type.
#[must_use]
pub fn uuid(uetr: Uetr) -> Uuid {
    Uuid::from_bytes(uetr.bytes())
}
