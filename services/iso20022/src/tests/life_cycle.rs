//! Returns, recalls, their answers, questions and notifications: each is written, judged by xmllint,
//! read back the same, and refused in a fixed order. It knows no gateway.

use ledger_types::CreditTransferStatus;

use super::{
    CREDITOR_AGENT, DEBTOR_AGENT, UETR, account, assert_valid, debtor, header, message,
    shared_data, spoil, statement,
};
use crate::{
    Refusal,
    amount::Amount,
    camt029::{Answer, CAMT_029, Camt029, Resolution},
    camt054::{BankTransactionCode, CAMT_054, Camt054, Entry, Notification, Transaction},
    camt056::{Assignment, CAMT_056, Camt056, Cancellation, Case},
    head::AppHdr,
    inbound::{CHECKED, Inbound, read},
    life_cycle::{
        Instruction, RecallAnswerFacts, RecallFacts, RecallOutcome, ReturnFacts, instruction,
        status_requests,
    },
    original::{OriginalPayment, ReasonInformation},
    pacs002::{self, PACS_002, Pacs002, answer},
    pacs004::{PACS_004, Pacs004, PaymentReturn, ReturnChain},
    pacs008::{Agent, CodeOrProprietary, GroupHeader, Party},
    pacs028::{PACS_028, Pacs028, StatusRequest},
    verdict,
};

const RETURN_UETR: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";

fn original() -> OriginalPayment {
    OriginalPayment {
        message_id: Some("MSG-20261123-0001".to_owned()),
        message_name: Some("pacs.008.001.08".to_owned()),
        created_at: Some("2026-11-23T10:15:30.250+08:00".to_owned()),
        instruction_id: Some("INSTR-1".to_owned()),
        end_to_end_id: Some("E2E <&> 1".to_owned()),
        transaction_id: Some("TX-1".to_owned()),
        uetr: Some(UETR.to_owned()),
        interbank_settlement_amount: Some(Amount::from_minor_units("PHP", 403_790, 2)),
        interbank_settlement_date: Some("2026-11-23".to_owned()),
    }
}

/// The ids alone, as messages name a payment that carry no amount of it.
fn ids() -> OriginalPayment {
    OriginalPayment {
        interbank_settlement_amount: None,
        interbank_settlement_date: None,
        ..original()
    }
}

fn agent(bic: &str) -> Option<Agent> {
    Some(Agent::of_bic(bic))
}

fn payment_return() -> Pacs004 {
    let group_header = GroupHeader {
        message_id: Some("RET-1".to_owned()),
        created_at: Some("2026-11-24T09:00:00+08:00".to_owned()),
        number_of_transactions: Some("1".to_owned()),
        settlement_method: Some("CLRG".to_owned()),
        clearing_system: Some(CodeOrProprietary::Proprietary("CAUSEWAY".to_owned())),
        ..GroupHeader::default()
    };
    let one = PaymentReturn {
        return_id: Some(RETURN_UETR.replace('-', "")),
        original: original(),
        returned_amount: Some(Amount::from_minor_units("PHP", 100_000, 2)),
        interbank_settlement_date: Some("2026-11-24".to_owned()),
        charge_bearer: Some("SHAR".to_owned()),
        instructing_agent: agent(CREDITOR_AGENT),
        instructed_agent: agent(DEBTOR_AGENT),
        chain: Some(ReturnChain {
            debtor: Some(Party { name: Some("Example Creditor".to_owned()), ..Party::default() }),
            debtor_agent: agent(CREDITOR_AGENT),
            creditor_agent: agent(DEBTOR_AGENT),
            creditor: Some(debtor()),
        }),
        reasons: vec![ReasonInformation::of_code("CUST", "PART")],
        ..PaymentReturn::default()
    };
    Pacs004 { group_header, returns: vec![one] }
}

