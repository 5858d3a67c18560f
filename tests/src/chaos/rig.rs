//! What nodes run on so that they can be hurt: networks, disks, clocks and system calls of their own; it hurts nothing by itself.
mod air;
mod calls;
mod clocks;
mod disks;
mod wires;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

pub(super) use air::Weather;
use anyhow::{Context as _, ensure};
pub(super) use calls::Calls;
pub(super) use clocks::Clocks;
pub(super) use disks::{Disk, FileSystem};
use services_cli::{admin::authority::Folder, demo::processes::program};
pub(super) use wires::{Wires, address, isolated};

/// What a family needs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    pub(super) wires: bool,
    /// Of wires: whether frames may be lost and late, by this seed.
    pub(super) weather: Option<u64>,
    pub(super) disks: Option<FileSystem>,
    pub(super) clocks: bool,
    pub(super) calls: bool,
}

/// What a cluster runs on; undone when dropped.
#[derive(Debug, Default)]
pub(super) struct Rig {
    wires: Option<Wires>,
    pub(super) disks: Vec<Disk>,
    clocks: Option<Clocks>,
    calls: Option<Calls>,
}

impl Rig {
    /// Makes each thing that is needed once, without a network.
    pub(super) fn probe(needs: Needs, spare: &Path) -> anyhow::Result<()> {
        if needs.wires {
            drop(Wires::new(1, needs.weather)?);
        }
        if let Some(system) = needs.disks {
            let disk = Disk::new(system, &spare.join("probe.img"), &spare.join("probe"))?;
            disk.cut()?;
            disk.back()?;
            if needs.calls {
                drop(disk.slow(std::process::id(), 10_000)?);
            }
        }
        if needs.clocks {
            drop(Clocks::new(1, spare)?);
        }
        if needs.calls {
            drop(Calls::new(spare)?);
        }
        Ok(())
    }

    /// Fits a new network's folder, before its nodes start; `spare` is a folder for the rest.
    pub(super) fn fit(
        needs: Needs,
        nodes: usize,
        folder: &mut Folder,
        spare: &Path,
    ) -> anyhow::Result<Self> {
        let mut this = Self::default();
        if needs.wires {
            let wires = Wires::new(nodes, needs.weather)?;
            wires.fit(folder)?;
            this.wires = Some(wires);
        }
        if let Some(system) = needs.disks {
            for node in 1..=nodes {
                let image = spare.join(format!("disk-{node}.img"));
                let at = folder.path.join(format!("nodes/{node}/data"));
                this.disks.push(Disk::new(system, &image, &at)?);
            }
        }
        if needs.clocks {
            this.clocks = Some(Clocks::new(nodes, spare)?);
        }
        if needs.calls {
            this.calls = Some(Calls::new(spare)?);
        }
        Ok(this)
    }

    /// The network, where the family asked for one.
    ///
    /// # Panics
    /// When it did not.
    pub(super) fn wires(&self) -> &Wires {
        self.wires.as_ref().expect("the family has wires")
    }

    /// The same for clocks.
    pub(super) fn clocks(&self) -> &Clocks {
        self.clocks.as_ref().expect("the family has clocks")
    }

    /// The same for system calls.
    pub(super) fn calls(&self) -> &Calls {
        self.calls.as_ref().expect("the family has calls")
    }

    /// What a node's program is started under.
    /// The program that nodes run: where a library comes between it and the system the one with the C
    /// library's allocator, since jemalloc asks for time and memory before that library can answer.
    pub(super) fn program(&self) -> anyhow::Result<PathBuf> {
        let between = self.clocks.is_some() || self.calls.is_some();
        program(if between { "faulty" } else { "causeway" })
    }

    pub(super) fn under(&self, place: usize) -> Vec<String> {
        let mut under = Vec::new();
        if let Some(wires) = &self.wires {
            under.extend(wires.under(place));
        }
        let mut set = Vec::new();
        if let Some(clocks) = &self.clocks {
            set.extend(clocks.environment(place));
        }
        if let Some(calls) = &self.calls {
            set.extend(calls.environment());
        }
        if !set.is_empty() {
            under.push("env".to_owned());
            under.extend(set);
        }
        under
    }
}

/// Runs a command to its end.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}
