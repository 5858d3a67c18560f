//! The HTTP surface against a real store and a ledger that does not answer; names are invented.
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use ed25519_dalek::SigningKey;
use ledger_proof::operator::SetCorridor;
use ledger_types::{AccountId, CorridorId, NetworkId, ParticipantId, Rejection};
use proto::{
    LedgerClient,
    convert::{CurrencyTerms, Network, Participant, PublicAccount},
};
use serde_json::{Value, json};
use services_runtime::tickets::Tickets;
use sha2::{Digest as _, Sha256};
use tonic::transport::Endpoint;
use tower::ServiceExt;

use gateway::{
    api_key_create,
    app::{App, Inner, Outbox, WorkQueue},
    directory::Directory,
    events::{Heard, recent::Recent},
    outbox::{Incoming, carriage::Carriage},
    routes::{caller::Scope, idempotency::Running, router},
    screening::{Hit, Screening, Unavailable, Verdict},
    sealing::{public_key, random},
    settings::{Account, Database, Decision, Demo, Limits},
    signer::{FileKey, Signer},
    store::{Store, book::Book},
    tracking::Tracking,
};
use tests::postgres::Postgres;

mod busy;

/// Lists one name and fails on another.
#[derive(Debug)]
struct Script;

impl Screening for Script {
    fn screen(&self, names: &[&str]) -> Result<Verdict, Unavailable> {
        if names.contains(&"EXAMPLE LISTED") {
            let (entry, listed) = ("1".to_owned(), "EXAMPLE LISTED".to_owned());
            return Ok(Verdict::Hits(vec![Hit { entry, listed, list_version: String::new() }]));
        }
        match names.contains(&"EXAMPLE FAILURE") {
            true => Err(Unavailable("scripted".to_owned())),
            false => Ok(Verdict::Clear),
        }
    }
}

fn network(sealing: [u8; 32]) -> Network {
    let participant = |id, country: &str, bic: &str| Participant {
        id: ParticipantId(id),
        name: String::new(),
        country: country.parse().unwrap(),
        bic: bic.to_owned(),
        lei: String::new(),
        clearing_member: String::new(),
        suspended: false,
        sealing_keys: vec![sealing],
        signing_keys: vec![],
    };
    let hkd = "HKD".parse().unwrap();
    let account = |account, owner| PublicAccount {
        account: AccountId(account),
        owner: ParticipantId(owner),
        currency: hkd,
        standing_acceptance: false,
    };
    let corridor = SetCorridor {
        nonce: [0; 32],
        corridor: CorridorId(1),
        version: 1,
        institutional: false,
        source_country: "HK".parse().unwrap(),
        destination_country: "PH".parse().unwrap(),
        source_currency: hkd,
        destination_currency: hkd,
        amount_min: 100,
        amount_max: 10_000_000,
        hold_micros: 60_000_000,
        credit_sla_micros: 60_000_000,
        open_quotes_max: 10,
        payout_methods: 7,
        screening_policy_version: 1,
        liquidity_banks: [].into_iter().collect(),
        purposes: ["GIFT".parse().unwrap()].into_iter().collect(),
        travel_rules: [].into_iter().collect(),
        regulator: ParticipantId(0),
    };
    Network {
        id: NetworkId([0; 32]),
        participants: vec![participant(11, "HK", "CWHKHKH0"), participant(12, "PH", "CWPHPHP0")],
        corridors: vec![(corridor, None)],
        currencies: vec![CurrencyTerms {
            currency: hkd,
            exponent: 2,
            custodian: ParticipantId(1),
            custody_account: AccountId(1),
        }],
        accounts: vec![account(110, 11), account(120, 12)],
    }
}

/// A gateway without sender and worker: what is durable stays unanswered.
struct Fixture {
    router: Router,
    key: String,
    requests: Tickets<[u8; 32]>,
    _postgres: Arc<Postgres>,
}

async fn fixture() -> Fixture {
    bounded(Limits::default()).await
}

async fn bounded(limits: Limits) -> Fixture {
    let nobody = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
    let ledger = LedgerClient::new(vec![nobody], Duration::from_millis(100));
    start(limits, ledger).await.0
}

