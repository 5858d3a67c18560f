//! What a running node looks at again and again: leadership, readiness, clocks, others' records, when to snapshot; it decides no transfer.
use std::{io, time::Duration};

use ledger_proof::Digest;
use ledger_types::Timestamp;
use metrics::{counter, gauge};
use openraft::{RaftMetrics, async_runtime::watch::WatchReceiver};
use services_runtime::health;
use tokio::time::{Instant, MissedTickBehavior};

use super::raft_failed;
use crate::{
    Error,
    apply::Apply,
    clock::Clocks,
    config::Limits,
    divergence::{Comparisons, Pulse, Verdict},
    error::halt,
    history::History,
    host, measure,
    network::Peer,
    propose::Proposer,
    raft::{Raft, Types},
    room::Rooms,
};

/// How often the other nodes' clocks and roots are asked for.
const PULSE_EVERY: Duration = Duration::from_millis(500);
/// How often role and log size are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// How long apply may stand while something is committed.
const APPLY_STALL_MAX: Duration = Duration::from_secs(5);

/// Follows leadership, readiness, clock and log size.
pub(super) struct Watch {
    pub(super) raft: Raft,
    pub(super) clocks: Clocks,
    pub(super) comparisons: Comparisons,
    pub(super) rooms: Rooms,
    pub(super) history: History,
    pub(super) health: Option<health::State>,
    pub(super) limits: Limits,
    pub(super) leader: Option<u64>,
    pub(super) apply: Apply,
    /// Entry and bytes applied when a snapshot was last asked for.
    pub(super) snapshot_tried: (u64, u64),
    /// The entry applied when apply last moved or had nothing to do, and when that was.
    pub(super) moved: (u64, Option<Instant>),
    pub(super) proposer: Proposer,
}

impl Watch {
    pub(super) async fn run(mut self) -> Result<(), Error> {
        let mut ticks = tokio::time::interval(WATCH_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let metrics = self.raft.metrics().borrow_watched().clone();
            if let Err(fatal) = &metrics.running_state {
                return Err(Error::Raft(fatal.to_string()));
            }
            if metrics.current_leader != self.leader {
                self.leader = metrics.current_leader;
                metrics::counter!("causeway_ledger_leader_changes_total").increment(1);
                tracing::info!(leader = self.leader, term = metrics.current_term, "leader changed");
            }
            metrics::counter!("causeway_ledger_records_total").absolute(self.history.tip().records);
            let applied = metrics.last_applied.map_or(0, |applied| applied.index);
            let covered = metrics.snapshot.map_or(0, |snapshot| snapshot.index);
            self.tell(&metrics, applied, covered);
            let since = covered.max(self.snapshot_tried.0);
            let bytes = self.apply.bytes();
            if applied >= since + self.limits.snapshot_entries
                || bytes >= self.snapshot_tried.1 + self.limits.snapshot_bytes
            {
                self.snapshot_tried = (applied, bytes);
                self.raft.trigger().snapshot().await.map_err(raft_failed)?;
            }
            self.compare();
            self.look_for_room().await?;
            if self.raft.is_leader() && !self.clocks.agree() {
                metrics::counter!("causeway_ledger_alarms_total").increment(1);
                tracing::error!("this clock disagrees with the other voters'; handing over");
                if let Some(to) = self.clocks.nearest() {
                    self.raft.trigger().transfer_leader(to).await.map_err(raft_failed)?;
                }
            }
        }
    }

