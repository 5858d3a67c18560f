//! What is above the limit waits, is approved by another than its maker at a new price, rejected, refused or ended by the clock; each end is told once.
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use services_cli::wallet::Wallet;
use services_runtime::receive::{Call, receive};
use tests::fresh_uetr;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

use super::{Office, PATIENCE, credited, get, order, post, uetr, until};

type Inbox = Arc<Mutex<Vec<Value>>>;

/// Takes every message.
async fn receiver(inbox: &Inbox) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let inbox = Arc::clone(inbox);
    let task = tokio::spawn(async move {
        let (calls, mut queue) = mpsc::channel::<Call>(64);
        let taking = async {
            while let Some(call) = queue.recv().await {
                let mut body: Value = serde_json::from_slice(&call.body).unwrap();
                body["id"] = json!(call.headers["webhook-id"]);
                inbox.lock().unwrap().push(body);
                let _gone = call.answer.send(204);
            }
        };
        let (served, ()) = tokio::join!(receive(listener, calls), taking);
        served.unwrap();
    });
    (port, task)
}

/// Those who work on one transfer.
struct People {
    maker: Wallet,
    checker: Wallet,
}

pub(super) async fn a_second_pair_of_eyes(office: &mut Office) {
    let maker = office.person(Some("ada"), &["read", "send"]).await;
    let checker = office.person(Some("bea"), &["read", "approve"]).await;
    let keeper = office.person(Some("mia"), &["manage"]).await;
    let inbox = Inbox::default();
    let (port, task) = receiver(&inbox).await;
    let hook = json!({ "url": format!("http://127.0.0.1:{port}/hooks") });
    post(&keeper, "/v1/webhooks", hook, 201).await;
    let people = People { maker, checker };

    let below = order("5000.00");
    let (status, said) = people.maker.create(&below, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "what is not above the limit is sent: {said}");

    let approved = released_after_a_crash(office, &people).await;
    let rejected = rejected(&people).await;
    let refused = refused_at_a_higher_price(&people).await;
    let expired = expired(office, &people).await;
    let quoted = priced_anew(&people).await;
    let listed = get(&people.checker, "/v1/approvals?state=open", 200).await;
    assert_eq!(listed["approvals"], json!([]));
    let listed = get(&people.checker, "/v1/approvals?limit=2", 200).await;
    let next = format!("/v1/approvals?limit=500&cursor={}", listed["next_cursor"]);
    let rest = get(&people.checker, &next, 200).await;
    assert_eq!(rest["approvals"].as_array().unwrap().len(), 3, "{rest}");
    for (transfer, end) in [
        (&approved, "approval.approved"),
        (&rejected, "approval.rejected"),
        (&refused, "approval.refused"),
        (&expired, "approval.expired"),
        (&quoted, "approval.approved"),
    ] {
        told(&inbox, transfer, end).await;
    }
    task.abort();
}

/// Parks an order, and gives the path of its approval.
async fn parked(people: &People, order: &Value) -> String {
    let (status, said) = people.maker.create(order, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 202, "{said}");
    assert_eq!(
        (&said["status"], &said["iso_status"]),
        (&json!("AWAITING_APPROVAL"), &json!("PDNG"))
    );
    let open = get(&people.checker, "/v1/approvals?state=open&limit=500", 200).await;
    let own = open["approvals"].as_array().unwrap().iter();
    let own: Vec<_> = own.filter(|row| row["transfer"]["uetr"] == order["uetr"]).collect();
    assert_eq!(own.len(), 1, "{open}");
    assert!(own[0].get("debtor").is_none(), "a list shows no names: {open}");
    format!("/v1/approvals/{}", own[0]["id"].as_str().unwrap())
}

async fn events(people: &People, transfer: &str) -> Vec<String> {
    let lines = people.maker.timeline(transfer).await.unwrap();
    let lines = lines.as_array().unwrap().iter();
    lines.map(|line| line["event"].as_str().unwrap().to_owned()).collect()
}

