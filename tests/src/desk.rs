//! What clients believe of the ledger, and what they ask of it next: items of every kind, mostly within the rules; it hears no answer and judges none.
use std::collections::BTreeSet;

use fastrand::Rng;
use ledger_types::{
    AccountId, CaseId, ConfirmationStatus, CorridorId, ParticipantId, RecallAnswer, Timestamp,
    Uetr, WithdrawalId,
};

use crate::world::{
    ACCOUNTS, BANKS, DIRECT, EXCHANGE, Envelope, FOREIGN, Pen, account, currency, foreign,
    items::{Name, Offer, exchanged},
};

mod cash;
mod operator;
#[cfg(test)]
mod tests;

use operator::Operator;

/// So many settled transfers, quotes, recalls and withdrawals are remembered at most.
const KEPT: usize = 20;

/// A transfer that was asked for.
#[derive(Clone, Debug)]
struct Sent {
    debtor_agent: ParticipantId,
    creditor_agent: ParticipantId,
    uetr: Uetr,
    corridor: CorridorId,
    accounts: (AccountId, AccountId),
    /// What the creditor agent gets.
    amount: u64,
}

impl Sent {
    fn name(&self) -> Name {
        (self.debtor_agent, self.uetr)
    }
}

/// What clients believe.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// How many items an envelope has at most.
    batch: usize,
    /// Transfers that may be pending.
    pending: Vec<Sent>,
    /// Transfers that may have settled.
    settled: Vec<Sent>,
    /// Those that were said to be accepted without posting: nobody says it twice.
    unposted: BTreeSet<Name>,
    recalls: Vec<(Sent, CaseId)>,
    offers: Vec<Offer>,
    withdrawals: Vec<(ParticipantId, WithdrawalId)>,
    /// A name that was closed before there was a transfer.
    burned: Option<Name>,
    operator: Operator,
}

/// Once in so many times.
fn once(rng: &mut Rng, times: u8) -> bool {
    rng.u8(..times) == 0
}

fn bank(rng: &mut Rng) -> ParticipantId {
    BANKS[rng.usize(..BANKS.len())]
}

/// Something that is remembered, if anything is.
fn some<'a, T>(rng: &mut Rng, of: &'a [T]) -> Option<&'a T> {
    of.get(rng.usize(..of.len().max(1)))
}

/// Remembers one thing more, in place of the oldest.
fn keep<T>(of: &mut Vec<T>, one: T) {
    if of.len() == KEPT {
        of.remove(0);
    }
    of.push(one);
}

impl Desk {
    pub(crate) fn new(batch: usize) -> Self {
        Self { batch, ..Self::default() }
    }

    /// What a participant asks for next.
    pub(crate) fn next(&mut self, rng: &mut Rng, pen: &mut Pen) -> Envelope {
        match rng.u8(..100) {
            0..=29 if !self.pending.is_empty() => self.settle(rng, pen),
            30..=44 => match some(rng, &self.settled).cloned() {
                Some(sent) => self.follow(rng, pen, &sent),
                None => self.submits(rng, pen),
            },
            45..=51 => self.cash(rng, pen),
            52..=56 => self.quotes(rng, pen),
            57..=65 => self.exchanges(rng, pen),
            66..=68 => self.resolve(rng, pen),
            _ => self.submits(rng, pen),
        }
    }

    fn submits(&mut self, rng: &mut Rng, pen: &mut Pen) -> Envelope {
        let at = rng.usize(..2);
        let (debtor_agent, creditor_agent) = (BANKS[at], BANKS[1 - at]);
        let mut items = Vec::new();
        for _ in 0..rng.usize(1..=self.batch) {
            // Some accounts are opened later, or never.
            let last = if once(rng, 30) { operator::ACCOUNTS_LATER } else { ACCOUNTS };
            let accounts = (
                account(debtor_agent, rng.u64(..ACCOUNTS)),
                account(creditor_agent, rng.u64(..last)),
            );
            let uetr = self.name(rng, pen, debtor_agent);
            let single_phase = rng.bool();
            // So that about as much is refused, however many go together.
            let amount = rng.u64(1..pen.funded / u64::try_from(self.batch).unwrap_or(3) * 3);
            items.push(pen.submit(uetr, accounts, creditor_agent, amount, single_phase));
            let corridor = DIRECT;
            let sent = Sent { debtor_agent, creditor_agent, uetr, corridor, accounts, amount };
            self.sent(sent, single_phase);
        }
        pen.envelope(debtor_agent, items)
    }

