//! Every refusal, its reason and the order among them; each line spoils a good message and keeps
//! every spoil that comes later in the order, so that the first one must win.

use ledger_types::{CreditTransferStatus, StatusReason};

use super::{CREDITOR_AGENT, DEBTOR_AGENT, assert_valid, header, message, statement};
use crate::{
    inbound::{Inbound, read},
    pacs002::{PACS_002, answer},
    verdict::{self, Refusal, verdict},
};

fn judge(inbound: &Inbound) -> Result<(), Refusal> {
    verdict(inbound, &|bic| [DEBTOR_AGENT, CREDITOR_AGENT].contains(&bic.as_str()), &|currency| {
        ["HKD", "PHP", "JPY"].contains(&currency.as_str())
    })
}

/// Spoils in reverse order of the checks: (reason, element the words name, from, to).
const SPOILS: &[(&StatusReason, &str, &str, &str)] = &[
    (
        &verdict::CREDITOR_ACCOUNT,
        "CdtrAcct/Id/IBAN",
        "<Othr><Id>0917 000 0000</Id><SchmeNm><Cd>BBAN</Cd></SchmeNm></Othr>",
        "<IBAN>GB82WEST12345698765431</IBAN>",
    ),
    (
        &verdict::DEBTOR_ACCOUNT,
        "DbtrAcct/Id/IBAN",
        "<Othr><Id>HK-000-123456</Id><SchmeNm><Cd>BBAN</Cd></SchmeNm></Othr>",
        "<IBAN>GB82WEST12345698765431</IBAN>",
    ),
    (&verdict::AMOUNT_ZERO, "InstdAmt", "\"HKD\">500.00", "\"HKD\">0.00"),
    (&verdict::DECIMALS, "IntrBkSttlmAmt", "4037.90", "4037.901"),
    (&verdict::UETR_MISSING, "UETR", "<UETR>8a562c67-ca16-48ba-b074-65581be6f011</UETR>", ""),
    (&verdict::NUMBER_OF_TRANSACTIONS, "NbOfTxs", "<NbOfTxs>1<", "<NbOfTxs>2<"),
    (&verdict::CURRENCY_NOT_PROCESSABLE, "InstdAmt/@Ccy", "\"HKD\"", "\"SGD\""),
    (&verdict::CURRENCY_INVALID, "IntrBkSttlmAmt/@Ccy", "\"PHP\"", "\"ZZZ\""),
    (
        &verdict::AGENT_INCORRECT,
        "InstdAgt",
        "<InstdAgt><FinInstnId><BICFI>CWPHPHM0",
        "<InstdAgt><FinInstnId><BICFI>CWSGSGS0",
    ),
    (
        &verdict::CREDITOR_AGENT_UNKNOWN,
        "CdtrAgt",
        "<CdtrAgt><FinInstnId><BICFI>CWPHPHM0",
        "<CdtrAgt><FinInstnId><BICFI>CWSGSGS0",
    ),
    (
        &verdict::CREDITOR_AGENT_BIC,
        "CdtrAgt",
        "<BICFI>CWSGSGS0</BICFI></FinInstnId></CdtrAgt>",
        "</FinInstnId></CdtrAgt>",
    ),
    (
        &verdict::DEBTOR_AGENT_UNKNOWN,
        "DbtrAgt",
        "<DbtrAgt><FinInstnId><BICFI>CWHKHKH0",
        "<DbtrAgt><FinInstnId><BICFI>CWSGSGS0",
    ),
    (
        &verdict::BIC_FORMAT,
        "DbtrAgt",
        "<DbtrAgt><FinInstnId><BICFI>CWSGSGS0",
        "<DbtrAgt><FinInstnId><BICFI>CWSGZZS0",
    ),
    (&verdict::DEBTOR_AGENT_BIC, "DbtrAgt", "<BICFI>CWSGZZS0</BICFI>", ""),
    (&verdict::SETTLEMENT_METHOD, "SttlmMtd", "CLRG", "COVE"),
    (&verdict::CURRENCY_NOT_PROCESSABLE, "IntrBkSttlmAmt/@Ccy", "\"ZZZ\"", "\"XPT\""),
    (&verdict::FORMAT, "GrpHdr/MsgId", "<MsgId>MSG-20261123-0001</MsgId>", ""),
    (
        &verdict::FORMAT,
        "AppHdr/MsgDefIdr",
        "<MsgDefIdr>pacs.008.001.08",
        "<MsgDefIdr>pacs.009.001.08",
    ),
    (&verdict::FORMAT, "version", "xsd:pacs.008.001.08", "xsd:pacs.008.001.13"),
    (&verdict::FORMAT, "well-formed", "</GrpHdr>", "</GroupHeader>"),
];

#[test]
fn refusals_come_in_the_fixed_order_and_every_answer_is_valid() {
    let lines = message().write(Some(&header())).expect("the fixture is good");
    assert_eq!(judge(&read(lines.as_bytes())), Ok(()));
    let mut spoiled: String = lines.lines().map(str::trim).collect();
    for (reason, element, from, to) in SPOILS {
        assert!(spoiled.contains(from), "{from} in {spoiled}");
        spoiled = spoiled.replacen(from, to, 1);
        let inbound = read(spoiled.as_bytes());
        let refusal = judge(&inbound).expect_err("it is refused");
        assert_eq!(refusal.reason, **reason, "{refusal}");
        assert!(refusal.text.contains(element), "{element}: {refusal}");
        let report = answer(&inbound, &statement(CreditTransferStatus::Rejected, vec![refusal]))
            .expect("the fixture is good");
        assert_valid(&report, PACS_002, element);
    }
}

#[test]
fn intermediaries_must_take_part_and_a_missing_uetr_is_not_invented() {
    let mut message = message();
    message.credit_transfers[0].intermediary_agents =
        vec![crate::pacs008::Agent::of_bic("CWSGSGS0")];
    let inbound = read(message.write(None).expect("the fixture is good").as_bytes());
    assert_eq!(judge(&inbound).expect_err("it is refused").reason, verdict::INTERMEDIARY_AGENT);

    message.credit_transfers[0].intermediary_agents.clear();
    message.credit_transfers[0].uetr = None;
    let inbound = read(message.write(None).expect("the fixture is good").as_bytes());
    let refusal = judge(&inbound).expect_err("it is refused");
    assert_eq!(refusal.reason, verdict::UETR_MISSING);
    let report = answer(&inbound, &statement(CreditTransferStatus::Rejected, vec![refusal]))
        .expect("the fixture is good");
    assert!(!report.contains("OrgnlUETR"), "{report}");
    assert_valid(&report, PACS_002, "no UETR");
}

#[test]
fn another_message_is_refused_and_named_in_the_answer() {
    let body = message()
        .write(None)
        .expect("the fixture is good")
        .replace("pacs.008.001.08", "pacs.009.001.08")
        .replace("FIToFICstmrCdtTrf", "FICdtTrf");
    let inbound = read(body.as_bytes());
    let refusal = judge(&inbound).expect_err("it is refused");
    assert_eq!(refusal.reason, verdict::FORMAT);
    let report = answer(&inbound, &statement(CreditTransferStatus::Rejected, vec![refusal]))
        .expect("the fixture is good");
    assert!(report.contains("<OrgnlMsgNmId>pacs.009.001.08<"), "{report}");
    assert!(report.contains("<OrgnlEndToEndId>E2E &lt;&amp;&gt; 1<"), "{report}");
}
