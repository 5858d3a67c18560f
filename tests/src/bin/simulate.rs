//! `simulate`: runs seeds side by side, each in a process of its own, and says what was found; it decides nothing within a run.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people and scripts")]

use std::{
    collections::BTreeMap,
    process::{Command, ExitCode, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use services_runtime::telemetry;
use tests::simulation::{Bug, Options, Report, plant, run, sometimes};

/// Runs whole clusters whose every fault follows from a seed.
///
/// Examples:
///   simulate --seeds 600
///   simulate --start 77 --seeds 1        one seed again
///   simulate --start 77 --seeds 1 --log info    and what its nodes say
///   simulate --bugs                      planted bugs, each of which must be found
#[derive(Debug, Parser)]
#[command(verbatim_doc_comment)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    start: u64,
    /// Simulated milliseconds under faults, per seed.
    #[arg(long, default_value_t = 20_000)]
    ticks: u64,
    /// Run so many seeds twice and compare everything that was seen.
    #[arg(long, default_value_t = 0)]
    twice: u64,
    /// Plant each known bug in turn and look for it in up to `--seeds` seeds.
    #[arg(long)]
    bugs: bool,
    /// Show what the nodes say, by a filter such as `info` or `ledger_node=debug`.
    #[arg(long)]
    log: Option<String>,
    /// Print the report as one JSON object, the last line of standard output.
    #[arg(long)]
    json: bool,
    /// Runs one seed in this process and prints its report.
    #[arg(long, hide = true)]
    one: Option<u64>,
    /// Plants a bug, by number.
    #[arg(long, hide = true)]
    bug: Option<usize>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(bug) = arguments.bug.and_then(|number| Bug::ALL.get(number)) {
        plant(*bug);
    }
    if let Some(seed) = arguments.one {
        if let Some(filter) = arguments.log {
            telemetry::init(&telemetry::Settings { filter, ..telemetry::Settings::default() })?;
        }
        let report = run(&Options { seed, ticks: arguments.ticks });
        println!("{}", serde_json::to_string(&report)?);
        return Ok(ExitCode::SUCCESS);
    }
    match arguments.bugs {
        true => bugs(&arguments),
        false => seeds(&arguments),
    }
}

/// One seed in a process of its own; a process that dies is a finding.
fn one(arguments: &Arguments, seed: u64, bug: Option<usize>) -> anyhow::Result<Report> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", &seed.to_string(), "--ticks", &arguments.ticks.to_string()]);
    if let Some(bug) = bug {
        command.args(["--bug", &bug.to_string()]);
    }
    if let Some(filter) = &arguments.log {
        command.args(["--log", filter]).stderr(Stdio::inherit());
    }
    let output = command.output().context("a seed's process cannot be started")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let report = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
    Ok(report.unwrap_or_else(|| {
        let complaints = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = complaints.lines().filter(|line| !line.trim().is_empty()).collect();
        let why = last.iter().rev().take(12).rev().copied().collect::<Vec<_>>().join(" | ");
        let violations = vec![format!("the process died ({}): {why}", output.status)];
        Report { seed, violations, ..Report::default() }
    }))
}

/// Runs seeds on every core, in order of their numbers, until `done` says that it is enough.
fn spread(
    arguments: &Arguments,
    bug: Option<usize>,
    done: impl Fn(&Report) -> bool + Sync,
) -> anyhow::Result<Vec<Report>> {
    let bar = ProgressBar::new(arguments.seeds);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {eta} left")?);
    let (next, end) = (AtomicU64::new(arguments.start), arguments.start + arguments.seeds);
    let (reports, stop) = (Mutex::new(Vec::new()), AtomicU64::new(0));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end || stop.load(Ordering::Relaxed) > 0 {
                            return anyhow::Ok(());
                        }
                        let report = one(arguments, seed, bug)?;
                        stop.fetch_add(u64::from(done(&report)), Ordering::Relaxed);
                        reports.lock().expect("no worker panics").push(report);
                        bar.inc(1);
                    }
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    bar.finish_and_clear();
    let mut reports = reports.into_inner().expect("no worker panics");
    reports.sort_by_key(|report: &Report| report.seed);
    Ok(reports)
}

fn seeds(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let reports = spread(arguments, None, |_| false)?;
    let mut happened = BTreeMap::<String, u64>::new();
    for (what, times) in reports.iter().flat_map(|report| &report.happened) {
        *happened.entry(what.clone()).or_default() += times;
    }
    let mut wrong = 0;
    for report in reports.iter().filter(|report| !report.violations.is_empty()) {
        wrong += 1;
        let seed = report.seed;
        eprintln!("seed {seed}: {}", report.violations.join("; "));
        eprintln!("  again: make sim START={seed} SEEDS=1");
    }
    let mut unlike = 0;
    for report in reports.iter().take(usize::try_from(arguments.twice)?) {
        if one(arguments, report.seed, None)?.trace != report.trace {
            unlike += 1;
            eprintln!("seed {}: a second run saw something else", report.seed);
        }
    }
    let enough = arguments.seeds >= 20;
    let never: Vec<_> =
        sometimes().filter(|what| happened.get(what).is_none_or(|times| *times == 0)).collect();
    if enough && !never.is_empty() {
        eprintln!("never happened, so nothing is proved: {never:?}");
    }
    let sum = |of: fn(&Report) -> u64| -> u64 { reports.iter().map(of).sum() };
    let clean = wrong == 0 && unlike == 0 && (never.is_empty() || !enough);
    let summary = serde_json::json!({
        "seeds": reports.len(),
        "violations": wrong,
        "replayed": arguments.twice,
        "replayed_unlike": unlike,
        "requests": sum(|report| report.requests),
        "operations": sum(|report| report.operations),
        "acknowledged": sum(|report| report.acknowledged),
        "records": sum(|report| report.records),
        "linearized": sum(|report| report.linearized),
        "happened": happened,
    });
    match arguments.json {
        true => println!("{summary}"),
        false => println!("{}", serde_json::to_string_pretty(&summary)?),
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn bugs(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut found = BTreeMap::new();
    let mut missed = 0;
    for (number, bug) in Bug::ALL.iter().enumerate() {
        let reports = spread(arguments, Some(number), |report| !report.violations.is_empty())?;
        let first = reports.iter().position(|report| !report.violations.is_empty());
        match first {
            Some(at) => {
                eprintln!("{bug:?}: seed {}: {}", reports[at].seed, reports[at].violations[0]);
                found.insert(format!("{bug:?}"), Some(at + 1));
            }
            None => {
                missed += 1;
                eprintln!("{bug:?}: not found in {} seeds", reports.len());
                found.insert(format!("{bug:?}"), None);
            }
        }
    }
    println!("{}", serde_json::json!({ "seeds_to_detection": found, "missed": missed }));
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
