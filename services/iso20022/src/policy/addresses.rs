//! Rules on postal addresses: structured, hybrid, and the unstructured ones that are to end.

use super::{Context, Found};
use crate::xml::Element;

/// Elements of an address whose content address lines must not repeat.
const ELEMENTS: &[&str] = &[
    "Dept",
    "SubDept",
    "StrtNm",
    "BldgNb",
    "BldgNm",
    "Flr",
    "PstBx",
    "Room",
    "PstCd",
    "TwnNm",
    "TwnLctnNm",
    "DstrctNm",
    "CtrySubDvsn",
    "Ctry",
];
/// Shorter values may occur in a line by chance.
const REPEATED_CHARS_MIN: usize = 3;
const UNSTRUCTURED_LINE_CHARS_MAX: usize = 35;
const UNSTRUCTURED_LINES_MAX: usize = 3;
const HYBRID_LINES_MAX: usize = 2;

pub(super) fn check(context: &Context<'_>, found: &mut Found) {
    // The guidelines judge the addresses of those who pay and are paid, not those of a statement.
    if context.statement() {
        return;
    }
    for (at, address) in context.named(&["PstlAdr"]) {
        // Where remittance is sent has a name and an address of its own within.
        if context.parent(at).is_some_and(|(_, parent)| parent.name == "RmtLctnDtls") {
            continue;
        }
        let lines: Vec<&str> =
            address.children_named("AdrLine").map(|line| line.text.trim()).collect();
        let other = address.children.iter().any(|child| child.name != "AdrLine");
        let located = address.child("TwnNm").is_some() && address.child("Ctry").is_some();
        if lines.is_empty() {
            if !located {
                found.add("address_structured", context.path(at));
            }
        } else if other {
            if !located {
                found.add("address_hybrid", context.path(at));
            }
            if lines.len() > HYBRID_LINES_MAX {
                found.add("address_hybrid_lines", context.path(at));
            }
            if ELEMENTS.iter().any(|name| repeated(address, name, &lines)) {
                found.add("address_repeated", format!("{}/AdrLine", context.path(at)));
            }
        } else {
            found.add("address_unstructured", context.path(at));
            let long = |line: &&str| line.chars().count() > UNSTRUCTURED_LINE_CHARS_MAX;
            if lines.len() > UNSTRUCTURED_LINES_MAX || lines.iter().any(long) {
                found.add("address_unstructured_lines", context.path(at));
            }
        }
    }
}

/// Whether an element's content stands in a line, between other signs than letters and digits.
fn repeated(address: &Element, name: &str, lines: &[&str]) -> bool {
    let Some(value) = address.text_at(&[name]) else { return false };
    let long = value.chars().count() >= REPEATED_CHARS_MIN;
    let bounded = |side: Option<char>| !side.is_some_and(char::is_alphanumeric);
    let within = |line: &&str| {
        line.match_indices(&value).any(|(at, part)| {
            let (before, rest) = line.split_at(at);
            let after = rest.get(part.len()..).unwrap_or_default();
            bounded(before.chars().last()) && bounded(after.chars().next())
        })
    };
    long && lines.iter().any(within)
}
