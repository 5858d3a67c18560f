//! Disks cut off from power: each node's data on a file system of its own, shut down beneath it so that unsynced bytes are gone.
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use services_cli::admin::authority::Folder;

use super::{Family, Options, Report, cluster::Cluster, strike::report};

/// A sparse file of this size holds one node's data.
const DISK_BYTES: u64 = 1 << 30;

/// Cuts the power of one, two or all nodes' disks `runs` times and judges the cluster at the end.
///
/// # Errors
/// When the machine does not let it: it needs root, loop devices and XFS.
pub async fn power(options: &Options) -> anyhow::Result<Report> {
    let mut disks = Vec::new();
    let images = tempfile::Builder::new().prefix("causeway-disks-").tempdir()?;
    let prepare = |folder: &Folder| {
        for node in 1..=3 {
            let image = images.path().join(format!("{node}.img"));
            disks.push(Disk::new(&image, &folder.path.join(format!("nodes/{node}/data")))?);
        }
        Ok(())
    };
    let mut cluster = Cluster::start(options.seed, prepare).await?;
    cluster.load(6, 20);
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let mut gaps = Vec::new();
    for run in 0..options.runs {
        let settled = cluster.now();
        cluster.served(settled).await?;
        let leader = cluster.leader().await?;
        let targets = match rng.u8(..4) {
            0 => vec![0, 1, 2],
            1 => vec![leader, (leader + 1) % 3],
            _ => vec![(leader + rng.usize(..3)) % 3],
        };
        let struck = cluster.now();
        for place in &targets {
            disks[*place].cut()?;
        }
        for place in &targets {
            cluster.nodes[*place].kill()?;
            disks[*place].back()?;
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(..500))).await;
        for place in &targets {
            cluster.nodes[*place].resume()?;
        }
        gaps.push(cluster.served(struck).await?);
        (options.progress)(run + 1);
    }
    let reported = report(cluster, Family::Power, options, gaps).await;
    // The nodes have ended; now their disks may go.
    drop(disks);
    reported
}

/// Whether this machine lets a disk's power be cut.
///
/// # Errors
/// Why not.
pub fn power_possible() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("causeway-disks-").tempdir()?;
    let disk = Disk::new(&folder.path().join("probe.img"), &folder.path().join("probe"))?;
    disk.cut()?;
    disk.back()
}

/// One node's disk: an XFS in a file, mounted where the node's data lies.
struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    fn new(image: &Path, at: &Path) -> anyhow::Result<Self> {
        std::fs::File::create(image)?.set_len(DISK_BYTES)?;
        std::fs::create_dir_all(at)?;
        run(Command::new("mkfs.xfs").arg("-q").arg(image))?;
        let this = Self { image: image.to_owned(), at: at.to_owned() };
        this.mount()?;
        Ok(this)
    }

    fn mount(&self) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.at))
    }

    /// Everything not yet on the disk is lost, and nothing more gets there.
    fn cut(&self) -> anyhow::Result<()> {
        run(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(&self.at))
    }

    /// The disk as it comes back: what its journal holds is replayed.
    fn back(&self) -> anyhow::Result<()> {
        run(Command::new("umount").arg(&self.at))?;
        self.mount()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whatever could not be unmounted is seen by `mount`.
        let _left = run(Command::new("umount").arg("-l").arg(&self.at));
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}
