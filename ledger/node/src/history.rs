//! Every entry and record for ever, in append-only segments equal on all nodes; it is written by one thread and decides nothing.
mod extent;
mod numbers;
mod reader;
mod scan;
mod tiles;

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use ledger_proof::{
    Digest, Field, Frontier, Record,
    tree::{TILE_HEIGHT, sha256},
};
use ledger_types::{ParticipantId, Timestamp};
use serde::{Deserialize, Serialize};
use services_runtime::faults::crash_point;

use crate::{Error, host};
pub(crate) use extent::extent;
pub(crate) use reader::{Cursor, History, Tip};
pub use scan::Unreadable;
pub(crate) use scan::{Scan, Scanned};

#[cfg(test)]
mod tests;

/// A segment that has grown to this ends with its entry.
const SEGMENT_BYTES: u64 = 64 << 20;
/// One row of a segment's index: leaf hash ‖ offset of the record ‖ offset of its entry.
pub(crate) const INDEX_ROW: u64 = 40;

const ENTRY_FRAME: u8 = 1;
const RECORD_FRAME: u8 = 2;
/// Length, kind and check before each frame's bytes.
const FRAME_HEAD: usize = 4 + 1 + CHECK;
/// Bytes of the digest over kind and bytes of a frame.
const CHECK: usize = 8;

/// How far history reaches: what the state was written with, and is cut back to after a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Records written.
    pub(crate) records: u64,
    /// Replicated time of the last, in microseconds.
    pub(crate) at_micros: u64,
    /// First record of the last segment.
    pub(crate) segment: u64,
    /// Bytes of the last segment.
    pub(crate) length: u64,
    /// The tree's frontier over all records.
    pub(crate) frontier: Vec<u8>,
}

/// One entry's records on their way to history.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The entry's number, 0 for the genesis.
    pub(crate) entry: u64,
    /// Its replicated time.
    pub(crate) at: Timestamp,
    /// `ledger_proof::Entry`'s bytes; empty for the genesis.
    pub(crate) payload: bytes::Bytes,
    /// Its records.
    pub(crate) records: Vec<Record>,
    /// Whose own numbers they have: (participant, number, sequence).
    pub(crate) numbers: Vec<(ParticipantId, u64, u64)>,
}

/// A segment's two files.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) data: File,
    pub(crate) index: File,
}

/// What writer and readers share.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    pub(crate) segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    pub(crate) numbers: numbers::Numbers,
    pub(crate) tiles: tiles::Tiles,
}

/// The writing side.
#[derive(Debug)]
pub(crate) struct HistoryWriter {
    files: Arc<Files>,
    position: Position,
    frontier: Frontier,
    current: Arc<Segment>,
    data: Vec<u8>,
    index: Vec<u8>,
    /// Roots of tiles that an entry's records filled: (level, root).
    tiles: Vec<(u32, Digest)>,
    dirty: bool,
}

impl Segment {
    fn open(folder: &Path, first: u64) -> io::Result<Self> {
        let open = |suffix| {
            let path = folder.join(segment_name(first, suffix));
            OpenOptions::new().read(true).append(true).create(true).open(path)
        };
        Ok(Self { data: open("seg")?, index: open("idx")? })
    }
}

pub(crate) fn segment_name(first: u64, suffix: &str) -> String {
    format!("{first:020}.{suffix}")
}

impl HistoryWriter {
    /// Opens history in `folder` and cuts off what lies behind `position`: the log replays it.
    ///
    /// # Errors
    /// When history ends before `position`, or cannot be read.
    pub(crate) fn open(folder: &Path, position: Position) -> Result<(Self, History), Error> {
        let failed = || Error::file(folder);
        fs::create_dir_all(folder).map_err(failed())?;
        let mut segments = BTreeMap::new();
        for first in segment_starts(folder).map_err(failed())? {
            if first > position.segment || first >= position.records.max(1) {
                for suffix in ["seg", "idx"] {
                    remove(&folder.join(segment_name(first, suffix))).map_err(failed())?;
                }
                continue;
            }
            segments.insert(first, Arc::new(Segment::open(folder, first).map_err(failed())?));
        }
        let current = match segments.get(&position.segment) {
            Some(current) => Arc::clone(current),
            None => Arc::new(Segment::open(folder, position.segment).map_err(failed())?),
        };
        segments.insert(position.segment, Arc::clone(&current));
        let rows = position.records - position.segment.min(position.records);
        cut(&current.data, position.length)?;
        cut(&current.index, rows * INDEX_ROW)?;
        let frontier = if position.frontier.is_empty() {
            Frontier::default()
        } else {
            Frontier::from_bytes(&position.frontier).map_err(Error::State)?
        };
        let numbers = numbers::Numbers::open(&folder.join("numbers"), position.records)?;
        let segments = RwLock::new(segments);
        let tiles = tiles::Tiles::open(&folder.join("tiles"))?;
        let files = Arc::new(Files { folder: folder.to_owned(), segments, numbers, tiles });
        let reader = History::new(Arc::clone(&files), &position);
        reader.settle_tiles(position.records).map_err(failed())?;
        let found = reader.frontier(position.records).map_err(failed())?;
        if !reader.tiles_follow(position.records).map_err(failed())? || found != frontier {
            return Err(Error::Damaged {
                what: "history, of another root than the state".to_owned(),
            });
        }
        let (data, index, tiles) = (Vec::new(), Vec::new(), Vec::new());
        let dirty = false;
        let writer = Self { files, position, frontier, current, data, index, tiles, dirty };
        Ok((writer, reader))
    }

