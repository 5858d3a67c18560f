//! Makes what `tests/frozen` keeps of each format: a small node's folder as a crash left it, and what it must still tell; it judges no other build.
use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::{
    Family, Report,
    cluster::{Cluster, Setup},
};

/// So many records at least: several cuts, a snapshot and a log that was purged once.
const RECORDS: u64 = 600;

/// What a frozen folder tells for ever.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// Records.
    pub records: u64,
    /// The root over them, hexadecimal.
    pub root: String,
    /// The version of the program that wrote it.
    pub made_by: String,
}

impl Frozen {
    /// The file's name in each folder.
    pub const FILE: &str = "frozen.json";
}

/// Writes genesis, data and [`Frozen`] into a new folder.
///
/// # Errors
/// When the folder is there already, or the cluster of one node does not work.
pub async fn freeze(into: &Path) -> anyhow::Result<Frozen> {
    fs::create_dir(into).with_context(|| format!("{}: must be new", into.display()))?;
    let limits = &[("snapshot_entries", 100), ("log_entries_kept", 50)];
    let mut cluster = Cluster::start(Setup { nodes: 1, limits, ..Setup::plain(1) }).await?;
    let (clients, pause_ms) = Family::Kill.load();
    cluster.load(clients, pause_ms);
    while cluster.status(0).await.is_none_or(|(_, records)| records < RECORDS) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let Report { violations, .. } = cluster.verdict(Vec::new()).await?;
    ensure!(violations.is_empty(), "{violations:?}");
    let (records, root) = cluster.agreed().await?;
    cluster.nodes[0].kill()?;
    let folder = &cluster.folder.path;
    fs::copy(folder.join("genesis.bin"), into.join("genesis.bin"))?;
    let copied = Command::new("cp").arg("-r").arg(folder.join("nodes/1/data")).arg(into).status();
    ensure!(copied.context("cp cannot be started")?.success(), "the data cannot be copied");
    // What RocksDB says for people names this machine.
    let cleared = Command::new("find").arg(into).args(["-name", "LOG", "-delete"]).status();
    ensure!(cleared.context("find cannot be started")?.success(), "LOG files cannot be removed");
    let root = root.iter().map(|byte| format!("{byte:02x}")).collect();
    let frozen = Frozen { records, root, made_by: env!("CARGO_PKG_VERSION").to_owned() };
    fs::write(into.join(Frozen::FILE), serde_json::to_vec_pretty(&frozen)?)?;
    Ok(frozen)
}