    /// A transfer's name: mostly a fresh one.
    fn name(&self, rng: &mut Rng, pen: &mut Pen, debtor_agent: ParticipantId) -> Uetr {
        let reused = self.pending.last().map(Sent::name).filter(|_| once(rng, 10));
        let burned = self.burned.filter(|_| once(rng, 20));
        let used = reused.or(burned).filter(|(owner, _)| *owner == debtor_agent);
        used.map_or_else(|| pen.uetr(), |(_, uetr)| uetr)
    }

    fn sent(&mut self, sent: Sent, single_phase: bool) {
        if single_phase {
            keep(&mut self.settled, sent);
            return;
        }
        self.pending.push(sent);
        // The oldest that does not wait long has expired.
        if self.pending.len() > 8 * self.batch {
            let old = self.pending.iter().position(|old| old.corridor == DIRECT).unwrap_or(0);
            self.pending.remove(old);
        }
    }

    /// Transfers from the one currency to the other, each at a quote of before.
    fn exchanges(&mut self, rng: &mut Rng, pen: &mut Pen) -> Envelope {
        let home = |offer: &&Offer| offer.taken == currency();
        let offers: Vec<Offer> = self.offers.iter().filter(home).cloned().collect();
        let Some(offer) = some(rng, &offers) else { return self.quotes(rng, pen) };
        let debtor_agent = offer.debtor_agent;
        let creditor_agent = if debtor_agent == BANKS[0] { BANKS[1] } else { BANKS[0] };
        let from = account(debtor_agent, rng.u64(..ACCOUNTS));
        let uetr = self.name(rng, pen, debtor_agent);
        let mut amount = offer.source_amount;
        if offer.reusable {
            amount = rng.u64(10..=(amount / 8).max(10));
        } else if !once(rng, 4) {
            self.offers.retain(|other| other.quote != offer.quote);
        }
        if once(rng, 12) {
            amount += 20;
        }
        let single_phase = once(rng, 3);
        let fees = self.operator.fees();
        let offered = (offer, amount);
        let item = pen.exchange(uetr, (from, creditor_agent), offered, fees, single_phase);
        let accounts = (from, account(creditor_agent, FOREIGN));
        let (corridor, amount) = (EXCHANGE, offer.given(amount));
        let sent = Sent { debtor_agent, creditor_agent, uetr, corridor, accounts, amount };
        self.sent(sent, single_phase);
        pen.envelope(debtor_agent, vec![item])
    }

    /// Ends what is pending between two banks in one way, or holds one of it.
    fn settle(&mut self, rng: &mut Rng, pen: &mut Pen) -> Envelope {
        let chosen = &self.pending[rng.usize(..self.pending.len())];
        let Sent { debtor_agent, creditor_agent, .. } = *chosen;
        if once(rng, if chosen.corridor == EXCHANGE { 3 } else { 20 }) {
            return hold(rng, pen, chosen);
        }
        let (way, again, most) = (rng.u8(..4), once(rng, 3), rng.usize(1..=self.batch));
        let mut items = Vec::new();
        let mut at = self.pending.len();
        while at > 0 && items.len() < most {
            at -= 1;
            let sent = &self.pending[at];
            if (sent.debtor_agent, sent.creditor_agent) != (debtor_agent, creditor_agent) {
                continue;
            }
            items.push(match way {
                0 => pen.cancel(sent.uetr),
                1 => pen.reject(debtor_agent, sent.uetr),
                _ => pen.accept(debtor_agent, sent.uetr),
            });
            if way > 1 {
                keep(&mut self.settled, sent.clone());
            }
            if !again {
                self.pending.swap_remove(at);
            }
        }
        let (party, other) = match way {
            0 => (debtor_agent, creditor_agent),
            _ => (creditor_agent, debtor_agent),
        };
        pen.envelope(if once(rng, 20) { other } else { party }, items)
    }

    /// What comes after a transfer has settled.
    fn follow(&mut self, rng: &mut Rng, pen: &mut Pen, sent: &Sent) -> Envelope {
        match rng.u8(..10) {
            0..=2 => self.confirm(rng, pen, sent),
            3..=4 => self.recall(rng, pen, sent),
            5..=6 => match some(rng, &self.recalls).cloned() {
                Some((sent, case)) => self.answer(rng, pen, &sent, case),
                None => self.recall(rng, pen, sent),
            },
            _ => self.give_back(rng, pen, sent),
        }
    }

