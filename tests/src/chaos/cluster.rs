//! Three real nodes on loopback with clients at work, and the judgement over everything they said; it leaves nothing running.
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use ledger_proof::{Digest, Field, record::Part, signature};
use ledger_types::Timestamp;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use proto::{
    LedgerClient,
    convert::{Event, RecordEvent},
    ledger::{GetRootRequest, GetStatusRequest, TransferLeaderRequest},
};
use services_cli::{
    admin::{authority::Folder, commands::found},
    args::{AddNode, NetworkNew},
    demo::processes::Service,
    network::{grow, new},
};
use tokio::{task::JoinSet, time::timeout};

use super::{
    Report,
    rig::{Needs, Rig, address},
};
use crate::{
    clients::{self, Operation, Reach, Work},
    judge::{Seen, judge},
    world::{FUNDED, Pen},
};

const PLAN: &str = include_str!("chaos.toml");
/// How long a client asks for one answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long anything may take that must come.
const LONG: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// Between two things that the operator asks for, milliseconds.
const OPERATOR_MS: u64 = 300;

/// How a cluster is made.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) seed: u64,
    pub(super) nodes: usize,
    /// Items of an envelope at most.
    pub(super) batch: usize,
    pub(super) needs: Needs,
    /// Settings of each node that differ from the usual, in its table `limits`.
    pub(super) limits: &'static [(&'static str, i64)],
    /// What the first node is started as, and under, the first time.
    pub(super) first: Option<(PathBuf, Vec<String>)>,
}

impl Setup {
    /// Three nodes on this machine as it is.
    pub(super) fn plain(seed: u64) -> Self {
        Self { seed, nodes: 3, batch: 3, needs: Needs::default(), limits: &[], first: None }
    }
}

/// A running cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) folder: Folder,
    pub(super) operator: LedgerClient,
    pub(super) nodes: Vec<Service>,
    /// Places of nodes that left for ever.
    gone: BTreeSet<usize>,
    /// The clients' way to the nodes.
    reach: Reach,
    work: Arc<Work>,
    clients: JoinSet<()>,
    /// The operator, who is no client: nobody waits for what it is told.
    operating: JoinSet<()>,
    start: Instant,
    founding: u64,
    /// After the nodes, so that they have ended when it goes.
    pub(super) rig: Rig,
    directory: tempfile::TempDir,
}

impl Cluster {
    /// Starts and founds a cluster with funded accounts.
    pub(super) async fn start(setup: Setup) -> anyhow::Result<Self> {
        let mut this = Self::launch(setup)?;
        this.found().await?;
        Ok(this)
    }

    /// Starts the nodes of a new cluster.
    pub(super) fn launch(setup: Setup) -> anyhow::Result<Self> {
        let mut directory = tempfile::Builder::new().prefix("causeway-chaos-").tempdir()?;
        // What went wrong can be looked at; a clean verdict lets it go.
        directory.disable_cleanup(true);
        let mut folder = network(directory.path(), setup.nodes)?;
        limit(&folder, setup.nodes, setup.limits)?;
        let rig = Rig::fit(setup.needs, setup.nodes, &mut folder, directory.path())?;
        let logs = directory.path().join("logs");
        std::fs::create_dir_all(&logs)?;
        let mut nodes = Vec::new();
        for node in 1..=setup.nodes {
            let config = folder.path.join(format!("nodes/{node}/node.toml"));
            let mut service = Service::new("ledger", &format!("ledger-{node}"), &config, &logs)?;
            let first = setup.first.clone().filter(|_| node == 1);
            let (program, under) = first.map_or_else(
                || Ok::<_, anyhow::Error>((rig.program()?, rig.under(node - 1))),
                Ok,
            )?;
            service.become_at_next_start(program, under);
            service.resume()?;
            nodes.push(service);
        }
        let operator = folder.client("operator/client", PATIENCE)?;
        let start = Instant::now();
        let pen = pen(&folder, setup.seed)?;
        let work =
            Arc::new(Work::new(setup.seed, pen, setup.batch, move || micros(start.elapsed())));
        let (clients, operating) = (JoinSet::new(), JoinSet::new());
        let founding = 0;
        let (gone, reach) = (BTreeSet::new(), Arc::new(RwLock::new(operator.clone())));
        Ok(Self {
            folder,
            operator,
            nodes,
            gone,
            reach,
            work,
            clients,
            operating,
            start,
            founding,
            rig,
            directory,
        })
    }

