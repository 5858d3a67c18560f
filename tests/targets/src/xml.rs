//! ISO 20022 messages: any body has an answer that can be read, and a good message is written as it was read.
use ledger_types::{CreditTransferStatus, StatusReason};
use services_iso20022::{
    Inbound, Refusal,
    pacs002::{Statement, answer},
    read, verdict,
};

pub(crate) fn xml(bytes: &[u8]) {
    let inbound = read(bytes);
    let judged = verdict(&inbound, &|_| true, &|_| true);
    let reasons: Vec<Refusal> = judged.clone().err().into_iter().collect();
    let refused = statement(CreditTransferStatus::Rejected, reasons);
    if judged.is_err() {
        let report = answer(&inbound, &refused).expect("garbage gets an answer too");
        assert!(read(report.as_bytes()).unreadable.is_none(), "{report}");
        return;
    }
    assert!(answer(&inbound, &statement(CreditTransferStatus::Pending, Vec::new())).is_ok());
    written_again(&inbound);
}

/// What was accepted is written so that it reads as the same message.
fn written_again(inbound: &Inbound) {
    let Ok(text) = inbound.message.write(inbound.app_hdr.as_ref()) else { return };
    let again = read(text.as_bytes());
    assert!(again.unreadable.is_none(), "{text}");
    assert_eq!(format!("{:?}", again.message), format!("{:?}", inbound.message), "{text}");
}

fn statement(status: CreditTransferStatus, reasons: Vec<Refusal>) -> Statement {
    let silent = reasons.is_empty() && status == CreditTransferStatus::Rejected;
    let plain = || Refusal { reason: StatusReason::known(b"NARR"), text: String::new() };
    Statement {
        message_id: "0123456789abcdef0123456789abcdef".to_owned(),
        created_at: "2026-11-25T12:00:00Z".to_owned(),
        status,
        reasons: if silent { vec![plain()] } else { reasons },
        accepted_at: None,
        clearing_system_reference: None,
        instructing_agent_bic: None,
    }
}
