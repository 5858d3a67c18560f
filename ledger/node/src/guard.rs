//! The high-water file: what this node has promised others, kept apart from the log so that a log rolled back is noticed; it never repairs one.
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use ledger_proof::{Digest, tree::sha256};
use serde::{Deserialize, Serialize};
use services_runtime::faults::crash_point;

use crate::{
    Error, host,
    raft::{LogIdOf, VoteOf},
    state_store::sync_folder,
};

#[cfg(test)]
mod tests;

/// Two slots, written in turn: a torn write leaves the other.
const SLOT: usize = 4_096;
const MAGIC: &[u8; 16] = b"causeway-guard-1";
/// Magic, generation, length and digest before the promise.
const HEAD: usize = 16 + 8 + 4 + 32;

/// What this node has promised: votes given, entries acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Promise {
    /// Which data folder promised.
    pub(crate) folder: String,
    /// The highest vote.
    pub(crate) vote: Option<VoteOf>,
    /// The log's last entry that was acknowledged.
    pub(crate) last: Option<LogIdOf>,
    /// The chain up to that entry.
    pub(crate) chain: Digest,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Guard {
    path: PathBuf,
    file: File,
    generation: u64,
    promise: Promise,
}

impl Guard {
    /// Opens the file, `None` when there is none.
    ///
    /// # Errors
    /// When no slot of it can be trusted.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Error> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file(path)(error)),
        };
        let bytes = fs::read(path).map_err(Error::file(path))?;
        let newest =
            bytes.chunks(SLOT).filter_map(decode).max_by_key(|(generation, _)| *generation);
        let damaged = || Error::Damaged { what: "the high-water file".to_owned() };
        let (generation, promise) = newest.ok_or_else(damaged)?;
        Ok(Some(Self { path: path.to_owned(), file, generation, promise }))
    }

    /// Makes the file with a first promise, durably.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn create(path: &Path, promise: Promise) -> Result<Self, Error> {
        let failed = || Error::file(path);
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed())?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = file.map_err(failed())?;
        file.set_len(u64::try_from(2 * SLOT).unwrap_or(u64::MAX)).map_err(failed())?;
        let mut guard =
            Self { path: path.to_owned(), file, generation: 0, promise: Promise::default() };
        guard.save(promise).map_err(failed())?;
        crash_point("guard-created");
        path.parent().map_or(Ok(()), sync_folder).map_err(failed())?;
        Ok(guard)
    }

    /// What was promised last.
    pub(crate) const fn promise(&self) -> &Promise {
        &self.promise
    }

    /// Promises durably; only then may anybody be told.
    ///
    /// # Errors
    /// The disk's; what it holds then is unknown.
    pub(crate) fn save(&mut self, promise: Promise) -> io::Result<()> {
        if promise == self.promise {
            return Ok(());
        }
        let generation = self.generation + 1;
        let slot = encode(generation, &promise)?;
        let place = generation % 2 * u64::try_from(SLOT).map_err(io::Error::other)?;
        self.file.write_all_at(&slot, place)?;
        crash_point("guard-written");
        host::sync(&self.file, &self.path)?;
        (self.generation, self.promise) = (generation, promise);
        Ok(())
    }
}

fn encode(generation: u64, promise: &Promise) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(promise)?;
    let generation = generation.to_be_bytes();
    let mut slot = Vec::with_capacity(SLOT);
    slot.extend_from_slice(MAGIC);
    slot.extend_from_slice(&generation);
    slot.extend_from_slice(&u32::try_from(body.len()).map_err(io::Error::other)?.to_be_bytes());
    slot.extend_from_slice(&sha256(&[MAGIC, &generation, &body]));
    slot.extend_from_slice(&body);
    if slot.len() > SLOT {
        return Err(io::Error::other("a promise is longer than its slot"));
    }
    slot.resize(SLOT, 0);
    Ok(slot)
}

fn decode(slot: &[u8]) -> Option<(u64, Promise)> {
    let generation = slot.get(16..24)?;
    let length = u32::from_be_bytes(slot.get(24..28)?.try_into().ok()?);
    let body = slot.get(HEAD..)?.get(..usize::try_from(length).ok()?)?;
    let whole =
        slot.get(..16)? == MAGIC && slot.get(28..HEAD)? == sha256(&[MAGIC, generation, body]);
    let generation = u64::from_be_bytes(generation.try_into().ok()?);
    whole.then(|| serde_json::from_slice(body).ok()).flatten().map(|promise| (generation, promise))
}