fn status_request() -> Pacs028 {
    Pacs028 {
        message_id: Some("ASK-1".to_owned()),
        created_at: Some("2026-11-24T09:00:00+08:00".to_owned()),
        instructing_agent: None,
        instructed_agent: None,
        requests: vec![StatusRequest {
            request_id: Some("ASK-1-1".to_owned()),
            original: ids(),
            instructing_agent: agent(DEBTOR_AGENT),
            instructed_agent: agent(CREDITOR_AGENT),
        }],
    }
}

fn recall() -> Camt056 {
    let case = Case { id: Some("CASE-1".to_owned()), creator: agent(DEBTOR_AGENT) };
    Camt056 {
        assignment: Assignment {
            id: Some("RECALL-1".to_owned()),
            assigner: agent(DEBTOR_AGENT),
            assignee: agent(CREDITOR_AGENT),
            created_at: Some("2026-11-24T09:00:00+08:00".to_owned()),
        },
        case: Some(case.clone()),
        cancellations: vec![Cancellation {
            cancellation_id: Some("CXL-1".to_owned()),
            case: Some(case),
            original: original(),
            assigner: agent(DEBTOR_AGENT),
            assignee: agent(CREDITOR_AGENT),
            reasons: vec![ReasonInformation::of_code("DUPL", "sent twice by the same wallet")],
        }],
    }
}

fn notification() -> Camt054 {
    let amount = Some(Amount::from_minor_units("PHP", 403_790, 2));
    let transaction = Transaction {
        instruction_id: Some("INSTR-1".to_owned()),
        end_to_end_id: Some("E2E-1".to_owned()),
        uetr: Some(UETR.to_owned()),
        amount: amount.clone(),
        credit_debit: Some("CRDT".to_owned()),
        instructed_amount: Some(Amount::from_minor_units("HKD", 50_000, 2)),
        debtor: Some(debtor()),
        debtor_account: Some(account("HK-000-123456", "BBAN")),
        creditor: Some(Party { name: Some("Example Creditor".to_owned()), ..Party::default() }),
        debtor_agent: agent(DEBTOR_AGENT),
        creditor_agent: agent(CREDITOR_AGENT),
        purpose: Some(CodeOrProprietary::Code("GIFT".to_owned())),
        remittance_information: vec!["November".to_owned()],
        interbank_settlement_date: Some("2026-11-23".to_owned()),
        ..Transaction::default()
    };
    let entry = Entry {
        reference: Some("1".to_owned()),
        amount,
        credit_debit: Some("CRDT".to_owned()),
        status: Some(CodeOrProprietary::Code("BOOK".to_owned())),
        booked_at: Some("2026-11-23T10:15:31+08:00".to_owned()),
        value_date: Some("2026-11-23".to_owned()),
        servicer_reference: Some("42".to_owned()),
        bank_transaction_code: Some(BankTransactionCode::cross_border_credit()),
        transactions: vec![transaction],
        ..Entry::default()
    };
    Camt054 {
        message_id: Some("NOTE-1".to_owned()),
        created_at: Some("2026-11-23T10:15:32+08:00".to_owned()),
        notifications: vec![Notification {
            id: Some("NOTE-1-1".to_owned()),
            created_at: None,
            account: account("0917 000 0000", "BBAN"),
            owner: None,
            servicer: agent(CREDITOR_AGENT),
            entries: vec![entry],
        }],
    }
}

fn head(message: &str) -> AppHdr {
    AppHdr { message_definition_id: Some(message.to_owned()), ..header() }
}

fn checked(written: &str, message: &str) -> Inbound {
    let inbound = read(written.as_bytes());
    assert_eq!(inbound.findings, vec![], "{written}");
    assert_eq!(inbound.message_name.as_deref(), Some(message));
    assert_eq!(inbound.app_hdr, Some(head(message)));
    assert_valid(written, message, message);
    inbound
}

