//! One run from its seed to its report: faults, then healing, then judgement.
use std::{rc::Rc, time::Duration};

use ledger_node::simulation::install;
use ledger_proof::Field;
use turmoil::Sim;

use super::{
    Options, Report,
    audit::{Watcher, judge},
    faults::Faults,
    machine::Machines,
    node::{Cluster, genesis_file, host, software},
    work::{self, Heard, Work},
    world::genesis,
};

const CLIENTS: usize = 3;
/// One step of simulated time.
const TICK_MS: u64 = 2;
/// How often every replica is looked at.
const LOOK_MS: u64 = 20;
/// How long a healed cluster may take until all agree.
const HEALED_MS: u64 = 60_000;

/// Runs one seed.
///
/// # Panics
/// When the real machine fails.
#[must_use]
pub fn run(options: &Options) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    fastrand::seed(options.seed);
    let machines = Rc::new(Machines::new(options.seed ^ 1));
    install(Rc::clone(&machines) as _, options.seed);
    let founders: Vec<u64> = (1..=if options.seed % 3 == 0 { 5 } else { 3 }).collect();
    std::fs::write(genesis_file(folder.path()), genesis().to_bytes()).expect("a genesis");
    let cluster = Rc::new(Cluster {
        folder: folder.path().to_owned(),
        founders: founders.clone(),
        machines,
        running: Default::default(),
        refused: Default::default(),
    });
    let work = Rc::new(Work::new(options.seed ^ 2));
    let faults = Faults::new(options.seed ^ 3, &founders);
    let mut sim = turmoil::Builder::new()
        .rng_seed(options.seed)
        .enable_random_order()
        .tick_duration(Duration::from_millis(TICK_MS))
        .simulation_duration(Duration::from_secs(3_600))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(1 + options.seed % 40))
        .tcp_capacity(4_096)
        .build();
    for node in founders.iter().copied() {
        let cluster = Rc::clone(&cluster);
        sim.host(host(node), move || software(Rc::clone(&cluster), node));
    }
    for client in 1..=CLIENTS {
        let (work, nodes) = (Rc::clone(&work), founders.clone());
        sim.client(format!("operator-{client}"), work::software(work, nodes, client == 1));
    }
    sim.client("operator-9", faults.operator(Rc::clone(&cluster)));
    let mut run = Run {
        cluster,
        work,
        faults,
        watcher: Watcher::default(),
        violations: Vec::new(),
        now_ms: 0,
    };
    run.all(&mut sim, options.ticks);
    run.report(options.seed)
}

struct Run {
    cluster: Rc<Cluster>,
    work: Rc<Work>,
    faults: Faults,
    watcher: Watcher,
    violations: Vec<String>,
    now_ms: u64,
}

impl Run {
    fn all(&mut self, sim: &mut Sim<'_>, ticks: u64) {
        while self.now_ms < ticks && self.violations.is_empty() {
            if self.work.founded.get() {
                self.faults.step(self.now_ms, sim, &self.cluster);
            }
            self.step(sim);
        }
        self.faults.heal(sim, &self.cluster);
        self.work.stop.set(true);
        let until = self.now_ms + HEALED_MS;
        while !self.settled() && self.violations.is_empty() {
            if self.now_ms > until {
                let running = self.cluster.running.borrow();
                let standing: Vec<_> = running.values().map(|replica| replica.status()).collect();
                self.violations.push(format!("a healed cluster does not agree: {standing:?}"));
            }
            self.step(sim);
        }
    }

    fn step(&mut self, sim: &mut Sim<'_>) {
        if let Err(error) = sim.step() {
            self.violations.push(error.to_string());
        }
        self.now_ms += TICK_MS;
        if self.now_ms % LOOK_MS == 0 {
            self.watcher.look(&self.cluster, &mut self.violations);
        }
        for (node, why) in self.cluster.refused.borrow_mut().drain(..) {
            if self.faults.wiped.contains(&node) {
                *self.faults.happened.entry("wiped disk refused").or_default() += 1;
            } else {
                self.violations.push(format!("node {node} would not start: {why}"));
            }
        }
    }

    /// Whether clients have stopped and every voter has every record.
    fn settled(&self) -> bool {
        let Some((_, leader)) = self.cluster.leader() else { return false };
        let status = leader.status();
        let running = self.cluster.running.borrow();
        let voters = status.voters.iter().filter(|voter| !self.faults.wiped.contains(voter));
        let equal = voters.clone().all(|voter| {
            let records = running.get(voter).map(|replica| replica.status().records);
            records == Some(status.records)
        });
        self.work.idle.get() == CLIENTS && equal && self.now_ms % 1_000 == 0
    }

    fn report(mut self, seed: u64) -> Report {
        let history = self.work.history.borrow();
        let mut happened = std::mem::take(&mut self.faults.happened);
        let mut records = 0;
        if let Some((_, leader)) = self.cluster.leader().filter(|_| self.violations.is_empty()) {
            let (expiries, refusals) = judge(&leader, &history, &mut self.violations);
            happened.insert("expired", expiries);
            happened.insert("refused by the ledger", refusals);
            records = leader.status().records;
        }
        let answers = history.iter().filter_map(|operation| operation.returned.as_ref());
        let (mut acknowledged, mut resent, mut unknown) = (0, 0, 0);
        for (_, heard) in answers.clone() {
            match heard {
                Heard::Submitted(submitted) => {
                    acknowledged += 1;
                    resent += u64::from(submitted.resent);
                }
                Heard::Unknown => unknown += 1,
                Heard::Balances(..) | Heard::Nothing => {}
            }
        }
        let installed = self
            .faults
            .started
            .iter()
            .filter(|node| self.cluster.data(**node).join("state/CURRENT").exists());
        happened.insert("snapshot installed", installed.count().try_into().unwrap_or(0));
        happened.insert("acknowledged", acknowledged);
        happened.insert("resent answer", resent);
        happened.insert("client gave up", unknown);
        happened.insert("leader changed", self.watcher.leader_changes.saturating_sub(1));
        happened.insert("log truncated", self.watcher.truncations);
        let operations = answers.count().try_into().unwrap_or(0);
        Report {
            seed,
            violations: self.violations,
            happened: happened.into_iter().map(|(what, times)| (what.to_owned(), times)).collect(),
            operations,
            acknowledged,
            records,
            trace: self.watcher.trace.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}
