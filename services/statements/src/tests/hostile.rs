//! Files that mean harm, break off or never end: refused in bounded time and memory, or read.

use std::io::{BufReader, Read};

use proptest::prelude::*;

use super::{
    camt::{balance, document, entry, head},
    codes, judged,
};
use crate::{Code, Verdict, judge};

#[test]
fn bombs_and_floods_are_refused() {
    let clean =
        document("08", &format!("<Stmt>{}{}</Stmt>", head(1), entry("1.00", "CRDT", "BOOK", true)));
    let bent = |from: &str, to: &str| codes(&judged(&clean.replacen(from, to, 1)));
    let laughs = "<!DOCTYPE a [<!ENTITY l \"lol\"><!ENTITY m \"&l;&l;&l;\">]><Stmt>&m;";
    assert!(bent("<Stmt>", laughs).contains(&Code::DocumentType));
    assert!(bent("November", &"x".repeat(300_000)).contains(&Code::TooLarge));
    assert!(bent("<Ustrd>", &"<a>".repeat(100)).contains(&Code::TooLarge));
    assert!(
        bent("<BookgDt>", &format!("{}<BookgDt>", "<b/>".repeat(100))).contains(&Code::TooLarge)
    );
    let balances = balance("OPBD", "1.00", "CRDT", "2026-11-23").repeat(300);
    assert!(bent("<Ntry>", &format!("{balances}<Ntry>")).contains(&Code::TooLarge));
    assert!(bent("November", "\u{1}").contains(&Code::Malformed));
    let field = format!(":20:A\n:25:B\n:60F:C261123EUR1,\n:86:{}\n", "line\n".repeat(10_000));
    assert_eq!(codes(&judged(&field)), [Code::TooLarge]);
    assert!(codes(&judged(&format!(":20:{}", "x".repeat(100_000)))).contains(&Code::TooLarge));
}

#[test]
fn a_file_that_breaks_off_anywhere_is_refused() {
    let opening = balance("OPBD", "0.00", "CRDT", "2026-11-23");
    let closing = balance("CLBD", "1.00", "CRDT", "2026-11-23");
    let body = format!(
        "<Stmt>{}{opening}{closing}{}</Stmt>",
        head(1),
        entry("1.00", "CRDT", "BOOK", true)
    );
    let whole = document("08", &body);
    assert_eq!(judged(&whole).verdict, Verdict::Ok);
    for end in 0..whole.len() {
        let cut = judged(&whole[..end]);
        assert_eq!(cut.verdict, Verdict::Refused, "cut at {end}: {:?}", cut.findings);
        if end > 400 {
            assert_eq!(codes(&cut), [Code::Truncated], "cut at {end}: {:?}", cut.findings);
        }
    }
}

/// A statement that is made while it is read, so that nobody ever holds it.
struct Made {
    entries: u32,
    next: u32,
    waiting: Vec<u8>,
}

impl Read for Made {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.waiting.is_empty() {
            self.waiting = match self.next {
                next if next <= self.entries => entry("0.01", "CRDT", "BOOK", true).into_bytes(),
                next if next == self.entries + 1 => b"</Stmt></BkToCstmrStmt></Document>".to_vec(),
                _ => return Ok(0),
            };
            self.next += 1;
        }
        let taken = self.waiting.len().min(into.len());
        into[..taken].copy_from_slice(&self.waiting[..taken]);
        self.waiting.drain(..taken);
        Ok(taken)
    }
}

/// The most memory that this process ever held, in KiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn memory_does_not_grow_with_entries() {
    let entries = 50_000;
    let opening = balance("OPBD", "0.00", "CRDT", "2026-11-23");
    let closing = balance("CLBD", "500.00", "CRDT", "2026-11-23");
    let start = document("08", &format!("<Stmt>{}{opening}{closing}", head(1)));
    let start = start.replace("</BkToCstmrStmt></Document>", "");
    let made = Made { entries, next: 1, waiting: start.into_bytes() };
    let before = peak();
    let judged = judge(BufReader::new(made), None, &mut |_| {});
    assert_eq!(codes(&judged), [], "{:?}", judged.findings);
    assert_eq!(judged.entries(), u64::from(entries));
    if let Some((before, after)) = before.zip(peak()) {
        // The file has about 50 MB; other tests run beside this one.
        assert!(after - before < 40_000, "the peak grew from {before} to {after} KiB");
    }
}

proptest! {
    #[test]
    fn any_bytes_have_a_verdict(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let judged = judge(bytes.as_slice(), None, &mut |_| {});
        prop_assert_eq!(judged.verdict == Verdict::Ok, judged.findings.is_empty());
    }

    #[test]
    fn any_fields_have_a_verdict(text in "(:(20|25|28C|60F|60M|61|62F|62M|86|90D|90C|34F|13D|64):[A-Z0-9,/?+ -]{0,40}\n){0,12}") {
        let judged = judge(text.as_bytes(), None, &mut |_| {});
        prop_assert_eq!(judged.verdict == Verdict::Ok, judged.findings.is_empty());
    }
}