#[test]
fn each_message_reads_back_as_it_was_written() {
    let own = payment_return();
    let inbound = checked(&own.write(Some(&head(PACS_004))).expect("it fits"), PACS_004);
    assert_eq!(instruction(&inbound), Ok(Instruction::Return(own)));

    let own = status_request();
    let inbound = checked(&own.write(Some(&head(PACS_028))).expect("it fits"), PACS_028);
    assert_eq!(instruction(&inbound), Ok(Instruction::StatusRequest(own)));

    let own = recall();
    let inbound = checked(&own.write(Some(&head(CAMT_056))).expect("it fits"), CAMT_056);
    assert_eq!(instruction(&inbound), Ok(Instruction::Recall(own)));

    let own = notification();
    let inbound = checked(&own.write(Some(&head(CAMT_054))).expect("it fits"), CAMT_054);
    assert_eq!(inbound.root_of(CAMT_054).map(Camt054::read), Some(own));

    let pacs008 = message().write(Some(&header())).expect("it fits");
    assert_eq!(instruction(&read(pacs008.as_bytes())), Ok(Instruction::CreditTransfer));
}

#[test]
fn a_recall_is_answered_in_its_own_words() {
    let returned_by = Resolution {
        uetr: Some(RETURN_UETR.to_owned()),
        interbank_settlement_amount: Some(Amount::from_minor_units("PHP", 403_790, 2)),
        interbank_settlement_date: Some("2026-11-25".to_owned()),
    };
    let long = "word ".repeat(60);
    let cases = [
        (Answer::Cancelled { returned_by: None }, RecallOutcome::Accepted),
        (Answer::Cancelled { returned_by: Some(returned_by) }, RecallOutcome::Accepted),
        (Answer::Refused { reason: "AM04".to_owned(), text: long.clone() }, RecallOutcome::Refused),
        (Answer::Pending { text: long }, RecallOutcome::Pending),
        (Answer::Pending { text: String::new() }, RecallOutcome::Pending),
    ];
    for (given, outcome) in cases {
        let own = Camt029::answer(&recall(), "ANSWER-1", "2026-11-25T09:00:00Z", &given);
        let inbound = checked(&own.write(Some(&head(CAMT_029))).expect("it fits"), CAMT_029);
        assert_eq!(instruction(&inbound), Ok(Instruction::RecallAnswer(own.clone())));
        let facts = RecallAnswerFacts::of(&own).expect("it answers one");
        assert_eq!((facts.outcome, facts.case_id.as_str()), (outcome, "CASE-1"));
        assert_eq!(facts.original_uetr.to_string(), UETR);
        let refused = facts.reason.map(|reason| reason.as_str().to_owned());
        assert_eq!(refused.as_deref(), (outcome == RecallOutcome::Refused).then_some("AM04"));
        let returned = matches!(given, Answer::Cancelled { returned_by: Some(_) });
        let expected = returned.then(|| RETURN_UETR.to_owned());
        assert_eq!(facts.return_uetr.map(|uetr| uetr.to_string()), expected);
        assert_eq!(own.assignment.assigner, agent(CREDITOR_AGENT), "it goes the other way");
        let taken = statement(CreditTransferStatus::SettlementCompleted, vec![]);
        let report = answer(&inbound, &taken).expect("it can be reported on");
        assert!(report.contains(&format!("<OrgnlUETR>{UETR}</OrgnlUETR>")), "{report}");
    }
}

#[test]
fn facts_are_what_the_messages_say() {
    let facts = ReturnFacts::of(&payment_return()).expect("it is one return");
    assert_eq!(facts.original_uetr.to_string(), UETR);
    assert_eq!(facts.own_uetr.map(|uetr| uetr.to_string()).as_deref(), Some(RETURN_UETR));
    assert_eq!(facts.amount, Amount::from_minor_units("PHP", 100_000, 2));
    assert_eq!((facts.reason.as_str(), facts.text.as_str()), ("CUST", "PART"));

    let facts = RecallFacts::of(&recall()).expect("it is one recall");
    assert_eq!((facts.case_id.as_str(), facts.reason.as_str()), ("CASE-1", "DUPL"));
    assert_eq!(facts.text, "sent twice by the same wallet");
    let asked = status_requests(&status_request()).expect("it names a payment");
    assert_eq!(asked.iter().map(ToString::to_string).collect::<Vec<_>>(), [UETR]);
    for (id, uetr) in
        [("0f0e0d0c0b0a49088706050403020100", true), (RETURN_UETR, false), ("é", false)]
    {
        let one = PaymentReturn { return_id: Some(id.to_owned()), ..PaymentReturn::default() };
        assert_eq!(one.own_uetr().is_some(), uetr, "{id}");
    }
}

