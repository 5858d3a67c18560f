//! Transfers in the model, from the submit to what became of the money; it judges no recall.
use std::{collections::BTreeMap, rc::Rc};

use ledger_proof::item::{Confirm, Hold, LegKind, Submit};
use ledger_types::{
    AccountId, ConfirmationStatus, CorridorId, ParticipantId, Timestamp, TransferState,
};

use super::{Expected, Mark, Model, Step};
use crate::world::{DIRECT, EXCHANGE, HOLD_MICROS, LONG_HOLD_MICROS, items::Name};

/// A transfer, or a name that is used up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Transfer {
    /// The submit, and what it was answered for ever; none where the name was burned.
    submitted: Option<(Mark, Expected)>,
    pub(super) state: TransferState,
    pub(super) creditor_agent: ParticipantId,
    corridor: CorridorId,
    /// Whether it gives money of another one back.
    returns: bool,
    legs: Rc<[((AccountId, AccountId), u128)]>,
    /// What the creditor agent gets, fees apart.
    pub(super) amount: u128,
    pub(super) returned: u128,
    deadline: u64,
    confirmed: Option<ConfirmationStatus>,
    /// What was said of it and done, and the state then: the same again is answered the same.
    said: Vec<(Mark, TransferState)>,
}

impl Transfer {
    fn said(&self, mark: Mark) -> Option<TransferState> {
        self.said.iter().find(|(said, _)| *said == mark).map(|(_, state)| *state)
    }

    /// Whether its money may be sent back: it is there, and no return itself.
    pub(super) fn returnable(&self) -> bool {
        matches!(self.state, TransferState::Settled | TransferState::Credited)
            && self.confirmed != Some(ConfirmationStatus::PickedUp)
            && !self.returns
    }
}

impl Model {
    pub(super) fn submit(
        &mut self,
        author: ParticipantId,
        submit: &Submit,
        (mark, at): (Mark, Timestamp),
    ) -> Expected {
        let barred =
            |agent: ParticipantId| !self.takes_part(agent) || self.suspended.contains(&agent);
        let exchange = submit.corridor == EXCHANGE;
        let amount = submit.legs.first().map_or(0, |leg| leg.amount);
        let fits = !barred(author)
            && !barred(submit.creditor_agent)
            && self.legs_fit(author, submit)
            && match exchange {
                false => submit.legs.len() == 1 && submit.fee_schedule_version == 0,
                true => {
                    let quote = self.carrying(author, submit);
                    amount <= self.terms.amount_max
                        && quote.is_some_and(|quote| self.fees_fit(submit, quote))
                }
            };
        self.begin((author, submit), false, fits, (mark, at))
    }

    /// A return is a transfer of its own, for which suspension makes no difference.
    pub(super) fn give_back(
        &mut self,
        author: ParticipantId,
        submit: &Submit,
        (mark, at): (Mark, Timestamp),
    ) -> Expected {
        let link = submit.links.first();
        let original = link.map(|link| (submit.creditor_agent, link.uetr));
        let amount = link.map_or(0, |link| link.amount);
        let may = original.and_then(|original| self.transfers.get(&original)).is_some_and(|row| {
            row.creditor_agent == author
                && row.corridor == submit.corridor
                && row.returnable()
                && row.returned + u128::from(amount) <= row.amount
        });
        let fits = may
            && submit.legs.first().is_some_and(|leg| leg.amount == amount)
            && self.legs_fit(author, submit)
            && (submit.corridor == DIRECT || self.carrying(author, submit).is_some());
        let known = self.transfers.contains_key(&(author, submit.uetr));
        let expected = self.begin((author, submit), true, fits, (mark, at));
        let original = original.and_then(|original| self.transfers.get_mut(&original));
        if let (Some(original), Expected::Done(_), false) = (original, expected, known) {
            original.returned += u128::from(amount);
        }
        expected
    }

