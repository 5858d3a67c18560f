//! How statements follow one another, how pages make one, and how a second copy is known.

use super::{
    camt::{balance, document, entry, head},
    codes, judged,
};
use crate::{
    Code, Judged, Page,
    chain::{Key, Link, duplicates, follows, keys},
    ties::Tie,
};

fn day(number: u64, from: &str, to: &str, entries: &str) -> String {
    let date = format!("2026-11-{:02}", number + 10);
    format!(
        "<Stmt>{}{}{}{entries}</Stmt>",
        head(number),
        balance("OPBD", from, "CRDT", &date),
        balance("CLBD", to, "CRDT", &date)
    )
}

fn page(number: u64, last: bool, from: (&str, &str), to: (&str, &str), entries: &str) -> String {
    let pagination = format!(
        "<StmtPgntn><PgNb>{number}</PgNb><LastPgInd>{last}</LastPgInd></StmtPgntn><ElctrncSeqNb>"
    );
    let part = |kind: &str, (amount, sub): (&str, &str)| {
        let sub =
            if sub.is_empty() { String::new() } else { format!("<SubTp><Cd>{sub}</Cd></SubTp>") };
        balance(kind, amount, "CRDT", "2026-11-23")
            .replace("</CdOrPrtry>", &format!("</CdOrPrtry>{sub}"))
    };
    let head = head(5).replace("<ElctrncSeqNb>", &pagination);
    format!("<Stmt>{head}{}{}{entries}</Stmt>", part("OPBD", from), part("CLBD", to))
}

#[test]
fn days_in_one_file_form_a_chain() {
    let credit = entry("10.00", "CRDT", "BOOK", true);
    let days = |second: &str| {
        codes(&judged(&document("08", &(day(1, "0.00", "10.00", &credit) + second))))
    };
    assert_eq!(days(&day(2, "10.00", "20.00", &credit)), []);
    assert_eq!(days(&day(2, "11.00", "21.00", &credit)), [Code::ChainBroken]);
    assert_eq!(days(&day(3, "10.00", "20.00", &credit)), [Code::SequenceGap]);
    // Another currency's or account's statement begins a chain of its own.
    assert_eq!(days(&day(9, "5.00", "15.00", &credit).replace("ACCT-1", "ACCT-9")), []);
    assert_eq!(
        days(&day(1, "0.00", "10.00", &credit)),
        [Code::DuplicateStatement, Code::SequenceRepeated, Code::ChainBroken]
    );
}

#[test]
fn pages_tie_by_themselves_or_together() {
    let credit = entry("10.00", "CRDT", "BOOK", true);
    let of = |pages: &[String]| judged(&document("08", &pages.concat()));
    let holds = |judged: &Judged| judged.statements.last().map(|one| one.arithmetic.balances);
    let intermediate = [
        page(1, false, ("0.00", ""), ("10.00", "INTM"), &credit),
        page(2, true, ("10.00", "INTM"), ("20.00", ""), &credit),
    ];
    let judged = of(&intermediate);
    assert_eq!((codes(&judged), holds(&judged)), (vec![], Some(Tie::Holds)));
    // Each page states the balances of the whole.
    let whole = |last| page(if last { 2 } else { 1 }, last, ("0.00", ""), ("20.00", ""), &credit);
    let judged = of(&[whole(false), whole(true)]);
    assert_eq!((codes(&judged), holds(&judged)), (vec![], Some(Tie::Holds)));
    let wrong = page(2, true, ("0.00", ""), ("20.01", ""), &credit);
    assert!(codes(&of(&[whole(false), wrong])).contains(&Code::BalanceDiffers));
    assert_eq!(codes(&of(&[whole(true)])), [Code::PageMissing]);
    let third = page(3, true, ("0.00", ""), ("20.00", ""), &credit);
    assert!(codes(&of(&[whole(false), third])).contains(&Code::PageMissing));
}

fn link(sequence: u64, opening: &str, closing: &str, year: u32) -> Link {
    let text = document("08", &day(sequence, opening, closing, ""));
    let text = text.replace("2026-11", &format!("{year}-11"));
    Link::of(&judged(&text).statements[0])
}

#[test]
fn two_heads_follow_or_not() {
    let former = link(11, "1.00", "2.00", 2026);
    let cases = [
        (link(12, "2.00", "3.00", 2026), vec![]),
        (link(12, "2.01", "3.00", 2026), vec![Code::ChainBroken]),
        (link(13, "2.00", "3.00", 2026), vec![Code::SequenceGap]),
        (link(10, "2.00", "3.00", 2026), vec![Code::SequenceGap]),
        (link(1, "2.00", "3.00", 2026), vec![Code::SequenceGap]),
        (link(1, "2.00", "3.00", 2027), vec![]),
        (link(11, "2.00", "3.00", 2026), vec![Code::SequenceRepeated]),
    ];
    for (next, expected) in cases {
        let found: Vec<Code> = follows(&former, &next, "").iter().map(|one| one.code).collect();
        assert_eq!(found, expected, "{next:?}");
    }
    let paged = |number, last| Link { page: Some(Page { number, last }), ..former.clone() };
    let next = Link { sequence: Some(12), opening: former.closing.clone(), ..paged(1, true) };
    let missing: Vec<Code> =
        follows(&paged(1, false), &next, "").iter().map(|one| one.code).collect();
    assert_eq!(missing, [Code::PageMissing]);
    let other = Link { account: "ACCT-2".to_owned(), ..former.clone() };
    assert_eq!(follows(&former, &other, "")[0].code, Code::ChainAccountDiffers);
}

#[test]
fn a_second_copy_is_known_by_bytes_by_name_or_by_content() {
    let credit = entry("10.00", "CRDT", "BOOK", true);
    let first = document("08", &day(1, "0.00", "10.00", &credit));
    let taken = judged(&first);
    let memory: Vec<Key> = keys(&taken.digest, &taken.statements);
    assert_eq!(memory.len(), 3);
    let again = |text: &str| {
        let judged = judged(text);
        let found = duplicates(&judged.digest, &judged.statements, &|key| memory.contains(key));
        found.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(again(&first), [Code::DuplicateFile]);
    assert_eq!(again(&first.replace("MSG-1", "MSG-2")), [Code::DuplicateStatement]);
    let renamed = first.replace("MSG-1", "MSG-2").replace("STMT-1", "STMT-1B");
    assert_eq!(again(&renamed), [Code::DuplicateContent]);
    // The same content, told by another version of the message.
    let older = document("02", &day(1, "0.00", "10.00", &entry("10.00", "CRDT", "BOOK", false)));
    assert_eq!(again(&older.replace("STMT-1", "STMT-X")), [Code::DuplicateContent]);
    assert_eq!(again(&document("08", &day(2, "10.00", "20.00", &credit))), []);
}
