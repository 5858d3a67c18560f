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
    tls::{self, ClientTls, ServerTls},
};
use tokio::net::TcpListener;
use tonic::transport::server::Router;

use crate::{
    Error, Settings,
    api::{self, Api},
    clock::Clocks,
    config::Limits,
    divergence::Comparisons,
    events,
    hello::Greeter,
    members::{self, Used},
    network::{MESSAGE_BYTES_MAX, Network},
    peer, propose,
    raft::Raft,
    state_store::States,
    storage::{Storage, Workers},
    verify::Verifier,
};

#[cfg(test)]
mod tests;

/// How often certificate files are looked at.
const TLS_WATCH: Duration = Duration::from_secs(30);
/// How often a new node asks others that do not answer yet.
const GREET_EVERY: Duration = Duration::from_millis(100);

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

struct Node {
    raft: Raft,
    network: Network,
    clocks: Clocks,
    comparisons: Comparisons,
    api: Api,
    states: States,
    workers: Workers,
}

impl Node {
    async fn start(settings: &Settings, shutdown: &Shutdown) -> Result<Self, Error> {
        let genesis = read_genesis(settings)?;
        let network_id = genesis.network();
        let genesis_bytes = ledger_proof::Field::to_bytes(&genesis);
        let restored = !genesis.predecessor.is_empty();
        let storage = Storage::open(settings, genesis)?;
        let Storage { greeter, log, machine, history, workers } = storage;
        let tls = ClientTls::load(settings.peer_tls.clone()).map_err(Error::Tls)?;
        tls.watch(TLS_WATCH, shutdown);
        let history_folder = settings.data.join("history");
        let network = Network { tls, history: history_folder.clone(), greeter: greeter.clone() };
        let (states, apply) = (machine.states.clone(), machine.apply.clone());
        let verifier = Verifier::new(network_id, apply.clone());
        let peer = peer::Service {
            raft: Arc::default(),
            greeter: greeter.clone(),
            records: history.clone(),
            verifier: verifier.clone(),
            snapshots: Arc::clone(&machine.snapshots),
            history: history_folder.clone(),
            network: network_id.to_string(),
            shutdown: shutdown.clone(),
        };
        let consensus = Arc::clone(&peer.raft);
        serve_peers(peer, settings, shutdown).await?;
        greet(&network, &greeter, settings).await?;
        let config = Arc::new(raft_config(&settings.limits)?);
        let raft = Raft::new(settings.node, config, network.clone(), log, machine.clone());
        let raft = raft.await.map_err(raft_failed)?;
        let raft = consensus.get_or_init(|| raft).clone();
        initialize(&raft, settings).await?;
        let clocks = Clocks::new(settings.limits.clock_skew_ms_max);
        let (proposer, task) =
            propose::Task::new(raft.clone(), apply.clone(), clocks.clone(), &settings.limits);
        let token = shutdown.token();
        shutdown.spawn("propose", async move {
            token.run_until_cancelled(task.run()).await;
            Ok::<_, Error>(())
        });
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
            verifier,
            proposer,
            history,
            source,
            machine,
            used: Used::open(&settings.data)?,
            genesis: genesis_bytes.into(),
            restored,
            history_folder,
            submit_timeout: Duration::from_millis(settings.limits.submit_timeout_ms),
        };
        let comparisons = Comparisons::default();
        Ok(Self { raft, network, clocks, comparisons, api, states, workers })
    }

    async fn serve(&self, settings: &Settings, shutdown: &Shutdown) -> Result<(), Error> {
        let clients = grpc::server(&settings.server)
            .add_service(
                LedgerServer::new(self.api.clone())
                    .max_decoding_message_size(api::REQUEST_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX),
            )
            .add_service(AdminServer::new(self.api.clone()));
        let tls = ServerTls::load(settings.client_tls.clone()).map_err(Error::Tls)?;
        tls.watch(TLS_WATCH, shutdown);
        listen("clients", clients, settings.client_listen, tls, settings, shutdown).await
    }

    fn watch(&self, settings: &Settings, health: Option<health::State>, shutdown: &Shutdown) {
        let (raft, used) = (self.raft.clone(), self.api.used.clone());
        let (own, token) = (settings.node, shutdown.token());
        let (network, clocks) = (self.network.clone(), self.clocks.clone());
        let (comparisons, history) = (self.comparisons.clone(), self.api.history.clone());
        shutdown.spawn("pulse", async move {
            let start = |node, peer: &str| {
                let pulses = watch::Pulses {
                    node,
                    peer: network.peer(node, peer, Some(1_000)),
                    clocks: clocks.clone(),
                    comparisons: comparisons.clone(),
                    history: history.clone(),
                };
                pulses.run()
            };
            let following = members::follow(raft, own, used, start);
            token.run_until_cancelled(following).await.unwrap_or(Ok(()))
        });
        let watch = watch::Watch {
            raft: self.raft.clone(),
            clocks: self.clocks.clone(),
            comparisons: self.comparisons.clone(),
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
    // Appends and snapshots last as long as they last.
    let limits = ServerLimits { timeout_ms: 3_600_000, ..ServerLimits::default() };
    let peers = grpc::server(&limits).add_service(
        PeerServer::new(peer)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
    );
    let tls = ServerTls::load(settings.peer_tls.clone()).map_err(Error::Tls)?;
    tls.watch(TLS_WATCH, shutdown);
    listen("peers", peers, settings.peer_listen, tls, settings, shutdown).await
}

/// Says hello to every other node before this one votes or acknowledges anything. A node with an
/// empty disk waits for all of them: one that cannot be heard may know that this id had another.
async fn greet(network: &Network, greeter: &Greeter, settings: &Settings) -> Result<(), Error> {
    let new = greeter.is_new();
    for other in settings.nodes.iter().filter(|other| other.id != settings.node) {
        let peer = network.peer(other.id, &other.peer, Some(1_000));
        let welcome = loop {
            match peer.hello().await {
                Ok(welcome) => break Some(welcome),
                Err(_) if new => tokio::time::sleep(GREET_EVERY).await,
                Err(_) => break None,
            }
        };
        let Some(welcome) = welcome else { continue };
        let refused = |reason: String| Error::Refused { node: other.id, reason };
        if let Some(refusal) = welcome.refusal {
            return Err(refused(refusal.to_string()));
        }
        if let Err(refusal) = greeter.judge(&welcome.hello) {
            let reason = format!("will not go on with it, which {refusal}");
            return Err(refused(reason));
        }
    }
    Ok(())
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
