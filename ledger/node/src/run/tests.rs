//! Three real nodes on loopback: they elect, answer, agree on the root, survive their leader, and start again from disk.
use std::{net::SocketAddr, path::Path, time::Duration};

use futures_util::StreamExt;
use proto::{
    LedgerClient,
    convert::{Event, Submitted},
    ledger as wire,
};
use services_runtime::{
    grpc::ClientLimits,
    shutdown::{Outcome, Shutdown},
    tls::{ClientTls, install_default_provider},
};

use crate::{
    Limits, Node, Settings,
    rows::{Kind, Rows},
    testing::{Ca, admit, genesis, operator_key},
};

/// How to stop a replica, and how it ended.
type Running = (Shutdown, tokio::task::JoinHandle<Result<(), crate::Error>>);

struct Cluster {
    settings: Vec<Settings>,
    running: Vec<Option<Running>>,
    client: LedgerClient,
}

fn free() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

impl Cluster {
    fn new(folder: &Path) -> Self {
        install_default_provider();
        let genesis = genesis();
        let network = genesis.network();
        std::fs::write(folder.join("genesis.bin"), ledger_proof::Field::to_bytes(&genesis))
            .unwrap();
        let (peers, clients) = (Ca::new(), Ca::new());
        let addresses: Vec<_> = (1..=3_u64).map(|id| (id, free(), free())).collect();
        let nodes: Vec<Node> = addresses
            .iter()
            .map(|(id, peer, client)| Node {
                id: *id,
                peer: format!("https://{peer}"),
                client: format!("https://{client}"),
            })
            .collect();
        let settings = addresses.iter().map(|(id, peer, client)| Settings {
            node: *id,
            genesis: folder.join("genesis.bin"),
            data: folder.join(format!("data-{id}")),
            client_listen: *client,
            peer_listen: *peer,
            guard: None,
            health_listen: None,
            nodes: nodes.clone(),
            join: false,
            client_tls: clients.files(folder, network, "node", *id),
            peer_tls: peers.files(folder, network, "node", *id),
            limits: Limits { snapshot_entries: 20, log_entries_kept: 5, ..Limits::default() },
            server: Default::default(),
            listener: Default::default(),
            telemetry: Default::default(),
        });
        let tls = ClientTls::load(clients.files(folder, network, "operator", 1)).unwrap();
        let endpoints: Vec<_> = nodes.iter().map(|node| node.client.clone()).collect();
        let channels = tls.channels(&endpoints, "node", &ClientLimits::default()).unwrap();
        Self {
            settings: settings.collect(),
            running: (0..3).map(|_| None).collect(),
            client: LedgerClient::new(channels, Duration::from_secs(20)),
        }
    }

    fn start(&mut self, at: usize) {
        let shutdown = Shutdown::new();
        let run = crate::run(self.settings[at].clone(), None, shutdown.clone());
        self.running[at] = Some((shutdown, tokio::spawn(run)));
    }

    async fn stop(&mut self, at: usize) {
        if let Some((shutdown, running)) = self.running[at].take() {
            shutdown.cancel();
            running.await.unwrap().unwrap();
            assert_eq!(shutdown.wait(Duration::from_secs(10)).await, Outcome::Clean);
        }
    }

    /// Starts a node that must end by itself, and gives why it did.
    async fn refused(&mut self, at: usize) -> crate::Error {
        self.start(at);
        let (shutdown, running) = self.running[at].take().unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(20), running).await;
        let error = ended.expect("the node ends by itself").unwrap().unwrap_err();
        // A process would end here.
        shutdown.cancel();
        assert_eq!(shutdown.wait(Duration::from_secs(10)).await, Outcome::Clean);
        let data = &self.settings[at].data;
        for (folder, kind) in [("log", Kind::Log), ("state/0", Kind::State)] {
            while Rows::open(&data.join(folder), kind).is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        error
    }

    async fn submit(&self, participant: u32) -> Submitted {
        let envelope = admit(genesis().network(), participant, &operator_key());
        self.client.submit(envelope.to_vec(), Vec::new()).await.unwrap()
    }

    async fn status(&self, node: usize) -> wire::GetStatusResponse {
        let mut admin = self.client.admin(node).unwrap();
        admin.get_status(wire::GetStatusRequest {}).await.unwrap().into_inner()
    }

