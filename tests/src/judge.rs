//! Whether what clients were told can be: the records replayed on the simplest model, every answer held against them, and the order of time.
use std::collections::{BTreeMap, BTreeSet};

use ledger_proof::{
    Field, Item,
    record::{RecordKind, SharedPart},
};
use ledger_types::{ParticipantId, Rejection, RequestId, Timestamp, TransferState, Uetr};
use proto::convert::{Balance, Submitted};

use crate::{
    clients::{Asked, Heard, Operation},
    model::{Expected, Model, Money},
    window,
};

type ItemKey = (ParticipantId, RequestId, u16);

/// Everything the records say, beside what the model expected of them.
#[derive(Debug, Default)]
struct Replay {
    founding: u64,
    model: Model,
    /// Where each item's outcome stands: (record, refusal, state).
    outcomes: BTreeMap<ItemKey, (u64, u16, u8)>,
    expiries: u64,
    first_expiry: Option<u64>,
    refusals: u64,
    wrong: Vec<String>,
}

/// What the judge sees of a record.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) kind: RecordKind,
    pub(crate) at: Timestamp,
    /// The part that every party sees.
    pub(crate) shared: Vec<u8>,
}

/// What the judge found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) wrong: Vec<String>,
    pub(crate) expiries: u64,
    pub(crate) refusals: u64,
    /// Requests of the first moments that a linearizability checker found in order too.
    pub(crate) linearized: u64,
}

/// Replays the records on the model and holds every answer against them. Those below `founding`
/// may come from requests that are not in the history.
pub(crate) fn judge(
    records: u64,
    founding: u64,
    mut read: impl FnMut(u64) -> Result<Seen, String>,
    history: &[Operation],
) -> Verdict {
    let mut requests = BTreeMap::new();
    for operation in history {
        if let Asked::Submit(envelope) = &operation.asked {
            requests.insert((envelope.author, envelope.request), &envelope.items[..]);
        }
    }
    let mut reads: Vec<(u64, &[Balance])> = history.iter().filter_map(balances).collect();
    reads.sort_by_key(|(at, _)| *at);
    let mut reads = reads.into_iter().peekable();
    let mut replay = Replay { founding, ..Replay::default() };
    for sequence in 0..records {
        while let Some((at, balances)) = reads.next_if(|(at, _)| *at <= sequence) {
            replay.read(at, balances);
        }
        match read(sequence) {
            Ok(record) => replay.record(sequence, &record, &requests),
            Err(error) => replay.wrong.push(format!("record {sequence}: {error}")),
        }
    }
    for (at, balances) in reads {
        if at > records {
            replay.wrong.push(format!("a read of {at} records, where there are {records}"));
        } else {
            replay.read(at, balances);
        }
    }
    answers(history, &replay.outcomes, &mut replay.wrong);
    order(history, &mut replay.wrong);
    let mut linearized = 0;
    // To show that there is no order can take for ever, so it is asked only where one is likely.
    if replay.wrong.is_empty() {
        match window::linearizable(history, replay.first_expiry) {
            Some(requests) => linearized = requests,
            None => replay.wrong.push("no order explains the first answers".to_owned()),
        }
    }
    Verdict {
        wrong: replay.wrong,
        expiries: replay.expiries,
        refusals: replay.refusals,
        linearized,
    }
}

fn balances(operation: &Operation) -> Option<(u64, &[Balance])> {
    match &operation.returned {
        Some((_, Heard::Balances(balances, records))) => Some((*records, balances)),
        _ => None,
    }
}

impl Replay {
    fn record(
        &mut self,
        sequence: u64,
        record: &Seen,
        requests: &BTreeMap<(ParticipantId, RequestId), &[Item]>,
    ) {
        let shared = || SharedPart::from_bytes(&record.shared);
        match record.kind {
            RecordKind::Genesis => {}
            RecordKind::Entry => {
                if self.model.overdue(record.at) > 0 {
                    self.wrong.push(format!("record {sequence}: a transfer was due and stays"));
                }
                if !self.model.conserved() {
                    self.wrong.push(format!("record {sequence}: money was made or lost"));
                }
            }
            RecordKind::EnvelopeRefusal => {
                self.wrong.push(format!("record {sequence}: an envelope is refused as a whole"));
            }
            RecordKind::Expiry => {
                let due = shared().is_ok_and(|shared| {
                    let uetr = Uetr::from_random(shared.subject);
                    self.model.expire((shared.debtor_agent, uetr), record.at)
                });
                self.expiries += 1;
                self.first_expiry.get_or_insert(sequence);
                if !due {
                    self.wrong.push(format!("record {sequence}: an expiry before its time"));
                }
            }
            RecordKind::Item(_) => match shared() {
                Ok(shared) => self.item(sequence, record.at, &shared, requests),
                Err(error) => self.wrong.push(format!("record {sequence}: {error}")),
            },
        }
    }

