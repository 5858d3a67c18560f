//! `causeway bench --workload operator`: what an operator's commands cost on a ledger of so many
//! transfers that goes on working. It must never count a command that failed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use proto::ledger::GetRootRequest;
use serde_json::{Value, json};

use super::world::{World, float};
use super::{load, ratio};
use crate::args::bench::Bench;
use crate::demo::processes;
use crate::out;

/// Transfers of an envelope while the commands run, and the pause between two: work for all, but
/// not all that the machine can do.
const LOAD_BATCH: usize = 100;
const LOAD_PAUSE: Duration = Duration::from_millis(50);
/// More than any command takes.
const LOAD: usize = 12_000;
/// How long a new node may take to hold everything.
const CATCH_UP: Duration = Duration::from_secs(600);
const GIGABYTE: f64 = 1e9;
const MILLION: f64 = 1e6;

/// What one command said, and how long it took.
struct Ran {
    said: Value,
    seconds: f64,
}

impl Ran {
    fn number(&self, name: &str) -> f64 {
        float(self.said[name].as_u64().unwrap_or_default())
    }
}

/// Runs every command once.
pub(super) async fn measure(args: &Bench) -> anyhow::Result<Value> {
    let mut world = World::start(3).await?;
    let place = tempfile::tempdir()?;
    let (network, backup) = (world.folder.path.clone(), place.path().join("backup"));
    let half = args.transfers / 2;
    fill(&world, args, half).await?;
    let (stop, loading) = start_load(&world)?;
    let first = run(&[&"admin", &"backup", &network, &backup]).await?;
    fill(&world, args, args.transfers - half).await?;
    let second = run(&[&"admin", &"backup", &network, &backup]).await?;
    let verified = run(&[&"admin", &"verify-data", &backup]).await?;
    let replayed = run(&[&"admin", &"replay", &backup]).await?;
    let into = place.path().join("restored");
    let line: [&dyn AsRef<Path>; 7] =
        [&"admin", &"restore", &backup, &"--from", &network, &"--into", &into];
    let restored = run(&line).await?;
    let records = second.said["records"].as_u64().context("a backup that counts no records")?;
    let root = world.operator().admin(1)?.get_root(GetRootRequest { records }).await?;
    let root = hex::encode(&root.into_inner().root);
    let equal = [&verified, &replayed].iter().all(|ran| ran.said["root"] == root.as_str());
    let replaced = replace(&mut world).await?;
    let bytes = size(&world.folder.path.join("nodes/4/data"))?;
    stop.store(true, Ordering::Relaxed);
    let acknowledged = loading.await.context("the load's task failed")??;
    let millions = ratio(second.number("records"), MILLION);
    Ok(json!({
        "workload": args.workload.name(),
        "transfers": args.transfers,
        "records": records,
        "transfers_acknowledged_meanwhile": acknowledged,
        "roots_equal": equal,
        "backup": { "seconds": first.seconds, "bytes": first.said["bytes"] },
        "backup_incremental": {
            "seconds": second.seconds,
            "received_bytes": second.said["received_bytes"],
            "bytes": second.said["bytes"],
        },
        "backup_per_million_records": {
            "seconds": ratio(sum(first.seconds, second.seconds), millions),
            "bytes": ratio(second.number("bytes"), millions),
        },
        "verify_data_seconds": verified.seconds,
        "replay_seconds": replayed.seconds,
        "restore": { "seconds": restored.seconds, "last_record": restored.said["last_record"] },
        "replace_node": {
            "seconds": replaced.seconds,
            "bytes": bytes,
            "seconds_per_gigabyte": ratio(replaced.seconds, ratio(float(bytes), GIGABYTE)),
        },
    }))
}

#[expect(clippy::float_arithmetic, reason = "figures of a measurement, not amounts")]
fn sum(left: f64, right: f64) -> f64 {
    left + right
}

async fn fill(world: &World, args: &Bench, transfers: usize) -> anyhow::Result<()> {
    out::note("sending …");
    let batches = load::sign(world, transfers, args.batch, false)?;
    load::send(world, &batches, args.clients).await.map(drop)
}

type Loading = tokio::task::JoinHandle<anyhow::Result<usize>>;

/// Transfers one after the other until told to stop; how many were acknowledged.
fn start_load(world: &World) -> anyhow::Result<(Arc<AtomicBool>, Loading)> {
    let batches = load::sign(world, LOAD * LOAD_BATCH, LOAD_BATCH, false)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (client, stopped) = (world.client.clone(), Arc::clone(&stop));
    let loading = tokio::spawn(async move {
        let mut acknowledged = 0;
        for envelope in batches.into_iter().flatten() {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            client.submit(envelope, Vec::new()).await?;
            acknowledged += LOAD_BATCH;
            tokio::time::sleep(LOAD_PAUSE).await;
        }
        Ok(acknowledged)
    });
    Ok((stop, loading))
}

/// Kills a follower and lets a new node take its place.
async fn replace(world: &mut World) -> anyhow::Result<Ran> {
    let leader = world.leader().await.context("no node leads")?;
    let lost = if leader == 1 { 2 } else { 1 };
    world.kill(lost)?;
    let (network, lost) = (world.folder.path.clone(), lost.to_string());
    run(&[&"network", &"add-node", &network, &"--without", &lost]).await?;
    world.join(4)?;
    let (_, records) = world.operator().balances(None).await?;
    let begun = Instant::now();
    let mut ran =
        run(&[&"admin", &"replace-node", &network, &lost, &"4", &"--wait", &"600"]).await?;
    // It votes sooner; replaced it is when it holds everything.
    while world.operator().admin(4)?.get_root(GetRootRequest { records }).await.is_err() {
        anyhow::ensure!(begun.elapsed() < CATCH_UP, "node 4 does not catch up in {CATCH_UP:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ran.seconds = begun.elapsed().as_secs_f64();
    Ok(ran)
}

/// Runs this program as an operator does.
async fn run(words: &[&dyn AsRef<Path>]) -> anyhow::Result<Ran> {
    let words: Vec<_> = words.iter().map(|word| word.as_ref().to_owned()).collect();
    let shown = words.iter().take(2).map(|word| word.display().to_string()).collect::<Vec<_>>();
    out::note(&format!("causeway {} …", shown.join(" ")));
    let begun = Instant::now();
    let mut command = tokio::process::Command::new(processes::binary()?);
    let output = command.arg("--json").args(&words).output().await?;
    let seconds = begun.elapsed().as_secs_f64();
    let complaint = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "causeway {}: {complaint}", shown.join(" "));
    let text = String::from_utf8_lossy(&output.stdout);
    let said = serde_json::from_str(text.lines().last().unwrap_or_default());
    Ok(Ran { said: said.context("a command that says no JSON")?, seconds })
}

/// Bytes of every file below a folder.
fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for found in std::fs::read_dir(folder)? {
        let found = found?;
        let Ok(kind) = found.metadata() else { continue };
        bytes += if kind.is_dir() { size(&found.path())? } else { kind.len() };
    }
    Ok(bytes)
}