    /// Appends one entry and its records; they are readable once `History::publish` says so.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn append(&mut self, batch: &Batch) -> io::Result<()> {
        if self.position.length >= SEGMENT_BYTES {
            self.roll()?;
        }
        let (mut at, first) = (self.position.length, self.position.records);
        let entry_at = at;
        self.data.clear();
        self.index.clear();
        put_entry_frame(batch, &mut self.data)?;
        for (place, record) in (0_u64..).zip(&batch.records) {
            if record.sequence != first + place {
                return Err(io::Error::other("records are not in sequence"));
            }
            at = entry_at + u64::try_from(self.data.len()).map_err(io::Error::other)?;
            frame(&mut self.data, RECORD_FRAME, |out| {
                record.put(out);
                Ok(())
            })?;
            let leaf = record.leaf_hash();
            self.frontier.push_subtree(0, leaf, |height, root| {
                if height % TILE_HEIGHT == 0 {
                    self.tiles.push((height / TILE_HEIGHT, *root));
                }
            });
            self.index.extend_from_slice(&leaf);
            for offset in [at, entry_at] {
                let offset = u32::try_from(offset).map_err(io::Error::other)?;
                self.index.extend_from_slice(&offset.to_be_bytes());
            }
        }
        (&self.current.data).write_all(&self.data)?;
        crash_point("history-data-written");
        (&self.current.index).write_all(&self.index)?;
        crash_point("history-index-written");
        self.files.numbers.append(&batch.numbers)?;
        crash_point("history-numbers-written");
        let written = self.data.len() + self.index.len() + batch.numbers.len() * 8;
        let written = written + self.tiles.len() * 32;
        for (level, root) in self.tiles.drain(..) {
            self.files.tiles.append(level, &root)?;
        }
        metrics::counter!("causeway_ledger_history_bytes_total")
            .increment(u64::try_from(written).unwrap_or(0));
        self.position.length =
            entry_at + u64::try_from(self.data.len()).map_err(io::Error::other)?;
        self.position.records += u64::try_from(batch.records.len()).map_err(io::Error::other)?;
        self.position.at_micros = batch.at.micros();
        self.dirty = true;
        Ok(())
    }

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// The disk's; what is on it then is unknown.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.dirty {
            let path = |suffix| self.files.folder.join(segment_name(self.position.segment, suffix));
            host::sync(&self.current.data, &path("seg"))?;
            host::sync(&self.current.index, &path("idx"))?;
            crash_point("history-half-synced");
            self.files.numbers.sync()?;
            self.files.tiles.sync()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Where history ends.
    pub(crate) fn position(&self) -> Position {
        Position { frontier: self.frontier.to_bytes(), ..self.position.clone() }
    }

    /// Takes over what another node's history has beyond this one: files under `received`, each
    /// named as here with `@` and the offset it starts at. The whole must have `position`'s root.
    ///
    /// # Errors
    /// When it is not the same history.
    pub(crate) fn extend(&mut self, received: &Path, position: Position) -> Result<(), Error> {
        let failed = || Error::file(received);
        for (name, offset, path) in received_files(received).map_err(failed())? {
            let target = self.files.folder.join(&name);
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&target);
            let file = file.map_err(Error::file(&target))?;
            let bytes = fs::read(&path).map_err(failed())?;
            file.write_all_at(&bytes, offset).map_err(failed())?;
            host::sync(&file, &target).map_err(failed())?;
            crash_point("install-history-written");
        }
        for folder in [self.files.folder.clone(), self.files.folder.join("numbers")] {
            File::open(&folder).and_then(|file| file.sync_all()).map_err(failed())?;
        }
        {
            let mut segments = self.files.segments.write().unwrap_or_else(PoisonError::into_inner);
            for first in segment_starts(&self.files.folder).map_err(failed())? {
                if !segments.contains_key(&first) && first <= position.segment {
                    let segment = Segment::open(&self.files.folder, first).map_err(failed())?;
                    segments.insert(first, Arc::new(segment));
                }
            }
            let current = segments.get(&position.segment).map(Arc::clone);
            self.current = current.ok_or_else(|| Error::Damaged {
                what: "a snapshot's history, whose last segment is missing".to_owned(),
            })?;
        }
        cut(&self.current.data, position.length)?;
        cut(&self.current.index, (position.records - position.segment) * INDEX_ROW)?;
        self.files.numbers.rescan(position.records)?;
        let reader = History::new(Arc::clone(&self.files), &position);
        reader.settle_tiles(position.records).map_err(failed())?;
        let found = reader.frontier(position.records).map_err(failed())?;
        if !reader.tiles_follow(position.records).map_err(failed())?
            || found.to_bytes() != position.frontier
        {
            return Err(Error::Damaged {
                what: "a snapshot's history, of another root".to_owned(),
            });
        }
        (self.frontier, self.position, self.dirty) = (found, position, false);
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        self.sync()?;
        let first = self.position.records;
        self.current = Arc::new(Segment::open(&self.files.folder, first)?);
        File::open(&self.files.folder)?.sync_all()?;
        let mut segments = self.files.segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.insert(first, Arc::clone(&self.current));
        (self.position.segment, self.position.length) = (first, 0);
        Ok(())
    }
}

