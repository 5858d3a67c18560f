//! The console on a running network and in a real browser: each role's main task, what each is refused, what nobody reaches
//! by any address; pages that axe finds nothing wrong with, in light and dark and on a narrow phone.
use std::{fs, time::Duration};

use reqwest::{Client, Method, StatusCode, header, redirect::Policy};
use services_cli::demo::{console::Console, office::Told};
use services_office::{Role, bridge::Leg, store::BreakRow};
use services_reporting::{
    access::Need,
    routes::{SESSION, table},
};
use tests::skipped;

use crate::{
    browser::{Browser, axe},
    office::network::{Floor, floor, reconciled},
    office::now,
};

mod provider;
mod reports;

/// The narrowest phone that is promised to, and a desk.
const WIDTHS: [u32; 2] = [360, 1_280];

/// A network with a day that does not tie out, and its console.
struct Open {
    floor: Floor,
    url: String,
    people: Vec<(String, Role, Option<u32>, String)>,
    _calendars: tempfile::TempDir,
}

async fn open() -> Open {
    let (mut floor, calendars) = floor().await;
    let settings = floor.running.folder.path.join("reporting/reporting.toml");
    let text = fs::read_to_string(&settings).unwrap();
    // The office's calendars, in which the day is over.
    let rules =
        format!("\n[rules]\ncalendars = {:?}\n\n[sign_in]\nburst = 1000\n", calendars.path());
    fs::write(&settings, text + &rules).unwrap();
    let console = floor.running.start_console().await.unwrap();
    let (url, people) = (console.url.clone(), people(console));
    Open { floor, url, people, _calendars: calendars }
}

fn people(console: &Console) -> Vec<(String, Role, Option<u32>, String)> {
    let own = |(name, role, of, password): &(String, &'static str, Option<u32>, String)| {
        (name.clone(), role.parse().unwrap(), *of, password.clone())
    };
    console.people.iter().map(own).collect()
}

impl Open {
    fn password(&self, name: &str) -> &str {
        &self.people.iter().find(|person| person.0 == name).unwrap().3
    }

    async fn sign_in(&self, browser: &Browser, name: &str) {
        browser.go(&format!("{}/sign-in", self.url)).await;
        browser.forget().await;
        browser.go(&format!("{}/sign-in", self.url)).await;
        browser.fill("#name", name).await;
        browser.fill("#password", self.password(name)).await;
        browser.click("button.first").await;
        assert_eq!(browser.text("h1").await, "Overview", "{name}");
    }

    /// A client that is signed in and follows nothing.
    async fn client(&self, name: &str) -> Person {
        let client = services_runtime::tls::http_builder()
            .redirect(Policy::none())
            .tls_danger_accept_invalid_certs(true)
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        let form = format!("name={name}&password={}", self.password(name));
        let answer = client
            .post(format!("{}/sign-in", self.url))
            .header(header::ORIGIN, &self.url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{name}");
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with(&format!("{SESSION}=")), "{cookie}");
        for promise in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
            assert!(cookie.contains(promise), "{cookie}");
        }
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Person { client, url: self.url.clone(), cookie }
    }

    async fn break_of(&self, cause: &str) -> BreakRow {
        self.floor.books.breaks().await.unwrap().into_iter().find(|row| row.cause == cause).unwrap()
    }
}

struct Person {
    client: Client,
    url: String,
    cookie: String,
}

impl Person {
    async fn ask(&self, method: &Method, path: &str, body: &str) -> (StatusCode, String) {
        let answer = self
            .client
            .request(method.clone(), format!("{}{path}", self.url))
            .header(header::COOKIE, &self.cookie)
            .header(header::ORIGIN, &self.url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.to_owned())
            .send()
            .await
            .unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.ask(&Method::GET, path, "").await
    }
}

/// A route's address with things that are there.
struct Things {
    uetr: String,
    own_break: i64,
    statement: i64,
    day: String,
}

