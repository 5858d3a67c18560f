//! The built-in book of customer accounts: a core banking for participants that have none at hand; balances never go below zero.
use futures_util::future::BoxFuture;
use ledger_types::{PayoutMethod, StatusReason, TransferId, Uetr};

use uuid::Uuid;

use super::{
    Connection, Error, Store, big,
    transfers::{participant, uuid},
};
use crate::{
    banking::{self, CoreBanking, Customer, Identified, Reserved, account_key},
    payee::Payee,
    settings::Account,
};

mod payees;

/// The book.
#[derive(Clone, Debug)]
pub struct Book {
    store: Store,
}

impl Book {
    /// Opens the book, with the accounts that it does not know yet.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn open(store: Store, accounts: &[Account]) -> Result<Self, Error> {
        for account in accounts {
            sqlx::query(
                "INSERT INTO book_account (account, currency, status, balance)
                 VALUES ($1, $2, $3, $4) ON CONFLICT (account) DO NOTHING",
            )
            .bind(account_key(&account.account))
            .bind(&account.currency)
            .bind(&account.status)
            .bind(big("balance", account.balance)?)
            .execute(&store.pool)
            .await?;
        }
        let book = Self { store };
        book.name(accounts).await?;
        book.release_orphans().await?;
        Ok(book)
    }

    /// Releases what a process reserved and then stopped before it kept the transfer, or released
    /// one that waits for approval.
    async fn release_orphans(&self) -> Result<(), Error> {
        let orphans: Vec<(i64, Uuid)> = sqlx::query_as(
            "SELECT e.debtor_agent, e.uetr FROM book_entry e
             LEFT JOIN transfer t ON t.debtor_agent = e.debtor_agent AND t.uetr = e.uetr
             WHERE e.kind = 'debit' AND e.state = 'reserved'
                AND (t.uetr IS NULL OR t.status = 'AWAITING_APPROVAL')",
        )
        .fetch_all(&self.store.pool)
        .await?;
        for (debtor_agent, reference) in orphans {
            let debtor_agent = participant(debtor_agent);
            if let Ok(uetr) = Uetr::from_bytes(*reference.as_bytes()) {
                self.end(TransferId { debtor_agent, uetr }, false).await?;
            }
        }
        Ok(())
    }

    async fn reserve_now(
        &self,
        id: TransferId,
        debtor: Customer<'_>,
    ) -> Result<Reserved, banking::Error> {
        let account = debtor.account.ok_or_else(|| refused(b"AC01"))?;
        let account = account_key(account);
        let amount = big("amount", debtor.money.minor_units).map_err(unavailable)?;
        let mut transaction = self.store.begin().await.map_err(unavailable)?;
        if !entry(&mut transaction, id, "debit", &account, amount, "reserved").await? {
            return Ok(Reserved::Before);
        }
        usable(&mut transaction, &account, debtor.money.currency.as_str()).await?;
        let done = sqlx::query(
            "UPDATE book_account SET reserved = reserved + $2
             WHERE account = $1 AND balance - reserved >= $2",
        )
        .bind(&account)
        .bind(amount)
        .execute(&mut *transaction)
        .await
        .map_err(|error| unavailable(error.into()))?;
        if done.rows_affected() == 0 {
            return Err(refused(b"AM04"));
        }
        super::commit(transaction).await.map_err(unavailable)?;
        Ok(Reserved::Now)
    }

    async fn end(&self, id: TransferId, captured: bool) -> Result<(), Error> {
        let mut transaction = self.store.begin().await?;
        let ended: Option<(String, i64)> = sqlx::query_as(
            "UPDATE book_entry SET state = $3
             WHERE debtor_agent = $1 AND uetr = $2 AND kind = 'debit' AND state = 'reserved'
             RETURNING account, amount",
        )
        .bind(i64::from(id.debtor_agent.0))
        .bind(uuid(id.uetr))
        .bind(if captured { "captured" } else { "released" })
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((account, amount)) = ended else { return Ok(()) };
        sqlx::query(
            "UPDATE book_account SET reserved = reserved - $2,
                balance = balance - CASE WHEN $3 THEN $2 ELSE 0 END
             WHERE account = $1",
        )
        .bind(account)
        .bind(amount)
        .bind(captured)
        .execute(&mut *transaction)
        .await?;
        super::commit(transaction).await
    }

    async fn check_now(&self, creditor: Customer<'_>) -> Result<(), banking::Error> {
        if creditor.payout_method == PayoutMethod::CashPickup {
            return Ok(());
        }
        let account = account_key(creditor.account.ok_or_else(|| refused(b"AC03"))?);
        let mut connection =
            self.store.pool.acquire().await.map_err(|error| unavailable(error.into()))?;
        usable(&mut connection, &account, creditor.money.currency.as_str()).await
    }

    async fn credit_now(
        &self,
        id: TransferId,
        creditor: Customer<'_>,
    ) -> Result<(), banking::Error> {
        let account = account_key(creditor.account.ok_or_else(|| refused(b"AC03"))?);
        let amount = big("amount", creditor.money.minor_units).map_err(unavailable)?;
        let mut transaction = self.store.begin().await.map_err(unavailable)?;
        if !entry(&mut transaction, id, "credit", &account, amount, "credited").await? {
            return Ok(());
        }
        sqlx::query("UPDATE book_account SET balance = balance + $2 WHERE account = $1")
            .bind(&account)
            .bind(amount)
            .execute(&mut *transaction)
            .await
            .map_err(|error| unavailable(error.into()))?;
        super::commit(transaction).await.map_err(unavailable)
    }
}