/// The same, with what a sender needs.
async fn start(limits: Limits, ledger: LedgerClient) -> (Fixture, App, Incoming) {
    let postgres = Postgres::shared().unwrap();
    let (url, schema) = (postgres.database().await.unwrap(), "gateway".to_owned());
    let (outbox, items) = Outbox::new(limits.outbox_items_max);
    let signing = SigningKey::from_bytes(&random().unwrap());
    let signer: Arc<dyn Signer> = Arc::new(FileKey::new(signing));
    let (me, network_id) = (ParticipantId(11), NetworkId([0; 32]));
    let carriage =
        Carriage { outbox: outbox.clone(), signer: Arc::clone(&signer), network: network_id, me };
    let database = Database { url, schema, connections_max: 4 };
    let store = Store::open(&database, Arc::new(carriage)).await.unwrap();
    let (currency, status) = ("HKD".to_owned(), "open".to_owned());
    let account = Account {
        account: "100".to_owned(),
        currency,
        balance: 100_000,
        status,
        name: None,
        aliases: vec![],
    };
    let book = Book::open(store.clone(), &[account]).await.unwrap();
    let key = api_key_create(&store, &Scope::ALL).await.unwrap();
    let sealing_key = random().unwrap();
    let directory = Directory::default();
    directory.set(network(public_key(&sealing_key).unwrap()));
    let (work, _) = WorkQueue::new(1);
    let requests = limits.requests();
    let webhooks = gateway::settings::Webhooks::default();
    let app = App::new(Inner {
        tracking: Tracking::new(&gateway::settings::Tracking::default()),
        webhooks: gateway::webhooks::Webhooks::new(&webhooks, &sealing_key).unwrap(),
        batches: gateway::batches::Batches::new(&gateway::settings::Batches::default()),
        pickup: gateway::settings::Pickup::default(),
        payees: gateway::payee::Payees::new(&Default::default(), BTreeMap::new(), &sealing_key),
        security: gateway::security::Security::new(&Default::default()).unwrap(),
        tokens: None,
        turns: gateway::turns::Turns::default(),
        me,
        network: network_id,
        ledger,
        directory,
        heard: Heard::default(),
        recent: Recent::default(),
        running: Running::default(),
        signer,
        sealing_key,
        fx: vec![],
        screening: Arc::new(Script),
        banking: Arc::new(book),
        decision: Decision::Manual,
        demo: Demo::default(),
        profile: None,
        requests: requests.clone(),
        outbox,
        work,
        store,
        tracer: services_runtime::trace::Tracer::off(),
        checks: services_runtime::health::Checks::new(&gateway::CONDITIONS),
    });
    let fixture = Fixture { router: router(app.clone()), key, requests, _postgres: postgres };
    (fixture, app, items)
}

fn order(uetr: &str, name: &str, amount: &str, account: &str) -> Value {
    json!({
        "uetr": uetr,
        "creditor_agent": "CWPHPHP0",
        "instructed_amount": { "amount": amount, "currency": "HKD" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "EXAMPLE DEBTOR", "account": account },
        "creditor": { "name": name, "account": "+639170000000" },
    })
}

impl Fixture {
    async fn ask(&self, method: &str, path: &str, key: &str, body: String) -> (StatusCode, Value) {
        let (status, _, body) = self.ask_all(method, path, key, body).await;
        (status, body)
    }

