//! Batches: a hundred thousand rows as they arrive, totals that agree or not, bodies that mean harm,
//! and reports written part by part. It knows no file.

use std::{
    fs,
    io::{self, BufReader, Read},
    time::Instant,
};

use super::{UETR, assert_valid, say, shared_data};
use crate::{
    inbound::read,
    original::ReasonInformation,
    pain001::{PAIN_001, ROWS_MAX, Row, Rows},
    pain002::{PAIN_002, PaymentReport, Report, RowReport},
    verdict::Refusal,
    xml::PART_BYTES_MAX,
};

fn opening(rows: u32, sum: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:{PAIN_001}\">\
         <CstmrCdtTrfInitn><GrpHdr><MsgId>BATCH-1</MsgId><CreDtTm>2026-11-23T10:15:30+08:00</CreDtTm>\
         <NbOfTxs>{rows}</NbOfTxs><CtrlSum>{sum}</CtrlSum><InitgPty><Nm>Example Payroll</Nm></InitgPty>\
         </GrpHdr><PmtInf><PmtInfId>PAY-1</PmtInfId><PmtMtd>TRF</PmtMtd><NbOfTxs>{rows}</NbOfTxs>\
         <CtrlSum>{sum}</CtrlSum><ReqdExctnDt><Dt>2026-11-24</Dt></ReqdExctnDt>\
         <Dbtr><Nm>Example Debtor</Nm></Dbtr><DbtrAcct><Id><Othr><Id>HK-1</Id></Othr></Id></DbtrAcct>\
         <DbtrAgt><FinInstnId><BICFI>CWHKHKH0</BICFI></FinInstnId></DbtrAgt>"
    )
}

fn row(number: u32) -> String {
    format!(
        "<CdtTrfTxInf><PmtId><InstrId>I-{number}</InstrId><EndToEndId>E-{number}</EndToEndId>\
         <UETR>8a562c67-ca16-48ba-b074-{number:012x}</UETR></PmtId>\
         <Amt><InstdAmt Ccy=\"PHP\">{number}.01</InstdAmt></Amt>\
         <CdtrAgt><FinInstnId><BICFI>CWPHPHM0</BICFI></FinInstnId></CdtrAgt>\
         <Cdtr><Nm>Example Creditor {number}</Nm></Cdtr>\
         <CdtrAcct><Id><Othr><Id>+639000000001</Id></Othr></Id></CdtrAcct>\
         <RmtInf><Ustrd>November</Ustrd></RmtInf></CdtTrfTxInf>\n"
    )
}

const CLOSING: &str = "</PmtInf></CstmrCdtTrfInitn></Document>";

/// A message that is made while it is read, so that nobody ever holds it.
struct Made {
    rows: u32,
    next: u32,
    waiting: Vec<u8>,
}

impl Made {
    fn of(rows: u32, opening: String) -> BufReader<Self> {
        BufReader::new(Self { rows, next: 1, waiting: opening.into_bytes() })
    }
}