impl Book {
    async fn credited_now(&self, id: TransferId) -> Result<bool, Error> {
        let credited = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM book_entry
             WHERE debtor_agent = $1 AND uetr = $2 AND kind = 'credit')",
        );
        let credited = credited.bind(i64::from(id.debtor_agent.0)).bind(uuid(id.uetr));
        Ok(credited.fetch_one(&self.store.pool).await?)
    }
}

impl CoreBanking for Book {
    fn reserve<'a>(
        &'a self,
        transfer: TransferId,
        debtor: Customer<'a>,
    ) -> BoxFuture<'a, Result<Reserved, banking::Error>> {
        Box::pin(self.reserve_now(transfer, debtor))
    }

    fn capture(&self, transfer: TransferId) -> BoxFuture<'_, Result<(), banking::Error>> {
        Box::pin(async move { self.end(transfer, true).await.map_err(unavailable) })
    }

    fn release(&self, transfer: TransferId) -> BoxFuture<'_, Result<(), banking::Error>> {
        Box::pin(async move { self.end(transfer, false).await.map_err(unavailable) })
    }

    fn check<'a>(&'a self, creditor: Customer<'a>) -> BoxFuture<'a, Result<(), banking::Error>> {
        Box::pin(self.check_now(creditor))
    }

    fn credit<'a>(
        &'a self,
        transfer: TransferId,
        creditor: Customer<'a>,
    ) -> BoxFuture<'a, Result<(), banking::Error>> {
        Box::pin(self.credit_now(transfer, creditor))
    }

    fn credited(&self, transfer: TransferId) -> BoxFuture<'_, Result<bool, banking::Error>> {
        Box::pin(async move { self.credited_now(transfer).await.map_err(unavailable) })
    }

    fn identify<'a>(
        &'a self,
        payee: &'a Payee,
    ) -> BoxFuture<'a, Result<Identified, banking::Error>> {
        Box::pin(async move { self.identify_now(payee).await.map_err(unavailable) })
    }
}

/// Notes a movement; false when it was noted before and stands. An unknown account is refused.
async fn entry(
    connection: &mut Connection,
    id: TransferId,
    kind: &str,
    account: &str,
    amount: i64,
    state: &str,
) -> Result<bool, banking::Error> {
    let done = sqlx::query(
        "INSERT INTO book_entry (debtor_agent, uetr, kind, account, amount, state)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (debtor_agent, uetr, kind) DO UPDATE
            SET account = excluded.account, amount = excluded.amount, state = excluded.state
            WHERE book_entry.state = 'released'",
    )
    .bind(i64::from(id.debtor_agent.0))
    .bind(uuid(id.uetr))
    .bind(kind)
    .bind(account)
    .bind(amount)
    .bind(state)
    .execute(connection)
    .await
    .map_err(|error| match error.as_database_error() {
        Some(cause) if cause.is_foreign_key_violation() => refused(b"AC01"),
        Some(_) | None => unavailable(error.into()),
    })?;
    Ok(done.rows_affected() == 1)
}

/// Refuses an account that is unknown, closed, blocked, or of another currency.
async fn usable(
    connection: &mut Connection,
    account: &str,
    currency: &str,
) -> Result<(), banking::Error> {
    let row: Option<(String, String)> =
        sqlx::query_as("SELECT status, currency FROM book_account WHERE account = $1")
            .bind(account)
            .fetch_optional(connection)
            .await
            .map_err(|error| unavailable(error.into()))?;
    match row.as_ref().map(|(status, held)| (status.as_str(), held.as_str())) {
        None => Err(refused(b"AC01")),
        Some(("closed", _)) => Err(refused(b"AC04")),
        Some(("open", held)) if held == currency => Ok(()),
        Some(("open", _)) => Err(refused(b"AC11")),
        Some(_) => Err(refused(b"AC06")),
    }
}

fn refused(reason: &[u8; 4]) -> banking::Error {
    banking::Error::Refused(StatusReason::known(reason))
}

fn unavailable(error: Error) -> banking::Error {
    banking::Error::Unavailable(Box::new(error))
}