#[test]
fn a_status_request_is_answered_about_the_payment() {
    let statement = statement(CreditTransferStatus::SettlementCompleted, vec![]);
    let report = pacs002::write(&status_request().originals(), &statement, true).expect("it fits");
    assert_valid(&report, PACS_002, "answer to a pacs.028");
    let inbound = read(report.as_bytes());
    let read = Pacs002::read(inbound.root_of(PACS_002).expect("it is a pacs.002"));
    assert_eq!(read.transactions[0].original, ids());
    assert_eq!(read.transactions[0].status.as_deref(), Some("ACSC"));
    assert_eq!(read.transactions[0].instructed_agent_bic.as_deref(), Some(DEBTOR_AGENT));
}

fn judge(inbound: &Inbound) -> Result<(), Refusal> {
    match instruction(inbound)? {
        Instruction::CreditTransfer => Ok(()),
        Instruction::Return(message) => ReturnFacts::of(&message).map(drop),
        Instruction::StatusRequest(message) => status_requests(&message).map(drop),
        Instruction::Recall(message) => RecallFacts::of(&message).map(drop),
        Instruction::RecallAnswer(message) => RecallAnswerFacts::of(&message).map(drop),
    }
}

/// Spoils of a pacs.004 in reverse order of the checks: (reason, element the words name, from, to).
const SPOILS: &[(&str, &str, &str, &str)] = &[
    (
        "CH20",
        "RtrdIntrBkSttlmAmt",
        "<RtrdIntrBkSttlmAmt Ccy=\"PHP\">1000.00",
        "<RtrdIntrBkSttlmAmt Ccy=\"PHP\">1000.001",
    ),
    (
        "AM03",
        "RtrdIntrBkSttlmAmt",
        "<RtrdIntrBkSttlmAmt Ccy=\"PHP\"",
        "<RtrdIntrBkSttlmAmt Ccy=\"XAU\"",
    ),
    (
        "AM11",
        "RtrdIntrBkSttlmAmt",
        "<RtrdIntrBkSttlmAmt Ccy=\"XAU\"",
        "<RtrdIntrBkSttlmAmt Ccy=\"ZZZ\"",
    ),
    ("CH21", "OrgnlUETR", "<OrgnlUETR>8a562c67-ca16-48ba-b074-65581be6f011</OrgnlUETR>", ""),
    ("AM19", "NbOfTxs", "<NbOfTxs>1<", "<NbOfTxs>2<"),
    ("FF01", "GrpHdr/MsgId", "<MsgId>RET-1</MsgId>", ""),
    ("FF01", "AppHdr/MsgDefIdr", "<MsgDefIdr>pacs.004", "<MsgDefIdr>pacs.008"),
    ("FF01", "version", "xsd:pacs.004.001.09", "xsd:pacs.004.001.14"),
    ("FF01", "well-formed", "</GrpHdr>", "</GroupHeader>"),
];

#[test]
fn refusals_come_in_the_fixed_order_and_every_answer_is_valid() {
    let lines = payment_return().write(Some(&head(PACS_004))).expect("it fits");
    let mut spoiled: String = lines.lines().map(str::trim).collect();
    assert_eq!(judge(&read(spoiled.as_bytes())), Ok(()));
    for (reason, element, from, to) in SPOILS {
        assert!(spoiled.contains(from), "{from} in {spoiled}");
        spoiled = spoiled.replacen(from, to, 1);
        let inbound = read(spoiled.as_bytes());
        let refusal = judge(&inbound).expect_err("it is refused");
        assert_eq!(refusal.reason.as_str(), *reason, "{refusal}");
        assert!(refusal.text.contains(element), "{element}: {refusal}");
        let report = answer(&inbound, &statement(CreditTransferStatus::Rejected, vec![refusal]))
            .expect("it fits");
        assert_valid(&report, PACS_002, element);
    }
    let mut two = recall();
    two.cancellations.push(two.cancellations[0].clone());
    assert_eq!(RecallFacts::of(&two).expect_err("it is two").reason.as_str(), "AM19");
    let mut odd = Camt029::answer(
        &recall(),
        "A",
        "2026-11-25T09:00:00Z",
        &Answer::Pending { text: String::new() },
    );
    odd.answers[0].status = None;
    odd.confirmation = Some("IPAY".to_owned());
    assert_eq!(
        RecallAnswerFacts::of(&odd).expect_err("it decides nothing").reason,
        verdict::FORMAT
    );
}

