//! Webhooks of a running network: a receiver that fails by chance, is away and comes back gets every event, in order per transfer; the published Python package verifies them.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use gateway::webhooks::signature::Verifier;
use reqwest::Method;
use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use services_runtime::receive::{Call, receive};
use tests::{fresh_uetr, skipped};
use time::OffsetDateTime;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

/// As deploy/prerequisites.sh installs it.
const VERSION: &str = "1.1.0";
const PATIENCE: Duration = Duration::from_secs(90);
const SEED: u64 = 7;
/// Seconds for which the receiver stays away; more by an environment variable, to measure.
const AWAY_VARIABLE: &str = "CAUSEWAY_WEBHOOK_AWAY_S";

/// Verifies each line with the package, and counts those whose altered copy it refuses.
const SCRIPT: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
refused = 0
for line in open(sys.argv[1]):
    row = json.loads(line)
    hook = Webhook(row["secret"])
    hook.verify(row["body"].encode(), row["headers"])
    try:
        hook.verify((row["body"] + " ").encode(), row["headers"])
    except WebhookVerificationError:
        refused += 1
print(refused)
"#;

/// One message as it came, and whether it was answered 204.
#[derive(Clone, Debug)]
struct Came {
    headers: BTreeMap<String, String>,
    body: String,
    taken: bool,
}

impl Came {
    fn data(&self) -> Value {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body["data"].clone()
    }

    fn number(&self) -> u64 {
        self.data()["number"].as_u64().unwrap_or(0)
    }
}

type Inbox = Arc<Mutex<Vec<Came>>>;

/// Receives on a port until aborted, and fails so many times of ten, by a seed.
async fn receiver(port: u16, (fails, seed): (u8, u64), inbox: &Inbox) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let inbox = Arc::clone(inbox);
    let task = tokio::spawn(async move {
        let (calls, mut queue) = mpsc::channel::<Call>(64);
        let mut random = fastrand::Rng::with_seed(seed);
        let taking = async {
            while let Some(call) = queue.recv().await {
                let taken = random.u8(..10) >= fails;
                let body = String::from_utf8(call.body.to_vec()).unwrap();
                inbox.lock().unwrap().push(Came { headers: call.headers, body, taken });
                let _gone = call.answer.send(if taken { 204 } else { 500 });
            }
        };
        let (served, ()) = tokio::join!(receive(listener, calls), taking);
        served.unwrap();
    });
    (port, task)
}

fn order() -> Value {
    json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "400.00", "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Bea Testperson", "account": "+639000000001" },
    })
}

async fn remit(wallet: &Wallet, count: usize) {
    for _ in 0..count {
        let order = order();
        let (status, body) = wallet.create(&order, PATIENCE).await.unwrap();
        assert!(status.is_success(), "{body}");
        let uetr = order["uetr"].as_str().unwrap();
        let last = wallet.follow(uetr, PATIENCE, Seen::ended).await;
        assert_eq!(last.status, "CREDITED", "{}", last.body);
    }
}

/// Asks and insists on a status.
async fn ask(wallet: &Wallet, method: Method, path: &str, body: Value, status: u16) -> Value {
    let given = Some(&body).filter(|body| !body.is_null());
    let (got, answer) = wallet.send(method, path, None, given).await.unwrap();
    assert_eq!(got.as_u16(), status, "{path}: {answer}");
    answer
}

