//! The simplest ledger that could be right: balances and transfer states, written without looking at the real one.
use std::collections::{BTreeMap, BTreeSet};

use ledger_proof::Item;
use ledger_types::{AccountId, ParticipantId, Timestamp, TransferState, Uetr};

use crate::world::HOLD_MICROS;

/// An account's money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Money {
    pub(crate) debits_pending: u128,
    pub(crate) debits_posted: u128,
    pub(crate) credits_pending: u128,
    pub(crate) credits_posted: u128,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Transfer {
    state: TransferState,
    from: AccountId,
    to: AccountId,
    creditor_agent: ParticipantId,
    amount: u128,
    deadline: u64,
}

/// What an item must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Done, with the transfer in this state.
    Done(Option<TransferState>),
    /// Refused for want of money.
    NoFunds,
    /// Refused for another reason.
    Refused,
}

/// The model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Model {
    pub(crate) accounts: BTreeMap<AccountId, Money>,
    transfers: BTreeMap<(ParticipantId, Uetr), Transfer>,
    /// The pending ones, by deadline.
    pending: BTreeSet<(u64, (ParticipantId, Uetr))>,
    pub(crate) custody: u128,
}

impl Model {
    /// Applies one item at a replicated time.
    pub(crate) fn apply(&mut self, author: ParticipantId, item: &Item, at: Timestamp) -> Expected {
        match item {
            Item::OpenAccount(open) => {
                self.accounts.insert(open.account, Money::default());
                Expected::Done(None)
            }
            Item::Fund(fund) => {
                self.account(fund.account).credits_posted += u128::from(fund.amount);
                self.custody += u128::from(fund.amount);
                Expected::Done(None)
            }
            Item::Submit(submit) => self.submit(author, submit, at),
            Item::Accept(accept) => {
                self.settle(author, (accept.debtor_agent, accept.uetr), TransferState::Settled)
            }
            Item::Reject(reject) => {
                self.settle(author, (reject.debtor_agent, reject.uetr), TransferState::Rejected)
            }
            Item::Cancel(cancel) => {
                self.settle(author, (author, cancel.uetr), TransferState::Cancelled)
            }
            Item::Admit(_) | Item::AddKey(_) | Item::RetireKey(_) | Item::SetCorridor(_) => {
                Expected::Done(None)
            }
            Item::Hold(_)
            | Item::Confirm(_)
            | Item::Return(_)
            | Item::Recall(_)
            | Item::AnswerRecall(_)
            | Item::Resolve(_)
            | Item::RegisterQuote(_)
            | Item::Withdraw(_)
            | Item::WithdrawPaid(_)
            | Item::WithdrawFailed(_)
            | Item::Suspend(_)
            | Item::SetCap(_)
            | Item::SetFeeSchedule(_)
            | Item::SetScreeningPolicy(_) => unreachable!("no client asks for {item:?}"),
        }
    }

    fn submit(
        &mut self,
        author: ParticipantId,
        submit: &ledger_proof::item::Submit,
        at: Timestamp,
    ) -> Expected {
        if self.transfers.contains_key(&(author, submit.uetr)) {
            return Expected::Refused;
        }
        let leg = &submit.legs[0];
        let (from, to, amount) = (leg.debit_account, leg.credit_account, u128::from(leg.amount));
        let debited = self.account(from);
        let available = debited.credits_posted - debited.debits_posted - debited.debits_pending;
        let mut transfer = Transfer {
            state: TransferState::Pending,
            from,
            to,
            creditor_agent: submit.creditor_agent,
            amount,
            deadline: at.micros() + HOLD_MICROS,
        };
        let expected = if available < amount {
            transfer.state = TransferState::Rejected;
            Expected::NoFunds
        } else if submit.single_phase {
            transfer.state = TransferState::Settled;
            self.account(from).debits_posted += amount;
            self.account(to).credits_posted += amount;
            Expected::Done(Some(TransferState::Settled))
        } else {
            self.account(from).debits_pending += amount;
            self.account(to).credits_pending += amount;
            self.pending.insert((transfer.deadline, (author, submit.uetr)));
            Expected::Done(Some(TransferState::Pending))
        };
        self.transfers.insert((author, submit.uetr), transfer);
        expected
    }

    fn settle(
        &mut self,
        author: ParticipantId,
        id: (ParticipantId, Uetr),
        to: TransferState,
    ) -> Expected {
        let Some(transfer) = self.transfers.get(&id).cloned() else { return Expected::Refused };
        let may =
            author == if to == TransferState::Cancelled { id.0 } else { transfer.creditor_agent };
        if transfer.state != TransferState::Pending || !may {
            return Expected::Refused;
        }
        self.end(id, to);
        Expected::Done(Some(to))
    }

    /// Expires a transfer; `false` when it must not.
    pub(crate) fn expire(&mut self, id: (ParticipantId, Uetr), at: Timestamp) -> bool {
        let due = |transfer: &Transfer| {
            transfer.state == TransferState::Pending && transfer.deadline <= at.micros()
        };
        let expires = self.transfers.get(&id).is_some_and(due);
        if expires {
            self.end(id, TransferState::Expired);
        }
        expires
    }

    fn end(&mut self, id: (ParticipantId, Uetr), state: TransferState) {
        let Some(transfer) = self.transfers.get_mut(&id) else { return };
        transfer.state = state;
        self.pending.remove(&(transfer.deadline, id));
        let (from, to, amount) = (transfer.from, transfer.to, transfer.amount);
        let posted = if state == TransferState::Settled { amount } else { 0 };
        let debited = self.account(from);
        debited.debits_pending -= amount;
        debited.debits_posted += posted;
        let credited = self.account(to);
        credited.credits_pending -= amount;
        credited.credits_posted += posted;
    }

    /// Transfers that should have expired by `at` and have not.
    pub(crate) fn overdue(&self, at: Timestamp) -> usize {
        self.pending.iter().take_while(|(deadline, _)| *deadline <= at.micros()).count()
    }

    /// Whether the participants' money is what custody holds.
    pub(crate) fn conserved(&self) -> bool {
        let credits: u128 = self.accounts.values().map(|money| money.credits_posted).sum();
        let debits: u128 = self.accounts.values().map(|money| money.debits_posted).sum();
        credits - debits == self.custody
    }

    fn account(&mut self, account: AccountId) -> &mut Money {
        self.accounts.entry(account).or_default()
    }
}
