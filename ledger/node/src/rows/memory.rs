//! Rows of a simulated disk: what was not synced goes in a crash, from the last write backwards; it is as slow as it is told to be elsewhere.
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Batch, Change, Kind};
use crate::simulation::{Bug, planted};

/// Everything of a database in one file, in folders that are copied or sent.
const FILE: &str = "rows.image";

type Tables = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// A database on a simulated disk.
#[derive(Debug, Default)]
struct Image {
    /// What a crash leaves in any case.
    durable: Tables,
    /// Writes since, oldest first; a crash leaves some of the oldest.
    unsynced: Vec<Batch>,
    /// Both.
    all: Tables,
}

static DISKS: Mutex<BTreeMap<PathBuf, Arc<Mutex<Image>>>> = Mutex::new(BTreeMap::new());

/// An open database.
#[derive(Debug)]
pub(crate) struct Rows {
    image: Arc<Mutex<Image>>,
    kind: Kind,
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Rows {
    pub(crate) fn open(folder: &Path, kind: Kind) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = folder.join(FILE);
        let mut disks = locked(&DISKS);
        if file.exists() {
            // Copied here from a checkpoint.
            let all = get(&fs::read(&file)?)?;
            let image = Image { durable: all.clone(), unsynced: Vec::new(), all };
            disks.insert(folder.to_owned(), Arc::new(Mutex::new(image)));
            fs::remove_file(file)?;
        }
        let image = Arc::clone(disks.entry(folder.to_owned()).or_default());
        Ok(Self { image, kind })
    }

    pub(crate) fn open_read_only(folder: &Path, kind: Kind) -> io::Result<Self> {
        let all = get(&fs::read(folder.join(FILE))?)?;
        let image = Image { all, ..Image::default() };
        Ok(Self { image: Arc::new(Mutex::new(image)), kind })
    }

    pub(crate) fn get(&self, table: &'static str, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let image = locked(&self.image);
        Ok(image.all.get(table).and_then(|rows| rows.get(key)).cloned())
    }

    pub(crate) fn many(
        &self,
        table: &'static str,
        keys: &[Vec<u8>],
    ) -> io::Result<Vec<Option<Vec<u8>>>> {
        keys.iter().map(|key| self.get(table, key)).collect()
    }

    pub(crate) fn scan(
        &self,
        table: &'static str,
        from: &[u8],
        mut take: impl FnMut(&[u8], &[u8]) -> io::Result<bool>,
    ) -> io::Result<()> {
        let image = locked(&self.image);
        let rows = image.all.get(table).into_iter();
        for (key, row) in rows.flat_map(|rows| rows.range(from.to_vec()..)) {
            if !take(key, row)? {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, batch: &Batch, synced: bool) -> io::Result<()> {
        let mut image = locked(&self.image);
        let image = &mut *image;
        apply(&mut image.all, batch, |_| true);
        image.unsynced.push(batch.clone());
        if synced && !lied_to(batch) {
            make_durable(image);
        }
        Ok(())
    }

    pub(crate) fn flush(&self) -> io::Result<()> {
        if self.kind == Kind::State {
            make_durable(&mut locked(&self.image));
        }
        Ok(())
    }

    pub(crate) fn checkpoint(&self, folder: &Path) -> io::Result<()> {
        self.flush()?;
        fs::create_dir_all(folder)?;
        fs::write(folder.join(FILE), put(&locked(&self.image).all)?)
    }
}

/// Takes from the databases under `folder` what was not synced; `below` draws a number.
pub(crate) fn crash(folder: &Path, below: &mut dyn FnMut(u64) -> u64) {
    for (path, image) in locked(&DISKS).iter_mut().filter(|(path, _)| path.starts_with(folder)) {
        let (mut all, unsynced) = {
            let mut was = locked(image);
            (std::mem::take(&mut was.durable), std::mem::take(&mut was.unsynced))
        };
        let kept = usize::try_from(below(u64::try_from(unsynced.len()).unwrap_or(0) + 1));
        let kept = kept.unwrap_or(0);
        for (place, batch) in unsynced.iter().enumerate() {
            // A state whose rows outlive the word which entry they are the state after.
            let torn = planted(Bug::ApplyTwice) && path.iter().any(|part| part == "state");
            if place < kept {
                apply(&mut all, batch, |_| true);
            } else if torn {
                apply(&mut all, batch, |table| table != "meta");
            }
        }
        // Whoever still holds the former image writes to no disk.
        let image_after = Image { durable: all.clone(), unsynced: Vec::new(), all };
        *image = Arc::new(Mutex::new(image_after));
    }
}

/// Forgets the databases under `folder`: the disk was wiped.
pub(crate) fn wipe(folder: &Path) {
    locked(&DISKS).retain(|path, _| !path.starts_with(folder));
}

/// Whether a planted bug says that a write was synced when it was not.
fn lied_to(batch: &Batch) -> bool {
    let truncates =
        || batch.changes().any(|(_, change)| matches!(change, Change::RemoveRange { .. }));
    let votes =
        || batch.changes().any(|(_, change)| matches!(change, Change::Put { key: b"m/vote", .. }));
    planted(Bug::SyncSkipped)
        || (planted(Bug::TruncateUnsynced) && truncates())
        || (planted(Bug::VoteUnsynced) && votes())
}

fn make_durable(image: &mut Image) {
    image.unsynced.clear();
    image.durable.clone_from(&image.all);
}

fn apply(tables: &mut Tables, batch: &Batch, wanted: impl Fn(&str) -> bool) {
    for (table, change) in batch.changes().filter(|(table, _)| wanted(table)) {
        let rows = tables.entry(table.to_owned()).or_default();
        match change {
            Change::Put { key, row } => drop(rows.insert(key.to_vec(), row.to_vec())),
            Change::Remove { key } => drop(rows.remove(key)),
            Change::RemoveRange { from, end } => {
                rows.retain(|key, _| &key[..] < from || &key[..] >= end);
            }
        }
    }
}

fn put(tables: &Tables) -> io::Result<Vec<u8>> {
    let rows: Vec<_> =
        tables.iter().map(|(name, rows)| (name, rows.iter().collect::<Vec<_>>())).collect();
    Ok(serde_json::to_vec(&rows)?)
}

fn get(bytes: &[u8]) -> io::Result<Tables> {
    let rows: Vec<(String, Vec<(Vec<u8>, Vec<u8>)>)> = serde_json::from_slice(bytes)?;
    Ok(rows.into_iter().map(|(name, rows)| (name, rows.into_iter().collect())).collect())
}
