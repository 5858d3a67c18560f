//! Members that come, go and are replaced under load by the operator's own commands, and wiped disks that must not come back under their old id.
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use services_cli::demo::processes::binary;
use tokio::process::Command;

use super::{Family, Options, Quantiles, Report, choose::setup, cluster::Cluster};

/// How long a wiped node is watched.
const REFUSED: Duration = Duration::from_secs(8);
/// What a node has of itself.
const GENESIS: u64 = 1;
/// How often a command is given again while leadership moves.
const TRIES: usize = 20;
/// Of each cluster: four changes and one wiped disk.
const EACH: u64 = 5;

/// Changes the members of clusters `runs` times in all, five each, and judges every cluster.
///
/// # Errors
/// When a command is refused for good, or a cluster does not come back.
pub(super) async fn members(options: &Options) -> anyhow::Result<Report> {
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let (mut report, mut waits) = (Report::default(), Vec::new());
    for round in 0..options.runs.div_ceil(EACH) {
        let mut cluster = Cluster::start(setup(Family::Members, options.seed + round)).await?;
        let (clients, pause_ms) = Family::Members.load();
        cluster.load(clients, pause_ms);
        let mut wrong = Vec::new();
        for change in 0..EACH.min(options.runs - round * EACH) {
            let settled = cluster.now();
            cluster.served(settled).await?;
            match change {
                0 => grow(&mut cluster).await?,
                1 => replace(&mut cluster, false, &mut rng).await?,
                2 => shrink(&mut cluster, &mut rng).await?,
                3 => replace(&mut cluster, true, &mut rng).await?,
                _ => match wipe(&mut cluster, &mut rng).await? {
                    true => report.refused += 1,
                    false => wrong.push("a wiped node lives on".to_owned()),
                },
            }
            waits.extend(cluster.waits(settled).await?);
            (options.progress)(round * EACH + change + 1);
        }
        report.add(cluster.verdict(wrong).await?);
    }
    let gap_us = Quantiles::of(waits);
    Ok(Report {
        family: Family::Members,
        seed: options.seed,
        faults: options.runs,
        gap_us,
        ..report
    })
}

async fn grow(cluster: &mut Cluster) -> anyhow::Result<()> {
    let place = cluster.grow(&[])?;
    let new = (place + 1).to_string();
    admin(cluster, &["cluster", "add-learner"], &[&new]).await?;
    admin(cluster, &["cluster", "promote"], &[&new]).await
}

async fn shrink(cluster: &mut Cluster, rng: &mut fastrand::Rng) -> anyhow::Result<()> {
    let follower = follower(cluster, rng).await?;
    admin(cluster, &["cluster", "remove"], &[&(follower + 1).to_string()]).await?;
    cluster.leave(follower)
}

/// Kills a node for ever and puts a new one in its place.
async fn replace(
    cluster: &mut Cluster,
    leads: bool,
    rng: &mut fastrand::Rng,
) -> anyhow::Result<()> {
    let lost = if leads { cluster.leader().await? } else { follower(cluster, rng).await? };
    cluster.nodes[lost].kill()?;
    succeed(cluster, lost).await
}

async fn succeed(cluster: &mut Cluster, lost: usize) -> anyhow::Result<()> {
    cluster.leave(lost)?;
    let place = cluster.grow(&[lost])?;
    let (lost, new) = ((lost + 1).to_string(), (place + 1).to_string());
    admin(cluster, &["replace-node"], &[&lost, &new, "--wait", "60"]).await?;
    cluster.caught_up(place).await
}

/// Whether a node whose disk was wiped ended or got nothing: where all that it knows have left for
/// ever nobody tells it, and nothing is sent to it.
async fn wipe(cluster: &mut Cluster, rng: &mut fastrand::Rng) -> anyhow::Result<bool> {
    let place = follower(cluster, rng).await?;
    cluster.nodes[place].kill()?;
    std::fs::remove_dir_all(cluster.folder.path.join(format!("nodes/{}/data", place + 1)))?;
    cluster.nodes[place].resume()?;
    let until = Instant::now() + REFUSED;
    let (mut ended, mut took_part) = (false, false);
    while !ended && !took_part && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
        took_part = cluster.status(place).await.is_some_and(|(_, records)| records > GENESIS);
        ended = cluster.nodes[place].ended()?.is_some();
    }
    cluster.nodes[place].kill()?;
    succeed(cluster, place).await?;
    Ok(!took_part)
}

async fn follower(cluster: &Cluster, rng: &mut fastrand::Rng) -> anyhow::Result<usize> {
    let leader = cluster.leader().await?;
    let others: Vec<usize> = cluster.present().filter(|place| *place != leader).collect();
    others.get(rng.usize(..others.len().max(1))).copied().context("there is but one node")
}

/// Gives a command of the operator until it is done.
async fn admin(cluster: &Cluster, command: &[&str], arguments: &[&str]) -> anyhow::Result<()> {
    let mut said = String::new();
    for _ in 0..TRIES {
        let mut line = Command::new(binary()?);
        line.arg("admin").args(command).arg(&cluster.folder.path).args(arguments);
        let output = line.output().await.context("the operator's command cannot be started")?;
        if output.status.success() {
            return Ok(());
        }
        said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    ensure!(false, "admin {command:?} {arguments:?}: {said}");
    Ok(())
}
