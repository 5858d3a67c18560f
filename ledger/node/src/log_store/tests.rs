//! What the log still holds after it was closed.
use openraft::{
    EntryPayload, LogId, Vote,
    storage::{RaftLogReader, RaftLogStorage, RaftLogStorageExt},
};

use super::LogStore;
use crate::raft::{Entry, Payload};

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
