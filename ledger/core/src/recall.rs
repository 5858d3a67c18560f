//! Recall and its answer: who asked for how much of a settled transfer back, and what was said; no money moves here.
use arrayvec::ArrayVec;
use ledger_proof::{
    DecodeError, Digest, Field, Reader,
    item::{self, AnswerRecall},
    record::{AnswerRecallDetail, RecallDetail},
};
use ledger_types::{
    CaseId, ParticipantId, RecallAnswer, Rejection, StatusReason, Timestamp, TransferId,
    TransferState, Uetr,
};

use crate::{
    ledger::Ledger,
    output::{Outcome, Output},
    record::Origin,
    returns::returnable,
    table::{Key, Row},
    transfer::{Transfer, TransferKey},
};

/// How far ahead an answer may be asked for or promised: 30 days, which hold the 15 banking days
/// that practice grants.
pub const ANSWER_MICROS_MAX: u64 = 30 * 24 * 3_600 * 1_000_000;

/// (debtor agent, case).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CaseKey {
    pub(crate) debtor_agent: ParticipantId,
    pub(crate) case: CaseId,
}

/// The transfer that a recall is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct RecalledKey(pub(crate) TransferId);

/// The last recall of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecalledRow {
    case: CaseId,
    open: bool,
}

/// A recall and what was last answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    /// Of which transfer.
    pub uetr: Uetr,
    /// Why.
    pub reason: StatusReason,
    /// How much is asked back, minor units.
    pub amount: u64,
    /// By when an answer is expected; a pending one moves it.
    pub answer_by: Timestamp,
    /// The last answer; none yet.
    pub answer: Option<RecallAnswer>,
    /// The return that an accept named.
    pub returns: ArrayVec<Uetr, 1>,
    item_hash: Digest,
    sequence: u64,
    answer_hash: Digest,
    answer_sequence: u64,
}

impl Recall {
    /// Whether it waits for a word that ends it.
    #[must_use]
    pub const fn open(&self) -> bool {
        matches!(self.answer, None | Some(RecallAnswer::Pending))
    }
}

impl Ledger {
    pub(crate) fn recall(
        &mut self,
        item: &item::Recall,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        let id = TransferId { debtor_agent: origin.author, uetr: item.uetr };
        let Some(row) = self.transfers.get(&TransferKey(id)).cloned() else {
            return self.unknown(id, origin, out);
        };
        let key = CaseKey { debtor_agent: origin.author, case: item.case };
        if let Some(known) = self.recalls.get(&key) {
            if known.item_hash == origin.item_hash {
                let (first, said) = (known.sequence, (row.state, Some(item.reason)));
                return self.repeat(id, &row, first, said, origin, out);
            }
            return self.refuse(id, &row, origin, Rejection::CaseReused, out);
        }
        if let Err(rejection) = self.check_recall(item, id, &row) {
            return self.refuse(id, &row, origin, rejection, out);
        }
        // After this point it must succeed.
        let recall = Recall {
            uetr: item.uetr,
            reason: item.reason,
            amount: item.amount,
            answer_by: item.answer_by,
            answer: None,
            returns: ArrayVec::new(),
            item_hash: origin.item_hash,
            sequence: self.next_sequence,
            answer_hash: [0; 32],
            answer_sequence: 0,
        };
        self.recalls.set(key, Some(recall));
        self.recalled.set(RecalledKey(id), Some(RecalledRow { case: item.case, open: true }));
        let mut draft = self.about(id, &row);
        draft.amount = item.amount;
        draft.reason = Some(item.reason);
        draft.deadline = item.answer_by;
        draft.detail = RecallDetail { case: item.case }.to_bytes();
        self.record(out, origin, draft)
    }

    fn check_recall(
        &self,
        item: &item::Recall,
        id: TransferId,
        row: &Transfer,
    ) -> Result<(), Rejection> {
        if row.state == TransferState::Burned {
            return Err(Rejection::TransferBurned);
        }
        if row.state == TransferState::Pending && row.deadline > self.time {
            return Err(Rejection::RecallTooEarly);
        }
        if !returnable(row) {
            return Err(Rejection::NotRecallable);
        }
        if self.recalled.get(&RecalledKey(id)).is_some_and(|last| last.open) {
            return Err(Rejection::RecallOpen);
        }
        if item.amount == 0 {
            return Err(Rejection::AmountZero);
        }
        if item.amount > row.amount.saturating_sub(row.returned) {
            return Err(Rejection::RecallExceedsTransfer);
        }
        if self.answerable_by(item.answer_by) { Ok(()) } else { Err(Rejection::RecallTimeInvalid) }
    }

    fn answerable_by(&self, at: Timestamp) -> bool {
        at > self.time && at <= self.time.plus_micros(ANSWER_MICROS_MAX)
    }

