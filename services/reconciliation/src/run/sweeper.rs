//! Compares the whole of the tables with the ledger, on demand or again and again; it remembers nothing between rounds and repairs nothing.
use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use ledger_proof::codec::Digest;
use metrics::{counter, gauge, histogram};
use proto::{
    LedgerClient,
    convert::{Event, RecordEvent},
    ledger::GetRootRequest,
};
use services_runtime::{health, shutdown::Shutdown};
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::{Error, SILENCE_MAX, SWEEP, chain, float};
use crate::{
    Settings,
    store::{Pace, Store, Swept},
    sweep::{CHUNK, FINDINGS_MAX, Finding, Tree, root_of},
};

/// How long a round is put off while the tables catch up.
const BEHIND_MAX: Duration = Duration::from_secs(300);
/// Damaged chunks that are narrowed down to their records.
const NARROWED_MAX: usize = 8;
/// A sweep that never rests is no sweep in the background.
const PERCENT_MAX: u32 = 90;

/// What a sweep says.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// Whether everything is as the records make it, and the records are the ledger's.
    pub ties_out: bool,
    /// Records compared: all before this number.
    pub records: u64,
    /// The RFC 6962 root that the columns make, in lower-case hexadecimal.
    pub root: String,
    /// The nodes whose own history gives the same root; empty when none was asked.
    pub nodes: Vec<usize>,
    /// How many records a second were hashed.
    pub records_per_second: u64,
    /// How long hashing took.
    pub records_ms: u64,
    /// How long the tables that follow from the records took; absent when they were not compared,
    /// because the records are not the ledger's.
    pub books_ms: Option<u64>,
    /// What differs, the first hundred.
    pub findings: Vec<Finding>,
}

/// Sweeps once: the records against the ledger's nodes (against the cursor alone without a client),
/// then every table against the records.
///
/// # Errors
/// When the database does not answer, or no node of the ledger does.
pub async fn tie_out(
    store: &Store,
    client: Option<&LedgerClient>,
    pace: Pace,
    mut progress: impl FnMut(&'static str, u64, u64),
) -> Result<Report, Error> {
    let begun = Instant::now();
    let swept = store.sweep_records(pace, |done, of| progress("records", done, of));
    let Swept { cursor, mut tree, mut findings } = swept.await.map_err(Error::Store)?;
    let records = tree.frontier().size();
    let records_ms = millis(begun);
    let root = tree.frontier().root();
    if cursor.frontier.root() != root {
        findings.push(Finding {
            table: "cursor",
            key: "true".to_owned(),
            column: "frontier",
            what: "is of another root than the columns of ledger.records make",
        });
    }
    let mut nodes = Vec::new();
    if let Some(client) = client.filter(|_| records > 0) {
        let (equal, other) = compare(client, records, root).await?;
        if let Some(node) = other.first() {
            let narrowed = narrow(store, client, *node, (records, &mut tree)).await?;
            if narrowed.is_empty() {
                findings.push(Finding {
                    table: "records",
                    key: format!("before {records}"),
                    column: "",
                    what: "make another root than a node of the ledger",
                });
            }
            // What is wrong by itself is found here again.
            findings.retain(|finding| !narrowed.contains(finding));
            findings.extend(narrowed);
        }
        nodes = equal;
    }
    let books = Instant::now();
    let mut books_ms = None;
    if findings.is_empty() {
        let swept = store.sweep_books(pace, |done, of| progress("books", done, of));
        findings.extend(swept.await.map_err(Error::Store)?.1);
        books_ms = Some(millis(books));
    }
    findings.truncate(FINDINGS_MAX);
    Ok(Report {
        ties_out: findings.is_empty(),
        records,
        root: hex::encode(root),
        nodes,
        records_per_second: records.saturating_mul(1_000) / records_ms.max(1),
        records_ms,
        books_ms,
        findings,
    })
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Which nodes have this root at this size, and which another. A node that has not come so far, or
/// is away, is neither.
async fn compare(
    client: &LedgerClient,
    records: u64,
    root: Digest,
) -> Result<(Vec<usize>, Vec<usize>), Error> {
    let (mut equal, mut other) = (Vec::new(), Vec::new());
    for node in 1..=client.nodes() {
        match root_of_node(client, node, records).await {
            Some(told) if told == root => equal.push(node),
            Some(_) => other.push(node),
            None => {}
        }
    }
    match equal.is_empty() && other.is_empty() {
        true => Err(Error::Stream("gives no root: no node answers")),
        false => Ok((equal, other)),
    }
}

/// The root that a node tells, the first that answers.
pub(super) async fn root_of_any(client: &LedgerClient, records: u64) -> Result<Digest, Error> {
    for node in 1..=client.nodes() {
        if let Some(root) = root_of_node(client, node, records).await {
            return Ok(root);
        }
    }
    Err(Error::Stream("gives no root: no node answers"))
}

async fn root_of_node(client: &LedgerClient, node: usize, records: u64) -> Option<Digest> {
    let mut admin = client.admin(node).ok()?;
    let asked = admin.get_root(GetRootRequest { records });
    let answer = tokio::time::timeout(SILENCE_MAX, asked).await.ok()?.ok()?;
    answer.into_inner().root.as_ref().try_into().ok()
}

/// Names records and columns that differ: the first chunk with another root by halving, its records
/// by reading them from the ledger; then on behind it.
async fn narrow(
    store: &Store,
    client: &LedgerClient,
    node: usize,
    (records, tree): (u64, &mut Tree),
) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    let mut good = 0;
    for _ in 0..NARROWED_MAX {
        // The last chunk is not full: it is the one when all before are equal.
        let mut bad = tree.chunks() + 1;
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            match root_of_node(client, node, middle * CHUNK).await {
                Some(root) if root == tree.root_at(middle) => good = middle,
                Some(_) => bad = middle,
                None => return Ok(findings),
            }
        }
        let first = good * CHUNK;
        let next = records.min(first + CHUNK);
        if first >= next {
            break;
        }
        let told = told(client, first, next).await?;
        let leaves: Vec<Digest> = told.iter().filter_map(leaf).collect();
        findings.extend(store.differences(first, next, told).await.map_err(Error::Store)?);
        let full = root_of(&leaves).is_some_and(|root| tree.correct(good, root));
        if !full || findings.len() >= FINDINGS_MAX {
            break;
        }
        good += 1;
        let all = root_of_node(client, node, tree.chunks() * CHUNK).await;
        if all == Some(tree.root_at(tree.chunks())) && tree.chunks() * CHUNK == records {
            break;
        }
    }
    Ok(findings)
}

