//! A gateway whose callers, ledger or database fail: what is refused leaves the ledger as it was, and every 2xx has an outcome.
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::atomic::{AtomicU8, Ordering},
    time::{Duration, Instant},
};

use proto::ledger::GetRootRequest;
use serde_json::{Value, json};
use services_cli::{
    admin::commands::fund,
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use services_reconciliation::Store;
use sqlx::{Connection as _, PgConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

const PATIENCE: Duration = Duration::from_secs(60);
const NODES: usize = 3;
/// After this no quote stands that was registered before.
const QUOTES_STAND: Duration = Duration::from_secs(6);

static ORDERS: AtomicU8 = AtomicU8::new(0);

fn uetr() -> String {
    let mut random = [0x5c; 16];
    random[..4].copy_from_slice(&std::process::id().to_be_bytes());
    random[4] = ORDERS.fetch_add(1, Ordering::Relaxed);
    ledger_types::Uetr::from_random(random).to_string()
}

/// Hong Kong to the Philippines.
fn order() -> Value {
    json!({
        "uetr": uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "4001.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Ben Testperson", "account": "+639000000001" },
    })
}

/// A gateway as a caller with any headers sees it.
struct Door {
    client: reqwest::Client,
    url: String,
    api_key: String,
}

struct Said {
    status: u16,
    kind: String,
    retry_after: Option<String>,
    body: Value,
}

impl Said {
    fn is(&self, status: u16, code: &str) {
        let Self { body, kind, .. } = self;
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(kind, "application/problem+json", "{body}");
        assert!(body["type"].as_str().unwrap().ends_with(&format!("{code}.md")), "{body}");
    }

    /// A 503 says when to come again.
    fn is_away(&self, code: &str) {
        self.is(503, code);
        assert!(self.retry_after.is_some(), "{}", self.body);
    }
}

impl Door {
    fn of(running: &Running, label: &str) -> Self {
        let info = running.info();
        let text = |name: &str| info["gateways"][label][name].as_str().unwrap().to_owned();
        let client = services_runtime::tls::http_client(&running.ca()).unwrap();
        Self { client, url: text("url"), api_key: text("api_key") }
    }

    async fn create(&self, key: &str, body: String) -> Said {
        self.post("/v1/transfers", &[("idempotency-key", key)], body).await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: String) -> Said {
        let bearer = format!("Bearer {}", self.api_key);
        let mut request = self.client.post(format!("{}{path}", self.url)).body(body);
        if headers.iter().all(|(name, _)| *name != "authorization") {
            request = request.header("authorization", bearer);
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let header =
            |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, retry_after) = (answer.status().as_u16(), header("retry-after"));
        let kind = header("content-type").unwrap_or_default();
        let body = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null);
        Said { status, kind, retry_after, body }
    }
}

/// Number of records and the root over them, as the ledger says.
async fn root(running: &Running) -> (u64, Vec<u8>) {
    let (_, records) = running.operator.balances(None).await.unwrap();
    let mut admin = running.operator.admin(running.leader().await.unwrap()).unwrap();
    let root = admin.get_root(GetRootRequest { records }).await.unwrap().into_inner();
    (root.records, root.root.to_vec())
}

