//! What the tests share: statements that are written here, all fictional; it must never hold a test
//! itself.

mod camt;
mod chain;
mod csv;
mod documents;
mod hostile;
mod mt;
mod properties;
mod samples;

use crate::{Code, Entry, Item, Judged, csv::ColumnMap, judge};

/// The judgement of a text.
fn judged(text: &str) -> Judged {
    judge(text.as_bytes(), None, &mut |_| {})
}

/// The judgement of a text under a map, and its items.
fn items(text: &str, map: Option<&ColumnMap>) -> (Judged, Vec<Item>) {
    let mut items = Vec::new();
    let judged = judge(text.as_bytes(), map, &mut |item| items.push(item.clone()));
    (judged, items)
}

/// The entries among items.
fn entries(items: &[Item]) -> impl Iterator<Item = &Entry> {
    items
        .iter()
        .filter_map(|item| if let Item::Entry(entry) = item { Some(&**entry) } else { None })
}

/// The codes of what was found, in their order.
fn codes(judged: &Judged) -> Vec<Code> {
    judged.findings.iter().map(|finding| finding.code).collect()
}
