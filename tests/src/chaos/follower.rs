//! One follower killed, frozen or slow: what its clients feel after a second, beside what they feel on a calm day.
use std::{sync::Arc, time::Duration};

use nix::sys::signal::Signal;
use tokio::sync::Notify;

use super::{Family, Options, Quantiles, Report, choose::setup, cluster::Cluster};

/// How long each state is measured.
const WINDOW: Duration = Duration::from_secs(4);
/// What the cluster may take to get over it before it is measured.
const GRACE: Duration = Duration::from_secs(1);
/// A slow node stands still so long, then runs for a tenth of it.
const SLOW: Duration = Duration::from_millis(100);

/// Hurts one follower `runs` times, in turn by SIGKILL, SIGSTOP and by standing still nine tenths
/// of the time.
///
/// # Errors
/// When the cluster does not come back.
pub(super) async fn follower(options: &Options) -> anyhow::Result<Report> {
    let mut cluster = Cluster::start(setup(Family::Follower, options.seed)).await?;
    let (clients, pause_ms) = Family::Follower.load();
    cluster.load(clients, pause_ms);
    let mut rng = fastrand::Rng::with_seed(options.seed);
    tokio::time::sleep(GRACE).await;
    let (mut calm, mut hurt) = (Vec::new(), Vec::new());
    for run in 0..options.runs {
        calm.extend(measure(&cluster).await);
        let place = (cluster.leader().await? + rng.usize(1..3)) % 3;
        match run % 3 {
            0 => {
                cluster.nodes[place].kill()?;
                tokio::time::sleep(GRACE).await;
                hurt.extend(measure(&cluster).await);
                cluster.nodes[place].resume()?;
            }
            1 => {
                cluster.signal(place, Signal::SIGSTOP)?;
                tokio::time::sleep(GRACE).await;
                hurt.extend(measure(&cluster).await);
                cluster.signal(place, Signal::SIGCONT)?;
            }
            _ => hurt.extend(slow(&cluster, place).await?),
        }
        cluster.caught_up(place).await?;
        tokio::time::sleep(GRACE).await;
        (options.progress)(run + 1);
    }
    let (family, seed, faults) = (Family::Follower, options.seed, options.runs);
    let (calm_us, gap_us) = (Quantiles::of(calm), Quantiles::of(hurt));
    Ok(Report { family, seed, faults, calm_us, gap_us, ..cluster.verdict(Vec::new()).await? })
}

async fn measure(cluster: &Cluster) -> Vec<Duration> {
    let from = cluster.now();
    tokio::time::sleep(WINDOW).await;
    cluster.latencies(from)
}

async fn slow(cluster: &Cluster, place: usize) -> anyhow::Result<Vec<Duration>> {
    let ended = Arc::new(Notify::new());
    let halting = async {
        loop {
            cluster.signal(place, Signal::SIGSTOP)?;
            tokio::time::sleep(SLOW).await;
            cluster.signal(place, Signal::SIGCONT)?;
            let pause = tokio::time::sleep(SLOW / 10);
            tokio::select! {
                () = ended.notified() => return anyhow::Ok(()),
                () = pause => {}
            }
        }
    };
    let measuring = async {
        tokio::time::sleep(GRACE).await;
        let latencies = measure(cluster).await;
        ended.notify_one();
        latencies
    };
    let (halted, latencies) = tokio::join!(halting, measuring);
    halted.map(|()| latencies)
}
