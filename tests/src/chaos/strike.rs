//! Faults that a cluster must live through under load, one after the other: what is done, and how long clients waited; the judgement comes after.
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{
    Family, Options, Quantiles, Report,
    choose::{choose, setup},
    cluster::Cluster,
    rig::Disk,
};

/// How long a node may live on with a disk that fails.
const NOTICED: Duration = Duration::from_secs(20);
/// How much room is left on disks that are nearly full: half of what nodes keep free.
const SCARCE: u64 = 128 << 20;
/// How many writes a second a slow disk makes.
const SLOW_WRITES: u32 = 40;

/// What is done to a cluster once; nodes by their place from 0.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// SIGKILL.
    Kill(Vec<usize>),
    /// SIGSTOP for so long.
    Pause(usize, Duration),
    /// The disks' power cut, with all that was not synced.
    Power(Vec<usize>),
    /// Links cut for so long: (from, to).
    Cut(Vec<(usize, usize)>, Duration),
    /// The same with clients who reach only `.0`: nothing may be acknowledged.
    Strand(Vec<usize>, Vec<(usize, usize)>, Duration),
    /// A clock set for so long.
    Clock(usize, &'static str, Duration),
    /// A disk that fails.
    Storage(usize, Storage),
}

/// How a disk fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Storage {
    /// Syncs fail with EIO.
    Sync,
    /// Every read and write fails with EIO.
    Write,
    /// No room is left.
    Full,
    /// Little room is left on every disk: work is refused, and nobody has to end.
    Scarce,
    /// It turned read-only.
    ReadOnly,
    /// It takes its time; nobody has to end.
    Slow,
}

/// Strikes a cluster `runs` times and judges it at the end.
///
/// # Errors
/// When the machine does not let it, or the ledger does not come back.
pub(super) async fn strike(family: Family, options: &Options) -> anyhow::Result<Report> {
    let mut cluster = Cluster::start(setup(family, options.seed)).await?;
    let (clients, pause_ms) = family.load();
    cluster.load(clients, pause_ms);
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let mut strikes = Strikes::default();
    for run in 0..options.runs {
        let settled = cluster.now();
        cluster.served(settled).await?;
        let leader = cluster.leader().await?;
        let fault = choose(family, run, leader, cluster.nodes.len(), &mut rng);
        strikes.suffer(&mut cluster, &fault, &mut rng).await?;
        (options.progress)(run + 1);
    }
    let judged = cluster.verdict(strikes.wrong).await?;
    Ok(Report {
        family,
        seed: options.seed,
        faults: options.runs,
        refused: strikes.refused,
        gap_us: Quantiles::of(strikes.gaps),
        healed_us: Quantiles::of(strikes.healed),
        ..judged
    })
}

/// What came of the faults so far.
#[derive(Debug, Default)]
struct Strikes {
    /// How long each client waited for its next answer where some node could go on.
    gaps: Vec<Duration>,
    /// How long nobody was answered after the fault had gone.
    healed: Vec<Duration>,
    refused: u64,
    wrong: Vec<String>,
}

impl Strikes {
    async fn suffer(
        &mut self,
        cluster: &mut Cluster,
        fault: &Fault,
        rng: &mut fastrand::Rng,
    ) -> anyhow::Result<()> {
        let struck = cluster.now();
        match fault {
            Fault::Kill(places) => {
                places.iter().try_for_each(|place| cluster.nodes[*place].kill())?;
                self.down(cluster, places, struck, rng).await?;
            }
            Fault::Power(places) => {
                places.iter().try_for_each(|place| cluster.rig.disks[*place].cut())?;
                for place in places {
                    cluster.nodes[*place].kill()?;
                    cluster.rig.disks[*place].back()?;
                }
                self.down(cluster, places, struck, rng).await?;
            }
            Fault::Pause(place, frozen) => {
                cluster.signal(*place, Signal::SIGSTOP)?;
                tokio::time::sleep(*frozen).await;
                cluster.signal(*place, Signal::SIGCONT)?;
                self.gaps.extend(cluster.waits(struck).await?);
            }
            Fault::Cut(links, apart) => {
                let wires = cluster.rig.wires();
                links.iter().try_for_each(|(from, to)| wires.cut(*from, *to))?;
                tokio::time::sleep(*apart).await;
                cluster.rig.wires().heal()?;
                self.gaps.extend(cluster.waits(struck).await?);
                self.recovered(cluster).await?;
            }
            Fault::Strand(reached, links, apart) => {
                self.strand(cluster, reached, links, *apart).await?;
            }
            Fault::Clock(place, to, off) => {
                cluster.rig.clocks().set(*place, to)?;
                tokio::time::sleep(*off).await;
                cluster.rig.clocks().set(*place, "+0")?;
                self.gaps.extend(cluster.waits(struck).await?);
            }
            Fault::Storage(place, storage) => self.storage(cluster, *place, *storage).await?,
        }
        Ok(())
    }

