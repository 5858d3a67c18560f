//! Whose a data folder is, and which folder each node id was seen with: a wiped or foreign disk is told from the one that promised; it judges no entry.
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ledger_types::NetworkId;
use services_runtime::faults::crash_point;

use crate::{Error, state_store::sync_folder};

#[cfg(test)]
mod tests;

/// The version of everything under the data folder.
pub(crate) const FORMAT: u32 = 1;
const FILE: &str = "IDENTITY";
const SEEN: &str = "SEEN";
/// What only a used data folder has.
const USED: [&str; 3] = ["log", "state", "history"];

/// A data folder's own name, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) network: NetworkId,
    pub(crate) node: u64,
    /// Drawn when the folder was first used: another disk has another.
    pub(crate) folder: String,
}

impl Identity {
    /// Reads the folder's identity, or gives an unused folder one. A guard without the folder it
    /// belongs to is what a wiped disk leaves.
    ///
    /// # Errors
    /// When the folder is another's, of another format, or was used and has lost its identity.
    pub(crate) fn bind(
        data: &Path,
        guard: &Path,
        network: NetworkId,
        node: u64,
    ) -> Result<Self, Error> {
        let path = data.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if guard.exists() || USED.iter().any(|used| data.join(used).exists()) {
                    let what = "the data folder, whose IDENTITY is missing".to_owned();
                    return Err(Error::Damaged { what });
                }
                let identity = Self { network, node, folder: draw()? };
                write_durably(&path, &identity.to_text()).map_err(Error::file(&path))?;
                crash_point("identity-written");
                return Ok(identity);
            }
            Err(error) => return Err(Error::file(&path)(error)),
        };
        let folder = text.lines().find_map(|line| line.strip_prefix("folder ")).unwrap_or_default();
        let identity = Self { network, node, folder: folder.to_owned() };
        if text == identity.to_text() && !folder.is_empty() {
            return Ok(identity);
        }
        let reason = match text.starts_with(&head()) {
            true => "belongs to another node or network; give this node its own",
            false => "is of a format that this build does not read; use the build that wrote it",
        };
        Err(Error::Settings { field: "data", reason: reason.to_owned() })
    }

    fn to_text(&self) -> String {
        let Self { network, node, folder } = self;
        format!("{}network {network}\nnode {node}\nfolder {folder}\n", head())
    }
}

fn head() -> String {
    format!("causeway-data {FORMAT}\n")
}

/// A name that no other has.
pub(crate) fn draw() -> Result<String, Error> {
    let mut name = [0; 16];
    getrandom::fill(&mut name).map_err(|error| Error::Random(error.to_string()))?;
    Ok(hex::encode(name))
}

/// The data folder that each node id was first seen with; clones of the file are never merged.
#[derive(Debug)]
pub(crate) struct Seen {
    path: PathBuf,
    folders: Mutex<BTreeMap<u64, String>>,
}

impl Seen {
    /// Reads what this node has seen.
    ///
    /// # Errors
    /// The disk's, or when the file is damaged.
    pub(crate) fn open(data: &Path) -> Result<Self, Error> {
        let path = data.join(SEEN);
        let folders = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|_| Error::Damaged { what: "the list of nodes seen".to_owned() })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(Error::file(&path)(error)),
        };
        Ok(Self { path, folders: Mutex::new(folders) })
    }

    /// Whether `node` comes with the folder it always came with; a first one is kept durably.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn same(&self, node: u64, folder: &str) -> io::Result<bool> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = folders.get(&node) {
            return Ok(seen == folder);
        }
        let mut with = folders.clone();
        with.insert(node, folder.to_owned());
        write_durably(&self.path, &serde_json::to_string(&with)?)?;
        crash_point("seen-written");
        *folders = with;
        Ok(true)
    }
}

/// Replaces a small file whole.
fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    File::open(&new)?.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}
