//! Processes killed and frozen under load, again and again, on one cluster.
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Family, Options, Quantiles, Report, cluster::Cluster};

/// Strikes a cluster `runs` times and judges it at the end.
///
/// # Errors
/// When the machine does not let it, or the ledger does not come back.
pub async fn strike(family: Family, options: &Options) -> anyhow::Result<Report> {
    let mut cluster = Cluster::start(options.seed, |_| Ok(())).await?;
    let (clients, pause_ms) = if family == Family::LeaderGap { (24, 20) } else { (6, 20) };
    cluster.load(clients, pause_ms);
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let mut gaps = Vec::new();
    for run in 0..options.runs {
        let settled = cluster.now();
        cluster.served(settled).await?;
        let leader = cluster.leader().await?;
        let targets = match (family, rng.u8(..10)) {
            (Family::LeaderGap, _) | (_, 0..=4) => vec![leader],
            (Family::Kill, 8..) => (0..cluster.nodes.len()).collect(),
            (_, _) => vec![(leader + rng.usize(1..3)) % 3],
        };
        let struck = cluster.now();
        if family == Family::Pause {
            let frozen =
                Duration::from_millis(rng.u64(100..if run % 5 == 0 { 10_000 } else { 3_000 }));
            cluster.signal(targets[0], Signal::SIGSTOP)?;
            tokio::time::sleep(frozen).await;
            cluster.signal(targets[0], Signal::SIGCONT)?;
        } else {
            for place in &targets {
                cluster.nodes[*place].kill()?;
            }
            // Alone, the others must go on; all together, somebody must come back.
            if targets.len() < cluster.nodes.len() {
                gaps.push(cluster.served(struck).await?);
            }
            tokio::time::sleep(Duration::from_millis(rng.u64(..800))).await;
            for place in &targets {
                cluster.nodes[*place].resume()?;
            }
        }
        if family == Family::Pause || targets.len() == cluster.nodes.len() {
            gaps.push(cluster.served(struck).await?);
        }
        (options.progress)(run + 1);
    }
    report(cluster, family, options, gaps).await
}

/// Judges the cluster.
pub(super) async fn report(
    mut cluster: Cluster,
    family: Family,
    options: &Options,
    gaps: Vec<Duration>,
) -> anyhow::Result<Report> {
    Ok(Report {
        family,
        seed: options.seed,
        faults: options.runs,
        gap_ms: Quantiles::of(gaps),
        ..cluster.verdict().await?
    })
}
