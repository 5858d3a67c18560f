//! Every published sample of a camt.052, camt.053 or camt.054 gets the verdict that a committed table
//! predicts; the samples themselves stay outside the project, and without them this skips aloud.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use super::codes;
use crate::{Judged, judge};

const ROOTS: [&str; 3] = ["BkToCstmrAcctRpt", "BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn"];

fn shared_data() -> Option<PathBuf> {
    let given = std::env::var_os("CAUSEWAY_SHARED").map(|shared| Path::new(&shared).join("data"));
    let above = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/data"))
        .find(|folder| folder.is_dir());
    let found = given.filter(|folder| folder.is_dir()).or(above);
    if found.is_none() {
        say("skipped: shared/data is not beside the project");
    }
    found
}

/// Unlike what a passing test prints, this is not kept from people.
fn say(line: &str) {
    Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes())
        .expect("standard error takes a line");
}

/// A row of the table: file, message, entries, verdict, arithmetic, codes.
fn row(file: &str, judged: &Judged) -> String {
    let found: BTreeSet<&str> = codes(judged).into_iter().map(crate::Code::as_str).collect();
    let found: Vec<&str> = found.into_iter().collect();
    let found = if found.is_empty() { "-".to_owned() } else { found.join(" ") };
    let arithmetic = judged.arithmetic();
    format!(
        "| {file} | {} | {} | {} | {} | {} | {} | {found} |",
        judged.format.as_deref().unwrap_or("-"),
        judged.entries(),
        judged.verdict.as_str(),
        arithmetic.balances.as_str(),
        arithmetic.summary.as_str(),
        arithmetic.details.as_str(),
    )
}

#[test]
fn every_sample_gets_the_predicted_verdict() {
    let Some(shared) = shared_data() else { return };
    let table: Vec<String> = samples(&shared.join("samples-open"))
        .iter()
        .map(|(file, body)| {
            let judged = judge(body.as_slice(), None, &mut |_| {});
            for finding in &judged.findings {
                say(&format!("{file}: {finding}"));
            }
            row(file, &judged)
        })
        .collect();
    table.iter().for_each(|row| say(row));
    let document = include_str!("../../../../docs/statements.md");
    let expected: Vec<&str> =
        document.lines().filter(|line| line.contains(".xml | camt.05")).collect();
    assert!(table.len() >= 50, "the samples are all there: {}", table.len());
    assert_eq!(table, expected, "docs/statements.md has the table that is printed above");
}

/// Files that hold one of the messages, by their path under the folder.
fn samples(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for source in fs::read_dir(folder).expect("the samples are a folder") {
        let source = source.expect("an entry can be read").path();
        for file in fs::read_dir(&source).into_iter().flatten().flatten() {
            let body = fs::read(file.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&body);
            let path = file.path();
            let name = path.strip_prefix(folder).expect("it is inside");
            if ROOTS.iter().any(|root| text.contains(root)) {
                found.insert(name.to_string_lossy().into_owned(), body);
            }
        }
    }
    found
}
