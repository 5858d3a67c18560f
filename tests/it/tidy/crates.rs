//! Which crate may use which, and how a manifest is written.
use std::{process::Command, sync::LazyLock};

use serde_json::Value;

use super::{files, none, root};

/// Who may use whom among our own crates, and nothing else.
const OWN: &[(&str, &[&str])] = &[
    ("ledger-types", &[]),
    ("ledger-proof", &["ledger-types"]),
    ("ledger-core", &["ledger-proof", "ledger-types"]),
    ("proto", &["ledger-proof", "ledger-types"]),
    ("services-runtime", &[]),
    ("services-iso20022", &["ledger-types"]),
    ("services-matching", &["ledger-types"]),
    ("services-statements", &["ledger-types", "services-iso20022"]),
    ("ledger-node", &["ledger-core", "ledger-proof", "ledger-types", "proto", "services-runtime"]),
    (
        "gateway",
        &["ledger-proof", "ledger-types", "proto", "services-iso20022", "services-runtime"],
    ),
    ("services-fx", &["ledger-proof", "ledger-types", "proto", "services-runtime"]),
    (
        "services-office",
        &[
            "ledger-proof",
            "ledger-types",
            "services-iso20022",
            "services-matching",
            "services-runtime",
            "services-statements",
        ],
    ),
    (
        "services-reporting",
        &["ledger-proof", "services-office", "services-reports", "services-runtime"],
    ),
    ("services-reconciliation", &["ledger-proof", "ledger-types", "proto", "services-runtime"]),
    ("services-reports", &["ledger-proof", "ledger-types"]),
    (
        "services-cli",
        &[
            "gateway",
            "ledger-core",
            "ledger-node",
            "ledger-proof",
            "ledger-types",
            "proto",
            "services-fx",
            "services-iso20022",
            "services-office",
            "services-reconciliation",
            "services-reporting",
            "services-reports",
            "services-runtime",
            "services-statements",
        ],
    ),
];

/// Who alone may use these crates of others.
const OTHERS: &[(&str, &[&str])] = &[
    ("axum", &["gateway", "services-reporting", "services-runtime"]),
    ("axum-server", &["services-runtime"]),
    ("hpke", &["gateway", "services-cli"]),
    ("openidconnect", &["services-reporting"]),
    ("openraft", &["ledger-node"]),
    ("opentelemetry", &["services-runtime"]),
    ("opentelemetry-otlp", &["services-runtime"]),
    ("opentelemetry_sdk", &["services-runtime"]),
    ("prost", &["ledger-node", "proto"]),
    ("quick-xml", &["services-iso20022"]),
    ("rocksdb", &["ledger-node"]),
    ("rust_decimal", &["gateway", "services-fx"]),
    (
        "sqlx",
        &[
            "gateway",
            "services-cli",
            "services-office",
            "services-reconciliation",
            "services-reporting",
            "services-reports",
        ],
    ),
    ("tonic-prost", &["proto"]),
    ("utoipa", &["gateway"]),
];

/// Crates that read no clock, no randomness and no disk.
const PURE: &[&str] = &["ledger-types", "ledger-proof", "ledger-core"];

/// What a pure crate never reaches, directly or through another.
const IMPURE: &[&str] = &["getrandom", "prost", "rocksdb", "serde_json", "tokio", "tonic"];

static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let arguments = ["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"];
    serde_json::from_str(&cargo(&arguments)).unwrap()
});

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn packages() -> &'static [Value] {
    METADATA["packages"].as_array().unwrap()
}

/// The crate's dependencies: name, and whether it is needed outside of tests.
fn dependencies(package: &Value) -> impl Iterator<Item = (&str, bool)> {
    let list = package["dependencies"].as_array().unwrap().iter();
    list.map(|row| (row["name"].as_str().unwrap(), row["kind"].is_null()))
}

#[test]
fn a_crate_is_named_for_its_path() {
    let root = METADATA["workspace_root"].as_str().unwrap();
    let mut wrong = Vec::new();
    for package in packages() {
        let manifest = package["manifest_path"].as_str().unwrap();
        let path = manifest.strip_prefix(root).unwrap().trim_end_matches("/Cargo.toml");
        let expected = path.trim_start_matches('/').replace('/', "-");
        if package["name"] != expected.as_str() {
            wrong.push(format!("{path} is named {}", package["name"]));
        }
    }
    none(&wrong);
}

#[test]
fn manifests_take_lints_and_versions_from_the_root() {
    let mut wrong = Vec::new();
    // The fuzzer's is a workspace of its own.
    let manifests = files()
        .into_iter()
        .filter(|file| file.path.ends_with("/Cargo.toml") && file.path != "tests/fuzz/Cargo.toml");
    for file in manifests {
        if !file.text.contains("[lints]\nworkspace = true\n") {
            wrong.push(format!("{} lacks the workspace's lints", file.path));
        }
        let mut section = "";
        for line in file.text.lines() {
            section = if line.starts_with('[') { line } else { section };
            let entry = section.contains("dependencies") && line.contains('=');
            if entry && !line.contains("workspace = true") {
                wrong.push(format!("{}: {line}: versions stand in the root manifest", file.path));
            }
        }
    }
    none(&wrong);
}

#[test]
fn crates_use_only_whom_they_may() {
    let mut wrong = Vec::new();
    let names: Vec<&str> = packages().iter().map(|row| row["name"].as_str().unwrap()).collect();
    // Tests may use everything.
    let judged = |row: &&Value| !row["name"].as_str().unwrap().starts_with("tests");
    for package in packages().iter().filter(judged) {
        let name = package["name"].as_str().unwrap();
        let row = OWN.iter().find(|(own, _)| *own == name);
        let (_, allowed) = row.unwrap_or_else(|| panic!("{name} is missing from this table"));
        for (used, always) in dependencies(package) {
            if names.contains(&used) && !allowed.contains(&used) {
                wrong.push(format!("{name} uses {used}"));
            }
            let users = OTHERS.iter().find(|(other, _)| *other == used);
            if always && users.is_some_and(|(_, users)| !users.contains(&name)) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    none(&wrong);
}

#[test]
fn the_core_is_pure_down_to_its_leaves() {
    let mut wrong = Vec::new();
    for name in PURE {
        let edges = ["-e", "normal,features,no-proc-macro", "--prefix", "none"];
        let mut arguments = vec!["tree", "--offline", "--locked", "-p", *name];
        arguments.extend(edges);
        for line in cargo(&arguments).lines() {
            let used = line.split_whitespace().next().unwrap_or_default();
            if IMPURE.contains(&used) || line.contains("feature \"std\"") {
                wrong.push(format!("{name} reaches {line}"));
            }
        }
    }
    for name in PURE {
        let path = format!("{}/src/lib.rs", name.replace('-', "/"));
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        if !text.contains("#![no_std]") {
            wrong.push(format!("{path} is not `no_std`"));
        }
    }
    none(&wrong);
}
