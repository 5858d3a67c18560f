//! What happens to a pending or settled transfer: accept, hold, reject, confirm, cancel, resolve.
use ledger_proof::{
    Field, ItemKind, Part,
    item::{Accept, Cancel, Confirm, Hold, Reject, Resolve},
    record::{AcceptDetail, ConfirmDetail},
};
use ledger_types::{
    ConfirmationStatus, ParticipantId, Rejection, StatusReason, TransferId, TransferState,
};

use crate::{
    account::Movement,
    ledger::Ledger,
    output::{Outcome, Output},
    record::{Draft, Origin},
    transfer::{Transfer, TransferKey},
};

impl Ledger {
    pub(crate) fn accept(&mut self, item: &Accept, origin: &Origin, out: &mut Output) -> Outcome {
        let id = TransferId { debtor_agent: item.debtor_agent, uetr: item.uetr };
        let settled = (TransferState::Settled, None);
        let mut row = match self.decidable(id, origin, ItemKind::Accept, settled, out) {
            Ok(row) => row,
            Err(outcome) => return outcome,
        };
        if self.participants.get(&origin.author).is_none_or(|agent| agent.suspended) {
            return self.refuse(id, &row, origin, Rejection::CreditorAgentSuspended, out);
        }
        // After this point it must succeed.
        self.move_legs(&row.legs.clone(), Movement::PostPending);
        let mut draft = self.decision(id, &row, TransferState::Settled, None);
        draft.detail = AcceptDetail { reference: item.reference }.to_bytes();
        row.remember(ItemKind::Accept, origin.item_hash, self.next_sequence);
        self.conclude(id, row, TransferState::Settled, None, origin, draft, out)
    }

    pub(crate) fn reject(&mut self, item: &Reject, origin: &Origin, out: &mut Output) -> Outcome {
        let id = TransferId { debtor_agent: item.debtor_agent, uetr: item.uetr };
        let rejected = (TransferState::Rejected, Some(item.reason));
        match self.decidable(id, origin, ItemKind::Reject, rejected, out) {
            Ok(row) => self.release(id, row, TransferState::Rejected, item.reason, origin, out),
            Err(outcome) => outcome,
        }
    }

    pub(crate) fn cancel(&mut self, item: &Cancel, origin: &Origin, out: &mut Output) -> Outcome {
        let id = TransferId { debtor_agent: origin.author, uetr: item.uetr };
        let cancelled = (TransferState::Cancelled, Some(item.reason));
        match self.decidable(id, origin, ItemKind::Cancel, cancelled, out) {
            Ok(row) => self.release(id, row, TransferState::Cancelled, item.reason, origin, out),
            Err(outcome) => outcome,
        }
    }

    pub(crate) fn hold(&mut self, item: &Hold, origin: &Origin, out: &mut Output) -> Outcome {
        let id = TransferId { debtor_agent: item.debtor_agent, uetr: item.uetr };
        let held = (TransferState::Pending, Some(item.reason));
        let mut row = match self.decidable(id, origin, ItemKind::Hold, held, out) {
            Ok(row) => row,
            Err(outcome) => return outcome,
        };
        if item.until > row.deadline || item.until <= self.time {
            return self.refuse(id, &row, origin, Rejection::HoldBeyondDeadline, out);
        }
        // After this point it must succeed.
        row.remember(ItemKind::Hold, origin.item_hash, self.next_sequence);
        row.held_until = item.until;
        row.reason = Some(item.reason);
        let mut draft = self.about(id, &row);
        draft.reason = Some(item.reason);
        draft.deadline = item.until;
        self.transfer_set(id, Some(row));
        self.record(out, origin, draft)
    }