    /// Says how this node stands, on its health and metrics pages.
    fn tell(&mut self, raft: &RaftMetrics<Types>, applied: u64, covered: u64) {
        let committed = raft.local_committed.map_or(0, |committed| committed.index);
        let behind = committed.saturating_sub(applied);
        if behind == 0 || applied != self.moved.0 {
            self.moved = (applied, Some(Instant::now()));
        }
        let moving = self.moved.1.is_some_and(|at| at.elapsed() < APPLY_STALL_MAX);
        if let Some(health) = &self.health {
            let leader = self.leader.map(|leader| format!("node {leader}"));
            health.tell("leader", self.leader.is_some(), leader);
            health.tell("applied", moving, Some(format!("entry {applied}, {behind} behind")));
        }
        let leads = raft.current_leader == Some(raft.id);
        gauge!("causeway_ledger_leader_known").set(u8::from(self.leader.is_some()));
        gauge!("causeway_ledger_leads").set(u8::from(leads));
        gauge!("causeway_ledger_apply_lag_entries").set(measure::float(behind));
        let uncovered = applied.saturating_sub(covered);
        gauge!("causeway_ledger_snapshot_lag_entries").set(measure::float(uncovered));
        gauge!("causeway_ledger_clock_offset_seconds").set(self.clocks.apart());
        let taken = self.proposer.taken();
        gauge!("causeway_ledger_places_taken").set(measure::count(taken.envelopes));
        gauge!("causeway_ledger_places_taken_bytes").set(measure::count(taken.bytes));
        let last = raft.last_log_index.unwrap_or(0);
        for (peer, matched) in raft.replication.iter().flatten().filter(|(id, _)| **id != raft.id) {
            let lag = last.saturating_sub(matched.as_ref().map_or(0, |matched| matched.index));
            gauge!("causeway_ledger_peer_lag_entries", "peer" => peer.to_string())
                .set(measure::float(lag));
        }
        if !leads {
            // What this node knew when it led is not true any more.
            for peer in self.raft.voter_ids().filter(|peer| *peer != raft.id) {
                gauge!("causeway_ledger_peer_lag_entries", "peer" => peer.to_string()).set(0.0);
            }
        }
    }

    /// A node whose disk is nearly full lets another lead.
    async fn look_for_room(&self) -> Result<(), Error> {
        let had = self.rooms.own();
        let (rooms, voters) = (self.rooms.clone(), self.raft.voter_ids().count());
        if let Some(Err(error)) = host::blocking(move || rooms.look(voters)).await {
            tracing::warn!(%error, "the disk's free bytes cannot be read");
        }
        let has = self.rooms.own();
        if let Some(health) = &self.health {
            health.set("room", has);
        }
        if had && !has {
            metrics::counter!("causeway_ledger_alarms_total").increment(1);
            tracing::error!("a disk is nearly full: no envelope is taken; give it room");
        }
        if !has
            && self.raft.is_leader()
            && let Some(to) = self.rooms.elsewhere()
        {
            self.raft.trigger().transfer_leader(to).await.map_err(raft_failed)?;
        }
        Ok(())
    }

    /// A node that no majority agrees with stops: its answers may be wrong.
    fn compare(&self) {
        match self.comparisons.verdict(self.raft.voter_ids().count()) {
            Verdict::Same => {}
            Verdict::Other(node) => {
                metrics::counter!("causeway_ledger_alarms_total").increment(1);
                tracing::error!(node, "a node's records are not those of the majority");
            }
            Verdict::Odd => halt(
                "comparing records with the other nodes",
                &"no majority has this node's; keep its data and replace it",
            ),
        }
    }
}

/// Exchanges clocks and roots with one node.
pub(super) struct Pulses {
    pub(super) node: u64,
    pub(super) peer: Peer,
    pub(super) clocks: Clocks,
    pub(super) comparisons: Comparisons,
    pub(super) rooms: Rooms,
    pub(super) history: History,
}

impl Pulses {
    pub(super) async fn run(self) {
        let mut ticks = tokio::time::interval(PULSE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.exchange().await {
                tracing::warn!(%error, "history cannot be compared");
            }
        }
    }

    async fn exchange(&self) -> io::Result<()> {
        let records = self.history.tip().records;
        let root = self.root(records).await?;
        let (at_micros, room) = (host::now().micros(), self.rooms.own());
        let ours = Pulse { at_micros, records, root, room };
        // A node that does not answer is not compared.
        let Ok((asked, its)) = self.peer.pulse(&ours).await else { return Ok(()) };
        self.clocks.hear(self.node, asked, Timestamp::from_micros(its.at_micros), host::now());
        self.rooms.hear(self.node, its.room);
        if its.records <= records {
            let same = self.root(its.records).await? == its.root;
            let outcome = if same { "same" } else { "different" };
            counter!("causeway_ledger_divergence_checks_total", "outcome" => outcome).increment(1);
            self.comparisons.hear(self.node, same);
        }
        Ok(())
    }

    async fn root(&self, records: u64) -> io::Result<Digest> {
        let history = self.history.clone();
        let root = host::blocking(move || history.root(records)).await;
        root.unwrap_or_else(|| Err(io::Error::other("this node is stopping")))
    }
}
