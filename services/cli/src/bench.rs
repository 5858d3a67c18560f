//! `causeway bench`: what the ledger does on this machine, beside what the machine itself can do in
//! the same run. It must never state a figure that it did not measure.

mod limits;
pub mod load;
mod operator;
mod reads;
mod reconciliation;
mod remittances;
mod usage;
pub mod world;

use serde_json::{Value, json};

use crate::args::bench::{Bench, Workload};
use crate::{Answer, ending, out};

/// Runs the benchmark.
pub fn run(args: &Bench, as_json: bool) -> anyhow::Result<Answer> {
    anyhow::ensure!((1..=8_190).contains(&args.batch), "--batch: must be 1 to 8190");
    let work = async {
        match args.workload {
            Workload::Operator => operator::measure(args).await,
            Workload::Remittances => remittances::measure(args).await,
            Workload::Reconciliation => reconciliation::measure(args).await,
            Workload::StatusReads => reads::measure(args).await,
            Workload::Direct | Workload::TwoPhase => measure(args).await,
        }
    };
    let Some(figures) = ending::run(work)? else { return Ok(Answer::No) };
    if as_json {
        out::json(&figures);
    } else {
        out::line(&format!("{figures:#}"));
    }
    Ok(Answer::Done)
}

async fn measure(args: &Bench) -> anyhow::Result<Value> {
    out::note("measuring this machine's limits …");
    let limits = limits::measure()?;
    out::note("starting the ledger …");
    let world = world::World::start(args.nodes).await?;
    out::note("signing …");
    let two_phase = args.workload == Workload::TwoPhase;
    let batches = load::sign(&world, args.transfers, args.batch, two_phase)?;
    out::note("sending …");
    let before = world.usage().await?;
    let measured = load::send(&world, &batches, args.clients).await?;
    let used = world.usage().await?.since(&before);
    let transfers = f64::from(u32::try_from(args.transfers).unwrap_or(u32::MAX));
    let rate = ratio(transfers, measured.seconds);
    let nodes = f64::from(u32::try_from(args.nodes).unwrap_or(1));
    Ok(json!({
        "workload": args.workload.name(),
        "nodes": args.nodes,
        "batch": args.batch,
        "clients": args.clients,
        "transfers": args.transfers,
        "seconds": measured.seconds,
        "transfers_per_second": rate,
        "batch_ms": measured.batch_ms,
        "bytes_per_transfer_node": ratio(used.bytes, product(transfers, nodes)),
        "cpu_us_per_transfer_node": ratio(used.cpu_micros, product(transfers, nodes)),
        "limits": limits.to_json(),
        "ratio_to_verify": ratio(rate, limits.verify_per_second),
        "ratio_to_map": ratio(rate, limits.map_per_second),
        "batches_per_fdatasync": ratio(
            ratio(rate, f64::from(u32::try_from(args.batch).unwrap_or(1))),
            limits.fdatasync_per_second,
        ),
    }))
}

/// A quotient of two measurements; no money is a float.
#[expect(clippy::float_arithmetic, reason = "figures of a measurement, not amounts")]
fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { (numerator / denominator * 1_000.0).round() / 1_000.0 }
}

#[expect(clippy::float_arithmetic, reason = "figures of a measurement, not amounts")]
fn product(left: f64, right: f64) -> f64 {
    left * right
}
