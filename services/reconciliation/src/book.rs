//! Double entry over checked records: which postings, transfers and balances follow from a batch; it reads no table and no clock.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ledger_proof::{
    codec::{Digest, Field},
    genesis::Genesis,
    item::{Fund, Item, Leg, LegKind, Submit, Withdraw},
    operator::{Admit, OpenAccount},
    record::SharedPart,
    tree::sha256,
};
use ledger_types::{AccountId, Currency, ParticipantId, Timestamp, TransferState};

use crate::record::{Content, Record};

mod behind;
mod recall;
mod row;

pub use recall::{Recall, RecallAnswered};
pub use row::{Account, Delta, Posting, PostingState, Subject, SubjectKind, Transfer};

/// Why a record contradicts the books. None of these heals by trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A currency without a custody account.
    #[error("record {sequence}: currency {currency} has no custody account")]
    CurrencyUnknown {
        /// Which record.
        sequence: u64,
        /// Which currency.
        currency: Currency,
    },
    /// A record about a transfer that no record made.
    #[error("record {sequence}: its transfer was never submitted")]
    TransferUnknown {
        /// Which record.
        sequence: u64,
    },
    /// A record whose state is none of a transfer.
    #[error("record {sequence}: has no transfer state")]
    StateMissing {
        /// Which record.
        sequence: u64,
    },
}

/// What is known before a batch, and what the batch makes of it. Rows that the batch may touch are
/// put in by the store first ([`Book::subjects`] tells which).
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// The custody account of each currency.
    pub custody: BTreeMap<Currency, AccountId>,
    /// Transfers by identity.
    pub transfers: HashMap<Subject, Transfer>,
    /// Postings by what they belong to.
    pub postings: HashMap<Subject, Vec<Posting>>,
    /// What the batch changed.
    pub changes: Changes,
}

/// What a batch changed. Whose transfers and postings is said here; they are read from the book.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The network founded by record 0.
    pub network: Option<Digest>,
    /// Its founding statement.
    pub genesis: Option<Box<Genesis>>,
    /// Participants admitted or changed.
    pub participants: Vec<Admit>,
    /// Participants suspended or resumed.
    pub suspensions: BTreeMap<ParticipantId, bool>,
    /// Accounts opened.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Net debit caps set.
    pub caps: BTreeMap<AccountId, u64>,
    /// Whose transfers or postings were made or changed, once for each time.
    pub subjects: Vec<Subject>,
    /// Recalls made in the batch.
    pub recalls: Vec<Recall>,
    /// Answers given in the batch, in order.
    pub recall_answers: Vec<RecallAnswered>,
    /// Balances moved.
    pub balances: BTreeMap<AccountId, Delta>,
}

impl Book {
    /// What must be in the book before the records are applied: what they are about, unless one of
    /// them makes it first.
    #[must_use]
    pub fn subjects(records: &[Record]) -> BTreeSet<Subject> {
        let (mut made, mut needed) = (HashSet::new(), BTreeSet::new());
        for record in records {
            let Content::Outcome { shared, item } = &record.content else { continue };
            if shared.first_sequence != 0 {
                continue;
            }
            let Some(subject) = subject(shared, item.as_deref()) else { continue };
            if let Some(Item::Return(body)) = item.as_deref() {
                needed.extend(original(body).filter(|subject| !made.contains(subject)));
            }
            if item.as_deref().is_some_and(|item| makes(shared, item)) {
                made.insert(subject);
            } else if shared.outcome == 0 && !made.contains(&subject) {
                needed.insert(subject);
            }
        }
        needed
    }

