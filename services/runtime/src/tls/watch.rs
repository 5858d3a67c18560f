//! Calls a reload when one of some files changes. It must never give up: what can't be read yet is
//! tried again at the next poll, and the old certificates serve meanwhile.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Error;
use crate::error::chain;

/// Modification time and length of each file; `None` where it can't be read.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// Decides when to reload; separate from the clock so that tests need none.
#[derive(Debug)]
pub(super) struct Watched {
    files: Vec<PathBuf>,
    loaded: Stamp,
}

impl Watched {
    /// `files` count as not loaded yet: what changed before the watch began is not missed.
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        Self { files, loaded: Vec::new() }
    }

    /// Reloads if a file changed since the last reload that succeeded; says whether it did.
    pub(super) fn poll(
        &mut self,
        reload: impl FnOnce() -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let stamp = self.stamp();
        if stamp == self.loaded {
            return Ok(false);
        }
        reload()?;
        self.loaded = stamp;
        Ok(true)
    }

    fn stamp(&self) -> Stamp {
        let stamp_of = |file: &PathBuf| {
            let metadata = std::fs::metadata(file).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        self.files.iter().map(stamp_of).collect()
    }
}

pub(super) async fn watch(
    files: Vec<PathBuf>,
    every: Duration,
    token: CancellationToken,
    reload: impl Fn() -> Result<(), Error>,
) {
    let mut watched = Watched::new(files);
    let mut ticks = tokio::time::interval(every);
    while token.run_until_cancelled(ticks.tick()).await.is_some() {
        match watched.poll(&reload) {
            Ok(false) => {}
            Ok(true) => info!(files = ?watched.files, "certificates loaded"),
            Err(error) => warn!(error = chain(&error), "certificates not loaded, keeping the old"),
        }
    }
}