    pub(crate) fn confirm(&mut self, item: &Confirm, origin: &Origin, out: &mut Output) -> Outcome {
        let id = TransferId { debtor_agent: item.debtor_agent, uetr: item.uetr };
        let Some(mut row) = self.transfers.get(&TransferKey(id)).cloned() else {
            return self.unknown(id, origin, out);
        };
        if row.creditor_agent != origin.author {
            return self.refuse(id, &row, origin, Rejection::NotParty, out);
        }
        if let Some(first) = row.repeats(ItemKind::Confirm, &origin.item_hash) {
            return self.repeat(id, &row, first, (confirmed(item.status), None), origin, out);
        }
        let open = row.state == TransferState::Settled
            && matches!(row.confirmation, None | Some(ConfirmationStatus::AcceptedWithoutPosting));
        let twice =
            row.confirmation.is_some() && item.status == ConfirmationStatus::AcceptedWithoutPosting;
        if !open || twice {
            let answered = row.answered(ItemKind::Confirm);
            let rejection =
                if answered { Rejection::AnswerReused } else { Rejection::StateForbids };
            return self.refuse(id, &row, origin, rejection, out);
        }
        // After this point it must succeed.
        row.remember(ItemKind::Confirm, origin.item_hash, self.next_sequence);
        row.confirmation = Some(item.status);
        row.confirmed_at = self.time;
        row.state = confirmed(item.status);
        let mut draft = self.about(id, &row);
        draft.deadline = item.confirmed_at;
        let detail = ConfirmDetail { status: item.status, reference: item.reference };
        draft.detail = detail.to_bytes();
        self.transfer_set(id, Some(row));
        self.record(out, origin, draft)
    }

    pub(crate) fn resolve(&mut self, item: &Resolve, origin: &Origin, out: &mut Output) -> Outcome {
        let id = TransferId { debtor_agent: origin.author, uetr: item.uetr };
        if let Some(row) = self.transfers.get(&TransferKey(id)) {
            let mut draft = Draft::between(id.debtor_agent, row.creditor_agent);
            draft.subject = id.uetr.bytes();
            draft.state = Some(row.state);
            draft.reason = row.reason;
            draft.first_sequence = Some(row.submit_sequence);
            let draft = draft.party(Part::Debtor, id.debtor_agent);
            return self.record(out, origin, draft);
        }
        let sequence = self.next_sequence;
        let row = Transfer::burned(origin.nonce, origin.item_hash, self.time, sequence);
        self.transfer_set(id, Some(row));
        let mut draft = Draft::between(id.debtor_agent, ParticipantId::OPERATOR);
        draft.subject = id.uetr.bytes();
        draft.state = Some(TransferState::Burned);
        let draft = draft.party(Part::Debtor, id.debtor_agent);
        self.record(out, origin, draft)
    }

    /// The pending transfer that the author may decide on, or the answer instead: `answer` again
    /// if the same item gave it before.
    fn decidable(
        &mut self,
        id: TransferId,
        origin: &Origin,
        kind: ItemKind,
        answer: (TransferState, Option<StatusReason>),
        out: &mut Output,
    ) -> Result<Transfer, Outcome> {
        let Some(row) = self.transfers.get(&TransferKey(id)).cloned() else {
            return Err(self.unknown(id, origin, out));
        };
        // A cancel names no debtor agent but its author.
        if kind != ItemKind::Cancel && row.creditor_agent != origin.author {
            return Err(self.refuse(id, &row, origin, Rejection::NotParty, out));
        }
        if let Some(first) = row.repeats(kind, &origin.item_hash) {
            return Err(self.repeat(id, &row, first, answer, origin, out));
        }
        let rejection = match row.state {
            TransferState::Pending if row.deadline > self.time => return Ok(row),
            TransferState::Pending | TransferState::Expired => Rejection::TransferExpired,
            TransferState::Burned => Rejection::TransferBurned,
            TransferState::Settled
            | TransferState::Credited
            | TransferState::Rejected
            | TransferState::Cancelled => {
                if row.answered(kind) {
                    Rejection::AnswerReused
                } else {
                    Rejection::StateForbids
                }
            }
        };
        Err(self.refuse(id, &row, origin, rejection, out))
    }