    /// Applies one record.
    ///
    /// # Errors
    /// When it contradicts the books; the book is then useless.
    pub fn apply(&mut self, record: &Record) -> Result<(), Error> {
        match &record.content {
            Content::Genesis(genesis) if record.sequence == 0 => self.found(genesis),
            // A restored network goes on with everything that its predecessor had.
            Content::Genesis(genesis) => {
                self.changes.network = Some(sha256(&[&genesis.to_bytes()]));
            }
            Content::Entry(_) | Content::EnvelopeRefusal => {}
            // A repeated answer, and a resolve that found its transfer, move nothing.
            Content::Outcome { shared, .. } if shared.first_sequence != 0 => {}
            Content::Outcome { shared, item } if shared.outcome != 0 => {
                self.refused(record, shared, item.as_deref());
            }
            Content::Outcome { shared, item: None } => self.decided(record, shared)?,
            Content::Outcome { shared, item: Some(item) } => self.done(record, shared, item)?,
        }
        Ok(())
    }

    fn found(&mut self, genesis: &Genesis) {
        self.changes.network = Some(sha256(&[&genesis.to_bytes()]));
        for row in &genesis.currencies {
            self.custody.insert(row.currency, row.custody_account);
            let account = Account {
                owner: row.custodian,
                currency: row.currency,
                custody: true,
                standing_acceptance: false,
            };
            self.changes.accounts.insert(row.custody_account, account);
        }
        self.changes.participants.extend(genesis.custodians.iter().map(|bank| Admit {
            nonce: [0; 32],
            participant: bank.participant,
            country: bank.country,
            bic: bank.bic,
            lei: ledger_types::ShortText::EMPTY,
            clearing_member: ledger_types::ShortText::EMPTY,
            name: bank.name,
        }));
        self.changes.genesis = Some(Box::new(genesis.clone()));
    }

    /// A refused submit is a transfer too, if the ledger keeps its identity; it moves nothing.
    fn refused(&mut self, record: &Record, shared: &SharedPart, item: Option<&Item>) {
        let rejected = TransferState::from_code(shared.state) == Some(TransferState::Rejected);
        if let (true, Some(Item::Submit(_) | Item::Return(_))) = (rejected, item) {
            let transfer = new_transfer(record, shared, TransferState::Rejected);
            self.put_transfer(transfer_subject(shared), transfer);
        }
    }

    fn done(&mut self, record: &Record, shared: &SharedPart, item: &Item) -> Result<(), Error> {
        match item {
            Item::Submit(body) => self.submitted(record, shared, body)?,
            Item::Return(body) => {
                self.submitted(record, shared, body)?;
                if let Some(link) = body.links.first() {
                    self.returned(record, body, link.amount)?;
                }
            }
            Item::Accept(_) | Item::Reject(_) | Item::Cancel(_) => self.decided(record, shared)?,
            Item::Recall(body) => self.recalled(record, shared, body),
            Item::AnswerRecall(body) => self.recall_answered(record, body),
            Item::Resolve(_) => self.resolved(record, shared)?,
            Item::Hold(body) => {
                let transfer = self.transfer(record, shared)?;
                transfer.held_until = body.until;
                transfer.reason = body.reason;
            }
            Item::Confirm(body) => {
                let state = state_of(record, shared)?;
                let transfer = self.transfer(record, shared)?;
                transfer.state = state;
                transfer.confirmation = Some(body.status);
                transfer.confirmed_sequence = record.sequence;
                transfer.confirmed_at = record.at;
            }
            Item::Fund(body) => self.funded(record, shared, body)?,
            Item::Withdraw(body) => self.withdrawn(record, shared, body)?,
            Item::WithdrawPaid(body) => {
                let subject = withdrawal_subject(body.owner, &body.withdrawal.0);
                self.decide_postings(&subject, PostingState::Posted, record.sequence);
            }
            Item::WithdrawFailed(body) => {
                let subject = withdrawal_subject(body.owner, &body.withdrawal.0);
                self.decide_postings(&subject, PostingState::Released, record.sequence);
            }
            Item::Admit(body) => self.changes.participants.push(body.clone()),
            Item::Suspend(body) => {
                self.changes.suspensions.insert(body.participant, body.suspended);
            }
            Item::OpenAccount(body) => self.opened(body),
            Item::SetCap(body) => {
                self.changes.caps.insert(body.account, body.net_debit_cap);
            }
            Item::RegisterQuote(_)
            | Item::AddKey(_)
            | Item::RetireKey(_)
            | Item::SetCorridor(_)
            | Item::SetFeeSchedule(_)
            | Item::SetScreeningPolicy(_) => {}
        }
        Ok(())
    }