#[test]
fn what_does_not_fit_is_not_written() {
    let mut wrong = payment_return();
    wrong.returns[0].charge_bearer = Some("OUR".to_owned());
    let error = wrong.write(None).expect_err("OUR is no charge bearer");
    assert!(error.to_string().contains("ChrgBr"), "{error}");
    let mut wrong = recall();
    wrong.assignment.id = None;
    let error = wrong.write(None).expect_err("an assignment has an id");
    assert!(error.to_string().contains("Assgnmt/Id"), "{error}");
    let mut wrong = notification();
    wrong.notifications[0].entries[0].credit_debit = Some("IN".to_owned());
    assert!(wrong.write(None).is_err());
}

/// Leaves out, doubles, empties or moves one element after another of published samples of every
/// message whose shape is known, and lets xmllint judge the same text.
#[test]
fn every_shape_agrees_with_xmllint_about_spoiled_samples() {
    let Some(shared) = shared_data() else { return };
    let samples = [
        ("pacs.002.001.10", "y2026_pacs.002.max", 7),
        ("pacs.004.001.09", "y2026_pacs.004.max", 97),
        ("pacs.009.001.08", "y2026_pacs.009_cov.max", 97),
        ("camt.052.001.08", "y2026_camt.052.max", 173),
        ("camt.054.001.08", "y2026_camt.054.max", 173),
        ("pain.001.001.09", "y2026_pain.001.max", 97),
    ];
    for (message, sample, step) in samples {
        assert!(CHECKED.contains(&message));
        let file = shared.join(format!("samples-open/cbpr/{sample}.xml"));
        let whole = std::fs::read_to_string(file).expect("the sample is there");
        spoil(&shared, &whole, message, step);
    }
    for (message, own) in [
        (PACS_028, status_request().write(None)),
        (CAMT_056, recall().write(None)),
        (
            CAMT_029,
            Camt029::answer(
                &recall(),
                "A",
                "2026-11-25T09:00:00Z",
                &Answer::Refused {
                    reason: "NOAS".to_owned(),
                    text: "no answer of the creditor".to_owned(),
                },
            )
            .write(None),
        ),
        (CAMT_054, notification().write(None)),
    ] {
        spoil(&shared, &own.expect("it fits"), message, 3);
    }
}

proptest::proptest! {
    #[test]
    fn no_damage_to_a_message_breaks_its_answer(
        which in 0_usize..4,
        at in proptest::prelude::any::<proptest::sample::Index>(),
        length in 0_usize..40,
        put in "[<>/&;#x0-9A-Za-z\"' ]{0,12}",
    ) {
        let answered = Camt029::answer(&recall(), "A", "2026-11-25T09:00:00Z", &Answer::Pending {
            text: String::new(),
        });
        let whole = match which {
            0 => payment_return().write(None),
            1 => status_request().write(None),
            2 => recall().write(None),
            _ => answered.write(None),
        };
        let mut body = whole.expect("it fits").into_bytes();
        let start = at.index(body.len());
        let end = body.len().min(start + length);
        body.splice(start..end, put.bytes());
        let inbound = read(&body);
        if let Err(refusal) = judge(&inbound) {
            let rejected = statement(CreditTransferStatus::Rejected, vec![refusal]);
            proptest::prop_assert!(answer(&inbound, &rejected).is_ok());
        }
    }
}
