//! Payee checks through a running network: what a sender is told about accounts and proxies, transfers by reference, gateways that are away or others, limits, and both audit logs.
use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use proto::payee::{
    VerifyRequest, payee_check_client::PayeeCheckClient, verify_request::Payee as Wire,
};
use reqwest::Method;
use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use services_runtime::{
    grpc::ClientLimits,
    tls::{ClientTls, Files},
};
use sqlx::PgPool;
use tests::fresh_uetr;

const PATIENCE: Duration = Duration::from_secs(60);
const FAMILY: &str = "+639000000001";
const CLOSED: &str = "+639000000007";
const NOBODY: &str = "+639000000009";
const PHONE: &str = "+639170000001";
/// Answers a day that the Philippines give one participant, and Pakistan one of its keys.
const PEER_ANSWERS: usize = 12;
const KEY_ANSWERS: usize = 2;

fn settings(network: &Path, label: &str) -> toml::Table {
    let file = network.join(format!("participants/{label}/gateway.toml"));
    fs::read_to_string(file).unwrap().parse().unwrap()
}

fn change(network: &Path, label: &str, change: impl FnOnce(&mut toml::Table)) {
    let mut settings = settings(network, label);
    change(&mut settings);
    let file = network.join(format!("participants/{label}/gateway.toml"));
    fs::write(file, toml::to_string(&settings).unwrap()).unwrap();
}

fn payee(settings: &mut toml::Table) -> &mut toml::Table {
    settings["payee"].as_table_mut().unwrap()
}

fn listens(network: &Path, label: &str) -> String {
    let address = settings(network, label)["payee"]["listen"].as_str().unwrap().to_owned();
    address.replace("127.0.0.1", "https://localhost")
}

fn prepare(network: &Path) -> anyhow::Result<()> {
    change(network, "PH", |settings| {
        let limit = toml::Value::try_from(PEER_ANSWERS).unwrap();
        payee(settings).insert("peer_answers_a_day".to_owned(), limit);
        let closed = json!({
            "account": CLOSED, "currency": "PHP", "status": "closed", "name": "Cara Testperson",
        });
        let accounts = settings["accounts"].as_array_mut().unwrap();
        accounts.push(toml::Value::try_from(closed).unwrap());
    });
    change(network, "PK", |settings| {
        let limit = toml::Value::try_from(KEY_ANSWERS).unwrap();
        payee(settings).insert("key_answers_a_day".to_owned(), limit);
    });
    // Malaysia knows no way to Pakistan, and its way to Hong Kong leads to Pakistan's gateway, which holds
    // a good certificate too.
    let elsewhere = listens(network, "PK");
    change(network, "MY", |settings| {
        let peers = settings["peers"].as_array_mut().unwrap();
        peers.retain(|peer| peer["participant"].as_integer() != Some(104));
        for peer in peers {
            if peer["participant"].as_integer() == Some(101) {
                peer["uri"] = elsewhere.clone().into();
            }
        }
    });
    Ok(())
}

/// Asks and insists on 200.
async fn check(wallet: &Wallet, asked: Value) -> Value {
    let (status, said) = send(wallet, &asked).await;
    assert_eq!(status, 200, "{asked}: {said}");
    said
}

async fn send(wallet: &Wallet, asked: &Value) -> (u16, Value) {
    let path = "/v1/payee-checks";
    let (status, said) = wallet.send(Method::POST, path, None, Some(asked)).await.unwrap();
    (status.as_u16(), said)
}

fn of_account(account: &str, name: &str) -> Value {
    json!({ "creditor_agent": "CWWAPHM0", "account": account, "name": name })
}

