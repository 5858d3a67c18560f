//! A transfer as a row of the state: what it is, where it stands, which answers were given; it moves no money.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use ledger_proof::{
    DecodeError, Digest, Field, ItemKind, Reader,
    item::{Leg, Submit},
};
use ledger_types::{
    ConfirmationStatus, CorridorId, Currency, ParticipantId, Rejection, StatusReason, Timestamp,
    TransferId, TransferState, Uetr,
};

use crate::table::{Key, Row};

/// An answer that was given, by which a repeated one is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) kind: u8,
    pub(crate) item_hash: Digest,
    pub(crate) sequence: u64,
}

/// A transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Where it stands.
    pub state: TransferState,
    /// Who decides on it; 0 when burned.
    pub creditor_agent: ParticipantId,
    /// Its corridor.
    pub corridor: CorridorId,
    /// Interbank settlement amount, minor units.
    pub amount: u64,
    /// Its currency.
    pub currency: Currency,
    /// Whether it is a return.
    pub return_of_another: bool,
    /// Reason of a hold or an end.
    pub reason: Option<StatusReason>,
    /// Why the ledger refused it.
    pub rejection: Option<Rejection>,
    /// When it expires if nobody accepts.
    pub deadline: Timestamp,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When it settled or ended.
    pub decided_at: Timestamp,
    /// When its last confirmation was recorded.
    pub confirmed_at: Timestamp,
    /// Until when it is held.
    pub held_until: Timestamp,
    /// The last confirmation.
    pub confirmation: Option<ConfirmationStatus>,
    /// The record of its submit.
    pub submit_sequence: u64,
    /// The record that settled or ended it.
    pub decided_sequence: u64,
    /// Sum of its returns.
    pub returned: u64,
    pub(crate) item_hash: Digest,
    pub(crate) nonce: Digest,
    pub(crate) answers: ArrayVec<Given, 8>,
    /// Kept while pending.
    pub(crate) legs: ArrayVec<Leg, 8>,
}

impl Transfer {
    /// A transfer as submitted, not yet decided.
    pub(crate) fn submitted(
        item: &Submit,
        item_hash: Digest,
        at: Timestamp,
        sequence: u64,
    ) -> Self {
        let last = principal(item).last();
        Self {
            state: TransferState::Pending,
            creditor_agent: item.creditor_agent,
            corridor: item.corridor,
            amount: last.map_or(0, |leg| leg.amount),
            currency: last.map_or(NO_CURRENCY, |leg| leg.currency),
            return_of_another: false,
            reason: None,
            rejection: None,
            deadline: item.deadline,
            submitted_at: at,
            decided_at: Timestamp::ZERO,
            confirmed_at: Timestamp::ZERO,
            held_until: Timestamp::ZERO,
            confirmation: None,
            submit_sequence: sequence,
            decided_sequence: 0,
            returned: 0,
            item_hash,
            nonce: item.nonce,
            answers: ArrayVec::new(),
            legs: ArrayVec::new(),
        }
    }

    /// An identity closed by `resolve`.
    pub(crate) fn burned(nonce: Digest, item_hash: Digest, at: Timestamp, sequence: u64) -> Self {
        Self {
            state: TransferState::Burned,
            creditor_agent: ParticipantId::OPERATOR,
            corridor: CorridorId(0),
            amount: 0,
            currency: NO_CURRENCY,
            return_of_another: false,
            reason: None,
            rejection: None,
            deadline: Timestamp::ZERO,
            submitted_at: at,
            decided_at: at,
            confirmed_at: Timestamp::ZERO,
            held_until: Timestamp::ZERO,
            confirmation: None,
            submit_sequence: sequence,
            decided_sequence: sequence,
            returned: 0,
            item_hash,
            nonce,
            answers: ArrayVec::new(),
            legs: ArrayVec::new(),
        }
    }

    /// The record of the same answer given before.
    pub(crate) fn repeats(&self, kind: ItemKind, item_hash: &Digest) -> Option<u64> {
        self.answers
            .iter()
            .find(|given| given.kind == kind.code() && given.item_hash == *item_hash)
            .map(|given| given.sequence)
    }