    fn submitted(
        &mut self,
        record: &Record,
        shared: &SharedPart,
        body: &Submit,
    ) -> Result<(), Error> {
        let subject = transfer_subject(shared);
        let state = state_of(record, shared)?;
        let posting_state = posting_state(state);
        let legs = body.legs.iter().map(|leg| (leg_code(leg.kind), leg.clone())).collect();
        self.put_transfer(subject.clone(), new_transfer(record, shared, state));
        self.put_postings(record, subject, legs, posting_state);
        Ok(())
    }

    fn returned(&mut self, record: &Record, body: &Submit, amount: u64) -> Result<(), Error> {
        let unknown = Error::TransferUnknown { sequence: record.sequence };
        let subject = original(body).ok_or(unknown)?;
        let transfer = self.transfers.get_mut(&subject).ok_or(unknown)?;
        transfer.returned = transfer.returned.saturating_add(amount);
        self.changes.subjects.push(subject);
        Ok(())
    }

    /// A record that leaves the transfer in a state: postings follow it.
    fn decided(&mut self, record: &Record, shared: &SharedPart) -> Result<(), Error> {
        let state = state_of(record, shared)?;
        let transfer = self.transfer(record, shared)?;
        transfer.state = state;
        transfer.held_until = Timestamp::ZERO;
        transfer.reason = shared.reason;
        transfer.decided_sequence = record.sequence;
        transfer.decided_at = record.at;
        self.decide_postings(&transfer_subject(shared), posting_state(state), record.sequence);
        Ok(())
    }

    fn resolved(&mut self, record: &Record, shared: &SharedPart) -> Result<(), Error> {
        let subject = transfer_subject(shared);
        match state_of(record, shared)? {
            state @ TransferState::Burned => {
                self.put_transfer(subject, new_transfer(record, shared, state));
                Ok(())
            }
            TransferState::Pending
            | TransferState::Settled
            | TransferState::Credited
            | TransferState::Rejected
            | TransferState::Expired
            | TransferState::Cancelled => Err(Error::TransferUnknown { sequence: record.sequence }),
        }
    }

    fn funded(&mut self, record: &Record, shared: &SharedPart, body: &Fund) -> Result<(), Error> {
        let subject = funding_subject(shared.author, body);
        let leg = Leg {
            kind: LegKind::Principal,
            currency: body.currency,
            debit_account: self.custody_account(record, body.currency)?,
            credit_account: body.account,
            amount: body.amount,
        };
        self.put_postings(record, subject, vec![(FUNDING, leg)], PostingState::Posted);
        Ok(())
    }

    fn withdrawn(
        &mut self,
        record: &Record,
        shared: &SharedPart,
        body: &Withdraw,
    ) -> Result<(), Error> {
        let subject = withdrawal_subject(shared.author, &body.withdrawal.0);
        let leg = Leg {
            kind: LegKind::Principal,
            currency: body.currency,
            debit_account: body.account,
            credit_account: self.custody_account(record, body.currency)?,
            amount: body.amount,
        };
        self.put_postings(record, subject, vec![(WITHDRAWAL, leg)], PostingState::Pending);
        Ok(())
    }

    fn opened(&mut self, body: &OpenAccount) {
        let account = Account {
            owner: body.owner,
            currency: body.currency,
            custody: false,
            standing_acceptance: body.standing_acceptance,
        };
        self.changes.accounts.insert(body.account, account);
    }

    fn transfer(&mut self, record: &Record, shared: &SharedPart) -> Result<&mut Transfer, Error> {
        let subject = transfer_subject(shared);
        let unknown = Error::TransferUnknown { sequence: record.sequence };
        let transfer = self.transfers.get_mut(&subject).ok_or(unknown)?;
        self.changes.subjects.push(subject);
        Ok(transfer)
    }

