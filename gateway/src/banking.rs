//! The core-banking port of both sides: reserve, capture and release the debtor's money; check and credit the creditor. Each is repeatable.
use std::{path::Path, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use ledger_types::{Money, PayoutMethod, StatusReason, TransferId};

use crate::{
    payee::Payee,
    settings::{Banking, BankingKind},
    store::{
        Store,
        book::{Book, Movement},
    },
    turns::Turns,
};

pub mod breaker;
pub mod call;
pub mod http;
pub mod protocol;
pub mod tend;

/// Why core banking did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It refuses, with an ISO reason such as AC01, AC04, AC06 or AM04.
    #[error("core banking refused: {0}")]
    Refused(StatusReason),
    /// It gave no answer; ask again.
    #[error("core banking unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A customer's account and the amount in question.
#[derive(Clone, Copy)]
pub struct Customer<'a> {
    /// Account as the customer wrote it; `None` for cash.
    pub account: Option<&'a str>,
    /// How the creditor is paid.
    pub payout_method: PayoutMethod,
    /// How much.
    pub money: Money,
}

impl std::fmt::Debug for Customer<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Customer(‹personal›)")
    }
}

/// What a reservation found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The money is set aside by this call, and its caller has to release or capture it.
    Now,
    /// It was set aside or captured before: another caller's.
    Before,
    /// It lies in the gateway's own store: to be set aside in the SQL transaction that keeps what it
    /// is for, so that neither is ever without the other.
    WithTransfer(Movement),
}

/// A participant's own books. Each call is named by the transfer: repeating it changes nothing.
pub trait CoreBanking: Send + Sync + std::fmt::Debug {
    /// Sets money of the debtor aside before submit, or of the creditor before a return.
    fn reserve<'a>(
        &'a self,
        transfer: TransferId,
        debtor: Customer<'a>,
    ) -> BoxFuture<'a, Result<Reserved, Error>>;

    /// Takes what was reserved: the transfer settled.
    fn capture(&self, transfer: TransferId) -> BoxFuture<'_, Result<(), Error>>;

    /// Gives back what was reserved: the transfer ended otherwise.
    fn release(&self, transfer: TransferId) -> BoxFuture<'_, Result<(), Error>>;

    /// Whether the creditor can be credited.
    fn check<'a>(&'a self, creditor: Customer<'a>) -> BoxFuture<'a, Result<(), Error>>;

    /// The store's own book, which its SQL transactions can ask.
    fn within(&self) -> Option<&Book> {
        None
    }

    /// Credits the creditor.
    fn credit<'a>(
        &'a self,
        transfer: TransferId,
        creditor: Customer<'a>,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Whether a transfer's money reached an account: what a return has to take back.
    fn credited(&self, transfer: TransferId) -> BoxFuture<'_, Result<bool, Error>>;

    /// Whose account it is that a sender names; asked before any transfer, so nothing is kept.
    fn identify<'a>(&'a self, _payee: &'a Payee) -> BoxFuture<'a, Result<Identified, Error>> {
        Box::pin(std::future::ready(Ok(Identified::NotSupported)))
    }

    /// Asks after what was left open; a book leaves nothing open.
    fn tend<'a>(&'a self, _turns: &'a Turns) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// What was open when it was last tended.
    fn unresolved(&self) -> Unresolved {
        Unresolved::default()
    }
}

/// What core banking knows of an account or proxy.
#[derive(Clone, PartialEq, Eq)]
pub enum Identified {
    /// An open account.
    Known {
        /// As it is credited.
        account: String,
        /// Whose it is.
        name: String,
    },
    /// There is none, or it can't be credited: closed, blocked, without a name.
    Unknown,
    /// These books tell nobody's name.
    NotSupported,
}

impl std::fmt::Debug for Identified {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Known { .. } => "Known(‹personal›)",
            Self::Unknown => "Unknown",
            Self::NotSupported => "NotSupported",
        })
    }
}

/// Operations whose outcome is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unresolved {
    /// How many.
    pub count: u32,
    /// How old the oldest is.
    pub oldest: Duration,
}

/// The bank of the settings; none when they name the built-in book.
///
/// # Errors
/// Names the setting that is wrong.
pub fn remote(
    settings: &Banking,
    store: &Store,
) -> Result<Option<Arc<dyn CoreBanking>>, crate::Error> {
    match settings.kind {
        BankingKind::Book => Ok(None),
        BankingKind::Http => Ok(Some(Arc::new(http::Remote::new(settings, store.clone())?))),
    }
}

fn read_file(field: &'static str, file: &Path) -> Result<Vec<u8>, crate::Error> {
    let unread = |source| crate::Error::File { field, file: file.to_owned(), source };
    std::fs::read(file).map_err(unread)
}

/// The form under which a phone number or e-mail address is kept: without the spaces and signs that
/// people part numbers with, lower case.
#[must_use]
pub fn alias_key(alias: &str) -> String {
    let parts = |letter: &char| {
        letter.is_whitespace() || (!alias.contains('@') && "-().".contains(*letter))
    };
    alias.chars().filter(|letter| !parts(letter)).flat_map(char::to_lowercase).collect()
}

/// The form under which an account is kept: no spaces, upper case.
#[must_use]
pub fn account_key(account: &str) -> String {
    account.chars().filter(|letter| !letter.is_whitespace()).flat_map(char::to_uppercase).collect()
}
