//! Pages that must agree with the code: error pages, the byte format, migrations, links.
use std::{collections::BTreeMap, fs};

use ledger_proof::tree::sha256;
use ledger_types::Rejection;

use super::{File, files, none, root};

/// Codes by which services refuse: the ledger's, a gateway's, a quoting service's.
fn codes() -> Vec<&'static str> {
    let ledger = Rejection::ALL.iter().map(|rejection| rejection.code());
    let gateway = gateway::problem::Code::ALL.iter().map(|code| code.name());
    let quoting = [services_fx::api::STALE_RATE, services_fx::api::CORRIDOR_NOT_SERVED];
    ledger.chain(gateway).chain(quoting).collect()
}

fn documents() -> impl Iterator<Item = File> {
    files().into_iter().filter(|file| file.path.ends_with(".md"))
}

/// A page's lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split("```").step_by(2);
    blocks.flat_map(str::lines)
}

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    let codes = codes();
    let mut wrong = Vec::new();
    for code in &codes {
        let path = root().join(format!("docs/errors/{code}.md"));
        let text = fs::read_to_string(path).unwrap_or_default();
        if !text.starts_with(&format!("# {code}\n")) {
            wrong.push(format!("docs/errors/{code}.md is missing or titled otherwise"));
        }
        if !text.contains("\n**What to do.** ") {
            wrong.push(format!("docs/errors/{code}.md does not say what to do"));
        }
    }
    for file in documents() {
        let name = file.path.strip_prefix("docs/errors/").and_then(|name| name.strip_suffix(".md"));
        if name.is_some_and(|name| !codes.contains(&name)) {
            wrong.push(format!("{}: no service refuses with this code", file.path));
        }
    }
    none(&wrong);
}

#[test]
fn the_format_lists_every_refusal() {
    let format = fs::read_to_string(root().join("docs/format.md")).unwrap();
    let row = |rejection: &Rejection| {
        let (number, code) = (rejection.number(), rejection.code());
        let page = format!("[{code}](errors/{code}.md)");
        format!("| {number} | {page} | {} | {} |", rejection.reason(), rejection.meaning())
    };
    let missing = Rejection::ALL.iter().map(row).filter(|row| !format.contains(row.as_str()));
    none(&missing.collect::<Vec<_>>());
}

/// Cells of the lines that start with `|` between two markers.
fn cells(text: &str, from: &str, to: &str, separator: char) -> BTreeMap<String, Vec<String>> {
    let (_, rest) = text.split_once(from).unwrap();
    let (table, _) = rest.split_once(to).unwrap();
    let lines = table.lines().filter(|line| line.contains('|'));
    lines
        .map(|line| {
            let (command, answers) = line.trim_matches('|').split_once('|').unwrap();
            let answers = answers.split(separator).map(|cell| cell.trim().to_owned());
            (command.replace('`', "").trim().to_owned(), answers.collect())
        })
        .collect()
}

#[test]
fn the_state_table_is_the_tested_one() {
    let format = fs::read_to_string(root().join("docs/format.md")).unwrap();
    let tested = fs::read_to_string(root().join("ledger/core/src/tests/states.rs")).unwrap();
    let written = cells(&format, "## State × command", "## Refusals", '|');
    let tested = cells(&tested, "const TABLE: &str = \"", "\";", ';');
    let mut wrong = Vec::new();
    for (command, answers) in tested.iter().filter(|(command, _)| !command.starts_with("wait")) {
        if written.get(command) != Some(answers) {
            wrong.push(format!("{command}: docs/format.md differs from {answers:?}"));
        }
    }
    none(&wrong);
}

#[test]
fn migrations_are_never_edited() {
    let sums = fs::read_to_string(root().join("migrations/CHECKSUMS")).unwrap();
    let mut expected = String::new();
    for file in files().iter().filter(|file| file.path.ends_with(".sql")) {
        assert!(file.text.starts_with("-- "), "{} says why it exists", file.path);
        if !file.path.starts_with("migrations/") {
            continue;
        }
        let digest = sha256(&[file.text.as_bytes()]);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        expected.push_str(&format!("{digest}  {}\n", file.path));
    }
    assert_eq!(sums, expected, "a migration is added with its line in migrations/CHECKSUMS");
}

/// How a heading is named in a link: lower case, words joined by hyphens, nothing else kept.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// Whether a page has a heading of this name.
fn has_anchor(page: &str, name: &str) -> bool {
    let headings = prose(page).filter(|line| line.starts_with('#'));
    headings.map(|line| line.trim_start_matches('#')).any(|heading| anchor(heading) == name)
}

#[test]
fn documents_have_one_title_and_links_that_lead_somewhere() {
    let mut wrong = Vec::new();
    for file in documents() {
        let titles = prose(&file.text).filter(|line| line.starts_with("# ")).count();
        if titles != 1 || !file.text.starts_with("# ") {
            wrong.push(format!("{} has {titles} titles", file.path));
        }
        let folder = root().join(&file.path);
        for part in prose(&file.text).flat_map(|line| line.split("](").skip(1)) {
            let link = part.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (target, name) = link.split_once('#').unwrap_or((link, ""));
            let place = folder.parent().unwrap().join(target);
            if !target.is_empty() && !place.exists() {
                wrong.push(format!("{} links to {target}, which is not there", file.path));
                continue;
            }
            let page =
                if target.is_empty() { Ok(file.text.clone()) } else { fs::read_to_string(place) };
            if !name.is_empty() && !page.is_ok_and(|page| has_anchor(&page, name)) {
                wrong.push(format!("{} links to {link}, which has no such heading", file.path));
            }
        }
    }
    none(&wrong);
}

#[test]
fn code_of_tutorials_and_recipes_is_that_of_their_programs() {
    let files = files();
    let mut wrong = Vec::new();
    for folder in ["docs/tutorials/", "docs/recipes/"] {
        let own = |ending: &'static str| {
            files
                .iter()
                .filter(move |file| file.path.starts_with(folder) && file.path.ends_with(ending))
        };
        for page in own(".md") {
            let shown = page.text.split("```python\n").skip(1);
            for code in shown.filter_map(|part| part.split("```").next()) {
                if !own(".py").any(|file| file.text.contains(code)) {
                    wrong.push(format!("{} shows what no program says:\n{code}", page.path));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn complaints_name_tests_that_are_there() {
    let page = fs::read_to_string(root().join("docs/complaints.md")).unwrap();
    let sources: Vec<File> =
        files().into_iter().filter(|file| file.path.ends_with(".rs")).collect();
    let mut wrong = Vec::new();
    let mut named = 0;
    let digit = |sign: char| sign.is_ascii_digit();
    let numbered = |row: &&str| row.trim_start_matches(['|', ' ']).starts_with(digit);
    for row in page.lines().filter(|line| line.starts_with('|')).filter(numbered) {
        let shown = row.split(" | ").nth(3).unwrap_or_default();
        for name in shown.split('`').skip(1).step_by(2) {
            named += 1;
            let function = format!("fn {name}(");
            if !sources.iter().any(|file| file.text.contains(&function)) {
                wrong.push(format!("docs/complaints.md: there is no test {name}"));
            }
        }
    }
    assert!(named > 40, "{named} tests are named");
    none(&wrong);
}
