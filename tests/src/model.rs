//! The simplest ledger that could be right: money, transfers and rules as docs/format.md has them, written without looking at the real one; it knows no clock but the times it is given.
use std::collections::{BTreeMap, BTreeSet};

use ledger_proof::Item;
use ledger_types::{
    AccountId, CaseId, Currency, KeyId, ParticipantId, QuoteId, ShortText, Timestamp,
    TransferState, WithdrawalId,
};

use crate::world::{BANKS, CUSTODIAN, LIQUIDITY, items::Name};

#[path = "model/cash.rs"]
mod cash;
#[path = "model/quotes.rs"]
mod quotes;
#[path = "model/recalls.rs"]
mod recalls;
#[path = "model/rules.rs"]
mod rules;
#[path = "model/transfers.rs"]
mod transfers;

use cash::Withdrawal;
use quotes::Quote;
use recalls::Recall;
use rules::{Key, Terms};
use transfers::Transfer;

/// An account's money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Money {
    pub(crate) debits_pending: u128,
    pub(crate) debits_posted: u128,
    pub(crate) credits_pending: u128,
    pub(crate) credits_posted: u128,
}

/// A participant's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Account {
    owner: ParticipantId,
    currency: Currency,
    /// How far debits may exceed credits.
    cap: u128,
    money: Money,
}

impl Account {
    /// Whether debits of so much more would exceed what there is.
    fn short(&self, amount: u128) -> bool {
        let debits = self.money.debits_pending + self.money.debits_posted;
        debits + amount > self.money.credits_posted + self.cap
    }
}

/// How an amount moves between the two sides of a booking.
#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve,
    /// What was reserved moves for good.
    Post,
    /// What was reserved does not move.
    Release,
    /// Moves for good at once.
    Move,
}

impl Step {
    /// What pending and posted are afterwards.
    fn take(self, pending: &mut u128, posted: &mut u128, amount: u128) {
        match self {
            Self::Reserve => *pending += amount,
            Self::Post | Self::Release => *pending -= amount,
            Self::Move => {}
        }
        if matches!(self, Self::Post | Self::Move) {
            *posted += amount;
        }
    }
}

impl Money {
    fn debit(&mut self, step: Step, amount: u128) {
        step.take(&mut self.debits_pending, &mut self.debits_posted, amount);
    }

    fn credit(&mut self, step: Step, amount: u128) {
        step.take(&mut self.credits_pending, &mut self.credits_posted, amount);
    }
}

/// What an item must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expected {
    /// Done, with the transfer in this state.
    Done(Option<TransferState>),
    /// Refused for want of money.
    NoFunds,
    /// Refused for another reason.
    Refused,
}

impl Expected {
    /// Done if it may be, where there is no transfer.
    fn done_if(may: bool) -> Self {
        if may { Self::Done(None) } else { Self::Refused }
    }
}

/// By what the same item is known again: no two have the same nonce.
type Mark = u64;