/// An answer without what differs each time.
fn plain(mut said: Value) -> Value {
    said.as_object_mut().unwrap().remove("id");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn payees_are_checked_before_money_is_sent() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let mut running = Running::start(Some(url), prepare).await.unwrap();
    let hong_kong = running.wallet("HK").unwrap();
    accounts_and_names(&hong_kong).await;
    let reference = proxies(&hong_kong).await;
    wrong_questions(&hong_kong).await;
    transfers_go_by_reference(&running, &pool, &reference).await;
    only_participants_of_their_own_name(&running).await;
    limits(&running).await;
    both_audit_logs(&pool).await;
    running.kill_gateway("PH").unwrap();
    let away = check(&hong_kong, of_account(FAMILY, "Bea Testperson")).await;
    assert_eq!((&away["result"], &away["reason"]), (&json!("not_possible"), &json!("AB08")));
    assert_eq!(away["iso_status"], "RVNA");
    running.stop();
    nothing_private_is_logged(&running);
}

async fn accounts_and_names(wallet: &Wallet) {
    for name in ["Bea Testperson", "TESTPERSON, Mrs Béa"] {
        let said = check(wallet, of_account(FAMILY, name)).await;
        assert_eq!(plain(said), json!({ "result": "match", "iso_status": "RCVC" }), "{name}");
    }
    let close = check(wallet, of_account(FAMILY, "Bea Testpersn")).await;
    let expected =
        json!({ "result": "close_match", "iso_status": "RVMC", "name": "Bea Testperson" });
    assert_eq!(plain(close), expected);
    let no = json!({ "result": "no_match", "iso_status": "RVNM", "reason": "BE01" });
    for (account, name) in
        [(FAMILY, "Carl Otherman"), (NOBODY, "Bea Testperson"), (CLOSED, "Cara Testperson")]
    {
        let said = check(wallet, of_account(account, name)).await;
        assert_eq!(plain(said), no, "one answer whatever is wrong: {account} {name}");
    }
}

/// Gives a reference.
async fn proxies(wallet: &Wallet) -> String {
    let by_email = json!({ "creditor_agent": "102", "email": "Bea@Wallet.example" });
    let resolved = check(wallet, by_email).await;
    assert_eq!(resolved["result"], "resolved", "{resolved}");
    assert_eq!(resolved["masked_name"], "B••• T•••");
    let by_phone = |name: &str| json!({ "creditor_agent": "102", "phone": PHONE, "name": name });
    let said = check(wallet, by_phone("Bea Testperson")).await;
    assert_eq!((&said["result"], &said["masked_name"]), (&json!("match"), &json!("B••• T•••")));
    assert!(said["name"].is_null() && said["expires_at"].is_string(), "{said}");
    let reference = said["account_reference"].as_str().unwrap().to_owned();
    assert_eq!(reference.len(), 34, "as long as an account may be");
    assert!(!said.to_string().contains(FAMILY), "the account stays with its institution");
    let wrong = check(wallet, by_phone("Carl Otherman")).await;
    let nobody =
        json!({ "creditor_agent": "102", "phone": "+639170000009", "name": "Carl Otherman" });
    let expected = json!({ "result": "no_match", "iso_status": "RVNM", "reason": "BE23" });
    assert_eq!(plain(wrong), expected);
    assert_eq!(plain(check(wallet, nobody).await), expected, "no proxy and another's are one");
    reference
}

async fn wrong_questions(wallet: &Wallet) {
    for (asked, status, code, names) in [
        (json!({ "creditor_agent": "102", "account": FAMILY }), 400, "FIELD_INVALID", "name"),
        (json!({ "creditor_agent": "102" }), 400, "FIELD_INVALID", "exactly one"),
        (json!({ "creditor_agent": "102", "phone": "0917" }), 400, "FIELD_INVALID", "phone"),
        (
            json!({ "creditor_agent": "101", "phone": PHONE }),
            400,
            "FIELD_INVALID",
            "creditor_agent",
        ),
        (json!({ "creditor_agent": "999", "phone": PHONE }), 422, "CREDITOR_AGENT_UNKNOWN", ""),
    ] {
        let (got, said) = send(wallet, &asked).await;
        assert_eq!((got, said["code"].as_str()), (status, Some(code)), "{asked}: {said}");
        assert!(said["detail"].as_str().unwrap().contains(names), "{said}");
    }
}

fn order(account: &str) -> Value {
    json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "400.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Bea Testperson", "account": account },
    })
}