    /// Waits until a node has made a snapshot of its own.
    async fn snapshot_made(&self, at: usize) {
        let folder = self.settings[at].data.join("snapshot");
        for _ in 0..400 {
            let made = std::fs::read_dir(&folder).unwrap();
            if made.flatten().any(|found| found.path().join("COMPLETE").exists()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("node {} made no snapshot", at + 1);
    }

    /// A node's root over `records`, once it has them.
    async fn root(&self, node: usize, records: u64) -> bytes::Bytes {
        for _ in 0..400 {
            let mut admin = self.client.admin(node).unwrap();
            match admin.get_root(wire::GetRootRequest { records }).await {
                Ok(root) => return root.into_inner().root,
                Err(_not_yet) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("node {node} did not come to {records} records");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_elect_answer_and_agree() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::new(folder.path());
    (0..3).for_each(|at| cluster.start(at));

    let first = cluster.submit(100).await;
    assert_eq!(first.outcomes[0].rejection, None);
    assert!(!first.resent);
    let network = cluster.client.network().await.unwrap();
    assert!(network.participants.iter().any(|participant| participant.id.0 == 100));

    // With one node away the others go on, and snapshot what it misses out of their logs.
    let leader = usize::try_from(cluster.status(1).await.leader).unwrap();
    let away = leader % 3;
    cluster.stop(away).await;
    for participant in 101..150 {
        assert_eq!(cluster.submit(participant).await.outcomes[0].rejection, None);
    }
    for live in (0..3).filter(|at| *at != away) {
        cluster.snapshot_made(live).await;
    }
    cluster.start(away);

    // The leader goes, the others elect another.
    cluster.stop(leader - 1).await;
    let last = cluster.submit(150).await;
    assert_eq!(last.outcomes[0].rejection, None);
    cluster.start(leader - 1);

    // One entry record follows each outcome here.
    let records = last.outcomes[0].sequence + 2;
    let root = cluster.root(1, records).await;
    assert_eq!(cluster.root(2, records).await, root);
    assert_eq!(cluster.root(3, records).await, root);
    // Only an installed snapshot writes this.
    assert!(cluster.settings[away].data.join("state/CURRENT").exists());

    let mut events = cluster.client.events(0, true).await.unwrap();
    // Whoever is behind knows by how much before the first record comes.
    match events.next().await.unwrap().unwrap() {
        Event::Heartbeat { records: told, .. } => assert!(told >= records),
        Event::Record(record) => panic!("record {} before a heartbeat", record.sequence),
    }
    let mut sequence = 0;
    while sequence < records {
        if let Event::Record(record) = events.next().await.unwrap().unwrap() {
            assert_eq!((record.sequence, record.number), (sequence, sequence));
            sequence += 1;
        }
    }
    for at in 0..3 {
        cluster.stop(at).await;
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for found in std::fs::read_dir(from).unwrap() {
        let found = found.unwrap();
        match found.file_type().unwrap().is_dir() {
            true => copy(&found.path(), &to.join(found.file_name())),
            false => drop(std::fs::copy(found.path(), to.join(found.file_name())).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_wiped_or_rolled_back_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::new(folder.path());
    (0..3).for_each(|at| cluster.start(at));
    cluster.submit(100).await;
    let leader = usize::try_from(cluster.status(1).await.leader).unwrap();
    let away = leader % 3;
    let data = cluster.settings[away].data.clone();
    let former = folder.path().join("former");

    cluster.stop(away).await;
    copy(&data, &former);
    cluster.start(away);
    let last = cluster.submit(101).await;
    cluster.root(away + 1, last.outcomes[0].sequence + 2).await;
    cluster.stop(away).await;
    let kept = folder.path().join("kept");
    std::fs::rename(&data, &kept).unwrap();

    let wiped = cluster.refused(away).await;
    assert!(wiped.to_string().contains("new node id"), "{wiped}");
    std::fs::remove_dir_all(&data).unwrap();
    // All of an older copy agrees with itself: only the others know better.
    std::fs::rename(&former, &data).unwrap();
    let rolled_back = cluster.refused(away).await;
    assert!(rolled_back.to_string().contains("rolled back"), "{rolled_back}");

    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&kept, &data).unwrap();
    cluster.start(away);
    let last = cluster.submit(102).await;
    cluster.root(away + 1, last.outcomes[0].sequence + 2).await;
    for at in 0..3 {
        cluster.stop(at).await;
    }
}
