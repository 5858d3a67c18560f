//! A remittance's whole life at both ends of a running network: what the customers' books, the ledger and the corridor's rules say.
use std::{fs, time::Duration};

use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use sqlx::PgPool;
use tests::fresh_uetr;

mod sealed;

const PATIENCE: Duration = Duration::from_secs(20);

/// The corridor's, HKD 5.00.
const FEE: i64 = 500;
const HELPER: &str = "+85290000002";
const FAMILY: &str = "+639000000002";

fn order(amount: &str) -> Value {
    json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": amount, "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": HELPER },
        "creditor": { "name": "Bea Testperson", "account": FAMILY },
    })
}

/// A customer's balance and what of it is reserved, minor units.
async fn balance(pool: &PgPool, label: &str, account: &str) -> (i64, i64) {
    let query =
        format!("SELECT balance, reserved FROM gateway_{label}.book_account WHERE account = $1");
    let query = sqlx::AssertSqlSafe(query);
    sqlx::query_as(query).bind(account).fetch_one(pool).await.unwrap()
}

/// Follows a transfer until it is credited.
async fn credited(wallet: &Wallet, uetr: &str) -> Value {
    let seen = wallet.follow(uetr, PATIENCE, Seen::ended).await;
    assert_eq!(seen.status, "CREDITED", "{}", seen.body);
    seen.body
}

