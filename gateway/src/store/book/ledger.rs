//! The book's rules over accounts and entries that were read: what may be reserved, captured, released and credited; it reads and writes nothing.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ledger_types::{StatusReason, TransferId};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Asked {
    /// Set money of the debtor aside.
    Reserve { transfer: TransferId, of: Movement },
    /// Take what was set aside, or give it back.
    End { transfer: TransferId, to: State },
    /// Credit it.
    Credit { transfer: TransferId, of: Movement },
}

/// An account and an amount.
#[derive(Clone, PartialEq, Eq)]
pub struct Movement {
    pub(super) account: String,
    pub(super) currency: String,
    pub(super) amount: i64,
}

impl std::fmt::Debug for Movement {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Movement(‹personal›)")
    }
}

/// Whether it was done by this call, or stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Done {
    Now,
    Before,
}

/// Which side of a transfer an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Debit,
    Credit,
}

/// How an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum State {
    Reserved,
    Captured,
    Released,
    Credited,
}

/// A movement of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub account: String,
    pub amount: i64,
    pub state: State,
}

/// A customer's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub currency: String,
    pub status: String,
    pub balance: i64,
    pub reserved: i64,
}

impl Asked {
    /// The account that it names.
    pub(super) fn account(&self) -> Option<&str> {
        match self {
            Self::Reserve { of, .. } | Self::Credit { of, .. } => Some(&of.account),
            Self::End { .. } => None,
        }
    }

    /// The transfer that it is for.
    pub(super) fn transfer(&self) -> Option<TransferId> {
        match self {
            Self::Reserve { transfer, .. }
            | Self::End { transfer, .. }
            | Self::Credit { transfer, .. } => Some(*transfer),
        }
    }
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        [Self::Debit, Self::Credit].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Credited => "credited",
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let all = [Self::Reserved, Self::Captured, Self::Released, Self::Credited];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

/// Accounts and entries in hand, and which of them changed.
#[derive(Debug)]
pub(super) struct Books {
    accounts: BTreeMap<String, Account>,
    entries: HashMap<(TransferId, Kind), Entry>,
    changed_accounts: BTreeSet<String>,
    changed_entries: HashSet<(TransferId, Kind)>,
}

impl Books {
    pub(super) fn new(
        accounts: BTreeMap<String, Account>,
        entries: HashMap<(TransferId, Kind), Entry>,
    ) -> Self {
        let (changed_accounts, changed_entries) = Default::default();
        Self { accounts, entries, changed_accounts, changed_entries }
    }

    /// Does what is asked, or says by an ISO reason why not; a refusal changes nothing.
    pub(super) fn apply(&mut self, asked: &Asked) -> Result<Done, StatusReason> {
        match asked {
            Asked::Reserve { transfer, of } => self.reserve(*transfer, of),
            Asked::End { transfer, to } => Ok(self.end(*transfer, *to)),
            Asked::Credit { transfer, of } => self.credit(*transfer, of),
        }
    }

    pub(super) fn changed_entries(
        &self,
    ) -> impl Iterator<Item = ((TransferId, Kind), &Entry)> + use<'_> {
        self.changed_entries.iter().filter_map(|key| Some((*key, self.entries.get(key)?)))
    }

    pub(super) fn changed_accounts(&self) -> impl Iterator<Item = (&String, &Account)> + use<'_> {
        self.changed_accounts.iter().filter_map(|name| self.accounts.get_key_value(name))
    }

    /// Refuses an account that is unknown, closed, blocked, or of another currency.
    pub(super) fn usable(&self, of: &Movement) -> Result<(), StatusReason> {
        let account = self.accounts.get(&of.account);
        let reason = match account.map(|account| (account.status.as_str(), &account.currency)) {
            None => b"AC01",
            Some(("closed", _)) => b"AC04",
            Some(("open", held)) if *held == of.currency => return Ok(()),
            Some(("open", _)) => b"AC11",
            Some(_) => b"AC06",
        };
        Err(StatusReason::known(reason))
    }

    /// What was released may be reserved anew, perhaps at another amount.
    fn stands(&self, key: (TransferId, Kind)) -> bool {
        self.entries.get(&key).is_some_and(|entry| entry.state != State::Released)
    }

    fn reserve(&mut self, transfer: TransferId, of: &Movement) -> Result<Done, StatusReason> {
        let key = (transfer, Kind::Debit);
        if self.stands(key) {
            return Ok(Done::Before);
        }
        self.usable(of)?;
        let account = self.accounts.get_mut(&of.account);
        let account = account.filter(|own| own.balance - own.reserved >= of.amount);
        account.ok_or(StatusReason::known(b"AM04"))?.reserved += of.amount;
        self.note(key, of, State::Reserved);
        Ok(Done::Now)
    }

    fn end(&mut self, transfer: TransferId, to: State) -> Done {
        let key = (transfer, Kind::Debit);
        let reserved = |entry: &&mut Entry| entry.state == State::Reserved;
        let Some(entry) = self.entries.get_mut(&key).filter(reserved) else { return Done::Before };
        entry.state = to;
        if let Some(account) = self.accounts.get_mut(&entry.account) {
            account.reserved -= entry.amount;
            account.balance -= if to == State::Captured { entry.amount } else { 0 };
        }
        self.changed_accounts.insert(entry.account.clone());
        self.changed_entries.insert(key);
        Done::Now
    }

    fn credit(&mut self, transfer: TransferId, of: &Movement) -> Result<Done, StatusReason> {
        let key = (transfer, Kind::Credit);
        if self.stands(key) {
            return Ok(Done::Before);
        }
        let account = self.accounts.get_mut(&of.account);
        let account = account.ok_or(StatusReason::known(b"AC01"))?;
        let balance = account.balance.checked_add(of.amount);
        account.balance = balance.ok_or(StatusReason::known(b"AM02"))?;
        self.note(key, of, State::Credited);
        Ok(Done::Now)
    }

    fn note(&mut self, key: (TransferId, Kind), of: &Movement, state: State) {
        let entry = Entry { account: of.account.clone(), amount: of.amount, state };
        self.entries.insert(key, entry);
        self.changed_entries.insert(key);
        self.changed_accounts.insert(of.account.clone());
    }
}

