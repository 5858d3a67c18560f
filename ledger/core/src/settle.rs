//! Moving the legs of a transfer together: reserve, post, void; whether they may move is decided before.
use ledger_proof::item::Leg;
use ledger_types::{AccountId, ParticipantId, Rejection};

use crate::{
    account::{Movement, move_leg},
    ledger::Ledger,
};

impl Ledger {
    /// Moves every leg. After the checks this cannot fail.
    pub(crate) fn move_legs(&mut self, legs: &[Leg], movement: Movement) {
        for leg in legs {
            let totals = self.totals.entry(leg.currency).or_default();
            move_leg(&mut self.accounts, totals, leg, movement);
            self.touched.push(leg.debit_account);
            self.touched.push(leg.credit_account);
        }
    }

    /// Whether every debited account covers all its legs; incoming credits do not count. Names
    /// the first party short.
    pub(crate) fn check_funds(
        &self,
        legs: &[Leg],
        debtor_agent: ParticipantId,
        creditor_agent: ParticipantId,
    ) -> Result<(), Rejection> {
        for (at, leg) in legs.iter().enumerate() {
            let needed: u128 = legs
                .iter()
                .take(at + 1)
                .filter(|other| other.debit_account == leg.debit_account)
                .map(|other| u128::from(other.amount))
                .sum();
            let account = self.accounts.get(&leg.debit_account).ok_or(Rejection::AccountUnknown)?;
            if !account.covers(needed) {
                return Err(if account.owner == debtor_agent {
                    Rejection::InsufficientFunds
                } else if account.owner == creditor_agent {
                    Rejection::CreditorAgentInsufficientFunds
                } else {
                    Rejection::LiquidityInsufficient
                });
            }
        }
        Ok(())
    }

    /// The owner of an account.
    pub(crate) fn owner(&self, account: AccountId) -> Option<ParticipantId> {
        self.accounts.get(&account).map(|account| account.owner)
    }
}
