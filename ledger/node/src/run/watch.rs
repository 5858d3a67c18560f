//! What a running node looks at again and again: leadership, readiness, clocks, others' records, when to snapshot; it decides no transfer.
use std::{io, time::Duration};

use ledger_proof::Digest;
use ledger_types::Timestamp;
use openraft::async_runtime::watch::WatchReceiver;
use services_runtime::health;
use tokio::time::MissedTickBehavior;

use super::raft_failed;
use crate::{
    Error,
    apply::Apply,
    clock::Clocks,
    config::Limits,
    divergence::{Comparisons, Pulse, Verdict},
    error::halt,
    history::History,
    host,
    network::Peer,
    raft::Raft,
    room::Rooms,
};

/// How often the other nodes' clocks and roots are asked for.
const PULSE_EVERY: Duration = Duration::from_millis(500);
/// How often role and log size are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

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
            if let Some(health) = &self.health {
                health.set("ready", self.leader.is_some());
            }
            metrics::counter!("causeway_ledger_records_total").absolute(self.history.tip().records);
            let applied = metrics.last_applied.map_or(0, |applied| applied.index);
            let covered = metrics.snapshot.map_or(0, |snapshot| snapshot.index);
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
            self.comparisons.hear(self.node, self.root(its.records).await? == its.root);
        }
        Ok(())
    }

    async fn root(&self, records: u64) -> io::Result<Digest> {
        let history = self.history.clone();
        let root = host::blocking(move || history.root(records)).await;
        root.unwrap_or_else(|| Err(io::Error::other("this node is stopping")))
    }
}