    fn release(
        &mut self,
        id: TransferId,
        mut row: Transfer,
        state: TransferState,
        reason: StatusReason,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        // After this point it must succeed.
        self.move_legs(&row.legs.clone(), Movement::Void);
        let draft = self.decision(id, &row, state, Some(reason));
        let kind = match state {
            TransferState::Cancelled => ItemKind::Cancel,
            TransferState::Pending
            | TransferState::Settled
            | TransferState::Credited
            | TransferState::Rejected
            | TransferState::Expired
            | TransferState::Burned => ItemKind::Reject,
        };
        row.remember(kind, origin.item_hash, self.next_sequence);
        self.conclude(id, row, state, Some(reason), origin, draft, out)
    }

    #[expect(clippy::too_many_arguments, reason = "one decision's facts, used in three places")]
    fn conclude(
        &mut self,
        id: TransferId,
        mut row: Transfer,
        state: TransferState,
        reason: Option<StatusReason>,
        origin: &Origin,
        draft: Draft,
        out: &mut Output,
    ) -> Outcome {
        row.reason = reason;
        row.decide(state, self.time, self.next_sequence);
        self.transfer_set(id, Some(row));
        self.record(out, origin, draft)
    }

    /// The record of a decision, told to every party of the legs.
    fn decision(
        &self,
        id: TransferId,
        row: &Transfer,
        state: TransferState,
        reason: Option<StatusReason>,
    ) -> Draft {
        let mut draft = Draft::between(id.debtor_agent, row.creditor_agent);
        draft.subject = id.uetr.bytes();
        draft.state = Some(state);
        draft.reason = reason;
        draft.corridor = row.corridor;
        (draft.amount, draft.currency) = (row.amount, row.currency);
        self.with_parties(draft, row)
    }

    pub(crate) fn refuse(
        &mut self,
        id: TransferId,
        row: &Transfer,
        origin: &Origin,
        rejection: Rejection,
        out: &mut Output,
    ) -> Outcome {
        let party = origin.author == row.creditor_agent || origin.author == id.debtor_agent;
        // Only a party learns whom it is with, and the state.
        let other = if party { row.creditor_agent } else { ParticipantId::OPERATOR };
        let mut draft = Draft::between(id.debtor_agent, other);
        draft.subject = id.uetr.bytes();
        draft.state = party.then_some(row.state);
        draft.rejection = Some(rejection);
        self.refused_to_author(draft, id, origin, out)
    }

    pub(crate) fn unknown(&mut self, id: TransferId, origin: &Origin, out: &mut Output) -> Outcome {
        let mut draft = Draft::between(id.debtor_agent, ParticipantId::OPERATOR);
        draft.subject = id.uetr.bytes();
        draft.rejection = Some(Rejection::TransferUnknown);
        self.refused_to_author(draft, id, origin, out)
    }

    fn refused_to_author(
        &mut self,
        draft: Draft,
        id: TransferId,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        let own = origin.author == id.debtor_agent;
        let part = if own { Part::Debtor } else { Part::Creditor };
        let draft = draft.party(part, origin.author);
        self.record(out, origin, draft)
    }

    pub(crate) fn repeat(
        &mut self,
        id: TransferId,
        row: &Transfer,
        first: u64,
        (state, reason): (TransferState, Option<StatusReason>),
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        let mut draft = Draft::between(id.debtor_agent, row.creditor_agent);
        draft.subject = id.uetr.bytes();
        draft.state = Some(state);
        draft.reason = reason;
        draft.first_sequence = Some(first);
        self.refused_to_author(draft, id, origin, out)
    }
}

/// The state in which a confirmation leaves a settled transfer.
const fn confirmed(status: ConfirmationStatus) -> TransferState {
    match status {
        ConfirmationStatus::Credited | ConfirmationStatus::PickedUp => TransferState::Credited,
        ConfirmationStatus::AcceptedWithoutPosting | ConfirmationStatus::Blocked => {
            TransferState::Settled
        }
    }
}
