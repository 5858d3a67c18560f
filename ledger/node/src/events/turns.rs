//! Turns at reading history, so that streams which catch up leave cores to consensus and to each other; it reads nothing.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Reader;

/// Reads at one time. Each keeps a core busy, and a leader whose heartbeats wait for one loses its lead.
const AT_ONCE: usize = 2;

/// Hands out turns; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    each: Arc<Mutex<HashMap<Reader, Arc<Semaphore>>>>,
}

/// A turn, until dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), each: Arc::default() }
    }

    /// Waits for a turn. One reader has one at a time, so that before another's there stands at
    /// most one of each, however many streams it opened.
    pub(super) async fn take(&self, reader: Reader) -> Option<Turn> {
        let own = {
            let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(each.entry(reader).or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        let own = own.acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn { _own: own, _all: all })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use ledger_types::ParticipantId;

    use super::*;

    #[test]
    fn turns_of_one_reader_do_not_hold_up_another() {
        let (turns, flood) = (Turns::new(), Reader::Participant(ParticipantId(1)));
        let first = turns.take(flood).now_or_never();
        assert!(first.is_some());
        let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(turns.take(flood))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let other = turns.take(Reader::Operator).now_or_never();
        assert!(other.is_some());
        let mut third = Box::pin(turns.take(Reader::Participant(ParticipantId(2))));
        assert!((&mut third).now_or_never().is_none(), "all turns are taken");
        drop(first);
        let third = third.now_or_never();
        assert!(third.is_some(), "of the flood only one stands before it");
        assert!((&mut waiting[0]).now_or_never().is_none());
        drop(other);
        assert!((&mut waiting[0]).now_or_never().is_some());
    }
}
