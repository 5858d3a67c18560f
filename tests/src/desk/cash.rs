//! What the custodian, owners of accounts and the liquidity bank ask for: cash in and out, and quotes; it hears no answer.
use fastrand::Rng;
use ledger_types::{ParticipantId, QuoteId, WithdrawalId};

use super::{Desk, bank, keep, once, operator, some};
use crate::world::{
    ACCOUNTS, BANKS, CUSTODIAN, Envelope, LIQUIDITY, Pen, account, currency, foreign, items::Offer,
    opening_reference, text,
};

impl Desk {
    pub(super) fn cash(&mut self, rng: &mut Rng, pen: &mut Pen) -> Envelope {
        match rng.u8(..10) {
            0..=2 => fund(rng, pen),
            3..=5 => self.withdraw(rng, pen),
            _ => self.end(rng, pen),
        }
    }

    fn withdraw(&mut self, rng: &mut Rng, pen: &mut Pen) -> Envelope {
        let owner = bank(rng);
        // Now and then the account is another's, or the name was used.
        let of = if once(rng, 10) { bank(rng) } else { owner };
        let known = some(rng, &self.withdrawals).copied().filter(|_| once(rng, 8));
        let name = known.map_or_else(|| WithdrawalId(pen.name()), |(_, name)| name);
        let amount = rng.u64(1..=pen.funded / 4);
        // Some accounts are opened later, or never.
        let last = if once(rng, 8) { operator::ACCOUNTS_LATER } else { ACCOUNTS };
        let from = account(of, rng.u64(..last));
        let item = pen.withdraw(name, (from, currency()), amount);
        keep(&mut self.withdrawals, (owner, name));
        pen.envelope(owner, vec![item])
    }

    /// The custodian says what became of withdrawals.
    fn end(&mut self, rng: &mut Rng, pen: &mut Pen) -> Envelope {
        let (paid, most) = (rng.bool(), rng.usize(1..=self.batch));
        let mut items = Vec::new();
        while items.len() < most && !self.withdrawals.is_empty() {
            let at = rng.usize(..self.withdrawals.len());
            let (owner, name) = self.withdrawals[at];
            if !once(rng, 5) {
                self.withdrawals.swap_remove(at);
            }
            items.push(ended(pen, paid, owner, name));
        }
        if items.is_empty() {
            let unknown = WithdrawalId(pen.name());
            items.push(ended(pen, paid, bank(rng), unknown));
        }
        let author = if once(rng, 12) { bank(rng) } else { CUSTODIAN };
        pen.envelope(author, items)
    }

    pub(super) fn quotes(&mut self, rng: &mut Rng, pen: &mut Pen) -> Envelope {
        let (debtor_agent, back) = (bank(rng), once(rng, 3));
        self.offer(rng, pen, debtor_agent, back)
    }

    /// A quote for one use or for several; those by which money comes back are for several, so
    /// that one serves every return.
    pub(super) fn offer(
        &mut self,
        rng: &mut Rng,
        pen: &mut Pen,
        debtor_agent: ParticipantId,
        back: bool,
    ) -> Envelope {
        let known = some(rng, &self.offers).map(|offer| offer.quote).filter(|_| once(rng, 12));
        let reusable = back || rng.bool();
        // Little of what there is, as money comes back only by returns.
        let most = if reusable { pen.funded / 4 } else { pen.funded / 20 };
        let offer = Offer {
            quote: known.unwrap_or_else(|| QuoteId(pen.name())),
            debtor_agent,
            taken: if back { foreign() } else { currency() },
            reusable,
            source_amount: rng.u64(10..=most / 2) * 2,
            payout_fee: if back { 0 } else { rng.u64(1..=5) },
        };
        let (version, _) = self.operator.fees();
        let too_much = if once(rng, 10) { 9 } else { 0 };
        let item = pen.quote(&offer, version, too_much);
        if known.is_none() {
            keep(&mut self.offers, offer);
        }
        let author = if once(rng, 12) { BANKS[0] } else { LIQUIDITY };
        pen.envelope(author, vec![item])
    }
}

fn ended(
    pen: &mut Pen,
    paid: bool,
    owner: ParticipantId,
    name: WithdrawalId,
) -> ledger_proof::Item {
    if paid { pen.paid(owner, name) } else { pen.failed(owner, name) }
}

/// The custodian got money for somebody, whose account may not be there.
fn fund(rng: &mut Rng, pen: &mut Pen) -> Envelope {
    let to = account(bank(rng), rng.u64(..operator::ACCOUNTS_LATER));
    let number = u32::from_be_bytes(pen.fresh()[..4].try_into().expect("four bytes"));
    let used = once(rng, 8);
    let reference = if used { opening_reference(to) } else { text(&format!("CASH{number}")) };
    let amount = rng.u64(1..=pen.funded / 4);
    let item = pen.fund(to, currency(), amount, reference);
    let author = if once(rng, 15) { bank(rng) } else { CUSTODIAN };
    pen.envelope(author, vec![item])
}