    fn item(
        &mut self,
        sequence: u64,
        at: Timestamp,
        shared: &SharedPart,
        requests: &BTreeMap<(ParticipantId, RequestId), &[Item]>,
    ) {
        let items = requests.get(&(shared.author, shared.request));
        let Some(item) = items.and_then(|items| items.get(usize::from(shared.item))) else {
            if sequence >= self.founding {
                self.wrong.push(format!("record {sequence}: nobody asked for it"));
            }
            return;
        };
        let key = (shared.author, shared.request, shared.item);
        if self.outcomes.insert(key, (sequence, shared.outcome, shared.state)).is_some() {
            self.wrong.push(format!("record {sequence}: a second effect of one item"));
        }
        let expected = self.model.apply(shared.author, item, at);
        let no_funds = Rejection::InsufficientFunds.number();
        let fits = match expected {
            Expected::Done(state) => {
                shared.outcome == 0
                    && state.is_none_or(|state| u16::from(shared.state) == u16::from(state.code()))
            }
            Expected::NoFunds => shared.outcome == no_funds,
            Expected::Refused => shared.outcome != 0 && shared.outcome != no_funds,
        };
        self.refusals += u64::from(shared.outcome != 0);
        if !fits {
            let (outcome, state, author) = (shared.outcome, shared.state, shared.author);
            self.wrong.push(format!(
                "record {sequence}: outcome {outcome}, state {state} where {expected:?} is right \
                 for {item:?} of {author}"
            ));
        }
    }

    fn read(&mut self, at: u64, balances: &[Balance]) {
        for balance in balances {
            let (read, expected) = shown(balance, &self.model);
            if read != expected {
                let account = balance.account;
                self.wrong.push(format!(
                    "account {account} after {at} records: {read:?}, not {expected:?}"
                ));
            }
        }
    }
}

/// What a read shows of an account, and what it must show.
pub(crate) fn shown(balance: &Balance, model: &Model) -> (Money, Money) {
    let read = Money {
        debits_pending: balance.debits_pending,
        debits_posted: balance.debits_posted,
        credits_pending: balance.credits_pending,
        credits_posted: balance.credits_posted,
    };
    (read, model.money(balance.account, balance.currency, balance.custody))
}

/// Every answer is what the records say, and what was said not to be in the log is not.
fn answers(
    history: &[Operation],
    outcomes: &BTreeMap<ItemKey, (u64, u16, u8)>,
    wrong: &mut Vec<String>,
) {
    let (mut never, mut perhaps) = (BTreeSet::new(), BTreeSet::new());
    for operation in history {
        let Asked::Submit(envelope) = &operation.asked else { continue };
        let request = (envelope.author, envelope.request);
        match &operation.returned {
            Some((_, Heard::Submitted(submitted))) => {
                perhaps.insert(request);
                for (place, outcome) in (0_u16..).zip(&submitted.outcomes) {
                    let rejection = outcome.rejection.map_or(0, Rejection::number);
                    let state = outcome.state.map_or(0, TransferState::code);
                    let said = (outcome.sequence, rejection, state);
                    let kept = outcomes.get(&(request.0, request.1, place));
                    if kept != Some(&said) {
                        wrong.push(format!("answered {said:?}, recorded {kept:?}"));
                    }
                }
            }
            Some((_, Heard::Nothing)) => drop(never.insert(request)),
            Some((_, Heard::Unknown | Heard::Balances(..))) | None => drop(perhaps.insert(request)),
        }
    }
    for request in never.difference(&perhaps) {
        if outcomes.contains_key(&(request.0, request.1, 0)) {
            wrong.push("recorded, although said not to be in the log".to_owned());
        }
    }
}

/// What was answered before something else was asked comes before it.
fn order(history: &[Operation], wrong: &mut Vec<String>) {
    let mut ends: Vec<(u64, u64)> = Vec::new();
    let mut starts: Vec<(u64, u64)> = Vec::new();
    for operation in history {
        match &operation.returned {
            Some((returned, Heard::Submitted(submitted))) => {
                let Some((first, last)) = span(submitted) else { continue };
                ends.push((*returned, last));
                if !submitted.resent {
                    starts.push((operation.invoked, first));
                }
            }
            // A read comes after the last record that it shows.
            Some((returned, Heard::Balances(_, records))) => {
                ends.push((*returned, records.saturating_sub(1)));
                starts.push((operation.invoked, *records));
            }
            Some((_, Heard::Nothing | Heard::Unknown)) | None => {}
        }
    }
    ends.sort_unstable();
    starts.sort_unstable();
    let (mut ends, mut latest) = (ends.into_iter().peekable(), None);
    for (invoked, first) in starts {
        while let Some((_, last)) = ends.next_if(|(returned, _)| *returned < invoked) {
            latest = latest.max(Some(last));
        }
        if latest >= Some(first) {
            wrong.push(format!(
                "record {first} came after {latest:?} was answered, and stands before it"
            ));
        }
    }
}

fn span(submitted: &Submitted) -> Option<(u64, u64)> {
    let sequences = || submitted.outcomes.iter().map(|outcome| outcome.sequence);
    Some((sequences().min()?, sequences().max()?))
}
