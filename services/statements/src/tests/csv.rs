//! CSV under column maps: the ways of several servicers, maps that can be saved, and what is missing.

use super::{codes, items};
use crate::{
    Code, CreditDebit, Item, Judged, Verdict,
    csv::{Column, ColumnMap, Encoding},
    ties::Tie,
};

const OWN: &str = "\
account,currency,booking_date,amount,balance,end_to_end_id,counterparty
ACCT-1,EUR,2026-11-23,-20.00,80.00,E-1,\"Creditor, Example\"
ACCT-1,EUR,2026-11-23,7.45,87.45,E-2,Example Debtor
";

const EUROPEAN: &str = "\
Konto;Auszug
\"Datum\";\"Soll\";\"Haben\";\"Saldo\";\"Text\"
24.11.2026;;1.234,50;1.334,50;später
23.11.2026;12,25-;;100,00;Gebühr
";

fn european() -> ColumnMap {
    serde_json::from_str(
        r#"{ "name": "Example Bank", "delimiter": ";", "skip_lines": 1, "encoding": "utf-8",
             "decimal_mark": ",", "thousands_mark": ".", "date_format": "DD.MM.YYYY", "newest_first": true,
             "columns": { "account": { "value": "ACCT-9" }, "currency": { "value": "EUR" },
                          "booking_date": "datum", "debit": "Soll", "credit": 3, "balance": "Saldo",
                          "remittance_information": "Text" } }"#,
    )
    .expect("it is a map")
}

fn judged(text: &str, map: Option<&ColumnMap>) -> Judged {
    items(text, map).0
}

#[test]
fn the_default_map_reads_columns_by_their_own_names() {
    let (judged, items) = items(OWN, None);
    assert_eq!(codes(&judged), [], "{:?}", judged.findings);
    let statement = &judged.statements[0];
    assert_eq!(statement.arithmetic.balances, Tie::Holds);
    assert_eq!(
        statement.opening.as_ref().map(|one| one.amount.decimal_text()).as_deref(),
        Some("100.00")
    );
    assert_eq!(
        statement.closing.as_ref().map(|one| one.amount.decimal_text()).as_deref(),
        Some("87.45")
    );
    let Some(Item::Entry(entry)) = items.iter().find(|item| matches!(item, Item::Entry(_))) else {
        panic!("it has entries")
    };
    assert_eq!(entry.credit_debit, CreditDebit::Debit);
    assert_eq!(entry.details[0].parties.creditor.as_deref(), Some("Creditor, Example"));
}

#[test]
fn a_map_reads_columns_marks_dates_and_order_of_its_own() {
    let judged = judged(EUROPEAN, Some(&european()));
    assert_eq!(codes(&judged), [], "{:?}", judged.findings);
    let statement = &judged.statements[0];
    assert_eq!(statement.head.account.id.as_deref(), Some("ACCT-9"));
    assert_eq!(statement.totals.all.debits.sum.text("EUR"), "12.25");
    assert_eq!(
        statement.opening.as_ref().map(|one| one.amount.decimal_text()).as_deref(),
        Some("112.25")
    );
    assert_eq!(
        statement.closing.as_ref().map(|one| one.amount.decimal_text()).as_deref(),
        Some("1334.50")
    );
    assert_eq!(
        statement.closing.as_ref().and_then(|one| one.date.clone()).as_deref(),
        Some("2026-11-24")
    );
    assert_eq!(statement.arithmetic.balances, Tie::Holds);
}

