//! `chaos`: does to real clusters what a bad year does, and says what came of it; it judges nothing itself.
#![expect(clippy::print_stdout, reason = "a program for people and scripts")]

use std::{path::PathBuf, process::ExitCode, sync::OnceLock};

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use tests::chaos::{Family, Options, Report, run};

/// Real clusters under real faults.
///
/// Examples:
///   chaos                                every family, the whole
///   chaos kill --runs 20 --seed 7        one family
#[derive(Debug, Parser)]
#[command(verbatim_doc_comment)]
struct Arguments {
    /// What to do; all if none is named.
    #[arg(value_enum)]
    families: Vec<Name>,
    /// How many faults of each family.
    #[arg(long)]
    runs: Option<u64>,
    /// Decides targets and times.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes one report a family into this folder.
    #[arg(long)]
    reports: Option<PathBuf>,
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
    let families = match arguments.families.is_empty() {
        true => Name::value_variants().to_vec(),
        false => arguments.families.clone(),
    };
    let bar = BAR.get_or_init(ProgressBar::no_length);
    bar.set_style(ProgressStyle::with_template("{msg:12} {bar:40} {pos}/{len}, {eta} left")?);
    let mut reports = Vec::new();
    for name in families {
        let (family, whole) = name.whole();
        let options =
            Options { runs: arguments.runs.unwrap_or(whole), seed: arguments.seed, progress };
        bar.set_message(format!("{family:?}"));
        bar.set_length(options.runs);
        bar.set_position(0);
        let report = run(family, &options).await?;
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
    if arguments.json {
        println!("{}", serde_json::to_string(&reports)?);
    }
    let clean = reports.iter().all(|report| report.violations.is_empty());
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn show(reports: &[Report]) {
    println!(
        "{:12} {:>7} {:>8} {:>11} {:>13} {:>23} {:>11}",
        "family",
        "faults",
        "refused",
        "operations",
        "acknowledged",
        "gap ms p50/p99/max",
        "violations"
    );
    for report in reports {
        let gap = format!("{}/{}/{}", report.gap_ms.p50, report.gap_ms.p99, report.gap_ms.max);
        println!(
            "{:12} {:>7} {:>8} {:>11} {:>13} {:>23} {:>11}",
            format!("{:?}", report.family),
            report.faults,
            report.refused,
            report.operations,
            report.acknowledged,
            gap,
            report.violations.len()
        );
        for violation in &report.violations {
            println!("  {violation}");
        }
    }
}
