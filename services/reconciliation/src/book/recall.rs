//! Recalls and their answers as rows: they move no money and change no transfer.
use ledger_proof::{
    item::{self, AnswerRecall},
    record::SharedPart,
};
use ledger_types::{CaseId, Currency, ParticipantId, StatusReason, Timestamp, Uetr};

use super::Book;
use crate::record::Record;

/// A recall as its record tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    /// Who asks.
    pub debtor_agent: ParticipantId,
    /// What it calls the recall.
    pub case: CaseId,
    /// Of which transfer.
    pub uetr: Uetr,
    /// Who answers.
    pub creditor_agent: ParticipantId,
    /// Why.
    pub reason: StatusReason,
    /// Minor units asked back.
    pub amount: u64,
    /// The settlement currency.
    pub currency: Currency,
    /// Its record.
    pub sequence: u64,
    /// Of when.
    pub at: Timestamp,
    /// By when an answer is due.
    pub answer_by: Timestamp,
}

/// An answer as its record tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecallAnswered {
    /// What was signed.
    pub item: AnswerRecall,
    /// Its record.
    pub sequence: u64,
    /// Of when.
    pub at: Timestamp,
}

impl Book {
    pub(super) fn recalled(&mut self, record: &Record, shared: &SharedPart, body: &item::Recall) {
        self.changes.recalls.push(Recall {
            debtor_agent: shared.debtor_agent,
            case: body.case,
            uetr: body.uetr,
            creditor_agent: shared.creditor_agent,
            reason: body.reason,
            amount: body.amount,
            currency: shared.currency,
            sequence: record.sequence,
            at: record.at,
            answer_by: body.answer_by,
        });
    }

    pub(super) fn recall_answered(&mut self, record: &Record, body: &AnswerRecall) {
        let (item, sequence, at) = (body.clone(), record.sequence, record.at);
        self.changes.recall_answers.push(RecallAnswered { item, sequence, at });
    }
}