    /// Founds the network, opens accounts, funds them and sets what exchanges need.
    pub(super) async fn found(&mut self) -> anyhow::Result<()> {
        self.leader().await?;
        self.founding = found(&self.folder).await?;
        let opening = self.work.pen.lock().expect("no client panicked").opening();
        clients::prepare(&self.work, &self.operator, opening).await;
        Ok(())
    }

    /// Lets so many clients work, with pauses up to `pause_ms`.
    pub(super) fn load(&mut self, clients: usize, pause_ms: u64) {
        for number in self.clients.len() + 1..=clients {
            let client = (number, Arc::clone(&self.reach));
            self.clients.spawn(clients::client(Arc::clone(&self.work), client, pause_ms));
        }
        if self.operating.is_empty() {
            let reach = Arc::clone(&self.reach);
            self.operating.spawn(clients::operator(Arc::clone(&self.work), reach, OPERATOR_MS));
        }
    }

    /// Places of the nodes that belong to the cluster.
    pub(super) fn present(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|place| !self.gone.contains(place))
    }

    /// Ends a node that left for ever.
    pub(super) fn leave(&mut self, place: usize) -> anyhow::Result<()> {
        self.gone.insert(place);
        self.nodes[place].kill()
    }

    /// Makes and starts one more node, whose place it gives; `lost` nodes will not be asked.
    pub(super) fn grow(&mut self, lost: &[usize]) -> anyhow::Result<usize> {
        let gone = self.gone.iter().chain(lost).map(|place| *place as u64 + 1);
        let without: BTreeSet<u64> = gone.collect();
        grow::run(&AddNode {
            folder: self.folder.path.clone(),
            without: without.into_iter().collect(),
            hosts: ["localhost", "127.0.0.1"].map(str::to_owned).to_vec(),
        })?;
        self.folder = Folder::read(&self.folder.path)?;
        self.operator = self.folder.client("operator/client", PATIENCE)?;
        *self.reach.write().expect("no client panicked") = self.operator.clone();
        let node = self.nodes.len() + 1;
        let config = self.folder.path.join(format!("nodes/{node}/node.toml"));
        let logs = self.directory.path().join("logs");
        self.nodes.push(Service::start("ledger", &format!("ledger-{node}"), &config, &logs)?);
        Ok(node - 1)
    }

    /// The node that leads, its place from 0.
    pub(super) async fn leader(&self) -> anyhow::Result<usize> {
        let until = Instant::now() + LONG;
        loop {
            for place in self.present() {
                if self.status(place).await.is_some_and(|(role, _)| role == "leader") {
                    return Ok(place);
                }
            }
            ensure!(Instant::now() < until, "no leader in {LONG:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Role and records of a node that answers.
    pub(super) async fn status(&self, place: usize) -> Option<(String, u64)> {
        let mut admin = self.operator.admin(place + 1).ok()?;
        let call = timeout(Duration::from_millis(500), admin.get_status(GetStatusRequest {}));
        let status = call.await.ok()?.ok()?.into_inner();
        Some((status.role, status.records))
    }

    /// The term of the node that leads.
    pub(super) async fn term(&self) -> anyhow::Result<u64> {
        let mut admin = self.operator.admin(self.leader().await? + 1)?;
        let call = timeout(LONG, admin.get_status(GetStatusRequest {}));
        Ok(call.await??.into_inner().term)
    }

    /// The process of a node that runs.
    pub(super) fn process(&self, place: usize) -> anyhow::Result<u32> {
        self.nodes[place].id().context("the node does not run")
    }

    pub(super) fn signal(&self, place: usize, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.process(place)?)?), signal)?)
    }

    /// Waits until a node has what the leader had at the call.
    pub(super) async fn caught_up(&self, place: usize) -> anyhow::Result<()> {
        let leader = self.leader().await?;
        let (_, records) = self.status(leader).await.context("the leader is silent")?;
        let until = Instant::now() + LONG;
        while self.status(place).await.is_none_or(|(_, has)| has < records) {
            ensure!(Instant::now() < until, "node {} stays behind", place + 1);
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Asks whoever leads to let a node lead, once; it may not be able to.
    pub(super) async fn hand_over(&self, place: usize) -> anyhow::Result<()> {
        let to = u64::try_from(place + 1)?;
        let mut admin = self.operator.admin(self.leader().await? + 1)?;
        let call = admin.transfer_leader(TransferLeaderRequest { to });
        // A node that has just come back may be behind, or gone again.
        drop(timeout(Duration::from_secs(1), call).await);
        Ok(())
    }

    /// How long each request took that was asked after `since` and answered.
    pub(super) fn latencies(&self, since: Duration) -> Vec<Duration> {
        self.work.latencies(micros(since)).into_iter().map(Duration::from_micros).collect()
    }

    /// Waits until a node that leads has made some more snapshots: then whoever was away needs one.
    pub(super) async fn snapshots_pass(&self, leader: usize) -> anyhow::Result<()> {
        let folder = self.folder.path.join(format!("nodes/{}/data/snapshot", leader + 1));
        let newest = || {
            let names = std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
            names.filter_map(|name| name.file_name().to_str()?.parse::<u64>().ok()).max()
        };
        let (first, until) = (newest().unwrap_or(0), Instant::now() + LONG);
        while newest().unwrap_or(0) < first + 8 {
            ensure!(Instant::now() < until, "no snapshots in {}", folder.display());
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// When something asked after `since` was answered, if it was.
    pub(super) fn answered(&self, since: Duration) -> Option<Duration> {
        let first = self.work.answered_after(micros(since))?;
        Some(Duration::from_micros(first).saturating_sub(since))
    }

    /// Whether an envelope that was sent after `since` was answered.
    pub(super) fn booked(&self, since: Duration) -> bool {
        self.work.booked_after(micros(since))
    }

    /// Since the cluster's start.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Waits until something asked after `since` is answered.
    pub(super) async fn served(&self, since: Duration) -> anyhow::Result<Duration> {
        let until = Instant::now() + LONG;
        loop {
            if let Some(waited) = self.answered(since) {
                return Ok(waited);
            }
            ensure!(Instant::now() < until, "no service for {LONG:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until every client is answered again, and gives how long each had to wait.
    pub(super) async fn waits(&self, since: Duration) -> anyhow::Result<Vec<Duration>> {
        let until = Instant::now() + LONG;
        loop {
            if let Some(waits) = self.work.waits(self.clients.len(), micros(since)) {
                return Ok(waits.into_iter().map(Duration::from_micros).collect());
            }
            ensure!(Instant::now() < until, "a client was not served for {LONG:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Stops the clients, waits until every node has everything, and judges; what was found before
    /// counts too.
    pub(super) async fn verdict(&mut self, found: Vec<String>) -> anyhow::Result<Report> {
        let worked = self.now();
        self.work.stop();
        while let Some(ended) = self.clients.join_next().await {
            ended.context("a client panicked")?;
        }
        while let Some(ended) = self.operating.join_next().await {
            ended.context("the operator panicked")?;
        }
        // What is pending expires, so that everything has its end.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (records, root) = self.agreed().await?;
        let mut wrong = found;
        let mut seen: Vec<(Seen, [Digest; 6])> = Vec::new();
        for place in self.present() {
            let (first, mut differs) = (seen.is_empty(), false);
            let told = |record: RecordEvent| {
                if first {
                    let shared = record.part(Part::Shared).map(|part| part.to_vec());
                    let shared = shared.unwrap_or_default();
                    seen.push((Seen { kind: record.kind, at: record.at, shared }, record.digests));
                    return;
                }
                let same = usize::try_from(record.sequence).ok().and_then(|at| seen.get(at));
                differs |= same.is_none_or(|(_, digests)| *digests != record.digests);
            };
            self.stream(place, records, told).await?;
            if differs {
                wrong.push(format!("node {} tells other records", place + 1));
            }
        }
        let read = |sequence: u64| {
            let at = usize::try_from(sequence).map_err(|error| error.to_string())?;
            Ok(seen[at].0.clone())
        };
        let history = self.work.history();
        let verdict = judge(records, self.founding, read, &history);
        wrong.extend(verdict.wrong);
        if root == [0; 32] {
            wrong.push("the root is empty".to_owned());
        }
        let sum = |of: fn(&Operation) -> u64| -> u64 { history.iter().map(of).sum() };
        let acknowledged = sum(Operation::acknowledged);
        self.directory.disable_cleanup(!wrong.is_empty());
        Ok(Report {
            requests: u64::try_from(history.len())?,
            operations: sum(Operation::items),
            acknowledged,
            acknowledged_per_s: acknowledged / worked.as_secs().max(1),
            records,
            expired_and_refused: (verdict.expiries, verdict.refusals),
            linearized: verdict.linearized,
            violations: wrong,
            kept: self.directory.path().to_owned(),
            ..Report::default()
        })
    }

    /// Waits until all nodes have the same records and root.
    pub(super) async fn agreed(&self) -> anyhow::Result<(u64, Digest)> {
        let until = Instant::now() + LONG;
        loop {
            let mut found = Vec::new();
            for place in self.present() {
                found.extend(self.root(place, 0).await);
            }
            let same = found.windows(2).all(|pair| pair[0] == pair[1]);
            if same && found.len() == self.present().count() {
                return Ok(found[0]);
            }
            ensure!(Instant::now() < until, "the nodes do not agree: {found:?}");
            tokio::time::sleep(POLL * 10).await;
        }
    }

    /// A node's root over `records`, 0 for all: (records, root).
    pub(super) async fn root(&self, place: usize, records: u64) -> Option<(u64, Digest)> {
        let mut admin = self.operator.admin(place + 1).ok()?;
        let call = timeout(Duration::from_secs(1), admin.get_root(GetRootRequest { records }));
        let root = call.await.ok()?.ok()?.into_inner();
        Some((root.records, root.root.as_ref().try_into().ok()?))
    }

    /// Gives the first `records` records as one node tells them.
    pub(super) async fn stream(
        &self,
        place: usize,
        records: u64,
        mut each: impl FnMut(RecordEvent),
    ) -> anyhow::Result<()> {
        let mut folder = Folder::read(&self.folder.path)?;
        folder.endpoints = vec![self.folder.endpoints[place].clone()];
        let client = folder.client("operator/client", PATIENCE)?;
        let mut events = client.events(0, true).await?;
        let mut seen = 0;
        while seen < records {
            match timeout(PATIENCE, events.next()).await?.context("the stream ended")?? {
                Event::Record(record) => {
                    seen += 1;
                    each(*record);
                }
                Event::Heartbeat { records: has, .. } => {
                    ensure!(has <= records || seen < has, "records are missing");
                }
            }
        }
        Ok(())
    }

    /// The end of a node's log file, for reports.
    pub(super) fn said(&self, place: usize) -> String {
        let path = self.directory.path().join(format!("logs/ledger-{}.log", place + 1));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().last().unwrap_or_default().to_owned()
    }
}

fn micros(of: Duration) -> u64 {
    u64::try_from(of.as_micros()).unwrap_or(u64::MAX)
}

/// The folder of a new network.
fn network(directory: &Path, nodes: usize) -> anyhow::Result<Folder> {
    let (plan, path) = (directory.join("chaos.toml"), directory.join("network"));
    std::fs::write(&plan, PLAN)?;
    let own = (0..nodes).map(address);
    new::run(&NetworkNew {
        folder: path.clone(),
        plan: Some(plan),
        nodes: nodes.to_string(),
        hosts: ["localhost", "127.0.0.1"].map(str::to_owned).into_iter().chain(own).collect(),
        database_url: "postgres://localhost/none".to_owned(),
        sdn: None,
        alt: None,
    })?;
    Folder::read(&path)
}

/// Writes limits into each node's settings.
fn limit(folder: &Folder, nodes: usize, limits: &[(&str, i64)]) -> anyhow::Result<()> {
    for node in (1..=nodes).filter(|_| !limits.is_empty()) {
        let file = folder.path.join(format!("nodes/{node}/node.toml"));
        let mut settings: toml::Table = std::fs::read_to_string(&file)?.parse()?;
        let limits = limits.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
        settings.insert("limits".to_owned(), toml::Value::Table(limits.collect()));
        std::fs::write(&file, toml::to_string(&settings)?)?;
    }
    Ok(())
}

fn pen(folder: &Folder, seed: u64) -> anyhow::Result<Pen> {
    let network = folder.genesis.network();
    let micros = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_micros();
    let now = Timestamp::from_micros(u64::try_from(micros)?);
    let valid_until = now.plus_micros(12 * 3_600_000_000);
    let mut keys = std::collections::BTreeMap::new();
    for author in [0, 1, 10, 11, 20].map(ledger_types::ParticipantId) {
        keys.insert(author, folder.keys(author)?);
    }
    Ok(Pen::new(
        seed,
        FUNDED,
        now,
        Box::new(move |author, request, items| {
            let kind = items[0].kind();
            let head = signature::Request {
                network,
                author,
                request,
                valid_until,
                kind,
                all_or_nothing: false,
            };
            let encoded: Vec<Vec<u8>> = items.iter().map(Field::to_bytes).collect();
            signature::sign(&head, &encoded, &keys[&author].iter().collect::<Vec<_>>())
        }),
    ))
}
