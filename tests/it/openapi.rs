//! The gateway judged by what it says of itself: a public linter reads /openapi.json, and schemathesis calls everything in it with good and bad data.
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::Seen,
};
use tests::{fresh_uetr, say, skipped};

use crate::tidy::files;

/// As deploy/prerequisites.sh installs it.
const VERSION: &str = "4.32.5";
const PATIENCE: Duration = Duration::from_secs(60);
/// Generated cases of each resource in the fuzzing phase; `SCHEMATHESIS_EXAMPLES` gives another.
const EXAMPLES: &str = "12";
/// Seconds of a run of so few.
const TIME_MAX: &str = "75";

/// As deploy/openapi-lint.sh installs it.
const LINTER: &str = "redocly-2.77.0";

fn cached(name: &str) -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    let path = cache.join("causeway").join(name);
    path.exists().then_some(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_is_clean_to_a_public_linter() {
    if cached(&format!("{LINTER}/installed")).is_none() {
        skipped("the linter is not installed; run deploy/openapi-lint.sh --install");
        return;
    }
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let mut running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    let client = services_runtime::tls::http_client(&running.ca()).unwrap();
    let address = running.info()["gateways"]["HK"]["url"].as_str().unwrap().to_owned();
    let document = client.get(format!("{address}/openapi.json")).send().await.unwrap();
    let document = document.text().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, &document).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/openapi-lint.sh");
    let lint = move || Command::new(script).arg(file).output();
    let output = tokio::task::spawn_blocking(lint).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}\n{errors}");
    let document: Value = serde_json::from_str(&document).unwrap();
    every_operation_has_a_name_and_a_described_group(&document);
    the_collection_has_every_operation(&document);
    running.stop();
}

/// Methods and paths of docs/collection, without hosts and queries.
fn collected() -> Vec<(String, String)> {
    let requests = files().into_iter().filter(|file| file.path.ends_with(".bru"));
    let mut found = Vec::new();
    for request in requests {
        for (method, url) in request.text.lines().zip(request.text.lines().skip(1)) {
            let path = url.trim().strip_prefix("url: {{").and_then(|url| url.split_once("}}"));
            if let (Some(method), Some((_, path))) = (method.strip_suffix(" {"), path) {
                let path = path.split('?').next().unwrap_or_default();
                found.push((method.to_owned(), path.to_owned()));
            }
        }
    }
    found
}

fn the_collection_has_every_operation(document: &Value) {
    let requests = collected();
    let fits = |template: &str, path: &str| {
        let (template, path) = (template.split('/'), path.split('/'));
        template.clone().count() == path.clone().count()
            && template.zip(path).all(|(own, given)| own.starts_with('{') || own == given)
    };
    let mut known = BTreeSet::new();
    for (template, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let own = |(verb, path): &&(String, String)| verb == method && fits(template, path);
            let own: Vec<_> = requests.iter().filter(own).collect();
            assert!(!own.is_empty(), "docs/collection lacks {method} {template}");
            known.extend(own);
        }
    }
    for request in &requests {
        assert!(known.contains(request), "docs/collection asks for {request:?}");
    }
}

/// What the linter does not ask for: names that a generated client is made of.
fn every_operation_has_a_name_and_a_described_group(document: &Value) {
    let groups: BTreeSet<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tag| tag["name"].as_str())
        .collect();
    let mut names = BTreeSet::new();
    for operations in document["paths"].as_object().unwrap().values() {
        for operation in operations.as_object().unwrap().values() {
            let group = operation["tags"][0].as_str().unwrap();
            assert!(groups.contains(group), "{group} is described in routes.rs");
            let name = operation["operationId"].as_str().unwrap();
            assert!(name.starts_with(&format!("{group}_")) && names.insert(name), "{name}");
        }
    }
    assert!(names.len() > 40, "{names:?}");
}

/// No made-up token names a transfer, and so many would be stopped.
fn tokens_may_be_guessed(network: &Path) -> anyhow::Result<()> {
    let file = network.join("participants/HK/gateway.toml");
    let limits = "\n[tracking]\nburst = 1000000\nrequests_per_s = 100000\nmiss_cost = 1\n";
    Ok(std::fs::write(&file, std::fs::read_to_string(&file)? + limits)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_says_what_the_gateway_does() {
    let Some(program) = cached(&format!("schemathesis-{VERSION}/bin/schemathesis")) else {
        skipped("schemathesis is not installed; run deploy/prerequisites.sh");
        return;
    };
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let mut running = Running::start(Some(url), tokens_may_be_guessed).await.unwrap();
    let info = running.info();
    let of = |name: &str| info["gateways"]["HK"][name].as_str().unwrap().to_owned();
    let examples = std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .arg("--config-file")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/it/openapi/schemathesis.toml"))
        .args(["--no-color", "run", &format!("{}/openapi.json", of("url"))])
        .arg("--tls-verify")
        .arg(running.ca())
        .args(["--header", &format!("Authorization: Bearer {}", of("api_key"))])
        .args([
            "--checks",
            "all",
            "--mode",
            "all",
            "--phases",
            "examples,coverage,fuzzing,stateful",
        ])
        .args(["--max-examples", &examples, "--workers", "1", "--continue-on-failure"])
        .args(["--request-timeout", "30", "--suppress-health-check", "all", "--warnings", "off"]);
    if std::env::var_os("SCHEMATHESIS_EXAMPLES").is_none() {
        command.args(["--max-time", TIME_MAX]);
    }
    if let Ok(arguments) = std::env::var("SCHEMATHESIS_ARGS") {
        command.args(arguments.split_whitespace());
    }
    let (first, mut command) = tokio::task::spawn_blocking(move || {
        let first = command.output();
        (first, command)
    })
    .await
    .unwrap();
    let first = judged(&first.unwrap());
    if let Err(text) = first {
        // On a machine as full as this one a connection may break before it is one; what the gateway
        // answered must hold all the same, and the same requests pass now.
        let seed = broken_connection(&text).unwrap_or_else(|| panic!("{text}"));
        say(&format!("schemathesis: a connection broke; seed {seed} once more"));
        command.args(["--seed", seed]);
        let again = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        judged(&again.unwrap()).unwrap_or_else(|text| panic!("{text}"));
    }
    running.check().unwrap();
    still_served(&running).await;
    running.stop();
}

/// What it said, if anything was wrong.
fn judged(output: &Output) -> Result<(), String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary = text.split("SUMMARY").last().unwrap_or_default();
    let lines = summary.lines().filter(|line| line.contains("generated"));
    say(&format!("schemathesis: {}", lines.map(str::trim).collect::<Vec<_>>().join("; ")));
    let errors = String::from_utf8_lossy(&output.stderr);
    output.status.success().then_some(()).ok_or_else(|| format!("{text}\n{errors}"))
}

/// The seed of a run in which nothing failed but one connection.
fn broken_connection(text: &str) -> Option<&str> {
    let summary = text.split("SUMMARY").last()?;
    let alone = summary.contains("Network Error: 1") && !summary.contains("Failures:");
    let seed = summary.lines().find_map(|line| line.trim().strip_prefix("Seed: "));
    seed.filter(|_| alone)
}

/// After all of that a remittance is credited as ever.
async fn still_served(running: &Running) {
    let order = json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "4000.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Bea Testperson", "account": "+639000000001" },
    });
    let wallet = running.wallet("HK").unwrap();
    let (status, body) = wallet.create(&order, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let last = wallet.follow(order["uetr"].as_str().unwrap(), PATIENCE, Seen::ended).await;
    assert_eq!(last.status, "CREDITED", "{}", last.body);
}
