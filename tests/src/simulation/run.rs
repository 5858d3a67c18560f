//! One run from its seed to its report: faults, then healing, then judgement.
use std::{
    cell::Cell,
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, RwLock},
    time::Duration,
};

use ledger_node::simulation::install;
use ledger_proof::Field;
use ledger_types::Timestamp;
use proto::LedgerClient;
use services_runtime::grpc::ClientLimits;
use turmoil::Sim;

use super::{
    Options, Report,
    audit::Watcher,
    faults::Faults,
    founding::{FOUNDED_AT, Keys, founding, genesis},
    machine::Machines,
    node::{Cluster, client_address, genesis_file, host, software},
    wires::dial,
};
use crate::{
    clients::{self, Asked, Heard, Operation, Work},
    judge::{Seen, judge},
    world::{FUNDED, FUNDED_LARGE, Pen},
};

const CLIENTS: usize = 3;
/// Between two changes of the operator's keys, simulated milliseconds.
const ROTATION_MS: u64 = 300;
/// Items of an envelope at most.
const BATCH: usize = 3;
/// How long a client asks for one answer.
const PATIENCE: Duration = Duration::from_secs(4);
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
    let founders: Vec<u64> = (1..=if options.seed.is_multiple_of(3) { 5 } else { 3 }).collect();
    std::fs::write(genesis_file(folder.path()), genesis().to_bytes()).expect("a genesis");
    let cluster = Rc::new(Cluster {
        folder: folder.path().to_owned(),
        founders: founders.clone(),
        machines,
        running: Default::default(),
        refused: Default::default(),
    });
    let keys = Keys::default();
    let pen = Pen::new(
        options.seed,
        if options.seed.is_multiple_of(4) { FUNDED_LARGE } else { FUNDED },
        Timestamp::from_micros(FOUNDED_AT),
        keys.signer(),
    );
    let work = Arc::new(Work::new(options.seed ^ 2, pen, BATCH, elapsed));
    let (founded, idle) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
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
        let software = client_software(
            Arc::clone(&work),
            founders.clone(),
            (Rc::clone(&founded), Rc::clone(&idle)),
            client,
        );
        sim.client(format!("operator-{client}"), software);
    }
    let at_rest = (Rc::clone(&founded), Rc::clone(&idle));
    let rotation = rotation(Arc::clone(&work), founders, at_rest, keys);
    sim.client(format!("operator-{}", CLIENTS + 1), rotation);
    sim.client("operator-9", faults.operator(Rc::clone(&cluster)));
    let mut run = Run {
        cluster,
        founded,
        idle,
        work,
        faults,
        watcher: Watcher::default(),
        violations: Vec::new(),
        now_ms: 0,
    };
    run.all(&mut sim, options.ticks);
    run.report(options.seed)
}

fn elapsed() -> u64 {
    let elapsed = turmoil::sim_elapsed().unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

/// A client's software; the first founds the network.
async fn client_software(
    work: Arc<Work>,
    nodes: Vec<u64>,
    (founded, idle): (Rc<Cell<bool>>, Rc<Cell<usize>>),
    number: usize,
) -> turmoil::Result {
    let client = reach(&nodes)?;
    if number == 1 {
        let envelopes = founding(&mut work.pen.lock().expect("one thread"));
        clients::prepare(&work, &client, envelopes).await;
        founded.set(true);
    }
    while !founded.get() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    clients::client(work, (number, Arc::new(RwLock::new(client))), 40).await;
    idle.set(idle.get() + 1);
    std::future::pending().await
}

/// The operator, who changes its keys until all are stopped, and asks for something else between.
async fn rotation(
    work: Arc<Work>,
    nodes: Vec<u64>,
    (founded, idle): (Rc<Cell<bool>>, Rc<Cell<usize>>),
    keys: Keys,
) -> turmoil::Result {
    let client = reach(&nodes)?;
    while !work.stopped() {
        tokio::time::sleep(Duration::from_millis(ROTATION_MS)).await;
        if founded.get() {
            let added = keys.add(&mut work.pen.lock().expect("one thread"));
            clients::prepare(&work, &client, vec![added]).await;
            // Answered before the key that signed it goes.
            clients::prepare(&work, &client, vec![work.operate()]).await;
            let changed = keys.change(&mut work.pen.lock().expect("one thread"));
            clients::prepare(&work, &client, vec![changed]).await;
        }
    }
    idle.set(idle.get() + 1);
    std::future::pending().await
}

/// The way to the nodes from the host that asks.
fn reach(nodes: &[u64]) -> Result<LedgerClient, String> {
    let limits = ClientLimits { timeout_ms: 2_000, ..ClientLimits::default() };
    let channels = nodes.iter().map(|node| dial(&client_address(*node), &limits));
    Ok(LedgerClient::new(channels.collect::<Result<_, _>>()?, PATIENCE))
}

/// How many items of each kind were done and how many were refused, as clients were told first.
fn kinds(history: &[Operation]) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    for operation in history {
        let Asked::Submit(envelope) = &operation.asked else { continue };
        let Some((_, Heard::Submitted(submitted))) = &operation.returned else { continue };
        if submitted.resent {
            continue;
        }
        for (item, outcome) in envelope.items.iter().zip(&submitted.outcomes) {
            let word = if outcome.rejection.is_none() { "done" } else { "refused" };
            *kinds.entry(format!("{:?} {word}", item.kind())).or_default() += 1;
        }
    }
    kinds
}

