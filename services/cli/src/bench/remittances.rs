//! `causeway bench --workload remittances`: whole remittances over REST through two gateways, at a
//! pace that waits for no answer, as a wallet sees them. It must never count one that it did not see
//! settled.

use std::collections::HashMap;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::ProgressBar;
use ledger_types::Uetr;
use reqwest::Method;
use serde_json::{Value, json};

use super::usage::{self, Usage};
use super::{limits, load, ratio, world::float};
use crate::args::bench::Bench;
use crate::demo::network::Running;
use crate::out;
use crate::wallet::Wallet;

/// Customers of each side, so that no account is busier than a bank's busiest.
pub(super) const CUSTOMERS: usize = 1_000;
const DEBTOR_BALANCE: u64 = 100_000_000;
/// Remittances before anything is measured.
const WARM_UP: usize = 200;
/// How often it is looked whether all have ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the last may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// When a remittance was due, answered, seen settled and seen credited.
#[derive(Clone, Copy, Debug)]
struct Seen {
    due: Instant,
    answered: Option<Instant>,
    settled: Option<Instant>,
    credited: Option<Instant>,
    refused: bool,
}

type All = Arc<Mutex<HashMap<String, Seen>>>;

/// Runs a network and sends at the asked pace.
pub(super) async fn measure(args: &Bench) -> anyhow::Result<Value> {
    anyhow::ensure!((1..=10_000).contains(&args.rate), "--rate: must be 1 to 10000");
    out::note("measuring this machine's limits …");
    let limits = limits::measure()?;
    out::note("starting a network …");
    let mut running = Running::start(None, accounts).await?;
    let all = All::default();
    let news = Arc::new(AtomicBool::new(true));
    let follower = tokio::spawn(follow(running.wallet("HK")?, all.clone(), news.clone()));
    send(&running, &all, (WARM_UP, 100)).await?;
    all.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let before = usage::of(&running)?;
    let count = usize::try_from(u64::from(args.rate) * args.seconds)?;
    let took = send(&running, &all, (count, args.rate)).await?;
    let used = usage::of(&running)?;
    news.store(false, Ordering::Relaxed);
    follower.await.context("the follower's task failed")??;
    running.check()?;
    let seen: Vec<Seen> =
        all.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect();
    figures(args, &seen, took, &Usage::between(&before, &used, count), &limits)
}

fn figures(
    args: &Bench,
    seen: &[Seen],
    took: Duration,
    used: &Usage,
    limits: &limits::Limits,
) -> anyhow::Result<Value> {
    let settled = seen.iter().filter(|row| row.settled.is_some()).count();
    let rate = ratio(float(u64::try_from(settled)?), took.as_secs_f64());
    Ok(json!({
        "workload": args.workload.name(),
        "rate_asked": args.rate,
        "remittances": seen.len(),
        "refused": seen.iter().filter(|row| row.refused).count(),
        "settled": settled,
        "credited": seen.iter().filter(|row| row.credited.is_some()).count(),
        "seconds": took.as_secs_f64(),
        "settled_per_second": rate,
        "answered_ms": times(seen, |row| row.answered)?,
        "settled_ms": times(seen, |row| row.settled)?,
        "credited_ms": times(seen, |row| row.credited)?,
        "cpu_us_per_remittance": used.to_json(),
        "limits": limits.to_json(),
        "ratio_to_fdatasync": ratio(rate, limits.fdatasync_per_second),
        "ratio_to_verify": ratio(rate, limits.verify_per_second),
    }))
}

/// From when a remittance was due.
fn times(seen: &[Seen], until: fn(&Seen) -> Option<Instant>) -> anyhow::Result<Value> {
    let mut histogram = load::histogram()?;
    for row in seen {
        if let Some(at) = until(row) {
            histogram.saturating_record(load::micros(at.saturating_duration_since(row.due)));
        }
    }
    Ok(load::quantiles(&histogram))
}

/// More customers of both, debtors with enough each.
pub(super) fn accounts(network: &std::path::Path) -> anyhow::Result<()> {
    customers(network, "HK", "HKD", DEBTOR_BALANCE, debtor)?;
    customers(network, "PH", "PHP", 0, creditor)
}

