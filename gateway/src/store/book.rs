//! The built-in book of customer accounts: a core banking for participants that have none at hand; balances never go below zero.
use futures_util::future::BoxFuture;
use ledger_types::{PayoutMethod, StatusReason, TransferId};

use super::{Connection, Error, Store, big, groups::Group, transfers::ids};
use crate::{
    banking::{self, CoreBanking, Customer, Identified, Reserved, account_key},
    payee::Payee,
    settings::Account,
};

mod moves;
mod payees;

use moves::{Done, Side};

pub use moves::End;

/// An account and an amount.
#[derive(Clone, PartialEq, Eq)]
pub struct Movement {
    account: String,
    currency: String,
    amount: i64,
}

impl std::fmt::Debug for Movement {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Movement(‹personal›)")
    }
}

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
        let balances: Result<Vec<i64>, Error> =
            accounts.iter().map(|account| big("balance", account.balance)).collect();
        let texts = |of: fn(&Account) -> &str| accounts.iter().map(of).collect::<Vec<_>>();
        sqlx::query(
            "INSERT INTO book_account (account, currency, status, balance)
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
             ON CONFLICT (account) DO NOTHING",
        )
        .bind(accounts.iter().map(|row| account_key(&row.account)).collect::<Vec<_>>())
        .bind(texts(|account| &account.currency))
        .bind(texts(|account| &account.status))
        .bind(balances?)
        .execute(&store.pool)
        .await?;
        let book = Self { store };
        book.name(accounts).await?;
        Ok(book)
    }

    async fn ask(&self, asked: Asked) -> Result<(), banking::Error> {
        let done = self.store.writes.moves.ask(asked).await.map_err(unavailable)?;
        done.map_err(banking::Error::Refused)
    }

    /// Which of several creditors can surely be credited, as an SQL transaction sees them.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn creditable(
        &self,
        connection: &mut Connection,
        creditors: &[Customer<'_>],
    ) -> Result<Vec<bool>, Error> {
        let named = creditors.iter().map(|own| movement(*own, b"AC03").ok());
        let named: Vec<Option<Movement>> = named.collect();
        let asked: Vec<Movement> = named.iter().flatten().cloned().collect();
        let mut usable = moves::check(connection, &asked).await?.into_iter();
        let own =
            |of: Option<Movement>| of.is_some() && usable.next().is_some_and(|own| own.is_ok());
        Ok(named.into_iter().map(own).collect())
    }

    /// Ends what is set aside for transfers, and credits the creditors of others, within the writer's SQL
    /// transaction; of each that is refused the ISO reason.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn book(
        &self,
        connection: &mut Connection,
        ended: &[(TransferId, End)],
        credited: &[(TransferId, Customer<'_>)],
    ) -> Result<Vec<Result<(), StatusReason>>, Error> {
        moves::end(connection, ended).await?;
        let named = credited.iter().map(|(id, own)| Ok((*id, movement(*own, b"AC03")?)));
        let named: Vec<Result<_, StatusReason>> = named.collect();
        let asked: Vec<_> = named.iter().flatten().map(|(id, of)| (*id, of)).collect();
        let mut done = moves::put(connection, Side::Credit, &asked).await?.into_iter();
        let told = |named: Result<_, _>| named.and_then(|_| done.next().transpose().map(drop));
        Ok(named.into_iter().map(told).collect())
    }

    async fn credited_now(&self, id: TransferId) -> Result<bool, Error> {
        let credited = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM book_entry
             WHERE debtor_agent = $1 AND uetr = $2 AND kind = 'credit')",
        );
        let (agents, uetrs) = ids(std::iter::once(id));
        let credited = credited.bind(agents.first().copied()).bind(uetrs.first().copied());
        Ok(credited.fetch_one(&self.store.pool).await?)
    }
}

/// A customer's account and amount as the book names them, or the ISO reason why there is none.
fn movement(customer: Customer<'_>, missing: &[u8; 4]) -> Result<Movement, StatusReason> {
    let account = account_key(customer.account.ok_or(StatusReason::known(missing))?);
    let amount = i64::try_from(customer.money.minor_units);
    let amount = amount.map_err(|_| StatusReason::known(b"AM02"))?;
    Ok(Movement { account, currency: customer.money.currency.to_string(), amount })
}

