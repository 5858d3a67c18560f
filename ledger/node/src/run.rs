//! Puts a node together, runs it until it is told to stop, and takes it down in order; it holds no rule of the ledger.
use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use ledger_proof::Genesis;
use openraft::{Config, SnapshotPolicy, async_runtime::watch::WatchReceiver, impls::BasicNode};
use proto::{
    ledger::{admin_server::AdminServer, ledger_server::LedgerServer},
    peer::peer_server::PeerServer,
};
use services_runtime::{
    grpc::{self, ServerLimits},
    health,
    shutdown::Shutdown,
    tls::{self, ClientTls, ServerTls},
};
use tokio::{net::TcpListener, time::MissedTickBehavior};
use tonic::transport::server::Router;

use crate::{
    Error, Settings,
    api::{self, Api},
    apply::{self, Apply},
    clock::Clocks,
    config::Limits,
    events,
    history::{History, HistoryWriter},
    log_store::LogStore,
    machine::Machine,
    members::{self, Used},
    network::{MESSAGE_BYTES_MAX, Network, Peer},
    peer, propose,
    raft::Raft,
    restore, seal,
    snapshot::Snapshots,
    state_store::{Cut, States},
    verify::Verifier,
};

#[cfg(test)]
mod tests;

/// How often certificate files are looked at.
const TLS_WATCH: Duration = Duration::from_secs(30);
/// How often the other nodes' clocks are asked for.
const CLOCK_EVERY: Duration = Duration::from_millis(500);
/// How often role and log size are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Runs one replica until `shutdown` is cancelled. Telemetry must have been started.
///
/// # Errors
/// Why it could not start, or ended by itself.
pub async fn run(
    settings: Settings,
    health: Option<health::State>,
    shutdown: Shutdown,
) -> Result<(), Error> {
    settings.check()?;
    let node = Node::start(&settings, &shutdown).await?;
    if let (Some(state), Some(address)) = (&health, settings.health_listen) {
        health::serve(address, state.clone(), &shutdown).await.map_err(Error::Health)?;
    }
    node.serve(&settings, &shutdown).await?;
    node.watch(&settings, health, &shutdown);
    shutdown.cancelled().await;
    node.stop().await
}

struct Threads {
    apply: JoinHandle<()>,
    seal: JoinHandle<()>,
}

struct Node {
    raft: Raft,
    network: Network,
    clocks: Clocks,
    api: Api,
    peer: peer::Service,
    states: States,
    threads: Threads,
}

impl Node {
    async fn start(settings: &Settings, shutdown: &Shutdown) -> Result<Self, Error> {
        let genesis = read_genesis(settings)?;
        let network_id = genesis.network();
        let genesis_bytes = ledger_proof::Field::to_bytes(&genesis);
        let restored = !genesis.predecessor.is_empty();
        let storage = Storage::open(settings, genesis)?;
        let Storage { log, machine, history, threads } = storage;
        let peer_client = ClientTls::load(settings.peer_tls.clone()).map_err(Error::Tls)?;
        peer_client.watch(TLS_WATCH, shutdown);
        let history_folder = settings.data.join("history");
        let network = Network { tls: peer_client, history: history_folder.clone() };
        let config = Arc::new(raft_config(&settings.limits)?);
        let (states, snapshots) = (machine.states.clone(), Arc::clone(&machine.snapshots));
        let apply = machine.apply.clone();
        let raft = Raft::new(settings.node, config, network.clone(), log, machine.clone());
        let raft = raft.await.map_err(raft_failed)?;
        initialize(&raft, settings).await?;
        let clocks = Clocks::new(settings.limits.clock_skew_ms_max);
        let (proposer, task) =
            propose::Task::new(raft.clone(), apply.clone(), clocks.clone(), &settings.limits);
        let token = shutdown.token();
        shutdown.spawn("propose", async move {
            token.run_until_cancelled(task.run()).await;
            Ok::<_, Error>(())
        });
        let verifier = Verifier::new(network_id, apply.clone());
        let source = events::Source {
            history: history.clone(),
            states: states.clone(),
            apply: apply.clone(),
            shutdown: shutdown.clone(),
        };
        let api = Api {
            node: settings.node,
            network: network_id.to_string(),
            raft: raft.clone(),
            apply,
            verifier: verifier.clone(),
            proposer,
            history,
            source,
            machine,
            used: Used::open(&settings.data)?,
            genesis: genesis_bytes.into(),
            restored,
            history_folder: history_folder.clone(),
            submit_timeout: Duration::from_millis(settings.limits.submit_timeout_ms),
        };
        let peer = peer::Service {
            raft: raft.clone(),
            verifier,
            snapshots,
            history: history_folder,
            network: network_id.to_string(),
            shutdown: shutdown.clone(),
        };
        Ok(Self { raft, network, clocks, api, peer, states, threads })
    }