impl Read for Made {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.waiting.is_empty() {
            self.waiting = match self.next {
                next if next <= self.rows => row(next).into_bytes(),
                next if next == self.rows + 1 => CLOSING.as_bytes().to_vec(),
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

/// The sum of `1.01 + 2.01 + …`.
fn sum(rows: u32) -> String {
    let (rows, hundredths) = (u64::from(rows), u64::from(rows));
    let units = rows * (rows + 1) / 2 * 100 + hundredths;
    format!("{}.{:02}", units / 100, units % 100)
}

fn all(body: &str) -> Result<(Vec<Row>, Vec<Refusal>), Refusal> {
    let mut rows = Rows::open(body.as_bytes())?;
    let mut taken = Vec::new();
    while let Some(row) = rows.next_row()? {
        taken.push(row);
    }
    Ok((taken, rows.refusals()))
}

#[test]
fn a_hundred_thousand_rows_come_one_by_one() {
    let begun = Instant::now();
    let source = Made::of(ROWS_MAX, opening(ROWS_MAX, &sum(ROWS_MAX)));
    let mut rows = Rows::open(source).expect("it is a batch");
    assert_eq!(rows.group().message_id.as_deref(), Some("BATCH-1"));
    let mut number = 0;
    while let Some(row) = rows.next_row().expect("it goes on") {
        number += 1;
        assert_eq!((row.number, row.findings.len()), (number, 0));
        assert_eq!(row.transfer.instruction_id, Some(format!("I-{number}")));
        assert_eq!(row.payment.payment_information_id.as_deref(), Some("PAY-1"));
    }
    assert_eq!((number, rows.refusals()), (ROWS_MAX, vec![]));
    say(&format!("{ROWS_MAX} rows of a pain.001 in {} ms", begun.elapsed().as_millis()));

    let too_many = ROWS_MAX + 1;
    let mut rows =
        Rows::open(Made::of(too_many, opening(too_many, &sum(too_many)))).expect("it is");
    let refusal = std::iter::from_fn(|| rows.next_row().transpose()).find_map(Result::err);
    assert_eq!(refusal.expect("one row is too many").reason.as_str(), "AM19");
}

#[test]
fn a_row_says_what_its_payment_says_for_all() {
    let body = format!("{}{}{}{CLOSING}", opening(2, "3.02"), row(1), row(2));
    assert_valid(&body, PAIN_001, "the test's own batch");
    let (rows, refusals) = all(&body).expect("it is a batch");
    assert_eq!((rows.len(), refusals), (2, vec![]));
    let transfer = &rows[1].transfer;
    let name = |party: &Option<crate::pacs008::Party>| party.as_ref().and_then(|p| p.name.clone());
    assert_eq!(name(&transfer.debtor).as_deref(), Some("Example Debtor"));
    assert_eq!(name(&transfer.creditor).as_deref(), Some("Example Creditor 2"));
    assert_eq!(name(&transfer.initiating_party).as_deref(), Some("Example Payroll"));
    assert_eq!(transfer.instructed_amount.as_ref().map(|a| a.value.as_str()), Some("2.01"));
    assert_eq!(transfer.uetr.as_deref(), Some("8a562c67-ca16-48ba-b074-000000000002"));
    assert_eq!(rows[1].payment.requested_execution_date.as_deref(), Some("2026-11-24"));
}

#[test]
fn totals_that_differ_are_named_at_the_end() {
    let good = format!("{}{}{}{CLOSING}", opening(2, "3.02"), row(1), row(2));
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "<NbOfTxs>2</NbOfTxs><CtrlSum>3.02</CtrlSum><InitgPty>",
            "<NbOfTxs>3</NbOfTxs><InitgPty>",
            &["AM19"],
        ),
        ("<CtrlSum>3.02</CtrlSum><InitgPty>", "<CtrlSum>3.03</CtrlSum><InitgPty>", &["AM10"]),
        ("<CtrlSum>3.02</CtrlSum><InitgPty>", "<CtrlSum>3.020000</CtrlSum><InitgPty>", &[]),
        (
            "<NbOfTxs>2</NbOfTxs><CtrlSum>3.02</CtrlSum><ReqdExctnDt>",
            "<NbOfTxs>1</NbOfTxs><ReqdExctnDt>",
            &["AM20"],
        ),
        ("<CtrlSum>3.02</CtrlSum><ReqdExctnDt>", "<CtrlSum>2</CtrlSum><ReqdExctnDt>", &["AM10"]),
        ("2.01</InstdAmt>", "2,01</InstdAmt>", &["AM10", "AM10"]),
    ];
    for (from, to, reasons) in cases {
        let (rows, refusals) = all(&good.replacen(from, to, 1)).expect("rows are read anyway");
        let found: Vec<&str> = refusals.iter().map(|refusal| refusal.reason.as_str()).collect();
        assert_eq!((rows.len(), found.as_slice()), (2, *reasons), "{to}");
    }
}

#[test]
fn what_is_wrong_with_a_row_stays_with_it() {
    let spoiled = row(2).replace("<Cdtr>", "<Cdtr><Nm>One name more</Nm>");
    let body = format!("{}{}{spoiled}{CLOSING}", opening(2, "3.02"), row(1));
    let (rows, _) = all(&body).expect("it is a batch");
    assert_eq!(rows[0].findings, vec![]);
    assert_eq!(rows[1].findings[0].path, "CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/Cdtr/Nm");
    let body = body.replace("<PmtMtd>TRF</PmtMtd>", "<PmtMtd>CASH</PmtMtd>");
    let (rows, _) = all(&body).expect("it is a batch");
    assert_eq!(rows[0].findings[0].path, "CstmrCdtTrfInitn/PmtInf/PmtMtd");
    assert_eq!((rows[0].findings.len(), rows[1].findings.len()), (1, 2), "it is said of all");
    let equivalent = "<EqvtAmt><Amt Ccy=\"HKD\">5</Amt><CcyOfTrf>PHP</CcyOfTrf></EqvtAmt>";
    let body = format!("{}{}{CLOSING}", opening(1, "5"), row(1))
        .replace("<InstdAmt Ccy=\"PHP\">1.01</InstdAmt>", equivalent);
    assert_valid(&body, PAIN_001, "an equivalent amount");
    let (rows, refusals) = all(&body).expect("it is a batch");
    let (amount, currency) = rows[0].equivalent_amount.clone().expect("it is there");
    assert_eq!((amount.value.as_str(), currency.as_str(), refusals), ("5", "PHP", vec![]));
}

#[test]
fn bodies_that_are_no_batch_are_refused_in_bounded_memory() {
    let good = format!("{}{}{CLOSING}", opening(1, "1.01"), row(1));
    let endless = "x".repeat(usize::try_from(PART_BYTES_MAX).expect("it fits") * 2);
    let cases: &[(String, &str)] = &[
        (String::new(), "no ISO 20022 message"),
        ("<a/>".to_owned(), "no ISO 20022 message"),
        ("hello".to_owned(), "outside every element"),
        (good.replace("pain.001.001.09", "pain.001.001.03"), "version"),
        (good.replace("<GrpHdr>", "<Other>").replace("</GrpHdr>", "</Other>"), "GrpHdr"),
        (good.replace("</PmtInf>", ""), "not well-formed"),
        (good[..good.len() - 40].to_owned(), "not closed"),
        (good.replace("November", &endless), "262144 bytes"),
        (good.replace("<RmtInf>", &format!("<{endless}>")), "262144 bytes"),
        (good.replace("November", &"<a>".repeat(70)), "deeper than 64"),
        (good.replace("<RmtInf>", &"<a/>".repeat(20_001)), "more than 20000 elements"),
        (
            good.replace(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
                "<!DOCTYPE a [<!ENTITY l \"lol\">]>",
            ),
            "document type",
        ),
        (good.replace("November", "&lol;"), "entity"),
        (good.replace("November", "\u{1}"), "character"),
        (good.replace("encoding=\"UTF-8\"", "encoding=\"UTF-16\""), "encoding"),
        (good.replace("<PmtMtd>", &"<ChrgBr>SHAR</ChrgBr>".repeat(40)), "too many elements"),
        (good.replace("<PmtInf>", "<Strange>").replace("</PmtInf>", "</Strange>"), "not expected"),
        (good.replace("<CstmrCdtTrfInitn>", &"<a>".repeat(65)), "GrpHdr"),
        ("<a>".repeat(100), "deeper than 64"),
    ];
    for (body, words) in cases {
        let shown: String = body.chars().take(80).collect();
        let refusal = all(body).expect_err("it is refused");
        assert_eq!(refusal.reason.as_str(), "FF01", "{shown}");
        assert!(refusal.text.contains(words), "{words}: {refusal}");
    }
    let broken = good.as_bytes().chain(Failing);
    let mut rows = Rows::open(BufReader::new(broken)).expect("it begins well");
    let refusal = std::iter::from_fn(|| rows.next_row().transpose()).find_map(Result::err);
    assert!(refusal.expect("it breaks off").text.contains("breaks off"));
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the line is cut"))
    }
}

