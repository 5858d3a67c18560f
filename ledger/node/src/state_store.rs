//! The state's rows and the sealed blobs in a database without a log of its own: the Raft log replays what a crash takes.
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use ledger_proof::Digest;
use serde::{Deserialize, Serialize};
use services_runtime::faults::crash_point;

use crate::{
    Error,
    history::Position,
    raft::{LogIdOf, StoredMembership},
    rows::{Batch, Kind, Rows},
};

const ROWS: &str = "rows";
const BLOBS: &str = "blobs";
const META: &str = "meta";
const CUT: &[u8] = b"cut";
/// Rows whose key starts below this are read at start.
const COLD: u8 = 0x80;

/// What the rows in the store are the state after.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cut {
    /// The last entry applied.
    pub(crate) applied: Option<LogIdOf>,
    /// The last membership.
    pub(crate) membership: StoredMembership,
    /// How far history reached, synced before these rows were written.
    pub(crate) history: Position,
}

/// One opened state folder.
#[derive(Debug)]
pub(crate) struct StateStore {
    rows: Rows,
}

/// The state folder in use, its replacement by a snapshot, and blobs not yet written.
#[derive(Clone, Debug)]
pub(crate) struct States {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Holds `CURRENT` and the folders it names.
    folder: PathBuf,
    store: RwLock<Arc<StateStore>>,
    blobs: RwLock<HashMap<Digest, Bytes>>,
}

/// Keys and rows that must be in memory.
pub(crate) type HotRows = Vec<(Box<[u8]>, Box<[u8]>)>;

impl StateStore {
    /// Opens a state folder.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let rows = Rows::open(folder, Kind::State).map_err(Error::rows("opening the state"))?;
        Ok(Self { rows })
    }

    /// What the rows are the state after; `None` before the founding.
    pub(crate) fn cut(&self) -> Result<Option<Cut>, Error> {
        let row = self.rows.get(META, CUT).map_err(Error::rows("reading the state's cut"))?;
        row.map(|row| serde_json::from_slice(&row))
            .transpose()
            .map_err(|_| Error::Damaged { what: "the state's cut".to_owned() })
    }

    /// Opens a state folder that is not in use, and changes nothing in it.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub(crate) fn open_read_only(folder: &Path) -> Result<Self, Error> {
        let rows = Rows::open_read_only(folder, Kind::State);
        Ok(Self { rows: rows.map_err(Error::rows("opening a snapshot"))? })
    }

    /// The cut of a state folder that is not in use.
    ///
    /// # Errors
    /// When it holds none.
    pub(crate) fn read_cut(folder: &Path) -> Result<Cut, Error> {
        let damaged = || Error::Damaged { what: "a snapshot without a cut".to_owned() };
        Self::open_read_only(folder)?.cut()?.ok_or_else(damaged)
    }

    /// Every row, in key order.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn each_row(&self, mut take: impl FnMut(&[u8], &[u8])) -> Result<(), Error> {
        let scanned = self.rows.scan(ROWS, &[], |key, row| {
            take(key, row);
            Ok(true)
        });
        scanned.map_err(Error::rows("reading the state"))
    }

    /// Every hot row.
    pub(crate) fn hot_rows(&self) -> Result<HotRows, Error> {
        let mut hot = Vec::new();
        let scanned = self.rows.scan(ROWS, &[], |key, row| {
            let is_hot = key.first().is_some_and(|at| *at < COLD);
            if is_hot {
                hot.push((key.into(), row.into()));
            }
            Ok(is_hot)
        });
        scanned.map_err(Error::rows("reading the state"))?;
        Ok(hot)
    }

    /// The rows of `keys`, in their order.
    pub(crate) fn rows(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.rows.many(ROWS, keys).map_err(Error::rows("reading state rows"))
    }

    /// One row.
    pub(crate) fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.rows.get(ROWS, key).map_err(Error::rows("reading a state row"))
    }

    /// Writes rows and the cut they belong to together; durable with the next flush.
    pub(crate) fn write(&self, mut batch: Batch, cut: &Cut) -> Result<(), Error> {
        let row = serde_json::to_vec(cut)
            .map_err(|_| Error::Damaged { what: "the state's cut".to_owned() })?;
        batch.put(META, CUT, &row);
        metrics::counter!("causeway_ledger_state_bytes_total")
            .increment(u64::try_from(batch.bytes()).unwrap_or(0));
        self.rows.write(&batch, false).map_err(Error::rows("writing the state"))
    }

    /// Flushes everything and links the files into a new folder.
    pub(crate) fn checkpoint(&self, folder: &Path) -> Result<(), Error> {
        self.rows.checkpoint(folder).map_err(Error::rows("making a checkpoint"))
    }

    /// Flushes everything.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.rows.flush().map_err(Error::rows("flushing the state"))
    }

    /// A blob as stored.
    pub(crate) fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, Error> {
        let blob = self.rows.get(BLOBS, digest).map_err(Error::rows("reading a blob"))?;
        Ok(blob.map(Bytes::from))
    }
}