    fn custody_account(&self, record: &Record, currency: Currency) -> Result<AccountId, Error> {
        let unknown = Error::CurrencyUnknown { sequence: record.sequence, currency };
        self.custody.get(&currency).copied().ok_or(unknown)
    }

    fn put_transfer(&mut self, subject: Subject, transfer: Transfer) {
        self.changes.subjects.push(subject.clone());
        self.transfers.insert(subject, transfer);
    }

    fn put_postings(
        &mut self,
        record: &Record,
        subject: Subject,
        legs: Vec<(i16, Leg)>,
        state: PostingState,
    ) {
        let decided_sequence = if state == PostingState::Pending { 0 } else { record.sequence };
        let mut postings = Vec::with_capacity(legs.len());
        for (leg_number, (kind, leg)) in (0_i16..).zip(legs) {
            let posting = Posting {
                sequence: record.sequence,
                leg: leg_number,
                kind,
                debit_account: leg.debit_account,
                credit_account: leg.credit_account,
                currency: leg.currency,
                amount: leg.amount,
                state,
                decided_sequence,
            };
            match state {
                PostingState::Pending => self.changes.reserve(&posting),
                PostingState::Posted => self.changes.post(&posting),
                PostingState::Released => {}
            }
            postings.push(posting);
        }
        self.changes.subjects.push(subject.clone());
        self.postings.insert(subject, postings);
    }

    /// Posts or releases what is pending; what was decided before stays.
    fn decide_postings(&mut self, subject: &Subject, state: PostingState, sequence: u64) {
        let Some(postings) = self.postings.get_mut(subject) else { return };
        for posting in postings.iter_mut().filter(|row| row.state == PostingState::Pending) {
            match state {
                PostingState::Pending => continue,
                PostingState::Posted => {
                    self.changes.free(posting);
                    self.changes.post(posting);
                }
                PostingState::Released => self.changes.free(posting),
            }
            posting.state = state;
            posting.decided_sequence = sequence;
        }
        self.changes.subjects.push(subject.clone());
    }
}

impl Changes {
    fn reserve(&mut self, posting: &Posting) {
        let amount = i128::from(posting.amount);
        self.delta(posting.debit_account).debits_pending += amount;
        self.delta(posting.credit_account).credits_pending += amount;
    }

    fn free(&mut self, posting: &Posting) {
        let amount = i128::from(posting.amount);
        self.delta(posting.debit_account).debits_pending -= amount;
        self.delta(posting.credit_account).credits_pending -= amount;
    }

    fn post(&mut self, posting: &Posting) {
        let amount = i128::from(posting.amount);
        self.delta(posting.debit_account).debits_posted += amount;
        self.delta(posting.credit_account).credits_posted += amount;
    }

    fn delta(&mut self, account: AccountId) -> &mut Delta {
        self.balances.entry(account).or_default()
    }
}

const FUNDING: i16 = 4;
const WITHDRAWAL: i16 = 5;

fn leg_code(kind: LegKind) -> i16 {
    match kind {
        LegKind::Principal => 1,
        LegKind::Fee => 2,
        LegKind::PayoutFee => 3,
    }
}

fn posting_state(state: TransferState) -> PostingState {
    match state {
        TransferState::Pending => PostingState::Pending,
        TransferState::Settled | TransferState::Credited => PostingState::Posted,
        TransferState::Rejected
        | TransferState::Expired
        | TransferState::Cancelled
        | TransferState::Burned => PostingState::Released,
    }
}

fn state_of(record: &Record, shared: &SharedPart) -> Result<TransferState, Error> {
    TransferState::from_code(shared.state).ok_or(Error::StateMissing { sequence: record.sequence })
}