/// The whole way, over a crash of the gateway while the transfer waits.
async fn released_after_a_crash(office: &mut Office, people: &People) -> String {
    let order = order("6000.00");
    let path = parked(people, &order).await;
    let (again, said) = people.maker.create(&order, PATIENCE).await.unwrap();
    assert_eq!((again.as_u16(), &said["status"]), (202, &json!("AWAITING_APPROVAL")), "{said}");
    let mut other = order.clone();
    other["purpose"] = json!("SALA");
    let (status, said) = people.maker.create(&other, PATIENCE).await.unwrap();
    assert_eq!((status.as_u16(), &said["code"]), (422, &json!("IDEMPOTENCY_KEY_REUSED")));
    nothing_moved(office, uetr(&order)).await;

    let approve = format!("{path}/approve");
    let said = post(&people.maker, &approve, Value::Null, 403).await;
    assert_eq!(said["code"], "SCOPE_MISSING");
    // Another key of the same person, and one of nobody.
    for owner in [Some("ADA"), None] {
        let own = office.person(owner, &["approve"]).await;
        let said = post(&own, &approve, Value::Null, 403).await;
        assert_eq!(said["code"], "FOUR_EYES_REQUIRED", "{owner:?}");
    }
    office.running.kill_gateway("HK").unwrap();
    office.running.resume_gateway("HK").unwrap();
    let shown = until(&people.checker, &path, |seen| seen["state"] == "open").await;
    assert_eq!(shown["maker"], "ada");
    assert_eq!(shown["creditor"]["name"], "Bea Testperson", "who decides sees whom: {shown}");
    ready(&people.checker).await;
    let wrong = json!({ "debit_max": { "amount": "1.00", "currency": "PHP" } });
    let said = post(&people.checker, &approve, wrong, 400).await;
    assert_eq!(said["code"], "FIELD_INVALID", "nothing is decided by it");
    let done = post(&people.checker, &approve, Value::Null, 201).await;
    assert_eq!(done["uetr"], order["uetr"]);
    let again = post(&people.checker, &approve, Value::Null, 201).await;
    assert_eq!(again["uetr"], order["uetr"]);
    let reject = format!("{path}/reject");
    let said = post(&people.checker, &reject, json!({ "reason": "DS0H" }), 409).await;
    assert_eq!(said["code"], "APPROVAL_DECIDED");
    credited(&people.maker, uetr(&order)).await;
    let events = events(people, uetr(&order)).await;
    assert_eq!(events[..3], ["awaiting_approval", "approved", "pending"], "{events:?}");
    let (status, said) = people.maker.create(&order, PATIENCE).await.unwrap();
    assert_eq!((status.as_u16(), &said["status"]), (201, &json!("CREDITED")), "{said}");
    uetr(&order).to_owned()
}

async fn ready(wallet: &Wallet) {
    let limit = std::time::Instant::now() + PATIENCE;
    while !wallet.ready().await {
        assert!(std::time::Instant::now() < limit, "the gateway is not ready again");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Neither signed nor reserved.
pub(super) async fn nothing_moved(office: &Office, uetr: &str) {
    let mut sql = office.sql().await;
    let counts: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM outbox WHERE uetr = $1::uuid),
            (SELECT count(*) FROM book_entry WHERE uetr = $1::uuid)",
    )
    .bind(uetr)
    .fetch_one(&mut sql)
    .await
    .unwrap();
    assert_eq!(counts, (0, 0), "signed, reserved");
}

async fn rejected(people: &People) -> String {
    let order = order("6100.00");
    let path = parked(people, &order).await;
    let reject = format!("{path}/reject");
    let said = post(&people.checker, &reject, json!({ "reason": "no" }), 400).await;
    assert_eq!(said["code"], "FIELD_INVALID");
    for _ in 0..2 {
        let said = post(&people.checker, &reject, json!({ "reason": "FRAD" }), 200).await;
        let shown = ["state", "reason", "decided_by"].map(|name| said[name].clone());
        assert_eq!(shown, ["rejected", "FRAD", "bea"].map(|word| json!(word)));
    }
    let said = post(&people.checker, &format!("{path}/approve"), Value::Null, 409).await;
    assert_eq!(said["code"], "APPROVAL_DECIDED");
    ended(people, &order, ("APPROVAL_REJECTED", "FRAD", "approval_rejected")).await;
    uetr(&order).to_owned()
}