    async fn serve(&self, settings: &Settings, shutdown: &Shutdown) -> Result<(), Error> {
        let clients = grpc::server(&settings.server)
            .add_service(
                LedgerServer::new(self.api.clone())
                    .max_decoding_message_size(api::REQUEST_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX),
            )
            .add_service(AdminServer::new(self.api.clone()));
        // Appends and snapshots last as long as they last.
        let limits = ServerLimits { timeout_ms: 3_600_000, ..ServerLimits::default() };
        let peers = grpc::server(&limits).add_service(
            PeerServer::new(self.peer.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
        let client_tls = ServerTls::load(settings.client_tls.clone()).map_err(Error::Tls)?;
        let peer_tls = ServerTls::load(settings.peer_tls.clone()).map_err(Error::Tls)?;
        for tls in [&client_tls, &peer_tls] {
            tls.watch(TLS_WATCH, shutdown);
        }
        listen("peers", peers, settings.peer_listen, peer_tls, settings, shutdown).await?;
        listen("clients", clients, settings.client_listen, client_tls, settings, shutdown).await
    }

    fn watch(&self, settings: &Settings, health: Option<health::State>, shutdown: &Shutdown) {
        let (raft, used) = (self.raft.clone(), self.api.used.clone());
        let (network, clocks) = (self.network.clone(), self.clocks.clone());
        let (own, token) = (settings.node, shutdown.token());
        shutdown.spawn("members", async move {
            let start = |id, peer: &str| hear(network.peer(peer, Some(1_000)), id, clocks.clone());
            let following = members::follow(raft, own, used, start);
            token.run_until_cancelled(following).await.unwrap_or(Ok(()))
        });
        let watch = Watch {
            raft: self.raft.clone(),
            clocks: self.clocks.clone(),
            history: self.api.history.clone(),
            health,
            limits: settings.limits.clone(),
            leader: None,
            apply: self.api.apply.clone(),
            snapshot_tried: (0, 0),
        };
        let token = shutdown.token();
        shutdown.spawn("watch", async move {
            token.run_until_cancelled(watch.run()).await.unwrap_or(Ok(()))
        });
    }

    /// Stops consensus, then apply, then what writes history and state.
    async fn stop(self) -> Result<(), Error> {
        self.raft.shutdown().await.map_err(raft_failed)?;
        let Self { raft, network, api, peer, states, threads, .. } = self;
        drop((raft, network, api, peer));
        // Streams that still end hold the apply thread's sender; the state may also be replayed.
        let ended = tokio::task::spawn_blocking(move || {
            let deadline = std::time::Instant::now() + Duration::from_secs(5);
            while !threads.apply.is_finished() && std::time::Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            if threads.apply.is_finished() {
                drop((threads.apply.join(), threads.seal.join()));
            }
            drop(states);
        });
        ended.await.map_err(|error| Error::Raft(error.to_string()))
    }
}

struct Storage {
    log: LogStore,
    machine: Machine,
    history: History,
    threads: Threads,
}

impl Storage {
    fn open(settings: &Settings, genesis: Genesis) -> Result<Self, Error> {
        let data = &settings.data;
        fs::create_dir_all(data).map_err(Error::file(data))?;
        bind_identity(settings, &genesis)?;
        restore::adopt(data)?;
        let states = States::open(&data.join("state"))?;
        let start = apply::Start::from(genesis, &states.store())?;
        let Cut { history: position, .. } = start.cut.clone();
        let (writer, history) = HistoryWriter::open(&data.join("history"), position)?;
        let snapshots = Arc::new(Snapshots::open(&data.join("snapshot"))?);
        let log = LogStore::open(&data.join("log"))?;
        let (seal, seal_thread): (mpsc::SyncSender<seal::Job>, _) =
            seal::start(writer, history.clone(), states.clone()).map_err(Error::file(data))?;
        let (apply, apply_thread): (Apply, _) =
            apply::start(start, states.clone(), seal, settings.limits.cut_bytes)
                .map_err(Error::file(data))?;
        let machine = Machine { apply, states, snapshots };
        let threads = Threads { apply: apply_thread, seal: seal_thread };
        Ok(Self { log, machine, history, threads })
    }
}

fn read_genesis(settings: &Settings) -> Result<Genesis, Error> {
    let path = &settings.genesis;
    let bytes = fs::read(path).map_err(Error::file(path))?;
    Genesis::read(&bytes).map_err(|source| Error::Genesis { path: path.clone(), source })
}

/// A data folder belongs to one node of one network for ever: under another id it would vote twice.
fn bind_identity(settings: &Settings, genesis: &Genesis) -> Result<(), Error> {
    let path = settings.data.join("IDENTITY");
    let identity = format!("{} {}\n", genesis.network(), settings.node);
    match fs::read_to_string(&path) {
        Ok(found) if found == identity => Ok(()),
        Ok(_) => Err(Error::Settings {
            field: "data",
            reason: "belongs to another node or network; give this node its own".to_owned(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::write(&path, identity).map_err(Error::file(&path))?;
            fs::File::open(&path).and_then(|file| file.sync_all()).map_err(Error::file(&path))
        }
        Err(error) => Err(Error::file(&path)(error)),
    }
}

fn raft_config(limits: &Limits) -> Result<Config, Error> {
    let config = Config {
        cluster_name: "causeway".to_owned(),
        heartbeat_interval: limits.heartbeat_ms,
        election_timeout_min: limits.election_ms_min,
        election_timeout_max: limits.election_ms_max,
        // Reads are bounded by bytes too; entries may be megabytes.
        max_payload_entries: 64,
        max_append_entries: Some(64),
        // Snapshots are triggered by entries and bytes.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: limits.log_entries_kept,
        // Purging follows a snapshot, which is rare enough.
        purge_batch_size: 1,
        replication_lag_threshold: u64::MAX / 2,
        install_snapshot_timeout: 3_600_000,
        enable_pre_vote: Some(true),
        ..Config::default()
    };
    config.validate().map_err(|error| Error::Raft(error.to_string()))
}

/// Every node founds the same cluster of voters; a cluster that exists stays as it is.
async fn initialize(raft: &Raft, settings: &Settings) -> Result<(), Error> {
    if settings.join || raft.is_initialized().await.map_err(raft_failed)? {
        return Ok(());
    }
    let members = settings.nodes.iter().map(|node| (node.id, BasicNode::new(&node.peer)));
    let members: BTreeMap<u64, BasicNode> = members.collect();
    match raft.initialize(members).await {
        Ok(()) => Ok(()),
        // Another node was faster.
        Err(error) if error.api_error().is_some() => Ok(()),
        Err(error) => Err(raft_failed(error)),
    }
}

async fn listen(
    name: &'static str,
    router: Router,
    address: std::net::SocketAddr,
    tls: Arc<ServerTls>,
    settings: &Settings,
    shutdown: &Shutdown,
) -> Result<(), Error> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| Error::Listen { address, source })?;
    let incoming = tls::incoming(listener, tls, &settings.listener, shutdown);
    let token = shutdown.token();
    tracing::info!(name, %address, "listening");
    shutdown.spawn(name, async move {
        let serving = router.serve_with_incoming_shutdown(incoming, token.cancelled_owned());
        serving.await.map_err(|source| Error::Serve { name, source })
    });
    Ok(())
}

/// Asks another node for its clock, again and again.
async fn hear(peer: Peer, id: u64, clocks: Clocks) {
    let mut ticks = tokio::time::interval(CLOCK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok((asked, its, ours)) = peer.clock().await {
            clocks.hear(id, asked, its, ours);
        }
    }
}

/// Follows leadership, readiness, clock and log size.
struct Watch {
    raft: Raft,
    clocks: Clocks,
    history: History,
    health: Option<health::State>,
    limits: Limits,
    leader: Option<u64>,
    apply: Apply,
    /// Entry and bytes applied when a snapshot was last asked for.
    snapshot_tried: (u64, u64),
}

impl Watch {
    async fn run(mut self) -> Result<(), Error> {
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
            if self.raft.is_leader() && !self.clocks.agree() {
                metrics::counter!("causeway_ledger_alarms_total").increment(1);
                tracing::error!("this clock disagrees with the other voters'; handing over");
                if let Some(to) = self.clocks.nearest() {
                    self.raft.trigger().transfer_leader(to).await.map_err(raft_failed)?;
                }
            }
        }
    }
}

fn raft_failed(error: impl std::fmt::Display) -> Error {
    Error::Raft(error.to_string())
}
