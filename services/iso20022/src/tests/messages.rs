//! Round trips of the project's own messages, each judged by xmllint too; it knows no refusal.

use ledger_types::{ConfirmationStatus, CreditTransferStatus, StatusReason};

use super::{
    CREDITOR_AGENT, DEBTOR_AGENT, QUOTE, UETR, assert_valid, credit_transfer, header, message,
    statement,
};
use crate::{
    inbound::{PACS_008, read},
    pacs002::{self, PACS_002, answer},
    pacs008::{Agent, Charge, CodeOrProprietary, Pacs008},
    verdict::{self, Refusal},
    xml::{self, Element},
};

#[test]
fn a_written_credit_transfer_reads_back_the_same() {
    let mut rich = message();
    let transfer = &mut rich.credit_transfers[0];
    transfer.intermediary_agents = vec![Agent::of_bic(DEBTOR_AGENT); 3];
    transfer.ultimate_debtor = transfer.debtor.clone();
    transfer.ultimate_creditor = transfer.creditor.clone();
    transfer.payment_type.category_purpose = Some(CodeOrProprietary::Code("CASH".to_owned()));
    transfer.charges = vec![Charge {
        amount: transfer.instructed_amount.clone(),
        agent: Agent {
            clearing_system_id: Some(CodeOrProprietary::Code("USABA".to_owned())),
            clearing_system_member_id: Some("011104238".to_owned()),
            ..Agent::default()
        },
    }];
    let kept = |text: &str| {
        xml::read(text.as_bytes()).expect("the fixture is good").iter().map(Element::bare).collect()
    };
    transfer.related_remittance_information =
        kept("<RltdRmtInf><RmtId>A &lt; B</RmtId></RltdRmtInf>");
    transfer.structured_remittance_information = kept(
        "<Strd><RfrdDocInf><Nb>INV1</Nb></RfrdDocInf><RfrdDocAmt><RmtdAmt Ccy=\"PHP\">1.5</RmtdAmt>\
         </RfrdDocAmt></Strd><Strd><AddtlRmtInf>發票</AddtlRmtInf></Strd>",
    );
    assert_eq!(transfer.remittance_text(), "For the family – November INV1 PHP 1.5 發票 A < B");
    for (message, with_header) in [(message(), false), (message(), true), (rich, true)] {
        let head = with_header.then(header);
        let written = message.write(head.as_ref()).expect("the fixture is good");
        let read = read(written.as_bytes());
        assert_eq!((read.message, read.app_hdr), (message, head));
        assert_eq!((read.findings, read.message_name.as_deref()), (vec![], Some(PACS_008)));
        assert_valid(&written, PACS_008, "own pacs.008");
    }
}