struct Run {
    cluster: Rc<Cluster>,
    founded: Rc<Cell<bool>>,
    idle: Rc<Cell<usize>>,
    work: Arc<Work>,
    faults: Faults,
    watcher: Watcher,
    violations: Vec<String>,
    now_ms: u64,
}

impl Run {
    fn all(&mut self, sim: &mut Sim<'_>, ticks: u64) {
        while self.now_ms < ticks && self.violations.is_empty() {
            if self.founded.get() {
                self.faults.step(self.now_ms, sim, &self.cluster);
            }
            self.step(sim);
        }
        self.faults.heal(sim, &self.cluster);
        self.work.stop();
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
        if self.now_ms.is_multiple_of(LOOK_MS) {
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

    /// Whether clients have stopped, the leader has committed all it holds, and every voter has it.
    fn settled(&self) -> bool {
        let Some((_, leader)) = self.cluster.leader() else { return false };
        let status = leader.status();
        let running = self.cluster.running.borrow();
        let voters = status.voters.iter().filter(|voter| !self.faults.wiped.contains(voter));
        let equal = voters.clone().all(|voter| {
            let records = running.get(voter).map(|replica| replica.status().records);
            records == Some(status.records)
        });
        let committed = status.applied == status.last;
        // The clients, and the operator.
        self.idle.get() == CLIENTS + 1 && committed && equal && self.now_ms.is_multiple_of(1_000)
    }

    fn report(mut self, seed: u64) -> Report {
        let history = self.work.history();
        let mut happened = std::mem::take(&mut self.faults.happened);
        let (mut records, mut linearized) = (0, 0);
        if let Some((_, leader)) = self.cluster.leader().filter(|_| self.violations.is_empty()) {
            records = leader.status().records;
            let read = |sequence| {
                let record = leader.record(sequence).map_err(|error| error.to_string())?;
                let [shared, ..] = record.parts;
                Ok(Seen { kind: record.kind, at: record.at, shared })
            };
            let verdict = judge(records, 0, read, &history);
            happened.insert("expired", verdict.expiries);
            happened.insert("refused by the ledger", verdict.refusals);
            self.violations.extend(verdict.wrong);
            linearized = verdict.linearized;
        }
        let sum = |of: fn(&Operation) -> u64| -> u64 { history.iter().map(of).sum() };
        let (operations, acknowledged) = (sum(Operation::items), sum(Operation::acknowledged));
        let (mut resent, mut unknown) = (0, 0);
        for (_, heard) in history.iter().filter_map(|operation| operation.returned.as_ref()) {
            match heard {
                Heard::Submitted(submitted) => resent += u64::from(submitted.resent),
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
        let requests = history.len().try_into().unwrap_or(0);
        Report {
            seed,
            violations: self.violations,
            happened: happened
                .into_iter()
                .map(|(what, times)| (what.to_owned(), times))
                .chain(kinds(&history))
                .collect(),
            requests,
            operations,
            acknowledged,
            records,
            linearized,
            trace: self.watcher.trace.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}
