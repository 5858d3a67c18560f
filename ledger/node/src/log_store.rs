//! Raft's log and vote in their own RocksDB: nothing is acknowledged before it is synced; it never reads a payload.
mod writer;

use std::{
    collections::VecDeque,
    fmt::Debug,
    io,
    ops::{Bound, RangeBounds},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc},
};

use futures_util::{Stream, TryStreamExt, stream};
use openraft::{
    LogState, OptionalSend, RaftLogReader,
    storage::{IOFlushed, RaftLogStorage},
};
use rocksdb::{DB, DBRecoveryMode, Options};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Error,
    raft::{Entry, LogIdOf, Types, VoteOf, entry_length, get_entry},
};
use writer::Op;

#[cfg(test)]
mod tests;

/// Entries of the log's end that stay in memory.
const TAIL_BYTES_MAX: usize = 64 << 20;
/// What one read hands to replication.
const READ_BYTES_MAX: usize = 4 << 20;

const ENTRY: u8 = b'e';
const VOTE: &[u8] = b"m/vote";
const COMMITTED: &[u8] = b"m/committed";
const PURGED: &[u8] = b"m/purged";

/// The log; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct LogStore {
    inner: Arc<Inner>,
    ops: mpsc::Sender<Op>,
}

/// Reads of the log.
#[derive(Clone, Debug)]
pub(crate) struct LogReader {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: DB,
    meta: Mutex<Meta>,
    tail: RwLock<Tail>,
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
    /// Entries below are in RocksDB.
    written_next: u64,
}

impl LogStore {
    /// Opens the log in `folder`.
    ///
    /// # Errors
    /// When RocksDB finds it damaged or it cannot be read.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let db = DB::open(&options(), folder).map_err(Error::rocks("opening the log"))?;
        let mut meta = Meta {
            vote: read(&db, VOTE)?,
            committed: read(&db, COMMITTED)?,
            purged: read(&db, PURGED)?,
            last: None,
        };
        meta.last = last_entry(&db)?.or(meta.purged);
        let written_next = meta.last.map_or(0, |last| last.index + 1);
        let tail = Tail { written_next, ..Tail::default() };
        let inner = Arc::new(Inner { db, meta: Mutex::new(meta), tail: RwLock::new(tail) });
        let ops = writer::start(Arc::clone(&inner)).map_err(Error::file(folder))?;
        Ok(Self { inner, ops })
    }

    /// Ends the writer and waits until it has closed the database.
    #[cfg(test)]
    fn closed(self) {
        let inner = Arc::downgrade(&self.inner);
        drop(self);
        while inner.strong_count() > 0 {
            std::thread::yield_now();
        }
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

fn options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_paranoid_checks(true);
    // Tolerates a torn last write, which was never acknowledged; anything else damaged is refused.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_write_buffer_size(64 << 20);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(4);
    options
}

fn read<T: DeserializeOwned>(db: &DB, key: &[u8]) -> Result<Option<T>, Error> {
    let row = db.get(key).map_err(Error::rocks("reading the log's meta rows"))?;
    row.map(|row| serde_json::from_slice(&row))
        .transpose()
        .map_err(|_| Error::Damaged { what: "log meta row".to_owned() })
}

fn last_entry(db: &DB) -> Result<Option<LogIdOf>, Error> {
    let mut rows = db.raw_iterator();
    rows.seek_for_prev(key(u64::MAX));
    rows.status().map_err(Error::rocks("reading the log's end"))?;
    let Some(row) = rows.value().filter(|_| rows.key().is_some_and(is_entry)) else {
        return Ok(None);
    };
    get_entry(row.to_vec().into())
        .map(|entry| Some(entry.log_id))
        .map_err(|_| Error::Damaged { what: "last log entry".to_owned() })
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

impl Inner {
    fn meta(&self) -> MutexGuard<'_, Meta> {
        self.meta.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the log's last entry is at or behind `index`.
    fn reaches(&self, index: u64) -> bool {
        self.meta().last.is_some_and(|last| last.index >= index)
    }

    /// Entries of `[start, end)`, at least one if there is one, then at most `bytes_max`. What
    /// leaves the tail meanwhile is in RocksDB, so reading goes on until nothing can be missing.
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

    /// Reads on from RocksDB up to `stop`; `true` when the run is full.
    fn entries_written(&self, run: &mut Run, stop: u64) -> io::Result<bool> {
        let mut rows = self.db.raw_iterator();
        rows.seek(key(run.next));
        while let (Some(row_key), Some(row)) = (rows.key(), rows.value()) {
            if !is_entry(row_key) || row_key >= &key(stop.min(run.end))[..] {
                return Ok(false);
            }
            let entry = get_entry(row.to_vec().into())?;
            if !run.take(entry.log_id.index, row.len())? {
                return Ok(true);
            }
            run.entries.push(entry);
            rows.next();
        }
        rows.status().map_err(io::Error::other)?;
        Ok(false)
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
        let row = json(vote)?;
        self.synced(|done| Op::Meta { key: VOTE, row, done: Some(done) }).await?;
        self.inner.meta().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogIdOf>) -> Result<(), io::Error> {
        self.inner.meta().committed = committed;
        let Some(committed) = committed else { return Ok(()) };
        // Only shortens recovery, so it rides with the next synced write.
        let op = Op::Meta { key: COMMITTED, row: json(&committed)?, done: None };
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
        self.synced(|done| Op::Truncate { from, done }).await
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
        let row = json(&upto)?;
        self.synced(|done| Op::Purge { upto: upto.index, row, done }).await
    }
}

fn json<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(io::Error::from)
}