async fn give_back(wallet: &Wallet, uetr: &str, amount: &str) -> (u16, Value) {
    let body = json!({
        "reason": "FOCR",
        "uetr": fresh_uetr(),
        "amount": { "amount": amount, "currency": "PHP" },
    });
    let (status, body) = wallet.act(uetr, "return", &body).await.unwrap();
    (status.as_u16(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn remittance_is_credited_returned_and_ruled() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let mut running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    let (hong_kong, philippines) = (running.wallet("HK").unwrap(), running.wallet("PH").unwrap());
    let before = balance(&pool, "hk", HELPER).await;
    let order = order("4000.00");
    let (status, body) = hong_kong.create(&order, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let uetr = order["uetr"].as_str().unwrap();
    let body = credited(&hong_kong, uetr).await;
    credited(&philippines, uetr).await;
    assert_eq!(balance(&pool, "ph", FAMILY).await, (400_000, 0));
    let paid = before.0 - balance(&pool, "hk", HELPER).await.0;
    let source = body["instructed_amount"]["amount"].as_str().unwrap().replace('.', "");
    assert_eq!(paid, source.parse::<i64>().unwrap() + FEE, "{body}");
    returned_in_parts(&pool, (&hong_kong, &philippines), uetr).await;
    corridor_rules(&running).await;
    a_hold_that_is_over_is_not_told(&hong_kong).await;
    events_are_waited_for(&hong_kong).await;
    sealed::against_the_rules(&running, &hong_kong, &philippines).await;
    sealed::said_again(&running, &hong_kong).await;
    running.stop();
    nothing_private_is_logged(&running);
}

/// Who asks for what follows the last event is answered as soon as it is there.
async fn events_are_waited_for(wallet: &Wallet) {
    let read = async |query: &str| {
        let path = format!("/v1/events?{query}");
        let (status, body) = wallet.send(reqwest::Method::GET, &path, None, None).await.unwrap();
        (status.as_u16(), body)
    };
    let last = async || {
        let (_, all) = read("limit=1000").await;
        all.as_array().unwrap().last().unwrap()["number"].as_u64().unwrap()
    };
    let (after, order) = (last().await, order("4030.00"));
    let create = wallet.create(&order, PATIENCE);
    let query = format!("after={after}&wait_s=20");
    let ((status, next), created) = tokio::join!(read(&query), create);
    assert_eq!((status, created.unwrap().0.as_u16()), (200, 201));
    assert_eq!(next[0]["number"], json!(after + 1), "{next}");
    credited(wallet, order["uetr"].as_str().unwrap()).await;
    // Beyond the end there is nothing, after a wait too.
    assert_eq!(read("after=9000000000000000000&wait_s=1").await, (200, json!([])));
    for (query, field) in [("wait_s=21", "wait_s"), ("wait_s=-1", "wait_s"), ("after=-1", "after")]
    {
        let (status, body) = read(query).await;
        assert!(status == 400 && body["detail"].as_str().unwrap().starts_with(field), "{body}");
    }
}

/// Who paid whom, where they live and what signs for the participants stands in no log.
fn nothing_private_is_logged(running: &Running) {
    let folder = &running.folder.path;
    let keys =
        ["participants/HK/signing.key", "participants/PH/sealing.key", "operator/keys/1.key"];
    let keys = keys.map(|key| fs::read_to_string(folder.join(key)).unwrap().trim().to_owned());
    let personal = ["Ada Testperson", "Bea Testperson", HELPER, FAMILY, "Test Street", "T0000000"];
    let (mut logs, mut bytes) = (0, 0);
    for log in fs::read_dir(folder.with_file_name("logs")).unwrap().flatten() {
        let text = String::from_utf8_lossy(&fs::read(log.path()).unwrap()).into_owned();
        (logs, bytes) = (logs + 1, bytes + text.len());
        for planted in personal.iter().copied().chain(keys.iter().map(String::as_str)) {
            let name = log.file_name();
            assert!(!planted.is_empty() && !text.contains(planted), "{name:?}: {planted}");
        }
    }
    assert!(logs > 3 && bytes > 0, "the services did log");
}

/// Half comes back, more than the rest does not, and the creditor's spent money cannot.
async fn returned_in_parts(pool: &PgPool, (debtor, creditor): (&Wallet, &Wallet), uetr: &str) {
    let before = balance(pool, "hk", HELPER).await;
    let (status, body) = give_back(creditor, uetr, "1000.00").await;
    assert_eq!(status, 201, "{body}");
    let back = body["uetr"].as_str().unwrap().to_owned();
    credited(debtor, &back).await;
    credited(creditor, &back).await;
    assert_eq!(balance(pool, "ph", FAMILY).await, (300_000, 0));
    assert!(balance(pool, "hk", HELPER).await.0 > before.0, "the debtor has money back");
    // The family has spent some: the gateway can't take it back and sends nothing.
    sqlx::query("UPDATE gateway_ph.book_account SET balance = 100 WHERE account = $1")
        .bind(FAMILY)
        .execute(pool)
        .await
        .unwrap();
    let (status, body) = give_back(creditor, uetr, "2000.00").await;
    assert_eq!((status, &body["code"]), (422, &json!("ACCOUNT_REFUSED")), "{body}");
    sqlx::query("UPDATE gateway_ph.book_account SET balance = 900000 WHERE account = $1")
        .bind(FAMILY)
        .execute(pool)
        .await
        .unwrap();
    let (status, body) = give_back(creditor, uetr, "3000.01").await;
    assert_eq!((status, &body["code"]), (422, &json!("RETURN_EXCEEDS_ORIGINAL")), "{body}");
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains("3000.00 PHP of the original may be returned"), "{detail}");
    // What was set aside is given back when the gateway reads the ledger's refusal.
    let given_back = async {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        while balance(pool, "ph", FAMILY).await != (900_000, 0) {
            looks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, given_back).await.expect("nothing stays set aside");
}

/// Held by the demonstration's script and then accepted: the reason of the hold goes with it.
async fn a_hold_that_is_over_is_not_told(wallet: &Wallet) {
    let order = order("4000.11");
    let (status, body) = wallet.create(&order, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let uetr = order["uetr"].as_str().unwrap();
    let held = wallet.follow(uetr, PATIENCE, |seen| seen.body["held_until"].is_string()).await;
    assert_eq!((&*held.status, &held.body["reason"]), ("PENDING", &json!("G003")));
    let body = credited(wallet, uetr).await;
    assert!(body["reason"].is_null() && body["held_until"].is_null(), "{body}");
}

/// Who the debtor is matters from HKD 8,000; a purpose must be one of the corridor's.
async fn corridor_rules(running: &Running) {
    let hong_kong = running.wallet("HK").unwrap();
    let large = order("80000.00");
    let (status, body) = hong_kong.create(&large, PATIENCE).await.unwrap();
    assert_eq!((status.as_u16(), &body["code"]), (422, &json!("TRAVEL_RULE_INCOMPLETE")), "{body}");
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains("debtor.address, debtor.national_identifier"), "{detail}");
    let mut complete = order("80000.00");
    complete["debtor"]["address"] = json!(["1 Test Street", "Hong Kong"]);
    complete["debtor"]["national_identifier"] = json!("T0000000");
    let (status, body) = hong_kong.create(&complete, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let mut ringgit = order("40010.00");
    ringgit["creditor_agent"] = json!("104");
    ringgit["interbank_settlement_amount"]["currency"] = json!("PKR");
    ringgit["payout_method"] = json!("bank_account");
    ringgit["purpose"] = json!("TREA");
    ringgit["debtor"]["account"] = json!("+60100000001");
    ringgit["creditor"]["account"] = json!("PK36SCBL0000001123456702");
    let malaysia = running.wallet("MY").unwrap();
    let (status, body) = malaysia.create(&ringgit, PATIENCE).await.unwrap();
    assert_eq!((status.as_u16(), &body["code"]), (422, &json!("PURPOSE_NOT_ALLOWED")), "{body}");
}