/// number ‖ time ‖ count ‖ (length ‖ envelope)…: the blobs of the entry stay out of history.
fn put_entry_frame(batch: &Batch, out: &mut Vec<u8>) -> io::Result<()> {
    frame(out, ENTRY_FRAME, |out| {
        batch.entry.put(out);
        batch.at.put(out);
        let envelopes = match batch.payload.is_empty() {
            true => Vec::new(),
            false => {
                ledger_proof::Entry::decode(&batch.payload).map_err(io::Error::other)?.envelopes
            }
        };
        u32::try_from(envelopes.len()).map_err(io::Error::other)?.put(out);
        for envelope in envelopes {
            u32::try_from(envelope.len()).map_err(io::Error::other)?.put(out);
            out.extend_from_slice(envelope);
        }
        Ok(())
    })
}

fn frame(
    out: &mut Vec<u8>,
    kind: u8,
    put: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD]);
    put(out)?;
    let length = u32::try_from(out.len() - start - FRAME_HEAD).map_err(io::Error::other)?;
    let check = check(kind, &out[start + FRAME_HEAD..]);
    let head = &mut out[start..start + FRAME_HEAD];
    head[..4].copy_from_slice(&length.to_be_bytes());
    head[4] = kind;
    head[5..].copy_from_slice(&check);
    Ok(())
}

/// What tells damaged bytes of a frame.
fn check(kind: u8, bytes: &[u8]) -> [u8; CHECK] {
    let digest = sha256(&[&[kind], bytes]);
    std::array::from_fn(|at| digest[at])
}

/// First records of the segments in `folder`, ascending.
pub(crate) fn segment_starts(folder: &Path) -> io::Result<Vec<u64>> {
    let mut starts = Vec::new();
    for file in fs::read_dir(folder)? {
        let name = file?.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(".seg"));
        starts.extend(first.and_then(|first| first.parse::<u64>().ok()));
    }
    starts.sort_unstable();
    Ok(starts)
}

/// (name, offset, path) of what a snapshot brought.
fn received_files(folder: &Path) -> io::Result<Vec<(String, u64, PathBuf)>> {
    let mut files = Vec::new();
    for (folder, prefix) in [(folder.to_owned(), ""), (folder.join("numbers"), "numbers/")] {
        if !folder.exists() {
            continue;
        }
        for found in fs::read_dir(folder)? {
            let path = found?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some((name, offset)) = name.and_then(|name| name.split_once('@')) {
                let offset = offset.parse().map_err(io::Error::other)?;
                files.push((format!("{prefix}{name}"), offset, path));
            }
        }
    }
    Ok(files)
}

/// (name, length) of every file of history, as another node is told.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for (folder, prefix) in [(folder.to_owned(), ""), (folder.join("numbers"), "numbers/")] {
        for found in fs::read_dir(folder)? {
            let found = found?;
            let (name, meta) = (found.file_name(), found.metadata()?);
            if let Some(name) = name.to_str().filter(|_| meta.is_file()) {
                files.push((format!("{prefix}{name}"), meta.len()));
            }
        }
    }
    Ok(files)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// Cuts a file to `length`; one that is shorter has lost synced bytes.
fn cut(file: &File, length: u64) -> Result<(), Error> {
    let damaged = || Error::Damaged { what: "history, which ends before the state".to_owned() };
    let found = file.metadata().map_err(|_| damaged())?.len();
    if found < length {
        return Err(damaged());
    }
    file.set_len(length).map_err(|_| damaged())
}

/// Reads exactly at an offset.
fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}