#[test]
fn header_and_document_are_found_in_any_wrapping() {
    let written = message().write(Some(&header())).expect("the fixture is good");
    let bare = written.replace("<Envelope>", "").replace("</Envelope>", "");
    let nested = format!("<a><b><c>{bare}</c></b></a>")
        .replace("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "");
    let prefixed = message()
        .write(None)
        .expect("the fixture is good")
        .replace("</", "</p:")
        .replace("<", "<p:")
        .replace("<p:/p:", "</p:")
        .replace("<p:?", "<?")
        .replace("xmlns=", "xmlns:p=");
    for body in [bare, nested, prefixed] {
        let inbound = read(body.as_bytes());
        assert_eq!(inbound.message, message(), "{body}");
        assert_eq!(inbound.findings, vec![]);
    }
}

#[test]
fn a_quote_and_regulatory_text_are_extracted() {
    let mut transfer = credit_transfer();
    assert_eq!(transfer.quote_id(), Some(QUOTE));
    assert_eq!(transfer.regulatory_text("source of funds").as_deref(), Some("SALARY"));
    assert_eq!(transfer.regulatory_text("relationship"), None);
    for (text, expected) in
        [("/QUOTE/abc more", Some("abc")), ("/QUOTE/", None), ("/ACC/QUOTE/x", None), ("", None)]
    {
        transfer.instructions_for_next_agent[0].information = Some(text.to_owned());
        assert_eq!(transfer.quote_id(), expected, "{text}");
    }
}

#[test]
fn a_message_that_breaks_its_schema_is_not_written() {
    let mut wrong = message();
    wrong.credit_transfers[0].end_to_end_id = Some("x".repeat(36));
    let error = wrong.write(None).expect_err("it is refused").to_string();
    assert!(error.contains("CdtTrfTxInf/PmtId/EndToEndId: must have 1 to 35"), "{error}");
    assert!(Pacs008::default().write(None).is_err());
}

#[test]
fn every_status_makes_a_valid_report() {
    let inbound = read(message().write(Some(&header())).expect("the fixture is good").as_bytes());
    let long = "word ".repeat(60) + &"x".repeat(250);
    for status in [
        CreditTransferStatus::AcceptedTechnical,
        CreditTransferStatus::Pending,
        CreditTransferStatus::SettlementInProcess,
        CreditTransferStatus::SettlementCompleted,
        CreditTransferStatus::Confirmed(ConfirmationStatus::Credited),
        CreditTransferStatus::Rejected,
    ] {
        let mut statement = statement(status, vec![]);
        match status {
            CreditTransferStatus::Rejected => {
                statement.reasons =
                    vec![Refusal { reason: StatusReason::known(b"AM04"), text: long.clone() }]
            }
            CreditTransferStatus::Received
            | CreditTransferStatus::AcceptedTechnical
            | CreditTransferStatus::Pending
            | CreditTransferStatus::SettlementInProcess
            | CreditTransferStatus::SettlementCompleted
            | CreditTransferStatus::Confirmed(_)
            | CreditTransferStatus::Cancelled => {
                statement.accepted_at = Some("2026-11-23T02:15:31.5Z".to_owned());
                statement.clearing_system_reference = Some("42".to_owned());
            }
        }
        let report = answer(&inbound, &statement).expect("the fixture is good");
        assert_valid(&report, PACS_002, status.as_str());
        let roots = xml::read(report.as_bytes()).expect("the fixture is good");
        let info = roots[0].find("TxInfAndSts").expect("the fixture is good");
        assert_eq!(info.text_at(&["TxSts"]).as_deref(), Some(status.as_str()));
        assert_eq!(info.text_at(&["OrgnlUETR"]).as_deref(), Some(UETR));
        assert_eq!(info.text_at(&["OrgnlEndToEndId"]).as_deref(), Some("E2E <&> 1"));
        assert_eq!(info.text_at(&["OrgnlGrpInf", "OrgnlMsgNmId"]).as_deref(), Some(PACS_008));
        assert_eq!(
            info.text_at(&["InstgAgt", "FinInstnId", "BICFI"]).as_deref(),
            Some(CREDITOR_AGENT)
        );
    }
}

#[test]
fn originals_that_do_not_fit_still_make_a_valid_report() {
    let refusal = Refusal { reason: verdict::FORMAT, text: String::new() };
    let statement = statement(CreditTransferStatus::Rejected, vec![refusal]);
    let odd = Some("\u{1}<é>".repeat(20));
    let original = pacs002::Original {
        message_id: odd.clone(),
        message_name: odd.clone(),
        created_at: odd.clone(),
        instruction_id: odd.clone(),
        end_to_end_id: odd.clone(),
        transaction_id: Some(" \u{0} ".to_owned()),
        uetr: odd.clone(),
        sender_bic: odd,
    };
    for originals in [vec![original], vec![pacs002::Original::default()], vec![]] {
        let report = pacs002::write(&originals, &statement, true).expect("the fixture is good");
        assert_valid(&report, PACS_002, "odd original");
        assert!(!report.contains("OrgnlUETR"));
    }
    let mut wrong = statement;
    wrong.created_at = "yesterday".to_owned();
    assert!(pacs002::write(&[], &wrong, false).is_err());
}
