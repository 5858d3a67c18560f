//! Core banking over HTTP on both sides of a running network, with banks that fail at random and gateways killed midway: at the end the banks' books equal the network's.
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gateway::{
    sealing::random,
    webhooks::signature::{Secret, Verifier},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    ports,
    wallet::Wallet,
};
use services_runtime::tls::HttpsFiles;
use sqlx::PgPool;
use tests::{
    bank::{
        Bank, Fault, Mood, Opening,
        ledger::{Account, amount},
    },
    fresh_uetr,
};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(120);
const TIMEOUT_MS: u64 = 400;
const SEED: u64 = 11;
const ORDERS: usize = 48;
const AT_ONE_TIME: usize = 6;

/// (label, port, what the gateway's file holds, what the bank verifies with)
struct Place {
    label: &'static str,
    port: u16,
    secret: String,
    verifier: Verifier,
}

/// Hong Kong's bank is signed to by HMAC, the Philippines' by ed25519.
fn places() -> [Place; 2] {
    let bytes: [u8; 32] = random().unwrap();
    let place = |label, secret: String, kind: &str| {
        let shown = Secret::of_kind(kind, bytes).unwrap().shown();
        Place {
            label,
            port: ports::free().unwrap(),
            secret,
            verifier: Verifier::parse(&shown).unwrap(),
        }
    };
    let encoded = STANDARD.encode(bytes);
    [
        place("HK", format!("whsec_{encoded}\n"), "v1"),
        place("PH", format!("whsk_{encoded}\n"), "v1a"),
    ]
}

/// Points a gateway at its bank, pinned to one CA.
fn point(network: &Path, place: &Place) -> anyhow::Result<()> {
    let own = network.join("participants").join(place.label);
    let secret = own.join("bank.secret");
    fs::write(&secret, &place.secret)?;
    let file = own.join("gateway.toml");
    let mut settings: toml::Table = fs::read_to_string(&file)?.parse()?;
    settings.remove("accounts");
    let banking = json!({
        "kind": "http",
        "url": format!("https://localhost:{}/core", place.port),
        "secret": secret,
        "ca": network.join("ca/participant/certificate.pem"),
        "timeout_ms": TIMEOUT_MS,
        "patience_ms": 4_000,
        "retry_ms_min": 20,
        "retry_ms_max": 1_000,
        "pause_ms": 100,
    });
    settings.insert("banking".to_owned(), toml::Value::try_from(banking)?);
    Ok(fs::write(&file, toml::to_string(&settings)?)?)
}

fn account(currency: &str, status: &str, balance: i64) -> Account {
    let (currency, status) = (currency.to_owned(), status.to_owned());
    let (name, aliases) = ("Bea Testperson".to_owned(), vec!["bea@bank.example".to_owned()]);
    Account { currency, status, balance, reserved: 0, name, aliases }
}

fn accounts(label: &str) -> BTreeMap<String, Account> {
    let rows = match label {
        "HK" => vec![
            ("+85290000001", account("HKD", "open", 900_000_000)),
            ("+85290000002", account("HKD", "open", 900_000_000)),
            ("+85290000003", account("HKD", "open", 100)),
        ],
        _ => vec![
            ("+639000000001", account("PHP", "open", 0)),
            ("+639000000002", account("PHP", "open", 0)),
            ("+639000000004", account("PHP", "closed", 0)),
            ("+639000000006", account("PHP", "frozen", 0)),
        ],
    };
    rows.into_iter().map(|(name, account)| (name.to_owned(), account)).collect()
}

fn bank(running: &Running, place: &Place) -> Bank {
    let own = running.folder.path.join("participants").join(place.label);
    Bank::open(Opening {
        listen: SocketAddr::from(([127, 0, 0, 1], place.port)),
        https: HttpsFiles {
            certificate: own.join("https/certificate.pem"),
            key: own.join("https/key.pem"),
        },
        journal: own.join("bank.journal"),
        verifier: place.verifier.clone(),
        late: Duration::from_millis(TIMEOUT_MS * 2),
        accounts: accounts(place.label),
    })
    .unwrap()
}

