//! Whether disks have room for more: this node's own and, as heard, the others'; it frees nothing.
use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{host, measure};

#[cfg(test)]
mod tests;

/// How long what was heard counts.
const HEARD_FOR: Duration = Duration::from_secs(5);

/// What is known of disks; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Rooms {
    folders: Arc<[PathBuf]>,
    free_bytes_min: u64,
    heard: Arc<Mutex<BTreeMap<u64, (Instant, bool)>>>,
    own: Arc<AtomicBool>,
    open: Arc<AtomicBool>,
}

impl Rooms {
    /// A node whose data lies in these folders, each of whose disks must keep so many bytes free.
    pub(crate) fn new(folders: impl IntoIterator<Item = PathBuf>, free_bytes_min: u64) -> Self {
        Self {
            folders: folders.into_iter().collect(),
            free_bytes_min,
            heard: Arc::default(),
            own: Arc::new(AtomicBool::new(true)),
            open: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Takes whether a node has room.
    pub(crate) fn hear(&self, node: u64, room: bool) {
        self.heard().insert(node, (Instant::now(), room));
    }

    /// Looks at this node's disks, and whether a majority of so many voters has room.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn look(&self, voters: usize) -> io::Result<()> {
        let mut free = u64::MAX;
        for folder in self.folders.iter() {
            free = free.min(host::free_bytes(folder)?);
        }
        metrics::gauge!("causeway_ledger_disk_free_bytes").set(measure::float(free));
        self.take(free >= self.free_bytes_min, voters);
        Ok(())
    }

    fn take(&self, own: bool, voters: usize) {
        let short = self.lately(|room| !room).count() + usize::from(!own);
        self.own.store(own, Ordering::Relaxed);
        self.open.store(own && voters.saturating_sub(short) * 2 > voters, Ordering::Relaxed);
    }

    /// Whether this node's own disks have room.
    pub(crate) fn own(&self) -> bool {
        self.own.load(Ordering::Relaxed)
    }

    /// Whether new work can be kept here and by a majority; a node that was not heard may have room.
    pub(crate) fn open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// A node that has room, as heard lately.
    pub(crate) fn elsewhere(&self) -> Option<u64> {
        self.lately(|room| room).next()
    }

    fn lately(&self, room: fn(bool) -> bool) -> impl Iterator<Item = u64> {
        let mut heard = self.heard().clone();
        heard.retain(|_, (at, its)| at.elapsed() <= HEARD_FOR && room(*its));
        heard.into_keys()
    }

    fn heard(&self) -> MutexGuard<'_, BTreeMap<u64, (Instant, bool)>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
