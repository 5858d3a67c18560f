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

#[cfg(test)]
mod tests {
    use ledger_types::ParticipantId;

    use super::*;

    #[test]
    fn accounts_that_differ_or_are_missing_are_named() {
        let posted = |units| Balances { credits_posted: units, ..Balances::default() };
        let ledger = |account, units| Balance {
            account: AccountId(account),
            owner: ParticipantId(1),
            currency: "HKD".parse().expect("a currency"),
            debits_pending: 0,
            debits_posted: 0,
            credits_pending: 0,
            credits_posted: units,
            net_debit_cap: 9,
            custody: false,
            standing_acceptance: false,
        };
        let here = BTreeMap::from([
            (AccountId(1), posted(5)),
            (AccountId(2), posted(u128::MAX)),
            (AccountId(3), posted(7)),
            (AccountId(4), posted(0)),
        ]);
        let found = mismatches(&here, &[ledger(1, 5), ledger(2, 6), ledger(5, 1)]);
        let accounts: Vec<u64> = found.iter().map(|row| row.account.0).collect();
        assert_eq!(accounts, [2, 3, 5]);
        assert_eq!((found[0].here, found[0].ledger), (posted(u128::MAX), posted(6)));
    }
}