impl Things {
    fn filled(&self, path: &str) -> String {
        let one = if path.starts_with("/statements") {
            self.statement
        } else if path.starts_with("/participants") {
            101
        } else {
            self.own_break
        };
        path.replace("{debtor_agent}", "101")
            .replace("{uetr}", &self.uetr)
            .replace("{currency}", "HKD")
            .replace("{day}", &self.day)
            .replace("{id}", &one.to_string())
            .replace("{attachment}", "1")
            .replace("{document}", "1")
            .replace("{name}", "none.csv")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_person_does_his_work_in_a_browser_and_no_other_s() {
    let mut open = open().await;
    let told = open.floor.books.custodian_tells().await.unwrap();
    open.floor.books.member_tells().await.unwrap();
    open.floor.books.office.match_all(now()).await.unwrap();
    let things = things(&open).await;
    walked(&open, &things).await;
    reports::reports_are_of_one_s_own_participant(&open).await;
    let Some(browser) = Browser::start(WIDTHS[1], 900).await else {
        skipped(
            "no Chromium with its driver: pages are not seen; deploy/prerequisites.sh installs both",
        );
        return;
    };
    two_people_work_a_break(&open, &browser).await;
    compliance_opens_a_person_s_data(&open, &browser, &things).await;
    reports::the_auditor_takes_a_report_away(&open, &browser, axe().as_deref()).await;
    the_operator_closes_the_day(&open, &browser, &told).await;
    pages_are_for_everyone(&open, &browser, &things).await;
    open.floor.running.stop();
}

async fn things(open: &Open) -> Things {
    let uetr: (Vec<u8>,) =
        sqlx::query_as("SELECT uetr FROM ledger.transfers ORDER BY submit_sequence LIMIT 1")
            .fetch_one(&open.floor.pool)
            .await
            .unwrap();
    let statement: (i64,) = sqlx::query_as(
        "SELECT s.statement FROM office.statements s JOIN office.accounts a USING (account) WHERE a.participant = 101",
    )
    .fetch_one(&open.floor.pool)
    .await
    .unwrap();
    Things {
        uetr: uuid::Uuid::from_slice(&uetr.0).unwrap().to_string(),
        own_break: open.break_of("DUPLICATED").await.id,
        statement: statement.0,
        day: open.floor.books.day.to_string(),
    }
}

/// Every route by every person: what he may is answered, what he may not is refused, and what is another participant's
/// is not there.
async fn walked(open: &Open, things: &Things) {
    let (mut refused, mut answered, mut hidden) = (0, 0, 0);
    for (name, role, participant, _) in &open.people {
        let person = open.client(name).await;
        for route in table().into_iter().filter(|route| route.need != Need::Open) {
            if route.path == "/sign-out" {
                continue;
            }
            let path = things.filled(route.path);
            let (status, body) = person.ask(&route.method, &path, "").await;
            let whom = format!("{name}: {} {path}: {status}", route.method);
            if !route.need.met_by(*role, *participant) || route.method == Method::POST {
                // A form without its token is refused whoever sends it.
                assert_eq!(status, StatusCode::FORBIDDEN, "{whom}");
                refused += 1;
            } else if foreign(route.path, *participant) {
                assert_eq!(status, StatusCode::NOT_FOUND, "{whom}");
                assert!(!body.contains("HKD-NOSTRO") && !body.contains("4,000.00"), "{whom}");
                hidden += 1;
            } else {
                let absent = ["{attachment}", "{day}", "/reports/{id}"]
                    .iter()
                    .any(|part| route.path.contains(part));
                let known =
                    [StatusCode::OK, StatusCode::SEE_OTHER, StatusCode::UNPROCESSABLE_ENTITY];
                assert!(
                    known.contains(&status) || absent && status == StatusCode::NOT_FOUND,
                    "{whom}"
                );
                answered += 1;
            }
        }
        // Lists hold nothing of another's either.
        let (_, breaks) = person.get("/breaks?all=1").await;
        let (_, statements) = person.get("/statements").await;
        let (_, own) = person.get("/participants/101").await;
        let sees = participant.is_none_or(|own| own == 101);
        assert_eq!(breaks.contains("HKD-NOSTRO"), sees, "{name}");
        assert_eq!(statements.contains("HKD-NOSTRO"), sees, "{name}");
        assert_eq!(own.contains("101344"), sees, "{name}");
        assert_eq!(breaks.contains("HKD-CUSTODY"), participant.is_none(), "{name}");
    }
    assert!(refused > 100 && answered > 80 && hidden > 8, "{refused} {answered} {hidden}");
}

/// Whether a route's thing is Hong Kong's alone, and the person works for another.
fn foreign(path: &str, participant: Option<u32>) -> bool {
    let transfer = path.starts_with("/transfers/{") && participant == Some(103);
    let own = path.starts_with("/breaks/{") || path.starts_with("/statements/{");
    transfer || own && participant.is_some_and(|own| own != 101)
}

async fn two_people_work_a_break(open: &Open, browser: &Browser) {
    let own = open.break_of("AMOUNT_DIFFERS").await;
    let page = format!("{}/breaks/{}", open.url, own.id);
    open.sign_in(browser, "hk.back.office").await;
    browser.click("nav a[href='/breaks']").await;
    browser.click(&format!("a[href='/breaks/{}']", own.id)).await;
    assert!(browser.text("h1").await.contains("Amount differs"));
    browser.click(&format!("form[action='/breaks/{}/assign'] button", own.id)).await;
    assert!(browser.text(".notice").await.contains("owner"));
    browser.fill("#note", "asked the bank by telephone").await;
    browser.click(&format!("form[action='/breaks/{}/propose'] button", own.id)).await;
    assert!(browser.text(".notice").await.contains("Another person decides"));
    let shown = browser.text("#main").await;
    assert!(shown.contains("Your own correction waits for another person"), "{shown}");
    // Even a form that the page does not offer is refused.
    let forced = "const form = document.querySelector('form[action$=\"/refuse\"]'); form.action = form.action.replace('/refuse', '/approve');";
    browser.run(forced).await;
    browser.click(&format!("form[action$='/breaks/{}/approve'] button", own.id)).await;
    let said = browser.text("#summary").await;
    assert!(said.contains("SAME_PERSON"), "{said}");

    open.sign_in(browser, "hk.back.office.second").await;
    browser.go(&page).await;
    assert!(browser.text("#main").await.contains("hk.back.office proposed it; you may decide"));
    browser.click(&format!("form[action='/breaks/{}/approve'] button", own.id)).await;
    browser.fill("#comment", "The bank corrects it tomorrow.").await;
    browser.click(&format!("form[action='/breaks/{}/comment'] button", own.id)).await;
    assert!(browser.text(".said").await.contains("The bank corrects it tomorrow."));
    browser.click(&format!("form[action='/breaks/{}/close'] button", own.id)).await;
    assert!(browser.text("h1").await.contains("Closed"));
    let history = browser.text("table:last-of-type").await;
    assert!(!history.is_empty());
    let closed =
        open.floor.books.office.break_show(&crate::office::clerk("ana"), own.id).await.unwrap();
    let done: Vec<(&str, &str)> =
        closed.history.iter().map(|act| (act.actor.as_str(), act.verb.as_str())).collect();
    for act in [
        ("hk.back.office", "assign"),
        ("hk.back.office", "propose"),
        ("hk.back.office.second", "decide"),
        ("hk.back.office.second", "close"),
    ] {
        assert!(done.contains(&act), "{done:?}");
    }
}

async fn compliance_opens_a_person_s_data(open: &Open, browser: &Browser, things: &Things) {
    open.sign_in(browser, "hk.compliance").await;
    browser.fill("#find", &things.uetr).await;
    browser.click(".find button").await;
    browser.click("tbody th a").await;
    assert!(!browser.text("#main").await.contains("Ada Testperson"), "sealed before");
    browser.fill("#reason", "short").await;
    let unsent = browser.run("return document.getElementById('reason').checkValidity();").await;
    assert_eq!(unsent, false, "the browser itself asks for a reason");
    browser.run("document.querySelector('form[action$=\"/unseal\"]').noValidate = true;").await;
    browser.click("form[action$='/unseal'] button").await;
    assert!(browser.text("#summary").await.contains("reason"));
    let why = "Request of the regulator, file 7 of this test";
    browser.fill("#reason", why).await;
    browser.click("form[action$='/unseal'] button").await;
    let shown = browser.text("#main").await;
    assert!(shown.contains("Ada Testperson") && shown.contains("Bea Testperson"), "{shown}");
    browser.go(&browser.address().await.replace("/unseal", "")).await;
    assert!(!browser.text("#main").await.contains("Ada Testperson"), "gone with the page");
    browser.go(&format!("{}/audit?verb=unseal", open.url)).await;
    let acts = browser.text("tbody").await;
    assert!(acts.contains("hk.compliance") && acts.contains(why), "{acts}");
    // The others of the house read why, and may not do the same.
    let person = open.client("auditor").await;
    assert!(person.get("/audit?verb=unseal").await.1.contains(why));
    let other = open.client("ph.compliance").await;
    assert!(!other.get("/audit?verb=unseal").await.1.contains(why), "another house's act");
    let sealed = open.client("operator").await;
    let path = format!("/transfers/101/{}", things.uetr);
    assert!(sealed.get(&path).await.1.contains("Sealed."));
}

async fn the_operator_closes_the_day(open: &Open, browser: &Browser, told: &Told) {
    let (floor, day) = (&open.floor, open.floor.books.day.to_string());
    open.sign_in(browser, "operator").await;
    let liquidity = browser.text("#liquidity + .scroll").await;
    assert!(
        liquidity.contains("Demo Wallet Hong Kong") && liquidity.contains("HKD"),
        "{liquidity}"
    );
    let preview = format!("{}/days/preview?currency=HKD&day={day}", open.url);
    let up_to = reconciled(&floor.running).await;
    browser.go(&format!("{preview}&up_to={up_to}")).await;
    assert!(browser.text(".stands").await.contains("BALANCE_MISMATCH"));
    // What stands in the way is worked: the funding is signed, the late entry told, the others settled.
    floor.correct(&open.break_of("MISSING_IN_LEDGER").await).await;
    let late = told.late.clone().unwrap();
    floor.books.late_comes(Leg::Custodian, told, late).await.unwrap();
    floor.books.office.match_all(now()).await.unwrap();
    for own in floor.books.breaks().await.unwrap() {
        floor.books.settle(&own).await.unwrap();
    }
    let up_to = reconciled(&floor.running).await;
    browser.click("nav a[href='/days']").await;
    browser.go(&format!("{preview}&up_to={up_to}")).await;
    assert!(browser.text("h1").await.contains("Close HKD"), "{}", browser.text("#main").await);
    browser.tick("input[name='sure']").await;
    browser.click("form[action='/days/close'] button").await;
    assert!(browser.text(".notice").await.contains("The day is closed."));
    let shown = browser.text("#main").await;
    assert!(shown.contains("camt.053-101-101344-1.xml") && shown.contains("operator"), "{shown}");
    // Its documents are taken away, each by those whom it is for.
    let href = "return document.querySelector('a[href*=\"/documents/\"]').getAttribute('href');";
    let href = browser.run(href).await.as_str().unwrap().to_owned();
    let member = open.client("hk.back.office").await;
    let other = open.client("my.back.office").await;
    let (_, listed) = member.get("/days").await;
    assert!(
        listed.contains("camt.053-101-101344-1.xml") && !listed.contains("pacs.009"),
        "{listed}"
    );
    assert_eq!(other.get(&href).await.0, StatusCode::NOT_FOUND);
    let own = listed.split("href=\"").find(|part| part.starts_with("/days/HKD/")).unwrap();
    let own = own.split('"').next().unwrap();
    let (status, text) = member.get(own).await;
    assert!(status == StatusCode::OK && text.contains("<Document"), "{status}");
    let (_, acts) = member.get("/audit?verb=download").await;
    assert!(acts.contains("camt.05"), "taking it away is an act");
}

/// Each page in both colours and at both widths: axe finds nothing, nothing hangs over the edge.
async fn pages_are_for_everyone(open: &Open, wide: &Browser, things: &Things) {
    let Some(axe) = axe() else {
        skipped("no axe-core: pages are not judged; deploy/prerequisites.sh installs it");
        return;
    };
    let narrow = Browser::start(WIDTHS[0], 740).await.unwrap();
    let mut pages =
        vec!["/", "/?live=1", "/help", "/transfers", "/breaks?all=1", "/statements", "/days"]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
    pages.extend(["/participants", "/participants/101", "/audit", "/nowhere"].map(str::to_owned));
    pages.extend(["/reports", "/reports/new?report=covered"].map(str::to_owned));
    pages.push(format!("/transfers/101/{}", things.uetr));
    pages.push(format!("/breaks/{}", things.own_break));
    pages.push(format!("/statements/{}", things.statement));
    pages.push(format!("/days/HKD/{}", things.day));
    let mut wrong = Vec::new();
    for browser in [wide, &narrow] {
        browser.go(&format!("{}/sign-in", open.url)).await;
        wrong.extend(judged(browser, &axe, "/sign-in").await);
        for name in ["operator", "hk.compliance"] {
            open.sign_in(browser, name).await;
            for page in &pages {
                browser.go(&format!("{}{page}", open.url)).await;
                wrong.extend(judged(browser, &axe, &format!("{name} {page}")).await);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn judged(browser: &Browser, axe: &str, page: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for scheme in ["light", "dark"] {
        browser.scheme(scheme).await;
        let found = browser.judge(axe).await;
        for rule in found["violations"].as_array().unwrap() {
            wrong.push(format!("{page} ({scheme}): {rule}"));
        }
        assert!(found["passes"].as_u64().unwrap() > 10, "{page}: axe judged little: {found}");
    }
    let over =
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth;";
    let over = browser.run(over).await;
    if over.as_i64().unwrap() > 0 {
        wrong.push(format!("{page} hangs over the edge by {over} px"));
    }
    wrong
}
