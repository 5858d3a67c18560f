//! Quotes: registration, draw-down, closing, and the row; it prices nothing.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use ledger_proof::{DecodeError, Digest, Field, Part, Reader, item::RegisterQuote};
use ledger_types::{ParticipantId, QuoteId, Rejection, Timestamp};

use crate::{
    ledger::Ledger,
    output::{Outcome, Output},
    record::{Draft, Origin, Party},
    rows::FeeKey,
    table::{Key, Row},
};

/// A quote on the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Who gave it.
    pub liquidity_bank: ParticipantId,
    /// Its terms as signed.
    pub terms: RegisterQuote,
    /// Source minor units drawn at reserve; never given back.
    pub drawn: u64,
    /// `submit_by` has passed.
    pub closed: bool,
    pub(crate) item_hash: Digest,
    pub(crate) sequence: u64,
}

impl Quote {
    /// Whether one use with these amounts is what was quoted, and is left.
    pub(crate) fn check_use(
        &self,
        source: u64,
        destination: u64,
        exponents: (u8, u8),
    ) -> Result<(), Rejection> {
        let terms = &self.terms;
        if !terms.reusable {
            if (source, destination) != (terms.source_amount, terms.destination_amount) {
                return Err(Rejection::QuoteAmountMismatch);
            }
        } else {
            // What the rate gives is shared by the creditor and the payout partner.
            let given = destination.checked_add(terms.payout_fee);
            let matches = |given| rate_matches(terms, source, given, exponents);
            if !given.is_some_and(matches) {
                return Err(Rejection::QuoteAmountMismatch);
            }
        }
        let drawn = self.drawn.checked_add(source).ok_or(Rejection::QuoteOverdrawn)?;
        if drawn > terms.source_amount {
            return Err(Rejection::QuoteOverdrawn);
        }
        Ok(())
    }
}

/// Whether amounts keep the quoted rate to within one minor unit of the side that is not fixed.
pub(crate) fn rate_matches(
    terms: &RegisterQuote,
    source: u64,
    destination: u64,
    (source_exponent, destination_exponent): (u8, u8),
) -> bool {
    if terms.destination_fixed {
        terms.rate.matches_source(source, source_exponent, destination, destination_exponent)
    } else {
        terms.rate.matches_destination(source, source_exponent, destination, destination_exponent)
    }
}

/// Terms that contradict themselves: amounts off the rate, times out of order.
pub(crate) fn check_terms(
    terms: &RegisterQuote,
    now: Timestamp,
    exponents: (u8, u8),
) -> Result<(), Rejection> {
    let amounts = if terms.reusable {
        terms.source_amount > 0 && terms.destination_amount == 0
    } else {
        terms.source_amount > 0
            && terms.destination_amount > 0
            && rate_matches(terms, terms.source_amount, terms.destination_amount, exponents)
    };
    let times = now < terms.submit_by && terms.submit_by <= terms.hold_until;
    if amounts && times && terms.source_currency != terms.destination_currency {
        Ok(())
    } else {
        Err(Rejection::QuoteTermsInvalid)
    }
}

impl Ledger {
    pub(crate) fn register_quote(
        &mut self,
        item: &RegisterQuote,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        let mut draft = Draft::between(item.debtor_agent, origin.author);
        draft.subject = item.quote.0;
        draft.corridor = item.corridor;
        (draft.amount, draft.currency) = (item.destination_amount, item.destination_currency);
        draft.deadline = item.submit_by;
        let known = self.quotes.get(&item.quote);
        if let Some(row) = known.filter(|row| row.item_hash == origin.item_hash) {
            draft.first_sequence = Some(row.sequence);
            let draft = draft.party(Part::Liquidity1, origin.author);
            return self.record(out, origin, draft);
        }
        if let Err(rejection) = self.check_register(item, origin.author, known.is_some()) {
            draft.rejection = Some(rejection);
            let draft = draft.party(Part::Liquidity1, origin.author);
            return self.record(out, origin, draft);
        }
        // After this point it must succeed.
        let quote = Quote {
            liquidity_bank: origin.author,
            terms: item.clone(),
            drawn: 0,
            closed: false,
            item_hash: origin.item_hash,
            sequence: self.next_sequence,
        };
        self.quote_set(item.quote, Some(quote));
        // The nonce salts every part of the record: whoever knew it could guess the other's.
        let detail = RegisterQuote { nonce: [0; 32], ..item.clone() }.to_bytes();
        for (part, participant) in
            [(Part::Debtor, item.debtor_agent), (Part::Liquidity1, origin.author)]
        {
            let legs = ArrayVec::new();
            draft.add(Party { part, participant, legs, detail: detail.clone() });
        }
        self.record(out, origin, draft)
    }

    fn check_register(
        &self,
        item: &RegisterQuote,
        author: ParticipantId,
        taken: bool,
    ) -> Result<(), Rejection> {
        if taken {
            return Err(Rejection::QuoteReused);
        }
        if self.participants.get(&author).is_none_or(|row| row.suspended) {
            return Err(Rejection::LiquidityBankSuspended);
        }
        let corridor = self.corridors.get(&item.corridor).ok_or(Rejection::CorridorUnknown)?;
        if !corridor.liquidity_banks.contains(&author) {
            return Err(Rejection::LiquidityBankNotAllowed);
        }
        self.participants.get(&item.debtor_agent).ok_or(Rejection::ParticipantUnknown)?;
        for (account, currency) in [
            (item.source_account, item.source_currency),
            (item.destination_account, item.destination_currency),
        ] {
            let account = self.accounts.get(&account).ok_or(Rejection::AccountUnknown)?;
            if account.owner != author || account.custody {
                return Err(Rejection::AccountNotOwned);
            }
            if account.currency != currency {
                return Err(Rejection::CurrencyMismatch);
            }
        }
        let schedule = self.fee_schedules.get(&FeeKey(item.corridor));
        if item.fee_schedule_version != schedule.map_or(0, |schedule| schedule.version) {
            return Err(Rejection::FeeScheduleStale);
        }
        let source = self.exponent(item.source_currency).ok_or(Rejection::CurrencyUnknown)?;
        let destination =
            self.exponent(item.destination_currency).ok_or(Rejection::CurrencyUnknown)?;
        check_terms(item, self.time, (source, destination))?;
        let open = self.quotes_count.get(&(item.debtor_agent, item.corridor)).copied();
        if open.unwrap_or(0) >= corridor.open_quotes_max {
            return Err(Rejection::QuotesOpenTooMany);
        }
        Ok(())
    }

    /// Closes quotes whose `submit_by` has passed.
    pub(crate) fn close_quotes(&mut self) {
        while let Some((submit_by, id)) = self.quotes_open.first().copied() {
            if submit_by >= self.time {
                break;
            }
            let Some(mut quote) = self.quotes.peek(&id).cloned() else { break };
            quote.closed = true;
            self.quote_set(id, Some(quote));
        }
    }
}

impl Field for Quote {
    fn put(&self, out: &mut Vec<u8>) {
        self.liquidity_bank.put(out);
        self.drawn.put(out);
        self.closed.put(out);
        self.item_hash.put(out);
        self.sequence.put(out);
        self.terms.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            liquidity_bank: reader.get()?,
            drawn: reader.get()?,
            closed: reader.get()?,
            item_hash: reader.get()?,
            sequence: reader.get()?,
            terms: reader.get()?,
        })
    }
}

impl Row for Quote {
    fn hot(&self) -> bool {
        !self.closed
    }
}

impl Key for QuoteId {
    const HOT: u8 = 0x06;
    const COLD: Option<u8> = Some(0x86);
}
