//! What goes wrong and when: crashes, power cuts, partitions, clocks, slow disks, wiped disks, changes of membership; it judges nothing.
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
    time::Duration,
};

use ledger_node::simulation::{crash, seeded, wipe};
use tokio::time::timeout;
use turmoil::Sim;

use super::node::{Cluster, host, peer_address};

/// Between two faults at least, milliseconds.
const PAUSE_MS: (u64, u64) = (100, 1_200);

/// What the operator is asked to do.
#[derive(Clone, Debug)]
enum Change {
    AddLearner(u64),
    Voters(Vec<u64>),
    HandOver(u64),
}

/// What waits to be undone: at this millisecond.
#[derive(Clone, Debug)]
enum Undo {
    Start(u64),
    Repair(u64, u64),
    Release(u64, u64),
    Clock(u64),
    Disks,
}

/// The plan of one run.
#[derive(Debug)]
pub(super) struct Faults {
    rng: fastrand::Rng,
    next_ms: u64,
    undo: Vec<(u64, Undo)>,
    down: BTreeSet<u64>,
    /// Nodes whose disks were wiped: they must never come back.
    pub(super) wiped: BTreeSet<u64>,
    pub(super) started: BTreeSet<u64>,
    changes: Rc<RefCell<VecDeque<Change>>>,
    pub(super) happened: BTreeMap<&'static str, u64>,
}

