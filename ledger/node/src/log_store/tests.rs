//! Consensus's own suite over the stores, reads while the tail moves, and what the log still holds after it was closed.
use std::thread::JoinHandle;

use futures_util::TryStreamExt;
use openraft::{
    EntryPayload, LogId, StorageError, Vote,
    storage::{RaftLogReader, RaftLogStorage, RaftLogStorageExt},
    testing::log::{StoreBuilder, Suite},
};
use tempfile::TempDir;

use super::LogStore;
use crate::{
    machine::Machine,
    raft::{Entry, Payload, Types},
    testing,
};

struct Builder;

/// Dropped after the stores: their threads must end before their folder goes.
struct Guard {
    threads: Vec<JoinHandle<()>>,
    _folder: TempDir,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.threads.drain(..).for_each(|thread| thread.join().expect("ended"));
    }
}

impl StoreBuilder<Types, LogStore, Machine, Guard> for Builder {
    async fn build(&self) -> Result<(Guard, LogStore, Machine), StorageError<Types>> {
        let folder = tempfile::tempdir().expect("a folder");
        let log = LogStore::open(&folder.path().join("log")).expect("a log");
        let (machine, threads) = testing::machine(folder.path());
        Ok((Guard { threads: threads.into(), _folder: folder }, log, machine))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_keep_the_contract_of_consensus() {
    Suite::test_all(Builder).await.unwrap();
}

fn entry(term: u64, index: u64, bytes: &'static [u8]) -> Entry {
    let payload = EntryPayload::Normal(Payload::new(bytes.into(), None));
    Entry { log_id: LogId::new_term_index(term, index), payload }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut log = LogStore::open(folder.path()).unwrap();
        let entries = [entry(1, 0, b"a"), entry(1, 1, b"b"), entry(1, 2, b"c")];
        log.blocking_append(entries).await.unwrap();
        log.truncate_after(Some(LogId::new_term_index(1, 1))).await.unwrap();
        log.blocking_append([entry(2, 2, b"d")]).await.unwrap();
        log.purge(LogId::new_term_index(1, 0)).await.unwrap();
        log.save_vote(&Vote::new(3, 2)).await.unwrap();
        log.closed();
    }
    let mut log = reopened(folder.path());
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(LogId::new_term_index(1, 0)));
    assert_eq!(state.last_log_id, Some(LogId::new_term_index(2, 2)));
    let mut reader = log.get_log_reader().await;
    assert_eq!(reader.read_vote().await.unwrap(), Some(Vote::new(3, 2)));
    let kept = reader.try_get_log_entries(1..9).await.unwrap();
    assert_eq!(kept, [entry(1, 1, b"b"), entry(2, 2, b"d")]);
}

/// The closed log again: its lock is let go a moment after its last user.
fn reopened(folder: &std::path::Path) -> LogStore {
    for _ in 0..10_000 {
        if let Ok(log) = LogStore::open(folder) {
            return log;
        }
        std::thread::yield_now();
    }
    panic!("the log stays locked")
}

#[tokio::test]
async fn a_read_misses_nothing_between_database_and_tail() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogStore::open(folder.path()).unwrap();
    log.blocking_append((0..9).map(|index| entry(1, index, b"x"))).await.unwrap();
    let indexes = |entries: Vec<Entry>| -> Vec<u64> {
        entries.iter().map(|entry| entry.log_id.index).collect()
    };
    for kept in (0..=9).rev() {
        log.forget(kept);
        let mut reader = log.get_log_reader().await;
        for (start, end) in [(0, 9), (3, 7), (8, 9), (0, 1), (4, 4), (7, 20)] {
            let expected: Vec<u64> = (start..end.min(9)).collect();
            let read = reader.try_get_log_entries(start..end).await.unwrap();
            assert_eq!(indexes(read), expected, "{start}..{end} with {kept} in memory");
            let streamed = reader.entries_stream(start..end).await;
            let streamed: Vec<Entry> = streamed.try_collect().await.unwrap();
            assert_eq!(indexes(streamed), expected, "{start}..{end} streamed");
        }
    }
}

#[tokio::test]
async fn a_hole_is_an_error_and_never_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = LogStore::open(folder.path()).unwrap();
    let with_hole = [0, 1, 2, 5, 6, 7].map(|index| entry(1, index, b"x"));
    log.blocking_append(with_hole).await.unwrap();
    // In memory, at its edge, and in the database alone.
    for kept in [6, 3, 0] {
        log.forget(kept);
        let mut reader = log.get_log_reader().await;
        assert!(reader.try_get_log_entries(0..8).await.is_err(), "{kept} in memory");
        let streamed = reader.entries_stream(0..8).await;
        assert!(streamed.try_collect::<Vec<Entry>>().await.is_err(), "{kept} streamed");
    }
}