fn mark(item: &Item) -> Mark {
    let [a, b, c, d, e, f, g, h, ..] = *item.nonce();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Model {
    accounts: BTreeMap<AccountId, Account>,
    /// The other side of all that came in and went out, by currency.
    custody: BTreeMap<Currency, Money>,
    transfers: BTreeMap<Name, Transfer>,
    /// The pending ones, by deadline.
    pending: BTreeSet<(u64, Name)>,
    recalls: BTreeMap<(ParticipantId, CaseId), Recall>,
    quotes: BTreeMap<QuoteId, Quote>,
    withdrawals: BTreeMap<(ParticipantId, WithdrawalId), Withdrawal>,
    /// Fundings by the custodian's reference; all are of one day.
    fundings: BTreeMap<ShortText, Mark>,
    /// Who came after the founding.
    admitted: BTreeSet<ParticipantId>,
    suspended: BTreeSet<ParticipantId>,
    keys: BTreeMap<KeyId, Key>,
    terms: Terms,
}

impl Model {
    /// Applies one item at a replicated time.
    pub(crate) fn apply(&mut self, author: ParticipantId, item: &Item, at: Timestamp) -> Expected {
        let mark = mark(item);
        match item {
            Item::Submit(submit) => self.submit(author, submit, (mark, at)),
            Item::Return(submit) => self.give_back(author, submit, (mark, at)),
            Item::Accept(accept) => {
                let name = (accept.debtor_agent, accept.uetr);
                self.decide(author, name, mark, TransferState::Settled)
            }
            Item::Reject(reject) => {
                let name = (reject.debtor_agent, reject.uetr);
                self.decide(author, name, mark, TransferState::Rejected)
            }
            Item::Cancel(cancel) => {
                self.decide(author, (author, cancel.uetr), mark, TransferState::Cancelled)
            }
            Item::Hold(hold) => self.hold(author, hold, mark),
            Item::Confirm(confirm) => self.confirm(author, confirm, mark),
            Item::Resolve(resolve) => self.resolve((author, resolve.uetr)),
            Item::Recall(recall) => self.recall(author, recall, mark),
            Item::AnswerRecall(answer) => self.answer_recall(author, answer, mark),
            Item::RegisterQuote(quote) => self.register(author, quote, mark),
            Item::Fund(fund) => self.fund(author, fund, mark),
            Item::Withdraw(withdraw) => self.withdraw(author, withdraw, mark),
            Item::WithdrawPaid(paid) => {
                self.end_withdrawal(author, (paid.owner, paid.withdrawal), mark, Step::Post)
            }
            Item::WithdrawFailed(failed) => {
                self.end_withdrawal(author, (failed.owner, failed.withdrawal), mark, Step::Release)
            }
            Item::Admit(admit) => self.admit(admit),
            Item::Suspend(suspend) => self.suspend(suspend),
            Item::AddKey(added) => self.add_key(added),
            Item::RetireKey(retired) => self.retire_key(retired),
            Item::OpenAccount(open) => self.open(open),
            Item::SetCap(cap) => self.set_cap(cap),
            Item::SetCorridor(corridor) => self.set_corridor(corridor),
            Item::SetFeeSchedule(schedule) => self.set_fees(schedule),
            Item::SetScreeningPolicy(policy) => self.set_policy(policy.version),
        }
    }

    /// What an account holds; a custody account has the other side of all that came in and went out.
    pub(crate) fn money(&self, account: AccountId, currency: Currency, custody: bool) -> Money {
        if custody {
            return self.custody.get(&currency).copied().unwrap_or_default();
        }
        self.accounts.get(&account).map(|account| account.money).unwrap_or_default()
    }

    /// Transfers that should have expired by `at` and have not.
    pub(crate) fn overdue(&self, at: Timestamp) -> usize {
        self.pending.iter().take_while(|(deadline, _)| *deadline <= at.micros()).count()
    }

    /// Whether debits and credits are equal in each currency, custody included.
    pub(crate) fn conserved(&self) -> bool {
        let mut sums: BTreeMap<Currency, [u128; 4]> = BTreeMap::new();
        let own = self.accounts.values().map(|account| (account.currency, account.money));
        let custody = self.custody.iter().map(|(currency, money)| (*currency, *money));
        for (currency, money) in own.chain(custody) {
            let [pending, posted, from_pending, from_posted] = sums.entry(currency).or_default();
            *pending += money.credits_pending;
            *posted += money.credits_posted;
            *from_pending += money.debits_pending;
            *from_posted += money.debits_posted;
        }
        sums.values().all(|[pending, posted, from_pending, from_posted]| {
            (pending, posted) == (from_pending, from_posted)
        })
    }

    /// Whether somebody takes part: some were admitted by the founding, which not every history
    /// shows.
    fn takes_part(&self, participant: ParticipantId) -> bool {
        let founders = [CUSTODIAN, LIQUIDITY];
        founders.contains(&participant)
            || BANKS.contains(&participant)
            || self.admitted.contains(&participant)
    }

    /// Whether an account is this participant's, in this currency.
    fn owns(&self, owner: ParticipantId, account: AccountId, currency: Currency) -> bool {
        let fits = |account: &Account| account.owner == owner && account.currency == currency;
        self.accounts.get(&account).is_some_and(fits)
    }

    /// Moves an amount from one account to another.
    fn book(&mut self, step: Step, (from, to): (AccountId, AccountId), amount: u128) {
        if let Some(debited) = self.accounts.get_mut(&from) {
            debited.money.debit(step, amount);
        }
        if let Some(credited) = self.accounts.get_mut(&to) {
            credited.money.credit(step, amount);
        }
    }
}
