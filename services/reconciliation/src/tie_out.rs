//! Compares the balances that the postings make with the ledger's own at the same record; it repairs nothing.
use std::collections::BTreeMap;

use ledger_types::AccountId;
use proto::convert::Balance;

use crate::store::Balances;

/// An account whose balances differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which account.
    pub account: AccountId,
    /// What the postings make.
    pub here: Balances,
    /// What the ledger says.
    pub ledger: Balances,
}

/// The accounts that differ. An account that one side lacks counts as zero there.
#[must_use]
pub fn mismatches(here: &BTreeMap<AccountId, Balances>, ledger: &[Balance]) -> Vec<Mismatch> {
    let ledger: BTreeMap<AccountId, Balances> =
        ledger.iter().map(|row| (row.account, balances(row))).collect();
    let mut accounts: Vec<AccountId> = here.keys().chain(ledger.keys()).copied().collect();
    accounts.sort_unstable();
    accounts.dedup();
    let of = |side: &BTreeMap<AccountId, Balances>, account| {
        side.get(&account).copied().unwrap_or_default()
    };
    accounts
        .into_iter()
        .map(|account| Mismatch { account, here: of(here, account), ledger: of(&ledger, account) })
        .filter(|row| row.here != row.ledger)
        .collect()
}

fn balances(row: &Balance) -> Balances {
    Balances {
        debits_pending: row.debits_pending,
        debits_posted: row.debits_posted,
        credits_pending: row.credits_pending,
        credits_posted: row.credits_posted,
    }
}
