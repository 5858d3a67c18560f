//! Transfers that wait for approval and how each ended; one SQL transaction changes the transfer, its approval, its timeline and what is told of it.
use ledger_types::{Currency, Money, TransferId};
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Connection, Error, Store, big,
    transfers::{New, Row, uuid},
    unsigned,
};

/// The state of a transfer that waits.
pub const AWAITING: &str = "AWAITING_APPROVAL";

/// An approval, asked for or decided.
#[derive(Clone, Debug, FromRow)]
pub struct ApprovalRow {
    /// Its id.
    pub id: Uuid,
    /// Its place in the list.
    pub place: i64,
    /// Whose transfer.
    pub debtor_agent: i64,
    /// Which transfer.
    pub uetr: Uuid,
    /// The key that made it.
    pub maker_key: Option<Uuid>,
    /// Who made it.
    pub maker_owner: String,
    /// What the order fixed, or the most it may debit; minor units.
    pub instructed_amount: Option<i64>,
    /// Its currency.
    pub instructed_currency: Option<String>,
    /// What the order fixed at the other side.
    pub settlement_amount: Option<i64>,
    /// Its currency.
    pub settlement_currency: Option<String>,
    /// What would have been debited when it was parked.
    pub debit_amount: i64,
    /// Its currency.
    pub debit_currency: String,
    /// `open`, `approved`, `rejected`, `expired` or `refused`.
    pub state: String,
    /// When it was parked.
    pub created_at: OffsetDateTime,
    /// Until when it waits.
    pub expires_at: OffsetDateTime,
    /// When it was decided.
    pub decided_at: Option<OffsetDateTime>,
    /// Who decided.
    pub decided_owner: Option<String>,
    /// ISO reason of an end without approval.
    pub reason: Option<String>,
    /// Its page in docs/errors.
    pub refusal: Option<String>,
}

impl ApprovalRow {
    /// What the order fixed on the debtor's side.
    #[must_use]
    pub fn instructed(&self) -> Option<Money> {
        money(self.instructed_amount, self.instructed_currency.as_deref())
    }

    /// What the order fixed on the creditor's side.
    #[must_use]
    pub fn settlement(&self) -> Option<Money> {
        money(self.settlement_amount, self.settlement_currency.as_deref())
    }
}

fn money(amount: Option<i64>, currency: Option<&str>) -> Option<Money> {
    let currency: Currency = currency?.parse().ok()?;
    Some(Money::new(unsigned(amount?), currency))
}

/// An approval to be asked for.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// Its id.
    pub id: Uuid,
    /// For which transfer.
    pub transfer: TransferId,
    /// The key that made it.
    pub maker_key: Option<Uuid>,
    /// Who made it.
    pub maker_owner: String,
    /// What the order fixes, or the most it may debit.
    pub instructed: Option<Money>,
    /// What the order fixes at the other side.
    pub settlement: Option<Money>,
    /// What would be debited at this moment.
    pub debit: Money,
    /// Until when it waits.
    pub expires_at: OffsetDateTime,
}

/// How an approval ends.
#[derive(Clone, Debug)]
pub struct Decided<'a> {
    /// `approved`, `rejected`, `expired` or `refused`.
    pub state: &'static str,
    /// By which key; none by the clock.
    pub key: Option<Uuid>,
    /// By whom.
    pub owner: Option<&'a str>,
    /// ISO reason.
    pub reason: Option<&'a str>,
    /// Its page in docs/errors.
    pub refusal: Option<&'a str>,
}

