//! Cash in and out of custody in the model; it knows no transfer.
use ledger_proof::item::{Fund, Withdraw};
use ledger_types::{AccountId, ParticipantId, WithdrawalId};

use super::{Expected, Mark, Model, Step};
use crate::world::CUSTODIAN;

/// A withdrawal that was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Withdrawal {
    asked: Mark,
    account: AccountId,
    amount: u128,
    /// What ended it.
    ended: Option<Mark>,
}

impl Model {
    pub(super) fn fund(&mut self, author: ParticipantId, fund: &Fund, mark: Mark) -> Expected {
        if let Some(known) = self.fundings.get(&fund.bank_reference) {
            return Expected::done_if(*known == mark);
        }
        let account = self.accounts.get_mut(&fund.account);
        let account = account.filter(|account| account.currency == fund.currency);
        let Some(account) = account.filter(|_| author == CUSTODIAN && fund.amount > 0) else {
            return Expected::Refused;
        };
        let amount = u128::from(fund.amount);
        account.money.credit(Step::Move, amount);
        self.custody.entry(fund.currency).or_default().debit(Step::Move, amount);
        self.fundings.insert(fund.bank_reference, mark);
        Expected::Done(None)
    }

    pub(super) fn withdraw(
        &mut self,
        author: ParticipantId,
        withdraw: &Withdraw,
        mark: Mark,
    ) -> Expected {
        let name = (author, withdraw.withdrawal);
        if let Some(known) = self.withdrawals.get(&name) {
            return Expected::done_if(known.asked == mark);
        }
        let (id, amount) = (withdraw.account, u128::from(withdraw.amount));
        let fits = !self.suspended.contains(&author)
            && amount > 0
            && self.owns(author, id, withdraw.currency);
        let account = self.accounts.get_mut(&id).filter(|_| fits);
        let Some(account) = account else { return Expected::Refused };
        if account.short(amount) {
            return Expected::NoFunds;
        }
        account.money.debit(Step::Reserve, amount);
        self.custody.entry(withdraw.currency).or_default().credit(Step::Reserve, amount);
        let withdrawal = Withdrawal { asked: mark, account: id, amount, ended: None };
        self.withdrawals.insert(name, withdrawal);
        Expected::Done(None)
    }

    /// The custodian paid or could not pay; only the first word counts.
    pub(super) fn end_withdrawal(
        &mut self,
        author: ParticipantId,
        name: (ParticipantId, WithdrawalId),
        mark: Mark,
        step: Step,
    ) -> Expected {
        let withdrawal = self.withdrawals.get_mut(&name);
        let Some(withdrawal) = withdrawal.filter(|_| author == CUSTODIAN) else {
            return Expected::Refused;
        };
        if let Some(ended) = withdrawal.ended {
            return Expected::done_if(ended == mark);
        }
        withdrawal.ended = Some(mark);
        let amount = withdrawal.amount;
        let account = self.accounts.get_mut(&withdrawal.account);
        if let Some(account) = account {
            account.money.debit(step, amount);
            self.custody.entry(account.currency).or_default().credit(step, amount);
        }
        Expected::Done(None)
    }
}
