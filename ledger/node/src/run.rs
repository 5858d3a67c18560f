//! Puts a node together, runs it until it is told to stop, and takes it down in order; it holds no rule of the ledger.
mod watch;

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use ledger_proof::Genesis;
use openraft::{Config, SnapshotPolicy, impls::BasicNode};
use proto::{
    ledger::{admin_server::AdminServer, ledger_server::LedgerServer},
    peer::peer_server::PeerServer,
};
use services_runtime::{
    grpc::{self, ServerLimits},
    health,
    shutdown::Shutdown,
    telemetry,
    tls::{self, ClientTls, ServerTls},
    trace::Tracer,
};
use tokio::net::TcpListener;
use tonic::{service::interceptor::InterceptedService, transport::server::Router};

use crate::{
    Error, Settings,
    api::{self, Api, Door},
    clock::Clocks,
    config::Limits,
    divergence::Comparisons,
    events,
    hello::Greeter,
    host, measure,
    members::{self, Used},
    network::{Dial, MESSAGE_BYTES_MAX, NODE_ROLE, Network},
    peer,
    propose::{self, Room, Shares},
    raft::Raft,
    room::Rooms,
    state_store::States,
    storage::{Storage, Workers},
    verify::{Added, Verifier},
};

#[cfg(test)]
mod tests;

/// How often certificate files are looked at.
const TLS_WATCH: Duration = Duration::from_secs(30);
/// How often a new node asks others that do not answer yet.
const GREET_EVERY: Duration = Duration::from_millis(100);

/// What must hold before a node is ready, by name: it knows a leader, what is committed is applied or
/// moves, and each disk in use has room.
pub const CONDITIONS: [&str; 3] = ["leader", "applied", "room"];

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
    telemetry::describe(measure::METRICS);
    let tls = ClientTls::load(settings.peer_tls.clone()).map_err(Error::Tls)?;
    tls.watch(TLS_WATCH, &shutdown);
    let dial = Dial::new(move |address, limits| {
        tls.channel(address, NODE_ROLE, limits).map_err(|error| error.to_string())
    });
    let opened = Opened::new(&settings, dial, &shutdown)?;
    serve_peers(opened.peer.clone(), &settings, &shutdown).await?;
    let node = Node::join(opened, &settings, &shutdown).await?;
    if let (Some(state), Some(address)) = (&health, settings.health_listen) {
        health::serve(address, state.clone(), &shutdown).await.map_err(Error::Health)?;
    }
    node.serve(&settings, &shutdown).await?;
    node.watch(&settings, health, &shutdown);
    shutdown.cancelled().await;
    node.stop().await
}

/// A node that takes part.
pub(crate) struct Node {
    pub(crate) raft: Raft,
    network: Network,
    clocks: Clocks,
    comparisons: Comparisons,
    rooms: Rooms,
    pub(crate) api: Api,
    states: States,
    workers: Workers,
}

/// A node whose data is open and that can say who it is, but takes no part yet.
pub(crate) struct Opened {
    pub(crate) peer: peer::Service,
    network: Network,
    storage: Storage,
}

impl Opened {
    /// Opens a node's data.
    ///
    /// # Errors
    /// When any of it is damaged, another's, or less than this node promised.
    pub(crate) fn new(settings: &Settings, dial: Dial, shutdown: &Shutdown) -> Result<Self, Error> {
        let genesis = read_genesis(settings)?;
        let network_id = genesis.network();
        let storage = Storage::open(settings, genesis)?;
        let (greeter, history) = (storage.greeter.clone(), settings.data.join("history"));
        let network = Network { dial, history: history.clone(), greeter: greeter.clone() };
        let peer = peer::Service {
            raft: Arc::default(),
            greeter,
            records: storage.history.clone(),
            rooms: Rooms::new(settings.disks(), settings.limits.free_bytes_min),
            verifier: Verifier::new(network_id, storage.machine.apply.clone()),
            added: Added { apply: storage.machine.apply.clone(), log: storage.log.clone() },
            snapshots: Arc::clone(&storage.machine.snapshots),
            history,
            network: network_id.to_string(),
            shutdown: shutdown.clone(),
        };
        Ok(Self { peer, network, storage })
    }
}

