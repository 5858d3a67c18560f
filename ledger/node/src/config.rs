//! The node's settings as its file states them; it opens nothing.
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use services_runtime::{
    grpc::ServerLimits,
    telemetry,
    tls::{Files, ListenerLimits},
};

use crate::Error;

/// Everything one replica needs to know.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// This node's id, at least 1; for ever bound to its data folder.
    pub node: u64,
    /// The genesis file.
    pub genesis: PathBuf,
    /// The folder of `log/ state/ history/ snapshot/`.
    pub data: PathBuf,
    /// The high-water file, best on another disk than `data`; absent is `data/high-water`.
    pub guard: Option<PathBuf>,
    /// Listens for participants and the operator.
    pub client_listen: SocketAddr,
    /// Listens for other nodes.
    pub peer_listen: SocketAddr,
    /// Serves health and metrics on loopback; absent serves none.
    pub health_listen: Option<SocketAddr>,
    /// Every node that this one founds the cluster with, this one included; the membership rules later.
    pub nodes: Vec<Node>,
    /// This node joins a cluster that exists: it founds none and waits to be added.
    #[serde(default)]
    pub join: bool,
    /// Certificates under the participants' CA.
    pub client_tls: Files,
    /// Certificates under the nodes' CA.
    pub peer_tls: Files,
    /// Times and bounds.
    #[serde(default)]
    pub limits: Limits,
    /// Limits of the participants' server.
    #[serde(default)]
    pub server: ServerLimits,
    /// Limits of both listeners.
    #[serde(default)]
    pub listener: ListenerLimits,
    /// Logging.
    #[serde(default)]
    pub telemetry: telemetry::Settings,
}

/// Where a node is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its id.
    pub id: u64,
    /// `https://host:port` of its peer listener.
    pub peer: String,
    /// `https://host:port` of its client listener.
    pub client: String,
}

/// Times and bounds of consensus and storage.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Between two heartbeats of the leader.
    pub heartbeat_ms: u64,
    /// The shortest silence after which a node stands for election.
    pub election_ms_min: u64,
    /// The longest.
    pub election_ms_max: u64,
    /// How long an envelope may have to wait for its answer, as measured; what would wait longer is
    /// refused at once. At least a few envelopes of each caller, and 256 KiB of all, are taken anyway.
    pub queue_ms: u64,
    /// Envelopes without an answer at most; one caller's at most a quarter of them.
    pub queue_envelopes: usize,
    /// Their bytes at most; one caller's at most a quarter of them, or one request.
    pub queue_bytes: usize,
    /// Reads at one time; one caller's at most a quarter of them.
    pub reads: usize,
    /// Event streams at one time; one caller's at most a quarter of them.
    pub streams: usize,
    /// Bytes of one entry, above which it takes no further envelope.
    pub entry_bytes: usize,
    /// Items of one entry, above which it takes no further envelope.
    pub entry_items: usize,
    /// Entries in flight at one time.
    pub entries_in_flight: usize,
    /// Applied bytes after which changed rows are written.
    pub cut_bytes: usize,
    /// Applied entries after which a snapshot is made and the log purged.
    pub snapshot_entries: u64,
    /// Applied bytes after which a snapshot is made and the log purged.
    pub snapshot_bytes: u64,
    /// Entries kept in the log behind the snapshot.
    pub log_entries_kept: u64,
    /// Bytes that must stay free on each disk of a node; below, it leaves the lead to another and
    /// takes no envelope.
    pub free_bytes_min: u64,
    /// How far the leader's clock may differ from the median of the voters'.
    pub clock_skew_ms_max: u64,
    /// How long a submit may wait for its outcome.
    pub submit_timeout_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            heartbeat_ms: 60,
            election_ms_min: 250,
            election_ms_max: 400,
            queue_ms: 150,
            queue_envelopes: 4_096,
            queue_bytes: 64 << 20,
            reads: 1_024,
            streams: 1_024,
            entry_bytes: 1 << 20,
            entry_items: 8_190,
            entries_in_flight: 4,
            cut_bytes: 8 << 20,
            snapshot_entries: 5_000,
            snapshot_bytes: 512 << 20,
            log_entries_kept: 512,
            free_bytes_min: 256 << 20,
            clock_skew_ms_max: 1_000,
            submit_timeout_ms: 10_000,
        }
    }
}

impl Settings {
    /// Where the high-water file lies.
    pub(crate) fn guard(&self) -> PathBuf {
        self.guard.clone().unwrap_or_else(|| self.data.join("high-water"))
    }

    /// What lies on disks that must have room.
    pub(crate) fn disks(&self) -> impl Iterator<Item = PathBuf> {
        let guard = self.guard.as_ref().and_then(|file| file.parent());
        [&*self.data].into_iter().chain(guard).map(Path::to_owned)
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |field, reason: &str| Err(Error::Settings { field, reason: reason.to_owned() });
        if self.node == 0 || !self.nodes.iter().any(|node| node.id == self.node) {
            return wrong("node", "must be at least 1 and one of `nodes`; correct it");
        }
        let mut ids: Vec<u64> = self.nodes.iter().map(|node| node.id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != self.nodes.len() || ids.first() == Some(&0) {
            return wrong("nodes", "must each have their own id, from 1; correct them");
        }
        let limits = &self.limits;
        if limits.heartbeat_ms * 2 >= limits.election_ms_min
            || limits.election_ms_min >= limits.election_ms_max
        {
            return wrong(
                "limits",
                "2 × heartbeat_ms < election_ms_min < election_ms_max must hold",
            );
        }
        Ok(())
    }
}
