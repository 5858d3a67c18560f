//! What comes after a credit transfer, as messages: it is asked about, shown, returned in part and
//! recalled; each answer is judged by xmllint. It knows no crate of a gateway.
use std::time::{Duration, Instant};

use serde_json::Value;
use services_iso20022::{
    Amount,
    camt029::{Answer, CAMT_029, Camt029},
    camt056::{Assignment, CAMT_056, Camt056, Cancellation},
    original::{OriginalPayment, ReasonInformation},
    pacs004::{Pacs004, PaymentReturn},
    pacs008::{Agent, GroupHeader},
    pacs028::{Pacs028, StatusRequest},
    read,
};

use super::{
    World, XML,
    refusals::{good, with},
    rewritten::{TO_PHILIPPINES as CORRIDOR, uetr},
    valid,
};

const NOW: &str = "2026-11-24T10:15:30+08:00";

fn named(number: u32) -> OriginalPayment {
    OriginalPayment { uetr: Some(uetr(number)), ..OriginalPayment::default() }
}

fn question(number: u32) -> String {
    let request = StatusRequest { original: named(number), ..StatusRequest::default() };
    let message = Pacs028 {
        message_id: Some(format!("ASK-{number}")),
        created_at: Some(NOW.to_owned()),
        requests: vec![request],
        ..Pacs028::default()
    };
    message.write(None).unwrap()
}

fn payment_return(number: u32, own: u32, amount: &str) -> String {
    let amount = Amount { currency: CORRIDOR.currency.to_owned(), value: amount.to_owned() };
    let one = PaymentReturn {
        return_id: Some(uetr(own).replace('-', "")),
        original: named(number),
        returned_amount: Some(amount),
        charge_bearer: Some("SHAR".to_owned()),
        instructing_agent: Some(Agent::of_bic(CORRIDOR.creditor_agent)),
        instructed_agent: Some(Agent::of_bic(CORRIDOR.debtor_agent)),
        reasons: vec![ReasonInformation::of_code("CUST", "PART")],
        ..PaymentReturn::default()
    };
    let group_header = GroupHeader {
        message_id: Some(format!("RETURN-{own}")),
        created_at: Some(NOW.to_owned()),
        number_of_transactions: Some("1".to_owned()),
        settlement_method: Some("CLRG".to_owned()),
        ..GroupHeader::default()
    };
    Pacs004 { group_header, returns: vec![one] }.write(None).unwrap()
}

fn recall(number: u32) -> String {
    let message = Camt056 {
        assignment: Assignment {
            id: Some(format!("RECALL-{number}")),
            assigner: Some(Agent::of_bic(CORRIDOR.debtor_agent)),
            assignee: Some(Agent::of_bic(CORRIDOR.creditor_agent)),
            created_at: Some(NOW.to_owned()),
        },
        case: None,
        cancellations: vec![Cancellation {
            cancellation_id: Some(format!("CXL-{number}")),
            original: named(number),
            reasons: vec![ReasonInformation::of_code("DUPL", "sent twice")],
            ..Cancellation::default()
        }],
    };
    message.write(None).unwrap()
}

impl World {
    async fn rendered(&self, label: &str, number: u32, message: &str) -> (u16, String) {
        let info = self.running.info();
        let gateway = &info["gateways"][label];
        let client = services_runtime::tls::http_client(&self.running.ca()).unwrap();
        let base = gateway["url"].as_str().unwrap();
        let url = format!("{base}/v1/transfers/{}/iso20022/{message}", uetr(number));
        let key = gateway["api_key"].as_str().unwrap();
        let response = client.get(url).bearer_auth(key).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn camt029(&self, label: &str, body: String, context: &str) -> Camt029 {
        let answer = self.post(label, XML, body, None).await;
        assert_eq!(answer.status, 200, "{context}: {}", answer.text);
        if let Some(shared) = &self.shared {
            valid(shared, "Document", CAMT_029, &answer.text, context);
        }
        let inbound = read(answer.text.as_bytes());
        Camt029::read(inbound.root_of(CAMT_029).unwrap_or_else(|| panic!("{}", answer.text)))
    }
}

pub(super) async fn a_transfer_is_asked_about_shown_and_returned(world: &World) {
    let unknown = world.post("HK", XML, question(700), None).await;
    assert_eq!(world.report(&unknown, "unknown").verdict(), ("RJCT", "AG09"));
    let sent = world.post("HK", XML, good(700), None).await;
    assert_ne!(world.report(&sent, "sent").verdict().0, "RJCT");
    assert_eq!(world.ended("HK", &uetr(700)).await.status, "CREDITED");
    for label in ["HK", "PH"] {
        let asked = world.post(label, XML, question(700), None).await;
        let report = world.report(&asked, label);
        assert_eq!(report.verdict(), ("ACCC", ""), "{label}");
        assert_eq!(report.text("OrgnlUETR"), Some(&*uetr(700)), "{label}");
    }
    shown(world).await;
    let returned = payment_return(700, 701, "300.50");
    for context in ["return", "the same again"] {
        let answer = world.post("PH", XML, returned.clone(), None).await;
        let report = world.report(&answer, context);
        assert!(["ACSC", "ACCC"].contains(&report.verdict().0), "{context}: {}", report.words());
    }
    let other = world.post("PH", XML, with(&returned, "300.50", "300.51"), None).await;
    assert_eq!(world.report(&other, "another content").verdict(), ("RJCT", "DU03"));
    let too_much = world.post("PH", XML, payment_return(700, 702, "4300.50"), None).await;
    assert_eq!(world.report(&too_much, "too much").verdict().0, "RJCT");
    let (status, text) = world.rendered("PH", 701, "pacs.004").await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains(&uetr(700)) && text.contains("CUST"), "{text}");
}

