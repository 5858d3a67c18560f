//! A registered quote as a row: its terms and how much of it is drawn; it prices nothing.
use alloc::vec::Vec;

use ledger_proof::{DecodeError, Digest, Field, Reader, item::RegisterQuote};
use ledger_types::{ParticipantId, QuoteId, Rejection, Timestamp};

use crate::table::{Key, Row};

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
        } else if !rate_matches(terms, source, destination, exponents) {
            return Err(Rejection::QuoteAmountMismatch);
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
