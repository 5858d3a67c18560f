//! `causeway bench --workload status-reads`: how many times a second a gateway says where a transfer
//! stands, and what of a core that costs. It must never count an answer that is not a transfer's.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::remittances::{accounts, fresh_uetr, order};
use super::usage::{self, Usage};
use super::{ratio, world::float};
use crate::args::bench::Bench;
use crate::demo::network::Running;
use crate::out;
use crate::wallet::Wallet;

/// Transfers that are asked for in turn.
const TRANSFERS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a network and reads with `--clients` connections.
pub(super) async fn measure(args: &Bench) -> anyhow::Result<Value> {
    out::note("starting a network …");
    let running = Running::start(None, accounts).await?;
    let wallet = running.wallet("HK")?;
    let uetrs: Arc<[String]> = settled(&wallet).await?.into();
    let clients = args.clients.max(1);
    out::note("reading …");
    read(&wallet, &uetrs, (clients, Duration::from_secs(1))).await?;
    let before = usage::of(&running)?;
    let begun = Instant::now();
    let count = read(&wallet, &uetrs, (clients, Duration::from_secs(args.seconds))).await?;
    let took = begun.elapsed();
    let used = Usage::between(&before, &usage::of(&running)?, usize::try_from(count)?);
    Ok(json!({
        "workload": args.workload.name(),
        "clients": clients,
        "reads": count,
        "seconds": took.as_secs_f64(),
        "reads_per_second": ratio(float(count), took.as_secs_f64()),
        "reads_per_second_of_a_gateway_core": ratio(1e6, used.of("gateway-HK")),
        "reads_per_second_of_a_core_with_postgres":
            ratio(1e6, [used.of("gateway-HK"), used.of("postgres")].iter().sum()),
        "cpu_us_per_read": used.to_json(),
    }))
}

/// Transfers that are credited.
async fn settled(wallet: &Wallet) -> anyhow::Result<Vec<String>> {
    let mut uetrs = Vec::with_capacity(TRANSFERS);
    for number in 0..TRANSFERS {
        let uetr = fresh_uetr()?;
        let (status, body) = wallet.create(&order(&uetr, number), PATIENCE).await?;
        anyhow::ensure!(status.is_success(), "{status}: {body}");
        uetrs.push(uetr);
    }
    let last = uetrs.last().context("no transfer was made")?;
    wallet.follow(last, PATIENCE, |seen| seen.status == "CREDITED").await;
    Ok(uetrs)
}

/// Every client asks again as soon as it is answered, on a connection of its own.
async fn read(
    wallet: &Wallet,
    uetrs: &Arc<[String]>,
    (clients, time): (usize, Duration),
) -> anyhow::Result<u64> {
    let until = Instant::now() + time;
    let count = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..clients {
        let (wallet, uetrs, count) = (wallet.clone(), uetrs.clone(), count.clone());
        tasks.spawn(async move {
            for uetr in uetrs.iter().cycle().skip(client) {
                if Instant::now() >= until {
                    break;
                }
                let path = format!("/v1/transfers/{uetr}");
                let (status, text) = wallet.document(&path).await?;
                anyhow::ensure!(status == StatusCode::OK && text.contains(uetr), "{status} {text}");
                count.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a client's task failed")??;
    }
    Ok(count.load(Ordering::Relaxed))
}