impl Node {
    /// Says hello to the others, then takes part.
    ///
    /// # Errors
    /// When another node refuses this one, or consensus cannot start.
    pub(crate) async fn join(
        opened: Opened,
        settings: &Settings,
        shutdown: &Shutdown,
    ) -> Result<Self, Error> {
        let Opened { peer, network, storage } = opened;
        let Storage { greeter, log, machine, history, workers } = storage;
        let genesis = read_genesis(settings)?;
        greet(&network, &greeter, settings).await?;
        let config = Arc::new(raft_config(&settings.limits)?);
        let (states, apply) = (machine.states.clone(), machine.apply.clone());
        let raft = Raft::new(settings.node, config, network.clone(), log, machine.clone());
        let raft = raft.await.map_err(raft_failed)?;
        let raft = peer.raft.get_or_init(|| raft).clone();
        initialize(&raft, settings).await?;
        let clocks = Clocks::new(settings.limits.clock_skew_ms_max);
        let rooms = peer.rooms.clone();
        let minds = (clocks.clone(), rooms.clone());
        let (proposer, task) =
            propose::Task::new(raft.clone(), apply.clone(), minds, &settings.limits);
        let token = shutdown.token();
        let proposing = host::seeded(async move {
            token.run_until_cancelled(task.run()).await;
            Ok::<_, Error>(())
        });
        shutdown.spawn("propose", proposing);
        let source = events::Source {
            history: history.clone(),
            states: states.clone(),
            apply: apply.clone(),
            turns: events::Turns::new(),
            shutdown: shutdown.clone(),
        };
        let api = Api {
            node: settings.node,
            network: peer.network,
            raft: raft.clone(),
            apply,
            verifier: peer.verifier,
            proposer,
            reads: Shares::new(Room { envelopes: settings.limits.reads, bytes: 0 }),
            streams: Shares::new(Room { envelopes: settings.limits.streams, bytes: 0 }),
            history,
            source,
            machine,
            used: Used::open(&settings.data)?,
            genesis: ledger_proof::Field::to_bytes(&genesis).into(),
            restored: !genesis.predecessor.is_empty(),
            history_folder: settings.data.join("history"),
            submit_timeout: Duration::from_millis(settings.limits.submit_timeout_ms),
            tracer: Tracer::new(&settings.telemetry, "causeway-ledger", settings.node, shutdown)
                .map_err(Error::Telemetry)?,
        };
        let comparisons = Comparisons::default();
        Ok(Self { raft, network, clocks, comparisons, rooms, api, states, workers })
    }

    async fn serve(&self, settings: &Settings, shutdown: &Shutdown) -> Result<(), Error> {
        let clients = client_router(&settings.server, self.api.clone());
        let tls = ServerTls::load(settings.client_tls.clone()).map_err(Error::Tls)?;
        tls.watch(TLS_WATCH, shutdown);
        listen("clients", clients, settings.client_listen, tls, settings, shutdown).await
    }

    /// Looks after the node again and again until `shutdown`.
    pub(crate) fn watch(
        &self,
        settings: &Settings,
        health: Option<health::State>,
        shutdown: &Shutdown,
    ) {
        let (raft, used) = (self.raft.clone(), self.api.used.clone());
        let (own, token) = (settings.node, shutdown.token());
        let (network, clocks) = (self.network.clone(), self.clocks.clone());
        let (comparisons, history) = (self.comparisons.clone(), self.api.history.clone());
        let rooms = self.rooms.clone();
        let following = host::seeded(async move {
            let start = |node, peer: &str| {
                let pulses = watch::Pulses {
                    node,
                    peer: network.peer(node, peer, Some(1_000)),
                    clocks: clocks.clone(),
                    comparisons: comparisons.clone(),
                    rooms: rooms.clone(),
                    history: history.clone(),
                };
                host::seeded(pulses.run())
            };
            let following = members::follow(raft, own, used, start);
            token.run_until_cancelled(following).await.unwrap_or(Ok(()))
        });
        shutdown.spawn("members", following);
        let watch = watch::Watch {
            raft: self.raft.clone(),
            clocks: self.clocks.clone(),
            comparisons: self.comparisons.clone(),
            rooms: self.rooms.clone(),
            history: self.api.history.clone(),
            health,
            limits: settings.limits.clone(),
            leader: None,
            apply: self.api.apply.clone(),
            snapshot_tried: (0, 0),
            moved: (0, None),
            proposer: self.api.proposer.clone(),
        };
        let token = shutdown.token();
        let watching =
            host::seeded(
                async move { token.run_until_cancelled(watch.run()).await.unwrap_or(Ok(())) },
            );
        shutdown.spawn("watch", watching);
    }

