//! Files that mean harm or break off: refused, whatever they hold.

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
