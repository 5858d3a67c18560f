//! Nodes that change their build under load, one at a time, forth and back: a build that speaks one version more takes part, one that speaks none in common is refused.
use std::time::{Duration, Instant};

use services_cli::demo::processes::program;

use super::{Family, Options, Quantiles, Report, choose::setup, cluster::Cluster};

/// How long a node may take to say that it is refused.
const REFUSED: Duration = Duration::from_secs(20);

/// Restarts nodes under another build `runs` times, in a roll through the cluster, forth and back.
/// Every fourth first speaks only the newer version, which it must not where another speaks only the
/// older.
///
/// # Errors
/// When the program made for tests is not built, or the cluster does not come back.
pub(super) async fn upgrade(options: &Options) -> anyhow::Result<Report> {
    let (old, new) = (program("causeway")?, program("faulty")?);
    let mut cluster = Cluster::start(setup(Family::Upgrade, options.seed)).await?;
    let (clients, pause_ms) = Family::Upgrade.load();
    cluster.load(clients, pause_ms);
    let (mut waits, mut wrong, mut refused) = (Vec::new(), Vec::new(), 0);
    let speaks = |versions: &str| vec!["env".to_owned(), format!("FAILPOINTS={versions}=return")];
    let mut newer = vec![false; cluster.nodes.len()];
    for run in 0..options.runs {
        let settled = cluster.now();
        cluster.served(settled).await?;
        // Leader or not: whoever's turn it is.
        let place = usize::try_from(run)? % cluster.nodes.len();
        let struck = cluster.now();
        cluster.nodes[place].kill()?;
        let others_newer = (0..newer.len()).all(|other| other == place || newer[other]);
        if run % 4 == 3 && !others_newer {
            cluster.nodes[place].become_at_next_start(new.clone(), speaks("speaks-only-2"));
            cluster.nodes[place].resume()?;
            match stands_aside(&mut cluster, place).await? {
                true => refused += 1,
                false => wrong.push(format!("node {} takes part unheard", place + 1)),
            }
            cluster.nodes[place].kill()?;
        }
        // Six restarts forth, six back: in between the cluster is mixed.
        let forth = run / 6 % 2 == 0;
        newer[place] = forth;
        let (build, under) =
            if forth { (new.clone(), speaks("speaks-1-and-2")) } else { (old.clone(), Vec::new()) };
        cluster.nodes[place].become_at_next_start(build, under);
        cluster.nodes[place].resume()?;
        waits.extend(cluster.waits(struck).await?);
        cluster.caught_up(place).await?;
        (options.progress)(run + 1);
    }
    let mut report = Report { refused, ..Report::default() };
    report.add(cluster.verdict(wrong).await?);
    let gap_us = Quantiles::of(waits);
    let (family, seed, faults) = (Family::Upgrade, options.seed, options.runs);
    Ok(Report { family, seed, faults, gap_us, ..report })
}

/// Whether a node ends, or at least neither leads nor answers, while others go on.
async fn stands_aside(cluster: &mut Cluster, place: usize) -> anyhow::Result<bool> {
    let until = Instant::now() + REFUSED;
    while Instant::now() < until {
        if cluster.nodes[place].ended()?.is_some() || cluster.said(place).contains("versions") {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(false)
}
