//! ISO 20022 messages: any body has an answer that can be read, and a good message is written as it was read.
use ledger_types::{CreditTransferStatus, StatusReason};
use services_iso20022::{
    Inbound, Refusal,
    camt029::{CAMT_029, Camt029},
    camt056::{CAMT_056, Camt056},
    check::{self, Verdict},
    life_cycle::{Instruction, RecallAnswerFacts, RecallFacts, ReturnFacts, instruction},
    pacs002::{Statement, answer},
    pacs004::{PACS_004, Pacs004},
    pacs008::WriteError,
    pacs028::{PACS_028, Pacs028},
    pain001::Rows,
    policy::Profile,
    read, verdict,
    xml::Element,
};

pub(crate) fn xml(bytes: &[u8]) {
    let inbound = read(bytes);
    others(bytes, &inbound);
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

/// Whatever else it may be has an answer too: a judgement, an instruction, a batch.
fn others(bytes: &[u8], inbound: &Inbound) {
    for profile in Profile::ALL {
        let checked = check::check(bytes, profile);
        assert_eq!(checked.verdict == Verdict::Ok, checked.findings.is_empty());
    }
    match instruction(inbound) {
        Err(refusal) => {
            let refused = statement(CreditTransferStatus::Rejected, vec![refusal]);
            assert!(answer(inbound, &refused).is_ok(), "what is refused gets an answer");
        }
        Ok(Instruction::Return(message)) => {
            let _facts = ReturnFacts::of(&message);
            again(&message, message.write(None), PACS_004, Pacs004::read);
        }
        Ok(Instruction::StatusRequest(message)) => {
            again(&message, message.write(None), PACS_028, Pacs028::read);
        }
        Ok(Instruction::Recall(message)) => {
            let _facts = RecallFacts::of(&message);
            again(&message, message.write(None), CAMT_056, Camt056::read);
        }
        Ok(Instruction::RecallAnswer(message)) => {
            let _facts = RecallAnswerFacts::of(&message);
            again(&message, message.write(None), CAMT_029, Camt029::read);
        }
        Ok(Instruction::CreditTransfer) => {}
    }
    if let Ok(mut rows) = Rows::open(bytes) {
        while let Ok(Some(row)) = rows.next_row() {
            assert!(row.number > 0);
        }
        let _differences = rows.refusals();
    }
}

/// What could be written reads back as what was written.
fn again<M: std::fmt::Debug>(
    message: &M,
    written: Result<String, WriteError>,
    name: &str,
    of: fn(&Element) -> M,
) {
    let Ok(text) = written else { return };
    let read = read(text.as_bytes());
    let own = read.root_of(name).map(of).expect("it was just written");
    assert_eq!(format!("{own:?}"), format!("{message:?}"), "{text}");
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