    /// Whether legs move something between accounts that there are, from the author's to the
    /// creditor agent's.
    fn legs_fit(&self, author: ParticipantId, submit: &Submit) -> bool {
        let moves = submit.legs.iter().all(|leg| {
            let sides = [leg.debit_account, leg.credit_account];
            let known = |id| self.accounts.get(id).is_some_and(|row| row.currency == leg.currency);
            leg.amount > 0 && sides[0] != sides[1] && sides.iter().all(known)
        });
        let mut principal = submit.legs.iter().filter(|leg| leg.kind == LegKind::Principal);
        let first = principal.next();
        let last = principal.next_back().or(first);
        moves
            && first.is_some_and(|leg| self.owns(author, leg.debit_account, leg.currency))
            && last.is_some_and(|leg| {
                self.owns(submit.creditor_agent, leg.credit_account, leg.currency)
            })
    }

    /// Reserves or moves what a submit asks for if it `fits` the rules; whatever becomes of it,
    /// its name is used up.
    fn begin(
        &mut self,
        (author, submit): (ParticipantId, &Submit),
        returns: bool,
        fits: bool,
        (mark, at): (Mark, Timestamp),
    ) -> Expected {
        let name = (author, submit.uetr);
        if let Some(known) = self.transfers.get(&name) {
            let first = known.submitted.filter(|(submitted, _)| *submitted == mark);
            return first.map_or(Expected::Refused, |(_, first)| first);
        }
        let expected = match (fits, submit.single_phase) {
            (false, _) => Expected::Refused,
            (true, true) => self.funded(author, submit, TransferState::Settled),
            (true, false) => self.funded(author, submit, TransferState::Pending),
        };
        let state = match expected {
            Expected::Done(state) => state.unwrap_or(TransferState::Settled),
            Expected::NoFunds | Expected::Refused => TransferState::Rejected,
        };
        let hold = if submit.corridor == EXCHANGE { LONG_HOLD_MICROS } else { HOLD_MICROS };
        let deadline = at.micros() + hold;
        let legs: Rc<[_]> = submit
            .legs
            .iter()
            .map(|leg| ((leg.debit_account, leg.credit_account), u128::from(leg.amount)))
            .collect();
        if let Expected::Done(_) = expected {
            let pending = state == TransferState::Pending;
            let step = if pending { Step::Reserve } else { Step::Move };
            legs.iter().for_each(|(accounts, amount)| self.book(step, *accounts, *amount));
            self.draw(submit.quotes.first(), submit.legs[0].amount);
            if pending {
                self.pending.insert((deadline, name));
            }
        }
        let principal = submit.legs.iter().rfind(|leg| leg.kind == LegKind::Principal);
        let transfer = Transfer {
            submitted: Some((mark, expected)),
            state,
            creditor_agent: submit.creditor_agent,
            corridor: submit.corridor,
            returns,
            legs,
            amount: principal.map_or(0, |leg| u128::from(leg.amount)),
            returned: 0,
            deadline,
            confirmed: None,
            said: Vec::new(),
        };
        self.transfers.insert(name, transfer);
        expected
    }

    /// Whether every debited account has what is taken of it, leg by leg: only the debtor agent's
    /// own shortage is want of funds.
    fn funded(&self, author: ParticipantId, submit: &Submit, state: TransferState) -> Expected {
        let mut taken: BTreeMap<AccountId, u128> = BTreeMap::new();
        for leg in &submit.legs {
            let taken = taken.entry(leg.debit_account).or_default();
            *taken += u128::from(leg.amount);
            let Some(account) = self.accounts.get(&leg.debit_account) else {
                return Expected::Refused;
            };
            if account.short(*taken) {
                let own = account.owner == author;
                return if own { Expected::NoFunds } else { Expected::Refused };
            }
        }
        Expected::Done(Some(state))
    }

