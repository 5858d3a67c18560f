//! Return: money of a settled transfer sent back by its creditor agent, as a linked transfer of its own.
use ledger_proof::{Part, item::Submit};
use ledger_types::{ConfirmationStatus, ParticipantId, Rejection, TransferId, TransferState};

use crate::{
    ledger::Ledger,
    output::{Outcome, Output},
    record::{Draft, Origin},
    submit::{Rules, ends},
    transfer::{Transfer, TransferKey, principal},
};

impl Ledger {
    pub(crate) fn return_(&mut self, item: &Submit, origin: &Origin, out: &mut Output) -> Outcome {
        let id = TransferId { debtor_agent: origin.author, uetr: item.uetr };
        if let Some(answer) = self.identity_taken(id, item, origin, out) {
            return answer;
        }
        let original = original(item);
        let checked = self.check_return(item, origin.author, original);
        if let (Ok(()), Some(original)) = (checked, original) {
            let amount = item.links.first().map_or(0, |link| link.amount);
            self.transfers.change(&TransferKey(original), |row| row.returned += amount);
        }
        let outcome = self.book(id, item, origin, checked, out);
        self.transfers.change(&TransferKey(id), |row| row.return_of_another = true);
        outcome
    }

    fn check_return(
        &self,
        item: &Submit,
        author: ParticipantId,
        original: Option<TransferId>,
    ) -> Result<(), Rejection> {
        let row = original
            .and_then(|id| self.transfers.get(&TransferKey(id)))
            .filter(|row| row.creditor_agent == author && row.corridor == item.corridor)
            .ok_or(Rejection::OriginalUnknown)?;
        if !returnable(row) {
            return Err(Rejection::OriginalNotReturnable);
        }
        let corridor = self.corridors.get(&item.corridor).ok_or(Rejection::CorridorUnknown)?;
        if item.deadline <= self.time {
            return Err(Rejection::DeadlinePassed);
        }
        let rules = Rules { corridor, reversed: true };
        self.check_legs(item, &rules, author)?;
        let amount = item.links.first().map_or(0, |link| link.amount);
        let (first, _) = ends(item).ok_or(Rejection::LegsMalformed)?;
        if first.amount != amount || !item.single_phase {
            return Err(Rejection::LegsMalformed);
        }
        if row.returned.checked_add(amount).is_none_or(|sum| sum > row.amount) {
            return Err(Rejection::ReturnExceedsOriginal);
        }
        self.check_quotes(item, author)?;
        // Fees are not given back and none is taken.
        if principal(item).count() != item.legs.len() {
            return Err(Rejection::FeeLegsWrong);
        }
        self.check_funds(&item.legs, author, item.creditor_agent)
    }

    /// A record that tells a party about a transfer, without legs.
    pub(crate) fn about(&self, id: TransferId, row: &Transfer) -> Draft {
        let mut draft = Draft::between(id.debtor_agent, row.creditor_agent);
        draft.subject = id.uetr.bytes();
        draft.state = Some(row.state);
        draft.corridor = row.corridor;
        (draft.amount, draft.currency) = (row.amount, row.currency);
        draft.party(Part::Debtor, id.debtor_agent).party(Part::Creditor, row.creditor_agent)
    }
}

/// The transfer that a return refers to: its debtor agent is whom the money goes back to.
pub(crate) fn original(item: &Submit) -> Option<TransferId> {
    let link = item.links.first()?;
    Some(TransferId { debtor_agent: item.creditor_agent, uetr: link.uetr })
}

/// Whether money of it may come back: what settled, unless cash was handed out or it came back itself.
pub(crate) fn returnable(row: &Transfer) -> bool {
    let settled = matches!(row.state, TransferState::Settled | TransferState::Credited);
    let picked_up = row.confirmation == Some(ConfirmationStatus::PickedUp);
    settled && !picked_up && !row.return_of_another
}
