//! Digests that find what differs and nothing else, and files that are refused by line and field.

use std::collections::BTreeSet;

use time::{Date, macros::date};

use super::{Row, Scope, answer, digest, read};

const DAY: Date = date!(2026 - 11 - 26);

fn scope() -> Scope {
    Scope { account: "1010-HKD".to_owned(), currency: "HKD".to_owned(), day: DAY.to_string() }
}

fn rows(count: u64) -> Vec<Row> {
    let row = |number| Row {
        reference: format!("REF-{number}"),
        amount: number * 100 + 1,
        credit: number % 3 == 0,
        value_date: DAY,
    };
    (0..count).map(row).collect()
}

#[test]
fn equal_rows_are_equal_in_any_order_and_one_changed_row_is_one_bucket() {
    let own = rows(100_000);
    let first = digest(scope(), &own);
    assert_eq!((first.rows, first.bits), (100_000, 12));
    first.check().unwrap();
    let mut other = own;
    other.reverse();
    assert_eq!(digest(scope(), &other), first);
    assert_eq!(first.differing(&other).unwrap(), BTreeSet::new());
    for change in 0..4 {
        let mut changed = other.clone();
        let at = 777;
        let bucket = changed[at].bucket(first.bits);
        match change {
            0 => changed[at].amount += 1,
            1 => changed[at].credit = !changed[at].credit,
            2 => drop(changed.swap_remove(at)),
            _ => changed.push(changed[at].clone()),
        }
        assert_eq!(first.differing(&changed).unwrap(), BTreeSet::from([bucket]), "{change}");
    }
    assert_eq!(digest(scope(), &[]).bits, 0);
}

#[test]
fn rows_that_travel_are_held_to_the_digest() {
    let own = rows(1_000);
    let promised = digest(scope(), &own);
    let mut ledger = own.clone();
    ledger[5].amount += 7;
    let asked = promised.differing(&ledger).unwrap();
    let wanted = promised.wanted(&asked);
    let sent = answer(&wanted, &own).unwrap();
    assert!((1..100).contains(&sent.rows.len()), "{}", sent.rows.len());
    let taken = sent.check(&promised, &asked).unwrap();
    assert!(taken.contains(&own[5]));
    // Another journal than the digested one, a changed row, a lost row, a row of elsewhere.
    assert!(answer(&wanted, &ledger).unwrap_err().to_string().contains("digest it again"));
    let mut changed = sent.clone();
    changed.rows[0].amount = "1.23".to_owned();
    let refused = changed.check(&promised, &asked).unwrap_err().to_string();
    assert!(refused.contains("are not those that were digested"), "{refused}");
    let mut lost = sent.clone();
    lost.rows.pop();
    assert!(lost.check(&promised, &asked).is_err());
    let foreign = own.iter().find(|row| !asked.contains(&row.bucket(promised.bits))).unwrap();
    let mut more = sent;
    more.rows.push(super::text(foreign, 2));
    let refused = more.check(&promised, &asked).unwrap_err().to_string();
    assert!(refused.contains("was not asked for"), "{refused}");
}

#[test]
fn a_damaged_digest_is_refused_by_its_field() {
    let good = digest(scope(), &rows(100));
    let mut own = good.clone();
    own.buckets.pop();
    assert!(own.check().unwrap_err().to_string().starts_with("buckets: has "));
    let mut own = good.clone();
    own.buckets.replace_range(0..1, "x");
    assert_eq!(own.check().unwrap_err().to_string(), "buckets: is no hexadecimal");
    let mut own = good.clone();
    own.bits = 40;
    assert_eq!(own.check().unwrap_err().to_string(), "bits: 40 is over 16");
    let mut own = good.clone();
    own.journal = 2;
    assert!(own.check().unwrap_err().to_string().contains("version 2"));
    let mut own = good.clone();
    own.scope.day = "26.11.2026".to_owned();
    assert!(own.check().unwrap_err().to_string().starts_with("day: "));
    assert_ne!(own.id(), good.id());
}

#[test]
fn csv_and_json_lines_say_the_same() {
    let csv = "\u{feff}value_date,reference,amount,direction,note\r\n\
        2026-11-26,8A562C67-CA16-48BA-B074-65581BE6F001,4000,DBIT,gift\r\n\
        2026-11-27, B-1 ,0.05,CRDT,\r\n\
        2026-11-26,,12.5,CRDT,\r\n";
    let read_csv = read::journal(csv.as_bytes(), "HKD", DAY).unwrap();
    assert_eq!((read_csv.rows.len(), read_csv.of_other_days), (2, 1));
    assert_eq!(read_csv.rows[0].reference, "8a562c67-ca16-48ba-b074-65581be6f001");
    assert_eq!((read_csv.rows[0].amount, read_csv.rows[1].amount), (400_000, 1_250));
    let json = r#"
{"reference":"8a562c67-ca16-48ba-b074-65581be6f001","amount":"4000.00","direction":"DBIT","value_date":"2026-11-26"}
{"reference":"","amount":"12.50","direction":"CRDT","value_date":"2026-11-26"}
"#;
    assert_eq!(read::journal(json.as_bytes(), "HKD", DAY).unwrap().rows, read_csv.rows);
}

#[test]
fn what_is_wrong_in_a_file_is_named_by_line_and_field() {
    let heading = "reference,amount,direction,value_date\n";
    let rows = [
        ("a,1.001,CRDT,2026-11-26", "line 2: amount: 1.001 is no amount of HKD over 0"),
        ("a,0,CRDT,2026-11-26", "line 2: amount: 0 is no amount of HKD over 0"),
        ("a,-5,CRDT,2026-11-26", "line 2: amount: -5 is"),
        ("a,5,C,2026-11-26", "line 2: direction: C is neither CRDT nor DBIT"),
        ("a,5,DBIT,26/11/2026", "line 2: value_date: 26/11/2026 is no date"),
        ("a\u{1},5,DBIT,2026-11-26", "line 2: reference: must have"),
        ("a,5,DBIT", "found record with 3 fields"),
    ];
    for (row, words) in rows {
        let error = read::journal(format!("{heading}{row}\n").as_bytes(), "HKD", DAY).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = |text: &str| read::journal(text.as_bytes(), "HKD", DAY).unwrap_err().to_string();
    assert!(error("reference,amount,value_date\n").contains("column direction is missing"));
    assert!(
        error("amount,amount,reference,direction,value_date\n")
            .contains("column amount is there twice")
    );
    assert!(error("{\"reference\":\"a\"}").contains("line 1: missing field `amount`"));
    let currency = read::journal(b"", "ZZZ", DAY).unwrap_err().to_string();
    assert_eq!(currency, "currency: ZZZ is none of ISO 4217");
}
