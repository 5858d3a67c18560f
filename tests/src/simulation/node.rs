//! One simulated node: its settings, its start on simulated wires, and where the simulation finds it; it takes no decision.
use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    rc::Rc,
};

use ledger_node::{
    Limits, Node, Settings,
    simulation::{Replica, seeded},
};
use services_runtime::tls::Files;

use super::{
    founding::genesis,
    machine::Machines,
    wires::{CLIENTS, PEERS, dial, incoming},
};

/// What nodes and the simulation share.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) folder: PathBuf,
    pub(super) founders: Vec<u64>,
    pub(super) machines: Rc<Machines>,
    pub(super) running: RefCell<BTreeMap<u64, Rc<Replica>>>,
    /// Nodes that would not start, and why.
    pub(super) refused: RefCell<Vec<(u64, String)>>,
}

impl Cluster {
    pub(super) fn data(&self, node: u64) -> PathBuf {
        self.folder.join(format!("node-{node}"))
    }

    /// The node that believes that it leads in the highest term.
    pub(super) fn leader(&self) -> Option<(u64, Rc<Replica>)> {
        let running = self.running.borrow();
        let leaders = running.iter().filter(|(_, replica)| replica.status().leads);
        let newest = leaders.max_by_key(|(_, replica)| replica.status().term);
        newest.map(|(node, replica)| (*node, Rc::clone(replica)))
    }
}

pub(super) fn host(node: u64) -> String {
    format!("node-{node}")
}

pub(super) fn peer_address(node: u64) -> String {
    format!("http://{}:{PEERS}", host(node))
}

pub(super) fn client_address(node: u64) -> String {
    format!("http://{}:{CLIENTS}", host(node))
}

/// A node's software: runs until the host is crashed.
pub(super) async fn software(cluster: Rc<Cluster>, node: u64) -> turmoil::Result {
    cluster.machines.is(node);
    let settings = settings(&cluster, node);
    let network = genesis().network().to_string();
    let peers = incoming(PEERS, network.clone()).await?;
    let clients = incoming(CLIENTS, network).await?;
    match seeded(Replica::start(&settings, dial, peers, clients)).await {
        Ok(replica) => drop(cluster.running.borrow_mut().insert(node, Rc::new(replica))),
        Err(error) => cluster.refused.borrow_mut().push((node, error.to_string())),
    }
    std::future::pending().await
}

fn settings(cluster: &Cluster, node: u64) -> Settings {
    let mut ids = cluster.founders.clone();
    if !ids.contains(&node) {
        ids.push(node);
    }
    let nodes =
        ids.into_iter().map(|id| Node { id, peer: peer_address(id), client: client_address(id) });
    let none = || Files {
        certificate: PathBuf::new(),
        key: PathBuf::new(),
        ca: PathBuf::new(),
        revoked: None,
    };
    let unused = "0.0.0.0:0".parse().expect("an address");
    Settings {
        node,
        genesis: genesis_file(&cluster.folder),
        data: cluster.data(node),
        guard: None,
        client_listen: unused,
        peer_listen: unused,
        health_listen: None,
        nodes: nodes.collect(),
        join: !cluster.founders.contains(&node),
        client_tls: none(),
        peer_tls: none(),
        limits: Limits {
            snapshot_entries: 40,
            log_entries_kept: 10,
            queue_envelopes: 64,
            submit_timeout_ms: 3_000,
            ..Limits::default()
        },
        server: Default::default(),
        listener: Default::default(),
        telemetry: Default::default(),
    }
}

pub(super) fn genesis_file(folder: &Path) -> PathBuf {
    folder.join("genesis.bin")
}