/// Keeps an approval.
///
/// # Errors
/// When the statement fails.
pub async fn approval_insert(connection: &mut Connection, new: &NewApproval) -> Result<(), Error> {
    let amount = |money: Option<Money>| money.map(|own| big("amount", own.minor_units)).transpose();
    let currency = |money: Option<Money>| money.map(|own| own.currency.to_string());
    sqlx::query(
        "INSERT INTO approval (id, debtor_agent, uetr, maker_key, maker_owner, instructed_amount,
            instructed_currency, settlement_amount, settlement_currency, debit_amount,
            debit_currency, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(new.id)
    .bind(i64::from(new.transfer.debtor_agent.0))
    .bind(uuid(new.transfer.uetr))
    .bind(new.maker_key)
    .bind(&new.maker_owner)
    .bind(amount(new.instructed)?)
    .bind(currency(new.instructed))
    .bind(amount(new.settlement)?)
    .bind(currency(new.settlement))
    .bind(big("debit", new.debit.minor_units)?)
    .bind(new.debit.currency.to_string())
    .bind(new.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends an approval that is open; false when it was decided before.
///
/// # Errors
/// When the statement fails.
pub async fn approval_decide(
    connection: &mut Connection,
    id: Uuid,
    decided: &Decided<'_>,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE approval SET state = $2, decided_at = now(), decided_key = $3, decided_owner = $4,
            reason = $5, refusal = $6 WHERE id = $1 AND state = 'open'",
    )
    .bind(id)
    .bind(decided.state)
    .bind(decided.key)
    .bind(decided.owner)
    .bind(decided.reason)
    .bind(decided.refusal)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Makes a transfer that waited one that is sent, as it is priced anew; a quote that the order named
/// stays the first of its quotes. False when it waits no more.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_release(connection: &mut Connection, new: &New) -> Result<bool, Error> {
    let instructed = new.instructed.as_ref();
    let amount = instructed.map(|(amount, _)| big("instructed_amount", *amount)).transpose()?;
    let done = sqlx::query(
        "UPDATE transfer SET status = 'QUEUED', booked = false, instructed_amount = $3,
            instructed_currency = $4, amount = $5, currency = $6, reserved_amount = $7,
            quotes = quotes || $8
         WHERE debtor_agent = $1 AND uetr = $2 AND status = 'AWAITING_APPROVAL'",
    )
    .bind(i64::from(new.transfer.debtor_agent.0))
    .bind(uuid(new.transfer.uetr))
    .bind(amount)
    .bind(instructed.map(|(_, currency)| currency))
    .bind(big("amount", new.settlement.0)?)
    .bind(&new.settlement.1)
    .bind(big("reserved_amount", new.reserved_amount)?)
    .bind(&new.quotes)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a transfer that waited; false when it waits no more.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_refuse(
    connection: &mut Connection,
    transfer: TransferId,
    (reason, refusal): (&str, &str),
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE transfer SET status = 'REJECTED', reason = $3, refusal = $4, ended_at = now()
         WHERE debtor_agent = $1 AND uetr = $2 AND status = 'AWAITING_APPROVAL'",
    )
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(reason)
    .bind(refusal)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps an event of this gateway's own and plans it for every endpoint that wants its type. What
/// follows a parked one in its lane is parked with it.
///
/// # Errors
/// When a statement fails.
pub async fn local_event_insert(
    connection: &mut Connection,
    r#type: &str,
    lane: &str,
    data: &serde_json::Value,
) -> Result<(), Error> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO local_event (at, type, data) VALUES (now(), $1, $2) RETURNING id",
    )
    .bind(r#type)
    .bind(data)
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO webhook_delivery (webhook, local, type, lane, status)
         SELECT w.id, $1, $2, $3, CASE WHEN EXISTS
            (SELECT 1 FROM webhook_delivery d WHERE d.webhook = w.id AND d.lane = $3
                AND d.status = 'parked') THEN 'parked' ELSE 'waiting' END
         FROM webhook w WHERE w.events = '{}' OR $2 = ANY (w.events)",
    )
    .bind(id)
    .bind(r#type)
    .bind(lane)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Approvals after a place, of one state if it is given.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn approval_list(
        &self,
        after: i64,
        state: Option<&str>,
        limit: i64,
    ) -> Result<Vec<(ApprovalRow, Row)>, Error> {
        let rows: Vec<ApprovalRow> = sqlx::query_as(
            "SELECT * FROM approval WHERE place > $1 AND ($2::text IS NULL OR state = $2)
             ORDER BY place LIMIT $3",
        )
        .bind(after)
        .bind(state)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let mut both = Vec::new();
        for row in rows {
            let transfer = self.approval_transfer(&row).await?;
            both.extend(transfer.map(|transfer| (row, transfer)));
        }
        Ok(both)
    }

    /// The transfer of an approval.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn approval_transfer(&self, row: &ApprovalRow) -> Result<Option<Row>, Error> {
        Ok(sqlx::query_as("SELECT * FROM transfer WHERE debtor_agent = $1 AND uetr = $2")
            .bind(row.debtor_agent)
            .bind(row.uetr)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// One approval.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn approval_fetch(&self, id: Uuid) -> Result<Option<ApprovalRow>, Error> {
        Ok(sqlx::query_as("SELECT * FROM approval WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Open approvals whose time is over.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn approval_due(&self) -> Result<Vec<ApprovalRow>, Error> {
        Ok(sqlx::query_as(
            "SELECT * FROM approval WHERE state = 'open' AND expires_at <= now()
             ORDER BY expires_at LIMIT 100",
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
