//! The one place that writes to standard output and standard error. It must never panic because a
//! reader such as `head` has gone.

use std::io::Write as _;

use serde_json::Value;

pub(crate) fn line(text: &str) {
    bytes(format!("{text}\n").as_bytes());
}

/// One JSON object on a line of its own, for scripts.
pub(crate) fn json(value: &Value) {
    line(&value.to_string());
}

pub(crate) fn bytes(text: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    // A closed pipe means that nobody reads on, which is no failure of ours.
    let _closed = stdout.write_all(text).and_then(|()| stdout.flush());
}

/// An error with its causes, on standard error.
pub(crate) fn error(error: &anyhow::Error) {
    let _closed = writeln!(std::io::stderr().lock(), "error: {error:#}");
}

/// A word for people on standard error, so that standard output stays for scripts.
pub(crate) fn note(text: &str) {
    let _closed = writeln!(std::io::stderr().lock(), "{text}");
}

/// An empty table in the one style.
#[must_use]
pub fn table() -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
    table
}
