//! The one proposer: coalesces envelopes into entries, stamps them with the clock, hands each its answer; it judges no envelope.
use std::{sync::Arc, time::Duration};

use ledger_core::Answer;
use ledger_proof::Entry;
use ledger_types::{ParticipantId, Timestamp};
use openraft::{
    errors::ClientWriteError,
    impls::ProgressResponder,
    raft::{ClientWriteResponse, ClientWriteResult},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::Instant,
};

use crate::{
    apply::Apply,
    clock::Clocks,
    config::Limits,
    fair::Fair,
    host, measure,
    raft::{Decoded, Payload, Raft, Types},
    room::Rooms,
    verify::Verified,
};

mod pace;
mod share;

pub(crate) use share::{Place, Room, Shares};

/// How often the proposer looks whether a tick is due.
const TICK_EVERY: Duration = Duration::from_millis(20);

/// The answer to one envelope.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) at: Timestamp,
    pub(crate) answer: Answer,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It is certainly not in the log.
    #[error("this node does not lead; go to the leader")]
    NotLeader(Option<u64>),
    /// It is certainly not in the log.
    #[error("too much is under way already; try again later")]
    Full,
    /// It is certainly not in the log.
    #[error("this node's clock disagrees with the others'; leadership is handed over")]
    Clock,
    /// It is certainly not in the log.
    #[error("disks are nearly full; nothing is taken until they have room")]
    NoRoom,
    /// It may be in the log.
    #[error("leadership changed before the outcome was known; send the same bytes again")]
    Unknown(Option<u64>),
}

/// Who waits for an answer, and its place, which is given back with it.
struct Waiting {
    answer: oneshot::Sender<Result<Answered, Failure>>,
    place: Place,
}

struct Proposal {
    verified: Verified,
    waiting: Waiting,
}

/// Where envelopes are queued; clones share the queue.
#[derive(Clone, Debug)]
pub(crate) struct Proposer {
    queue: mpsc::Sender<Proposal>,
    shares: Shares,
}

impl std::fmt::Debug for Proposal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "proposal of {} bytes", self.verified.bytes())
    }
}

impl Proposer {
    /// A place for a caller's request of so many bytes until it is answered, before anything costly
    /// is done for it.
    pub(crate) fn place(&self, caller: ParticipantId, bytes: usize) -> Result<Place, Failure> {
        self.shares.place(caller, bytes).ok_or(Failure::Full)
    }

    /// What holds a place at this moment.
    pub(crate) fn taken(&self) -> Room {
        self.shares.taken()
    }

    /// Queues an envelope and waits for its answer. Dropped before the envelope was proposed, it
    /// is not proposed any more.
    pub(crate) async fn submit(
        &self,
        verified: Verified,
        place: Place,
    ) -> Result<Answered, Failure> {
        let (sender, answer) = oneshot::channel();
        let proposal = Proposal { verified, waiting: Waiting { answer: sender, place } };
        self.queue.try_send(proposal).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Full,
            mpsc::error::TrySendError::Closed(_) => Failure::NotLeader(None),
        })?;
        answer.await.unwrap_or(Err(Failure::Unknown(None)))
    }
}

/// The proposer's task.
#[derive(Debug)]
pub(crate) struct Task {
    queue: mpsc::Receiver<Proposal>,
    /// What came out of the queue and waits for its caller's turn. Both hold no more than has a
    /// place.
    waiting: Fair<Proposal>,
    carried: Option<Proposal>,
    raft: Raft,
    apply: Apply,
    clocks: Clocks,
    rooms: Rooms,
    limits: Limits,
    in_flight: Arc<Semaphore>,
    stamp: Timestamp,
}

impl Task {
    pub(crate) fn new(
        raft: Raft,
        apply: Apply,
        (clocks, rooms): (Clocks, Rooms),
        limits: &Limits,
    ) -> (Proposer, Self) {
        let (sender, queue) = mpsc::channel(limits.queue_envelopes.max(1));
        let task = Self {
            queue,
            waiting: Fair::default(),
            carried: None,
            raft,
            apply,
            clocks,
            rooms,
            limits: limits.clone(),
            in_flight: Arc::new(Semaphore::new(limits.entries_in_flight.max(1))),
            stamp: Timestamp::ZERO,
        };
        let whole = Room { envelopes: limits.queue_envelopes, bytes: limits.queue_bytes };
        let soon = Duration::from_millis(limits.queue_ms);
        (Proposer { queue: sender, shares: Shares::within(whole, soon) }, task)
    }