fn leaf(event: &RecordEvent) -> Option<Digest> {
    crate::record::Record::read(event.clone()).ok().map(|record| record.leaf)
}

/// The records as the ledger tells them.
async fn told(client: &LedgerClient, first: u64, next: u64) -> Result<Vec<RecordEvent>, Error> {
    let mut events = client.events(first, true).await.map_err(Error::Ledger)?;
    let mut told = Vec::new();
    loop {
        let event = tokio::time::timeout(SILENCE_MAX, events.next()).await;
        let event = event.map_err(|_| Error::Stream("fell silent"))?;
        match event.ok_or(Error::Stream("ended"))?.map_err(Error::Ledger)? {
            Event::Record(event) if event.sequence < next => {
                let last = event.sequence + 1 == next;
                told.push(*event);
                if last {
                    return Ok(told);
                }
            }
            Event::Record(_) => return Ok(told),
            Event::Heartbeat { .. } => {}
        }
    }
}

/// Sweeps until shutdown. What goes wrong on the way is said and tried again.
pub(super) async fn forever(
    settings: Settings,
    client: LedgerClient,
    health: Option<health::State>,
    mut near: watch::Receiver<bool>,
    shutdown: Shutdown,
) -> Result<(), Infallible> {
    let Ok(store) = Store::new(&settings.database_url) else { return Ok(()) };
    let percent = settings.sweep_percent.clamp(1, PERCENT_MAX);
    let pace = Pace { at_once: 1, percent };
    loop {
        // Tables that are far behind need the processor to catch up; but not for ever.
        let waited = tokio::time::timeout(BEHIND_MAX, near.wait_for(|near| *near));
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = waited => {}
        }
        let begun = Instant::now();
        let round = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            round = tie_out(&store, Some(&client), pace, |_, _, _| {}) => round,
        };
        let mut rest = Duration::from_millis(settings.sweep_pause_ms);
        match round {
            Ok(report) => {
                // Hashing rested already; making the books again rested less, in its snapshot.
                let books = Duration::from_millis(report.books_ms.unwrap_or_default());
                let worked = books * pace.in_snapshot().percent / 100;
                rest = rest.max((worked + pace.rest(worked)).saturating_sub(books));
                tell(&report, begun, health.as_ref());
            }
            Err(failure) => warn!(error = chain(&failure), "a sweep was broken off"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(rest) => {}
        }
    }
}

fn tell(report: &Report, begun: Instant, health: Option<&health::State>) {
    let found = u64::try_from(report.findings.len()).unwrap_or(u64::MAX);
    counter!("causeway_reconciliation_sweeps_total").increment(1);
    counter!("causeway_reconciliation_swept_records_total").increment(report.records);
    histogram!("causeway_reconciliation_sweep_seconds").record(begun.elapsed());
    gauge!("causeway_reconciliation_sweep_findings").set(float(found));
    if let Some(health) = health {
        let detail = match report.findings.first() {
            None => format!("{} records", report.records),
            Some(finding) => format!("{found} differences; {finding}"),
        };
        health.tell(SWEEP, report.ties_out, Some(detail));
    }
    match report.findings.first() {
        None => info!(records = report.records, root = report.root, "the tables tie out"),
        Some(_) => error!(records = report.records, found, "the tables differ from the ledger"),
    }
    for finding in &report.findings {
        error!(table = finding.table, key = finding.key, column = finding.column, "{finding}");
    }
}
