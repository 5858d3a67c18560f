//! The one worker that writes the log: whatever waits goes into one batch, one sync, one promise, then the acknowledgements in order.
use std::{
    io,
    sync::{Arc, PoisonError},
};

use ledger_proof::Digest;
use openraft::storage::IOFlushed;
use services_runtime::faults::crash_point;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    CHAIN, COMMITTED, Inner, PURGED, TABLE, TAIL_BYTES_MAX, VOTE, chain_start, chained, json, key,
    split,
};
use crate::{
    error::OrHalt,
    guard::{Guard, Promise},
    host,
    raft::{Entry, LogIdOf, Types, VoteOf, entry_length, put_entry},
    rows::Batch,
};

/// What one sync may carry.
const BATCH_BYTES_MAX: usize = 16 << 20;

pub(super) type Done = oneshot::Sender<()>;

/// Something to write, in the order given.
pub(super) enum Op {
    Append { entries: Vec<Entry>, callback: IOFlushed<Types> },
    Vote { vote: VoteOf, row: Vec<u8>, done: Done },
    Committed { row: Vec<u8> },
    Truncate { last: Option<LogIdOf>, done: Done },
    Purge { upto: LogIdOf, done: Done },
}

enum Acknowledge {
    Append(IOFlushed<Types>, u64),
    Done(Done),
}

/// Starts the writer; it ends when every sender is gone.
pub(super) fn start(
    inner: Arc<Inner>,
    guard: Guard,
) -> io::Result<(mpsc::UnboundedSender<Op>, host::Worker)> {
    let (sender, ops) = mpsc::unbounded_channel();
    let promise = guard.promise().clone();
    let (batch, waiting, scratch) = (Batch::default(), Vec::new(), Vec::new());
    let writer = Writer { inner, guard, promise, batch, waiting, scratch };
    let worker = host::spawn("log-writer", writer.run(ops))?;
    Ok((sender, worker))
}

struct Writer {
    inner: Arc<Inner>,
    guard: Guard,
    /// What is promised once the batch is synced.
    promise: Promise,
    batch: Batch,
    waiting: Vec<Acknowledge>,
    scratch: Vec<u8>,
}

impl Writer {
    async fn run(mut self, mut ops: mpsc::UnboundedReceiver<Op>) {
        let mut next = ops.recv().await;
        while let Some(op) = next {
            next = match self.take(op) {
                None => ops.try_recv().ok(),
                // Written by itself, after all that came before.
                Some(alone) => {
                    self.write().await;
                    self.write_alone(alone).await;
                    None
                }
            };
            if next.is_none() || self.batch.bytes() >= BATCH_BYTES_MAX {
                self.write().await;
            }
            if next.is_none() {
                next = ops.recv().await;
            }
        }
    }

    /// Adds to the batch what may share a write.
    fn take(&mut self, op: Op) -> Option<Op> {
        match op {
            Op::Append { entries, callback } => {
                let next = entries.last().map_or(0, |entry| entry.log_id.index + 1);
                entries.iter().for_each(|entry| self.put(entry));
                self.waiting.push(Acknowledge::Append(callback, next));
                None
            }
            Op::Vote { vote, row, done } => {
                self.promise.vote = Some(vote);
                self.batch.put(TABLE, VOTE, &row);
                self.waiting.push(Acknowledge::Done(done));
                None
            }
            Op::Committed { row } => {
                self.batch.put(TABLE, COMMITTED, &row);
                None
            }
            alone @ (Op::Truncate { .. } | Op::Purge { .. }) => Some(alone),
        }
    }

    fn put(&mut self, entry: &Entry) {
        self.scratch.clear();
        self.scratch.extend_from_slice(&[0; CHAIN]);
        put_entry(entry, &mut self.scratch).or_halt("encoding a log entry");
        let chain = chained(&self.promise.chain, &self.scratch[CHAIN..]);
        self.scratch[..CHAIN].copy_from_slice(&chain);
        self.batch.put(TABLE, &key(entry.log_id.index), &self.scratch);
        (self.promise.last, self.promise.chain) = (Some(entry.log_id), chain);
    }