impl CoreBanking for Book {
    fn reserve<'a>(
        &'a self,
        _transfer: TransferId,
        debtor: Customer<'a>,
    ) -> BoxFuture<'a, Result<Reserved, banking::Error>> {
        let of = movement(debtor, b"AC01").map_err(banking::Error::Refused);
        Box::pin(std::future::ready(of.map(Reserved::WithTransfer)))
    }

    fn capture(&self, transfer: TransferId) -> BoxFuture<'_, Result<(), banking::Error>> {
        Box::pin(self.ask(Asked::End { transfer, end: End::Captured }))
    }

    fn release(&self, transfer: TransferId) -> BoxFuture<'_, Result<(), banking::Error>> {
        Box::pin(self.ask(Asked::End { transfer, end: End::Released }))
    }

    fn check<'a>(&'a self, creditor: Customer<'a>) -> BoxFuture<'a, Result<(), banking::Error>> {
        Box::pin(async move {
            if creditor.payout_method == PayoutMethod::CashPickup {
                return Ok(());
            }
            let of = movement(creditor, b"AC03").map_err(banking::Error::Refused)?;
            let usable = self.store.groups.checks.ask(of).await.map_err(unavailable)?;
            usable.map_err(banking::Error::Refused)
        })
    }

    fn within(&self) -> Option<&Book> {
        Some(self)
    }

    fn credit<'a>(
        &'a self,
        transfer: TransferId,
        creditor: Customer<'a>,
    ) -> BoxFuture<'a, Result<(), banking::Error>> {
        Box::pin(async move {
            let of = movement(creditor, b"AC03").map_err(banking::Error::Refused)?;
            self.ask(Asked::Credit { transfer, of }).await
        })
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

fn unavailable(error: Error) -> banking::Error {
    banking::Error::Unavailable(Box::new(error))
}

/// Sets money aside for transfers that are kept in the same SQL transaction, which is the writer's; none of
/// them had any before.
///
/// # Errors
/// When a statement fails. Of each that is refused the ISO reason; it changes nothing.
pub async fn set_aside(
    connection: &mut Connection,
    all: &[(TransferId, &Movement)],
) -> Result<Vec<Result<(), StatusReason>>, Error> {
    let done = moves::put(connection, Side::Debit, all).await?.into_iter();
    let fresh = |done| match done {
        Done::Now => Ok(()),
        Done::Before => Err(StatusReason::known(b"AM05")),
    };
    Ok(done.map(|done| done.and_then(fresh)).collect())
}

/// The same within an SQL transaction that is not the writer's: who else moves money waits for its end.
///
/// # Errors
/// As [`set_aside`].
pub async fn set_aside_apart(
    connection: &mut Connection,
    all: &[(TransferId, &Movement)],
) -> Result<Vec<Result<(), StatusReason>>, Error> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    moves::alone(connection).await?;
    set_aside(connection, all).await
}

/// What is asked of the book alone.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// Take what was set aside, or give it back.
    End { transfer: TransferId, end: End },
    /// Credit it.
    Credit { transfer: TransferId, of: Movement },
}

#[derive(Debug)]
pub(super) struct Moves;

impl Group for Moves {
    type Item = Asked;
    type Answer = Result<(), StatusReason>;

    async fn run(
        connection: &mut Connection,
        asked: &[Asked],
    ) -> Result<Vec<Result<(), StatusReason>>, Error> {
        let (mut ended, mut credited) = (Vec::new(), Vec::new());
        for one in asked {
            match one {
                Asked::End { transfer, end } => ended.push((*transfer, *end)),
                Asked::Credit { transfer, of } => credited.push((*transfer, of)),
            }
        }
        moves::end(connection, &ended).await?;
        let mut done = moves::put(connection, Side::Credit, &credited).await?.into_iter();
        let told = |one: &Asked| match one {
            Asked::End { .. } => Ok(()),
            Asked::Credit { .. } => done.next().transpose().map(drop),
        };
        Ok(asked.iter().map(told).collect())
    }
}

/// Whether accounts can be credited.
#[derive(Debug)]
pub(super) struct Checks;

impl Group for Checks {
    type Item = Movement;
    type Answer = Result<(), StatusReason>;

    async fn run(
        connection: &mut Connection,
        asked: &[Movement],
    ) -> Result<Vec<Result<(), StatusReason>>, Error> {
        moves::check(connection, asked).await
    }
}
