//! Wall clocks that jump and run fast, one a node, by libfaketime; the clock that only counts stays true.
use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

/// Every node's clock.
#[derive(Debug)]
pub(in super::super) struct Clocks {
    preload: PathBuf,
    files: Vec<PathBuf>,
}

impl Clocks {
    pub(super) fn new(nodes: usize, spare: &Path) -> anyhow::Result<Self> {
        let folders = fs::read_dir("/usr/lib").context("/usr/lib cannot be read")?;
        let libraries = folders.filter_map(Result::ok).map(|folder| folder.path());
        let mut libraries = libraries.map(|at| at.join("faketime/libfaketimeMT.so.1"));
        let library = libraries.find(|library| library.exists());
        let library = library.context("libfaketime is not installed: apt-get install faketime")?;
        let files = (1..=nodes).map(|node| spare.join(format!("clock-{node}"))).collect();
        let this = Self { preload: library, files };
        for place in 0..nodes {
            this.set(place, "+0")?;
        }
        Ok(this)
    }

    pub(super) fn environment(&self, place: usize) -> [String; 4] {
        [
            format!("LD_PRELOAD={}", self.preload.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.files[place].display()),
            "FAKETIME_CACHE_DURATION=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ]
    }

    /// Sets a node's clock, within a second, as libfaketime writes it: `+3600`, `-3600`, `+0 x2`. The
    /// rate is always said: libfaketime keeps the last one that it was told.
    pub(in super::super) fn set(&self, place: usize, to: &str) -> anyhow::Result<()> {
        ensure!(place < self.files.len(), "there is no clock {place}");
        let file = &self.files[place];
        // Whole or not at all: it is read at any time.
        let whole = file.with_extension("new");
        let rate = if to.contains('x') { "" } else { " x1" };
        fs::write(&whole, format!("{to}{rate}\n")).context("a clock cannot be set")?;
        fs::rename(&whole, file).context("a clock cannot be set")
    }
}