/// What a transfer shows that ended without approval, and what its maker hears again.
async fn ended(people: &People, order: &Value, (refusal, reason, event): (&str, &str, &str)) {
    let seen = people.maker.look(uetr(order)).await.unwrap().unwrap();
    let shown = ["status", "refusal", "reason"].map(|name| seen.body[name].clone());
    assert_eq!(shown, ["REJECTED", refusal, reason].map(|word| json!(word)));
    let (status, said) = people.maker.create(order, PATIENCE).await.unwrap();
    assert_eq!((status.as_u16(), &said["code"]), (422, &json!(refusal)), "{said}");
    assert_eq!(events(people, uetr(order)).await, ["awaiting_approval", event]);
}

/// The most that the maker allows is held to on release too, and so is the approver's own.
async fn refused_at_a_higher_price(people: &People) -> String {
    let order = order("6200.00");
    let path = parked(people, &order).await;
    let low = json!({ "debit_max": { "amount": "1.00", "currency": "HKD" } });
    let said = post(&people.checker, &format!("{path}/approve"), low, 422).await;
    assert_eq!((&said["code"], &said["uetr"]), (&json!("DEBIT_LIMIT_EXCEEDED"), &order["uetr"]));
    let shown = get(&people.checker, &path, 200).await;
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("refused"), &json!("AM14")));
    ended(people, &order, ("DEBIT_LIMIT_EXCEEDED", "AM14", "approval_refused")).await;
    uetr(&order).to_owned()
}

async fn expired(office: &Office, people: &People) -> String {
    let order = order("6300.00");
    let path = parked(people, &order).await;
    let mut sql = office.sql().await;
    sqlx::query("UPDATE approval SET expires_at = now() WHERE uetr = $1::uuid")
        .bind(uetr(&order))
        .execute(&mut sql)
        .await
        .unwrap();
    // It is over at once, whether the clock's round came by or not.
    let said = post(&people.checker, &format!("{path}/approve"), Value::Null, 409).await;
    assert_eq!(said["code"], "APPROVAL_DECIDED");
    until(&people.checker, &path, |seen| seen["state"] == "expired").await;
    ended(people, &order, ("APPROVAL_EXPIRED", "TM01", "approval_expired")).await;
    uetr(&order).to_owned()
}

/// A quote that the order named is not used: the same arrives for no more, by a new one.
async fn priced_anew(people: &People) -> String {
    let mut order = order("6400.00");
    let asked = json!({
        "creditor_agent": "102",
        "other_currency": "HKD",
        "destination_amount": order["interbank_settlement_amount"],
    });
    let (status, quote) = people.maker.quote(&fresh_uetr(), &asked).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{quote}");
    order["quote"] = quote["id"].clone();
    let path = parked(people, &order).await;
    let done = post(&people.checker, &format!("{path}/approve"), Value::Null, 201).await;
    let quotes = done["quotes"].as_array().unwrap();
    assert!(quotes.len() == 2 && quotes[0] == quote["id"] && quotes[1] != quote["id"], "{done}");
    assert_eq!(done["interbank_settlement_amount"]["amount"], "6400.00");
    credited(&people.maker, uetr(&order)).await;
    uetr(&order).to_owned()
}

/// Each message of a transfer came in order, the request first, and its end once.
async fn told(inbox: &Inbox, transfer: &str, end: &str) {
    let own = || -> Vec<Value> {
        let inbox = inbox.lock().unwrap();
        inbox.iter().filter(|body| body["data"]["uetr"] == transfer).cloned().collect()
    };
    let last = if end == "approval.approved" { "transfer.credited" } else { end };
    let limit = std::time::Instant::now() + PATIENCE;
    while !own().iter().any(|body| body["type"] == last) {
        assert!(std::time::Instant::now() < limit, "{end}: {:?}", own());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // At least once: the gateway that was killed may not know what it sent.
    let mut seen = std::collections::HashSet::new();
    let own: Vec<_> =
        own().into_iter().filter(|body| seen.insert(body["id"].to_string())).collect();
    let types: Vec<_> = own.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(types[..2], ["approval.requested", end], "{types:?}");
    assert!(own[0]["id"].as_str().unwrap().starts_with("own_101_"), "{}", own[0]);
    assert!(!json!(own).to_string().contains("Testperson"), "no personal data");
}
