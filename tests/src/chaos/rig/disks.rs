//! Disks in files, one a node: cut off from power, full, read-only or slow; it needs root and loop devices.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use super::run;

/// Where the first version of control groups keeps limits of disks.
const THROTTLE: &str = "/sys/fs/cgroup/blkio";

/// What lies on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum FileSystem {
    /// Whose journal is like those that most banks' machines have.
    Xfs,
    /// Which can also be made read-only beneath open files.
    Ext4,
}

impl FileSystem {
    const fn name(self) -> &'static str {
        match self {
            Self::Xfs => "xfs",
            Self::Ext4 => "ext4",
        }
    }

    /// Without the room that ext4 keeps for root, so that full is full.
    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Xfs => &["-q"],
            Self::Ext4 => &["-q", "-m", "0"],
        }
    }

    /// A sparse file of this size holds one disk; the first has a lower bound of its own.
    const fn bytes(self) -> u64 {
        match self {
            Self::Xfs => 16 << 30,
            Self::Ext4 => 1 << 30,
        }
    }
}

/// One node's disk: a file system in a file, mounted where the node's data lies.
#[derive(Debug)]
pub(in super::super) struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    pub(in super::super) fn new(
        system: FileSystem,
        image: &Path,
        at: &Path,
    ) -> anyhow::Result<Self> {
        fs::File::create(image)?.set_len(system.bytes())?;
        fs::create_dir_all(at)?;
        run(Command::new(format!("mkfs.{}", system.name())).args(system.options()).arg(image))?;
        let this = Self { image: image.to_owned(), at: at.to_owned() };
        this.mount()?;
        Ok(this)
    }

    fn mount(&self) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.at))
    }

    /// Everything not yet on the disk is lost, and nothing more gets there.
    pub(in super::super) fn cut(&self) -> anyhow::Result<()> {
        run(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(&self.at))
    }

    /// Nothing more can be written, from now on; for ext4.
    pub(in super::super) fn read_only(&self) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", "remount,abort"]).arg(&self.at))
    }

    /// Takes all room but some bytes. Who writes meanwhile may take some of it first; then the
    /// filler ends short, which is as full.
    pub(in super::super) fn fill(&self, but: u64) -> anyhow::Result<()> {
        let take = self.room()?.saturating_sub(but).to_string();
        let filled = run(Command::new("fallocate").args(["-l", &take]).arg(self.filler()));
        if self.room()? <= but { Ok(()) } else { filled }
    }

    fn room(&self) -> anyhow::Result<u64> {
        let system = nix::sys::statvfs::statvfs(&self.at)?;
        Ok(system.blocks_available() * system.fragment_size())
    }

    /// Gives the room back.
    pub(in super::super) fn empty(&self) -> anyhow::Result<()> {
        fs::remove_file(self.filler()).context("the room cannot be given back")
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }

    /// The disk as it comes back: what its journal holds is replayed.
    pub(in super::super) fn back(&self) -> anyhow::Result<()> {
        run(Command::new("umount").arg(&self.at))?;
        self.mount()
    }

    /// Lets a process write so many times a second, until the result is dropped.
    pub(in super::super) fn slow(&self, process: u32, writes: u32) -> anyhow::Result<Slow> {
        let group = PathBuf::from(THROTTLE).join(format!("causeway-{process}"));
        ensure!(
            Path::new(THROTTLE).join("blkio.throttle.write_iops_device").exists(),
            "control groups of the first version are not mounted"
        );
        fs::create_dir(&group).context("a control group cannot be made")?;
        let slow = Slow { group };
        let limit = format!("{} {writes}", self.device()?);
        fs::write(slow.group.join("blkio.throttle.write_iops_device"), limit)?;
        fs::write(slow.group.join("cgroup.procs"), process.to_string())?;
        Ok(slow)
    }

    /// `major:minor` of its loop device.
    fn device(&self) -> anyhow::Result<String> {
        let status = nix::sys::stat::stat(&self.at)?;
        let (major, minor) =
            (nix::sys::stat::major(status.st_dev), nix::sys::stat::minor(status.st_dev));
        Ok(format!("{major}:{minor}"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whatever could not be unmounted is seen by `mount`.
        let _left = run(Command::new("umount").arg("-l").arg(&self.at));
    }
}

/// A process whose writes are held back; ends with it.
#[derive(Debug)]
pub(in super::super) struct Slow {
    group: PathBuf,
}

impl Drop for Slow {
    fn drop(&mut self) {
        let members = fs::read_to_string(self.group.join("cgroup.procs")).unwrap_or_default();
        for member in members.lines() {
            // A process that has ended is in no group.
            let _gone = fs::write(Path::new(THROTTLE).join("cgroup.procs"), member);
        }
        let _left = fs::remove_dir(&self.group);
    }
}
