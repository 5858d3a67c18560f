//! Tracking for senders on a running network: the page lives through a whole transfer in five languages in a real browser, tells every state in words, and gives nobody away.
use std::{fs, path::Path, sync::Arc, time::Duration};

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use sqlx::PgPool;
use tests::{fresh_uetr, say, skipped};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::browser::{Browser, axe};

const PATIENCE: Duration = Duration::from_secs(60);
const LANGUAGES: [(&str, &str); 5] =
    [("en", "ltr"), ("zh-Hant", "ltr"), ("fil", "ltr"), ("ms", "ltr"), ("ur", "rtl")];
/// The narrowest phone that is promised to.
const WIDTH: u32 = 360;
const WEIGHT_MAX: usize = 50_000;
/// A wallet that the Philippine gateway's book does not know: its credit waits for a person's word.
const STRANGE: &str = "+639000000099";
const FAMILY: &str = "+639000000001";

/// Deadlines that a person with a browser can meet, and decisions by hand.
fn unhurried(network: &Path) -> anyhow::Result<()> {
    let edit = |file: &str, from: &str, to: &str| -> anyhow::Result<()> {
        let file = network.join(file);
        let text = fs::read_to_string(&file)?;
        anyhow::ensure!(text.contains(from), "{}: {from} is not there", file.display());
        Ok(fs::write(&file, text.replace(from, to))?)
    };
    edit("plan.toml", "hold_seconds = 10", "hold_seconds = 600")?;
    edit("participants/A/fx.toml", "hold_for_seconds = 50", "hold_for_seconds = 1200")?;
    edit("participants/A/fx.toml", "submit_for_seconds = 30", "submit_for_seconds = 300")?;
    edit(
        "participants/PH/gateway.toml",
        "participant = 102",
        "participant = 102\ndecision = \"manual\"",
    )?;
    let gateway = network.join("participants/HK/gateway.toml");
    let text = fs::read_to_string(&gateway)?;
    Ok(fs::write(&gateway, text + "\n[tracking]\nburst = 600\nrequests_per_s = 50\n")?)
}

struct Senders {
    running: Running,
    sender: Wallet,
    payer: Wallet,
    client: Client,
    pool: PgPool,
    /// Ends with this.
    _postgres: Arc<Postgres>,
}

impl Senders {
    async fn start() -> Self {
        let postgres = Postgres::shared().unwrap();
        let url = postgres.database().await.unwrap();
        let pool = PgPool::connect(&url).await.unwrap();
        let running = Running::start(Some(url), unhurried).await.unwrap();
        let (sender, payer) = (running.wallet("HK").unwrap(), running.wallet("PH").unwrap());
        let client = services_runtime::tls::http_client(&running.ca()).unwrap();
        Self { running, sender, payer, client, pool, _postgres: postgres }
    }

    /// Sends, and gives the UETR and the token.
    async fn send(&self, order: &Value) -> (String, String) {
        let (status, body) = self.sender.create(order, PATIENCE).await.unwrap();
        assert!(status.is_success(), "{body}");
        let token = body["tracking_path"].as_str().unwrap().strip_prefix("/t/").unwrap();
        (order["uetr"].as_str().unwrap().to_owned(), token.to_owned())
    }

    async fn act(&self, wallet: &Wallet, uetr: &str, action: &str, body: Value) {
        let (status, said) = wallet.act(uetr, action, &body).await.unwrap();
        assert!(status.is_success(), "{action}: {said}");
    }

    /// Waits until the payer knows of a transfer, then acts.
    async fn decide(&self, uetr: &str, action: &str, body: Value) {
        self.payer.follow(uetr, PATIENCE, |seen| seen.status == "PENDING").await;
        self.act(&self.payer, uetr, action, body).await;
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.sender.url)).send().await.unwrap()
    }

    async fn track(&self, token: &str) -> Value {
        let answer = self.get(&format!("/v1/track/{token}")).await;
        assert_eq!(answer.status().as_u16(), 200);
        answer.json().await.unwrap()
    }

    /// Looks at a link until its transfer is in a stage.
    async fn stage(&self, token: &str, stage: &str) -> Value {
        let looking = async {
            let mut looks = tokio::time::interval(Duration::from_millis(50));
            loop {
                looks.tick().await;
                let seen = self.track(token).await;
                if seen["stage"] == stage {
                    return seen;
                }
            }
        };
        let seen = tokio::time::timeout(PATIENCE, looking).await;
        match seen {
            Ok(seen) => seen,
            Err(_) => panic!("not {stage}: {}", self.track(token).await),
        }
    }
}

