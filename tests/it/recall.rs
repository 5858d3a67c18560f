//! A recall's whole life at both ends of a running network: refused, asked, promised, accepted with its return, and looked into.
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use tests::fresh_uetr;

const PATIENCE: Duration = Duration::from_secs(20);

fn order() -> Value {
    json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "4000.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000002" },
        "creditor": { "name": "Bea Testperson", "account": "+639000000002" },
    })
}

fn recall(case: &str, amount: &str) -> Value {
    json!({ "case": case, "reason": "DUPL", "amount": { "amount": amount, "currency": "PHP" } })
}

async fn act(wallet: &Wallet, uetr: &str, action: &str, body: &Value) -> (u16, Value) {
    let (status, body) = wallet.act(uetr, action, body).await.unwrap();
    (status.as_u16(), body)
}

/// The open recalls of a gateway, once there are so many.
async fn open(wallet: &Wallet, count: usize) -> Vec<Value> {
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        loop {
            looks.tick().await;
            let path = "/v1/recalls?open=true";
            let (status, body) = wallet.send(Method::GET, path, None, None).await.unwrap();
            assert_eq!(status.as_u16(), 200, "{body}");
            let rows = body.as_array().unwrap();
            if rows.len() == count {
                return rows.clone();
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("so many open recalls")
}

#[tokio::test(flavor = "multi_thread")]
async fn recall_is_asked_promised_accepted_and_returned() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let mut running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    let (debtor, creditor) = (running.wallet("HK").unwrap(), running.wallet("PH").unwrap());
    let order = order();
    let (status, body) = debtor.create(&order, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let uetr = order["uetr"].as_str().unwrap();
    for wallet in [&debtor, &creditor] {
        let seen = wallet.follow(uetr, PATIENCE, Seen::ended).await;
        assert_eq!(seen.status, "CREDITED", "{}", seen.body);
    }
    let case = fresh_uetr();
    let (status, body) = act(&debtor, uetr, "recall", &recall(&case, "4000.01")).await;
    assert_eq!((status, &body["code"]), (422, &json!("RECALL_EXCEEDS_TRANSFER")), "{body}");
    for _ in 0..2 {
        let (status, body) = act(&debtor, uetr, "recall", &recall(&case, "1000.00")).await;
        assert_eq!((status, &body["status"]), (200, &json!("open")), "{body}");
    }
    let (_, body) = act(&debtor, uetr, "recall", &recall(&fresh_uetr(), "1.00")).await;
    assert_eq!(body["code"], "RECALL_OPEN", "{body}");
    let queue = open(&creditor, 1).await;
    assert_eq!((&queue[0]["case"], &queue[0]["overdue"]), (&json!(case), &json!(false)));
    let action = format!("recalls/{case}/answer");
    let late = json!({ "answer": "pending", "promised_at": "2100-01-01T00:00:00Z" });
    let (_, body) = act(&creditor, uetr, &action, &late).await;
    assert_eq!(body["code"], "RECALL_TIME_INVALID", "{body}");
    let back = fresh_uetr();
    let accept = json!({ "answer": "accepted", "return_uetr": back, "return": {} });
    for _ in 0..2 {
        let (status, body) = act(&creditor, uetr, &action, &accept).await;
        assert_eq!((status, &body["return_uetr"]), (200, &json!(back)), "{body}");
    }
    let returned = debtor.follow(&back, PATIENCE, Seen::ended).await;
    assert_eq!(returned.body["return_of"], uetr, "{}", returned.body);
    assert!(open(&debtor, 0).await.is_empty());
    let (_, body) =
        act(&creditor, uetr, &action, &json!({ "answer": "rejected", "reason": "CUST" })).await;
    assert_eq!(body["code"], "ANSWER_REUSED", "{body}");
    let (status, body) = act(&debtor, uetr, "investigate", &json!({})).await;
    assert_eq!((status, &body["returned"]["amount"]), (200, &json!("1000.00")), "{body}");
    let timeline = debtor.timeline(uetr).await.unwrap();
    let events: Vec<_> = timeline.as_array().unwrap().iter().map(|line| &line["event"]).collect();
    for event in ["recalled", "recall_answered", "enquiry"] {
        assert!(events.contains(&&json!(event)), "{timeline}");
    }
    running.stop();
}