/// Adds a changed or removed row to a batch.
pub(crate) fn put_row(batch: &mut Batch, key: &[u8], row: Option<&[u8]>) {
    match row {
        Some(row) => batch.put(ROWS, key, row),
        None => batch.remove(ROWS, key),
    }
}

/// Adds a blob to a batch.
pub(crate) fn put_blob(batch: &mut Batch, digest: &Digest, blob: &[u8]) {
    batch.put(BLOBS, digest, blob);
}

impl States {
    /// Opens the folder that `CURRENT` names, `0` at first, and removes others.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let failed = || Error::file(folder);
        fs::create_dir_all(folder).map_err(failed())?;
        let current = current(folder).map_err(failed())?;
        for found in fs::read_dir(folder).map_err(failed())? {
            let found = found.map_err(failed())?;
            if found.file_name().to_str() != Some(&current) && found.path().is_dir() {
                fs::remove_dir_all(found.path()).map_err(failed())?;
            }
        }
        let store = StateStore::open(&folder.join(&current))?;
        let (store, blobs) = (RwLock::new(Arc::new(store)), RwLock::new(HashMap::new()));
        let inner = Inner { folder: folder.to_owned(), store, blobs };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The store in use.
    pub(crate) fn store(&self) -> Arc<StateStore> {
        Arc::clone(&self.inner.store.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes copies of a snapshot's files as the state, durably, and opens it.
    ///
    /// # Errors
    /// The disk's; the former state stays in use.
    pub(crate) fn replace(&self, snapshot: &Path) -> Result<Arc<StateStore>, Error> {
        let root = &self.inner.folder;
        let failed = || Error::file(root);
        let number = current(root).map_err(failed())?.parse::<u64>().unwrap_or(0) + 1;
        let target = root.join(number.to_string());
        if target.exists() {
            fs::remove_dir_all(&target).map_err(failed())?;
        }
        link_or_copy(snapshot, &target).map_err(failed())?;
        crash_point("install-state-linked");
        let store = Arc::new(StateStore::open(&target)?);
        let pointer = root.join("CURRENT.new");
        fs::write(&pointer, number.to_string()).map_err(failed())?;
        fs::File::open(&pointer).and_then(|file| file.sync_all()).map_err(failed())?;
        crash_point("install-pointer-written");
        fs::rename(&pointer, root.join("CURRENT")).map_err(failed())?;
        crash_point("install-pointer-renamed");
        sync_folder(root).map_err(failed())?;
        *self.inner.store.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&store);
        Ok(store)
    }

    /// Keeps a blob in memory until its row is written.
    pub(crate) fn blob_hold(&self, digest: Digest, blob: Bytes) {
        self.inner.blobs.write().unwrap_or_else(PoisonError::into_inner).insert(digest, blob);
    }

    /// Lets blobs go whose rows were written.
    pub(crate) fn blobs_release(&self, digests: &[Digest]) {
        let mut blobs = self.inner.blobs.write().unwrap_or_else(PoisonError::into_inner);
        digests.iter().for_each(|digest| drop(blobs.remove(digest)));
    }

    /// A blob, unless this node has pruned it.
    pub(crate) fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, Error> {
        let held = self.inner.blobs.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(blob) = held.get(digest) {
            return Ok(Some(blob.clone()));
        }
        drop(held);
        self.store().blob(digest)
    }
}

/// The name of the folder in use.
pub(crate) fn current(folder: &Path) -> io::Result<String> {
    match fs::read_to_string(folder.join("CURRENT")) {
        Ok(name) => Ok(name.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok("0".to_owned()),
        Err(error) => Err(error),
    }
}

/// Table files never change and are linked; the rest is copied.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for found in fs::read_dir(from)? {
        let found = found?.path();
        let Some(name) = found.file_name() else { continue };
        let target = to.join(name);
        if found.extension().is_some_and(|suffix| suffix == "sst") {
            fs::hard_link(&found, &target)?;
        } else {
            fs::copy(&found, &target)?;
            fs::File::open(&target)?.sync_all()?;
        }
    }
    sync_folder(to)
}

/// Makes names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}
