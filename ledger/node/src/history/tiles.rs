//! Roots of full tiles by level, kept by history's writer: they follow from the leaf hashes and make a root at any size cheap.
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ledger_proof::{
    Digest, Frontier,
    tree::{FULL_TILE, TILE_HEIGHT},
};

use crate::{Error, host};

/// Levels above the leaves: enough for 2⁶⁴ of them.
pub(super) const LEVELS: u32 = 7;
const HASH: u64 = 32;

/// Hash n of level L is the root of leaves n × 256ᴸ to (n + 1) × 256ᴸ − 1, so 256 hashes in a row
/// are a tile of level L.
#[derive(Debug)]
pub(crate) struct Tiles {
    folder: PathBuf,
    levels: Vec<File>,
    /// Bits of levels with bytes that are not synced.
    dirty: Mutex<u32>,
}

/// The number of full subtrees of a level in a tree.
pub(super) const fn full(records: u64, level: u32) -> u64 {
    records >> (TILE_HEIGHT * level)
}

impl Tiles {
    /// Opens the folder.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let failed = || Error::file(folder);
        fs::create_dir_all(folder).map_err(failed())?;
        let open = |level: u32| {
            let path = folder.join(level.to_string());
            OpenOptions::new().read(true).append(true).create(true).open(path)
        };
        let levels = (1..=LEVELS).map(open).collect::<io::Result<_>>().map_err(failed())?;
        Ok(Self { folder: folder.to_owned(), levels, dirty: Mutex::new(0) })
    }

    /// Cuts off what lies behind `records` and adds what is missing, from the leaf hashes that
    /// `leaves` reads (first, how many).
    pub(super) fn settle(
        &self,
        records: u64,
        leaves: impl Fn(u64, u64) -> io::Result<Vec<Digest>>,
    ) -> io::Result<()> {
        let tile = u64::from(FULL_TILE);
        for level in 1..=LEVELS {
            let file = self.file(level)?;
            let (count, kept) = (full(records, level), file.metadata()?.len() / HASH);
            file.set_len(count.min(kept) * HASH)?;
            for index in kept..count {
                let below = match level {
                    1 => leaves(index * tile, tile)?,
                    _ => self.read(level - 1, index * tile, tile)?,
                };
                self.append(level, &root(below))?;
            }
        }
        self.sync()
    }

    /// Whether every tile's hash follows from those below it.
    pub(super) fn follow(
        &self,
        records: u64,
        leaves: impl Fn(u64, u64) -> io::Result<Vec<Digest>>,
    ) -> io::Result<bool> {
        let tile = u64::from(FULL_TILE);
        for level in 1..=LEVELS {
            for index in 0..full(records, level) {
                let below = match level {
                    1 => leaves(index * tile, tile)?,
                    _ => self.read(level - 1, index * tile, tile)?,
                };
                if self.read(level, index, 1)? != [root(below)] {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Adds the next hash of a level.
    pub(super) fn append(&self, level: u32, hash: &Digest) -> io::Result<()> {
        let mut file = self.file(level)?;
        file.write_all(hash)?;
        *self.dirty.lock().unwrap_or_else(PoisonError::into_inner) |= 1 << level;
        Ok(())
    }

    /// Makes what was added durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        let dirty = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        for level in (1..=LEVELS).filter(|level| dirty & (1 << level) != 0) {
            host::sync(self.file(level)?, &self.folder.join(level.to_string()))?;
        }
        Ok(())
    }

    /// Hashes of a level, from 1.
    pub(super) fn read(&self, level: u32, first: u64, count: u64) -> io::Result<Vec<Digest>> {
        let length = usize::try_from(count * HASH).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file(level)?.read_exact_at(&mut bytes, first * HASH)?;
        bytes.chunks_exact(32).map(|hash| hash.try_into().map_err(io::Error::other)).collect()
    }

    fn file(&self, level: u32) -> io::Result<&File> {
        let place = level.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let file = place.and_then(|place| self.levels.get(place));
        file.ok_or_else(|| io::Error::other("no such level of tiles"))
    }
}

/// The root of a full tile.
fn root(hashes: Vec<Digest>) -> Digest {
    let mut frontier = Frontier::default();
    hashes.into_iter().for_each(|hash| frontier.push(hash));
    frontier.root()
}