/// Sends and follows to the end; gives the UETR and the last look.
async fn sent(wallet: &Wallet, account: &str) -> (String, Seen) {
    let order = order(account);
    let (status, said) = wallet.create(&order, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{said}");
    let uetr = order["uetr"].as_str().unwrap().to_owned();
    let seen = wallet.follow(&uetr, PATIENCE, Seen::ended).await;
    (uetr, seen)
}

async fn account_of(pool: &PgPool, label: &str, uetr: &str) -> String {
    let query = format!(
        "SELECT personal->'beneficiary'->>'account' FROM gateway_{label}.party
         WHERE uetr = $1::uuid"
    );
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(uetr);
    query.fetch_one(pool).await.unwrap()
}

async fn balance(pool: &PgPool) -> i64 {
    let query = "SELECT balance FROM gateway_ph.book_account WHERE account = $1";
    sqlx::query_scalar(query).bind(FAMILY).fetch_one(pool).await.unwrap()
}

async fn transfers_go_by_reference(running: &Running, pool: &PgPool, reference: &str) {
    let (wallet, philippines) = (running.wallet("HK").unwrap(), running.wallet("PH").unwrap());
    let before = balance(pool).await;
    let (uetr, seen) = sent(&wallet, reference).await;
    assert_eq!(seen.status, "CREDITED", "{}", seen.body);
    assert_eq!(balance(pool).await - before, 40_000, "the account behind the proxy is credited");
    assert_eq!(account_of(pool, "hk", &uetr).await, reference, "the sender's side never has it");
    assert_eq!(account_of(pool, "ph", &uetr).await, FAMILY);
    let back = json!({
        "reason": "FOCR", "uetr": fresh_uetr(), "amount": { "amount": "100.00", "currency": "PHP" },
    });
    let (status, said) = philippines.act(&uetr, "return", &back).await.unwrap();
    assert_eq!(status.as_u16(), 201, "money goes back from that account: {said}");

    // Malaysia's reference opens nothing for Hong Kong, and one that is over opens nothing.
    let by_phone = json!({ "creditor_agent": "102", "phone": PHONE });
    let malaysia = running.wallet("MY").unwrap();
    let theirs = check(&malaysia, by_phone).await["account_reference"].as_str().unwrap().to_owned();
    let (_, seen) = sent(&wallet, &theirs).await;
    assert_eq!((&*seen.status, &seen.body["reason"]), ("REJECTED", &json!("AC01")));
    let over = "UPDATE gateway_ph.payee_reference SET expires_at = now() - interval '1 hour'";
    sqlx::raw_sql(over).execute(pool).await.unwrap();
    let (_, seen) = sent(&wallet, reference).await;
    assert_eq!((&*seen.status, &seen.body["reason"]), ("REJECTED", &json!("AC01")));
}

/// A gateway answers participants alone, and is asked only where its certificate names it.
async fn only_participants_of_their_own_name(running: &Running) {
    let asked =
        json!({ "creditor_agent": "101", "account": "+85290000001", "name": "Ada Testperson" });
    let said = check(&running.wallet("MY").unwrap(), asked).await;
    assert_eq!((&said["result"], &said["reason"]), (&json!("not_possible"), &json!("AB08")));
    let network = &running.folder.path;
    let own = network.join("operator/client");
    let tls = ClientTls::load(Files {
        certificate: own.join("certificate.pem"),
        key: own.join("key.pem"),
        ca: own.join("ca.pem"),
        revoked: None,
    });
    let limits = ClientLimits::default();
    let channel = tls.unwrap().channel(&listens(network, "PH"), "gateway", &limits).unwrap();
    let asked = VerifyRequest {
        check_id: vec![7; 16].into(),
        creditor_agent: 102,
        payee: Some(Wire::Phone(PHONE.to_owned())),
        name: String::new(),
    };
    let refused = PayeeCheckClient::new(channel).verify(asked).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied, "{refused}");
}

