//! Readers of batches row by row: what each form makes of good rows, bad rows and bytes that break off.
use std::io::{self, Read};

use uuid::Uuid;

use super::{
    Form, ROW_BYTES_MAX,
    read::{Failure, Own, Row, read},
    refusal, uetr,
};

const HEADER: &str = "end_to_end_id,creditor_agent,interbank_settlement_amount,\
    interbank_settlement_currency,payout_method,purpose,debtor.name,debtor.address\n";

fn own() -> Own {
    Own { bic: "CWHKHKH0".to_owned(), latest_date: "2026-11-24".to_owned() }
}

fn rows(form: Form, source: impl Read) -> (Vec<Row>, Result<(), Failure>) {
    let mut rows = Vec::new();
    let ended = read(form, source, &own(), &mut |row| {
        rows.push(row);
        true
    });
    (rows, ended.map(|_| ()))
}

/// Fields of the rows that are no orders.
fn fields(rows: &[Row]) -> Vec<Option<String>> {
    let wrong = rows.iter().filter_map(|row| row.order.as_ref().err());
    wrong.map(|problem| refusal(problem, None).field).collect()
}

#[test]
fn csv_cells_are_fields_and_what_is_wrong_is_told_by_row() {
    let text = format!(
        "{HEADER}A-1,102,400.00,PHP,wallet,GIFT,Ada,1 Street|Hong Kong\n\
         A-2,102,400.00,,wallet,GIFT,Ada,\n\
         A-3,102\n\
         A-4,102,400.00,PHP,,GIFT,Ada,\n\
         \"A\"\"5\",102,,PHP,wallet,GIFT,\"Ada, née Test\",\n"
    );
    let (rows, ended) = rows(Form::Csv, text.as_bytes());
    ended.expect("it is whole");
    assert_eq!(rows.len(), 5);
    let first = rows[0].order.as_ref().expect("it is an order");
    assert_eq!(first.debtor.address, ["1 Street", "Hong Kong"]);
    assert_eq!(
        fields(&rows),
        ["interbank_settlement_currency", "row", "payout_method"].map(|name| Some(name.to_owned()))
    );
    assert_eq!(rows[4].reference.as_deref(), Some("A\"5"));
    assert!(rows[4].order.as_ref().is_ok_and(|order| order.interbank_settlement_amount.is_none()));
}

#[test]
fn a_header_must_name_known_columns_once_and_those_that_are_due() {
    for (text, named) in [
        ("creditor_agent,who\n", "`who`"),
        ("purpose,purpose\n", "`purpose` is given twice"),
        ("creditor_agent,payout_method,purpose\n", "`debtor.name` is missing"),
    ] {
        let (_, ended) = rows(Form::Csv, text.as_bytes());
        let Err(Failure::Refused(problem)) = ended else { panic!("{text}: {ended:?}") };
        assert!(problem.detail.contains(named), "{}", problem.detail);
    }
}

#[test]
fn a_quote_that_never_closes_ends_the_reading_before_it_fills_memory() {
    let text = format!("{HEADER}\"A-1");
    let endless = text.as_bytes().chain(io::repeat(b'x').take(1 << 30));
    let (rows, ended) = rows(Form::Csv, endless);
    assert!(rows.is_empty() && matches!(ended, Err(Failure::Refused(_))), "{ended:?}");
    let (rows, ended) = self::rows(Form::JsonLines, io::repeat(b'x').take(1 << 30));
    assert!(rows.is_empty() && matches!(ended, Err(Failure::Refused(_))), "{ended:?}");
    let line = "x".repeat(ROW_BYTES_MAX - 1) + "\n";
    let (rows, ended) = self::rows(Form::JsonLines, line.as_bytes());
    assert!(rows.len() == 1 && ended.is_ok(), "the longest line is a row: {ended:?}");
}

/// Some text, and then the connection breaks.
struct Breaks<'a>(&'a [u8]);

impl Read for Breaks<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.read(into)
    }
}

#[test]
fn the_last_row_of_what_breaks_off_is_no_row() {
    let text =
        format!("{HEADER}A-1,102,4.00,PHP,wallet,GIFT,Ada,\nA-2,102,4.00,PHP,wallet,GIFT,Ad");
    let (rows, ended) = rows(Form::Csv, Breaks(text.as_bytes()));
    assert!(rows.len() == 1 && matches!(ended, Err(Failure::Broken)), "{ended:?}");
    let (rows, ended) = self::rows(Form::JsonLines, Breaks(b"{}\n{\"uetr\":"));
    assert!(rows.len() == 1 && matches!(ended, Err(Failure::Broken)), "{ended:?}");
}

#[test]
fn json_lines_are_orders_and_unknown_fields_are_named() {
    let good = r#"{"creditor_agent":"102","payout_method":"wallet","purpose":"GIFT","debtor":{"name":"A"},"creditor":{"name":"B"},"end_to_end_id":"B-1"}"#;
    let text = format!("{good}\n\n{}\n[]\n", good.replace("purpose", "porpoise"));
    let (rows, ended) = rows(Form::JsonLines, text.as_bytes());
    ended.expect("it is whole");
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(rows[0].order.is_ok());
    assert_eq!(fields(&rows)[0].as_deref(), Some("porpoise"));
    assert_eq!(rows[1].reference.as_deref(), Some("B-1"), "a wrong row keeps its reference");
}

#[test]
fn a_row_without_a_uetr_gets_the_same_one_again() {
    let (one, other) = (Uuid::from_bytes([1; 16]), Uuid::from_bytes([2; 16]));
    assert_eq!(uetr(one, 7), uetr(one, 7));
    assert_ne!(uetr(one, 7), uetr(one, 8));
    assert_ne!(uetr(one, 7), uetr(other, 7));
}
