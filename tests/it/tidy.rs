//! The house rules, kept by a test: most of them are absences.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use ledger_types::Rejection;

const LINES_MAX: usize = 600;
/// Longer than the limit today, each to be split.
const LONG: [&str; 1] = ["proto/src/convert.rs"];
/// Who may name a crate in its dependencies.
const KEPT_IN: [(&str, &[&str]); 5] = [
    ("rocksdb", &["ledger/node"]),
    ("openraft", &["ledger/node"]),
    ("quick-xml", &["services/iso20022"]),
    // The node reads a submit that came in chunks.
    ("prost", &["proto", "ledger/node"]),
    ("axum", &["gateway", "services/runtime"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Files under version control with an ending.
fn files(ending: &str) -> Vec<(String, String)> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let names = names.split('\0').filter(|name| name.ends_with(ending));
    names
        .filter_map(|name| Some((name.to_owned(), fs::read_to_string(root().join(name)).ok()?)))
        .collect()
}

fn none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn every_source_file_says_what_it_is_for_and_stays_short() {
    let files = files(".rs");
    assert!(files.len() > 50, "this is the project");
    let mute = files.iter().filter(|(_, text)| !text.starts_with("//!"));
    none(&mute.map(|(name, _)| name.clone()).collect::<Vec<_>>(), "begin with //!");
    let long = files
        .iter()
        .filter(|(name, text)| text.lines().count() > LINES_MAX && !LONG.contains(&name.as_str()));
    none(&long.map(|(name, _)| name.clone()).collect::<Vec<_>>(), "stay under 600 lines");
}

#[test]
fn each_crate_is_named_for_its_folder_and_takes_the_lints() {
    for (name, text) in files("Cargo.toml") {
        let Some(folder) = name.strip_suffix("/Cargo.toml") else { continue };
        let expected = format!("name = \"{}\"", folder.replace('/', "-"));
        assert!(text.contains(&expected), "{name}: {expected}");
        assert!(text.contains("[lints]\nworkspace = true"), "{name}: [lints] workspace = true");
        assert!(!text.contains("version = \""), "{name}: versions stand in the root manifest");
    }
}

#[test]
fn crates_stay_where_they_belong() {
    for (dependency, places) in KEPT_IN {
        for (name, text) in files("Cargo.toml") {
            let folder = name.strip_suffix("/Cargo.toml").unwrap_or("");
            let named = text.lines().any(|line| line.starts_with(&format!("{dependency}.")));
            assert!(!named || places.contains(&folder), "{name} names {dependency}");
        }
    }
}

#[test]
fn the_core_knows_no_runtime_and_no_store() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-p", "ledger-core", "-e", "normal,features,no-proc-macro"])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("ledger-core"), "cargo tree shows the core");
    for banned in ["tokio", "rocksdb", "tonic", "prost", "feature \"std\""] {
        let found: Vec<String> =
            tree.lines().filter(|line| line.contains(banned)).map(str::to_owned).collect();
        none(&found, banned);
    }
}

#[test]
fn only_stores_know_sql() {
    let knows = |text: &str| text.contains("sqlx::query") || text.contains("sqlx::raw_sql");
    let found = files(".rs").into_iter().filter(|(name, text)| {
        let test = name.contains("tests") || name.ends_with("demo/postgres.rs");
        knows(text) && !name.contains("/store") && !test
    });
    none(&found.map(|(name, _)| name).collect::<Vec<_>>(), "SQL stands in store files");
}

#[test]
fn every_refusal_has_its_page_and_every_page_one_title() {
    for rejection in Rejection::ALL {
        let page = root().join(format!("docs/errors/{}.md", rejection.code()));
        assert!(page.exists(), "{} has no page", rejection.code());
    }
    for (name, text) in files(".md") {
        let mut fenced = false;
        let titles = text.lines().filter(|line| {
            fenced ^= line.starts_with("```");
            !fenced && line.starts_with("# ")
        });
        assert_eq!(titles.count(), 1, "{name} has one title");
    }
}
