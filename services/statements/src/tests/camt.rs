//! Statements in XML: every version says the same, arithmetic holds or fails by the standard's rules,
//! and each thing that is wrong has its code.

use services_iso20022::statement::DETAILS_MAX;

use super::{codes, entries, items, judged};
use crate::{Code, CreditDebit, EntryStatus, Item, Verdict, ties::Tie};

/// A statement of one account in EUR, as the version of the message writes it.
pub(super) fn document(version: &str, statements: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}\"><BkToCstmrStmt>\
         <GrpHdr><MsgId>MSG-1</MsgId><CreDtTm>2026-11-24T01:00:00+08:00</CreDtTm></GrpHdr>\
         {statements}</BkToCstmrStmt></Document>"
    )
}

pub(super) fn balance(kind: &str, amount: &str, side: &str, day: &str) -> String {
    format!(
        "<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">{amount}</Amt>\
         <CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )
}

pub(super) fn head(number: u64) -> String {
    format!(
        "<Id>STMT-{number}</Id><ElctrncSeqNb>{number}</ElctrncSeqNb>\
         <CreDtTm>2026-11-24T01:00:00+08:00</CreDtTm>\
         <Acct><Id><Othr><Id>ACCT-1</Id></Othr></Id><Ccy>EUR</Ccy></Acct>"
    )
}

