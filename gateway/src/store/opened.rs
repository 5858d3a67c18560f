//! What API keys open, remembered for a moment; it must never answer with a key as it was before a change made here.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::api_keys::ApiKey;

/// How long a key is taken as it was read: so long it opens yet when another process changes it.
const REMEMBERED: Duration = Duration::from_secs(1);
/// The most keys; no participant has so many at work in one moment.
const KEYS_MAX: usize = 4_096;

/// Keys by the digests of their secrets.
#[derive(Debug, Default)]
pub(super) struct Opened(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    keys: HashMap<Vec<u8>, (Instant, Arc<ApiKey>)>,
    changes: Changes,
}

/// How many changes were made here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes(u64);

impl Opened {
    /// The key as it was read a moment ago, else after how many changes it is to be read.
    pub(super) fn get(&self, secret_sha256: &[u8]) -> Result<Arc<ApiKey>, Changes> {
        let state = self.lock();
        let known = state.keys.get(secret_sha256);
        let fresh = known.filter(|(read_at, _)| read_at.elapsed() < REMEMBERED);
        fresh.map(|(_, key)| Arc::clone(key)).ok_or(state.changes)
    }

    /// Remembers a key, unless something changed since `get`.
    pub(super) fn put(&self, secret_sha256: Vec<u8>, key: &Arc<ApiKey>, since: Changes) {
        let mut state = self.lock();
        if state.changes != since {
            return;
        }
        if state.keys.len() >= KEYS_MAX {
            state.keys.clear();
        }
        state.keys.insert(secret_sha256, (Instant::now(), Arc::clone(key)));
    }

    /// Forgets all, once a change of a key is committed.
    pub(super) fn changed(&self) {
        let mut state = self.lock();
        state.changes.0 += 1;
        state.keys.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicBool};

    use uuid::Uuid;

    use super::{Opened, REMEMBERED};
    use crate::store::api_keys::ApiKey;

    fn key() -> Arc<ApiKey> {
        let (scopes, signature_key) = (Vec::new(), None);
        let noted = AtomicBool::new(true);
        Arc::new(ApiKey { id: Uuid::nil(), owner: "ada".to_owned(), scopes, noted, signature_key })
    }

    #[test]
    fn what_was_read_before_a_change_is_never_told_after_it() {
        let opened = Opened::default();
        let since = opened.get(b"one").unwrap_err();
        opened.put(b"one".to_vec(), &key(), since);
        assert!(opened.get(b"one").is_ok());
        assert!(opened.get(b"other").is_err());
        let read_before = opened.get(b"other").unwrap_err();
        opened.changed();
        assert!(opened.get(b"one").is_err());
        opened.put(b"other".to_vec(), &key(), read_before);
        assert!(opened.get(b"other").is_err());
    }

    #[test]
    fn a_key_is_read_again_after_its_moment() {
        let opened = Opened::default();
        let since = opened.get(b"one").unwrap_err();
        opened.put(b"one".to_vec(), &key(), since);
        std::thread::sleep(REMEMBERED);
        assert!(opened.get(b"one").is_err());
    }
}