async fn limits(running: &Running) {
    let malaysia = running.wallet("MY").unwrap();
    let wrong = of_account(FAMILY, "Carl Otherman");
    // One answer was a reference.
    for _ in 1..PEER_ANSWERS {
        assert_eq!(check(&malaysia, wrong.clone()).await["result"], "no_match");
    }
    let right = of_account(FAMILY, "Bea Testperson");
    for asked in [&wrong, &right] {
        let (status, said) = send(&malaysia, asked).await;
        assert_eq!((status, &said["code"]), (429, &json!("TOO_MANY_REQUESTS")), "{said}");
    }
    let hong_kong = running.wallet("HK").unwrap();
    for _ in 0..2 * PEER_ANSWERS {
        // Each participant has its own limit, and what teaches nothing counts nothing.
        assert_eq!(check(&hong_kong, right.clone()).await["result"], "match");
    }
    let pakistan = running.wallet("PK").unwrap();
    for _ in 0..KEY_ANSWERS {
        assert_eq!(check(&pakistan, wrong.clone()).await["result"], "no_match");
    }
    let (status, said) = send(&pakistan, &wrong).await;
    assert_eq!((status, &said["code"]), (429, &json!("TOO_MANY_REQUESTS")), "{said}");
    assert!(said["detail"].as_str().unwrap().contains("key"), "each key has its own: {said}");
    let unknown = json!({
        "creditor_agent": "104", "account": "PK36SCBL0000001123456702", "name": "Hina Testperson",
    });
    let said = check(&malaysia, unknown).await;
    assert_eq!((&said["result"], &said["reason"]), (&json!("not_possible"), &json!("AG03")));
}

/// (act, subject, detail) of every row about payees.
async fn rows(pool: &PgPool, label: &str) -> Vec<(String, String, String)> {
    let query = format!(
        "SELECT act, subject, detail FROM gateway_{label}.audit WHERE act LIKE 'payee.%'
         ORDER BY number"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_all(pool).await.unwrap()
}

async fn both_audit_logs(pool: &PgPool) {
    let (asked, answered) = (rows(pool, "hk").await, rows(pool, "ph").await);
    let ids = |rows: &[(String, String, String)], act: &str| -> BTreeSet<String> {
        let rows = rows.iter().filter(|(own, _, _)| own == act);
        rows.map(|(_, subject, _)| subject.clone()).collect()
    };
    let (asked_ids, answered_ids) =
        (ids(&asked, "payee.checked"), ids(&answered, "payee.answered"));
    assert!(asked_ids.len() > 20, "{}", asked_ids.len());
    assert!(asked_ids.is_subset(&answered_ids), "one id on both sides");
    let limited = answered.iter().filter(|(act, _, _)| act == "payee.limited");
    assert_eq!(limited.count(), 1, "the day's limit is noted once a day");
    for (_, _, detail) in asked.iter().chain(&answered) {
        for private in ["Testperson", "Otherman", FAMILY, PHONE, "wallet.example", "payee-"] {
            assert!(!detail.contains(private), "{detail}");
        }
    }
    let detail = |rows: &[(String, String, String)], id: &str| -> Value {
        let row = rows.iter().find(|(_, subject, _)| subject == id).unwrap();
        serde_json::from_str(&row.2).unwrap()
    };
    for id in &asked_ids {
        let (own, theirs) = (detail(&asked, id), detail(&answered, id));
        assert_eq!(own["result"], theirs["result"], "{id}");
        assert_ne!(own["payee_hmac"], theirs["payee_hmac"], "each side has its own key");
    }
}

fn nothing_private_is_logged(running: &Running) {
    let mut logs = 0;
    for log in fs::read_dir(running.folder.path.with_file_name("logs")).unwrap().flatten() {
        let text = String::from_utf8_lossy(&fs::read(log.path()).unwrap()).into_owned();
        logs += 1;
        for private in ["Testperson", "Otherman", FAMILY, PHONE, "wallet.example"] {
            assert!(!text.contains(private), "{:?}: {private}", log.file_name());
        }
    }
    assert!(logs > 3);
}