    /// Proposes until every [`Proposer`] is gone. While entries are in flight up to the limit, what
    /// comes waits and goes together.
    pub(crate) async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            let Ok(permit) = Arc::clone(&self.in_flight).acquire_owned().await else { return };
            let first = match self.next() {
                Some(first) => Some(first),
                None => tokio::select! {
                    biased;
                    came = self.queue.recv() => match came {
                        Some(came) => {
                            self.wait(came);
                            self.next()
                        }
                        None => return,
                    },
                    _ = ticks.tick() => None,
                },
            };
            match first {
                Some(first) => {
                    let batch = self.collect(first);
                    self.propose(batch, permit).await;
                }
                None if self.tick_due() => self.propose(Vec::new(), permit).await,
                None => {}
            }
        }
    }

    /// A tick only where nothing is in flight: every entry ticks too.
    fn tick_due(&self) -> bool {
        let idle = self.in_flight.available_permits() + 1 >= self.limits.entries_in_flight.max(1);
        idle && self.apply.next_due().is_some_and(|due| due <= host::now())
            && self.raft.is_leader()
            && self.clocks.agree()
    }

    /// The next in turn. Whoever waits no longer is told nothing, so nothing is done for it.
    fn next(&mut self) -> Option<Proposal> {
        while let Ok(came) = self.queue.try_recv() {
            self.wait(came);
        }
        loop {
            let next = self.carried.take().or_else(|| self.waiting.pop())?;
            if !next.waiting.answer.is_closed() {
                return Some(next);
            }
        }
    }

    fn wait(&mut self, came: Proposal) {
        let (caller, bytes) = (came.waiting.place.caller(), came.verified.bytes());
        self.waiting.push(caller, bytes, came);
    }

    fn collect(&mut self, first: Proposal) -> Vec<Proposal> {
        let (mut bytes, mut items) = (first.verified.bytes(), first.verified.command.items.len());
        let mut batch = vec![first];
        while batch.len() < ledger_proof::entry::ENVELOPES_MAX {
            let Some(next) = self.next() else { break };
            bytes += next.verified.bytes();
            items += next.verified.command.items.len();
            if bytes > self.limits.entry_bytes || items > self.limits.entry_items {
                self.carried = Some(next);
                break;
            }
            batch.push(next);
        }
        batch
    }

    async fn propose(&mut self, batch: Vec<Proposal>, permit: OwnedSemaphorePermit) {
        metrics::gauge!("causeway_ledger_queue_depth")
            .set(measure::count(self.queue.len() + self.waiting.len()));
        if !self.raft.is_leader() {
            let leader = self.raft.current_leader().await;
            return refuse(batch, &Failure::NotLeader(leader));
        }
        if !self.clocks.agree() {
            return refuse(batch, &Failure::Clock);
        }
        // Ticks go on: what is due expires, and they are few.
        if !batch.is_empty() && !self.rooms.open() {
            return refuse(batch, &Failure::NoRoom);
        }
        self.stamp = self.stamp.max(host::now());
        let (payload, waiting) = assemble(self.stamp, batch);
        let begun = Instant::now();
        let (responder, answer) = ProgressResponder::complete_only();
        if self.raft.client_write_ff(payload, Some(responder)).await.is_err() {
            return fail(waiting, &Failure::Unknown(None));
        }
        tokio::spawn(async move {
            match answer.await {
                Ok(result) => {
                    metrics::histogram!("causeway_ledger_commit_seconds").record(begun.elapsed());
                    deliver(result, waiting);
                }
                Err(_) => fail(waiting, &Failure::Unknown(None)),
            }
            drop(permit);
        });
    }
}

fn assemble(stamp: Timestamp, batch: Vec<Proposal>) -> (Payload, Vec<Waiting>) {
    let entry = Entry {
        stamp,
        envelopes: batch.iter().map(|proposal| &proposal.verified.envelope[..]).collect(),
        blobs: batch
            .iter()
            .flat_map(|proposal| proposal.verified.blobs.iter().map(|blob| &blob[..]))
            .collect(),
    };
    let size: usize = batch.iter().map(|proposal| proposal.verified.bytes() + 8).sum();
    let mut bytes = Vec::with_capacity(size + 64);
    entry.put(&mut bytes);
    let mut decoded = Decoded::default();
    let mut waiting = Vec::with_capacity(batch.len());
    for proposal in batch {
        decoded.commands.push(proposal.verified.command);
        decoded.blob_digests.extend(proposal.verified.blob_digests);
        waiting.push(proposal.waiting);
    }
    (Payload::new(bytes.into(), Some(decoded)), waiting)
}

fn deliver(result: ClientWriteResult<Types>, waiting: Vec<Waiting>) {
    let failure = match result {
        Ok(ClientWriteResponse { data, .. }) => {
            for (waiting, answer) in waiting.into_iter().zip(data.answers) {
                // The client may have gone.
                drop(waiting.answer.send(Ok(Answered { at: data.at, answer })));
                waiting.place.served();
            }
            return;
        }
        Err(ClientWriteError::ForwardToLeader(forward)) => Failure::NotLeader(forward.leader_id),
        Err(ClientWriteError::LogEntryDiscarded(forward)) => Failure::Unknown(forward.leader_id),
        Err(
            ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_),
        ) => Failure::Unknown(None),
    };
    fail(waiting, &failure);
}

fn refuse(batch: Vec<Proposal>, failure: &Failure) {
    fail(batch.into_iter().map(|proposal| proposal.waiting).collect(), failure);
}

fn fail(waiting: Vec<Waiting>, failure: &Failure) {
    for waiting in waiting {
        // The client may have gone.
        drop(waiting.answer.send(Err(failure.clone())));
    }
}