/// Looks at an endpoint until it is as wanted.
async fn until(wallet: &Wallet, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    // Who was away for long finds retries that come seldom.
    let end = Instant::now() + PATIENCE + Duration::from_secs(away());
    loop {
        if let Ok((_, seen)) = wallet.send(Method::GET, path, None, None).await {
            if wanted(&seen) {
                return seen;
            }
            assert!(Instant::now() < end, "{seen}");
        }
        assert!(Instant::now() < end, "{path}: no answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn caught_up(seen: &Value) -> bool {
    seen["lag"] == 0 && seen["last_event"].as_u64().is_some_and(|last| last > 0)
}

fn manage(running: &Running, label: &str) -> Wallet {
    let info = running.info();
    let of = |name: &str| info["gateways"][label][name].as_str().unwrap().to_owned();
    Wallet::new(&running.ca(), of("url"), of("manage_key")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_reach_a_receiver_that_fails_and_goes_away() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let patient = |network: &Path| if away() > 0 { patiently(network) } else { Ok(()) };
    let mut running = Running::start(Some(url), patient).await.unwrap();
    let (wallet, keeper) = (running.wallet("HK").unwrap(), manage(&running, "HK"));
    refusals(&wallet, &keeper).await;
    a_repeat_makes_no_second_endpoint(&keeper).await;

    let inbox = Inbox::default();
    let (port, task) = receiver(0, (3, SEED), &inbox).await;
    let asked = json!({ "url": format!("http://127.0.0.1:{port}/hooks"), "after": 0 });
    let made = ask(&keeper, Method::POST, "/v1/webhooks", asked, 201).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let secret = made["secret"].as_str().unwrap().to_owned();
    remit(&wallet, 10).await;
    until(&keeper, &path, |seen| seen["last_success_at"].is_string()).await;

    task.abort();
    remit(&wallet, 10).await;
    // A message is believed for five minutes.
    let early = inbox.lock().unwrap().len();
    verified_by_python(&secret, &inbox.lock().unwrap());
    let failing = until(&keeper, &path, |seen| seen["state"] == "failing").await;
    assert!(failing["lag"].as_u64().unwrap() > 0, "{failing}");
    tokio::time::sleep(Duration::from_secs(away())).await;
    running.kill_gateway("HK").unwrap();
    let (_, task) = receiver(port, (3, SEED + 1), &inbox).await;
    running.resume_gateway("HK").unwrap();
    remit(&wallet, 5).await;
    let seen = until(&keeper, &path, caught_up).await;
    every_event_came_in_order(&wallet, &inbox).await;
    verified_by_python(&secret, &inbox.lock().unwrap()[early..]);

    replay_and_rotation(&keeper, &path, &secret, &inbox).await;
    assert!(seen["last_failure_at"].is_string(), "{seen}");
    log(&keeper, &path).await;
    ask(&keeper, Method::DELETE, &path, Value::Null, 204).await;
    let gone = ask(&keeper, Method::GET, &path, Value::Null, 404).await;
    assert_eq!(gone["code"], "WEBHOOK_NOT_FOUND");
    task.abort();
    running.stop();
}

fn away() -> u64 {
    std::env::var(AWAY_VARIABLE).map_or(0, |seconds| seconds.parse().unwrap())
}

/// Tries in half a minute again rather than in a second, and so not in vain a hundred times.
fn patiently(network: &Path) -> anyhow::Result<()> {
    tries(network, "attempts_max = 100\nretry_ms_min = 100\nretry_ms_max = 30000\n")
}

fn tries(network: &Path, how: &str) -> anyhow::Result<()> {
    let file = network.join("participants/HK/gateway.toml");
    let text = fs::read_to_string(&file)?;
    let own = "\n[webhooks]\nallow_http = true\nallow_networks = [\"127.0.0.0/8\"]\n";
    Ok(fs::write(&file, text + own + how)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_takes_is_parked_and_a_replay_sends_all_of_it_in_order() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let soon = "attempts_max = 3\nretry_ms_min = 20\nretry_ms_max = 50\n";
    let running = Running::start(Some(url), |network| tries(network, soon)).await;
    let mut running = running.unwrap();
    let (wallet, keeper) = (running.wallet("HK").unwrap(), manage(&running, "HK"));
    let inbox = Inbox::default();
    let (port, task) = receiver(0, (10, SEED), &inbox).await;
    let asked = json!({ "url": format!("http://127.0.0.1:{port}/hooks"), "after": 0 });
    let made = ask(&keeper, Method::POST, "/v1/webhooks", asked, 201).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    remit(&wallet, 3).await;

    let all_parked = |seen: &Value| {
        let [last, parked] = ["last_event", "parked"].map(|of| seen[of].as_u64().unwrap_or(0));
        seen["waiting"] == 0 && last > 0 && parked >= last
    };
    let seen = until(&keeper, &path, all_parked).await;
    let first = seen["first_parked"].as_u64().unwrap();
    let refused = inbox.lock().unwrap().clone();
    let mut tried: BTreeMap<u64, usize> = BTreeMap::new();
    refused.iter().for_each(|message| *tried.entry(message.number()).or_default() += 1);
    assert!(tried.values().all(|tries| *tries == 3), "three attempts each: {tried:?}");
    let parked = usize::try_from(seen["parked"].as_u64().unwrap()).unwrap();
    assert!(parked > tried.len(), "what follows of a transfer is parked untried: {seen}");
    task.abort();
    // The port is free once the task is gone.
    let _aborted = task.await;

    let (_, task) = receiver(port, (0, SEED), &inbox).await;
    ask(&keeper, Method::POST, &format!("{path}/replay"), json!({ "from": first }), 200).await;
    until(&keeper, &path, |seen| caught_up(seen) && seen["parked"] == 0).await;
    every_event_came_in_order(&wallet, &inbox).await;
    task.abort();
    running.stop();
}

async fn refusals(wallet: &Wallet, keeper: &Wallet) {
    let good = json!({ "url": "https://hooks.example/" });
    let said = ask(wallet, Method::POST, "/v1/webhooks", good, 403).await;
    assert_eq!(said["code"], "SCOPE_MISSING");
    for url in ["http://10.0.0.1/", "https://169.254.169.254/", "https://[::ffff:10.0.0.1]/"] {
        let said = ask(keeper, Method::POST, "/v1/webhooks", json!({ "url": url }), 422).await;
        assert_eq!(said["code"], "WEBHOOK_URL_REFUSED", "{url}");
    }
    let bad = json!({ "url": "https://hooks.example/", "events": ["transfer.lost"] });
    let said = ask(keeper, Method::POST, "/v1/webhooks", bad, 400).await;
    assert!(said["detail"].as_str().unwrap().contains("events[0]"), "{said}");
    let list = ask(keeper, Method::GET, "/v1/webhooks", Value::Null, 200).await;
    assert_eq!(list, json!([]), "a refusal keeps nothing");
}

async fn a_repeat_makes_no_second_endpoint(keeper: &Wallet) {
    let asked = json!({ "url": "http://127.0.0.1:9/hooks", "events": ["transfer.settled"] });
    let make = async |asked: &Value| {
        let key = Some("webhook-of-this-test");
        keeper.send(Method::POST, "/v1/webhooks", key, Some(asked)).await.unwrap()
    };
    let (status, first) = make(&asked).await;
    assert_eq!(status.as_u16(), 201, "{first}");
    let (status, again) = make(&asked).await;
    assert_eq!(status.as_u16(), 201, "{again}");
    assert_eq!((&again["id"], &again["secret"]), (&first["id"], &first["secret"]));
    let (status, said) = make(&json!({ "url": "http://127.0.0.1:9/others" })).await;
    assert_eq!((status.as_u16(), &said["code"]), (422, &json!("IDEMPOTENCY_KEY_REUSED")));
    let list = ask(keeper, Method::GET, "/v1/webhooks", Value::Null, 200).await;
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let path = format!("/v1/webhooks/{}", first["id"].as_str().unwrap());
    ask(keeper, Method::DELETE, &path, Value::Null, 204).await;
    let (status, said) = make(&asked).await;
    assert_eq!((status.as_u16(), &said["code"]), (404, &json!("WEBHOOK_NOT_FOUND")), "{said}");
}

/// Every number of the participant's own was taken, and none came before the former of its
/// transfer was taken.
async fn every_event_came_in_order(wallet: &Wallet, inbox: &Inbox) {
    let (_, events) = wallet.send(Method::GET, "/v1/events?limit=1000", None, None).await.unwrap();
    let numbers: BTreeSet<u64> =
        events.as_array().unwrap().iter().map(|row| row["number"].as_u64().unwrap()).collect();
    let came = inbox.lock().unwrap().clone();
    let mut lanes: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for message in &came {
        let data = message.data();
        assert_eq!(message.headers["webhook-id"], format!("evt_101_{}", data["number"]));
        if data["uetr"].is_string() {
            let lane = format!("{}:{}", data["debtor_agent"], data["uetr"]);
            lanes.entry(lane).or_default().insert(message.number());
        }
    }
    let mut taken = BTreeSet::new();
    for message in &came {
        let data = message.data();
        let lane = format!("{}:{}", data["debtor_agent"], data["uetr"]);
        let former = lanes.get(&lane).into_iter().flatten().filter(|n| **n < message.number());
        for number in former {
            assert!(taken.contains(number), "{} came before {number}", message.number());
        }
        if message.taken {
            taken.insert(message.number());
        }
    }
    assert!(came.iter().any(|message| !message.taken), "the receiver failed at times");
    assert_eq!(taken, numbers, "no event is skipped");
    assert!(!came.iter().any(|message| message.body.contains("Testperson")));
}

async fn replay_and_rotation(keeper: &Wallet, path: &str, secret: &str, inbox: &Inbox) {
    let rotate = format!("{path}/rotate");
    let rotated = ask(keeper, Method::POST, &rotate, json!({ "overlap_s": 60 }), 200).await;
    let newer = rotated["secret"].as_str().unwrap().to_owned();
    assert_ne!(newer, secret);
    let before = inbox.lock().unwrap().len();
    ask(keeper, Method::POST, &format!("{path}/replay"), json!({ "from": 2 }), 200).await;
    let last = until(keeper, path, caught_up).await["last_event"].as_u64().unwrap();
    let again = inbox.lock().unwrap()[before..].to_vec();
    let numbers: BTreeSet<u64> =
        again.iter().filter(|message| message.taken).map(Came::number).collect();
    assert_eq!(numbers, (2..=last).collect(), "a replay sends all from its number on");
    let now = OffsetDateTime::now_utc().unix_timestamp();
    for secret in [secret, &newer] {
        let verifier = Verifier::parse(secret).unwrap();
        for message in &again {
            let header = |name: &str| message.headers[name].as_str();
            let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
            let signatures = header("webhook-signature");
            assert!(verifier.verify(id, at, signatures, message.body.as_bytes(), now));
        }
        verified_by_python(secret, &again);
    }
    ask(keeper, Method::POST, &rotate, json!({ "overlap_s": 0 }), 200).await;
    ask(keeper, Method::POST, &format!("{path}/test"), Value::Null, 200).await;
    let tested = inbox.lock().unwrap().last().unwrap().clone();
    assert_eq!(tested.headers["webhook-signature"].split(' ').count(), 1, "the former has ended");
    assert!(tested.body.contains("webhook.test"));
}

async fn log(keeper: &Wallet, path: &str) {
    let (mut cursor, mut seen) = (String::new(), 0);
    loop {
        let page = format!("{path}/deliveries?limit=50{cursor}");
        let page = ask(keeper, Method::GET, &page, Value::Null, 200).await;
        let rows = page["deliveries"].as_array().unwrap();
        assert!(rows.iter().all(|row| row["status"] == "delivered"), "{page}");
        seen += rows.len();
        match page["next_cursor"].as_u64() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(seen > 50, "{seen} lines of both deliveries");
}

pub(crate) fn python() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    let folder = cache.join(format!("causeway/standardwebhooks-{VERSION}"));
    folder.join("installed").exists().then(|| folder.join("bin/python"))
}

fn verified_by_python(secret: &str, came: &[Came]) {
    let Some(python) = python() else {
        skipped("standardwebhooks is not installed; run deploy/prerequisites.sh");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let lines = came.iter().map(|message| {
        json!({ "secret": secret, "headers": message.headers, "body": message.body }).to_string()
    });
    let file = folder.path().join("messages.jsonl");
    fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let output = Command::new(python).args(["-c", SCRIPT]).arg(file).output().unwrap();
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), came.len().to_string(), "{errors}");
}
