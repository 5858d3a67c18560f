//! The one thread that writes the log: whatever waits goes into one batch, one sync, then the acknowledgements in order.
use std::{
    io,
    sync::{Arc, PoisonError, mpsc},
    thread,
};

use openraft::storage::IOFlushed;
use rocksdb::{WriteBatch, WriteOptions};
use tokio::sync::oneshot;

use super::{Inner, PURGED, TAIL_BYTES_MAX, key};
use crate::{
    error::OrHalt,
    raft::{Entry, Types, entry_length, put_entry},
};

/// What one sync may carry.
const BATCH_BYTES_MAX: usize = 16 << 20;

pub(super) type Done = oneshot::Sender<()>;

/// Something to write, in the order given.
pub(super) enum Op {
    Append { entries: Vec<Entry>, callback: IOFlushed<Types> },
    Meta { key: &'static [u8], row: Vec<u8>, done: Option<Done> },
    Truncate { from: u64, done: Done },
    Purge { upto: u64, row: Vec<u8>, done: Done },
}

enum Acknowledge {
    Append(IOFlushed<Types>, u64),
    Truncate(Done, u64),
    Done(Done),
}

/// Starts the writer; it ends when every sender is gone.
pub(super) fn start(inner: Arc<Inner>) -> io::Result<mpsc::Sender<Op>> {
    let (sender, ops) = mpsc::channel();
    thread::Builder::new().name("log-writer".to_owned()).spawn(move || run(&inner, &ops))?;
    Ok(sender)
}

fn run(inner: &Inner, ops: &mpsc::Receiver<Op>) {
    let mut writer = Writer::default();
    while let Ok(op) = ops.recv() {
        writer.take(op);
        while writer.batch.size_in_bytes() < BATCH_BYTES_MAX {
            let Ok(op) = ops.try_recv() else { break };
            writer.take(op);
        }
        writer.write(inner);
    }
}

#[derive(Default)]
struct Writer {
    batch: WriteBatch,
    waiting: Vec<Acknowledge>,
    scratch: Vec<u8>,
}

impl Writer {
    fn take(&mut self, op: Op) {
        match op {
            Op::Append { entries, callback } => {
                let next = entries.last().map_or(0, |entry| entry.log_id.index + 1);
                for entry in entries {
                    self.scratch.clear();
                    put_entry(&entry, &mut self.scratch).or_halt("encoding a log entry");
                    self.batch.put(key(entry.log_id.index), &self.scratch);
                }
                self.waiting.push(Acknowledge::Append(callback, next));
            }
            Op::Meta { key, row, done } => {
                self.batch.put(key, row);
                self.waiting.extend(done.map(Acknowledge::Done));
            }
            Op::Truncate { from, done } => {
                self.batch.delete_range(key(from), key(u64::MAX));
                self.waiting.push(Acknowledge::Truncate(done, from));
            }
            Op::Purge { upto, row, done } => {
                self.batch.delete_range(key(0), key(upto.saturating_add(1)));
                self.batch.put(PURGED, row);
                self.waiting.push(Acknowledge::Done(done));
            }
        }
    }

    fn write(&mut self, inner: &Inner) {
        let mut options = WriteOptions::default();
        options.set_sync(!self.waiting.is_empty());
        let batch = std::mem::take(&mut self.batch);
        metrics::counter!("causeway_ledger_log_bytes_total")
            .increment(u64::try_from(batch.size_in_bytes()).unwrap_or(0));
        // After a failed sync it is unknown what the disk holds.
        inner.db.write_opt(batch, &options).or_halt("writing the log");
        for waiting in self.waiting.drain(..) {
            match waiting {
                Acknowledge::Append(callback, next) => {
                    trim(inner, next);
                    callback.io_completed(Ok(()));
                }
                Acknowledge::Truncate(done, from) => {
                    let mut tail = inner.tail.write().unwrap_or_else(PoisonError::into_inner);
                    tail.written_next = tail.written_next.min(from);
                    let _gone = done.send(());
                }
                Acknowledge::Done(done) => {
                    // The caller may have gone; the write stays.
                    let _gone = done.send(());
                }
            }
        }
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
