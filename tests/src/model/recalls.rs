//! Recalls and their answers in the model: they ask and say, and move no money.
use ledger_proof::item::{AnswerRecall, Recall as Ask};
use ledger_types::{ParticipantId, RecallAnswer, Timestamp, Uetr};

use super::{Expected, Mark, Model};

/// A recall of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Recall {
    uetr: Uetr,
    asked: Mark,
    /// The last answer.
    answered: Option<Mark>,
    open: bool,
}

impl Model {
    /// Times are either long after everything here, or long before.
    pub(super) fn recall(&mut self, author: ParticipantId, ask: &Ask, mark: Mark) -> Expected {
        let Some(transfer) = self.transfers.get(&(author, ask.uetr)) else {
            return Expected::Refused;
        };
        let state = Some(transfer.state);
        let case = (author, ask.case);
        if self.recalls.get(&case).is_some_and(|known| known.asked == mark) {
            return Expected::Done(state);
        }
        let of_it = |((debtor_agent, _), known): (&(ParticipantId, _), &Recall)| {
            *debtor_agent == author && known.uetr == ask.uetr && known.open
        };
        let left = transfer.amount.saturating_sub(transfer.returned);
        let fits = !self.recalls.contains_key(&case)
            && transfer.returnable()
            && !self.recalls.iter().any(of_it)
            && ask.amount > 0
            && u128::from(ask.amount) <= left
            && ask.answer_by > Timestamp::ZERO;
        if !fits {
            return Expected::Refused;
        }
        let recall = Recall { uetr: ask.uetr, asked: mark, answered: None, open: true };
        self.recalls.insert(case, recall);
        Expected::Done(state)
    }

    pub(super) fn answer_recall(
        &mut self,
        author: ParticipantId,
        answer: &AnswerRecall,
        mark: Mark,
    ) -> Expected {
        let debtor_agent = answer.debtor_agent;
        let transfer = self.transfers.get(&(debtor_agent, answer.uetr));
        let transfer = transfer.filter(|transfer| transfer.creditor_agent == author);
        let recall = self.recalls.get_mut(&(debtor_agent, answer.case));
        let recall = recall.filter(|recall| recall.uetr == answer.uetr);
        let (Some(transfer), Some(recall)) = (transfer, recall) else { return Expected::Refused };
        if recall.answered == Some(mark) {
            return Expected::Done(Some(transfer.state));
        }
        let accepted = answer.answer == RecallAnswer::Accepted;
        if !recall.open || answer.returns.is_empty() == accepted {
            return Expected::Refused;
        }
        recall.answered = Some(mark);
        recall.open = answer.answer == RecallAnswer::Pending;
        Expected::Done(Some(transfer.state))
    }
}
