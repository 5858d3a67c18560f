//! `causeway admin backup`: takes a running node's copy into a folder; what is there stays until the new manifest stands.
//! It must never touch a backup of another network.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::ProgressBar;
use ledger_node::folder::{FORMAT, MANIFEST, Manifest, ManifestFile, sha256_file};
use proto::ledger::{
    BackupFile, BackupHead, BackupRequest, GetStatusRequest, admin_client::AdminClient,
    backup_piece::Piece,
};
use serde_json::json;
use tonic::transport::Channel;

use super::authority::Folder;
use super::operate::{Said, bar};

const TIMEOUT: Duration = Duration::from_secs(60);
const OPERATOR: &str = "operator/client";
const GENESIS: &str = "genesis.bin";

/// Takes a backup.
pub async fn run(folder: &Folder, to: &Path, node: Option<usize>) -> anyhow::Result<Said> {
    let begun = Instant::now();
    let shown = to.display();
    fs::create_dir_all(to).with_context(|| format!("{shown}: cannot be made"))?;
    let former = Manifest::read(to)?;
    let network = folder.genesis.network().to_string();
    if former.as_ref().is_some_and(|former| former.network_id != network) {
        let text = format!("refused: {shown} holds another network's backup; give another folder");
        return Ok(Said::no(text, json!({ "refused": "another network's backup" })));
    }
    let empty = fs::read_dir(to)?.next().is_none();
    let begun_before = to.join("history").exists() || to.join(GENESIS).exists();
    anyhow::ensure!(
        former.is_some() || empty || begun_before,
        "{shown}: holds something else; give a new folder"
    );
    let mut admin = from(folder, node).await?;
    let has = former.as_ref().map(|former| has(to, former)).transpose()?.unwrap_or_default();
    let mut pieces = admin.backup(BackupRequest { has }).await?.into_inner();
    let mut receiver = None;
    let bar = bar("bytes", 0)?;
    while let Some(piece) = pieces.message().await? {
        match piece.piece.context("an empty piece; use a build of the node's version")? {
            Piece::Head(head) => {
                bar.set_length(head.total_bytes);
                anyhow::ensure!(
                    head.network_id == folder.genesis.network().0[..],
                    "the node is of another network"
                );
                receiver = Some(Receiver::new(to, former.as_ref(), head)?);
            }
            Piece::End(_) => {
                bar.finish_and_clear();
                let receiver = receiver.context("no head came first")?;
                return receiver.end(begun.elapsed());
            }
            other @ (Piece::Part(_) | Piece::Data(_) | Piece::Kept(_)) => {
                receiver.as_mut().context("no head came first")?.take(other, &bar)?;
            }
        }
    }
    anyhow::bail!("the node ended before its end; run it again, nothing is lost")
}

/// The node asked for, else the first that answers.
async fn from(folder: &Folder, node: Option<usize>) -> anyhow::Result<AdminClient<Channel>> {
    let client = folder.client(OPERATOR, TIMEOUT)?;
    if let Some(node) = node {
        return Ok(client.admin(node)?);
    }
    for node in 1..=client.nodes() {
        let mut admin = client.admin(node)?;
        let asked = admin.get_status(GetStatusRequest {});
        if matches!(tokio::time::timeout(Duration::from_secs(2), asked).await, Ok(Ok(_))) {
            return Ok(admin);
        }
    }
    anyhow::bail!("no node answers; see admin status")
}

/// What a former backup holds, cut back to its manifest: a later one may have ended half way.
fn has(to: &Path, former: &Manifest) -> anyhow::Result<Vec<BackupFile>> {
    let mut files = Vec::new();
    for file in &former.files {
        let path = to.join(&file.name);
        let length = path.metadata().map(|metadata| metadata.len()).unwrap_or(0);
        anyhow::ensure!(
            length >= file.bytes,
            "{}: is shorter than the manifest says; check it by verify-data, and begin a new backup",
            path.display()
        );
        let state = file.name.strip_prefix(&format!("{}/", former.state));
        let (name, sha256) = match (state, file.name.starts_with("history/")) {
            (Some(name), _) => (format!("state/{name}"), hex::decode(&file.sha256)?),
            (None, true) => (file.name.clone(), Vec::new()),
            (None, false) => continue,
        };
        files.push(BackupFile { name, length: file.bytes, sha256: sha256.into() });
    }
    Ok(files)
}

struct Receiver {
    to: PathBuf,
    head: BackupHead,
    /// Files of the former backup by name.
    former: BTreeMap<String, ManifestFile>,
    former_state: Option<String>,
    state: String,
    open: Option<(String, File)>,
    /// Whether a file's bytes changed.
    changed: BTreeMap<String, bool>,
    received: u64,
}