    /// After a failed sync it is unknown what the disk holds: the process ends.
    async fn write(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let (batch, synced) = (std::mem::take(&mut self.batch), !self.waiting.is_empty());
        metrics::counter!("causeway_ledger_log_bytes_total")
            .increment(u64::try_from(batch.bytes()).unwrap_or(0));
        host::written().await;
        crash_point("log-before-write");
        let begun = Instant::now();
        self.inner.rows.write(&batch, synced).or_halt("writing the log");
        if synced {
            metrics::histogram!("causeway_ledger_log_sync_seconds").record(begun.elapsed());
        }
        crash_point("log-written");
        if synced {
            host::written().await;
            self.promise();
            crash_point("log-promised");
        }
        for waiting in self.waiting.drain(..) {
            match waiting {
                Acknowledge::Append(callback, next) => {
                    trim(&self.inner, next);
                    callback.io_completed(Ok(()));
                }
                // The caller may have gone; the write stays.
                Acknowledge::Done(done) => drop(done.send(())),
            }
        }
    }

    async fn write_alone(&mut self, op: Op) {
        let done = match op {
            Op::Truncate { last, done } => {
                self.truncate(last).await;
                done
            }
            Op::Purge { upto, done } => {
                self.purge(upto).await;
                done
            }
            Op::Append { .. } | Op::Vote { .. } | Op::Committed { .. } => return,
        };
        // The caller may have gone; the write stays.
        let _gone = done.send(());
    }

    /// The promise shrinks first: else a crash between the two would look like a loss.
    async fn truncate(&mut self, last: Option<LogIdOf>) {
        let from = last.map_or(0, |last| last.index + 1);
        let chain = last.and_then(|last| self.chain_at(&last)).or_else(|| self.chain_purged(last));
        self.promise.chain = chain.unwrap_or_default();
        self.promise.last = last;
        self.promise();
        crash_point("log-truncate-promised");
        let mut batch = Batch::default();
        batch.remove_range(TABLE, &key(from), &key(u64::MAX));
        host::written().await;
        self.inner.rows.write(&batch, true).or_halt("truncating the log");
        crash_point("log-truncated");
        let mut tail = self.inner.tail.write().unwrap_or_else(PoisonError::into_inner);
        tail.written_next = tail.written_next.min(from);
    }

    /// The entries go and the chain up to them stays.
    async fn purge(&mut self, upto: LogIdOf) {
        let chain = self.chain_at(&upto).unwrap_or_else(|| chain_start(&upto));
        let mut batch = Batch::default();
        batch.remove_range(TABLE, &key(0), &key(upto.index.saturating_add(1)));
        batch.put(TABLE, PURGED, &json(&(upto, chain)).or_halt("encoding the purge"));
        host::written().await;
        self.inner.rows.write(&batch, true).or_halt("purging the log");
        crash_point("log-purged");
        if self.promise.last.is_none_or(|last| last.index <= upto.index) {
            (self.promise.last, self.promise.chain) = (Some(upto), chain);
            self.promise();
        }
    }

    fn promise(&mut self) {
        self.guard.save(self.promise.clone()).or_halt("writing the high-water file");
        self.inner.durable.send_replace(self.promise.last.map(|last| last.index));
    }

    /// The chain up to a written entry.
    fn chain_at(&self, log_id: &LogIdOf) -> Option<Digest> {
        let row = self.inner.rows.get(TABLE, &key(log_id.index)).or_halt("reading the log");
        row.map(|row| split(&row).map(|(chain, _)| chain).or_halt("reading the log"))
    }

    /// The chain up to the purged entry, if the log now ends there.
    fn chain_purged(&self, last: Option<LogIdOf>) -> Option<Digest> {
        let row = self.inner.rows.get(TABLE, PURGED).or_halt("reading the log")?;
        let (purged, chain): (LogIdOf, Digest) =
            serde_json::from_slice(&row).or_halt("reading the log");
        (Some(purged) == last).then_some(chain)
    }
}

/// Lets the oldest entries go from memory once they are written.
fn trim(inner: &Inner, next: u64) {
    let mut tail = inner.tail.write().unwrap_or_else(PoisonError::into_inner);
    tail.written_next = tail.written_next.max(next);
    while tail.bytes > TAIL_BYTES_MAX
        && tail.entries.front().is_some_and(|entry| entry.log_id.index < tail.written_next)
    {
        let cut = tail.entries.pop_front();
        tail.bytes -= cut.as_ref().map_or(0, entry_length);
    }
}