    /// Whether an answer of this kind was given before.
    pub(crate) fn answered(&self, kind: ItemKind) -> bool {
        self.answers.iter().any(|given| given.kind == kind.code())
    }

    /// Remembers an answer; a later hold replaces an earlier one.
    pub(crate) fn remember(&mut self, kind: ItemKind, item_hash: Digest, sequence: u64) {
        if kind == ItemKind::Hold {
            self.answers.retain(|given| given.kind != kind.code());
        }
        let given = Given { kind: kind.code(), item_hash, sequence };
        assert!(self.answers.try_push(given).is_ok(), "a transfer has at most eight answers");
    }

    /// Ends or settles it: its legs are no longer needed.
    pub(crate) fn decide(&mut self, state: TransferState, at: Timestamp, sequence: u64) {
        self.state = state;
        self.decided_at = at;
        self.decided_sequence = sequence;
        self.held_until = Timestamp::ZERO;
        self.legs.clear();
    }
}

/// ISO 4217's code for transactions without a currency.
pub(crate) const NO_CURRENCY: Currency = Currency::NONE;

/// The principal legs of a submit or return, in order.
pub(crate) fn principal(item: &Submit) -> impl DoubleEndedIterator<Item = &Leg> {
    item.legs.iter().filter(|leg| leg.kind == ledger_proof::item::LegKind::Principal)
}

impl Field for Transfer {
    fn put(&self, out: &mut Vec<u8>) {
        self.state.put(out);
        self.creditor_agent.put(out);
        self.corridor.put(out);
        self.amount.put(out);
        self.currency.put(out);
        self.return_of_another.put(out);
        self.reason.map_or([0; 4], StatusReason::bytes).put(out);
        self.rejection.map_or(0, Rejection::number).put(out);
        for time in
            [self.deadline, self.submitted_at, self.decided_at, self.confirmed_at, self.held_until]
        {
            time.put(out);
        }
        self.confirmation.map_or(0, ConfirmationStatus::code).put(out);
        self.submit_sequence.put(out);
        self.decided_sequence.put(out);
        self.returned.put(out);
        self.item_hash.put(out);
        self.nonce.put(out);
        self.answers.put(out);
        self.legs.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            state: reader.get()?,
            creditor_agent: reader.get()?,
            corridor: reader.get()?,
            amount: reader.get()?,
            currency: reader.get()?,
            return_of_another: reader.get()?,
            reason: optional_reason(reader.get()?)?,
            rejection: Rejection::from_number(reader.get()?),
            deadline: reader.get()?,
            submitted_at: reader.get()?,
            decided_at: reader.get()?,
            confirmed_at: reader.get()?,
            held_until: reader.get()?,
            confirmation: ConfirmationStatus::from_code(reader.get()?),
            submit_sequence: reader.get()?,
            decided_sequence: reader.get()?,
            returned: reader.get()?,
            item_hash: reader.get()?,
            nonce: reader.get()?,
            answers: reader.get()?,
            legs: reader.get()?,
        })
    }
}

fn optional_reason(bytes: [u8; 4]) -> Result<Option<StatusReason>, DecodeError> {
    if bytes == [0; 4] { Ok(None) } else { Ok(Some(StatusReason::from_bytes(bytes)?)) }
}

impl Field for Given {
    fn put(&self, out: &mut Vec<u8>) {
        self.kind.put(out);
        self.item_hash.put(out);
        self.sequence.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { kind: reader.get()?, item_hash: reader.get()?, sequence: reader.get()? })
    }
}

impl Row for Transfer {
    fn hot(&self) -> bool {
        self.state == TransferState::Pending
    }
}

/// A transfer's key: identity with its own encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TransferKey(pub(crate) TransferId);

impl Field for TransferKey {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.debtor_agent.put(out);
        self.0.uetr.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let debtor_agent: ParticipantId = reader.get()?;
        let uetr: Uetr = reader.get()?;
        Ok(Self(TransferId { debtor_agent, uetr }))
    }
}

impl Key for TransferKey {
    const HOT: u8 = 0x05;
    const COLD: Option<u8> = Some(0x85);
}
