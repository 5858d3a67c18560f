//! Raft's log and vote in their own database: nothing is acknowledged before it is synced and promised; it never reads a payload.
mod open;
mod writer;

use std::{
    collections::VecDeque,
    fmt::Debug,
    io,
    ops::{Bound, Range, RangeBounds},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use futures_util::{Stream, TryStreamExt, stream};
use ledger_proof::{Digest, tree::sha256};
use openraft::{
    EntryPayload, LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::{
    Error, host,
    raft::{Entry, LogIdOf, Types, VoteOf, entry_length, get_entry},
    rows::Rows,
};
pub(crate) use open::Place;
use writer::Op;

#[cfg(test)]
mod tests;

/// Entries of the log's end that stay in memory.
const TAIL_BYTES_MAX: usize = 64 << 20;
/// What one read hands to replication.
const READ_BYTES_MAX: usize = 4 << 20;

/// The one table of the log's database.
const TABLE: &str = "default";
const ENTRY: u8 = b'e';
/// Bytes of the chain before an entry's own.
const CHAIN: usize = 32;
const VOTE: &[u8] = b"m/vote";
const COMMITTED: &[u8] = b"m/committed";
const PURGED: &[u8] = b"m/purged";

/// The log; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct LogStore {
    inner: Arc<Inner>,
    ops: mpsc::UnboundedSender<Op>,
}

/// Reads of the log.
#[derive(Clone, Debug)]
pub(crate) struct LogReader {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rows: Rows,
    meta: Mutex<Meta>,
    tail: RwLock<Tail>,
    /// The last entry that is durable here.
    durable: watch::Sender<Option<u64>>,
}

#[derive(Debug, Default)]
struct Meta {
    vote: Option<VoteOf>,
    committed: Option<LogIdOf>,
    purged: Option<LogIdOf>,
    last: Option<LogIdOf>,
}

/// The newest entries, appended and perhaps not yet synced.
#[derive(Debug, Default)]
struct Tail {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Entries below are in the database.
    written_next: u64,
}

impl LogStore {
    /// Opens the log, unless it is not all that this node promised.
    ///
    /// # Errors
    /// When it is damaged, rolled back, or cannot be read.
    pub(crate) fn open(place: &Place<'_>) -> Result<(Self, host::Worker), Error> {
        let found = open::open(place)?;
        let written_next = found.meta.last.map_or(0, |last| last.index + 1);
        let tail = Tail { written_next, ..Tail::default() };
        let durable = watch::Sender::new(found.meta.last.map(|last| last.index));
        let (rows, meta) = (found.rows, Mutex::new(found.meta));
        let inner = Arc::new(Inner { rows, meta, tail: RwLock::new(tail), durable });
        let (ops, worker) =
            writer::start(Arc::clone(&inner), found.guard).map_err(Error::file(place.folder))?;
        Ok((Self { inner, ops }, worker))
    }

    /// Follows which entry is the last that is durable here: others may commit one before that.
    pub(crate) fn durable(&self) -> watch::Receiver<Option<u64>> {
        self.inner.durable.subscribe()
    }

    /// The log's last entry.
    pub(crate) fn last(&self) -> Option<LogIdOf> {
        self.inner.meta().last
    }

    /// The highest vote given.
    pub(crate) fn vote(&self) -> Option<VoteOf> {
        self.inner.meta().vote
    }

    /// Whether the log goes on where a state ends.
    ///
    /// # Errors
    /// When entries between them are gone: the state is older than the log.
    pub(crate) fn covers(&self, applied: Option<LogIdOf>) -> Result<(), Error> {
        let purged = self.inner.meta().purged.map(|purged| purged.index);
        if purged > applied.map(|applied| applied.index) {
            return Err(Error::Damaged {
                what: "the state, which ends before the log begins".to_owned(),
            });
        }
        Ok(())
    }

    /// How far a snapshot must reach so that the log goes on from it: to where the log was purged,
    /// or to the state if that was installed ahead of the log, which will then be purged.
    pub(crate) fn snapshot_reaches(&self, applied: Option<LogIdOf>) -> Option<LogIdOf> {
        let meta = self.inner.meta();
        if meta.last < applied { applied } else { meta.purged }
    }

    /// Gives the commands' bytes of each entry of a range, as far as the log reaches.
    ///
    /// # Errors
    /// When the log cannot be read, and what `give` says.
    pub(crate) fn commands(
        &self,
        range: Range<u64>,
        mut give: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut next = range.start;
        while next < range.end {
            let entries = self.inner.entries(next, range.end, READ_BYTES_MAX)?;
            let Some(last) = entries.last() else { break };
            next = last.log_id.index + 1;
            for entry in &entries {
                if let EntryPayload::Normal(payload) = &entry.payload {
                    give(payload.bytes())?;
                }
            }
        }
        Ok(())
    }

    /// Keeps only the last `kept` entries in memory.
    #[cfg(test)]
    fn forget(&self, kept: usize) {
        let mut tail = self.inner.tail.write().unwrap_or_else(PoisonError::into_inner);
        let length = tail.entries.len();
        tail.entries.drain(..length.saturating_sub(kept));
    }

    /// Hands an operation to the writer and waits until it is synced.
    async fn synced(&self, op: impl FnOnce(writer::Done) -> Op) -> io::Result<()> {
        let (done, synced) = tokio::sync::oneshot::channel();
        self.ops.send(op(done)).map_err(|_| io::Error::other("the log's writer ended"))?;
        synced.await.map_err(|_| io::Error::other("the log's writer ended"))
    }
}

fn is_entry(key: &[u8]) -> bool {
    key.first() == Some(&ENTRY)
}

/// The key of an entry.
fn key(index: u64) -> [u8; 9] {
    let mut key = [ENTRY; 9];
    key[1..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The chain up to an entry: over the chain up to the one before, and its bytes.
fn chained(before: &Digest, entry: &[u8]) -> Digest {
    sha256(&[before, entry])
}

/// The chain up to the last entry of a log whose entries came as a snapshot.
fn chain_start(purged: &LogIdOf) -> Digest {
    let (term, index) = (purged.leader_id.term.to_be_bytes(), purged.index.to_be_bytes());
    sha256(&[b"causeway.log.start", &term, &index])
}

/// A row's chain and entry.
fn split(row: &[u8]) -> io::Result<(Digest, &[u8])> {
    let (chain, entry) =
        row.split_first_chunk().ok_or_else(|| io::Error::other("a log row is too short"))?;
    Ok((*chain, entry))
}

impl Inner {
    fn meta(&self) -> MutexGuard<'_, Meta> {
        self.meta.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the log's last entry is at or behind `index`.
    fn reaches(&self, index: u64) -> bool {
        self.meta().last.is_some_and(|last| last.index >= index)
    }

    /// Entries of `[start, end)`, at least one if there is one, then at most `bytes_max`. What
    /// leaves the tail meanwhile is in the database, so reading goes on until nothing can be missing.
    fn entries(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let mut run = Run { next: start, end, bytes_left: bytes_max, entries: Vec::new() };
        let mut before = None;
        loop {
            let first_in_tail = {
                let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
                let first = tail.entries.front().map_or(u64::MAX, |entry| entry.log_id.index);
                if run.next >= first {
                    let skip = usize::try_from(run.next - first).map_err(io::Error::other)?;
                    for entry in tail.entries.iter().skip(skip) {
                        if !run.take(entry.log_id.index, entry_length(entry))? {
                            break;
                        }
                        run.entries.push(entry.clone());
                    }
                    return Ok(run.entries);
                }
                first
            };
            let full = self.entries_written(&mut run, first_in_tail)?;
            if full || first_in_tail >= end {
                return Ok(run.entries);
            }
            // Nothing lies between: the log starts with the tail.
            if run.entries.is_empty() {
                run.next = first_in_tail;
            }
            // The tail stood still and nothing was found before it: nothing ever will be.
            if before.replace((run.next, first_in_tail)) == Some((run.next, first_in_tail)) {
                return Err(io::Error::other("the log has a hole"));
            }
        }
    }

    /// Reads on from the database up to `stop`, each entry against the chain; `true` when the run
    /// is full.
    fn entries_written(&self, run: &mut Run, stop: u64) -> io::Result<bool> {
        let (end, mut full, mut before) = (key(stop.min(run.end)), false, None);
        self.rows.scan(TABLE, &key(run.next), |row_key, row| {
            if !is_entry(row_key) || row_key >= &end[..] {
                return Ok(false);
            }
            let (chain, bytes) = split(row)?;
            if before.is_some_and(|before| chained(&before, bytes) != chain) {
                return Err(io::Error::other("a log entry does not follow the one before"));
            }
            before = Some(chain);
            let entry = get_entry(bytes.to_vec().into())?;
            full = !run.take(entry.log_id.index, row.len())?;
            if !full {
                run.entries.push(entry);
            }
            Ok(!full)
        })?;
        Ok(full)
    }
}

/// Entries read so far, and what may still be read.
struct Run {
    next: u64,
    end: u64,
    bytes_left: usize,
    entries: Vec<Entry>,
}

impl Run {
    /// Whether the entry `index` of `length` bytes still belongs to the run.
    fn take(&mut self, index: u64, length: usize) -> io::Result<bool> {
        if index >= self.end || (self.bytes_left < length && !self.entries.is_empty()) {
            return Ok(false);
        }
        if index != self.next && !self.entries.is_empty() {
            return Err(io::Error::other("the log has a hole"));
        }
        self.next = index + 1;
        self.bytes_left = self.bytes_left.saturating_sub(length);
        Ok(true)
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start + 1,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end + 1,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl RaftLogReader<Types> for LogReader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let (start, end) = bounds(&range);
        self.inner.entries(start, end, usize::MAX)
    }

    /// Read piece by piece: a node that starts again may have gigabytes to apply.
    async fn entries_stream<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend {
        let inner = Arc::clone(&self.inner);
        let pieces = stream::try_unfold(bounds(&range), move |(next, end)| {
            let read = match next < end {
                true => inner.entries(next, end, READ_BYTES_MAX),
                false => Ok(Vec::new()),
            };
            std::future::ready(read.and_then(|entries| match entries.last() {
                Some(last) => {
                    let from = last.log_id.index + 1;
                    Ok(Some((stream::iter(entries.into_iter().map(Ok)), (from, end))))
                }
                // Never to be taken for the end: apply would pass over what is missing.
                None if next < end && inner.reaches(next) => {
                    Err(io::Error::other("the log lacks entries before its end"))
                }
                None => Ok(None),
            }))
        });
        pieces.try_flatten()
    }

    async fn read_vote(&mut self) -> Result<Option<VoteOf>, io::Error> {
        Ok(self.inner.meta().vote)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        self.inner.entries(start, end, READ_BYTES_MAX)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let meta = self.inner.meta();
        Ok(LogState { last_purged_log_id: meta.purged, last_log_id: meta.last })
    }

    async fn get_log_reader(&mut self) -> LogReader {
        LogReader { inner: Arc::clone(&self.inner) }
    }

    async fn save_vote(&mut self, vote: &VoteOf) -> Result<(), io::Error> {
        let vote_row = json(vote)?;
        self.synced(|done| Op::Vote { vote: *vote, row: vote_row, done }).await?;
        self.inner.meta().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogIdOf>) -> Result<(), io::Error> {
        self.inner.meta().committed = committed;
        let Some(committed) = committed else { return Ok(()) };
        // Only shortens recovery, so it rides with the next synced write.
        let op = Op::Committed { row: json(&committed)? };
        self.ops.send(op).map_err(|_| io::Error::other("the log's writer ended"))
    }

    async fn read_committed(&mut self) -> Result<Option<LogIdOf>, io::Error> {
        Ok(self.inner.meta().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        if let Some(last) = entries.last() {
            self.inner.meta().last = Some(last.log_id);
        }
        let mut tail = self.inner.tail.write().unwrap_or_else(PoisonError::into_inner);
        for entry in &entries {
            tail.bytes += entry_length(entry);
            tail.entries.push_back(entry.clone());
        }
        drop(tail);
        self.ops
            .send(Op::Append { entries, callback })
            .map_err(|_| io::Error::other("the log's writer ended"))
    }

    async fn truncate_after(&mut self, last: Option<LogIdOf>) -> Result<(), io::Error> {
        let from = last.map_or(0, |last| last.index + 1);
        {
            let mut tail = self.inner.tail.write().unwrap_or_else(PoisonError::into_inner);
            while tail.entries.back().is_some_and(|entry| entry.log_id.index >= from) {
                let cut = tail.entries.pop_back();
                tail.bytes -= cut.as_ref().map_or(0, entry_length);
            }
            tail.written_next = tail.written_next.min(from);
            let mut meta = self.inner.meta();
            if meta.last.is_some_and(|end| end.index >= from) {
                meta.last = last.or(meta.purged);
            }
        }
        self.synced(|done| Op::Truncate { last, done }).await
    }

    async fn purge(&mut self, upto: LogIdOf) -> Result<(), io::Error> {
        {
            let mut tail = self.inner.tail.write().unwrap_or_else(PoisonError::into_inner);
            while tail.entries.front().is_some_and(|entry| entry.log_id.index <= upto.index) {
                let cut = tail.entries.pop_front();
                tail.bytes -= cut.as_ref().map_or(0, entry_length);
            }
            let mut meta = self.inner.meta();
            meta.purged = Some(upto);
            meta.last = meta.last.max(Some(upto));
        }
        self.synced(|done| Op::Purge { upto, done }).await
    }
}

fn json<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(io::Error::from)
}
