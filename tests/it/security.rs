//! Security of a running network: a second pair of eyes above the participant's limit, API keys from their making to their end, rates, and the audit log's chain.
use std::{path::PathBuf, sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use services_cli::{
    admin::gateways::api_key_of,
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use sqlx::{Connection, PgConnection};
use tests::fresh_uetr;

mod approvals;
mod audit;
mod batches;
mod keys;
mod oauth;
mod signatures;
mod token;

use oauth::Issuer;
use token::Token;

const PATIENCE: Duration = Duration::from_secs(60);

/// Of Hong Kong: what credits more than 5,000.00 PHP waits; sign-ins that failed are written soon.
const SETTINGS: &str = r#"
[security]
failures_every_ms = 200
[security.approval]
limits = [{ currency = "PHP", amount = 500000 }]
"#;

/// Of the Philippines: so slow that nothing comes back while the test runs.
const SLOW: &str = r#"
[security]
requests_per_s = 1
burst = 600
"#;

/// A network and those who hold keys of the gateway in Hong Kong.
struct Office {
    running: Running,
    config: PathBuf,
    url: String,
    issuer: Issuer,
    /// What signs for the Philippines.
    _token: Option<Token>,
    /// Ends with the last who holds it.
    _postgres: Arc<Postgres>,
}

impl Office {
    async fn open() -> Self {
        let postgres = Postgres::shared().unwrap();
        let url = postgres.database().await.unwrap();
        let issuer = Issuer::new().await;
        let mut token = None;
        let prepare = |network: &std::path::Path| -> anyhow::Result<()> {
            for (label, more) in [("HK", SETTINGS), ("PH", SLOW)] {
                let file = network.join(format!("participants/{label}/gateway.toml"));
                std::fs::write(&file, std::fs::read_to_string(&file)? + more)?;
            }
            let own = network.join("participants/HK/gateway.toml");
            std::fs::write(&own, std::fs::read_to_string(&own)? + &issuer.settings(network))?;
            token = Token::of(&network.join("participants/PH"));
            Ok(())
        };
        let running = Running::start(Some(url), prepare).await.unwrap();
        let _serving = issuer.serve(&running.folder.path);
        let config = running.folder.path.join("participants/HK/gateway.toml");
        let url = running.info()["gateways"]["HK"]["url"].as_str().unwrap().to_owned();
        Self { running, config, url, issuer, _token: token, _postgres: postgres }
    }

    /// Who holds a key with these scopes.
    async fn person(&self, owner: Option<&str>, scopes: &[&str]) -> Wallet {
        let scopes: Vec<_> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let (_, secret) = api_key_of(&self.config, &scopes, owner, None).await.unwrap();
        self.holding(secret)
    }

    fn holding(&self, secret: String) -> Wallet {
        Wallet::new(&self.running.ca(), self.url.clone(), secret).unwrap()
    }

    async fn sql(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.running.database_url).await.unwrap();
        sqlx::query("SET search_path TO gateway_hk").execute(&mut connection).await.unwrap();
        connection
    }
}

/// An order of so much PHP.
fn order(amount: &str) -> Value {
    json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": amount, "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Bea Testperson", "account": "+639000000001" },
    })
}

fn uetr(order: &Value) -> &str {
    order["uetr"].as_str().unwrap()
}

/// Asks and insists on a status; gives the body.
async fn ask(who: &Wallet, method: Method, path: &str, body: Value, status: u16) -> Value {
    let given = Some(&body).filter(|body| !body.is_null());
    let (got, answer) = who.send(method, path, None, given).await.unwrap();
    assert_eq!(got.as_u16(), status, "{path}: {answer}");
    answer
}

async fn get(who: &Wallet, path: &str, status: u16) -> Value {
    ask(who, Method::GET, path, Value::Null, status).await
}

async fn post(who: &Wallet, path: &str, body: Value, status: u16) -> Value {
    ask(who, Method::POST, path, body, status).await
}

/// Asks until a word of the answer is as wanted.
async fn until(who: &Wallet, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        if let Ok((_, seen)) = who.send(Method::GET, path, None, None).await {
            if wanted(&seen) {
                return seen;
            }
            assert!(std::time::Instant::now() < end, "{path}: {seen}");
        }
        assert!(std::time::Instant::now() < end, "{path}: no answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn security_of_a_gateway() {
    let mut office = Office::open().await;
    let audited = office.person(Some("aud"), &["audit"]).await;
    approvals::a_second_pair_of_eyes(&mut office).await;
    batches::files_go_by_the_limit_too(&office).await;
    keys::from_their_making_to_their_end(&office).await;
    keys::each_has_its_rate(&office).await;
    signatures::requests_are_signed_where_they_must_be(&office).await;
    oauth::a_client_comes_by_its_token(&office).await;
    audit::tells_what_was_done_and_notices_changes(&office, &audited).await;
    office.running.stop();
}

async fn credited(who: &Wallet, uetr: &str) {
    let last = who.follow(uetr, PATIENCE, Seen::ended).await;
    assert_eq!(last.status, "CREDITED", "{}", last.body);
}