    /// The same with the answer's headers.
    async fn ask_all(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: String,
    ) -> (StatusCode, HeaderMap, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        let bearer = format!("Bearer {}", self.key);
        let request = request.header(header::AUTHORIZATION, bearer).body(Body::from(body));
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), 1 << 22).await.unwrap();
        (status, headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

#[tokio::test]
async fn refusals_have_their_code_and_stay_the_answer() {
    let fixture = fixture().await;
    let uetr = |last: u8| format!("8a562c67-ca16-48ba-b074-65581be6f0{last:02}");
    let cases = [
        (1, "EXAMPLE LISTED", "500.00", "100", 422, "SCREENING_REFUSED", "RR04"),
        (2, "EXAMPLE FAILURE", "500.00", "100", 422, "SCREENING_REFUSED", "RR04"),
        (3, "EXAMPLE", "0.50", "100", 422, "AMOUNT_BELOW_MINIMUM", "AM06"),
        (4, "EXAMPLE", "900000.00", "100", 422, "AMOUNT_ABOVE_MAXIMUM", "AM02"),
        (5, "EXAMPLE", "500.00", "none", 422, "ACCOUNT_REFUSED", "AC01"),
        (6, "EXAMPLE", "5000.00", "100", 422, "ACCOUNT_REFUSED", "AM04"),
        (7, "EXAMPLE", "0.005", "100", 400, "FIELD_INVALID", "FF01"),
    ];
    for (number, name, amount, account, status, code, reason) in cases {
        let body = order(&uetr(number), name, amount, account).to_string();
        let key = format!("key-{number}");
        for _ in 0..2 {
            let (got, body) = fixture.ask("POST", "/v1/transfers", &key, body.clone()).await;
            assert_eq!((got.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
            assert_eq!(body["reason"], reason, "{body}");
        }
        let path = format!("/v1/transfers/{}", uetr(number));
        let (got, body) = fixture.ask("GET", &path, "", String::new()).await;
        if status == 422 {
            assert_eq!((got.as_u16(), body["iso_status"].as_str()), (200, Some("RJCT")), "{body}");
        } else {
            assert_eq!(got, StatusCode::NOT_FOUND);
        }
    }
}

#[tokio::test]
async fn every_problem_leads_to_its_page() {
    let fixture = fixture().await;
    let own = gateway::problem::Code::ALL.iter().map(|code| code.name());
    let ledgers = Rejection::ALL.iter().map(|rejection| rejection.code());
    for code in own.chain(ledgers) {
        let path = format!("/docs/errors/{code}.md");
        let (status, headers, _) = fixture.ask_all("GET", &path, "", String::new()).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(headers["content-type"], "text/markdown; charset=utf-8");
    }
    let (_, problem) = fixture.ask("GET", "/nowhere", "", String::new()).await;
    let path = problem["type"].as_str().unwrap().to_owned();
    assert_eq!(fixture.ask("GET", &path, "", String::new()).await.0, StatusCode::OK, "{path}");
    for path in ["/docs/errors/NONE.md", "/docs/errors/..%2fapi.md"] {
        let (status, problem) = fixture.ask("GET", path, "", String::new()).await;
        assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("RESOURCE_UNKNOWN")));
    }
}

#[tokio::test]
async fn a_purpose_that_the_corridor_lacks_is_refused() {
    let fixture = fixture().await;
    let mut body = order("8a562c67-ca16-48ba-b074-65581be6f066", "EXAMPLE", "500.00", "100");
    body["purpose"] = json!("SALA");
    let (status, body) = fixture.ask("POST", "/v1/transfers", "a", body.to_string()).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (422, Some("PURPOSE_NOT_ALLOWED")));
}

