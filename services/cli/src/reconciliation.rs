//! `causeway reconciliation sweep` and `rebuild`: they ask the service's crate and print. They must never judge a row.

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use proto::LedgerClient;
use serde_json::json;
use services_reconciliation::{
    Report, Settings, Source, Store, ledger_client,
    store::{Pace, Plan, Rebuilt},
};
use services_runtime::shutdown::Shutdown;

use crate::args::Service;
use crate::args::reconciliation::{Command, Rebuild, Reconciliation, Tables};
use crate::{Answer, out, services};

pub(crate) fn run(args: &Reconciliation, json: bool) -> anyhow::Result<Answer> {
    let Some(command) = &args.command else {
        let config = args.config.as_deref().context("reconciliation: give --config FILE")?;
        return services::run(Service::Reconciliation, config);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Sweep(sweep) => self::sweep(&sweep.tables, json).await,
            Command::Rebuild(rebuild) => self::rebuild(rebuild, json).await,
        }
    })
}

/// The tables, and the ledger if it is known.
fn open(tables: &Tables) -> anyhow::Result<(Store, Option<LedgerClient>)> {
    if let Some(config) = &tables.config {
        let settings: Settings = services_runtime::settings::load(config)
            .with_context(|| format!("{}: cannot be used", config.display()))?;
        let client = ledger_client(&settings, &Shutdown::new())?;
        return Ok((Store::new(&settings.database_url)?, Some(client)));
    }
    let database = tables.database.as_deref().context("give --config FILE or --database URL")?;
    Ok((Store::new(database)?, None))
}

fn bar() -> anyhow::Result<ProgressBar> {
    let style = "{bar:40} {human_pos}/{human_len} {msg} {per_sec} {eta}";
    Ok(ProgressBar::new(0).with_style(ProgressStyle::with_template(style)?))
}

async fn sweep(tables: &Tables, json: bool) -> anyhow::Result<Answer> {
    let (store, client) = open(tables)?;
    let bar = bar()?;
    let progress = |what: &'static str, done, of| {
        bar.set_length(of);
        bar.set_message(what);
        bar.set_position(done);
    };
    let report = services_reconciliation::sweep(&store, client.as_ref(), Pace::FULL, progress);
    let report = report.await?;
    bar.finish_and_clear();
    if json {
        out::json(&serde_json::to_value(&report)?);
    } else {
        out::line(&text(&report));
    }
    Ok(if report.ties_out { Answer::Done } else { Answer::No })
}

fn text(report: &Report) -> String {
    let Report { records, root, records_per_second, .. } = report;
    let mut lines = vec![format!("{records} records, {records_per_second} a second, root {root}")];
    match report.nodes.as_slice() {
        [] => lines.push("no node of the ledger was asked, or none agrees".to_owned()),
        nodes => lines.push(format!("the root is that of nodes {nodes:?}")),
    }
    if report.books_ms.is_none() {
        lines.push("the other tables were not compared: they follow from the records".to_owned());
    }
    lines.extend(report.findings.iter().map(ToString::to_string));
    let end = if report.ties_out { "the tables tie out" } else { "the tables do not tie out" };
    lines.push(end.to_owned());
    lines.join("\n")
}

async fn rebuild(args: &Rebuild, json: bool) -> anyhow::Result<Answer> {
    let (store, client) = open(&args.tables)?;
    let source = match (args.from_columns, client) {
        (true, _) => Source::Columns,
        (false, Some(client)) => Source::Ledger(client),
        (false, None) => anyhow::bail!(
            "--database names no ledger: give --config FILE, or --from-columns to build from the \
             records that are stored"
        ),
    };
    let plan = store.rebuild_plan().await?;
    let possible = plan.obstacles.is_empty();
    if !args.yes || !possible {
        let from = if args.from_columns { "columns" } else { "ledger" };
        if json {
            out::json(&json!({ "done": false, "from": from, "plan": plan }));
        } else {
            out::line(&planned(&plan, from));
        }
        return Ok(if possible { Answer::Done } else { Answer::No });
    }
    let bar = bar()?;
    let progress = |done, of| {
        bar.set_length(of);
        bar.set_message("records");
        bar.set_position(done);
    };
    let rebuilt = services_reconciliation::rebuild(&store, source, progress).await?;
    bar.finish_and_clear();
    if json {
        let equal = rebuilt.iter().all(Rebuilt::equal);
        out::json(&json!({ "done": true, "equal": equal, "tables": rebuilt }));
    } else {
        out::line(&done(&rebuilt));
    }
    Ok(Answer::Done)
}

fn planned(plan: &Plan, from: &str) -> String {
    let Plan { records, bytes, obstacles } = plan;
    let mut lines = vec![format!(
        "would make schema ledger anew from {records} records of the {from}, beside the {bytes} bytes \
         that it takes, then drop the former; schema office and all others stay"
    )];
    lines.extend(obstacles.iter().map(|name| format!("{name} stands on it: drop it first")));
    lines.push("nothing was done; stop reconciliation and give --yes".to_owned());
    lines.join("\n")
}

fn done(rebuilt: &[Rebuilt]) -> String {
    let mut table = out::table();
    table.set_header(["table", "rows before", "rows after", "bytes"]);
    for row in rebuilt {
        let bytes = if row.equal() { "equal" } else { "differ" };
        table.add_row([
            row.table.to_owned(),
            row.rows_before.to_string(),
            row.rows_after.to_string(),
            bytes.to_owned(),
        ]);
    }
    table.to_string()
}