/// An entry; new versions write its status and its detail's amount otherwise.
pub(super) fn entry(amount: &str, side: &str, status: &str, new: bool) -> String {
    let (sts, detail, debtor) = if new {
        (
            format!("<Sts><Cd>{status}</Cd></Sts>"),
            format!("<Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>"),
            "<Dbtr><Pty><Nm>Example Debtor</Nm></Pty></Dbtr>",
        )
    } else {
        (
            format!("<Sts>{status}</Sts>"),
            format!("<AmtDtls><TxAmt><Amt Ccy=\"EUR\">{amount}</Amt></TxAmt></AmtDtls>"),
            "<Dbtr><Nm>Example Debtor</Nm></Dbtr>",
        )
    };
    let agent = if new { "BICFI" } else { "BIC" };
    format!(
        "<Ntry><NtryRef>R-1</NtryRef><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>{sts}\
         <BookgDt><Dt>2026-11-23</Dt></BookgDt><ValDt><Dt>2026-11-23</Dt></ValDt>\
         <AcctSvcrRef>SVC-1</AcctSvcrRef>\
         <BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>XBCT</SubFmlyCd></Fmly></Domn></BkTxCd>\
         <NtryDtls><TxDtls><Refs><InstrId>I-1</InstrId><EndToEndId>E-1</EndToEndId></Refs>{detail}\
         <RltdPties>{debtor}<DbtrAcct><Id><Othr><Id>ACCT-2</Id></Othr></Id></DbtrAcct></RltdPties>\
         <RltdAgts><DbtrAgt><FinInstnId><{agent}>CWHKHKH0</{agent}></FinInstnId></DbtrAgt></RltdAgts>\
         <RmtInf><Ustrd>November</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )
}

fn clean(new: bool) -> String {
    let (opening, closing) = (
        balance("OPBD", "100.00", "CRDT", "2026-11-23"),
        balance("CLBD", "87.45", "CRDT", "2026-11-23"),
    );
    let entries = entry("20.00", "DBIT", "BOOK", new) + &entry("7.45", "CRDT", "BOOK", new);
    format!("<Stmt>{}{opening}{closing}{entries}</Stmt>", head(7))
}

#[test]
fn a_statement_is_read_alike_in_every_version() {
    let mut read = Vec::new();
    for (version, new) in
        [("02", false), ("03", false), ("04", true), ("06", true), ("08", true), ("12", true)]
    {
        let (judged, items) = items(&document(version, &clean(new)), None);
        assert_eq!(judged.verdict, Verdict::Ok, "{version} {:?}", judged.findings);
        assert_eq!(judged.format, Some(format!("camt.053.001.{version}")));
        let [statement] = judged.statements.as_slice() else { panic!("{version} has one") };
        assert_eq!(statement.totals.entries, 2);
        assert_eq!(statement.arithmetic.balances, Tie::Holds, "{version}");
        assert_eq!(statement.arithmetic.details, Tie::Holds, "{version}");
        assert_eq!(statement.head.sequence(), Some(7));
        assert_eq!(statement.head.account.id.as_deref(), Some("ACCT-1"));
        assert_eq!(
            statement.opening.as_ref().map(|one| one.amount.to_string()).as_deref(),
            Some("100.00 EUR")
        );
        assert_eq!(
            statement.closing.as_ref().map(|one| one.amount.to_string()).as_deref(),
            Some("87.45 EUR")
        );
        let mut entry = entries(&items).next().expect("it has entries").clone();
        let detail = &mut entry.details[0];
        assert_eq!(detail.references.end_to_end_id.as_deref(), Some("E-1"));
        assert_eq!(detail.parties.debtor.as_deref(), Some("Example Debtor"));
        assert_eq!(detail.parties.debtor_account.as_deref(), Some("ACCT-2"));
        assert_eq!(detail.parties.debtor_agent.as_deref(), Some("CWHKHKH0"));
        // The only thing that early versions can't say.
        detail.credit_debit = None;
        read.push((entry, statement.content.clone()));
    }
    assert!(read.windows(2).all(|pair| pair[0] == pair[1]), "{read:#?}");
}

#[test]
fn what_is_not_booked_is_left_out_and_a_reversal_counts_by_its_direction() {
    let report = |entries: &str| {
        let body = format!(
            "<Rpt>{}{}{}{entries}</Rpt>",
            head(1),
            balance("OPBD", "100.00", "CRDT", "2026-11-23"),
            balance("CLBD", "112.00", "CRDT", "2026-11-23")
        );
        document("08", &body)
            .replace("camt.053", "camt.052")
            .replace("BkToCstmrStmt", "BkToCstmrAcctRpt")
    };
    let reversal = entry("12.00", "CRDT", "BOOK", true)
        .replace("</CdtDbtInd><Sts>", "</CdtDbtInd><RvslInd>true</RvslInd><Sts>");
    let all = [
        reversal.clone(),
        entry("5.00", "CRDT", "PDNG", true),
        entry("6.00", "DBIT", "INFO", true),
        entry("7.00", "DBIT", "FUTR", true),
    ];
    let (judged, items) = items(&report(&all.concat()), None);
    assert_eq!(codes(&judged), [], "{:?}", judged.findings);
    assert_eq!(judged.statements[0].arithmetic.balances, Tie::Holds);
    let totals = judged.statements[0].totals;
    assert_eq!((totals.entries, totals.pending, totals.other), (4, 1, 2));
    let reversed = entries(&items).any(|entry| {
        entry.reversal
            && entry.credit_debit == CreditDebit::Credit
            && entry.status == EntryStatus::Booked
    });
    assert!(reversed);
    let debit = report(&reversal.replacen("CRDT", "DBIT", 1));
    assert!(codes(&super::judged(&debit)).contains(&Code::BalanceDiffers));
}

/// One change to a clean statement, and what it is called.
const CASES: &[(&str, &str, Code)] = &[
    (
        "<Amt Ccy=\"EUR\">20.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>",
        "<Amt Ccy=\"EUR\">20,00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>",
        Code::AmountUnreadable,
    ),
    (
        "<Amt Ccy=\"EUR\">20.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>",
        "<Amt Ccy=\"EUR\">-20.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>",
        Code::AmountUnreadable,
    ),
    ("<CdtDbtInd>DBIT</CdtDbtInd><Sts>", "<Sts>", Code::AmountUnreadable),
    ("<Amt Ccy=\"EUR\">100.00</Amt>", "<Amt>100.00</Amt>", Code::AmountUnreadable),
    (
        "<Amt Ccy=\"EUR\">20.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>",
        "<Amt Ccy=\"USD\">20.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>",
        Code::CurrencyDiffers,
    ),
    ("<Acct><Id><Othr><Id>ACCT-1</Id></Othr></Id><Ccy>EUR</Ccy></Acct>", "", Code::AccountMissing),
    ("<Stmt>", "<!DOCTYPE a><Stmt>", Code::DocumentType),
    ("November", "&lol;", Code::DocumentType),
    ("November</Ustrd>", "November</Ustr>", Code::Malformed),
    ("<BkToCstmrStmt>", "<FIToFICstmrCdtTrf>", Code::NotAStatement),
    ("encoding=\"UTF-8\"", "encoding=\"UTF-16\"", Code::EncodingUnknown),
    ("camt.053.001.08", "camt.053.001.99", Code::Version),
    ("<ElctrncSeqNb>7</ElctrncSeqNb>", "<ElctrncSeqNb>seven</ElctrncSeqNb>", Code::FieldMalformed),
    ("<Id>STMT-7</Id>", "", Code::IdMissing),
    ("<Acct>", "<CpyDplctInd>DUPL</CpyDplctInd><Acct>", Code::CopyDuplicate),
    (">87.45<", ">87.454<", Code::AmountDecimals),
    (">87.45<", ">87.46<", Code::BalanceDiffers),
    ("<Cd>CLBD</Cd>", "<Cd>CLAV</Cd>", Code::ClosingMissing),
    ("<Cd>OPBD</Cd>", "<Cd>OPAV</Cd>", Code::OpeningMissing),
    ("<Sts><Cd>BOOK</Cd></Sts>", "", Code::StatusMissing),
    ("<Cd>BOOK</Cd>", "<Cd>PDNG</Cd>", Code::StatusUnexpected),
    (
        "<BookgDt><Dt>2026-11-23</Dt></BookgDt><ValDt><Dt>2026-11-23</Dt></ValDt>",
        "",
        Code::DateMissing,
    ),
    ("<BookgDt><Dt>2026-11-23</Dt>", "<BookgDt><Dt>2026-11-31</Dt>", Code::DateUnreadable),
    (
        "<AcctSvcrRef>SVC-1</AcctSvcrRef>",
        "<AcctSvcrRef>a reference that is longer than thirty-five</AcctSvcrRef>",
        Code::Xsd,
    ),
    (
        "<Amt Ccy=\"EUR\">20.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><RltdPties>",
        "<Amt Ccy=\"EUR\">20.01</Amt><CdtDbtInd>DBIT</CdtDbtInd><RltdPties>",
        Code::DetailsSumDiffers,
    ),
    (
        "<Amt Ccy=\"EUR\">20.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><RltdPties>",
        "<Amt>20.01</Amt><CdtDbtInd>DBIT</CdtDbtInd><RltdPties>",
        Code::DetailUnreadable,
    ),
    ("<NtryDtls>", "<NtryDtls><Btch><NbOfTxs>2</NbOfTxs></Btch>", Code::BatchCountDiffers),
    (
        "<NtryDtls>",
        "<NtryDtls><Btch><TtlAmt Ccy=\"EUR\">20.02</TtlAmt></Btch>",
        Code::BatchSumDiffers,
    ),
    ("<Ntry>", "<Odd/><Ntry>", Code::FieldUnknown),
    ("</Stmt>", "<LglSeqNb>3</LglSeqNb></Stmt>", Code::ElementOutOfOrder),
    (
        "<Ntry>",
        "<TxsSummry><TtlNtries><NbOfNtries>3</NbOfNtries></TtlNtries></TxsSummry><Ntry>",
        Code::SummaryCountDiffers,
    ),
    (
        "<Ntry>",
        "<TxsSummry><TtlDbtNtries><Sum>20.01</Sum></TtlDbtNtries></TxsSummry><Ntry>",
        Code::SummarySumDiffers,
    ),
    (
        "<Ntry>",
        "<TxsSummry><TtlNtries><TtlNetNtry><Amt>12.55</Amt><CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry></TtlNtries></TxsSummry><Ntry>",
        Code::SummarySumDiffers,
    ),
    (
        "<Bal>",
        "<Bal><Tp><CdOrPrtry><Cd>INFO</Cd></CdOrPrtry></Tp></Bal><Bal>",
        Code::BalanceUnreadable,
    ),
    (
        "<Bal>",
        "<Bal><Tp><CdOrPrtry><Cd>INFO</Cd></CdOrPrtry></Tp><Amt Ccy=\"USD\">1</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal><Bal>",
        Code::BalanceCurrency,
    ),
];

#[test]
fn what_is_wrong_has_its_code() {
    let clean = document("08", &clean(true));
    assert_eq!(codes(&judged(&clean)), []);
    for (from, to, code) in CASES {
        let bent = clean.replacen(from, to, 1);
        assert_ne!(bent, clean, "{from} is in the fixture");
        let judged = judged(&bent);
        assert!(codes(&judged).contains(code), "{to}: {code:?} is not in {:?}", judged.findings);
        let refused = judged.verdict == Verdict::Refused;
        assert_eq!(
            refused,
            code.severity() == crate::Severity::Refuse,
            "{to} {:?}",
            judged.findings
        );
    }
}

#[test]
fn repeated_and_contradicting_balances_are_found() {
    let with = |more: &str| {
        let clean = document("08", &clean(true));
        codes(&judged(&clean.replacen("<Bal>", &format!("{more}<Bal>"), 1)))
    };
    assert_eq!(with(&balance("OPBD", "100.00", "CRDT", "2026-11-23")), []);
    assert_eq!(with(&balance("CLBD", "1.00", "CRDT", "2026-11-23"))[0], Code::BalanceRepeated);
    assert_eq!(with(&balance("PRCD", "100.00", "CRDT", "2026-11-22")), []);
    assert_eq!(with(&balance("PRCD", "99.00", "CRDT", "2026-11-22")), [Code::OpeningDiffers]);
}

#[test]
fn totals_hold_whether_the_servicer_counts_all_entries_or_those_booked() {
    let summary = |number: u64, sum: &str| {
        format!(
            "<TxsSummry><TtlNtries><NbOfNtries>{number}</NbOfNtries><Sum>{sum}</Sum></TtlNtries></TxsSummry>"
        )
    };
    for (number, sum) in [(2, "27.45"), (3, "32.45")] {
        let body = clean(true).replacen(
            "<Ntry>",
            &(summary(number, sum) + &entry("5.00", "CRDT", "PDNG", true) + "<Ntry>"),
            1,
        );
        let judged = judged(&document("08", &body));
        assert_eq!(codes(&judged), [Code::StatusUnexpected], "a statement lists what is booked");
        assert_eq!(judged.statements[0].arithmetic.summary, Tie::Holds);
    }
}

#[test]
fn charges_explain_the_difference_between_an_entry_and_its_details() {
    let charged = |charges: &str| {
        let entry = entry("20.00", "DBIT", "BOOK", true)
            .replace("<NtryDtls>", &format!("{charges}<NtryDtls>"))
            .replace(
                "<Amt Ccy=\"EUR\">20.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><RltdPties>",
                "<Amt Ccy=\"EUR\">18.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><RltdPties>",
            );
        let closing = balance("CLBD", "80.00", "CRDT", "2026-11-23");
        let opening = balance("OPBD", "100.00", "CRDT", "2026-11-23");
        judged(&document("08", &format!("<Stmt>{}{opening}{closing}{entry}</Stmt>", head(1))))
    };
    assert_eq!(codes(&charged("")), [Code::DetailsSumDiffers]);
    let total = "<Chrgs><TtlChrgsAndTaxAmt Ccy=\"EUR\">1.50</TtlChrgsAndTaxAmt></Chrgs>";
    assert_eq!(codes(&charged(total)), []);
    let record = |amount: &str| {
        format!("<Rcrd><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd></Rcrd>")
    };
    assert_eq!(
        codes(&charged(&format!("<Chrgs>{}{}</Chrgs>", record("1.00"), record("0.50")))),
        []
    );
    assert_eq!(
        codes(&charged(&format!("<Chrgs>{}</Chrgs>", record("1.00")))),
        [Code::DetailsSumDiffers]
    );
}

#[test]
fn a_large_batch_comes_in_pieces_and_ties() {
    let batch = |number: usize, sum: &str, off: &str| {
        let details: String = (1..=number)
            .map(|at| format!("<TxDtls><Refs><EndToEndId>E-{at}</EndToEndId></Refs><Amt Ccy=\"EUR\">{}</Amt><CdtDbtInd>DBIT</CdtDbtInd></TxDtls>", if at == 1 { off } else { "1.01" }))
            .collect();
        let one = entry(sum, "DBIT", "BOOK", true);
        let (start, rest) = one.split_once("<NtryDtls>").expect("it has details");
        let (_, end) = rest.split_once("</NtryDtls>").expect("they end");
        let btch = format!(
            "<Btch><NbOfTxs>{number}</NbOfTxs><TtlAmt Ccy=\"EUR\">{sum}</TtlAmt><CdtDbtInd>DBIT</CdtDbtInd></Btch>"
        );
        let entries = format!("{start}<NtryDtls>{btch}{details}</NtryDtls>{end}");
        let opening = balance("OPBD", "0.00", "CRDT", "2026-11-23");
        let closing = balance("CLBD", sum, "DBIT", "2026-11-23");
        document("08", &format!("<Stmt>{}{opening}{closing}{entries}</Stmt>", head(1)))
    };
    let (judged, items) = items(&batch(2_500, "2525.00", "1.01"), None);
    assert_eq!(codes(&judged), [], "{:?}", judged.findings);
    assert_eq!(judged.statements[0].totals.details, 2_500);
    assert_eq!(judged.statements[0].arithmetic.details, Tie::Holds);
    let pieces: Vec<usize> = items
        .iter()
        .filter_map(|item| match item {
            Item::Details { entry: 1, details } => Some(details.len()),
            Item::Entry(entry) => Some(entry.details.len()),
            Item::Details { .. }
            | Item::Opened(_)
            | Item::Balance(_)
            | Item::Summary(_)
            | Item::Finding(_)
            | Item::Closed(_) => None,
        })
        .collect();
    assert_eq!(pieces, vec![DETAILS_MAX; 25]);
    let off = super::judged(&batch(150, "151.50", "1.02"));
    assert_eq!(codes(&off), [Code::DetailsSumDiffers, Code::BatchSumDiffers]);
}

#[test]
fn a_message_is_found_in_its_envelope_and_told_apart_from_its_header() {
    let document = document("08", &clean(true));
    let (_, document) = document.split_once('\n').expect("a declaration comes first");
    let header = "<AppHdr xmlns=\"urn:iso:std:iso:20022:tech:xsd:head.001.001.02\">\
                  <MsgDefIdr>camt.053.001.02</MsgDefIdr></AppHdr>";
    let wrapped = format!(
        "\u{feff}<env:Body xmlns:env=\"urn:example\"><env:Id>7</env:Id>{header}{document}</env:Body>"
    );
    let judged = judged(&wrapped);
    assert_eq!(codes(&judged), [Code::HeaderDiffers], "{:?}", judged.findings);
    assert_eq!(judged.entries(), 2);
}