/// Status and text of a page in plain text, at the address that a settings file gives it.
async fn page(running: &Running, settings: &str, path: &str) -> (u16, String) {
    let text = std::fs::read_to_string(running.folder.path.join(settings)).unwrap();
    let settings: toml::Table = text.parse().unwrap();
    let address: SocketAddr = settings["health_listen"].as_str().unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

/// Waits until a service is ready, or is not for a reason.
async fn readiness(running: &Running, settings: &str, unmet: Option<&str>) {
    let wanted = if unmet.is_none() { 200 } else { 503 };
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, text) = page(running, settings, "/readyz").await;
        let unmet = unmet.map(|unmet| format!(r#""name":"{unmet}","holds":false"#));
        if status == wanted && unmet.as_ref().is_none_or(|unmet| text.contains(unmet)) {
            return;
        }
        assert!(Instant::now() < until, "{settings}: {unmet:?} expected, {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const HONG_KONG: &str = "participants/HK/gateway.toml";
const MANILA: &str = "participants/PH/gateway.toml";
const BANK: &str = "participants/A/fx.toml";
const RECONCILIATION: &str = "reconciliation/reconciliation.toml";

#[tokio::test(flavor = "multi_thread")]
async fn gateway_faults_of_callers_and_ledger() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let mut running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    refusals_leave_the_ledger_as_it_was(&running).await;
    an_outage_of_the_ledger_loses_nothing(&mut running).await;
    running.stop();
}

async fn refusals_leave_the_ledger_as_it_was(running: &Running) {
    let (door, wallet) = (Door::of(running, "HK"), running.wallet("HK").unwrap());
    let first = order();
    let key = first["uetr"].as_str().unwrap();
    let (status, body) = wallet.create(&first, PATIENCE).await.unwrap();
    assert_eq!(status.as_u16(), 201, "{body}");
    let last = wallet.follow(key, PATIENCE, Seen::ended).await;
    assert_eq!(last.status, "CREDITED", "{}", last.body);

    let before = root(running).await;
    door.create(key, order().to_string()).await.is(422, "IDEMPOTENCY_KEY_REUSED");
    door.create("", order().to_string()).await.is(400, "IDEMPOTENCY_KEY_MISSING");
    door.create("large", " ".repeat((1 << 20) + 1)).await.is(413, "BODY_TOO_LARGE");
    door.create("broken", "{".to_owned()).await.is(400, "BODY_MALFORMED");
    for (bearer, code) in [("", "API_KEY_MISSING"), ("Bearer cw_none", "API_KEY_UNKNOWN")] {
        let headers = [("idempotency-key", "k"), ("authorization", bearer)];
        door.post("/v1/transfers", &headers, order().to_string()).await.is(401, code);
    }
    for (number, (field, value, status, code, reason)) in bad_fields().into_iter().enumerate() {
        let mut body = order();
        match body.pointer_mut(&format!("/{}", field.replace('.', "/"))) {
            Some(place) => *place = value.clone(),
            None => drop(body.as_object_mut().unwrap().insert(field.to_owned(), value.clone())),
        }
        let said = door.create(&format!("bad-{number}"), body.to_string()).await;
        said.is(status, code);
        assert_eq!(said.body["reason"], reason, "{field} {value}: {}", said.body);
        let detail = said.body["detail"].as_str().unwrap();
        let named = field.split(".amount").next().unwrap();
        assert!(status != 400 || detail.contains(named), "{field} {value}: {detail}");
    }
    assert_eq!(root(running).await, before, "nothing refused here reached the log");
    measured(running, HONG_KONG, &[
        "causeway_gateway_transfers_total{direction=\"out\",status=\"CREDITED\"} 1",
        "causeway_gateway_finality_seconds_count{corridor=",
        "causeway_gateway_credited_seconds_count{corridor=",
        "causeway_gateway_outbox_pending 0",
        "causeway_gateway_requests_total{method=\"POST\",route=\"/v1/transfers\",status=\"201\"} 1",
    ])
    .await;
    measured(
        running,
        BANK,
        &[
            "causeway_fx_quotes_given_total{source=\"HKD\",destination=\"PHP\"} 1",
            "causeway_fx_quotes_registered_total 1",
            "causeway_fx_mid_rate_age_seconds{source=\"HKD\",destination=\"PHP\"}",
        ],
    )
    .await;
    many_quotes_draw_on_few(running, &door).await;
    measured(
        running,
        RECONCILIATION,
        &[
            "causeway_reconciliation_records_total",
            "causeway_reconciliation_batch_seconds_count",
            "causeway_reconciliation_tie_out_failures_total 0",
        ],
    )
    .await;
}

/// The bank registers one quote for the questions of a few seconds, and each answer is its own.
async fn many_quotes_draw_on_few(running: &Running, door: &Door) {
    let registered = async || {
        let (_, text) = page(running, BANK, "/metrics").await;
        let line = text.lines().find_map(|line| {
            line.strip_prefix("causeway_fx_quotes_registered_total ")?.parse::<u32>().ok()
        });
        line.unwrap()
    };
    let before = registered().await;
    let asked = (0..40).map(|number| {
        let amount = json!({ "amount": format!("{}.00", 500 + number), "currency": "HKD" });
        let asked = json!({ "corridor": 1, "source_amount": amount });
        async move {
            let key = format!("many-{number}");
            door.post("/v1/quotes", &[("idempotency-key", &key)], asked.to_string()).await
        }
    });
    let answers = futures_util::future::join_all(asked).await;
    let mut ids = BTreeSet::new();
    for answer in answers {
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert!(ids.insert(answer.body["id"].as_str().unwrap().to_owned()));
    }
    let made = registered().await - before;
    assert!((1..=10).contains(&made), "{made} of 40");
}

/// Waits until a service's metrics show these lines.
async fn measured(running: &Running, settings: &str, lines: &[&str]) {
    let until = Instant::now() + PATIENCE;
    loop {
        let (_, text) = page(running, settings, "/metrics").await;
        let missing = lines.iter().find(|line| !text.contains(**line));
        let Some(missing) = missing else { return };
        assert!(Instant::now() < until, "{settings}: {missing} is missing in {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A field, a value that breaks its rule, and the documented answer.
fn bad_fields() -> Vec<(&'static str, Value, u16, &'static str, &'static str)> {
    let amount = |amount: &str, currency: &str| json!({ "amount": amount, "currency": currency });
    let settlement = "interbank_settlement_amount";
    vec![
        ("creditor_agent", json!("999"), 422, "CREDITOR_AGENT_UNKNOWN", "CNOR"),
        ("creditor_agent", json!("CWWAPHM"), 422, "CREDITOR_AGENT_UNKNOWN", "CNOR"),
        ("creditor_agent", json!("CWLASGS0"), 422, "CORRIDOR_UNKNOWN", "AG03"),
        ("corridor", json!(99), 422, "CORRIDOR_UNKNOWN", "AG03"),
        (settlement, amount("4001.001", "PHP"), 400, "FIELD_INVALID", "FF01"),
        (settlement, amount("0.00", "PHP"), 400, "FIELD_INVALID", "AM01"),
        (settlement, amount("-1.00", "PHP"), 400, "FIELD_INVALID", "FF01"),
        (settlement, amount("4001.00", "EUR"), 400, "FIELD_INVALID", "AM03"),
        (settlement, amount("4001.00", "PKR"), 422, "CORRIDOR_UNKNOWN", "AG03"),
        ("purpose", json!("gift"), 400, "FIELD_INVALID", "FF07"),
        ("payout_method", json!("pigeon"), 400, "FIELD_INVALID", "FF01"),
        ("uetr", json!("8A562C67-CA16-48BA-B074-65581BE6F001"), 400, "FIELD_INVALID", "FF01"),
        ("uetr", json!("8a562c67-ca16-18ba-b074-65581be6f001"), 400, "FIELD_INVALID", "FF01"),
        ("debtor.account", json!("GB29NWBK60161331926818"), 400, "FIELD_INVALID", "AC01"),
        ("debtor.name", json!("x".repeat(141)), 400, "FIELD_INVALID", "FF01"),
        ("creditor.name", json!("a\u{7}b"), 400, "FIELD_INVALID", "FF01"),
        ("end_to_end_id", json!("x".repeat(36)), 400, "FIELD_INVALID", "FF01"),
        ("remittance_information", json!("x".repeat(1_025)), 400, "FIELD_INVALID", "FF01"),
        ("quote", json!("none"), 400, "FIELD_INVALID", "FF01"),
        ("surprise", json!(1), 400, "BODY_MALFORMED", "FF01"),
    ]
}

/// Without a quote a transfer is not even begun; with one it is durable and has its outcome later.
async fn an_outage_of_the_ledger_loses_nothing(running: &mut Running) {
    let (door, wallet) = (Door::of(running, "HK"), running.wallet("HK").unwrap());
    readiness(running, HONG_KONG, None).await;
    readiness(running, BANK, None).await;
    let asked =
        json!({ "corridor": 1, "source_amount": { "amount": "600.00", "currency": "HKD" } });
    let quote = door.post("/v1/quotes", &[("idempotency-key", "q")], asked.to_string()).await;
    assert_eq!(quote.status, 201, "{}", quote.body);
    for number in 1..=NODES {
        running.kill_node(number).unwrap();
    }
    tokio::time::sleep(QUOTES_STAND).await;
    let (unquoted, mut quoted) = (order(), order());
    let fields = quoted.as_object_mut().unwrap();
    fields.remove("interbank_settlement_amount");
    fields.insert("quote".to_owned(), quote.body["id"].clone());
    let (refused, kept) = tokio::join!(
        door.create("unquoted", unquoted.to_string()),
        door.create("quoted", quoted.to_string()),
    );
    refused.is_away("LEDGER_UNAVAILABLE");
    let uetr = unquoted["uetr"].as_str().unwrap();
    assert!(wallet.look(uetr).await.unwrap().is_none(), "nothing kept");
    assert_eq!((kept.status, kept.body["iso_status"].as_str()), (202, Some("PDNG")));
    readiness(running, HONG_KONG, Some("events")).await;
    readiness(running, BANK, Some("ledger")).await;
    for number in 1..=NODES {
        running.resume_node(number).unwrap();
    }
    // The same request again, with the same key, finds its way now.
    let until = Instant::now() + PATIENCE;
    loop {
        let again = door.create("unquoted", unquoted.to_string()).await;
        if again.status == 201 {
            break;
        }
        again.is_away("LEDGER_UNAVAILABLE");
        assert!(Instant::now() < until, "the ledger does not come back: {}", again.body);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for made in [&unquoted, &quoted] {
        let uetr = made["uetr"].as_str().unwrap();
        let last = wallet.follow(uetr, PATIENCE, Seen::ended).await;
        assert!(last.ended(), "{uetr}: {}", last.body);
    }
    readiness(running, HONG_KONG, None).await;
    readiness(running, BANK, None).await;
    running.check().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_faults_of_postgres() {
    let Some((postgres, url)) = mortal().await else { return };
    let mut running = Running::start(Some(url.clone()), |_| Ok(())).await.unwrap();
    readiness(&running, RECONCILIATION, None).await;
    let (door, wallet) = (Door::of(&running, "HK"), running.wallet("HK").unwrap());
    let mut sending = JoinSet::new();
    for _ in 0..20 {
        let (wallet, order) = (wallet.clone(), order());
        sending.spawn(async move { sent(&wallet, &order).await });
    }
    // Some are being made now.
    let first = sending.join_next().await.unwrap().unwrap();
    postgres.crash().unwrap();
    let funded = fund(&running.folder, 101, "HKD", "1.00", "DURING-OUTAGE").await.unwrap();
    door.create("away", order().to_string()).await.is_away("STORE_UNAVAILABLE");
    readiness(&running, HONG_KONG, Some("database")).await;
    readiness(&running, RECONCILIATION, Some("database")).await;
    running.check().unwrap();
    postgres.resume().unwrap();
    let mut made = vec![first];
    while let Some(uetr) = sending.join_next().await {
        made.push(uetr.unwrap());
    }
    for uetr in &made {
        let last = wallet.follow(uetr, PATIENCE, Seen::ended).await;
        assert!(last.ended(), "{uetr}: {}", last.body);
    }
    readiness(&running, HONG_KONG, None).await;
    readiness(&running, RECONCILIATION, None).await;
    let (records, root) = root(&running).await;
    assert!(records > funded, "the ledger went on");
    reconciled(&url, records, &root).await;
    running.check().unwrap();
    running.stop();
}

/// What the gateways committed without waiting for the disk is lost with a server that dies, while they
/// live on and believe that it is there.
#[tokio::test(flavor = "multi_thread")]
async fn gateway_faults_of_a_postgres_that_forgets() {
    let Some((postgres, url)) = forgetful().await else { return };
    let mut running = Running::start(Some(url.clone()), |_| Ok(())).await.unwrap();
    let wallet = running.wallet("HK").unwrap();
    for _ in 0..3 {
        let mut sending = JoinSet::new();
        for _ in 0..5 {
            let (wallet, order) = (wallet.clone(), order());
            sending.spawn(async move { sent(&wallet, &order).await });
        }
        for uetr in sending.join_all().await {
            let last = wallet.follow(&uetr, PATIENCE, Seen::ended).await;
            assert_eq!(last.status, "CREDITED", "{uetr}: {}", last.body);
        }
        postgres.crash().unwrap();
        postgres.resume().unwrap();
    }
    let (records, root) = root(&running).await;
    reconciled(&url, records, &root).await;
    for settings in [HONG_KONG, MANILA, BANK] {
        readiness(&running, settings, None).await;
    }
    measured(&running, MANILA, &["causeway_gateway_outbox_pending 0"]).await;
    measured(&running, HONG_KONG, &["causeway_gateway_outbox_pending 0"]).await;
    running.check().unwrap();
    running.stop();
}

/// A server of the test's own that may be crashed, and a database of it.
async fn mortal() -> Option<(Postgres, String)> {
    let postgres = Postgres::start().unwrap();
    if !postgres.private() {
        tests::skipped("a Postgres that was not started here must not be stopped");
        return None;
    }
    let url = postgres.database().await.unwrap();
    Some((postgres, url))
}

/// Such a server, on which what is committed without waiting goes to the disk with the next commit that
/// waits, or after ten seconds.
pub(crate) async fn forgetful() -> Option<(Postgres, String)> {
    let (postgres, url) = mortal().await?;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for statement in ["ALTER SYSTEM SET wal_writer_delay = '10s'", "SELECT pg_reload_conf()"] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    Some((postgres, url))
}

/// Sends until it is taken; gives its name.
async fn sent(wallet: &Wallet, order: &Value) -> String {
    let (status, body) = wallet.create(order, PATIENCE).await.unwrap();
    assert!(status.is_success(), "{status} {body}");
    order["uetr"].as_str().unwrap().to_owned()
}

/// Waits until the tables hold every record, and exactly these.
async fn reconciled(database_url: &str, records: u64, root: &[u8]) {
    let store = Store::new(database_url).unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        let summary = store.summary().await.unwrap();
        if summary.records >= records {
            let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((summary.records, summary.root_hex), (records, root));
            assert!(summary.conservation.values().all(|net| net == "0"));
            return;
        }
        assert!(Instant::now() < until, "{} of {records} records", summary.records);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
