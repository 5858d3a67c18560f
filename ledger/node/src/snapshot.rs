//! Snapshots as folders: a checkpoint of the state that says itself what it is the state after; it knows no network.
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use services_runtime::faults::crash_point;

use crate::{
    Error,
    raft::{LogIdOf, SnapshotMeta},
    state_store::{Cut, StateStore, sync_folder},
};

/// Marks a folder that is complete.
const COMPLETE: &str = "COMPLETE";

/// A snapshot's folder: `state/`, and `history/` if it was received. Removed once retired and no
/// longer read.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    retired: AtomicBool,
}

impl Folder {
    /// Where the checkpoint lies.
    pub(crate) fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Where received history lies.
    pub(crate) fn history(&self) -> PathBuf {
        self.path.join("history")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Acquire)
            && let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "an old snapshot stays");
        }
    }
}

/// The folder of snapshots.
#[derive(Debug)]
pub(crate) struct Snapshots {
    folder: PathBuf,
    next: AtomicU64,
    current: Mutex<Option<(Arc<Folder>, Cut)>>,
}

impl Snapshots {
    /// Finds the newest complete snapshot that reaches so far and removes the rest: a crash may
    /// have come between an installed state and the word that its snapshot is complete.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn open(folder: &Path, reaches: Option<LogIdOf>) -> Result<Self, Error> {
        let failed = || Error::file(folder);
        fs::create_dir_all(folder).map_err(failed())?;
        let mut numbers = Vec::new();
        for found in fs::read_dir(folder).map_err(failed())? {
            let name = found.map_err(failed())?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        let mut current = None;
        for number in numbers.iter().rev() {
            let path = folder.join(number.to_string());
            let usable = current.is_none() && path.join(COMPLETE).exists();
            let cut = if usable { StateStore::read_cut(&path.join("state")).ok() } else { None };
            let cut = cut.filter(|cut| cut.applied >= reaches);
            let retired = AtomicBool::new(cut.is_none());
            let found = Arc::new(Folder { path, retired });
            if let Some(cut) = cut {
                current = Some((found, cut));
            }
        }
        let next = numbers.last().map_or(1, |last| last + 1);
        let (folder, next) = (folder.to_owned(), AtomicU64::new(next));
        Ok(Self { folder, next, current: Mutex::new(current) })
    }

    /// An empty folder that goes away unless it becomes the current snapshot.
    pub(crate) fn begin(&self) -> io::Result<Arc<Folder>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(number.to_string());
        fs::create_dir_all(&path)?;
        Ok(Arc::new(Folder { path, retired: AtomicBool::new(true) }))
    }

    /// Makes a complete folder the current snapshot.
    pub(crate) fn finish(&self, folder: &Arc<Folder>) -> Result<Cut, Error> {
        let cut = StateStore::read_cut(&folder.state())?;
        let failed = || Error::file(&folder.path);
        fs::write(folder.path.join(COMPLETE), b"").map_err(failed())?;
        crash_point("snapshot-marked");
        sync_folder(&folder.path).and_then(|()| sync_folder(&self.folder)).map_err(failed())?;
        folder.retired.store(false, Ordering::Release);
        let former = self.lock().replace((Arc::clone(folder), cut.clone()));
        if let Some((former, _)) = former.filter(|(former, _)| !Arc::ptr_eq(former, folder)) {
            former.retired.store(true, Ordering::Release);
        }
        Ok(cut)
    }

    /// The current snapshot.
    pub(crate) fn current(&self) -> Option<(Arc<Folder>, Cut)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Arc<Folder>, Cut)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What consensus is told about a snapshot.
pub(crate) fn meta(cut: &Cut) -> SnapshotMeta {
    SnapshotMeta { last_log_id: cut.applied, last_membership: cut.membership.clone() }
}