#[test]
fn published_batches_are_read_row_by_row() {
    let Some(shared) = shared_data() else { return };
    let mut read_rows = 0;
    for (file, findings) in [
        ("cbpr/y2026_pain.001.max.xml", 0),
        ("cbpr/y2025_pain.001.min.xml", 0),
        ("cbpr-tests/2025_pain001_credit_initiation_sample.xml", 0),
    ] {
        let body = fs::read(shared.join("samples-open").join(file)).expect("the sample is there");
        let mut rows = Rows::open(body.as_slice()).expect("it is a batch");
        assert!(rows.app_hdr().is_some(), "{file}");
        while let Some(row) = rows.next_row().expect("it goes on") {
            assert_eq!(row.findings.len(), findings, "{file}: {:?}", row.findings);
            assert!(row.transfer.debtor.is_some() && row.transfer.uetr.is_some(), "{file}");
            read_rows += 1;
        }
    }
    assert_eq!(read_rows, 3);
}

#[test]
fn a_report_is_written_part_by_part() {
    let report = Report {
        message_id: "REPORT-1".to_owned(),
        created_at: "2026-11-24T10:00:00Z".to_owned(),
        original_message_id: Some("BATCH-1".to_owned()),
        original_message_name: Some(PAIN_001.to_owned()),
        original_number_of_transactions: Some("2".to_owned()),
        status: Some("PART".to_owned()),
        counts: vec![("ACSC".to_owned(), 1), ("RJCT".to_owned(), 1)],
        ..Report::default()
    };
    let payment = PaymentReport {
        payment_information_id: Some("PAY-1".to_owned()),
        status: Some("PART".to_owned()),
        reasons: vec![],
    };
    let settled = RowReport {
        end_to_end_id: Some("E-1".to_owned()),
        uetr: Some(UETR.to_owned()),
        status: "ACSC".to_owned(),
        clearing_system_reference: Some("42".to_owned()),
        ..RowReport::default()
    };
    let refused = RowReport {
        end_to_end_id: Some("E-2".to_owned()),
        uetr: Some("none".to_owned()),
        status: "RJCT".to_owned(),
        reasons: vec![ReasonInformation::of_code("AC03", "CdtrAcct/Id/IBAN: check digits")],
        ..RowReport::default()
    };
    let mut text = report.open(None).expect("it fits");
    text.push_str(&payment.open().expect("it fits"));
    for row in [&settled, &refused] {
        text.push_str(&row.write().expect("it fits"));
    }
    text.push_str(PaymentReport::close());
    text.push_str(Report::close(false));
    assert_eq!(read(text.as_bytes()).findings, vec![], "{text}");
    assert_valid(&text, PAIN_002, "own pain.002");
    assert!(!text.contains("none"), "a UETR that is none is left out");

    let wrong = RowReport { status: "SETTLED".to_owned(), ..settled };
    let error = wrong.write().expect_err("a status has four letters");
    assert!(error.to_string().contains("TxSts"), "{error}");
    let wrong = Report { created_at: "today".to_owned(), ..report };
    assert!(wrong.open(None).is_err());
}