impl Faults {
    pub(super) fn new(seed: u64, founders: &[u64]) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            next_ms: 3_000,
            undo: Vec::new(),
            down: BTreeSet::new(),
            wiped: BTreeSet::new(),
            started: founders.iter().copied().collect(),
            changes: Rc::default(),
            happened: BTreeMap::new(),
        }
    }

    /// The operator's software.
    pub(super) fn operator(
        &self,
        cluster: Rc<Cluster>,
    ) -> impl Future<Output = turmoil::Result> + use<> {
        let changes = Rc::clone(&self.changes);
        async move {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let Some(change) = changes.borrow_mut().pop_front() else { continue };
                let Some((_, leader)) = cluster.leader() else { continue };
                let asked = async {
                    match &change {
                        Change::AddLearner(node) => {
                            leader.add_learner(*node, &peer_address(*node)).await
                        }
                        Change::Voters(voters) => leader.change_voters(voters).await,
                        Change::HandOver(to) => leader.transfer_leader(*to).await,
                    }
                };
                // A change that fails or is not answered may be asked for again.
                drop(timeout(Duration::from_secs(2), seeded(asked)).await);
            }
        }
    }

    /// Does what is due at this millisecond.
    pub(super) fn step(&mut self, now_ms: u64, sim: &mut Sim<'_>, cluster: &Rc<Cluster>) {
        let due: Vec<Undo> =
            self.undo.extract_if(.., |(at, _)| *at <= now_ms).map(|(_, undo)| undo).collect();
        due.into_iter().for_each(|undo| self.undo(undo, sim, cluster));
        if now_ms < self.next_ms {
            return;
        }
        self.next_ms = now_ms + self.rng.u64(PAUSE_MS.0..PAUSE_MS.1);
        let until = now_ms + self.rng.u64(100..2_500);
        let node = self.some_node();
        match self.rng.u8(..100) {
            0..=24 => self.crash(&[node], until, sim, cluster),
            25..=29 => {
                let all: Vec<u64> = self.started.iter().copied().collect();
                self.crash(&all, until, sim, cluster);
                self.count("power cut of all");
            }
            30..=54 => self.partition(node, until, sim),
            55..=64 => {
                let other = self.some_node();
                if node != other {
                    sim.hold(host(node), host(other));
                    self.undo.push((until, Undo::Release(node, other)));
                    self.count("messages held");
                }
            }
            65..=74 => {
                let range = if self.rng.u8(..4) == 0 { 3_600_000_000 } else { 3_000_000 };
                cluster.machines.skew(node, self.rng.i64(-range..range));
                self.undo.push((until + 2_000, Undo::Clock(node)));
                self.count("clock jumped");
            }
            75..=79 => {
                cluster.machines.slow.set(true);
                self.undo.push((until, Undo::Disks));
                self.count("disks slow");
            }
            80..=94 => self.change(node, sim, cluster),
            _ => self.wipe(node, until, sim, cluster),
        }
    }

    /// Ends every fault and starts every node that may start.
    pub(super) fn heal(&mut self, sim: &mut Sim<'_>, cluster: &Rc<Cluster>) {
        for (_, undo) in std::mem::take(&mut self.undo) {
            self.undo(undo, sim, cluster);
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    fn some_node(&mut self) -> u64 {
        let at = self.rng.usize(..self.started.len());
        self.started.iter().nth(at).copied().unwrap_or(1)
    }

    fn undo(&mut self, undo: Undo, sim: &mut Sim<'_>, cluster: &Rc<Cluster>) {
        match undo {
            Undo::Start(node) => {
                if self.down.remove(&node) {
                    sim.bounce(host(node));
                }
            }
            Undo::Repair(a, b) => sim.repair(host(a), host(b)),
            Undo::Release(a, b) => sim.release(host(a), host(b)),
            Undo::Clock(node) => cluster.machines.skew(node, 0),
            Undo::Disks => cluster.machines.slow.set(false),
        }
    }

    fn crash(&mut self, nodes: &[u64], until: u64, sim: &mut Sim<'_>, cluster: &Rc<Cluster>) {
        for node in nodes {
            if self.wiped.contains(node) || !self.down.insert(*node) {
                continue;
            }
            drop(cluster.running.borrow_mut().remove(node));
            sim.crash(host(*node));
            let rng = &mut self.rng;
            let lost = crash(&cluster.data(*node), &mut |below| rng.u64(..below));
            if lost.expect("the files of a simulated disk") > 0 {
                self.count("unsynced bytes lost");
            }
            self.undo.push((until, Undo::Start(*node)));
            self.count("crash");
        }
    }

    fn partition(&mut self, node: u64, until: u64, sim: &mut Sim<'_>) {
        let others: Vec<u64> =
            self.started.iter().copied().filter(|other| *other != node).collect();
        let one_way = self.rng.u8(..3) == 0;
        for other in others {
            match (one_way, self.rng.u8(..4)) {
                (_, 0) => continue,
                (true, _) => sim.partition_oneway(host(node), host(other)),
                (false, _) => sim.partition(host(node), host(other)),
            }
            self.undo.push((until, Undo::Repair(node, other)));
            self.count(if one_way { "one-way partition" } else { "partition" });
        }
    }

    /// A new node learns, becomes a voter, takes another's place, or the leader hands over.
    fn change(&mut self, node: u64, sim: &mut Sim<'_>, cluster: &Rc<Cluster>) {
        let newest = self.started.last().copied().unwrap_or(1);
        let mut changes = self.changes.borrow_mut();
        match self.rng.u8(..4) {
            0 => changes.push_back(Change::HandOver(node)),
            1 if newest < 6 => {
                let (new, cluster) = (newest + 1, Rc::clone(cluster));
                sim.host(host(new), move || super::node::software(Rc::clone(&cluster), new));
                self.started.insert(new);
                changes.push_back(Change::AddLearner(new));
            }
            _ => {
                let Some((_, leader)) = cluster.leader() else { return };
                let mut voters: BTreeSet<u64> = leader.status().voters.into_iter().collect();
                if voters.len() > 3 && self.rng.bool() {
                    voters.remove(&node);
                } else if !self.wiped.contains(&newest) {
                    voters.insert(newest);
                }
                changes.push_back(Change::AddLearner(newest));
                changes.push_back(Change::Voters(voters.into_iter().collect()));
            }
        }
        drop(changes);
        self.count("membership changed");
    }

    /// A disk goes with everything on it, at most one in a run: two would be more than a cluster
    /// of three is made for.
    fn wipe(&mut self, node: u64, until: u64, sim: &mut Sim<'_>, cluster: &Rc<Cluster>) {
        if !self.wiped.is_empty() || self.down.contains(&node) {
            return;
        }
        self.crash(&[node], until, sim, cluster);
        wipe(&cluster.data(node)).expect("the files of a simulated disk");
        self.wiped.insert(node);
        self.count("disk wiped");
    }
}