    pub(crate) fn answer_recall(
        &mut self,
        item: &AnswerRecall,
        origin: &Origin,
        out: &mut Output,
    ) -> Outcome {
        let id = TransferId { debtor_agent: item.debtor_agent, uetr: item.uetr };
        let Some(row) = self.transfers.get(&TransferKey(id)).cloned() else {
            return self.unknown(id, origin, out);
        };
        if row.creditor_agent != origin.author {
            return self.refuse(id, &row, origin, Rejection::NotParty, out);
        }
        let key = CaseKey { debtor_agent: item.debtor_agent, case: item.case };
        let known = self.recalls.get(&key).filter(|known| known.uetr == item.uetr).cloned();
        let Some(mut recall) = known else {
            return self.refuse(id, &row, origin, Rejection::CaseUnknown, out);
        };
        if recall.answer_sequence != 0 && recall.answer_hash == origin.item_hash {
            let (first, said) = (recall.answer_sequence, (row.state, Some(item.reason)));
            return self.repeat(id, &row, first, said, origin, out);
        }
        if !recall.open() {
            return self.refuse(id, &row, origin, Rejection::AnswerReused, out);
        }
        if let Err(rejection) = self.check_answer(item) {
            return self.refuse(id, &row, origin, rejection, out);
        }
        // After this point it must succeed.
        recall.answer = Some(item.answer);
        recall.returns = item.returns.clone();
        recall.answer_hash = origin.item_hash;
        recall.answer_sequence = self.next_sequence;
        if item.answer == RecallAnswer::Pending {
            recall.answer_by = item.promised_at;
        }
        let mut draft = self.about(id, &row);
        draft.amount = recall.amount;
        draft.reason = Some(item.reason);
        draft.deadline = item.promised_at;
        let (case, answer, returns) = (item.case, item.answer, item.returns.clone());
        draft.detail = AnswerRecallDetail { case, answer, returns }.to_bytes();
        self.recalled.set(RecalledKey(id), Some(RecalledRow { case, open: recall.open() }));
        self.recalls.set(key, Some(recall));
        self.record(out, origin, draft)
    }

    fn check_answer(&self, item: &AnswerRecall) -> Result<(), Rejection> {
        let untimed = item.promised_at == Timestamp::ZERO;
        let fits = match item.answer {
            RecallAnswer::Accepted => item.returns.len() == 1 && untimed,
            RecallAnswer::Rejected => item.returns.is_empty() && untimed,
            RecallAnswer::Pending => item.returns.is_empty(),
        };
        if !fits {
            return Err(Rejection::RecallAnswerInvalid);
        }
        if item.answer == RecallAnswer::Pending && !self.answerable_by(item.promised_at) {
            return Err(Rejection::RecallTimeInvalid);
        }
        Ok(())
    }
}

impl Field for Recall {
    fn put(&self, out: &mut alloc::vec::Vec<u8>) {
        self.uetr.put(out);
        self.reason.put(out);
        self.amount.put(out);
        self.answer_by.put(out);
        self.answer.map_or(0, RecallAnswer::code).put(out);
        self.returns.put(out);
        self.item_hash.put(out);
        self.sequence.put(out);
        self.answer_hash.put(out);
        self.answer_sequence.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            uetr: reader.get()?,
            reason: reader.get()?,
            amount: reader.get()?,
            answer_by: reader.get()?,
            answer: RecallAnswer::from_code(reader.get()?),
            returns: reader.get()?,
            item_hash: reader.get()?,
            sequence: reader.get()?,
            answer_hash: reader.get()?,
            answer_sequence: reader.get()?,
        })
    }
}

impl Field for RecalledRow {
    fn put(&self, out: &mut alloc::vec::Vec<u8>) {
        self.case.put(out);
        self.open.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { case: reader.get()?, open: reader.get()? })
    }
}

impl Field for CaseKey {
    fn put(&self, out: &mut alloc::vec::Vec<u8>) {
        self.debtor_agent.put(out);
        self.case.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { debtor_agent: reader.get()?, case: reader.get()? })
    }
}

impl Field for RecalledKey {
    fn put(&self, out: &mut alloc::vec::Vec<u8>) {
        TransferKey(self.0).put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.get().map(|TransferKey(id)| Self(id))
    }
}

impl Row for Recall {
    fn hot(&self) -> bool {
        false
    }
}

impl Row for RecalledRow {
    fn hot(&self) -> bool {
        false
    }
}

impl Key for CaseKey {
    const HOT: u8 = 0x0d;
    const COLD: Option<u8> = Some(0x8d);
}

impl Key for RecalledKey {
    const HOT: u8 = 0x0e;
    const COLD: Option<u8> = Some(0x8e);
}