    /// Stops consensus, then apply, then what writes history and state.
    async fn stop(self) -> Result<(), Error> {
        self.raft.shutdown().await.map_err(raft_failed)?;
        let Self { raft, network, api, states, workers, .. } = self;
        drop((raft, network, api));
        // Streams that still end hold the apply thread's sender; the state may also be replayed.
        let ended = tokio::task::spawn_blocking(move || {
            let deadline = std::time::Instant::now() + Duration::from_secs(5);
            while !workers.apply.is_finished() && std::time::Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            if workers.apply.is_finished() {
                workers.apply.join();
                workers.seal.join();
            }
            if workers.log.is_finished() {
                workers.log.join();
            }
            drop(states);
        });
        ended.await.map_err(|error| Error::Raft(error.to_string()))
    }
}

fn read_genesis(settings: &Settings) -> Result<Genesis, Error> {
    let path = &settings.genesis;
    let bytes = fs::read(path).map_err(Error::file(path))?;
    Genesis::read(&bytes).map_err(|source| Error::Genesis { path: path.clone(), source })
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
        // A leader sends entries before its own disk has them. Back without an election, it would
        // write others in their place in the same term.
        enable_leader_restore: Some(false),
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

/// Answers other nodes; before consensus has started, only who this node is.
async fn serve_peers(
    peer: peer::Service,
    settings: &Settings,
    shutdown: &Shutdown,
) -> Result<(), Error> {
    let tls = ServerTls::load(settings.peer_tls.clone()).map_err(Error::Tls)?;
    tls.watch(TLS_WATCH, shutdown);
    listen("peers", peer_router(peer), settings.peer_listen, tls, settings, shutdown).await
}

/// What participants and the operator may call.
pub(crate) fn client_router(limits: &ServerLimits, api: Api) -> Router {
    grpc::server(limits)
        .add_service(InterceptedService::new(
            LedgerServer::new(api.clone())
                .max_decoding_message_size(api::MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
            Door(api.clone()),
        ))
        .add_service(AdminServer::new(api))
}

/// What other nodes may call.
pub(crate) fn peer_router(peer: peer::Service) -> Router {
    // Appends and snapshots last as long as they last.
    let limits = ServerLimits { timeout_ms: 3_600_000, ..ServerLimits::default() };
    grpc::server(&limits).add_service(
        PeerServer::new(peer)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
    )
}

/// Says hello to the other nodes before this one votes or acknowledges anything. One with an empty
/// disk waits for those that may know that its id had another: a founder for all, since all must be
/// up to found; one that joins for a majority, of which any other majority has a part.
async fn greet(network: &Network, greeter: &Greeter, settings: &Settings) -> Result<(), Error> {
    let mut others: Vec<_> =
        settings.nodes.iter().filter(|other| other.id != settings.node).collect();
    let mut wanted = match (greeter.is_new(), settings.join) {
        (false, _) => 0,
        (true, false) => others.len(),
        (true, true) => others.len() / 2 + 1,
    };
    loop {
        let mut silent = Vec::new();
        for other in others {
            let peer = network.peer(other.id, &other.peer, Some(1_000));
            let Ok(welcome) = peer.hello().await else {
                silent.push(other);
                continue;
            };
            wanted = wanted.saturating_sub(1);
            if let Some(refusal) = welcome.refusal {
                return Err(Error::Refused { node: other.id, reason: refusal.to_string() });
            }
            // A node that must not take part is not ours to stop for.
            if let Err(refusal) = greeter.judge(&welcome.hello) {
                metrics::counter!("causeway_ledger_alarms_total").increment(1);
                tracing::error!(node = other.id, %refusal, "another node must not take part");
            }
        }
        if wanted == 0 {
            return Ok(());
        }
        others = silent;
        tokio::time::sleep(GREET_EVERY).await;
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

fn raft_failed(error: impl std::fmt::Display) -> Error {
    Error::Raft(error.to_string())
}
