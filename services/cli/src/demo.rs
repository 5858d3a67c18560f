//! `causeway demo`: a whole network on this machine and real remittances across it, the leader
//! killed meanwhile, then a back office's day of them. It must leave nothing running and pretend nothing.

pub mod console;
mod message;
pub mod network;
pub mod office;
mod play;
pub mod postgres;
pub mod processes;
mod rates;
mod scenario;
mod summary;

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use network::Running;
use play::Played;
use summary::Outage;

use crate::args::Demo;
use crate::{Answer, ending, out};

/// Orders on their way to an acknowledgement at one time.
const AT_ONCE: usize = 6;
/// The pace of new orders.
const PACE: Duration = Duration::from_millis(80);
/// In which a demonstration has its business day.
const ONE_DAY: Duration = Duration::from_secs(45);
/// How long the killed leader stays down.
const DOWN: Duration = Duration::from_secs(3);

/// Runs the demonstration.
pub fn run(args: &Demo, as_json: bool) -> anyhow::Result<Answer> {
    Ok(ending::run(demonstrate(args, as_json))?.unwrap_or(Answer::No))
}

async fn demonstrate(args: &Demo, as_json: bool) -> anyhow::Result<Answer> {
    out::note(
        "starting Postgres, three ledger nodes, four gateways, two liquidity banks, reconciliation …",
    );
    office::day::begun(ONE_DAY).await?;
    let mut running = Running::start(args.database_url.clone(), |_| Ok(())).await?;
    tell_how(args, &running)?;
    let (played, outage) = send_all(&mut running, args.transfers).await?;
    out::note("making statements, comparing the books, closing a day …");
    let day = office::day::work(&running).await?;
    // It takes over the calendars by which the day is over.
    let console = running.start_console().await?.words();
    tell_how(args, &running)?;
    let mut figures = summary::figures(&running, &played, outage).await?;
    figures["office"] = day.figures;
    out::note(&summary::table(&played).to_string());
    out::note(&format!("{figures:#}"));
    out::note(&day.words);
    if !args.once {
        let info = running.info();
        out::note(&format!("the network runs until Ctrl-C; docs/tutorials go on here:\n{info:#}"));
        out::note(&console);
        let () = std::future::pending().await;
    }
    running.stop();
    if as_json {
        out::json(&figures);
    }
    let sound = figures["lost"] == 0
        && figures["duplicates"] == 0
        && figures["roots_equal"] == true
        && figures["ledger_records"] == figures["reconciled_records"]
        && office::day::holds(&figures["office"]);
    Ok(if sound { Answer::Done } else { Answer::No })
}

/// Writes how to reach the network where `--info` says.
fn tell_how(args: &Demo, running: &Running) -> anyhow::Result<()> {
    let Some(file) = &args.info else { return Ok(()) };
    let text = format!("{:#}\n", running.info());
    write_private(file, &text).with_context(|| format!("{}: cannot be written", file.display()))
}

/// What holds keys is for its owner alone, from its first byte on.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let mut options = File::options();
    let mut open = options.create(true).write(true).truncate(true).mode(0o600).open(file)?;
    // One that was there before keeps its mode otherwise.
    open.set_permissions(Permissions::from_mode(0o600))?;
    open.write_all(text.as_bytes())
}

async fn send_all(running: &mut Running, count: usize) -> anyhow::Result<(Vec<Played>, Outage)> {
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(0));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} transfers ended {msg}");
    bar.set_style(style.context("the progress bar's own template")?);
    let permits = Arc::new(Semaphore::new(AT_ONCE * 8));
    let mut tasks: JoinSet<anyhow::Result<Played>> = JoinSet::new();
    let mut outage = Outage::default();
    let mut down: Option<(usize, Instant)> = None;
    for planned in scenario::plan(count) {
        if planned.number == count * 2 / 5 {
            let leader = running.leader().await.context("the network has no leader to kill")?;
            outage.killed_at = Some(Instant::now());
            running.kill_node(leader)?;
            bar.set_message(format!("(leader, node {leader}, killed)"));
            down = Some((leader, Instant::now()));
        }
        resume(running, &mut down, &bar)?;
        let (from, to) = if planned.hong_kong { ("HK", "PH") } else { ("MY", "PK") };
        let (debtor, creditor) = (running.wallet(from)?, running.wallet(to)?);
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let bar = bar.clone();
        tasks.spawn(async move {
            let played = play::play(planned, debtor, creditor).await;
            drop(permit);
            bar.inc(1);
            played
        });
        tokio::time::sleep(PACE).await;
    }
    let mut played = Vec::with_capacity(count);
    loop {
        resume(running, &mut down, &bar)?;
        match tokio::time::timeout(Duration::from_millis(200), tasks.join_next()).await {
            Ok(Some(ended)) => played.push(ended.context("a transfer's task failed")??),
            Ok(None) => break,
            Err(_) => {}
        }
    }
    if let Some((node, _)) = down {
        running.resume_node(node)?;
    }
    bar.finish_and_clear();
    Ok((played, outage))
}

/// Starts the killed leader again once it was down long enough.
fn resume(
    running: &mut Running,
    down: &mut Option<(usize, Instant)>,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    if let Some((node, since)) = *down
        && since.elapsed() >= DOWN
    {
        running.resume_node(node)?;
        bar.set_message(format!("(node {node} is back)"));
        *down = None;
    }
    running.check()
}
