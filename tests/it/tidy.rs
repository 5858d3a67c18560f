//! The invariants of docs/architecture.md that a compiler cannot keep; most of them are absences.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

mod crates;
mod documents;
mod monitoring;

/// The longest source file, in lines.
const LINES_MAX: usize = 600;

/// Where a function may be `async`: the edges. Everything else is synchronous and pure.
const EDGES: &[&str] = &[
    "gateway/src/app",
    "gateway/src/batches",
    "gateway/src/banking/call",
    "gateway/src/banking/http",
    "gateway/src/banking/tend",
    "gateway/src/decide",
    "gateway/src/directory",
    "gateway/src/events",
    "gateway/src/outbox",
    "gateway/src/payee/answer",
    "gateway/src/payee/ask",
    "gateway/src/payee/reference",
    "gateway/src/quotes",
    "gateway/src/routes",
    "gateway/src/run",
    "gateway/src/store",
    "gateway/src/transfers",
    "gateway/src/turns",
    "gateway/src/webhooks/deliver",
    "gateway/src/webhooks/send",
    "ledger/node/src/api",
    "ledger/node/src/apply",
    "ledger/node/src/events",
    "ledger/node/src/hello/tests",
    "ledger/node/src/host",
    "ledger/node/src/log_store",
    "ledger/node/src/machine",
    "ledger/node/src/members",
    "ledger/node/src/network",
    "ledger/node/src/peer",
    "ledger/node/src/propose",
    "ledger/node/src/run",
    "ledger/node/src/seal",
    "ledger/node/src/simulation",
    "ledger/node/src/verify",
    "proto/src/client",
    "services/cli/src/admin",
    "services/cli/src/batch",
    "services/cli/src/bench",
    "services/cli/src/demo",
    "services/cli/src/ending",
    "services/cli/src/listen",
    "services/cli/src/main",
    "services/cli/src/office",
    "services/cli/src/partner",
    "services/cli/src/reconciliation",
    "services/cli/src/report",
    "services/cli/src/services",
    "services/cli/src/wallet",
    "services/fx/src/api",
    "services/fx/src/client",
    "services/fx/src/run",
    "services/office/benches",
    "services/office/src/pull",
    "services/office/src/run",
    "services/office/src/store",
    "services/reconciliation/benches/store",
    "services/reconciliation/src/run",
    "services/reconciliation/src/store",
    "services/reporting/src/desk",
    "services/reporting/benches",
    "services/reporting/src/oidc",
    "services/reporting/src/routes",
    "services/reporting/src/run",
    "services/reporting/src/store",
    "services/reporting/src/tests",
    "services/reports/src/store",
    "services/runtime/src/error/tests",
    "services/runtime/src/health",
    "services/runtime/src/http",
    "services/runtime/src/receive",
    "services/runtime/src/shutdown",
    "services/runtime/src/telemetry",
    "services/runtime/src/tls",
    "services/runtime/src/trace",
    "tests/it",
    "tests/src",
];

/// Where openraft may be named, so that it can be replaced.
const CONSENSUS: &[&str] = &[
    "ledger/node/src/api",
    "ledger/node/src/apply",
    "ledger/node/src/guard/tests",
    "ledger/node/src/hello/tests",
    "ledger/node/src/lib",
    "ledger/node/src/log_store",
    "ledger/node/src/machine",
    "ledger/node/src/members",
    "ledger/node/src/network",
    "ledger/node/src/peer",
    "ledger/node/src/propose",
    "ledger/node/src/raft",
    "ledger/node/src/run",
    "ledger/node/src/simulation",
];

/// Where RocksDB may be named.
const DATABASE: &[&str] = &["ledger/node/src/rows/rocks"];

/// A file of the project: its path from the root, and its text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    fn ends_with(&self, suffix: &str) -> bool {
        self.path.ends_with(suffix)
    }

    /// Whether it is one of these files, or lies in one of these folders.
    fn within(&self, places: &[&str]) -> bool {
        places.iter().any(|place| {
            let rest = self.path.strip_prefix(place);
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    }

    /// Whether it or its folder is named so: `store.rs`, `store_fees.rs`, `store/fees.rs`.
    fn named(&self, name: &str) -> bool {
        self.path.split('/').any(|part| part.starts_with(name))
    }
}

/// The project's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file under version control that is text; without git, every file outside `target`.
pub(crate) fn files() -> Vec<File> {
    let root = root();
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(&root).output();
    let paths = match listed.ok().filter(|output| output.status.success()) {
        Some(output) => {
            let names = String::from_utf8(output.stdout).unwrap();
            names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
        None => walk(&root, &root),
    };
    let read = |path: String| {
        let text = fs::read_to_string(root.join(&path)).ok()?;
        Some(File { path, text })
    };
    let files: Vec<File> = paths.into_iter().filter_map(read).collect();
    assert!(files.len() > 100, "the project has more files than {}", files.len());
    files
}

fn walk(folder: &Path, root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with(".git") {
                paths.extend(walk(&path, root));
            }
        } else {
            paths.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
    paths
}

/// Fails with everything that is wrong, not only the first.
pub(crate) fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn sources() -> impl Iterator<Item = File> {
    files().into_iter().filter(|file| file.ends_with(".rs"))
}

#[test]
fn every_source_says_what_it_is_for() {
    let silent = sources().filter(|file| !file.text.starts_with("//! "));
    none(&silent.map(|file| format!("{} opens without `//!`", file.path)).collect::<Vec<_>>());
}

#[test]
fn no_source_is_too_long() {
    let long = sources().filter(|file| file.text.lines().count() > LINES_MAX);
    none(&long.map(|file| format!("{} has over {LINES_MAX} lines", file.path)).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_unfinished() {
    // Put together here, so that this file does not hold them.
    let words = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("X", "XX:")];
    let mut wrong = Vec::new();
    for file in files().iter().filter(|file| !file.path.ends_with(".lock")) {
        for word in words.iter().filter(|word| file.text.contains(**word)) {
            wrong.push(format!("{} holds {word}", file.path));
        }
    }
    none(&wrong);
}

#[test]
fn only_edges_are_async() {
    let starts = [concat!("async ", "fn"), concat!("async ", "move"), concat!("async ", "{")];
    let wrong = sources().filter(|file| !file.within(EDGES));
    let wrong = wrong.filter(|file| starts.iter().any(|start| file.text.contains(start)));
    none(&wrong.map(|file| format!("{} is async", file.path)).collect::<Vec<_>>());
}

#[test]
fn only_stores_know_sql() {
    // The command line starts a private server; benches fill tables, and tests read what was written.
    let places = [
        "services/cli/src/demo/postgres",
        "services/office/benches",
        "services/reporting/benches",
        "tests/it",
        "tests/src/chaos/reconciler",
    ];
    let wrong = sources().filter(|file| !file.named("store") && !file.within(&places));
    let wrong = wrong.filter(|file| file.text.contains("sqlx::"));
    none(&wrong.map(|file| format!("{} knows SQL", file.path)).collect::<Vec<_>>());
}

#[test]
fn consensus_and_storage_stay_in_their_files() {
    let rooms = [("openraft", CONSENSUS), ("rocksdb", DATABASE)];
    let mut wrong = Vec::new();
    for file in sources().filter(|file| !file.within(&["tests/it"])) {
        for (name, places) in rooms.iter().filter(|(_, places)| !file.within(places)) {
            if file.text.contains(&format!("{name}::")) {
                wrong.push(format!("{} names {name}, which only {places:?} may", file.path));
            }
        }
    }
    none(&wrong);
}
