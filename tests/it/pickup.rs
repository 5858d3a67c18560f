//! Cash pickup through a running network: only the sender learns the code, wrong codes lock, one till of two pays, and what is over or sent back is not paid.
use std::{fs, path::Path, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use sqlx::PgPool;
use tests::fresh_uetr;

const PATIENCE: Duration = Duration::from_secs(30);

fn order() -> Value {
    json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "400.00", "currency": "PHP" },
        "payout_method": "cash_pickup",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Bea Testperson", "account": "+639000000001" },
    })
}

/// A till of the Philippines is locked for two seconds.
fn settings(network: &Path) -> anyhow::Result<()> {
    let file = network.join("participants/PH/gateway.toml");
    let text = fs::read_to_string(&file)?;
    Ok(fs::write(&file, text + "\n[pickup]\nwrong_max = 3\nlock_s = 2\n")?)
}

/// Sends one, and waits until the cash waits.
async fn waiting(wallet: &Wallet, till: &Wallet) -> (String, String) {
    let order = order();
    let uetr = order["uetr"].as_str().unwrap().to_owned();
    let (status, body) = wallet.create(&order, PATIENCE).await.unwrap();
    assert!(status.is_success(), "{body}");
    for side in [wallet, till] {
        let last = side.follow(&uetr, PATIENCE, |seen| seen.body["iso_status"] == "ACWP").await;
        assert_eq!((&*last.status, &last.body["iso_status"]), ("SETTLED", &json!("ACWP")));
    }
    let path = format!("/v1/transfers/{uetr}/pickup-code");
    let (status, said) = wallet.send(Method::GET, &path, None, None).await.unwrap();
    assert_eq!(status.as_u16(), 200, "{said}");
    (uetr, said["code"].as_str().unwrap().to_owned())
}

/// Shows a code at the till; status and code of the answer.
async fn show(till: &Wallet, uetr: &str, key: &str, code: &str) -> (u16, String) {
    let path = format!("/v1/transfers/{uetr}/pickup");
    let body = json!({ "code": code });
    let (status, said) = till.send(Method::POST, &path, Some(key), Some(&body)).await.unwrap();
    let code = said["code"].as_str().unwrap_or_default();
    (status.as_u16(), code.to_owned())
}

fn told(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn pickup_is_paid_once_against_the_senders_code() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let mut running = Running::start(Some(url), settings).await.unwrap();
    let (wallet, till) = (running.wallet("HK").unwrap(), running.wallet("PH").unwrap());
    let (uetr, code) = waiting(&wallet, &till).await;
    nobody_else_learns_it(&pool, &wallet, &till, (&uetr, &code)).await;
    wrong_codes_lock(&till, &uetr, &code).await;

    let last = wallet.follow(&uetr, PATIENCE, Seen::ended).await;
    assert_eq!((&*last.status, &last.body["confirmation"]), ("CREDITED", &json!("CPUC")));
    let path = format!("/v1/transfers/{uetr}/pickup-code");
    let (status, said) = wallet.send(Method::GET, &path, None, None).await.unwrap();
    assert_eq!((status.as_u16(), &said["code"]), (409, &json!("PICKUP_NOT_DUE")), "{said}");

    two_tills_pay_once(&wallet, &till).await;
    what_is_over_is_sent_back_and_not_paid(&pool, &wallet, &till).await;
    running.stop();
}

async fn nobody_else_learns_it(
    pool: &PgPool,
    wallet: &Wallet,
    till: &Wallet,
    (uetr, code): (&str, &str),
) {
    let path = format!("/v1/transfers/{uetr}/pickup-code");
    let (status, said) = till.send(Method::GET, &path, None, None).await.unwrap();
    assert_eq!((status.as_u16(), &said["code"]), (404, &json!("TRANSFER_NOT_FOUND")), "{said}");
    let (_, again) = wallet.send(Method::GET, &path, None, None).await.unwrap();
    assert_eq!((again["code"].as_str(), &again["shown"]), (Some(code), &json!(2)));
    let look = wallet.look(uetr).await.unwrap().unwrap();
    assert!(!look.body.to_string().contains(code), "the scope read does not show it");
    for schema in ["gateway_hk", "gateway_ph"] {
        let query = format!("SELECT personal::text FROM {schema}.party WHERE uetr::text = $1");
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(uetr);
        let kept: String = query.fetch_one(pool).await.unwrap();
        assert!(kept.contains("\"digest\""), "{schema} keeps the digest");
        assert!(!kept.contains(code) && !kept.contains(&code.replace('-', "")));
    }
}

