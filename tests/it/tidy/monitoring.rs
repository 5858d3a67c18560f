//! Metrics, dashboard, alert rules and their runbooks agree with the code; promtool, where it is, reads every expression and tests the rules.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::Value;
use services_runtime::telemetry::{Measured, Metric};
use tests::skipped;

use super::{files, none, root};

const DASHBOARD: &str = "deploy/grafana/causeway.json";
const ALERTS: &str = "deploy/prometheus/alerts.yml";
const ALERT_TESTS: &str = "deploy/prometheus/alerts.test.yml";
const RUNBOOK: &str = "docs/runbooks/alerts.md";
const DOCUMENT: &str = "docs/metrics.md";
/// How a metric's name begins.
const PREFIXES: [&str; 5] = ["causeway_", "tls_", "http_connections_", "process_", "telemetry_"];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every metric that a service declares, once.
fn declared() -> BTreeMap<&'static str, Measured> {
    let all: [&[Metric]; 6] = [
        ledger_node::measure::METRICS,
        gateway::measure::METRICS,
        services_fx::measure::METRICS,
        services_reconciliation::measure::METRICS,
        services_reporting::measure::METRICS,
        services_runtime::telemetry::METRICS,
    ];
    let mut declared = BTreeMap::new();
    for (name, measured, help) in all.into_iter().flatten() {
        assert!(!help.is_empty() && declared.insert(*name, *measured).is_none(), "{name}");
    }
    declared
}

/// Names given to the macros that count, set and time, in sources outside of tests.
fn counted() -> BTreeMap<String, Measured> {
    let kinds = [
        (concat!("counter", "!("), Measured::Counter),
        (concat!("gauge", "!("), Measured::Gauge),
        (concat!("histogram", "!("), Measured::Histogram),
    ];
    let mut counted = BTreeMap::new();
    let sources = files().into_iter().filter(|file| file.path.ends_with(".rs"));
    for file in sources.filter(|file| !file.path.starts_with("tests/")) {
        for (call, measured) in kinds {
            for rest in file.text.split(call).skip(1) {
                let Some(name) = rest.trim_start().strip_prefix('"') else { continue };
                let (name, _) = name.split_once('"').unwrap();
                counted.insert(name.to_owned(), measured);
            }
        }
    }
    counted
}

/// The metrics that a text of queries names, without what a histogram adds.
fn named(text: &str) -> BTreeSet<String> {
    let declared = declared();
    let part =
        |byte: char| byte.is_ascii_lowercase() || byte.is_ascii_digit() || "_:".contains(byte);
    let words = text.split(|byte| !part(byte));
    let words = words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)));
    let base = |word: &str| {
        let mut suffixes = ["_bucket", "_sum", "_count"].into_iter();
        let base = suffixes.find_map(|suffix| word.strip_suffix(suffix));
        base.filter(|base| declared.get(base) == Some(&Measured::Histogram))
            .unwrap_or(word)
            .to_owned()
    };
    words.map(base).collect()
}

/// Every query of the dashboard, Grafana's own words replaced by what it puts there.
fn queries() -> Vec<String> {
    let board: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let annotations = board["annotations"]["list"].as_array().unwrap();
    let queries = targets.chain(annotations).map(|row| row["expr"].as_str().unwrap());
    queries.map(|query| query.replace("$__rate_interval", "1m").replace("$gateway", ".*")).collect()
}

#[test]
fn monitoring_counts_what_it_declares_and_declares_what_it_counts() {
    let (declared, counted) = (declared(), counted());
    let mut wrong = Vec::new();
    for (name, measured) in &declared {
        match counted.get(*name) {
            None => wrong.push(format!("{name} is declared and counted nowhere")),
            Some(other) if other != measured => wrong.push(format!("{name} is a {other:?}")),
            Some(_) => {}
        }
        let total = name.ends_with("_total");
        if total != (*measured == Measured::Counter) {
            wrong.push(format!("{name}: a counter, and nothing else, ends in _total"));
        }
        if *measured == Measured::Histogram && !name.ends_with("_seconds") {
            wrong.push(format!("{name}: a histogram here is of seconds"));
        }
    }
    let unknown = counted.keys().filter(|name| !declared.contains_key(name.as_str()));
    wrong.extend(unknown.map(|name| format!("{name} is counted and declared nowhere")));
    none(&wrong);
}