impl Receiver {
    fn new(to: &Path, former: Option<&Manifest>, head: BackupHead) -> anyhow::Result<Self> {
        let former_state = former.map(|former| former.state.clone());
        let mut state = format!("state-{}-{}", head.records, head.applied_index);
        if former_state.as_deref() == Some(state.as_str()) {
            state.push_str("-again");
        }
        // What a backup that ended half way left.
        if to.join(&state).exists() {
            fs::remove_dir_all(to.join(&state))?;
        }
        for folder in [to.join(&state), to.join("history")] {
            fs::create_dir_all(folder)?;
        }
        let files = former.into_iter().flat_map(|former| former.files.iter().cloned());
        Ok(Self {
            to: to.to_owned(),
            head,
            former: files.map(|file| (file.name.clone(), file)).collect(),
            former_state,
            state,
            open: None,
            changed: BTreeMap::new(),
            received: 0,
        })
    }

    fn take(&mut self, piece: Piece, bar: &ProgressBar) -> anyhow::Result<()> {
        match piece {
            Piece::Kept(name) => {
                let former = self.former_state.clone().context("nothing can be kept")?;
                let (from, name) = (self.place(&name, &former)?, self.place(&name, &self.state)?);
                fs::hard_link(self.to.join(from), self.to.join(&name))
                    .with_context(|| format!("{name}: cannot be kept"))?;
                self.changed.insert(name, false);
            }
            Piece::Part(part) => {
                self.close()?;
                let name = self.place(&part.name, &self.state)?;
                let path = self.to.join(&name);
                let file = OpenOptions::new().append(true).create(true).open(&path);
                let file =
                    file.with_context(|| format!("{}: cannot be written", path.display()))?;
                file.set_len(part.offset)?;
                self.changed.insert(name.clone(), part.offset == 0);
                self.open = Some((name, file));
            }
            Piece::Data(data) => {
                let (name, file) = self.open.as_mut().context("bytes of no file")?;
                file.write_all(&data).with_context(|| format!("{name}: cannot be written"))?;
                self.changed.insert(name.clone(), true);
                let bytes = u64::try_from(data.len())?;
                self.received += bytes;
                bar.inc(bytes);
            }
            Piece::Head(_) | Piece::End(_) => {}
        }
        Ok(())
    }

    /// Where a file lies in the backup; it never leads out of it.
    fn place(&self, name: &str, state: &str) -> anyhow::Result<String> {
        let (folder, file) = name.split_once('/').context("a file of no folder")?;
        let folder = match folder {
            "state" => state,
            "history" => "history",
            _ => anyhow::bail!("{name}: is neither state nor history"),
        };
        let safe = file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        anyhow::ensure!(safe && !file.is_empty() && !file.starts_with('.'), "{name}: is unsafe");
        Ok(format!("{folder}/{file}"))
    }

    fn close(&mut self) -> anyhow::Result<()> {
        if let Some((_, file)) = self.open.take() {
            file.sync_all()?;
        }
        Ok(())
    }

    fn end(mut self, elapsed: Duration) -> anyhow::Result<Said> {
        self.close()?;
        fs::write(self.to.join(GENESIS), &self.head.genesis)?;
        self.changed.insert(GENESIS.to_owned(), true);
        let mut files = Vec::new();
        for (name, changed) in &self.changed {
            let former = self.former.get(name).filter(|_| !changed);
            files.push(match former {
                Some(former) => former.clone(),
                None => {
                    let (bytes, sha256) = sha256_file(&self.to.join(name))?;
                    ManifestFile { name: name.clone(), bytes, sha256: hex::encode(sha256) }
                }
            });
        }
        let head = &self.head;
        let manifest = Manifest {
            format: FORMAT,
            network_id: hex::encode(&head.network_id),
            records: head.records,
            root: hex::encode(&head.root),
            applied_index: head.applied_index,
            at_micros: head.at_micros,
            node: head.node,
            made_by: format!("causeway {}", env!("CARGO_PKG_VERSION")),
            state: self.state.clone(),
            files,
        };
        for folder in [self.to.join(&self.state), self.to.join("history")] {
            File::open(folder)?.sync_all()?;
        }
        let new = self.to.join("manifest.new");
        fs::write(&new, serde_json::to_vec_pretty(&manifest)?)?;
        File::open(&new)?.sync_all()?;
        fs::rename(&new, self.to.join(MANIFEST))?;
        File::open(&self.to)?.sync_all()?;
        if let Some(former) = &self.former_state {
            fs::remove_dir_all(self.to.join(former))?;
        }
        let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        let seconds = elapsed.as_secs_f64();
        let (received, records) = (self.received, head.records);
        let text = format!(
            "{records} records of node {}, root {}: {received} bytes came, {bytes} in all \
             ({seconds:.1} s); check it by `causeway admin verify-data {}`",
            head.node,
            manifest.root,
            self.to.display()
        );
        let value = json!({
            "records": records,
            "root": manifest.root,
            "node": head.node,
            "received_bytes": received,
            "bytes": bytes,
            "seconds": seconds,
        });
        Ok(Said::done(text, value))
    }
}