fn new_transfer(record: &Record, shared: &SharedPart, state: TransferState) -> Transfer {
    let decided = state != TransferState::Pending;
    Transfer {
        creditor_agent: shared.creditor_agent,
        corridor: shared.corridor,
        state,
        rejection: shared.outcome,
        reason: shared.reason,
        amount: shared.amount,
        currency: shared.currency,
        returned: 0,
        deadline: shared.deadline,
        held_until: Timestamp::ZERO,
        submit_sequence: record.sequence,
        submitted_at: record.at,
        decided_sequence: if decided { record.sequence } else { 0 },
        decided_at: if decided { record.at } else { Timestamp::ZERO },
        confirmed_sequence: 0,
        confirmed_at: Timestamp::ZERO,
        confirmation: None,
    }
}

/// Whether an outcome makes its subject: later ones change it.
fn makes(shared: &SharedPart, item: &Item) -> bool {
    match item {
        Item::Submit(_) | Item::Return(_) => {
            let rejected = TransferState::from_code(shared.state) == Some(TransferState::Rejected);
            shared.outcome == 0 || rejected
        }
        Item::Resolve(_) | Item::Fund(_) | Item::Withdraw(_) => shared.outcome == 0,
        Item::Accept(_)
        | Item::Hold(_)
        | Item::Reject(_)
        | Item::Confirm(_)
        | Item::Cancel(_)
        | Item::Recall(_)
        | Item::AnswerRecall(_)
        | Item::WithdrawPaid(_)
        | Item::WithdrawFailed(_)
        | Item::RegisterQuote(_)
        | Item::Admit(_)
        | Item::Suspend(_)
        | Item::AddKey(_)
        | Item::RetireKey(_)
        | Item::OpenAccount(_)
        | Item::SetCap(_)
        | Item::SetCorridor(_)
        | Item::SetFeeSchedule(_)
        | Item::SetScreeningPolicy(_) => false,
    }
}

/// What an outcome is about; `None` where nothing but rules changes.
fn subject(shared: &SharedPart, item: Option<&Item>) -> Option<Subject> {
    match item {
        None
        | Some(
            Item::Submit(_)
            | Item::Return(_)
            | Item::Accept(_)
            | Item::Hold(_)
            | Item::Reject(_)
            | Item::Confirm(_)
            | Item::Cancel(_)
            | Item::Recall(_)
            | Item::AnswerRecall(_)
            | Item::Resolve(_),
        ) => Some(transfer_subject(shared)),
        Some(Item::Fund(body)) => Some(funding_subject(shared.author, body)),
        Some(Item::Withdraw(body)) => Some(withdrawal_subject(shared.author, &body.withdrawal.0)),
        Some(Item::WithdrawPaid(body)) => Some(withdrawal_subject(body.owner, &body.withdrawal.0)),
        Some(Item::WithdrawFailed(body)) => {
            Some(withdrawal_subject(body.owner, &body.withdrawal.0))
        }
        Some(
            Item::RegisterQuote(_)
            | Item::Admit(_)
            | Item::Suspend(_)
            | Item::AddKey(_)
            | Item::RetireKey(_)
            | Item::OpenAccount(_)
            | Item::SetCap(_)
            | Item::SetCorridor(_)
            | Item::SetFeeSchedule(_)
            | Item::SetScreeningPolicy(_),
        ) => None,
    }
}

fn transfer_subject(shared: &SharedPart) -> Subject {
    Subject { kind: SubjectKind::Transfer, owner: shared.debtor_agent, id: shared.subject.to_vec() }
}

/// The transfer that a return gives back: its debtor agent is the return's creditor agent.
fn original(body: &Submit) -> Option<Subject> {
    let link = body.links.first()?;
    Some(Subject {
        kind: SubjectKind::Transfer,
        owner: body.creditor_agent,
        id: link.uetr.bytes().to_vec(),
    })
}

fn withdrawal_subject(owner: ParticipantId, id: &[u8; 16]) -> Subject {
    Subject { kind: SubjectKind::Withdrawal, owner, id: id.to_vec() }
}

fn funding_subject(custodian: ParticipantId, body: &Fund) -> Subject {
    let mut id = body.value_date.to_be_bytes().to_vec();
    id.extend_from_slice(body.bank_reference.as_bytes());
    Subject { kind: SubjectKind::Funding, owner: custodian, id }
}
