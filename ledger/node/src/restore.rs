//! A new network that goes on from a former one's history: the state made anew up to a record, its genesis, and the folder that new nodes begin with; it starts nothing.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use ledger_proof::{Digest, Genesis, RecordKind, genesis::Predecessor};
use ledger_types::{NetworkId, Timestamp};

use crate::{
    Error,
    folder::Source,
    history::{Batch, HistoryWriter, Position, Scan, Scanned},
    replay::{Fault, Progress, Replay, Replayed, differs},
    state_store::{StateStore, sync_folder},
};

/// What a data folder begins with, until a node's first start takes it over.
const RESTORED: &str = "restored";

/// A history applied up to a record, ready to go on as another network.
pub struct Restoring {
    replay: Replay,
    writer: HistoryWriter,
    stage: PathBuf,
    /// What was applied.
    pub replayed: Replayed,
    /// The genesis of the former network.
    pub former: Genesis,
    /// Sealed blobs that were taken over.
    pub blobs: u64,
}

impl std::fmt::Debug for Restoring {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Restoring").field("replayed", &self.replayed).finish_non_exhaustive()
    }
}

/// The last record of the last entry that ends at or before record `upto`, and its time: what
/// [`Restoring::begin`] would keep.
///
/// # Errors
/// The first fault, or that no entry ends there.
pub fn boundary(source: &Path, upto: u64) -> Result<(u64, Timestamp), Fault> {
    let source = Source::open(source)?;
    let mut scan = Scan::open(&source.history, source.records).map_err(source.failed())?;
    let mut last = None;
    while let Some(entry) = scan.entry()? {
        match end(&entry).filter(|end| *end <= upto) {
            Some(end) => last = Some((end, entry.at)),
            None => break,
        }
    }
    last.ok_or_else(|| differs(0, "no entry ends at or before the record"))
}

fn end(entry: &Scanned) -> Option<u64> {
    entry.records.last().map(|record| record.sequence)
}

impl Restoring {
    /// Applies `source` up to the last entry that ends at or before record `upto` and writes it to
    /// `stage`, an empty folder.
    ///
    /// # Errors
    /// The first fault.
    pub fn begin(
        source: &Path,
        stage: &Path,
        upto: u64,
        progress: Progress<'_>,
    ) -> Result<Self, Fault> {
        let source = Source::open(source)?;
        let blobs_from = source.state.as_deref().map(StateStore::open_read_only).transpose()?;
        fs::create_dir_all(stage.join("state")).map_err(Error::file(stage))?;
        let mut replay = Replay::new(&stage.join("state/0"))?;
        let (mut writer, _) = HistoryWriter::open(&stage.join("history"), Position::default())?;
        let mut scan = Scan::open(&source.history, source.records).map_err(source.failed())?;
        let (mut blobs, mut root) = (0, [0; 32]);
        while let Some(entry) = scan.entry()? {
            if end(&entry).is_none_or(|end| end > upto) {
                break;
            }
            root = scan.frontier().root();
            replay.entry(&entry, root)?;
            if let Some(from) = &blobs_from {
                blobs += replay.copy_blobs(from)?;
            }
            let batch = batch(entry, replay.out().numbers.clone());
            writer.append(&batch).map_err(Error::file(stage))?;
            progress(replay.next());
        }
        let replayed = replay.end(root)?;
        let former = replay.ledger()?.genesis().clone();
        Ok(Self { replay, writer, stage: stage.to_owned(), replayed, former, blobs })
    }

    /// How the new genesis names the former network.
    #[must_use]
    pub fn predecessor(&self) -> Predecessor {
        Predecessor {
            network: self.replayed.network,
            records: self.replayed.records,
            root: self.replayed.root,
            state_digest: self.replayed.state_digest.unwrap_or_default(),
        }
    }

    /// Goes on as the network of `genesis`, and makes the stage what a node may begin with.
    ///
    /// # Errors
    /// What the genesis may not change, or the disk's.
    pub fn found(mut self, genesis: &Genesis) -> Result<Founded, Fault> {
        let at = self.replayed.records;
        let invalid = |error| differs(at, &format!("genesis: {error}"));
        if genesis.predecessor.first() != Some(&self.predecessor()) {
            return Err(differs(at, "the genesis names another predecessor"));
        }
        self.replay.refound(genesis).map_err(invalid)?;
        let records = self.replay.out().records.clone();
        let batch = Batch { at: genesis.founded_at, records, ..Batch::default() };
        let failed = || Error::file(&self.stage);
        self.writer.append(&batch).and_then(|()| self.writer.sync()).map_err(failed())?;
        let position = self.writer.position();
        self.replay.drain(&position)?;
        self.replay.flush()?;
        let frontier = ledger_proof::Field::from_bytes(&position.frontier).map_err(Error::State)?;
        let root = ledger_proof::Frontier::root(&frontier);
        Ok(Founded { network: genesis.network(), records: position.records, root })
    }
}

/// What a new network begins with.
#[derive(Clone, Debug)]
pub struct Founded {
    /// Its id.
    pub network: NetworkId,
    /// Records, its genesis the last.
    pub records: u64,
    /// The root over them.
    pub root: Digest,
}

fn batch(entry: Scanned, numbers: Vec<(ledger_types::ParticipantId, u64, u64)>) -> Batch {
    let genesis = entry.records.first().is_some_and(|record| record.kind == RecordKind::Genesis);
    let mut payload = Vec::new();
    if !genesis {
        let envelopes = entry.envelopes.iter().map(Vec::as_slice).collect();
        ledger_proof::Entry { stamp: entry.at, envelopes, blobs: Vec::new() }.put(&mut payload);
    }
    let payload = Bytes::from(payload);
    Batch { entry: entry.entry, at: entry.at, payload, records: entry.records, numbers }
}

/// Copies a stage into a node's data folder, which must be absent or empty.
///
/// # Errors
/// The disk's.
pub fn give(stage: &Path, data: &Path) -> io::Result<()> {
    if data.exists() && fs::read_dir(data)?.next().is_some() {
        return Err(io::Error::other("the data folder is not empty"));
    }
    let target = data.join(RESTORED);
    copy(stage, &target)?;
    sync_folder(data)
}

/// Takes over what a data folder begins with; nothing where it was taken over before.
///
/// # Errors
/// The disk's.
pub(crate) fn adopt(data: &Path) -> Result<(), Error> {
    let restored = data.join(RESTORED);
    if !restored.exists() {
        return Ok(());
    }
    // The state last: without it a node would begin with an empty one.
    for name in ["history", "state"] {
        let (from, to) = (restored.join(name), data.join(name));
        if from.exists() {
            fs::rename(&from, &to).map_err(Error::file(&to))?;
        }
    }
    sync_folder(data).map_err(Error::file(data))?;
    fs::remove_dir_all(&restored).map_err(Error::file(&restored))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for found in fs::read_dir(from)? {
        let path = found?.path();
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        if path.is_dir() {
            copy(&path, &target)?;
        } else if name != "LOCK" {
            fs::copy(&path, &target)?;
            fs::File::open(&target)?.sync_all()?;
        }
    }
    sync_folder(to)
}