#[cfg(test)]
mod tests {
    use ledger_types::{ParticipantId, Uetr};

    use super::*;

    fn of(account: &str, amount: i64) -> Movement {
        Movement { account: account.to_owned(), currency: "HKD".to_owned(), amount }
    }

    fn transfer(byte: u8) -> TransferId {
        TransferId { debtor_agent: ParticipantId(1), uetr: Uetr::from_random([byte; 16]) }
    }

    fn books() -> Books {
        let row = |status: &str, balance| Account {
            currency: "HKD".to_owned(),
            status: status.to_owned(),
            balance,
            reserved: 0,
        };
        let rows = [("a", row("open", 100)), ("b", row("closed", 100)), ("c", row("blocked", 1))];
        let rows = rows.map(|(name, row)| (name.to_owned(), row));
        Books::new(BTreeMap::from(rows), HashMap::new())
    }

    #[test]
    fn many_on_one_account_never_take_more_than_it_has() {
        let mut books = books();
        let reserve = |byte| Asked::Reserve { transfer: transfer(byte), of: of("a", 40) };
        let short = StatusReason::known(b"AM04");
        assert_eq!(books.apply(&reserve(1)), Ok(Done::Now));
        assert_eq!(books.apply(&reserve(1)), Ok(Done::Before));
        assert_eq!(books.apply(&reserve(2)), Ok(Done::Now));
        assert_eq!(books.apply(&reserve(3)), Err(short));
        let end = |byte, to| Asked::End { transfer: transfer(byte), to };
        assert_eq!(books.apply(&end(1, State::Captured)), Ok(Done::Now));
        assert_eq!(books.apply(&end(1, State::Released)), Ok(Done::Before));
        assert_eq!(books.apply(&end(2, State::Released)), Ok(Done::Now));
        assert_eq!(books.apply(&end(9, State::Released)), Ok(Done::Before));
        let own = &books.accounts["a"];
        assert_eq!((own.balance, own.reserved), (60, 0));
        // What was released may be reserved again, and what was captured may not.
        assert_eq!(books.apply(&reserve(2)), Ok(Done::Now));
        assert_eq!(books.apply(&reserve(1)), Ok(Done::Before));
        assert_eq!(books.changed_entries().count(), 2);
        assert_eq!(books.changed_accounts().count(), 1);
    }

    #[test]
    fn an_account_that_cannot_be_used_says_why_and_nothing_changes() {
        let mut books = books();
        let foreign = Movement { currency: "PHP".to_owned(), ..of("a", 1) };
        let cases = [
            (of("b", 1), b"AC04"),
            (of("c", 1), b"AC06"),
            (of("d", 1), b"AC01"),
            (foreign, b"AC11"),
        ];
        for (of, reason) in cases {
            let refused = Err(StatusReason::known(reason));
            assert_eq!(books.usable(&of).map(|()| Done::Now), refused);
            assert_eq!(books.apply(&Asked::Reserve { transfer: transfer(1), of }), refused);
        }
        let credit = |account| Asked::Credit { transfer: transfer(2), of: of(account, 5) };
        assert_eq!(books.apply(&credit("d")), Err(StatusReason::known(b"AC01")));
        assert_eq!((books.changed_entries().count(), books.changed_accounts().count()), (0, 0));
        assert_eq!(books.apply(&credit("a")), Ok(Done::Now));
        assert_eq!(books.apply(&credit("a")), Ok(Done::Before));
        assert_eq!(books.accounts["a"].balance, 105);
    }
}
