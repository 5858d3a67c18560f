//! Nodes that crash at named places between two writes: a build made for tests ends itself there, the true one must find its way back.
use std::time::{Duration, Instant};

use anyhow::ensure;
use nix::sys::signal::Signal;
use services_cli::demo::processes::program;

use super::{
    Family, Options, Quantiles, Report,
    choose::setup,
    cluster::{Cluster, Setup},
};

/// How long a node may take to come to its place.
const REACHED: Duration = Duration::from_secs(30);

/// What must happen so that a node comes to a place.
#[derive(Clone, Copy, Debug)]
enum When {
    /// It takes part; it goes by that often before it crashes, at most.
    Works(u64),
    /// It was away for so long that it needs a snapshot.
    Behind,
    /// It led, and what it could not commit is taken back.
    Deposed,
    /// It starts for the first time.
    New,
}

/// Every place.
const PLACES: [(&str, When); 26] = [
    ("log-before-write", When::Works(200)),
    ("log-written", When::Works(200)),
    ("log-promised", When::Works(200)),
    ("guard-written", When::Works(200)),
    ("log-purged", When::Works(2)),
    ("entry-applied", When::Works(200)),
    ("entry-answered", When::Works(200)),
    ("history-data-written", When::Works(200)),
    ("history-index-written", When::Works(200)),
    ("history-numbers-written", When::Works(200)),
    ("history-half-synced", When::Works(4)),
    ("cut-history-synced", When::Works(4)),
    ("cut-written", When::Works(4)),
    ("snapshot-linked", When::Works(2)),
    ("snapshot-marked", When::Works(2)),
    ("install-history-written", When::Behind),
    ("install-history-extended", When::Behind),
    ("install-state-linked", When::Behind),
    ("install-pointer-written", When::Behind),
    ("install-pointer-renamed", When::Behind),
    ("log-truncate-promised", When::Deposed),
    ("log-truncated", When::Deposed),
    ("identity-written", When::New),
    ("guard-created", When::New),
    ("seen-written", When::New),
    ("membership-applied", When::New),
];

/// Crashes nodes at every place in turn, `runs` times in all, and judges.
///
/// # Errors
/// When the program made for tests is not built, or a cluster does not come back.
pub(super) async fn crash(options: &Options) -> anyhow::Result<Report> {
    let faulty = program("faulty")?;
    let mut cluster = Cluster::start(setup(Family::Crash, options.seed)).await?;
    load(&mut cluster);
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let (mut waits, mut wrong, mut report) = (Vec::new(), Vec::new(), Report::default());
    for (run, (point, when)) in (0..options.runs).zip(PLACES.iter().cycle()) {
        if let When::New = when {
            new(point, options.seed + run, &mut report).await?;
            (options.progress)(run + 1);
            continue;
        }
        let settled = cluster.now();
        cluster.served(settled).await?;
        let leader = cluster.leader().await?;
        let place = match when {
            When::Works(_) => rng.usize(..3),
            When::Behind => (leader + 1) % 3,
            When::Deposed | When::New => leader,
        };
        let passes = if let When::Works(most) = when { rng.u64(..*most) } else { 0 };
        match when {
            When::Works(_) | When::New => cluster.nodes[place].kill()?,
            When::Behind => {
                cluster.nodes[place].kill()?;
                cluster.snapshots_pass(leader).await?;
            }
            When::Deposed => depose(&mut cluster, place).await?,
        }
        let set = format!("FAILPOINTS={point}={passes}*off->return");
        cluster.nodes[place].become_at_next_start(faulty.clone(), vec!["env".into(), set]);
        let struck = cluster.now();
        cluster.nodes[place].resume()?;
        if let When::Works(_) = when
            && rng.bool()
        {
            // A leader that crashes is another thing than a follower.
            cluster.hand_over(place).await?;
        }
        if !crashed(&mut cluster, place).await? {
            wrong.push(format!("node {} never came to {point}", place + 1));
        }
        waits.extend(cluster.waits(struck).await?);
        back(&mut cluster, place).await?;
        (options.progress)(run + 1);
    }
    report.add(cluster.verdict(wrong).await?);
    let gap_us = Quantiles::of(waits);
    Ok(Report { family: Family::Crash, seed: options.seed, faults: options.runs, gap_us, ..report })
}

fn load(cluster: &mut Cluster) {
    let (clients, pause_ms) = Family::Crash.load();
    cluster.load(clients, pause_ms);
}

/// Leaves a leader with entries that nobody else has.
async fn depose(cluster: &mut Cluster, leader: usize) -> anyhow::Result<()> {
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    others.iter().try_for_each(|place| cluster.nodes[*place].kill())?;
    // Long enough for requests to reach its log, too short for it to give up.
    tokio::time::sleep(Duration::from_millis(150)).await;
    cluster.nodes[leader].kill()?;
    others.iter().try_for_each(|place| cluster.nodes[*place].resume())?;
    let since = cluster.now();
    cluster.served(since).await.map(drop)
}

/// A whole new cluster, one of whose nodes crashes before it ever took part.
async fn new(point: &str, seed: u64, report: &mut Report) -> anyhow::Result<()> {
    let set = format!("FAILPOINTS={point}=return");
    let first = Some((program("faulty")?, vec!["env".to_owned(), set]));
    let mut cluster = Cluster::launch(Setup { first, ..setup(Family::Crash, seed) })?;
    let mut wrong = Vec::new();
    if !crashed(&mut cluster, 0).await? {
        wrong.push(format!("a new node never came to {point}"));
    }
    revive(&mut cluster, 0)?;
    cluster.found().await?;
    load(&mut cluster);
    let since = cluster.now();
    cluster.waits(since).await?;
    report.add(cluster.verdict(wrong).await?);
    Ok(())
}

/// Whether a node ended by itself.
async fn crashed(cluster: &mut Cluster, place: usize) -> anyhow::Result<bool> {
    let until = Instant::now() + REACHED;
    loop {
        if let Some(status) = cluster.nodes[place].ended()? {
            use std::os::unix::process::ExitStatusExt as _;
            let aborted = status.signal() == Some(Signal::SIGABRT as i32);
            ensure!(aborted, "node {} ended otherwise: {}", place + 1, cluster.said(place));
            return Ok(true);
        }
        if Instant::now() > until {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The true program takes over what the crash left.
async fn back(cluster: &mut Cluster, place: usize) -> anyhow::Result<()> {
    revive(cluster, place)?;
    cluster.caught_up(place).await
}

fn revive(cluster: &mut Cluster, place: usize) -> anyhow::Result<()> {
    cluster.nodes[place].kill()?;
    cluster.nodes[place].become_at_next_start(program("causeway")?, Vec::new());
    cluster.nodes[place].resume()
}