fn customers(
    network: &std::path::Path,
    label: &str,
    currency: &str,
    balance: u64,
    account: fn(usize) -> String,
) -> anyhow::Result<()> {
    let file = network.join(format!("participants/{label}/gateway.toml"));
    let text = std::fs::read_to_string(&file)?;
    let mut settings: toml::Table = text.parse().context("the gateway's settings")?;
    let accounts = settings.get_mut("accounts").and_then(toml::Value::as_array_mut);
    let accounts = accounts.context("the gateway's settings list no accounts")?;
    for number in 0..CUSTOMERS {
        let mut row = toml::Table::new();
        row.insert("account".to_owned(), account(number).into());
        row.insert("currency".to_owned(), currency.into());
        row.insert("balance".to_owned(), i64::try_from(balance)?.into());
        accounts.push(row.into());
    }
    let mut security = toml::Table::new();
    security.insert("requests_per_s".to_owned(), 1_000_000.into());
    security.insert("burst".to_owned(), 1_000_000.into());
    settings.insert("security".to_owned(), security.into());
    Ok(std::fs::write(&file, toml::to_string(&settings)?)?)
}

fn debtor(number: usize) -> String {
    format!("+8527{:07}", number % CUSTOMERS)
}

fn creditor(number: usize) -> String {
    format!("+63998{:07}", number % CUSTOMERS)
}

/// The order of a remittance of a few hundred pesos.
pub(super) fn order(uetr: &str, number: usize) -> Value {
    json!({
        "uetr": uetr,
        "end_to_end_id": format!("BENCH-{number}"),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": format!("100.{:02}", number % 100), "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": debtor(number) },
        "creditor": { "name": "Bea Testperson", "account": creditor(number) },
        "relationship": "family",
        "source_of_funds": "salary",
    })
}

pub(super) fn fresh_uetr() -> anyhow::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).context("the system gives no randomness")?;
    Ok(Uetr::from_random(random).to_string())
}

/// Sends `count` at a pace, and waits until all have ended.
async fn send(
    running: &Running,
    all: &All,
    (count, rate): (usize, u32),
) -> anyhow::Result<Duration> {
    let wallet = running.wallet("HK")?;
    let bar = ProgressBar::new(u64::try_from(count)?);
    let mut tasks = tokio::task::JoinSet::new();
    let begun = Instant::now();
    for number in 0..count {
        let due = begun + Duration::from_secs(u64::try_from(number)?) / rate;
        tokio::time::sleep_until(due.into()).await;
        let uetr = fresh_uetr()?;
        let fresh = Seen { due, answered: None, settled: None, credited: None, refused: false };
        all.lock().unwrap_or_else(PoisonError::into_inner).insert(uetr.clone(), fresh);
        let (wallet, all, bar) = (wallet.clone(), all.clone(), bar.clone());
        tasks.spawn(async move {
            let (status, body) = wallet.create(&order(&uetr, number), PATIENCE).await?;
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(row) = all.get_mut(&uetr) {
                row.answered = Some(Instant::now());
                row.refused = !status.is_success();
            }
            anyhow::ensure!(status.is_success(), "{status}: {body}");
            bar.inc(1);
            anyhow::Ok(())
        });
    }
    let mut refusal = None;
    while let Some(ended) = tasks.join_next().await {
        refusal = refusal.or(ended.context("a remittance's task failed")?.err());
    }
    if let Some(refusal) = refusal {
        out::note(&format!("the first refusal: {refusal:#}"));
    }
    let until = Instant::now() + PATIENCE;
    while open(all) > 0 && Instant::now() < until {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bar.finish_and_clear();
    Ok(begun.elapsed())
}

fn open(all: &All) -> usize {
    let all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.values().filter(|row| row.credited.is_none() && !row.refused).count()
}

/// Notes when the debtor agent's gateway tells that a remittance is settled, and credited.
async fn follow(wallet: Wallet, all: All, go_on: Arc<AtomicBool>) -> anyhow::Result<()> {
    let mut after = 0;
    while go_on.load(Ordering::Relaxed) {
        let path = format!("/v1/events?after={after}&limit=1000&wait_s=1");
        let (status, body) = wallet.send(Method::GET, &path, None, None).await?;
        anyhow::ensure!(status.is_success(), "{path}: {status} {body}");
        let rows = body.as_array().context("the gateway gave no list of events")?;
        let now = Instant::now();
        for row in rows {
            after = row["number"].as_u64().context("an event has no number")?;
            note(&all, row, now);
        }
    }
    Ok(())
}

fn note(all: &All, event: &Value, now: Instant) {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    let event = &event["data"];
    let row = event["subject"].as_str().and_then(|uetr| all.get_mut(uetr));
    match (row, event["state"].as_str()) {
        (Some(row), Some("SETTLED")) => row.settled = row.settled.or(Some(now)),
        (Some(row), Some("CREDITED")) => row.credited = row.credited.or(Some(now)),
        _ => {}
    }
}