#[tokio::test]
async fn a_durable_transfer_is_answered_202_and_tracked() {
    let fixture = fixture().await;
    let uetr = "8a562c67-ca16-48ba-b074-65581be6f077";
    let body = order(uetr, "EXAMPLE", "500.00", "100").to_string();
    let (status, made) = fixture.ask("POST", "/v1/transfers", "a", body.clone()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{made}");
    assert_eq!(made["iso_status"], "PDNG");
    let (status, again) = fixture.ask("POST", "/v1/transfers", "a", body.clone()).await;
    assert_eq!((status, &again), (StatusCode::ACCEPTED, &made));
    let (status, other) = fixture.ask("POST", "/v1/transfers", "b", body.clone()).await;
    assert_eq!((status.as_u16(), other["code"].as_str()), (422, Some("UETR_REUSED")));
    let path = made["tracking_path"].as_str().unwrap();
    let json = path.replacen("/t/", "/v1/track/", 1);
    let (status, tracked) = fixture.ask("GET", &json, "", String::new()).await;
    assert_eq!((status, tracked["status"].as_str()), (StatusCode::OK, Some("QUEUED")));
    assert!(!tracked.to_string().contains("EXAMPLE"), "{tracked}");
    assert_eq!(fixture.ask("GET", path, "", String::new()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn whoever_goes_away_too_soon_asks_again_and_makes_one_transfer() {
    let fixture = fixture().await;
    let mut body = order("", "EXAMPLE", "10.00", "100");
    body.as_object_mut().unwrap().remove("uetr");
    for wait_ms in 0..20 {
        let key = format!("cut-{wait_ms}");
        let asked = || fixture.ask("POST", "/v1/transfers", &key, body.to_string());
        let wait = Duration::from_millis(wait_ms);
        let _cut_off = tokio::time::timeout(wait, asked()).await;
        let mut again = asked().await;
        // The first request goes on without its caller, and may take as long as a busy disk does.
        while again.0 == StatusCode::CONFLICT {
            tokio::time::sleep(Duration::from_millis(2)).await;
            again = asked().await;
        }
        assert_eq!(again.0, StatusCode::ACCEPTED, "{wait_ms} ms: {}", again.1);
        assert_eq!(asked().await, again, "{wait_ms} ms");
    }
    let (_, page) = fixture.ask("GET", "/v1/transfers?limit=100", "", String::new()).await;
    assert_eq!(page["transfers"].as_array().unwrap().len(), 20, "{page}");
}

#[tokio::test]
async fn the_surface_says_no_with_a_page() {
    let mut fixture = fixture().await;
    let large = " ".repeat((1 << 20) + 1);
    let cases = [
        ("POST", "/v1/transfers", "", "{}", 400, "IDEMPOTENCY_KEY_MISSING"),
        ("POST", "/v1/transfers", "k1", "{", 400, "BODY_MALFORMED"),
        ("POST", "/v1/transfers", "k2", "{\"surprise\":1}", 400, "BODY_MALFORMED"),
        ("POST", "/v1/transfers", "k3", large.as_str(), 413, "BODY_TOO_LARGE"),
        ("GET", "/v1/transfers/none", "", "", 400, "FIELD_INVALID"),
        ("GET", "/v1/transfers?cursor=x", "", "", 400, "FIELD_INVALID"),
        ("GET", "/v1/balances", "", "", 503, "LEDGER_UNAVAILABLE"),
        ("GET", "/v1/track/none", "", "", 404, "TRANSFER_NOT_FOUND"),
        ("GET", "/nowhere", "", "", 404, "RESOURCE_UNKNOWN"),
        ("DELETE", "/v1/transfers", "", "", 405, "METHOD_NOT_ALLOWED"),
    ];
    for (method, path, key, body, status, code) in cases {
        let (got, problem) = fixture.ask(method, path, key, body.to_owned()).await;
        assert_eq!((got.as_u16(), problem["code"].as_str()), (status, Some(code)), "{path}");
    }
    let (status, api) = fixture.ask("GET", "/openapi.json", "", String::new()).await;
    assert_eq!((status, api["openapi"].as_str()), (StatusCode::OK, Some("3.1.0")));
    fixture.key = "wrong".to_owned();
    let (status, problem) = fixture.ask("GET", "/v1/transfers", "", String::new()).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (401, Some("API_KEY_UNKNOWN")));
}

#[tokio::test]
async fn one_key_has_its_share_of_the_requests_and_no_more() {
    let mut fixture = bounded(Limits { requests_max: 8, ..Limits::default() }).await;
    let digest = |key: &str| -> [u8; 32] { Sha256::digest(format!("Bearer {key}")).into() };
    let own: Vec<_> = std::iter::from_fn(|| fixture.requests.take(digest(&fixture.key))).collect();
    assert_eq!(own.len(), 2, "a quarter of them");
    let (status, headers, problem) =
        fixture.ask_all("GET", "/v1/transfers", "", String::new()).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (429, Some("TOO_MANY_REQUESTS")));
    assert!(headers.contains_key(header::RETRY_AFTER), "{headers:?}");
    let flooding = std::mem::replace(&mut fixture.key, "another".to_owned());
    let (status, _, problem) = fixture.ask_all("GET", "/v1/transfers", "", String::new()).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (401, Some("API_KEY_UNKNOWN")));
    fixture.key = flooding;
    drop(own);
    let (status, _, page) = fixture.ask_all("GET", "/v1/transfers", "", String::new()).await;
    assert_eq!(status, StatusCode::OK, "{page}");
}

#[tokio::test]
async fn what_would_only_wait_for_the_ledger_is_not_kept() {
    let fixture = bounded(Limits { outbox_items_max: 0, ..Limits::default() }).await;
    let uetr = "8a562c67-ca16-48ba-b074-65581be6f0aa";
    let body = order(uetr, "EXAMPLE", "500.00", "100").to_string();
    for _ in 0..2 {
        let asked = fixture.ask_all("POST", "/v1/transfers", "busy", body.clone()).await;
        let (status, headers, problem) = asked;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (503, Some("LEDGER_BUSY")));
        assert!(headers.contains_key(header::RETRY_AFTER), "{headers:?}");
    }
    let path = format!("/v1/transfers/{uetr}");
    let (status, problem) = fixture.ask("GET", &path, "", String::new()).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (404, Some("TRANSFER_NOT_FOUND")));
}
