//! Writing an outcome as a record: shared part and each party's own, numbered without gaps; it decides no outcome.
use alloc::{vec, vec::Vec};

use arrayvec::ArrayVec;
use ledger_proof::{
    Digest, Field, ItemKind, Part, Record, RecordKind,
    item::{Leg, Link},
    record::{Detail, PartyPart, SharedPart},
};
use ledger_types::{
    CorridorId, Currency, ParticipantId, Rejection, RequestId, StatusReason, Timestamp,
    TransferState,
};

use crate::{
    ledger::Ledger,
    output::{Outcome, Output},
};

/// Whence an item came.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) author: ParticipantId,
    pub(crate) request: RequestId,
    pub(crate) item: u16,
    pub(crate) item_hash: Digest,
    pub(crate) nonce: Digest,
    pub(crate) kind: RecordKind,
}

/// What a record says, before it has a number.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) rejection: Option<Rejection>,
    pub(crate) state: Option<TransferState>,
    pub(crate) reason: Option<StatusReason>,
    pub(crate) debtor_agent: ParticipantId,
    pub(crate) creditor_agent: ParticipantId,
    pub(crate) subject: [u8; 16],
    pub(crate) corridor: CorridorId,
    pub(crate) amount: u64,
    pub(crate) currency: Currency,
    pub(crate) deadline: Timestamp,
    pub(crate) links: ArrayVec<Link, 4>,
    pub(crate) detail: Vec<u8>,
    pub(crate) parties: ArrayVec<Party, 4>,
    pub(crate) operator_legs: ArrayVec<Leg, 8>,
    pub(crate) first_sequence: Option<u64>,
}

/// One party's own part.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub(crate) part: Part,
    pub(crate) participant: ParticipantId,
    pub(crate) legs: ArrayVec<Leg, 8>,
    pub(crate) detail: Vec<u8>,
}

impl Party {
    /// A party without legs or detail.
    pub(crate) fn plain(part: Part, participant: ParticipantId) -> Self {
        Self { part, participant, legs: ArrayVec::new(), detail: Vec::new() }
    }
}

impl Draft {
    /// A record about something between an author and a counterparty.
    pub(crate) fn between(debtor_agent: ParticipantId, creditor_agent: ParticipantId) -> Self {
        Self {
            rejection: None,
            state: None,
            reason: None,
            debtor_agent,
            creditor_agent,
            subject: [0; 16],
            corridor: CorridorId(0),
            amount: 0,
            currency: Currency::NONE,
            deadline: Timestamp::ZERO,
            links: ArrayVec::new(),
            detail: Vec::new(),
            parties: ArrayVec::new(),
            operator_legs: ArrayVec::new(),
            first_sequence: None,
        }
    }

    /// Adds a party without legs or detail.
    pub(crate) fn party(mut self, part: Part, participant: ParticipantId) -> Self {
        self.add(Party::plain(part, participant));
        self
    }

    /// Adds a party; the operator and nobody have no part of their own here.
    pub(crate) fn add(&mut self, party: Party) {
        if party.participant != ParticipantId::OPERATOR {
            self.parties.push(party);
        }
    }
}

impl Ledger {
    /// Writes the record of an item's outcome and answers with it.
    pub(crate) fn record(&mut self, out: &mut Output, origin: &Origin, draft: Draft) -> Outcome {
        let sequence = self.next_sequence;
        let mut parts = <[Vec<u8>; 6]>::default();
        parts[Part::Shared.index()] = shared(origin, &draft).to_bytes();
        self.number_parties(out, draft.parties, &mut parts);
        if !draft.operator_legs.is_empty() {
            let part = PartyPart {
                participant: ParticipantId::OPERATOR,
                number: sequence,
                legs: draft.operator_legs,
                detail: Detail::default(),
            };
            parts[Part::Operator.index()] = part.to_bytes();
        }
        self.push_record(out, origin.kind, Some(origin.nonce), parts);
        Outcome {
            sequence,
            rejection: draft.rejection,
            state: draft.state,
            reason: draft.reason.or(draft.rejection.map(Rejection::reason)),
            first_sequence: draft.first_sequence,
        }
    }

