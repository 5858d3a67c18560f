//! The built-in book of customer accounts: a core banking for participants that have none at hand; balances never go below zero.
use std::collections::{BTreeMap, HashMap};

use futures_util::future::BoxFuture;
use ledger_types::{PayoutMethod, StatusReason, TransferId};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Connection, Error, Store, big, groups::Group, statement::Statement, transfers::ids};
use crate::{
    banking::{self, CoreBanking, Customer, Identified, Reserved, account_key},
    payee::Payee,
    settings::Account,
};

mod ledger;
mod payees;

use ledger::{Asked, Books, Done, Kind, State};

pub use ledger::Movement;

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

    async fn ask(&self, asked: Asked) -> Result<Done, banking::Error> {
        let done = self.store.writes.moves.ask(asked).await.map_err(unavailable)?;
        done.map_err(banking::Error::Refused)
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

/// A customer's account and amount as the book names them.
fn movement(customer: Customer<'_>, missing: &[u8; 4]) -> Result<Movement, banking::Error> {
    let unnamed = || banking::Error::Refused(StatusReason::known(missing));
    Ok(Movement {
        account: account_key(customer.account.ok_or_else(unnamed)?),
        currency: customer.money.currency.to_string(),
        amount: big("amount", customer.money.minor_units).map_err(unavailable)?,
    })
}

impl CoreBanking for Book {
    fn reserve<'a>(
        &'a self,
        _transfer: TransferId,
        debtor: Customer<'a>,
    ) -> BoxFuture<'a, Result<Reserved, banking::Error>> {
        let of = movement(debtor, b"AC01").map(Reserved::WithTransfer);
        Box::pin(std::future::ready(of))
    }

    fn capture(&self, transfer: TransferId) -> BoxFuture<'_, Result<(), banking::Error>> {
        Box::pin(
            async move { self.ask(Asked::End { transfer, to: State::Captured }).await.map(drop) },
        )
    }

    fn release(&self, transfer: TransferId) -> BoxFuture<'_, Result<(), banking::Error>> {
        Box::pin(
            async move { self.ask(Asked::End { transfer, to: State::Released }).await.map(drop) },
        )
    }

    fn check<'a>(&'a self, creditor: Customer<'a>) -> BoxFuture<'a, Result<(), banking::Error>> {
        Box::pin(async move {
            if creditor.payout_method == PayoutMethod::CashPickup {
                return Ok(());
            }
            let of = movement(creditor, b"AC03")?;
            let usable = self.store.groups.checks.ask(of).await.map_err(unavailable)?;
            usable.map_err(banking::Error::Refused)
        })
    }

    fn is_within(&self) -> bool {
        true
    }

    fn creditable<'a>(
        &'a self,
        connection: &'a mut Connection,
        creditors: &'a [Customer<'a>],
    ) -> BoxFuture<'a, Result<Vec<bool>, Error>> {
        Box::pin(async move {
            let named = creditors.iter().map(|own| movement(*own, b"AC03").ok());
            let named: Vec<Option<Movement>> = named.collect();
            let asked: Vec<Movement> = named.iter().flatten().cloned().collect();
            let mut usable = Checks::run(connection, &asked).await?.into_iter();
            let mut own =
                |of: Option<Movement>| of.is_some() && usable.next().is_some_and(|own| own.is_ok());
            Ok(named.into_iter().map(&mut own).collect())
        })
    }

    fn credit<'a>(
        &'a self,
        transfer: TransferId,
        creditor: Customer<'a>,
    ) -> BoxFuture<'a, Result<(), banking::Error>> {
        Box::pin(async move {
            let of = movement(creditor, b"AC03")?;
            self.ask(Asked::Credit { transfer, of }).await.map(drop)
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

/// Sets money aside for transfers that are kept in the same SQL transaction; none of them had any
/// before.
///
/// # Errors
/// When a statement fails. Of each that is refused the ISO reason; it changes nothing.
pub async fn set_aside(
    connection: &mut Connection,
    all: &[(TransferId, &Movement)],
) -> Result<Vec<Result<(), StatusReason>>, Error> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let asked = |(transfer, of): &(TransferId, &Movement)| {
        let (transfer, of) = (*transfer, (*of).clone());
        Asked::Reserve { transfer, of }
    };
    let asked: Vec<Asked> = all.iter().map(asked).collect();
    let done = Moves::run(connection, &asked).await?.into_iter();
    let fresh = |done| match done {
        Done::Now => Ok(()),
        Done::Before => Err(StatusReason::known(b"AM05")),
    };
    Ok(done.map(|done| done.and_then(fresh)).collect())
}

/// What is asked of the book by many at a time: accounts and entries are read, everything is done in
/// order, and what differs is written.
#[derive(Debug)]
pub(super) struct Moves;

impl Group for Moves {
    type Item = Asked;
    type Answer = Result<Done, StatusReason>;

    async fn run(
        connection: &mut Connection,
        asked: &[Asked],
    ) -> Result<Vec<Result<Done, StatusReason>>, Error> {
        // Another process of the same gateway may not have ended yet.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' book'))")
            .execute(&mut *connection)
            .await?;
        let (accounts, entries) = read(connection, asked).await?;
        let mut books = Books::new(accounts, entries);
        let answers = asked.iter().map(|one| books.apply(one)).collect();
        write(connection, &books).await?;
        Ok(answers)
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
        let names = asked.iter().map(|of| of.account.clone()).collect();
        let books = Books::new(accounts(connection, names).await?, HashMap::new());
        Ok(asked.iter().map(|of| books.usable(of)).collect())
    }
}

/// An entry; or, without a transfer, an account.
#[derive(FromRow)]
struct BookRow {
    debtor_agent: Option<i64>,
    uetr: Option<Uuid>,
    kind: Option<String>,
    account: String,
    /// Of an entry its amount, of an account its balance.
    amount: i64,
    state: String,
    currency: Option<String>,
    reserved: Option<i64>,
}

type Entries = HashMap<(TransferId, Kind), ledger::Entry>;
type Accounts = BTreeMap<String, ledger::Account>;

/// The entries of transfers, and the accounts that are named by these or by what is asked.
async fn read(connection: &mut Connection, asked: &[Asked]) -> Result<(Accounts, Entries), Error> {
    let (agents, uetrs) = ids(asked.iter().filter_map(Asked::transfer));
    let rows: Vec<BookRow> = sqlx::query_as(
        "WITH entry AS MATERIALIZED (
            SELECT e.debtor_agent, e.uetr, e.kind, e.account, e.amount, e.state
            FROM unnest($1::bigint[], $2::uuid[]) AS c (debtor_agent, uetr)
            JOIN book_entry e ON e.debtor_agent = c.debtor_agent AND e.uetr = c.uetr)
         SELECT *, NULL::text AS currency, NULL::bigint AS reserved FROM entry
         UNION ALL
         SELECT NULL, NULL, NULL, account, balance, status, currency, reserved FROM book_account
         WHERE account = ANY (ARRAY(SELECT unnest($3::text[]) UNION SELECT account FROM entry))",
    )
    .bind(agents)
    .bind(uetrs)
    .bind(asked.iter().filter_map(Asked::account).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let (mut accounts, mut entries) = (Accounts::new(), Entries::new());
    for row in rows {
        let BookRow { account, amount, state, .. } = row;
        if let (Some(currency), Some(reserved)) = (row.currency, row.reserved) {
            let own = ledger::Account { currency, status: state, balance: amount, reserved };
            accounts.insert(account, own);
        } else if let (Some(agent), Some(uetr), Some(kind)) = (row.debtor_agent, row.uetr, row.kind)
            && let Some(id) = super::transfers::identity(agent, uetr)
            && let (Some(kind), Some(state)) = (Kind::read(&kind), State::read(&state))
        {
            entries.insert((id, kind), ledger::Entry { account, amount, state });
        }
    }
    Ok((accounts, entries))
}

async fn accounts(connection: &mut Connection, names: Vec<String>) -> Result<Accounts, Error> {
    let rows: Vec<(String, String, String, i64, i64)> = sqlx::query_as(
        "SELECT account, currency, status, balance, reserved FROM book_account
         WHERE account = ANY ($1)",
    )
    .bind(names)
    .fetch_all(connection)
    .await?;
    let read = |(name, currency, status, balance, reserved)| {
        (name, ledger::Account { currency, status, balance, reserved })
    };
    Ok(rows.into_iter().map(read).collect())
}

async fn write(connection: &mut Connection, books: &Books) -> Result<(), Error> {
    let entries: Vec<_> = books.changed_entries().collect();
    if entries.is_empty() {
        return Ok(());
    }
    let (agents, uetrs) = ids(entries.iter().map(|((id, _), _)| *id));
    let mut statement = Statement::default();
    statement
        .part(
            "entry",
            "INSERT INTO book_entry (debtor_agent, uetr, kind, account, amount, state)
         SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::bigint[],
            $6::text[])
         ON CONFLICT (debtor_agent, uetr, kind) DO UPDATE
            SET account = excluded.account, amount = excluded.amount, state = excluded.state",
        )
        .bind(agents)
        .bind(uetrs)
        .bind(entries.iter().map(|((_, kind), _)| kind.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, entry)| entry.account.as_str()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, entry)| entry.amount).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, entry)| entry.state.as_str()).collect::<Vec<_>>());
    let accounts: Vec<_> = books.changed_accounts().collect();
    statement
        .part(
            "account",
            "UPDATE book_account a SET balance = c.balance, reserved = c.reserved
         FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS c (account, balance, reserved)
         WHERE a.account = c.account",
        )
        .bind(accounts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
        .bind(accounts.iter().map(|(_, account)| account.balance).collect::<Vec<_>>())
        .bind(accounts.iter().map(|(_, account)| account.reserved).collect::<Vec<_>>());
    statement.execute(connection).await?;
    Ok(())
}
