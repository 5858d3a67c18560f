//! `causeway bench --workload reconciliation`: how far the tables of Postgres are behind a ledger under load, and how fast
//! they catch up after an absence. It must never count a record that is not committed in the tables.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::ProgressBar;
use proto::ledger::GetStatusRequest;
use serde_json::{Value, json};
use services_reconciliation::store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::world::{World, float};
use super::{limits, load, ratio};
use crate::args::bench::Bench;
use crate::demo::network::database;
use crate::out;

/// Envelopes a second, whatever the rate of transfers.
const ENVELOPES_PER_SECOND: u32 = 20;
/// How often the tables are asked how far they are.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long nodes must stand still to be at rest.
const REST: Duration = Duration::from_millis(500);
/// How long the tables may need to reach what was acknowledged.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many records the tables have.
type Reached = watch::Receiver<u64>;

/// Runs nodes, Postgres and reconciliation.
pub(super) async fn measure(args: &Bench) -> anyhow::Result<Value> {
    anyhow::ensure!((1..=100_000).contains(&args.rate), "--rate: must be 1 to 100000");
    out::note("measuring this machine's limits …");
    let limits = limits::measure()?;
    out::note("starting the ledger and reconciliation …");
    let (url, postgres) = database(None).await?;
    let mut world = World::start_with(args.nodes, &url).await?;
    world.reconciliation()?;
    let tables = Store::new(&url).context("the tables cannot be read")?;
    let (seen, reached) = watch::channel(0);
    let follower = tokio::spawn(follow(tables, seen));
    let tip = quiet(&world).await?;
    reach(&reached, tip).await?;
    out::note("sending at a pace …");
    let lag = paced(&world, &reached, (args.rate, args.seconds)).await?;
    let caught = catch_up(&mut world, &reached, args).await?;
    follower.abort();
    drop((world, postgres));
    Ok(json!({
        "workload": args.workload.name(),
        "rate_asked": args.rate,
        "lag": lag,
        "catch_up": caught,
        "limits": limits.to_json(),
    }))
}

/// Tells how far the tables are, as often as it can.
async fn follow(tables: Store, seen: watch::Sender<u64>) -> anyhow::Result<()> {
    loop {
        // The schema is not made yet.
        let next = tables.cursor().await.map_or(0, |cursor| cursor.next_sequence);
        seen.send_if_modified(|last| next > std::mem::replace(last, next));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn reach(reached: &Reached, records: u64) -> anyhow::Result<()> {
    let mut reached = reached.clone();
    let enough = reached.wait_for(|next| *next >= records);
    let waited = tokio::time::timeout(PATIENCE, enough).await;
    waited.with_context(|| format!("the tables lack record {records} after {PATIENCE:?}"))??;
    Ok(())
}

/// How many records the ledger has, once all nodes have them and none works on anything: what a node still keeps of what
/// was sent is not reconciliation's to wait for.
async fn quiet(world: &World) -> anyhow::Result<u64> {
    let until = Instant::now() + PATIENCE;
    let mut before = Vec::new();
    loop {
        let mut records = Vec::new();
        for node in 1..=world.operator().nodes() {
            let status = world.operator().admin(node)?.get_status(GetStatusRequest {}).await;
            records.push(status.context("a node does not tell its status")?.into_inner().records);
        }
        if records == before && records.windows(2).all(|pair| pair[0] == pair[1]) {
            return records.pop().context("no nodes");
        }
        anyhow::ensure!(Instant::now() < until, "the nodes do not come to rest: {records:?}");
        before = records;
        tokio::time::sleep(REST).await;
    }
}

/// Sends `rate` transfers a second for so many seconds: from an acknowledgement to its records in the tables.
async fn paced(
    world: &World,
    reached: &Reached,
    (rate, seconds): (u32, u64),
) -> anyhow::Result<Value> {
    let transfers = usize::try_from(u64::from(rate) * seconds)?;
    let batch = usize::try_from(rate.div_ceil(ENVELOPES_PER_SECOND))?;
    let batches = load::sign(world, transfers, batch, false)?;
    let bar = ProgressBar::new(u64::try_from(batches.len())?);
    let histogram = Arc::new(std::sync::Mutex::new(load::histogram()?));
    let (begun, mut tasks) = (Instant::now(), JoinSet::new());
    for (number, envelope) in batches.into_iter().flatten().enumerate() {
        let ahead = u64::try_from(number * batch)?;
        let due = begun + Duration::from_micros(ahead * 1_000_000 / u64::from(rate));
        tokio::time::sleep_until(due.into()).await;
        let (client, reached, bar) = (world.client.clone(), reached.clone(), bar.clone());
        let histogram = Arc::clone(&histogram);
        tasks.spawn(async move {
            let submitted = client.submit(envelope, Vec::new()).await?;
            let acknowledged = Instant::now();
            let refused = submitted.outcomes.iter().find_map(|outcome| outcome.rejection);
            anyhow::ensure!(refused.is_none(), "a transfer was refused: {refused:?}");
            let last = submitted.outcomes.iter().map(|outcome| outcome.sequence).max();
            reach(&reached, last.unwrap_or_default() + 1).await?;
            let lag = load::micros(acknowledged.elapsed());
            let mut histogram = histogram.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            histogram.saturating_record(lag);
            bar.inc(1);
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("an envelope's task failed")??;
    }
    let took = begun.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let histogram = histogram.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(json!({
        "transfers": transfers,
        "transfers_per_second": ratio(float(u64::try_from(transfers)?), took),
        "acknowledged_to_tables_ms": load::quantiles(&histogram),
    }))
}

/// Lets the ledger go on without reconciliation, then starts it again.
async fn catch_up(world: &mut World, reached: &Reached, args: &Bench) -> anyhow::Result<Value> {
    world.reconciliation()?.kill()?;
    out::note("signing …");
    let batches = load::sign(world, args.transfers, args.batch, false)?;
    out::note("sending while reconciliation is away …");
    load::send(world, &batches, args.clients).await?;
    let tip = quiet(world).await?;
    let from = *reached.borrow();
    out::note("reconciliation catches up …");
    let begun = Instant::now();
    world.reconciliation()?;
    reach(reached, from + 1).await?;
    let (first, first_at) = (*reached.borrow(), Instant::now());
    reach(reached, tip).await?;
    let (whole, following) = (begun.elapsed(), first_at.elapsed());
    let rate = |records, took: Duration| ratio(float(records), took.as_secs_f64());
    Ok(json!({
        "records": tip - from,
        "seconds": whole.as_secs_f64(),
        "records_per_second": rate(tip - from, whole),
        "records_per_second_once_it_follows": rate(tip - first, following),
    }))
}
