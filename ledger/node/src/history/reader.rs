//! Reading history while it grows: single records, runs of records, roots; it never writes.
use std::{
    io,
    os::unix::fs::FileExt as _,
    sync::{Arc, PoisonError},
};

use ledger_proof::{Digest, Field, Frontier, Record, tree::TILE_HEIGHT};
use ledger_types::{ParticipantId, Timestamp};
use tokio::sync::watch;

use super::{
    ENTRY_FRAME, FRAME_HEAD, Files, INDEX_ROW, Position, RECORD_FRAME, Segment, check, read_at,
    tiles,
};

/// What a run reads at once, at most and at least.
const CHUNK_BYTES: usize = 256 << 10;
const CHUNK_BYTES_MIN: usize = 16 << 10;
/// Rows of an index read at once.
const PLACES: u64 = 64;

/// How far history may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Tip {
    /// Records written.
    pub(crate) records: u64,
    /// Replicated time of the last.
    pub(crate) at: Timestamp,
}

/// The reading side; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct History {
    files: Arc<Files>,
    tip: watch::Sender<Tip>,
}

impl History {
    pub(super) fn new(files: Arc<Files>, position: &Position) -> Self {
        let tip = Tip { records: position.records, at: Timestamp::from_micros(position.at_micros) };
        Self { files, tip: watch::Sender::new(tip) }
    }

    /// Lets readers read as far as `position`.
    pub(crate) fn publish(&self, position: &Position) {
        let at = Timestamp::from_micros(position.at_micros);
        self.tip.send_replace(Tip { records: position.records, at });
    }

    /// How far history reaches.
    pub(crate) fn tip(&self) -> Tip {
        *self.tip.borrow()
    }

    /// Follows how far history reaches.
    pub(crate) fn watch(&self) -> watch::Receiver<Tip> {
        self.tip.subscribe()
    }

    /// The record that is a participant's own number `number`.
    pub(crate) fn sequence(&self, id: ParticipantId, number: u64) -> io::Result<Option<u64>> {
        let sequence = self.files.numbers.sequence(id, number)?;
        Ok(sequence.filter(|sequence| *sequence < self.tip().records))
    }

    /// The root over the first `records` records.
    pub(crate) fn root(&self, records: u64) -> io::Result<Digest> {
        Ok(self.frontier(records)?.root())
    }

    /// The frontier over the first `records` records: full tiles first, then their leaves.
    pub(crate) fn frontier(&self, records: u64) -> io::Result<Frontier> {
        let mut frontier = Frontier::default();
        for level in (1..=tiles::LEVELS).rev() {
            let first = tiles::full(frontier.size(), level);
            let count = tiles::full(records, level) - first;
            for root in self.files.tiles.read(level, first, count)? {
                frontier.push_subtree(level * TILE_HEIGHT, root, |_, _| {});
            }
        }
        for leaf in self.leaves(frontier.size(), records - frontier.size())? {
            frontier.push(leaf);
        }
        Ok(frontier)
    }

    /// Makes the tiles those of the first `records` records.
    pub(super) fn settle_tiles(&self, records: u64) -> io::Result<()> {
        self.files.tiles.settle(records, |first, count| self.leaves(first, count))
    }

    /// Whether the tiles follow from the leaf hashes of the first `records` records.
    pub(super) fn tiles_follow(&self, records: u64) -> io::Result<bool> {
        self.files.tiles.follow(records, |first, count| self.leaves(first, count))
    }

    /// Leaf hashes in a row.
    fn leaves(&self, first: u64, count: u64) -> io::Result<Vec<Digest>> {
        let mut leaves = Vec::new();
        let (mut at, end) = (first, first + count);
        while at < end {
            let (start, segment, next) = self.segment(at)?;
            let rows = next.min(end) - at;
            let length = usize::try_from(rows * INDEX_ROW).map_err(io::Error::other)?;
            let bytes = read_at(&segment.index, (at - start) * INDEX_ROW, length)?;
            for row in bytes.chunks_exact(40) {
                leaves.push(row[..32].try_into().map_err(io::Error::other)?);
            }
            at += rows;
        }
        Ok(leaves)
    }

    /// The segment that holds a record: (its first record, files, first record of the next).
    fn segment(&self, sequence: u64) -> io::Result<(u64, Arc<Segment>, u64)> {
        let segments = self.files.segments.read().unwrap_or_else(PoisonError::into_inner);
        let found = segments.range(..=sequence).next_back();
        let (first, segment) = found.ok_or_else(|| io::Error::other("no such segment"))?;
        let next = segments.range(sequence + 1..).next().map_or(u64::MAX, |(next, _)| *next);
        Ok((*first, Arc::clone(segment), next))
    }
}

/// Where records of one segment lie: rows of its index that follow each other.
#[derive(Debug)]
struct Places {
    /// The segment's first record.
    segment_first: u64,
    segment: Arc<Segment>,
    /// The record of the first row.
    first: u64,
    rows: Vec<u8>,
}

/// Reads records one after the other or here and there, keeping the last bytes read.
#[derive(Debug)]
pub(crate) struct Cursor {
    history: History,
    places: Option<Places>,
    chunk: Vec<u8>,
    chunk_first: u64,
    chunk_at: u64,
    entry: Option<(u64, u64, Arc<[u8]>)>,
}

