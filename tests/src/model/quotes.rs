//! Quotes in the model: what may be registered, and which transfers they carry; it moves no money.
use ledger_proof::item::{Leg, LegKind, RegisterQuote, Submit};
use ledger_types::{AccountId, Currency, ParticipantId, QuoteId};

use super::{Expected, Mark, Model};
use crate::world::{BANKS, EXCHANGE, FEES, LIQUIDITY, items::exchanged};

/// A quote of the liquidity bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Quote {
    registered: Mark,
    debtor_agent: ParticipantId,
    reusable: bool,
    taken: Currency,
    /// Where the bank takes and where it gives.
    takes: AccountId,
    gives: AccountId,
    destination_amount: u64,
    payout_fee: u64,
    /// How much may still be taken, all at once if it is for one use.
    left: u64,
}

impl Model {
    /// Quotes are for the bank's own two accounts, the world's one rate and for ever; what may be
    /// wrong is the bank, its fee schedule and its amounts.
    pub(super) fn register(
        &mut self,
        author: ParticipantId,
        quote: &RegisterQuote,
        mark: Mark,
    ) -> Expected {
        if let Some(known) = self.quotes.get(&quote.quote) {
            return Expected::done_if(known.registered == mark);
        }
        let (source, taken) = (quote.source_amount, quote.source_currency);
        let given = if quote.reusable { 0 } else { exchanged(taken, source) };
        let fits = author == LIQUIDITY
            && !self.suspended.contains(&author)
            && quote.corridor == EXCHANGE
            && BANKS.contains(&quote.debtor_agent)
            && quote.fee_schedule_version == self.terms.schedule
            && source > 0
            && quote.destination_amount == given;
        if fits {
            let quote_row = Quote {
                registered: mark,
                debtor_agent: quote.debtor_agent,
                reusable: quote.reusable,
                taken,
                takes: quote.source_account,
                gives: quote.destination_account,
                destination_amount: quote.destination_amount,
                payout_fee: quote.payout_fee,
                left: source,
            };
            self.quotes.insert(quote.quote, quote_row);
        }
        Expected::done_if(fits)
    }

    /// The quote that carries both principal legs of an exchange, if one does. Clients keep to
    /// the rate or miss it by far, so that a minor unit more or less makes no difference.
    pub(super) fn carrying(&self, author: ParticipantId, submit: &Submit) -> Option<&Quote> {
        let [source, destination, ..] = &submit.legs[..] else { return None };
        let quote = submit.quotes.first().and_then(|id| self.quotes.get(id))?;
        let given = match quote.reusable {
            true => exchanged(quote.taken, source.amount).saturating_sub(quote.payout_fee),
            false => quote.destination_amount,
        };
        let fits = quote.debtor_agent == author
            && !self.suspended.contains(&LIQUIDITY)
            && source.currency == quote.taken
            && source.credit_account == quote.takes
            && destination.debit_account == quote.gives
            && destination.amount == given
            && source.amount <= quote.left
            && (quote.reusable || source.amount == quote.left);
        fits.then_some(quote)
    }

    /// Whether an exchange has the fees that are due, in their order: the schedule's, and the
    /// payout fee of its quote.
    pub(super) fn fees_fit(&self, submit: &Submit, quote: &Quote) -> bool {
        let [source, destination, fees @ ..] = &submit.legs[..] else { return false };
        let due = [
            (LegKind::Fee, source.debit_account, FEES, self.terms.fee),
            (LegKind::PayoutFee, quote.gives, destination.credit_account, quote.payout_fee),
        ];
        let of = |leg: &Leg| (leg.kind, leg.debit_account, leg.credit_account, leg.amount);
        let paid = fees.iter().map(of);
        submit.fee_schedule_version == self.terms.schedule && paid.eq(due)
    }

    /// Takes what a transfer needs of its quote; nothing gives it back.
    pub(super) fn draw(&mut self, quote: Option<&QuoteId>, amount: u64) {
        if let Some(quote) = quote.and_then(|id| self.quotes.get_mut(id)) {
            quote.left = quote.left.saturating_sub(amount);
        }
    }
}