fn order(account: &str, method: &str) -> Value {
    json!({
        "uetr": fresh_uetr(),
        "creditor_agent": "102",
        "interbank_settlement_amount": { "amount": "4000.00", "currency": "PHP" },
        "payout_method": method,
        "purpose": "GIFT",
        "debtor": { "name": "Ada Testperson", "account": "+85290000001" },
        "creditor": { "name": "Bea Testperson", "account": account },
    })
}

fn in_a_minute() -> String {
    (OffsetDateTime::now_utc() + time::Duration::minutes(1)).format(&Rfc3339).unwrap()
}

/// One page per language, open through a whole life.
struct Pages<'a> {
    browser: Browser,
    senders: &'a Senders,
    axe: String,
    windows: Vec<(&'static str, String)>,
    judged: usize,
    unsure: Vec<String>,
    pictures: Option<std::path::PathBuf>,
}

impl Pages<'_> {
    async fn open(&mut self, token: &str) {
        for (language, direction) in LANGUAGES {
            let url = format!("{}/t/{token}?lang={language}", self.senders.sender.url);
            let window = self.browser.open(&url).await;
            let root = "const root = document.documentElement; window.opened = true; \
                        return [root.lang, root.dir, innerWidth]";
            let root = self.browser.run(root).await;
            assert_eq!(root, json!([language, direction, WIDTH]));
            self.windows.push((language, window));
        }
    }

    /// Every page comes to a stage by itself, and is judged there in light and dark.
    async fn reach(&mut self, stage: &str) {
        let mut answers = Vec::new();
        for (language, window) in self.windows.clone() {
            self.browser.turn_to(&window).await;
            let seen = self.settle(stage, language).await;
            assert_eq!(seen["opened"], true, "{language} {stage}: it was loaded anew");
            let wide = seen["wide"].as_u64().unwrap();
            assert!(wide <= u64::from(WIDTH), "{language} {stage}: {wide} px wide");
            let text = seen["text"].as_str().unwrap();
            for private in ["Testperson", "Bea", "Ada", STRANGE, "+852", "G002", "FOCR"] {
                assert!(!text.contains(private), "{language} {stage}: {private}");
            }
            for scheme in ["light", "dark"] {
                self.browser.scheme(scheme).await;
                self.judge(&format!("{stage} {language} {scheme}")).await;
                self.picture(&format!("{stage}-{language}-{scheme}")).await;
            }
            answers.push(seen["answer"].as_str().unwrap().to_owned());
        }
        say(&format!("{stage}: {}", answers.join(" | ")));
        let before = answers.len();
        answers.sort();
        answers.dedup();
        assert_eq!(answers.len(), before, "every language has words of its own");
    }

    async fn settle(&self, stage: &str, language: &str) -> Value {
        let look = "const main = document.querySelector('main'); return { \
            revision: main.dataset.revision, opened: window.opened === true, \
            answer: document.getElementById('answer').textContent, \
            text: document.documentElement.outerHTML, \
            wide: document.documentElement.scrollWidth }";
        let waiting = async {
            let mut looks = tokio::time::interval(Duration::from_millis(50));
            loop {
                looks.tick().await;
                let seen = self.browser.run(look).await;
                let revision = seen["revision"].as_str().unwrap_or_default();
                if revision.starts_with(&format!("{stage}.")) {
                    return seen;
                }
            }
        };
        let reached = tokio::time::timeout(PATIENCE, waiting).await;
        reached.unwrap_or_else(|_| panic!("{language}: the page does not come to {stage}"))
    }

    async fn judge(&mut self, at: &str) {
        let found = self.browser.judge(&self.axe).await;
        assert_eq!(found["violations"], json!([]), "{at}: {found}");
        assert!(found["passes"].as_u64().unwrap() > 15, "{at}: {found}");
        self.judged += 1;
        for rule in found["incomplete"].as_array().unwrap() {
            self.unsure.push(format!("{at}: {rule}"));
        }
    }

    /// For people who want to look: `TRACKING_PICTURES` names a folder.
    async fn picture(&self, name: &str) {
        if let Some(folder) = &self.pictures {
            let picture = self.browser.picture().await;
            fs::write(folder.join(format!("{name}.png.base64")), picture).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tracking_lives_in_a_browser_through_a_whole_transfer() {
    let Some(axe) = axe() else {
        skipped("axe-core is not installed; run deploy/prerequisites.sh");
        return;
    };
    let Some(browser) = Browser::start(WIDTH, 760).await else {
        skipped("chromium and chromium-driver are not installed; run deploy/prerequisites.sh");
        return;
    };
    let mut senders = Senders::start().await;
    let asked = json!({
        "corridor": 1,
        "destination_amount": { "amount": "4000.00", "currency": "PHP" },
    });
    let (status, quote) = senders.sender.quote(&fresh_uetr(), &asked).await.unwrap();
    assert!(status.is_success(), "{quote}");
    // Two nodes of three are away: what is sent waits in the gateway.
    let leader = senders.running.leader().await.unwrap();
    let away: Vec<usize> = (1..=3).filter(|node| *node != leader).collect();
    away.iter().for_each(|node| senders.running.kill_node(*node).unwrap());
    let mut order = order(STRANGE, "wallet");
    order["quote"] = quote["id"].clone();
    let (uetr, token) = senders.send(&order).await;
    away.iter().for_each(|node| senders.running.resume_node(*node).unwrap());
    let pictures = std::env::var_os("TRACKING_PICTURES").map(Into::into);
    let windows = Vec::new();
    let (judged, unsure) = (0, Vec::new());
    let mut pages = Pages { browser, senders: &senders, axe, windows, judged, unsure, pictures };
    pages.open(&token).await;
    pages.reach("pending").await;
    let hold = json!({ "reason": "G002", "until": in_a_minute() });
    senders.decide(&uetr, "hold", hold).await;
    pages.reach("held").await;
    senders.act(&senders.payer, &uetr, "accept", json!({})).await;
    // Settled, and no account to credit: the payer's word is ACWP until a person finds one.
    pages.reach("accepted").await;
    senders.act(&senders.payer, &uetr, "confirm", json!({ "status": "ACCC" })).await;
    pages.reach("credited").await;
    let back = json!({
        "reason": "FOCR",
        "uetr": fresh_uetr(),
        "amount": { "amount": "1000.00", "currency": "PHP" },
    });
    senders.act(&senders.payer, &uetr, "return", back).await;
    pages.reach("returned").await;
    say(&format!("axe: {} pages judged, 0 violations, unsure: {:?}", pages.judged, pages.unsure));
    drop(pages);
    senders.running.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn tracking_tells_every_state_and_keeps_its_limits() {
    let mut senders = Senders::start().await;
    let first = credited(&senders).await;
    ends(&senders).await;
    cash(&senders).await;
    recalled(&senders).await;
    history(&senders).await;
    page(&senders, &first).await;
    events(&senders, &first).await;
    expired(&senders, &first).await;
    guesses(&senders).await;
    senders.running.stop();
}

async fn credited(senders: &Senders) -> String {
    let (uetr, token) = senders.send(&order(FAMILY, "wallet")).await;
    let seen = senders.stage(&token, "pending").await;
    assert_eq!((&seen["holder"], &seen["creditor"]), (&json!("debtor_agent"), &json!("B••• T•••")));
    assert!(seen["usual"].is_null(), "there is no history yet: {seen}");
    senders.decide(&uetr, "accept", json!({})).await;
    let seen = senders.stage(&token, "credited").await;
    assert_eq!(seen["holder"], "creditor");
    costs(&seen["costs"]);
    for private in ["Testperson", FAMILY, "+852", &uetr] {
        assert!(!seen.to_string().contains(private), "{private}: {seen}");
    }
    token
}

/// HKD 5.00 beside the amount, and the bank's margin of half a per cent within it.
fn costs(costs: &Value) {
    let minor = |amount: &Value| {
        let text = amount["amount"].as_str().unwrap().replace('.', "");
        text.parse::<i64>().unwrap()
    };
    assert_eq!(costs["fee"], json!({ "amount": "5.00", "currency": "HKD" }));
    let exchange = &costs["exchange"];
    assert_eq!(minor(&costs["total_debited"]), minor(&exchange["source"]) + 500);
    let mid = &exchange["mid"];
    // 68.100 / 9.0300 of the demonstration's rates.
    assert_eq!(mid["rate"], "7.54153", "{costs}");
    let percent: f64 = mid["spread_percent"].as_str().unwrap().parse().unwrap();
    let spread = minor(&mid["spread"]);
    assert!(spread > 0 && (0.45..1.2).contains(&percent), "{costs}");
}

async fn ends(senders: &Senders) {
    let (uetr, token) = senders.send(&order(FAMILY, "wallet")).await;
    senders.decide(&uetr, "reject", json!({ "reason": "AC06" })).await;
    let seen = senders.stage(&token, "rejected").await;
    assert_eq!(seen["holder"], "debtor");
    assert!(!seen.to_string().contains("AC06"), "why is not for the link: {seen}");
    let (uetr, token) = senders.send(&order(FAMILY, "wallet")).await;
    senders.act(&senders.sender, &uetr, "cancel", json!({ "reason": "CUST" })).await;
    senders.stage(&token, "cancelled").await;
    let (uetr, token) = senders.send(&order(STRANGE, "wallet")).await;
    senders.decide(&uetr, "accept", json!({})).await;
    senders.stage(&token, "accepted").await;
    senders.act(&senders.payer, &uetr, "confirm", json!({ "status": "BLCK" })).await;
    senders.stage(&token, "blocked").await;
}

async fn cash(senders: &Senders) {
    let (uetr, token) = senders.send(&order(FAMILY, "cash_pickup")).await;
    senders.decide(&uetr, "accept", json!({})).await;
    senders.stage(&token, "ready_to_collect").await;
    senders.act(&senders.payer, &uetr, "confirm", json!({ "status": "CPUC" })).await;
    let seen = senders.stage(&token, "collected").await;
    assert_eq!(seen["holder"], "creditor");
}

async fn recalled(senders: &Senders) {
    let (uetr, token) = senders.send(&order(FAMILY, "wallet")).await;
    senders.decide(&uetr, "accept", json!({})).await;
    senders.stage(&token, "credited").await;
    let case = fresh_uetr();
    let asked = json!({
        "case": case,
        "reason": "DUPL",
        "amount": { "amount": "1000.00", "currency": "PHP" },
    });
    senders.act(&senders.sender, &uetr, "recall", asked).await;
    let seen = senders.stage(&token, "recalled").await;
    assert_eq!(seen["holder"], "creditor", "asking moves no money: {seen}");
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        loop {
            looks.tick().await;
            let path = "/v1/recalls?open=true";
            let (_, open) = senders.payer.send(Method::GET, path, None, None).await.unwrap();
            if open.as_array().is_some_and(|open| !open.is_empty()) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap();
    let back = json!({ "answer": "accepted", "return_uetr": fresh_uetr(), "return": {} });
    senders.act(&senders.payer, &uetr, &format!("recalls/{case}/answer"), back).await;
    let seen = senders.stage(&token, "returned").await;
    assert_eq!(seen["returned"][0]["currency"], "HKD", "{seen}");
    assert!(!seen.to_string().contains("DUPL"), "{seen}");
}

/// Twenty credits say how long one takes.
async fn history(senders: &Senders) {
    for _ in 0..20 {
        let (uetr, token) = senders.send(&order(FAMILY, "wallet")).await;
        senders.decide(&uetr, "accept", json!({})).await;
        senders.payer.follow(&uetr, PATIENCE, Seen::ended).await;
        senders.stage(&token, "credited").await;
    }
    let (_, token) = senders.send(&order(FAMILY, "wallet")).await;
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(200));
        loop {
            looks.tick().await;
            let seen = senders.track(&token).await;
            // What was counted is taken as it was for a moment.
            if seen["usual"]["count"].as_i64().is_some_and(|count| count >= 20) {
                return seen;
            }
        }
    };
    let seen = tokio::time::timeout(PATIENCE, looking).await.expect("a history");
    let usual = &seen["usual"];
    let (half, most) = (usual["p50_ms"].as_i64().unwrap(), usual["p95_ms"].as_i64().unwrap());
    assert!(0 < half && half <= most, "{seen}");
    assert!(seen["expected_by"].is_string(), "{seen}");
    let page = senders.get(&format!("/t/{token}?lang=en")).await.text().await.unwrap();
    assert!(plain(&page).contains("Usually credited within"), "{page}");
}

/// Without the marks that keep directions apart.
fn plain(page: &str) -> String {
    page.replace(['\u{2068}', '\u{2069}'], "")
}

async fn page(senders: &Senders, token: &str) {
    let style = senders.get("/t/assets/track.css").await.text().await.unwrap().len();
    let script = senders.get("/t/assets/track.js").await.text().await.unwrap().len();
    for (language, direction) in LANGUAGES {
        let answer = senders.get(&format!("/t/{token}?lang={language}")).await;
        assert_eq!(answer.headers()["content-language"], language);
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["x-robots-tag"], "noindex, nofollow");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let page = answer.text().await.unwrap();
        assert!(
            page.contains(&format!("<html lang=\"{language}\" dir=\"{direction}\">")),
            "{page}"
        );
        assert!(page.contains("<noscript>") && page.contains("B••• T•••"), "{page}");
        assert!(!page.contains("Testperson"));
        let weight = page.len() + style + script;
        say(&format!("{language}: {weight} B ({} + {style} style + {script} script)", page.len()));
        assert!(weight < WEIGHT_MAX, "{language}: {weight} B");
    }
    let asked = senders.client.get(format!("{}/t/{token}", senders.sender.url));
    let answer = asked.header("accept-language", "de, tl;q=0.8, en;q=0.3").send().await.unwrap();
    assert_eq!(answer.headers()["content-language"], "fil");
    let page = plain(&senders.get(&format!("/t/{token}?lang=en")).await.text().await.unwrap());
    assert!(page.contains("Credited at ") && page.contains("Manila time"), "{page}");
}

/// The next events of a stream, by name.
async fn next(stream: &mut Response) -> String {
    let mut text = String::new();
    while !text.contains("\n\n") {
        let chunk = tokio::time::timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap();
        text += str::from_utf8(&chunk.expect("the stream goes on")).unwrap();
    }
    text
}

async fn events(senders: &Senders, first: &str) {
    let mut readers = Vec::new();
    for _ in 0..8 {
        let stream = senders.get(&format!("/v1/track/{first}/events")).await;
        assert_eq!(stream.status().as_u16(), 200);
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        readers.push(stream);
    }
    let refused = senders.get(&format!("/v1/track/{first}/events")).await;
    assert_eq!(refused.status().as_u16(), 429);
    let (uetr, token) = senders.send(&order(FAMILY, "wallet")).await;
    senders.stage(&token, "pending").await;
    let mut stream = senders.get(&format!("/v1/track/{token}/events")).await;
    assert!(next(&mut stream).await.contains("\"stage\":\"pending\""));
    senders.act(&senders.sender, &uetr, "cancel", json!({ "reason": "CUST" })).await;
    let mut told = String::new();
    while !told.contains("event: end") {
        told += &next(&mut stream).await;
    }
    assert!(told.contains("\"stage\":\"cancelled\""), "{told}");
    let ended = tokio::time::timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap();
    assert!(ended.is_none(), "nothing can happen any more");
}

/// Ninety days after the end the link opens nothing, and says so.
async fn expired(senders: &Senders, token: &str) {
    assert_eq!(senders.get(&format!("/t/{token}")).await.status().as_u16(), 200);
    let aged = "UPDATE gateway_hk.transfer SET credited_at = credited_at - interval '90 days'
                WHERE tracking_sha256 = sha256(convert_to($1, 'UTF8'))";
    let aged = sqlx::query(aged).bind(token).execute(&senders.pool).await.unwrap();
    assert_eq!(aged.rows_affected(), 1);
    for (language, _) in LANGUAGES {
        let answer = senders.get(&format!("/t/{token}?lang={language}")).await;
        assert_eq!(answer.status().as_u16(), 404);
        assert!(plain(&answer.text().await.unwrap()).contains("90"), "it says why");
    }
    let answer = senders.get(&format!("/v1/track/{token}")).await;
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["code"], "TRANSFER_NOT_FOUND", "{body}");
}

/// Who guesses is told to wait before a guess could mean anything.
async fn guesses(senders: &Senders) {
    let (tried, _) = stopped(senders, |at| format!("/v1/track/{at:040x}")).await;
    assert!(tried > 5, "a few mistakes are forgiven");
    let (_, page) = stopped(senders, |at| format!("/t/{at:04}?lang=ms")).await;
    assert!(page.headers().contains_key("content-security-policy"));
}

/// Asks for what is not there until it is refused: how often that was, and the refusal. A slow
/// machine earns a guess or two meanwhile.
async fn stopped(senders: &Senders, guess: impl Fn(u32) -> String) -> (u32, Response) {
    for tried in 0..500 {
        let answer = senders.get(&guess(tried)).await;
        if answer.status().as_u16() == 429 {
            return (tried, answer);
        }
        assert_eq!(answer.status().as_u16(), 404);
    }
    panic!("nobody stops it");
}
