//! One replica as a simulation sees it: started on streams of its own making, asked as clients ask, looked into as no client may.
use std::{fmt, io};

use futures_util::Stream;
use ledger_proof::{Digest, Record};
use openraft::{ChangeMembers, async_runtime::watch::WatchReceiver, impls::BasicNode};
use services_runtime::{grpc::ClientLimits, shutdown::Shutdown};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::{Channel, server::Connected};

use crate::{
    Error, Settings,
    history::Cursor,
    network::Dial,
    run::{Node, Opened, client_router, peer_router},
};

/// Where a replica stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub term: u64,
    pub leads: bool,
    pub leader: Option<u64>,
    pub applied: u64,
    pub last: u64,
    pub snapshot: u64,
    pub records: u64,
    pub voters: Vec<u64>,
}

/// A running replica.
pub struct Replica {
    node: Node,
    shutdown: Shutdown,
}

impl fmt::Debug for Replica {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Replica({:?})", self.status())
    }
}

impl Replica {
    /// Starts a replica that reaches others by `dial`, and is reached by `peers` and `clients`.
    ///
    /// # Errors
    /// When its data is not what it promised, or others refuse it.
    pub async fn start<IO>(
        settings: &Settings,
        dial: impl Fn(&str, &ClientLimits) -> Result<Channel, String> + Send + Sync + 'static,
        peers: impl Stream<Item = io::Result<IO>> + Send + 'static,
        clients: impl Stream<Item = io::Result<IO>> + Send + 'static,
    ) -> Result<Self, Error>
    where
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let shutdown = Shutdown::new();
        let opened = Opened::new(settings, Dial::new(dial), &shutdown)?;
        let router = peer_router(opened.peer.clone());
        // A listener ends with its host.
        tokio::spawn(async move { drop(router.serve_with_incoming(peers).await) });
        let node = Node::join(opened, settings, &shutdown).await?;
        node.watch(settings, None, &shutdown);
        let router = client_router(&settings.server, node.api.clone());
        tokio::spawn(async move { drop(router.serve_with_incoming(clients).await) });
        Ok(Self { node, shutdown })
    }

    /// Whether the replica ended by itself.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.shutdown.failed()
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let metrics = self.node.raft.metrics().borrow_watched().clone();
        Status {
            term: metrics.current_term,
            leads: self.node.raft.is_leader(),
            leader: metrics.current_leader,
            applied: metrics.last_applied.map_or(0, |applied| applied.index),
            last: metrics.last_log_index.unwrap_or(0),
            snapshot: metrics.snapshot.map_or(0, |snapshot| snapshot.index),
            records: self.node.api.history.tip().records,
            voters: metrics.membership_config.voter_ids().collect(),
        }
    }

    /// The root over its first `records` records.
    ///
    /// # Errors
    /// When history cannot be read.
    pub fn root(&self, records: u64) -> io::Result<Digest> {
        self.node.api.history.root(records)
    }

    /// One of its records.
    ///
    /// # Errors
    /// When history cannot be read.
    pub fn record(&self, sequence: u64) -> io::Result<Record> {
        Cursor::new(self.node.api.history.clone()).record(sequence)
    }

    /// Adds a node that learns.
    ///
    /// # Errors
    /// When this replica cannot.
    pub async fn add_learner(&self, node: u64, address: &str) -> Result<(), String> {
        let added = self.node.raft.add_learner(node, BasicNode::new(address), false).await;
        added.map(drop).map_err(|error| error.to_string())
    }

    /// Makes these nodes the voters, this one among them: a leader hands over before it goes.
    ///
    /// # Errors
    /// When this replica cannot.
    pub async fn change_voters(&self, voters: &[u64]) -> Result<(), String> {
        if !voters.contains(&self.node.api.node) {
            return Err("a leader stays until it has handed over".to_owned());
        }
        let voters = ChangeMembers::ReplaceAllVoters(voters.iter().copied().collect());
        let changed = self.node.raft.change_membership(voters, false).await;
        changed.map(drop).map_err(|error| error.to_string())
    }

    /// Hands leadership over.
    ///
    /// # Errors
    /// When this replica cannot.
    pub async fn transfer_leader(&self, to: u64) -> Result<(), String> {
        self.node.raft.trigger().transfer_leader(to).await.map_err(|error| error.to_string())
    }
}
