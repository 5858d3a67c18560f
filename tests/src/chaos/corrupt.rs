//! Files damaged while a node was down: it must refuse to start, or tell exactly what the others tell.
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use proto::convert::RecordEvent;

use super::{
    Family, Options, Report,
    cluster::{Cluster, Setup},
};

/// How long a damaged node may take to refuse or to catch up.
const DECIDES: Duration = Duration::from_secs(20);

/// Damages one node's files `runs` times.
///
/// # Errors
/// When the machine does not let it.
pub(super) async fn corrupt(options: &Options) -> anyhow::Result<Report> {
    let mut cluster = Cluster::start(Setup::plain(options.seed)).await?;
    cluster.load(12, 5);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let place = (cluster.leader().await? + 1) % 3;
    let data = cluster.folder.path.join(format!("nodes/{}/data", place + 1));
    let spare = tempfile::Builder::new().prefix("causeway-spare-").tempdir()?;
    let (older, whole) = (spare.path().join("older"), spare.path().join("whole"));
    cluster.nodes[place].kill()?;
    copy(&data, &older)?;
    cluster.nodes[place].resume()?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut report = cluster.verdict(Vec::new()).await?;
    let mut truth = Vec::new();
    cluster.stream((place + 1) % 3, report.records, |record| truth.push(record)).await?;
    cluster.nodes[place].kill()?;
    copy(&data, &whole)?;
    let mut rng = fastrand::Rng::with_seed(options.seed);
    for run in 0..options.runs {
        fs::remove_dir_all(&data)?;
        copy(&whole, &data)?;
        let what = damage(&data, &older, &mut rng)?;
        cluster.nodes[place].resume()?;
        match outcome(&mut cluster, place, &truth).await {
            Ok(true) => report.refused += 1,
            Ok(false) => {}
            Err(wrong) => report.violations.push(format!("{what}: {wrong:#}")),
        }
        cluster.nodes[place].kill()?;
        (options.progress)(run + 1);
    }
    Ok(Report { family: Family::Corrupt, seed: options.seed, faults: options.runs, ..report })
}

/// Whether the node refused; an error when it answers otherwise than the others.
async fn outcome(
    cluster: &mut Cluster,
    place: usize,
    truth: &[RecordEvent],
) -> anyhow::Result<bool> {
    let records = u64::try_from(truth.len())?;
    let until = Instant::now() + DECIDES;
    loop {
        if cluster.nodes[place].ended()?.is_some() {
            return Ok(true);
        }
        if let Some((_, has)) = cluster.status(place).await
            && has >= records
        {
            break;
        }
        ensure!(Instant::now() < until, "neither refuses nor serves: {}", cluster.said(place));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let root = cluster.root(place, records).await;
    let mut told = Vec::new();
    let ended = cluster.stream(place, records, |record| told.push(record)).await;
    if cluster.nodes[place].ended()?.is_some() {
        return Ok(true);
    }
    let others = cluster.root((place + 1) % 3, records).await;
    ensure!(root == others, "another root: {root:?}, not {others:?}");
    match ended {
        // An error is an answer that nobody takes for a record.
        Err(_) => Ok(true),
        Ok(()) => {
            let same = told.iter().zip(truth).all(|(one, other)| {
                (one.sequence, &one.digests, &one.parts)
                    == (other.sequence, &other.digests, &other.parts)
            });
            ensure!(same, "other records");
            Ok(false)
        }
    }
}

/// Damages something and says what.
fn damage(data: &Path, older: &Path, rng: &mut fastrand::Rng) -> anyhow::Result<String> {
    let files = files(data)?;
    let file = &files[rng.usize(..files.len())];
    let name = file.strip_prefix(data)?.display().to_string();
    let length = fs::metadata(file)?.len();
    let open = || OpenOptions::new().read(true).write(true).open(file);
    Ok(match rng.u8(..20) {
        0..=10 if length > 0 => {
            let at = rng.u64(..length);
            let mut byte = [0];
            open()?.read_exact_at(&mut byte, at)?;
            let bit = rng.u8(..8);
            open()?.write_all_at(&[byte[0] ^ (1 << bit)], at)?;
            format!("bit {bit} of byte {at} of {length} of {name} flipped")
        }
        11 | 12 if length > 0 => {
            let left = rng.u64(..length);
            open()?.set_len(left)?;
            format!("{name} cut from {length} to {left} bytes")
        }
        13 | 14 => {
            fs::remove_file(file)?;
            format!("{name} deleted")
        }
        15..=17 if length > 1_024 => {
            // A write that went elsewhere.
            let (from, to) = (rng.u64(..length - 512), rng.u64(..length - 512));
            let mut block = [0; 512];
            open()?.read_exact_at(&mut block, from)?;
            open()?.write_all_at(&block, to)?;
            format!("512 bytes of {name} copied from {from} to {to}")
        }
        18 => {
            fs::remove_dir_all(data)?;
            copy(older, data)?;
            "all of an older copy put back".to_owned()
        }
        _ => {
            // A write that was lost: a file as it was before.
            let before = older.join(file.strip_prefix(data)?);
            if before.exists() {
                fs::copy(&before, file)?;
            }
            format!("an older copy of {name} put back")
        }
    })
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?),
            // What RocksDB says for people is not data.
            false if entry.file_name().to_string_lossy().starts_with("LOG") => {}
            false => found.push(entry.path()),
        }
    }
    found.sort();
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let output = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to).output();
    let output = output.context("cp cannot be started")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
