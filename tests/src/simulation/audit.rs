//! What must hold at every moment and at the end: one leader a term, one history, every answer the model's, nothing lost, nothing twice.
use std::collections::{BTreeMap, BTreeSet};

use ledger_node::simulation::Replica;
use ledger_proof::{
    Digest, Field, Item,
    record::{Part, Record, RecordKind, SharedPart},
    tree::sha256,
};
use ledger_types::{ParticipantId, Rejection, RequestId, Uetr};
use proto::convert::{Balance, Submitted};

use super::{
    model::{Expected, Model, Money},
    node::Cluster,
    work::{Asked, Heard, Operation},
};

type ItemKey = (ParticipantId, RequestId, u16);

/// What was seen while the cluster ran.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    leaders: BTreeMap<u64, u64>,
    /// Roots by size, as any replica has shown them.
    roots: BTreeMap<u64, Digest>,
    last: BTreeMap<u64, u64>,
    /// Every record that any replica has shown.
    shown: Vec<Record>,
    compared: BTreeMap<u64, u64>,
    pub(super) leader_changes: u64,
    pub(super) truncations: u64,
    pub(super) trace: Digest,
}

impl Watcher {
    /// Looks at every replica.
    pub(super) fn look(&mut self, cluster: &Cluster, violations: &mut Vec<String>) {
        for (node, replica) in cluster.running.borrow().iter() {
            let status = replica.status();
            if status.leads {
                let known = self.leaders.len();
                let leader = *self.leaders.entry(status.term).or_insert(*node);
                self.leader_changes += u64::from(self.leaders.len() > known);
                if leader != *node {
                    violations.push(format!("nodes {leader} and {node} lead term {}", status.term));
                }
            }
            if replica.failed() {
                violations.push(format!("node {node} ended by itself"));
            }
            let before = self.last.insert(*node, status.last);
            self.truncations += u64::from(before.is_some_and(|before| before > status.last));
            if let Err(wrong) = self.compare(*node, replica, status.records) {
                violations.push(wrong);
            }
            let line = format!("{node} {status:?}");
            self.trace = sha256(&[&self.trace, line.as_bytes()]);
        }
    }

    /// Holds a replica's records against those that any replica ever showed.
    fn compare(&mut self, node: u64, replica: &Replica, records: u64) -> Result<(), String> {
        let failed = |error| format!("node {node}: {error}");
        let compared = self.compared.entry(node).or_default();
        // A crash may have taken the newest; they come back the same.
        let from = if *compared > records { 0 } else { *compared };
        for sequence in from..records {
            let record = replica.record(sequence).map_err(failed)?;
            let place = usize::try_from(sequence).unwrap_or(usize::MAX);
            match self.shown.get(place) {
                Some(shown) if *shown == record => {}
                Some(shown) => {
                    return Err(format!("node {node} shows {record:?}, where there was {shown:?}"));
                }
                None => self.shown.push(record),
            }
        }
        *compared = records;
        let root = replica.root(records).map_err(failed)?;
        match *self.roots.entry(records).or_insert(root) == root {
            true => Ok(()),
            false => Err(format!("node {node} has another root over {records} records")),
        }
    }
}

/// Everything the records say, beside what the model expected of them.
#[derive(Debug, Default)]
struct Replay {
    model: Model,
    /// Where each item's outcome stands: (record, refusal, state).
    outcomes: BTreeMap<ItemKey, (u64, u16, u8)>,
    expiries: u64,
    refusals: u64,
    wrong: Vec<String>,
}

/// Replays the records on the model and holds every answer against them. Gives the number of
/// (expiries, refusals).
pub(super) fn judge(
    replica: &Replica,
    history: &[Operation],
    violations: &mut Vec<String>,
) -> (u64, u64) {
    let records = replica.status().records;
    let mut requests = BTreeMap::new();
    for operation in history {
        if let Asked::Submit(envelope) = &operation.asked {
            requests.insert((envelope.author, envelope.request), &envelope.items[..]);
        }
    }
    let mut reads: Vec<(u64, &[Balance])> = history.iter().filter_map(balances).collect();
    reads.sort_by_key(|(at, _)| *at);
    let mut reads = reads.into_iter().peekable();
    let mut replay = Replay::default();
    for sequence in 0..records {
        while let Some((at, balances)) = reads.next_if(|(at, _)| *at <= sequence) {
            replay.read(at, balances);
        }
        match replica.record(sequence) {
            Ok(record) => replay.record(&record, &requests),
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
    violations.append(&mut replay.wrong);
    (replay.expiries, replay.refusals)
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
        record: &Record,
        requests: &BTreeMap<(ParticipantId, RequestId), &[Item]>,
    ) {
        let sequence = record.sequence;
        let shared = || SharedPart::from_bytes(&record.parts[Part::Shared.index()]);
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
                if !due {
                    self.wrong.push(format!("record {sequence}: an expiry before its time"));
                }
            }
            RecordKind::Item(_) => match shared() {
                Ok(shared) => self.item(record, &shared, requests),
                Err(error) => self.wrong.push(format!("record {sequence}: {error}")),
            },
        }
    }

    fn item(
        &mut self,
        record: &Record,
        shared: &SharedPart,
        requests: &BTreeMap<(ParticipantId, RequestId), &[Item]>,
    ) {
        let sequence = record.sequence;
        let items = requests.get(&(shared.author, shared.request));
        let Some(item) = items.and_then(|items| items.get(usize::from(shared.item))) else {
            return self.wrong.push(format!("record {sequence}: nobody asked for it"));
        };
        let key = (shared.author, shared.request, shared.item);
        if self.outcomes.insert(key, (sequence, shared.outcome, shared.state)).is_some() {
            self.wrong.push(format!("record {sequence}: a second effect of one item"));
        }
        let expected = self.model.apply(shared.author, item, record.at);
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
            let (outcome, state) = (shared.outcome, shared.state);
            self.wrong.push(format!(
                "record {sequence}: outcome {outcome}, state {state} where {expected:?} is right"
            ));
        }
    }

    fn read(&mut self, at: u64, balances: &[Balance]) {
        for balance in balances.iter().filter(|balance| !balance.custody) {
            let read = Money {
                debits_pending: balance.debits_pending,
                debits_posted: balance.debits_posted,
                credits_pending: balance.credits_pending,
                credits_posted: balance.credits_posted,
            };
            let expected = self.model.accounts.get(&balance.account).copied().unwrap_or_default();
            if read != expected {
                let account = balance.account;
                self.wrong.push(format!(
                    "account {account} after {at} records: {read:?}, not {expected:?}"
                ));
            }
        }
    }
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
                    let state = outcome.state.map_or(0, ledger_types::TransferState::code);
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
