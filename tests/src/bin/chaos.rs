//! `chaos`: does to real clusters what a bad year does, and says what came of it; it judges nothing itself.
#![expect(clippy::print_stdout, reason = "a program for people and scripts")]

use std::{path::PathBuf, process::ExitCode, sync::OnceLock};

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use services_cli::out;
use tests::chaos::{Family, Options, Quantiles, Report, freeze, possible, run};

/// Real clusters under real faults.
///
/// Examples:
///   chaos                                every family, the whole
///   chaos kill --runs 20 --seed 7        one family
///   chaos soak soak soak                 three clusters under everything, one after the other
///
/// Exit status 0: nothing wrong; 1: something wrong; 2: unknown, for not everything could be read.
#[derive(Debug, Parser)]
#[command(verbatim_doc_comment)]
struct Arguments {
    /// What to do; all if none is named.
    #[arg(value_enum)]
    families: Vec<Name>,
    /// How many faults of each family.
    #[arg(long)]
    runs: Option<u64>,
    /// Decides targets and times; each further family named has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes one report a family into this folder.
    #[arg(long)]
    reports: Option<PathBuf>,
    /// Do nothing of this, but write a small node's data in this build's format into a new folder.
    #[arg(long, value_name = "DIR", conflicts_with = "families")]
    freeze: Option<PathBuf>,
    /// Print the reports as one JSON array, the last line of standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    Kill,
    LeaderGap,
    Pause,
    Power,
    Corrupt,
    Partition,
    Weather,
    Storage,
    Clock,
    Crash,
    Members,
    Reconciler,
    Upgrade,
    Follower,
    Overload,
    Soak,
}

impl Name {
    /// What it is, and how many faults are the whole.
    const fn whole(self) -> (Family, u64) {
        match self {
            Self::Kill => (Family::Kill, 200),
            Self::LeaderGap => (Family::LeaderGap, 100),
            Self::Pause => (Family::Pause, 60),
            Self::Power => (Family::Power, 120),
            Self::Corrupt => (Family::Corrupt, 280),
            Self::Partition => (Family::Partition, 80),
            Self::Weather => (Family::Weather, 18),
            Self::Storage => (Family::Storage, 70),
            Self::Clock => (Family::Clock, 40),
            Self::Crash => (Family::Crash, 130),
            Self::Members => (Family::Members, 50),
            Self::Reconciler => (Family::Reconciler, 250),
            Self::Upgrade => (Family::Upgrade, 48),
            Self::Follower => (Family::Follower, 30),
            Self::Overload => (Family::Overload, 8),
            Self::Soak => (Family::Soak, 100),
        }
    }
}

static BAR: OnceLock<ProgressBar> = OnceLock::new();

fn progress(done: u64) {
    if let Some(bar) = BAR.get() {
        bar.set_position(done);
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    services_runtime::tls::install_default_provider();
    if let Some(into) = &arguments.freeze {
        println!("{}", serde_json::to_string(&freeze(into).await?)?);
        return Ok(ExitCode::SUCCESS);
    }
    let families = match arguments.families.is_empty() {
        true => Name::value_variants().to_vec(),
        false => arguments.families.clone(),
    };
    let bar = BAR.get_or_init(ProgressBar::no_length);
    bar.set_style(ProgressStyle::with_template("{msg:12} {bar:40} {pos}/{len}, {eta} left")?);
    let (mut reports, mut unknown) = (Vec::new(), Vec::new());
    for (seed, name) in (arguments.seed..).zip(families) {
        let (family, whole) = name.whole();
        if let Err(why) = possible(family) {
            tests::skipped(&format!("{family:?}: {why:#}"));
            continue;
        }
        let options =
            Options { runs: arguments.runs.unwrap_or(whole), seed, planted: None, progress };
        bar.set_message(format!("{family:?}"));
        bar.set_length(options.runs);
        bar.set_position(0);
        let report = match run(family, &options).await {
            Ok(report) => report,
            Err(why) => {
                unknown.push(format!("{family:?}, seed {seed}: {why:#}"));
                continue;
            }
        };
        if let Some(folder) = &arguments.reports {
            std::fs::create_dir_all(folder)?;
            std::fs::write(
                folder.join(format!("{family:?}.json")),
                serde_json::to_vec_pretty(&report)?,
            )?;
        }
        reports.push(report);
    }
    bar.finish_and_clear();
    show(&reports);
    unknown.iter().for_each(|why| println!("unknown, since not everything could be read: {why}"));
    if arguments.json {
        println!("{}", serde_json::to_string(&reports)?);
    }
    let clean = reports.iter().all(|report| report.violations.is_empty());
    Ok(match (clean, unknown.is_empty()) {
        (false, _) => ExitCode::from(1),
        (true, false) => ExitCode::from(2),
        (true, true) => ExitCode::SUCCESS,
    })
}

fn show(reports: &[Report]) {
    let mut table = out::table();
    table.set_header([
        "family",
        "faults",
        "refused",
        "operations",
        "acknowledged",
        "a second",
        "calm p50/p99/max ms",
        "wait p50/p99/max ms",
        "healed p50/p99/max ms",
        "violations",
    ]);
    for report in reports {
        let ms = |micros: u128| format!("{}.{}", micros / 1_000, micros % 1_000 / 100);
        let quantiles = |of: Quantiles| [of.p50, of.p99, of.max].map(ms).join(" / ");
        table.add_row([
            format!("{:?}", report.family),
            report.faults.to_string(),
            report.refused.to_string(),
            report.operations.to_string(),
            report.acknowledged.to_string(),
            report.acknowledged_per_s.to_string(),
            quantiles(report.calm_us),
            quantiles(report.gap_us),
            quantiles(report.healed_us),
            report.violations.len().to_string(),
        ]);
    }
    if reports.len() > 1 {
        let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>().to_string();
        table.add_row([
            "together".to_owned(),
            sum(|report| report.faults),
            sum(|report| report.refused),
            sum(|report| report.operations),
            sum(|report| report.acknowledged),
        ]);
    }
    println!("{table}");
    for report in reports {
        report.notes.iter().for_each(|note| println!("{:?}: {note}", report.family));
    }
    for report in reports.iter().filter(|report| !report.violations.is_empty()) {
        println!("{:?}, kept in {}:", report.family, report.kept.display());
        report.violations.iter().for_each(|violation| println!("  {violation}"));
    }
}