/// Most go through; some have no such debtor, too little money, no such creditor, a closed one, or
/// one that is frozen after it was checked.
fn order(number: usize) -> Value {
    let (debtor, creditor) = match number % 12 {
        3 => ("+85290000009", "+639000000001"),
        5 => ("+85290000003", "+639000000001"),
        7 => ("+85290000001", "+639000000009"),
        9 => ("+85290000002", "+639000000004"),
        11 => ("+85290000001", "+639000000006"),
        other if other % 2 == 0 => ("+85290000001", "+639000000002"),
        _ => ("+85290000002", "+639000000001"),
    };
    json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": format!("4{number:02}.00"), "currency": "PHP" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": debtor },
        "creditor": { "name": "Bea Testperson", "account": creditor },
    })
}

/// Waits for something.
async fn until(look: impl AsyncFn() -> Result<(), String>) {
    let end = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(()) => return,
            Err(not_yet) => assert!(Instant::now() < end, "{not_yet}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn wanted(met: bool, else_: impl FnOnce() -> String) -> Result<(), String> {
    if met { Ok(()) } else { Err(else_()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn banking_over_http_books_once_through_a_bank_that_fails() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let places = places();
    let prepare = |network: &Path| places.iter().try_for_each(|place| point(network, place));
    let mut running = Running::start(Some(url), prepare).await.unwrap();
    let [mut hong_kong, mut philippines] = [&places[0], &places[1]].map(|at| bank(&running, at));
    philippines.start().await.unwrap();
    let wallet = running.wallet("HK").unwrap();

    a_dead_bank_is_no_answer_and_reserves_nothing_for_ever(&wallet, &mut hong_kong).await;
    it_says_whose_account_it_is(&wallet, &philippines).await;
    hong_kong.set(Mood::Chance(35, fastrand::Rng::with_seed(SEED)));
    philippines.set(Mood::Chance(35, fastrand::Rng::with_seed(SEED + 1)));
    remit(&mut running, &wallet, &mut hong_kong).await;
    until(async || settled_down(&pool).await).await;

    let faults: usize = hong_kong.seen().faults.values().sum();
    assert!(faults > ORDERS / 2, "{:?}", hong_kong.seen());
    for bank in [&hong_kong, &philippines] {
        let seen = bank.seen();
        assert_eq!(seen.unsigned, 0, "every call is signed");
        assert!(seen.looked > 0 && seen.faults.len() >= 5, "{seen:?}");
    }
    debtors_were_debited_once(&pool, &hong_kong).await;
    creditors_were_credited_once(&pool, &philippines).await;
    running.stop();
}

/// A request whose reservation has no known outcome is told to come again; its caller does not, and
/// what was reserved is given back though the transfer never was.
async fn a_dead_bank_is_no_answer_and_reserves_nothing_for_ever(wallet: &Wallet, bank: &mut Bank) {
    let create = async |order: &Value| {
        let key = order["uetr"].as_str().unwrap();
        wallet.send(Method::POST, "/v1/transfers", Some(key), Some(order)).await.unwrap()
    };
    let (status, body) = create(&order(0)).await;
    assert_eq!((status.as_u16(), &body["code"]), (503, &json!("STORE_UNAVAILABLE")), "{body}");
    bank.start().await.unwrap();
    given_back(bank, 1).await;
    bank.set(Mood::Always(Fault::Late));
    let order = order(0);
    until(async || {
        let (status, body) = create(&order).await;
        assert_eq!(status.as_u16(), 503, "{body}");
        let reserved = bank.books(|books| books.account("+85290000001").unwrap().reserved);
        wanted(reserved > 0, || "nothing was reserved".to_owned())
    })
    .await;
    until(async || {
        let (_, said) = wallet.send(Method::GET, "/readyz", None, None).await.unwrap();
        wanted(open_banking(&said).is_string(), || said.to_string())
    })
    .await;
    bank.set(Mood::Good);
    given_back(bank, 2).await;
    assert!(wallet.look(order["uetr"].as_str().unwrap()).await.unwrap().is_none());
    until(async || {
        let (_, said) = wallet.send(Method::GET, "/readyz", None, None).await.unwrap();
        wanted(open_banking(&said).is_null() && said["status"] == "ready", || said.to_string())
    })
    .await;
}

/// A payee check asks the bank; one that fails in whatever way has not said no.
async fn it_says_whose_account_it_is(wallet: &Wallet, bank: &Bank) {
    let check = async |payee: Value| {
        let mut asked = json!({ "creditor_agent": "102", "name": "Bea Testperson" });
        let payee = payee.as_object().unwrap().clone();
        asked.as_object_mut().unwrap().extend(payee);
        let path = "/v1/payee-checks";
        let (status, said) = wallet.send(Method::POST, path, None, Some(&asked)).await.unwrap();
        assert_eq!(status.as_u16(), 200, "{said}");
        said
    };
    let account = |account: &str| json!({ "account": account });
    assert_eq!(check(account("+639000000001")).await["result"], "match");
    let by_email = check(json!({ "email": "bea@bank.example" })).await;
    assert_eq!(by_email["result"], "match", "{by_email}");
    assert!(by_email["account_reference"].is_string(), "{by_email}");
    for unknown in ["+639000000009", "+639000000004"] {
        let said = check(account(unknown)).await;
        assert_eq!((&said["result"], &said["reason"]), (&json!("no_match"), &json!("BE01")));
    }
    for fault in [Fault::Before, Fault::Late, Fault::Cut, Fault::Garbage, Fault::Unheard] {
        bank.set(Mood::Always(fault));
        let said = check(account("+639000000001")).await;
        let told = (&said["result"], &said["reason"]);
        assert_eq!(told, (&json!("not_possible"), &json!("AB09")), "{fault:?}");
    }
    bank.set(Mood::Good);
}

/// What `/readyz` says of operations without outcome.
fn open_banking(said: &Value) -> Value {
    let checks = said["checks"].as_array().unwrap();
    let banking = checks.iter().find(|check| check["name"] == "banking");
    banking.map_or(Value::Null, |banking| banking["detail"].clone())
}

/// Waits until so many reservations were made, and all were given back.
async fn given_back(bank: &Bank, reservations: usize) {
    until(async || {
        let seen = bank.books(|books| {
            let reserved = books.account("+85290000001").unwrap().reserved;
            (books.done("reserve").count(), books.done("release").count(), reserved)
        });
        wanted(seen == (reservations, reservations, 0), || {
            format!("{seen:?} reservations, releases, minor units still reserved")
        })
    })
    .await;
}

/// Sends every order; meanwhile each gateway is killed, and a bank is away.
async fn remit(running: &mut Running, wallet: &Wallet, bank: &mut Bank) {
    let (next, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut senders = JoinSet::new();
    for _ in 0..AT_ONE_TIME {
        let (wallet, next, ended) = (wallet.clone(), Arc::clone(&next), Arc::clone(&ended));
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= ORDERS {
                    return;
                }
                let (status, body) = wallet.create(&order(number), PATIENCE).await.unwrap();
                let good = matches!(status, StatusCode::CREATED | StatusCode::ACCEPTED);
                let refused = ["ACCOUNT_REFUSED", "QUOTE_EXPIRED", "DEADLINE_PASSED", "STALE_RATE"];
                let code = body["code"].as_str().unwrap_or_default();
                assert!(good || refused.contains(&code), "{status} {body}");
                ended.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let came_to = async |count: usize| {
        until(async || {
            let ended = ended.load(Ordering::Relaxed);
            wanted(ended >= count, || format!("{ended} orders are answered"))
        })
        .await;
    };
    came_to(ORDERS / 6).await;
    running.kill_gateway("HK").unwrap();
    running.resume_gateway("HK").unwrap();
    came_to(ORDERS / 3).await;
    running.kill_gateway("PH").unwrap();
    running.resume_gateway("PH").unwrap();
    came_to(ORDERS / 2).await;
    bank.stop().await;
    running.kill_gateway("HK").unwrap();
    running.resume_gateway("HK").unwrap();
    bank.start().await.unwrap();
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
    }
}

/// Every transfer stands where it will stay at both ends, and no operation is open.
async fn settled_down(pool: &PgPool) -> Result<(), String> {
    for schema in ["gateway_hk", "gateway_ph"] {
        let open: (i64, i64, i64) = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT (SELECT count(*) FROM {schema}.transfer WHERE NOT booked
                    OR status IN ('QUEUED', 'PENDING')
                    OR (status = 'SETTLED' AND confirmation IS NULL)),
                (SELECT count(*) FROM {schema}.bank_operation WHERE state = 'open'),
                (SELECT count(*) FROM {schema}.bank_operation
                    WHERE operation = 'reserve' AND state = 'done' AND NOT ended)"
        )))
        .fetch_one(pool)
        .await
        .unwrap();
        wanted(open == (0, 0, 0), || {
            format!("{schema}: {open:?} transfers, operations, reservations")
        })?;
    }
    Ok(())
}

/// (UETR, status, amount) of the transfers of a side.
async fn transfers(pool: &PgPool, query: &'static str) -> Vec<(String, String, i64)> {
    sqlx::query_as(query).fetch_all(pool).await.unwrap()
}

async fn debtors_were_debited_once(pool: &PgPool, bank: &Bank) {
    let rows = transfers(
        pool,
        "SELECT uetr::text, status, reserved_amount FROM gateway_hk.transfer WHERE outgoing",
    )
    .await;
    let settled = |status: &str| matches!(status, "SETTLED" | "CREDITED");
    let credited = rows.iter().filter(|(_, status, _)| status == "CREDITED").count();
    assert!(credited >= ORDERS / 3, "{credited} of {} were credited", rows.len());
    bank.books(|books| {
        let reserved: BTreeMap<&str, i64> =
            books.done("reserve").map(|line| (line.word("key"), amount(&line.asked))).collect();
        for (uetr, status, debited) in &rows {
            let captures: Vec<i64> = books
                .done("capture")
                .filter(|line| line.word("uetr") == uetr)
                .map(|line| reserved[line.word("reservation")])
                .collect();
            let expected = if settled(status) { vec![*debited] } else { Vec::new() };
            assert_eq!(captures, expected, "{uetr} {status}");
        }
        let ends = books.done("capture").count() + books.done("release").count();
        assert_eq!(books.done("reserve").count(), ends, "each reservation has one end");
        assert!(books.accounts().values().all(|account| account.reserved == 0));
        let opening: i64 = accounts("HK").values().map(|account| account.balance).sum();
        let left: i64 = books.accounts().values().map(|account| account.balance).sum();
        let debited: i64 =
            rows.iter().filter(|(_, status, _)| settled(status)).map(|(_, _, amount)| amount).sum();
        assert_eq!(opening - left, debited);
    });
}

async fn creditors_were_credited_once(pool: &PgPool, bank: &Bank) {
    let rows = transfers(
        pool,
        "SELECT uetr::text, status, amount FROM gateway_ph.transfer WHERE NOT outgoing",
    )
    .await;
    bank.books(|books| {
        for (uetr, status, due) in &rows {
            let credits: Vec<i64> = books
                .done("credit")
                .filter(|line| line.word("uetr") == uetr)
                .map(|line| amount(&line.asked))
                .collect();
            let expected = if status == "CREDITED" { vec![*due] } else { Vec::new() };
            assert_eq!(credits, expected, "{uetr} {status}");
        }
        let balances: i64 = books.accounts().values().map(|account| account.balance).sum();
        let credited = rows.iter().filter(|(_, status, _)| status == "CREDITED");
        assert_eq!(balances, credited.map(|(_, _, amount)| amount).sum::<i64>());
        let frozen = rows.iter().filter(|(_, status, _)| status == "SETTLED").count();
        assert!(frozen > 0, "a credit refused after settlement stays settled, not credited");
    });
}