#[test]
fn monitoring_documents_name_every_metric_and_no_other() {
    let declared = declared();
    let text = read(DOCUMENT);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<_> = rows.map(|row| row.split('`').next().unwrap()).collect();
    let names: BTreeSet<_> = declared.keys().copied().collect();
    let mut wrong: Vec<_> = names
        .symmetric_difference(&documented)
        .map(|name| format!("{DOCUMENT}, or the code, lacks {name}"))
        .collect();
    let operations = read("docs/operations.md");
    let places = [DASHBOARD, ALERTS, ALERT_TESTS].map(|path| (path, read(path)));
    for (place, text) in places.iter().map(|(path, text)| (*path, text.as_str())) {
        let unknown = named(text).into_iter().filter(|name| !names.contains(name.as_str()));
        wrong.extend(unknown.map(|name| format!("{place} names {name}, which nobody counts")));
    }
    let unknown = named(&operations).into_iter().filter(|name| !names.contains(name.as_str()));
    wrong.extend(unknown.map(|name| format!("docs/operations.md names {name}")));
    let dark: Vec<_> = queries().iter().flat_map(|query| named(query)).collect();
    let dark = names.iter().filter(|name| !dark.iter().any(|shown| shown == *name));
    // What another panel says already, or a check does.
    let elsewhere = |name: &&&str| ELSEWHERE.contains(*name);
    wrong.extend(
        dark.filter(|name| !elsewhere(name)).map(|name| format!("{DASHBOARD} lacks {name}")),
    );
    none(&wrong);
}

/// Metrics that the dashboard does not show.
const ELSEWHERE: &[&str] = &[
    "causeway_fx_rate_reads_total",
    "causeway_gateway_webhook_seconds",
    "causeway_ledger_applied_entries_total",
    "causeway_ledger_applied_records_total",
    "causeway_ledger_leader_known",
    "causeway_ledger_places_taken_bytes",
    "causeway_reconciliation_tie_outs_total",
    "process_ready",
];

/// `CausewayNoLeader` is `no-leader`.
fn anchor(alert: &str) -> String {
    let mut anchor = String::new();
    for letter in alert.trim_start_matches("Causeway").chars() {
        if letter.is_ascii_uppercase() && !anchor.is_empty() {
            anchor.push('-');
        }
        anchor.push(letter.to_ascii_lowercase());
    }
    anchor
}

#[test]
fn monitoring_alerts_have_a_runbook_and_a_test() {
    let (rules, tested, runbook) = (read(ALERTS), read(ALERT_TESTS), read(RUNBOOK));
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: Vec<_> = alerts.collect();
    let mut wrong = Vec::new();
    for alert in &alerts {
        let anchor = anchor(alert);
        if !rules.contains(&format!("runbook: {RUNBOOK}#{anchor}\n")) {
            wrong.push(format!("{ALERTS}: {alert} does not name {RUNBOOK}#{anchor}"));
        }
        let heading = format!("\n## {}\n", anchor.replace('-', " "));
        if !runbook.to_ascii_lowercase().contains(&heading) {
            wrong.push(format!("{RUNBOOK} lacks the heading of {anchor}"));
        }
        if !tested.contains(&format!("alertname: {alert}\n")) {
            wrong.push(format!("{ALERT_TESTS} lacks {alert}"));
        }
    }
    let headings = runbook.lines().filter(|line| line.starts_with("## ")).count();
    assert!(headings == alerts.len() && !alerts.is_empty(), "{headings} of {}", alerts.len());
    none(&wrong);
}

#[test]
fn monitoring_is_what_promtool_takes() {
    if Command::new("promtool").arg("--version").output().is_err() {
        skipped("promtool is not installed; deploy/prerequisites.sh brings it");
        return;
    }
    let folder = root().join("deploy/prometheus");
    promtool(&folder, &["check", "config", "--syntax-only", "prometheus.yml"]);
    promtool(&folder, &["check", "rules", "alerts.yml"]);
    promtool(&folder, &["test", "rules", "alerts.test.yml"]);
    // A query is read as the expression of a rule is.
    let rule = |(at, query): (usize, &String)| serde_json::json!({ "record": format!("dashboard:query:{at}"), "expr": query });
    let queries = queries();
    assert!(queries.len() > 40, "{}", queries.len());
    let rules: Vec<_> = queries.iter().enumerate().map(rule).collect();
    let rules = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let own = tempfile::tempdir().unwrap();
    // JSON is YAML.
    fs::write(own.path().join("dashboard.yml"), rules.to_string()).unwrap();
    promtool(own.path(), &["check", "rules", "dashboard.yml"]);
}

fn promtool(folder: &Path, arguments: &[&str]) {
    let run = Command::new("promtool").args(arguments).current_dir(folder).output().unwrap();
    let said = [run.stdout, run.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(run.status.success(), "promtool {arguments:?}: {}{}", said[0], said[1]);
}