#[test]
fn a_map_can_be_saved_and_read_again() {
    for map in [ColumnMap::default(), european()] {
        let saved = serde_json::to_string(&map).expect("it can be written");
        assert_eq!(serde_json::from_str::<ColumnMap>(&saved).expect("and read"), map, "{saved}");
    }
    assert!(
        serde_json::from_str::<ColumnMap>(r#"{ "colums": {} }"#).is_err(),
        "a typing error is told"
    );
}

#[test]
fn rows_that_do_not_follow_are_found() {
    let lost = OWN.replace("ACCT-1,EUR,2026-11-23,7.45,87.45", "ACCT-1,EUR,2026-11-23,7.45,90.45");
    assert_eq!(codes(&judged(&lost, None)), [Code::RunningBalanceDiffers, Code::BalanceDiffers]);
    let reversed = ColumnMap { newest_first: false, ..european() };
    assert!(codes(&judged(EUROPEAN, Some(&reversed))).contains(&Code::RunningBalanceDiffers));
}

#[test]
fn what_is_missing_is_named() {
    for (heading, code) in [
        ("account", Code::NotAStatement),
        ("currency", Code::NotAStatement),
        ("amount", Code::NotAStatement),
        ("booking_date", Code::NotAStatement),
    ] {
        let bent = OWN.replacen(heading, "other", 1);
        assert_eq!(codes(&judged(&bent, None)), [code], "{heading}");
        let own = ColumnMap { name: "own".to_owned(), ..ColumnMap::default() };
        let refused = judged(&bent, Some(&own));
        assert_eq!(codes(&refused), [Code::MapColumnMissing]);
        assert!(refused.findings[0].text.contains(heading), "{}", refused.findings[0]);
    }
    let text = EUROPEAN.replace("\"Text\"", "\"Zweck\"");
    assert_eq!(codes(&judged(&text, Some(&european()))), [Code::FieldUnknown]);
    let text = EUROPEAN.replace("\"Soll\"", "\"Minus\"");
    assert_eq!(codes(&judged(&text, Some(&european()))), [Code::MapColumnMissing]);
}

/// One change to a map.
type Bend = fn(&mut ColumnMap);

#[test]
fn a_map_that_contradicts_itself_is_refused() {
    let bends: [(&str, Bend); 9] = [
        ("delimiter", |map| map.delimiter = '"'),
        ("delimiter", |map| map.delimiter = '\u{20ac}'),
        ("thousands_mark", |map| map.thousands_mark = Some(',')),
        ("date_format", |map| map.date_format = "MM/YYYY".to_owned()),
        ("columns.account", |map| map.columns.account = None),
        ("columns.amount", |map| map.columns.credit = None),
        ("columns.amount", |map| map.columns.amount = Some(Column::Place(2))),
        ("columns.booking_date", |map| map.columns.booking_date = None),
        ("columns.credit", |map| map.columns.credit = Some(Column::Place(0))),
    ];
    assert_eq!(european().check(), []);
    for (at, bend) in bends {
        let mut map = european();
        bend(&mut map);
        assert!(map.check().iter().any(|one| one.at == at), "{at}: {:?}", map.check());
        assert_eq!(codes(&judged(EUROPEAN, Some(&map))), [Code::MapInvalid], "{at}");
    }
}

/// A cell under the European map; an amount reads as this, or is refused.
#[test]
fn numbers_are_read_as_the_map_says_or_refused() {
    let cases = [
        ("1.234,50", Some("1234.50")),
        ("1234,5", Some("1234.50")),
        ("0,00", Some("0.00")),
        ("12.34.567,00", Some("1234567.00")),
        ("12.50", None),
        ("1,234.50", None),
        ("1.2345,00", None),
        ("12,5,0", None),
        ("--5,00", None),
        ("(5,00)", None),
        ("5 EUR", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let body = EUROPEAN.replace("1.234,50", text).replace("1.334,50", "").replace("100,00", "");
        let judged = judged(&body, Some(&european()));
        let sum = judged.statements.first().map(|one| one.totals.all.credits.sum.text("EUR"));
        match expected {
            Some(expected) => assert_eq!(sum.as_deref(), Some(expected), "{text}"),
            None => assert_eq!(codes(&judged).last(), Some(&Code::AmountUnreadable), "{text}"),
        }
    }
}

#[test]
fn words_and_signs_agree_or_are_refused() {
    let map: ColumnMap = serde_json::from_str(
        r#"{ "date_format": "DD-MMM-YY", "words": { "credit": ["in"], "debit": ["out"], "booked": ["done"], "pending": ["soon"] },
             "columns": { "account": 1, "currency": 2, "value_date": 3, "amount": 4, "credit_debit": 5, "status": 6 },
             "headings": false }"#,
    )
    .expect("it is a map");
    let row = |amount: &str, word: &str, status: &str| {
        judged(&format!("A,EUR,23-Nov-26,{amount},{word},{status}\n"), Some(&map))
    };
    assert_eq!(row("5", "OUT", "done").statements[0].booked["EUR"].text("EUR"), "-5.00");
    assert_eq!(row("-5", "out", "done").statements[0].booked["EUR"].text("EUR"), "-5.00");
    assert_eq!(row("5", "in", "soon").statements[0].totals.pending, 1);
    for (amount, word) in [("-5", "in"), ("5", "sideways"), ("5", "")] {
        assert_eq!(codes(&row(amount, word, "done")), [Code::AmountUnreadable], "{amount} {word}");
    }
    assert!(codes(&row("5", "in", "lost")).contains(&Code::StatusUnexpected));
}

#[test]
fn accounts_in_one_file_are_statements_of_their_own() {
    let two = OWN.to_owned() + "ACCT-2,USD,2026-11-23,1.00,1.00,E-3,Other\n";
    let judged = judged(&two, None);
    assert_eq!(codes(&judged), [], "{:?}", judged.findings);
    let accounts: Vec<_> =
        judged.statements.iter().map(|one| one.head.account.id.as_deref()).collect();
    assert_eq!(accounts, [Some("ACCT-1"), Some("ACCT-2")]);
}

#[test]
fn what_breaks_off_or_is_no_text_is_refused() {
    let short = OWN.replace(",7.45,87.45,E-2,Example Debtor", "");
    assert_eq!(codes(&judged(&short, None)), [Code::Truncated]);
    let quote = OWN.replace("Example Debtor", &format!("\"{}", "x".repeat(600_000)));
    assert_eq!(judged(&quote, None).verdict, Verdict::Refused);
    let latin: Vec<u8> =
        EUROPEAN.chars().map(|one| u8::try_from(one).expect("it is Latin")).collect();
    let read = |map: &ColumnMap| crate::judge(latin.as_slice(), Some(map), &mut |_| {});
    assert_eq!(codes(&read(&european())), [Code::EncodingUnknown]);
    assert_eq!(codes(&read(&ColumnMap { encoding: Encoding::Windows1252, ..european() })), []);
    for text in ["", "  \n", "hello", "{\"json\": 1}", "%PDF-1.7"] {
        assert_eq!(codes(&judged(text, None)), [Code::NotAStatement], "{text:?}");
    }
}
