//! Consensus's own suite over the stores, reads while the tail moves, and what the log still holds after it was closed.
use std::path::Path;

use futures_util::TryStreamExt;
use openraft::{
    EntryPayload, LogId, StorageError, Vote,
    storage::{RaftLogReader, RaftLogStorage, RaftLogStorageExt},
    testing::log::{StoreBuilder, Suite},
};
use tempfile::TempDir;

use super::{CHAIN, LogStore, TABLE, key};
use crate::{
    host::Worker,
    machine::Machine,
    raft::{Entry, Payload, Types},
    rows::{Batch, Kind, Rows},
    testing,
};

struct Builder;

/// Dropped after the stores: their threads must end before their folder goes.
struct Guard {
    workers: Vec<Worker>,
    _folder: TempDir,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.workers.drain(..).for_each(Worker::join);
    }
}

impl StoreBuilder<Types, LogStore, Machine, Guard> for Builder {
    async fn build(&self) -> Result<(Guard, LogStore, Machine), StorageError<Types>> {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, writing) = testing::log(folder.path()).expect("a log");
        let (machine, mut workers) = testing::machine(folder.path());
        workers.push(writing);
        Ok((Guard { workers, _folder: folder }, log, machine))
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
        let (mut log, writing) = testing::log(folder.path()).unwrap();
        let entries = [entry(1, 0, b"a"), entry(1, 1, b"b"), entry(1, 2, b"c")];
        log.blocking_append(entries).await.unwrap();
        log.truncate_after(Some(LogId::new_term_index(1, 1))).await.unwrap();
        log.blocking_append([entry(2, 2, b"d")]).await.unwrap();
        log.purge(LogId::new_term_index(1, 0)).await.unwrap();
        log.save_vote(&Vote::new(3, 2)).await.unwrap();
        drop(log);
        writing.join();
    }
    let (mut log, _writing) = testing::log(folder.path()).unwrap();
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(LogId::new_term_index(1, 0)));
    assert_eq!(state.last_log_id, Some(LogId::new_term_index(2, 2)));
    let mut reader = log.get_log_reader().await;
    assert_eq!(reader.read_vote().await.unwrap(), Some(Vote::new(3, 2)));
    let kept = reader.try_get_log_entries(1..9).await.unwrap();
    assert_eq!(kept, [entry(1, 1, b"b"), entry(2, 2, b"d")]);
}

#[tokio::test]
async fn a_read_misses_nothing_between_database_and_tail() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, _writing) = testing::log(folder.path()).unwrap();
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
    let (mut log, _writing) = testing::log(folder.path()).unwrap();
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

/// A closed log of five entries, purged up to the first.
async fn five(folder: &Path) {
    let (mut log, writing) = testing::log(folder).unwrap();
    log.save_vote(&Vote::new(1, 1)).await.unwrap();
    log.blocking_append((0..5).map(|index| entry(1, index, b"entry"))).await.unwrap();
    log.purge(LogId::new_term_index(1, 0)).await.unwrap();
    drop(log);
    writing.join();
}

fn changed(folder: &Path, change: impl FnOnce(&Rows, &mut Batch)) {
    let rows = Rows::open(&folder.join("log"), Kind::Log).unwrap();
    let mut batch = Batch::default();
    change(&rows, &mut batch);
    rows.write(&batch, true).unwrap();
}

/// Damage that RocksDB itself cannot see: what it holds is well-formed, and not what was promised.
#[tokio::test]
async fn a_log_that_is_not_what_was_promised_is_refused() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 8] = [
        ("untouched", |_| {}),
        ("its end is lost", |folder| {
            changed(folder, |_, batch| batch.remove(TABLE, &key(4)));
        }),
        ("an entry is lost", |folder| {
            changed(folder, |_, batch| batch.remove(TABLE, &key(2)));
        }),
        ("an entry is another's", |folder| {
            changed(folder, |rows, batch| {
                let row = rows.get(TABLE, &key(3)).unwrap().unwrap();
                batch.put(TABLE, &key(2), &row);
            });
        }),
        ("an entry's bytes differ", |folder| {
            changed(folder, |rows, batch| {
                let mut row = rows.get(TABLE, &key(4)).unwrap().unwrap();
                row[CHAIN + 18] ^= 1;
                batch.put(TABLE, &key(4), &row);
            });
        }),
        ("a vote is lost", |folder| {
            changed(folder, |_, batch| batch.remove(TABLE, super::VOTE));
        }),
        ("all of it is lost", |folder| {
            std::fs::remove_dir_all(folder.join("log")).unwrap();
        }),
        ("the guard is lost", |folder| {
            std::fs::remove_file(folder.join("high-water")).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        five(folder.path()).await;
        damage(folder.path());
        let opened = testing::log(folder.path());
        assert_eq!(opened.is_ok(), what == "untouched", "{what}");
    }
}