impl Cursor {
    pub(crate) fn new(history: History) -> Self {
        Self { history, places: None, chunk: Vec::new(), chunk_first: 0, chunk_at: 0, entry: None }
    }

    /// A record below the tip.
    pub(crate) fn record(&mut self, sequence: u64) -> io::Result<Record> {
        let (first, segment, offset, _) = self.find(sequence)?;
        let frame = self.frame(first, &segment, offset, RECORD_FRAME)?;
        let record = Record::from_bytes(frame).map_err(io::Error::other)?;
        if record.sequence != sequence {
            return Err(io::Error::other("history's index points to another record"));
        }
        Ok(record)
    }

    /// The bytes of the entry that made a record.
    pub(crate) fn entry(&mut self, sequence: u64) -> io::Result<Arc<[u8]>> {
        let (first, segment, _, offset) = self.find(sequence)?;
        if let Some((_, _, entry)) =
            self.entry.as_ref().filter(|(of, at, _)| (*of, *at) == (first, offset))
        {
            return Ok(Arc::clone(entry));
        }
        let entry: Arc<[u8]> = self.frame(first, &segment, offset, ENTRY_FRAME)?.into();
        self.entry = Some((first, offset, Arc::clone(&entry)));
        Ok(entry)
    }

    /// (first record of the segment, segment, offset of the record, offset of its entry).
    fn find(&mut self, sequence: u64) -> io::Result<(u64, Arc<Segment>, u64, u64)> {
        if self.places.as_ref().is_none_or(|places| places.row(sequence).is_none()) {
            self.places = Some(self.places_from(sequence)?);
        }
        let places = self.places.as_ref().ok_or_else(|| io::Error::other("no such record"))?;
        let row = places.row(sequence).ok_or_else(|| io::Error::other("no such record"))?;
        let (record, entry) = row.split_at(4);
        let offset = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Ok((places.segment_first, Arc::clone(&places.segment), offset(record), offset(entry)))
    }

    /// Rows from a record on, as far as its segment and the tip go.
    fn places_from(&self, sequence: u64) -> io::Result<Places> {
        let tip = self.history.tip().records;
        if sequence >= tip {
            return Err(io::Error::other("the record is not written yet"));
        }
        let (segment_first, segment, next) = self.history.segment(sequence)?;
        let count = next.min(tip).min(sequence + PLACES) - sequence;
        let length = usize::try_from(count * INDEX_ROW).map_err(io::Error::other)?;
        let rows = read_at(&segment.index, (sequence - segment_first) * INDEX_ROW, length)?;
        Ok(Places { segment_first, segment, first: sequence, rows })
    }

    fn frame(&mut self, first: u64, segment: &Segment, offset: u64, kind: u8) -> io::Result<&[u8]> {
        let held = |chunk: &[u8], at: u64| -> Option<(usize, usize)> {
            let from = usize::try_from(offset.checked_sub(at)?).ok()?;
            let head = chunk.get(from..from + FRAME_HEAD)?;
            let length = u32::from_be_bytes(head.get(..4)?.try_into().ok()?);
            let from = from + FRAME_HEAD;
            let to = from.checked_add(usize::try_from(length).ok()?)?;
            (chunk.len() >= to).then_some((from, to))
        };
        let mut found =
            if first == self.chunk_first { held(&self.chunk, self.chunk_at) } else { None };
        // Whoever follows reads little at a time, whoever catches up much.
        let mut want = (self.chunk.len() * 2).clamp(CHUNK_BYTES_MIN, CHUNK_BYTES);
        while found.is_none() {
            self.chunk.resize(want, 0);
            let got = read_some(segment, &mut self.chunk, offset)?;
            self.chunk.truncate(got);
            (self.chunk_first, self.chunk_at) = (first, offset);
            found = held(&self.chunk, offset);
            if found.is_none() && got < want {
                return Err(io::Error::other("history ends within a frame"));
            }
            want *= 8;
        }
        let (from, to) = found.unwrap_or_default();
        let at = usize::try_from(offset - self.chunk_at).map_err(io::Error::other)?;
        if self.chunk.get(at + 4) != Some(&kind) {
            return Err(io::Error::other("history's index points to another kind of frame"));
        }
        if self.chunk.get(at + 5..from) != Some(&check(kind, &self.chunk[from..to])[..]) {
            return Err(io::Error::other("a frame of history is damaged"));
        }
        Ok(&self.chunk[from..to])
    }
}

impl Places {
    /// The two offsets of a record's row, if it is among these.
    fn row(&self, sequence: u64) -> Option<&[u8]> {
        let width = usize::try_from(INDEX_ROW).ok()?;
        let at = usize::try_from(sequence.checked_sub(self.first)?).ok()?.checked_mul(width)?;
        self.rows.get(at + 32..at + width)
    }
}

fn read_some(segment: &Segment, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < bytes.len() {
        let at = offset + u64::try_from(got).map_err(io::Error::other)?;
        match segment.data.read_at(&mut bytes[got..], at)? {
            0 => break,
            more => got += more,
        }
    }
    Ok(got)
}
