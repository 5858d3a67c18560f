//! Files go by the limit too: a row above it waits for another than its maker, or refuses a batch of all or nothing.
use reqwest::Body;
use serde_json::{Value, json};
use services_cli::wallet::Wallet;
use tests::fresh_uetr;

use super::{Office, approvals::nothing_moved, credited, get, order, post, uetr, until};

pub(super) async fn files_go_by_the_limit_too(office: &Office) {
    let maker = office.person(Some("ada"), &["read", "send"]).await;
    nothing_of_all_or_nothing_goes(office, &maker).await;
    one_row_waits_and_the_other_goes(office, &maker).await;
}

/// A file of one row below the limit and one above it.
fn two() -> [Value; 2] {
    [order("81.00"), order("6500.00")]
}

/// Sends orders as a batch, and gives its path.
async fn send(maker: &Wallet, mode: &str, orders: &[Value]) -> String {
    let text: String = orders.iter().map(|order| format!("{order}\n")).collect();
    let path = format!("/v1/batches?mode={mode}");
    let kind = "application/x-ndjson";
    let (status, said) = maker.upload(&path, &fresh_uetr(), kind, Body::from(text)).await.unwrap();
    assert_eq!(status.as_u16(), 202, "{said}");
    format!("/v1/batches/{}", said["id"].as_str().unwrap())
}

async fn nothing_of_all_or_nothing_goes(office: &Office, maker: &Wallet) {
    let orders = two();
    let path = send(maker, "all_or_nothing", &orders).await;
    let seen = until(maker, &path, |seen| seen["state"] == "refused").await;
    assert_eq!(seen["code"], "BATCH_REFUSED");
    assert_eq!((&seen["counts"]["REJECTED"], &seen["counts"]["CANCELLED"]), (&json!(1), &json!(1)));
    let refused = get(maker, &format!("{path}/rows?status=REJECTED"), 200).await;
    let row = &refused["rows"][0];
    assert_eq!((&row["row"], &row["code"]), (&json!(2), &json!("APPROVAL_REQUIRED")), "{refused}");
    let mut sql = office.sql().await;
    for order in &orders {
        nothing_moved(office, uetr(order)).await;
        let kept: (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM transfer WHERE uetr = $1::uuid),
                (SELECT count(*) FROM approval WHERE uetr = $1::uuid)",
        )
        .bind(uetr(order))
        .fetch_one(&mut sql)
        .await
        .unwrap();
        assert_eq!(kept, (0, 0), "transfers, approvals");
    }
}

async fn one_row_waits_and_the_other_goes(office: &Office, maker: &Wallet) {
    let checker = office.person(Some("bea"), &["read", "approve"]).await;
    let orders = two();
    let path = send(maker, "best_effort", &orders).await;
    let sent = |seen: &Value| seen["state"] == "sent" && seen["counts"]["CREDITED"] == 1;
    let seen = until(maker, &path, sent).await;
    let waits = (&seen["counts"]["AWAITING_APPROVAL"], &seen["open"]);
    assert_eq!(waits, (&json!(1), &json!(1)), "it is under way: {seen}");
    let rows = get(maker, &format!("{path}/rows?status=AWAITING_APPROVAL"), 200).await;
    assert_eq!(rows["rows"].as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(rows["rows"][0]["uetr"], orders[1]["uetr"]);
    nothing_moved(office, uetr(&orders[1])).await;

    let open = get(&checker, "/v1/approvals?state=open", 200).await;
    let own = open["approvals"].as_array().unwrap();
    assert_eq!(own.len(), 1, "{open}");
    assert_eq!(
        (&own[0]["maker"], &own[0]["transfer"]["uetr"]),
        (&json!("ada"), &orders[1]["uetr"])
    );
    let approve = format!("/v1/approvals/{}/approve", own[0]["id"].as_str().unwrap());
    let same = office.person(Some("ada"), &["approve"]).await;
    let said = post(&same, &approve, Value::Null, 403).await;
    assert_eq!(said["code"], "FOUR_EYES_REQUIRED", "who sent the file is the maker of its rows");
    post(&checker, &approve, Value::Null, 201).await;
    credited(maker, uetr(&orders[1])).await;
    let seen = until(maker, &path, |seen| seen["open"] == 0).await;
    assert_eq!(seen["counts"], json!({ "CREDITED": 2 }), "{seen}");
}
