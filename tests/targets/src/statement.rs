//! Account statements in any format: every file has a verdict that follows from its findings, and what passes is in order.
use services_statements::{Item, Severity, Verdict, csv::ColumnMap, judge, ties::Tie};

const MT: &str = ":20:STMT-1\n:25:ACCT-1\n:28C:7/1\n:60F:C261122EUR100,00\n\
                  :61:2611231123D20,00NTRFREF-1//SVC-1\n:86:/EREF/E2E-1/REMI/November\n\
                  :61:261123RD7,45NTRFNONREF\n:86:166?00TEXT?20EREF+E2E-2?32EXAMPLE\n\
                  :62F:C261123EUR87,45\n";
const CSV: &str = "account,currency,booking_date,amount,balance\n\
                   ACCT-1,EUR,2026-11-23,-20.00,80.00\nACCT-1,EUR,2026-11-23,7.45,87.45\n";
const CAMT: &str = "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt>\
    <GrpHdr><MsgId>M</MsgId><CreDtTm>2026-11-24T01:00:00Z</CreDtTm></GrpHdr><Stmt><Id>S</Id>\
    <StmtPgntn><PgNb>1</PgNb><LastPgInd>true</LastPgInd></StmtPgntn><ElctrncSeqNb>7</ElctrncSeqNb>\
    <Acct><Id><Othr><Id>A</Id></Othr></Id><Ccy>EUR</Ccy></Acct>\
    <Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">1.00</Amt>\
    <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal>\
    <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">3.00</Amt>\
    <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal>\
    <TxsSummry><TtlNtries><NbOfNtries>1</NbOfNtries><Sum>2.00</Sum></TtlNtries></TxsSummry>\
    <Ntry><Amt Ccy=\"EUR\">2.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>\
    <BookgDt><Dt>2026-11-23</Dt></BookgDt><BkTxCd><Prtry><Cd>X</Cd></Prtry></BkTxCd>\
    <NtryDtls><Btch><NbOfTxs>2</NbOfTxs><TtlAmt Ccy=\"EUR\">2.00</TtlAmt></Btch>\
    <TxDtls><Refs><EndToEndId>E-1</EndToEndId></Refs><Amt Ccy=\"EUR\">0.50</Amt></TxDtls>\
    <TxDtls><Amt Ccy=\"EUR\">1.50</Amt></TxDtls></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>";

pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let fin = format!("{{1:F01CWHKHKH0AXXX0000000000}}{{2:I940CWPHPHM0XXXXN}}{{4:\n{MT}-}}");
    let seeds = [("mt940", MT.to_owned()), ("fin", fin), ("csv", CSV.to_owned())];
    let seeds = seeds.into_iter().chain([("camt053", CAMT.to_owned())]);
    seeds.map(|(name, text)| (name, text.into_bytes())).collect()
}

pub(crate) fn statement(bytes: &[u8]) {
    let mut open = false;
    let mut entries = 0;
    let judged = judge(bytes, Some(&ColumnMap::default()), &mut |item| match item {
        Item::Opened(_) => {
            assert!(!open, "one statement at a time");
            open = true;
        }
        Item::Closed(head) => {
            assert!(open && head.account.id.is_some(), "a statement belongs to an account");
            open = false;
        }
        Item::Entry(entry) => {
            assert!(open && !entry.amount.currency.is_empty());
            entries += 1;
        }
        Item::Balance(_) | Item::Summary(_) | Item::Details { .. } | Item::Finding(_) => {}
    });
    let refused = judged.findings.iter().any(|one| one.severity() == Severity::Refuse);
    let expected = match (refused, judged.findings.is_empty()) {
        (true, _) => Verdict::Refused,
        (false, true) => Verdict::Ok,
        (false, false) => Verdict::Findings,
    };
    assert_eq!(judged.verdict, expected);
    assert!(judged.entries() <= entries);
    if !refused {
        assert!(judged.format.is_some() && !open && judged.entries() == entries);
    }
    // What fails has a finding that says so.
    let fails = judged.arithmetic().verdict() == Tie::Fails;
    assert!(!fails || judged.verdict != Verdict::Ok);
}