    fn confirm(&mut self, rng: &mut Rng, pen: &mut Pen, sent: &Sent) -> Envelope {
        let mut status = match rng.u8(..8) {
            0..=3 => ConfirmationStatus::Credited,
            4 => ConfirmationStatus::PickedUp,
            5 => ConfirmationStatus::Blocked,
            _ => ConfirmationStatus::AcceptedWithoutPosting,
        };
        let unposted = status == ConfirmationStatus::AcceptedWithoutPosting;
        if unposted && !self.unposted.insert(sent.name()) {
            status = ConfirmationStatus::Credited;
        }
        let item = pen.confirm(sent.name(), status);
        let author = if once(rng, 12) { sent.debtor_agent } else { sent.creditor_agent };
        pen.envelope(author, vec![item])
    }

    fn recall(&mut self, rng: &mut Rng, pen: &mut Pen, sent: &Sent) -> Envelope {
        let known = some(rng, &self.recalls).map(|(_, case)| *case).filter(|_| once(rng, 8));
        let case = known.unwrap_or_else(|| CaseId(pen.name()));
        let amount = if once(rng, 8) { sent.amount + 1 } else { rng.u64(1..=sent.amount.max(1)) };
        let answer_by = if once(rng, 10) { Timestamp::ZERO } else { pen.later };
        let item = pen.recall((sent.uetr, case), amount, answer_by);
        keep(&mut self.recalls, (sent.clone(), case));
        pen.envelope(sent.debtor_agent, vec![item])
    }

    /// Answers a recall: an answer that accepts names a return, and no other does.
    fn answer(&mut self, rng: &mut Rng, pen: &mut Pen, sent: &Sent, case: CaseId) -> Envelope {
        let answer = RecallAnswer::ALL[rng.usize(..RecallAnswer::ALL.len())];
        let accepted = answer == RecallAnswer::Accepted;
        let returns = (accepted != once(rng, 8)).then(|| pen.uetr());
        let item = pen.answer_recall(sent.name(), case, answer, returns);
        if answer != RecallAnswer::Pending && !once(rng, 3) {
            self.recalls.retain(|(_, other)| *other != case);
        }
        let author = if once(rng, 12) { sent.debtor_agent } else { sent.creditor_agent };
        pen.envelope(author, vec![item])
    }

    /// Gives a part of a transfer back, exchanged back if it was exchanged.
    fn give_back(&mut self, rng: &mut Rng, pen: &mut Pen, sent: &Sent) -> Envelope {
        let (author, (debited, credited)) = (sent.creditor_agent, sent.accounts);
        // What was exchanged is even, and so is what comes back of it.
        let mut amount = rng.u64(1..=(sent.amount / 4).max(1)) * 2;
        if once(rng, 8) {
            amount = (sent.amount + 2) / 2 * 2;
        }
        let mut given = amount;
        let offer = if sent.corridor == EXCHANGE {
            let back = |offer: &&Offer| offer.debtor_agent == author && offer.taken == foreign();
            let Some(offer) = self.offers.iter().rfind(back).cloned() else {
                return self.offer(rng, pen, author, true);
            };
            given = exchanged(offer.taken, amount);
            Some(offer)
        } else {
            None
        };
        let (uetr, accounts) = (pen.uetr(), (credited, debited));
        let item = pen.give_back(uetr, sent.name(), accounts, amount, offer.as_ref());
        let returned = Sent {
            debtor_agent: author,
            creditor_agent: sent.debtor_agent,
            uetr,
            corridor: sent.corridor,
            accounts,
            amount: given,
        };
        // A return is confirmed as any other; that it is recalled or returned is against the rules.
        if once(rng, 2) {
            keep(&mut self.settled, returned);
        }
        pen.envelope(author, vec![item])
    }

    fn resolve(&mut self, rng: &mut Rng, pen: &mut Pen) -> Envelope {
        let known = some(rng, &self.pending).or_else(|| self.settled.last()).map(Sent::name);
        let (author, uetr) = match known.filter(|_| !once(rng, 4)) {
            Some(known) => known,
            None => *self.burned.insert((bank(rng), pen.uetr())),
        };
        let item = pen.resolve(uetr);
        pen.envelope(author, vec![item])
    }
}

/// A hold ends before it begins, or later than any transfer of the direct corridor waits.
fn hold(rng: &mut Rng, pen: &mut Pen, sent: &Sent) -> Envelope {
    let until = if once(rng, 6) { Timestamp::ZERO } else { pen.later };
    let item = pen.hold(sent.name(), until);
    let author = if once(rng, 12) { sent.debtor_agent } else { sent.creditor_agent };
    pen.envelope(author, vec![item])
}
