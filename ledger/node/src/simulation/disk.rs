//! What a simulated power cut leaves of a node's files: nothing but what was synced is safe.
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::rows::memory;

/// How much of each file was synced, in bytes.
static SYNCED: Mutex<BTreeMap<PathBuf, u64>> = Mutex::new(BTreeMap::new());

/// Bytes of a slot of the high-water file.
const SLOT: u64 = 4_096;

pub(super) fn synced(path: &Path) -> io::Result<()> {
    let length = fs::metadata(path)?.len();
    let mut synced = SYNCED.lock().unwrap_or_else(PoisonError::into_inner);
    synced.insert(path.to_owned(), length);
    Ok(())
}

/// Cuts the power of the node whose data is `folder`: of what was not synced, `below` draws how
/// much is left. Gives the bytes that were lost.
///
/// # Errors
/// The real disk's.
pub fn crash(folder: &Path, below: &mut dyn FnMut(u64) -> u64) -> io::Result<u64> {
    memory::crash(folder, below);
    let mut lost = 0;
    let history = folder.join("history");
    for folder in [history.clone(), history.join("numbers"), history.join("tiles")] {
        let Ok(found) = fs::read_dir(&folder) else { continue };
        let mut paths = found.map(|found| Ok(found?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        for path in paths.iter().filter(|path| path.is_file()) {
            lost += tear(path, below)?;
        }
    }
    let guard = folder.join("high-water");
    if guard.exists() && below(4) == 0 {
        tear_slot(&guard, below)?;
    }
    Ok(lost)
}

/// Takes everything from the disk of the node whose data is `folder`.
///
/// # Errors
/// The real disk's.
pub fn wipe(folder: &Path) -> io::Result<()> {
    memory::wipe(folder);
    fs::remove_dir_all(folder)
}

/// An append-only file keeps what was synced and some of what followed.
fn tear(path: &Path, below: &mut dyn FnMut(u64) -> u64) -> io::Result<u64> {
    let length = fs::metadata(path)?.len();
    let kept = SYNCED.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied();
    // Recovery may have cut it below what was once synced.
    let kept = kept.unwrap_or(0).min(length);
    let left = kept + below(length - kept + 1);
    OpenOptions::new().write(true).open(path)?.set_len(left)?;
    Ok(length - left)
}

/// A write of the next promise that was under way leaves nonsense in its slot, which is the older.
fn tear_slot(path: &Path, below: &mut dyn FnMut(u64) -> u64) -> io::Result<()> {
    let bytes = fs::read(path)?;
    let generation = |slot: u64| -> u64 {
        let at = usize::try_from(slot * SLOT + 16).unwrap_or(0);
        let found = bytes.get(at..at + 8).unwrap_or_default();
        let found = found.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        // Nonsense of an earlier cut.
        if found > 1 << 40 { 0 } else { found }
    };
    let older = u64::from(generation(0) > generation(1));
    let garbage = vec![0xa5; usize::try_from(below(SLOT)).unwrap_or(0)];
    OpenOptions::new().write(true).open(path)?.write_all_at(&garbage, older * SLOT)
}