/// Each message as it is shown is valid, and says what was sent.
async fn shown(world: &World) {
    for (label, message, version) in [
        ("HK", "pacs.008", "pacs.008.001.08"),
        ("PH", "pacs.008", "pacs.008.001.08"),
        ("HK", "pacs.002", "pacs.002.001.10"),
        ("PH", "camt.054", "camt.054.001.08"),
    ] {
        let context = format!("{label} {message}");
        let (status, text) = world.rendered(label, 700, message).await;
        assert_eq!(status, 200, "{context}: {text}");
        if let Some(shared) = &world.shared {
            valid(shared, "Document", version, &text, &context);
        }
        assert!(text.contains(&uetr(700)), "{context}: {text}");
        let personal = text.contains("Дебитор Тестов");
        assert_eq!(personal, message != "pacs.002", "{context}: {text}");
    }
    for (message, expected, code) in [
        ("camt.054", 404, "RESOURCE_UNKNOWN"),
        ("pacs.004", 404, "RESOURCE_UNKNOWN"),
        ("pacs.009", 400, "FIELD_INVALID"),
    ] {
        let (status, text) = world.rendered("HK", 700, message).await;
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &problem["code"]), (expected, &code.into()), "{message}");
    }
}

pub(super) async fn a_recall_cancels_what_is_not_accepted(world: &World) {
    let none = world.camt029("HK", recall(800), "no such payment").await;
    assert_eq!(none.confirmation.as_deref(), Some("RJCR"));
    assert_eq!(ReasonInformation::first_code(&none.answers[0].reasons), Some("NOOR"));
    // An amount that the demonstration's creditor agent never answers.
    let pending = with(&good(801), ">4300.50<", ">4000.33<");
    let sent = world.post("HK", XML, pending, None).await;
    assert_eq!(world.report(&sent, "pending").verdict(), ("ACSP", ""));
    for context in ["recall", "the same again"] {
        let cancelled = world.camt029("HK", recall(801), context).await;
        assert_eq!(cancelled.confirmation.as_deref(), Some("CNCL"), "{context}");
        assert_eq!(cancelled.answers[0].status.as_deref(), Some("ACCR"), "{context}");
    }
    assert_eq!(world.ended("HK", &uetr(801)).await.status, "CANCELLED");
    // Settled money is asked back of the creditor agent, once, less what it has returned.
    for context in ["settled", "settled, the same again"] {
        let asked = world.camt029("HK", recall(700), context).await;
        assert_eq!(asked.confirmation.as_deref(), Some("PDCR"), "{context}");
    }
    let inbound = recall(700);
    let inbound = read(inbound.as_bytes());
    let asked = Camt056::read(inbound.root_of(CAMT_056).unwrap());
    let refused = Answer::Refused { reason: "LEGL".to_owned(), text: "cannot".to_owned() };
    let answer = Camt029::answer(&asked, "ANSWER-700", NOW, &refused).write(None).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        // The creditor agent may hear of the recall later than the debtor agent.
        let taken = world.post("PH", XML, answer.clone(), None).await;
        if world.report(&taken, "answer").verdict().0 != "RJCT" {
            break;
        }
        assert!(Instant::now() < deadline, "the recall never came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    loop {
        let told = world.camt029("HK", recall(700), "answered").await;
        if told.confirmation.as_deref() == Some("RJCR") {
            assert_eq!(ReasonInformation::first_code(&told.answers[0].reasons), Some("LEGL"));
            break;
        }
        assert!(Instant::now() < deadline, "the answer never came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let not_mine = world.camt029("PH", recall(700), "another's payment").await;
    assert_eq!(not_mine.confirmation.as_deref(), Some("RJCR"));
}