    /// The creditor agent accepts or rejects, or the debtor agent cancels.
    pub(super) fn decide(
        &mut self,
        author: ParticipantId,
        name: Name,
        mark: Mark,
        to: TransferState,
    ) -> Expected {
        let barred = to == TransferState::Settled && self.suspended.contains(&author);
        let Some(transfer) = self.transfers.get_mut(&name) else { return Expected::Refused };
        let cancels = to == TransferState::Cancelled;
        let party = if cancels { name.0 } else { transfer.creditor_agent };
        if author != party {
            return Expected::Refused;
        }
        if let Some(state) = transfer.said(mark) {
            return Expected::Done(Some(state));
        }
        if transfer.state != TransferState::Pending || barred {
            return Expected::Refused;
        }
        transfer.said.push((mark, to));
        self.end(name, to);
        Expected::Done(Some(to))
    }

    /// A hold ends before the deadline of a transfer that waits long, and never before that of
    /// another: clients name a time of before or of much later, so that the time of the hold
    /// makes no difference. A later one replaces an earlier one.
    pub(super) fn hold(&mut self, author: ParticipantId, hold: &Hold, mark: Mark) -> Expected {
        let transfer = self.transfers.get_mut(&(hold.debtor_agent, hold.uetr));
        let Some(transfer) = transfer.filter(|transfer| transfer.creditor_agent == author) else {
            return Expected::Refused;
        };
        if let Some(state) = transfer.said(mark) {
            return Expected::Done(Some(state));
        }
        let long = transfer.corridor == EXCHANGE && hold.until > Timestamp::ZERO;
        if transfer.state != TransferState::Pending || !long {
            return Expected::Refused;
        }
        transfer.said.retain(|(_, state)| *state != TransferState::Pending);
        transfer.said.push((mark, TransferState::Pending));
        Expected::Done(Some(TransferState::Pending))
    }

    /// Clients say once of a transfer that it was accepted without posting.
    pub(super) fn confirm(
        &mut self,
        author: ParticipantId,
        confirm: &Confirm,
        mark: Mark,
    ) -> Expected {
        let transfer = self.transfers.get_mut(&(confirm.debtor_agent, confirm.uetr));
        let Some(transfer) = transfer.filter(|transfer| transfer.creditor_agent == author) else {
            return Expected::Refused;
        };
        if let Some(state) = transfer.said(mark) {
            return Expected::Done(Some(state));
        }
        let open = [None, Some(ConfirmationStatus::AcceptedWithoutPosting)];
        if transfer.state != TransferState::Settled || !open.contains(&transfer.confirmed) {
            return Expected::Refused;
        }
        let ended = [ConfirmationStatus::Credited, ConfirmationStatus::PickedUp];
        if ended.contains(&confirm.status) {
            transfer.state = TransferState::Credited;
        }
        transfer.confirmed = Some(confirm.status);
        transfer.said.push((mark, transfer.state));
        Expected::Done(Some(transfer.state))
    }

    /// How a transfer stands now; a name without one is burned.
    pub(super) fn resolve(&mut self, name: Name) -> Expected {
        let burned = || Transfer {
            submitted: None,
            state: TransferState::Burned,
            creditor_agent: ParticipantId::OPERATOR,
            corridor: DIRECT,
            returns: false,
            legs: Rc::default(),
            amount: 0,
            returned: 0,
            deadline: 0,
            confirmed: None,
            said: Vec::new(),
        };
        let transfer = self.transfers.entry(name).or_insert_with(burned);
        Expected::Done(Some(transfer.state))
    }

    /// Expires a transfer; `false` when it must not.
    pub(crate) fn expire(&mut self, name: Name, at: Timestamp) -> bool {
        let due = |transfer: &Transfer| {
            transfer.state == TransferState::Pending && transfer.deadline <= at.micros()
        };
        let expires = self.transfers.get(&name).is_some_and(due);
        if expires {
            self.end(name, TransferState::Expired);
        }
        expires
    }

    fn end(&mut self, name: Name, state: TransferState) {
        let Some(transfer) = self.transfers.get_mut(&name) else { return };
        transfer.state = state;
        let (deadline, legs) = (transfer.deadline, Rc::clone(&transfer.legs));
        let step = if state == TransferState::Settled { Step::Post } else { Step::Release };
        legs.iter().for_each(|(accounts, amount)| self.book(step, *accounts, *amount));
        self.pending.remove(&(deadline, name));
    }
}