    /// Nodes that are down come back after a while.
    async fn down(
        &mut self,
        cluster: &mut Cluster,
        places: &[usize],
        struck: Duration,
        rng: &mut fastrand::Rng,
    ) -> anyhow::Result<()> {
        let enough = places.len() * 2 < cluster.nodes.len();
        if enough {
            self.gaps.extend(cluster.waits(struck).await?);
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(..800))).await;
        places.iter().try_for_each(|place| cluster.nodes[*place].resume())?;
        if !enough {
            self.recovered(cluster).await?;
        }
        Ok(())
    }

    async fn recovered(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        let healed = cluster.now();
        self.healed.push(cluster.served(healed).await?);
        Ok(())
    }

    /// Who is answered while only a minority can be reached was lied to.
    async fn strand(
        &mut self,
        cluster: &Cluster,
        reached: &[usize],
        links: &[(usize, usize)],
        apart: Duration,
    ) -> anyhow::Result<()> {
        let wires = cluster.rig.wires();
        links.iter().try_for_each(|(from, to)| wires.cut(*from, *to))?;
        let others = (0..cluster.nodes.len()).filter(|place| !reached.contains(place));
        others.into_iter().try_for_each(|place| wires.cut_clients(place))?;
        let since = cluster.now();
        tokio::time::sleep(apart).await;
        if let Some(told) = cluster.answered(since) {
            self.wrong.push(format!("a minority answered after {told:?} without the others"));
        }
        wires.heal()?;
        self.recovered(cluster).await
    }

    async fn storage(
        &mut self,
        cluster: &mut Cluster,
        place: usize,
        storage: Storage,
    ) -> anyhow::Result<()> {
        let struck = cluster.now();
        let process = cluster.process(place)?;
        let disk = &cluster.rig.disks[place];
        match storage {
            Storage::Sync => cluster.rig.calls().fail(process, "posix/io/sync/*", 0.3)?,
            Storage::Write => disk.cut()?,
            Storage::Full => disk.fill(64 << 10)?,
            Storage::Scarce => return self.scarce(cluster).await,
            Storage::ReadOnly => disk.read_only()?,
            Storage::Slow => {
                let slow = disk.slow(process, SLOW_WRITES)?;
                tokio::time::sleep(Duration::from_secs(4)).await;
                drop(slow);
                self.gaps.extend(cluster.waits(struck).await?);
                return Ok(());
            }
        }
        let until = Instant::now() + NOTICED;
        while cluster.nodes[place].ended()?.is_none() {
            if Instant::now() > until {
                self.wrong.push(format!("node {} lives on: {storage:?}", place + 1));
                cluster.nodes[place].kill()?;
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.refused += 1;
        self.gaps.extend(cluster.waits(struck).await?);
        cluster.nodes[place].kill()?;
        match storage {
            Storage::Full => cluster.rig.disks[place].empty()?,
            Storage::Write | Storage::ReadOnly => cluster.rig.disks[place].back()?,
            Storage::Sync | Storage::Slow | Storage::Scarce => {}
        }
        cluster.nodes[place].resume()?;
        cluster.caught_up(place).await
    }

    /// While every disk is nearly full nothing is answered, nobody ends, and room is all it takes.
    async fn scarce(&mut self, cluster: &mut Cluster) -> anyhow::Result<()> {
        cluster.rig.disks.iter().try_for_each(|disk| disk.fill(SCARCE))?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let closed = cluster.now();
        tokio::time::sleep(Duration::from_secs(2)).await;
        if cluster.booked(closed) {
            self.wrong.push("work is taken although every disk is nearly full".to_owned());
        }
        for (place, node) in cluster.nodes.iter_mut().enumerate() {
            if node.ended()?.is_some() {
                self.wrong.push(format!("node {} ended for want of room", place + 1));
            }
        }
        cluster.rig.disks.iter().try_for_each(Disk::empty)?;
        self.refused += 1;
        self.recovered(cluster).await
    }
}
