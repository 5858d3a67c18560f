//! API keys over REST and from a terminal: made, used, rotated with an overlap, taken back, expired; and each has its own rate.
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use services_cli::admin::gateways;

use super::{Office, PATIENCE, get, order, post, uetr};

/// Within this a gateway sees what its own API did not do.
const SEEN_AFTER: Duration = Duration::from_secs(1);

pub(super) async fn from_their_making_to_their_end(office: &Office) {
    let keeper = office.person(Some("mia"), &["manage"]).await;
    for (body, field) in [
        (json!({ "owner": " ", "scopes": ["read"] }), "owner"),
        (json!({ "owner": "unnamed", "scopes": ["read"] }), "owner"),
        (json!({ "owner": "cai", "scopes": [] }), "scopes"),
        (json!({ "owner": "cai", "scopes": ["read", "rule"] }), "scopes[1]"),
        (
            json!({ "owner": "cai", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z" }),
            "expires_at",
        ),
    ] {
        let said = post(&keeper, "/v1/api-keys", body, 400).await;
        assert!(said["detail"].as_str().unwrap().starts_with(field), "{said}");
    }
    let asked = json!({ "owner": "cai", "scopes": ["read", "send", "read"] });
    let made = post(&keeper, "/v1/api-keys", asked, 201).await;
    assert_eq!((&made["state"], &made["scopes"]), (&json!("live"), &json!(["read", "send"])));
    let secret = made["secret"].as_str().unwrap().to_owned();
    let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
    let first = office.holding(secret.clone());
    let own = order("1000.00");
    let (status, said) = first.create(&own, PATIENCE).await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{said}");
    let used = get(&keeper, &path, 200).await;
    let at = used["last_used_at"].as_str().unwrap();
    assert!(at.ends_with(":00Z"), "to the minute: {at}");
    let listed = get(&keeper, "/v1/api-keys", 200).await;
    assert!(!listed.to_string().contains("cw_") && !used.to_string().contains("cw_"));

    let rotate = format!("{path}/rotate");
    let said = post(&keeper, &rotate, json!({ "overlap_s": 604_801 }), 400).await;
    assert!(said["detail"].as_str().unwrap().starts_with("overlap_s"), "{said}");
    let second = post(&keeper, &rotate, Value::Null, 200).await;
    assert!(second["former_secret_until"].is_string(), "{second}");
    let second = office.holding(second["secret"].as_str().unwrap().to_owned());
    for wallet in [&first, &second] {
        get(wallet, "/v1/transfers?limit=1", 200).await;
    }
    // A new secret is the same key, so the same request gets its first answer.
    let (status, said) = second.create(&own, PATIENCE).await.unwrap();
    assert_eq!((status, said["uetr"].as_str()), (StatusCode::CREATED, Some(uetr(&own))));
    let id = made["id"].as_str().unwrap();
    let (third, _) = gateways::rotate(&office.config, id, 0).await.unwrap();
    let third = office.holding(third);
    get(&third, "/v1/transfers?limit=1", 200).await;
    tokio::time::sleep(SEEN_AFTER).await;
    for wallet in [&first, &second] {
        let said = get(wallet, "/v1/transfers?limit=1", 401).await;
        assert_eq!(said["code"], "API_KEY_UNKNOWN");
    }
    for _ in 0..2 {
        let said = post(&keeper, &format!("{path}/revoke"), Value::Null, 200).await;
        assert_eq!(said["state"], "revoked");
    }
    get(&third, "/v1/transfers?limit=1", 401).await;
    let said = post(&keeper, &rotate, Value::Null, 404).await;
    assert_eq!(said["code"], "API_KEY_NOT_FOUND");
    expiry(office).await;
}

async fn expiry(office: &Office) {
    let scopes = ["read".to_owned()];
    let made = gateways::api_key_of(&office.config, &scopes, Some("dan"), Some(1)).await.unwrap();
    let wallet = office.holding(made.1);
    get(&wallet, "/v1/transfers?limit=1", 200).await;
    let mut sql = office.sql().await;
    sqlx::query("UPDATE api_key SET expires_at = now() WHERE id = $1::uuid")
        .bind(made.0.to_string())
        .execute(&mut sql)
        .await
        .unwrap();
    tokio::time::sleep(SEEN_AFTER).await;
    get(&wallet, "/v1/transfers?limit=1", 401).await;
    let (listed, _) = gateways::list(&office.config).await.unwrap();
    let line = listed.lines().find(|line| line.starts_with(&made.0.to_string())).unwrap();
    assert!(line.contains("expired") && line.contains("dan"), "{line}");
}

/// The gateway in the Philippines gives each key 600 requests, and then one a second.
pub(super) async fn each_has_its_rate(office: &Office) {
    let config = office.running.folder.path.join("participants/PH/gateway.toml");
    let scopes = ["read".to_owned()];
    let (_, key) = gateways::api_key_of(&config, &scopes, None, None).await.unwrap();
    let (_, other) = gateways::api_key_of(&config, &scopes, None, None).await.unwrap();
    let client = services_runtime::tls::http_client(&office.running.ca()).unwrap();
    let info = office.running.info();
    let url = format!("{}/v1/corridors", info["gateways"]["PH"]["url"].as_str().unwrap());
    let ask = async |key: &str| client.get(&url).bearer_auth(key).send().await.unwrap();
    let first = ask(&key).await;
    assert_eq!(first.headers()["ratelimit-policy"], "\"key\";q=600;w=600");
    assert_eq!(first.headers()["ratelimit"], "\"key\";r=599;t=1");
    let mut refused = None;
    for _ in 0..2_000 {
        let answer = ask(&key).await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a key has an end");
    let after: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&after), "{after}");
    assert!(refused.headers()["ratelimit"].to_str().unwrap().starts_with("\"key\";r=0;t="));
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "RATE_LIMIT_EXCEEDED");
    assert_eq!(ask(&other).await.status(), StatusCode::OK, "another key has its own");
}