async fn wrong_codes_lock(till: &Wallet, uetr: &str, code: &str) {
    for (number, wrong) in ["0000-0000-0000-0000", "", "Ω"].into_iter().enumerate() {
        let said = show(till, uetr, &format!("wrong-{number}-{uetr}"), wrong).await;
        assert_eq!(said, told(422, "PICKUP_CODE_WRONG"), "{wrong}");
    }
    let key = format!("right-{uetr}");
    assert_eq!(show(till, uetr, &key, code).await, told(409, "PICKUP_LOCKED"));
    let end = std::time::Instant::now() + PATIENCE;
    let written = code.to_lowercase().replace('-', " ");
    loop {
        match show(till, uetr, &key, &written).await {
            (201, _) => break,
            (status, code) if code == "PICKUP_LOCKED" => assert_eq!(status, 409),
            other => panic!("{other:?}"),
        }
        assert!(std::time::Instant::now() < end, "it stays locked");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(show(till, uetr, &key, &written).await.0, 201, "the same request again");
    let other = show(till, uetr, &format!("other-{uetr}"), code).await;
    assert_eq!(other, told(409, "PICKUP_NOT_DUE"));
}

async fn two_tills_pay_once(wallet: &Wallet, till: &Wallet) {
    let (uetr, code) = waiting(wallet, till).await;
    let keys: Vec<String> = (0..4).map(|number| format!("till-{number}-{uetr}")).collect();
    let shown = keys.iter().map(|key| show(till, &uetr, key, &code));
    let mut said = futures_util::future::join_all(shown).await;
    said.sort();
    let paid = said.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(paid, 1, "{said:?}");
    let refused = said.iter().filter(|(_, code)| code == "PICKUP_NOT_DUE").count();
    assert_eq!(refused, 3, "{said:?}");
    let by_hand = json!({ "status": "CPUC" });
    let (status, said) = till.act(&uetr, "confirm", &by_hand).await.unwrap();
    assert_eq!((status.as_u16(), &said["code"]), (409, &json!("PICKUP_NOT_DUE")), "{said}");

    // The other way round: paid on an identity document, then the code is shown.
    let (uetr, code) = waiting(wallet, till).await;
    let key = format!("till-{uetr}");
    let confirmed = till.act(&uetr, "confirm", &by_hand);
    let shown = show(till, &uetr, &key, &code);
    let (confirmed, shown) = tokio::join!(confirmed, shown);
    let paid = [confirmed.unwrap().0.is_success(), shown.0 == 201];
    assert_eq!(paid.iter().filter(|paid| **paid).count(), 1, "one pays: {paid:?} {shown:?}");
}

async fn what_is_over_is_sent_back_and_not_paid(pool: &PgPool, wallet: &Wallet, till: &Wallet) {
    let (uetr, code) = waiting(wallet, till).await;
    sqlx::query(
        "UPDATE gateway_ph.transfer SET settled_at = settled_at - interval '31 days'
         WHERE uetr::text = $1",
    )
    .bind(&uetr)
    .execute(pool)
    .await
    .unwrap();
    let said = show(till, &uetr, &format!("late-{uetr}"), &code).await;
    assert_eq!(said, told(409, "PICKUP_NOT_DUE"));
    sqlx::query("UPDATE gateway_ph.transfer SET settled_at = now() WHERE uetr::text = $1")
        .bind(&uetr)
        .execute(pool)
        .await
        .unwrap();
    let back = json!({ "uetr": fresh_uetr(), "reason": "FOCR" });
    let (status, body) = till.act(&uetr, "return", &back).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let said = show(till, &uetr, &format!("back-{uetr}"), &code).await;
    assert_eq!(said, told(409, "PICKUP_NOT_DUE"), "what was sent back is not paid");
    let last = wallet.follow(back["uetr"].as_str().unwrap(), PATIENCE, Seen::ended).await;
    assert_eq!(last.status, "CREDITED", "{}", last.body);
}