    /// Fills the parties' own parts, each with its participant's next number.
    pub(crate) fn number_parties(
        &mut self,
        out: &mut Output,
        parties: ArrayVec<Party, 4>,
        parts: &mut [Vec<u8>; 6],
    ) {
        let sequence = self.next_sequence;
        let mut numbered: ArrayVec<(ParticipantId, u64), 4> = ArrayVec::new();
        for party in parties {
            let known = numbered.iter().find(|(id, _)| *id == party.participant);
            let number = match known {
                Some((_, number)) => Some(*number),
                None => self.next_number(party.participant),
            };
            // A participant not admitted has no stream.
            let Some(number) = number else { continue };
            if known.is_none() {
                numbered.push((party.participant, number));
                out.numbers.push((party.participant, number, sequence));
            }
            let (participant, legs) = (party.participant, party.legs);
            let part = PartyPart { participant, number, legs, detail: Detail(party.detail) };
            parts[party.part.index()] = part.to_bytes();
        }
    }

    /// Appends a record with the next number.
    pub(crate) fn push_record(
        &mut self,
        out: &mut Output,
        kind: RecordKind,
        nonce: Option<Digest>,
        parts: [Vec<u8>; 6],
    ) {
        let sequence = self.next_sequence;
        out.records.push(Record { kind, sequence, at: self.time, nonce, parts });
        self.next_sequence += 1;
    }

    /// Legs on a participant's accounts.
    pub(crate) fn legs_of(&self, legs: &[Leg], participant: ParticipantId) -> ArrayVec<Leg, 8> {
        let owns = |account| self.owner(account) == Some(participant);
        legs.iter()
            .filter(|leg| owns(leg.debit_account) || owns(leg.credit_account))
            .cloned()
            .collect()
    }

    fn next_number(&mut self, participant: ParticipantId) -> Option<u64> {
        let number = self.participants.get(&participant)?.records + 1;
        self.participants.change(&participant, |row| row.records = number);
        Some(number)
    }

    /// The record of an operator's command, or of one that concerns nobody else.
    pub(crate) fn plain(
        &mut self,
        out: &mut Output,
        origin: &Origin,
        result: Result<(), Rejection>,
    ) -> Outcome {
        let mut draft = Draft::between(origin.author, ParticipantId::OPERATOR);
        draft.rejection = result.err();
        draft.operator_legs = ArrayVec::new();
        let draft = draft.party(Part::Debtor, origin.author);
        self.record(out, origin, draft)
    }
}

fn shared(origin: &Origin, draft: &Draft) -> SharedPart {
    SharedPart {
        outcome: draft.rejection.map_or(0, Rejection::number),
        state: draft.state.map_or(0, TransferState::code),
        reason: draft
            .reason
            .or(draft.rejection.map(Rejection::reason))
            .unwrap_or(StatusReason::known(b"NARR")),
        author: origin.author,
        request: origin.request,
        item: origin.item,
        item_hash: origin.item_hash,
        debtor_agent: draft.debtor_agent,
        subject: draft.subject,
        creditor_agent: draft.creditor_agent,
        corridor: draft.corridor,
        amount: draft.amount,
        currency: draft.currency,
        deadline: draft.deadline,
        first_sequence: draft.first_sequence.unwrap_or(0),
        links: draft.links.clone(),
        detail: Detail(draft.detail.clone()),
    }
}

/// Where an expiry comes from: nobody's request, the submit's nonce.
pub(crate) fn expiry_origin(nonce: Digest, item_hash: Digest) -> Origin {
    Origin {
        author: ParticipantId::OPERATOR,
        request: RequestId::default(),
        item: 0,
        item_hash,
        nonce,
        kind: RecordKind::Expiry,
    }
}

/// The parts of a record that has only a shared part.
pub(crate) fn only_shared(bytes: Vec<u8>) -> [Vec<u8>; 6] {
    [bytes, vec![], vec![], vec![], vec![], vec![]]
}

/// The kind of an item's record.
pub(crate) const fn item_kind(kind: ItemKind) -> RecordKind {
    RecordKind::Item(kind)
}
