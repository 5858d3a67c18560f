//! Reports at the console: a person asks in a browser, is told beside the field what is wrong, takes the files away, and
//! whoever gets them verifies them; a participant's person never gets another's rows.
use std::{fs, path::Path, process::Command, time::Duration};

use reqwest::{Method, StatusCode, header};
use serde_json::Value;
use services_cli::demo::processes::binary;

use super::{Open, Person, judged};
use crate::browser::Browser;

const PATIENCE: Duration = Duration::from_secs(60);

impl Person {
    async fn bytes(&self, path: &str) -> (StatusCode, Vec<u8>) {
        let request = self.client.get(format!("{}{path}", self.url));
        let answer = request.header(header::COOKIE, &self.cookie).send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap().into())
    }

    /// Sends the form of a report with these values, and gives what it leads to.
    async fn report(&self, kind: &str, values: &str) -> (StatusCode, String) {
        let (_, page) = self.get("/reports/new?report=breaks").await;
        let token = page.split("name=\"csrf\" value=\"").nth(1).unwrap();
        let token = token.split('"').next().unwrap();
        let body = format!("csrf={token}&report={kind}&sent=1&{values}");
        let request = self.client.request(Method::POST, format!("{}/reports", self.url));
        let answer = request
            .header(header::COOKIE, &self.cookie)
            .header(header::ORIGIN, &self.url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap();
        let to = answer.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        let status = answer.status();
        (status, to.unwrap_or(answer.text().await.unwrap()))
    }

    /// The page of a report, once it is made.
    async fn made(&self, page: &str) -> String {
        let waited = async {
            let mut looks = tokio::time::interval(Duration::from_millis(200));
            loop {
                looks.tick().await;
                let (status, shown) = self.get(page).await;
                assert_eq!(status, StatusCode::OK, "{shown}");
                if shown.contains("causeway verify report") {
                    return shown;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.expect("the report is made")
    }

    /// The rows of its CSV.
    async fn csv(&self, page: &str) -> String {
        let shown = self.made(page).await;
        let file = shown.split("href=\"").find(|part| part.contains(".csv\"")).unwrap();
        let (status, bytes) = self.bytes(file.split('"').next().unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        String::from_utf8(bytes).unwrap()
    }
}

/// The auditor's way to a report, and his reader's.
pub(super) async fn the_auditor_takes_a_report_away(
    open: &Open,
    browser: &Browser,
    axe: Option<&str>,
) {
    open.sign_in(browser, "auditor").await;
    browser.click("nav a[href='/reports']").await;
    browser.click("a[href='/reports/new?report=liquidity']").await;
    browser.fill("#zone", "Mars/Olympus").await;
    browser.fill("#records", "many").await;
    browser.click("main button.first").await;
    assert_eq!(browser.text("#records-error").await, "many is no whole number");
    browser.fill("#records", "").await;
    browser.click("main button.first").await;
    let beside = browser.text("#zone-error").await;
    assert!(beside.contains("Mars/Olympus is no time zone"), "{beside}");
    browser.fill("#zone", "Asia/Manila").await;
    browser.click("main button.first").await;
    let page = browser.address().await.replace(&open.url, "");
    let auditor = open.client("auditor").await;
    auditor.made(&page).await;
    browser.go(&format!("{}{page}", open.url)).await;
    if let Some(axe) = axe {
        let wrong = judged(browser, axe, "a report").await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    let links =
        "return [...document.querySelectorAll('main tbody a')].map(a => a.getAttribute('href'));";
    let links = browser.run(links).await;
    let links: Vec<&str> =
        links.as_array().unwrap().iter().map(|to| to.as_str().unwrap()).collect();
    assert_eq!(links.len(), 3, "{links:?}");
    let folder = tempfile::tempdir().unwrap();
    for link in &links {
        let (status, bytes) = auditor.bytes(link).await;
        assert_eq!(status, StatusCode::OK, "{link}");
        fs::write(folder.path().join(link.rsplit('/').next().unwrap()), bytes).unwrap();
    }
    let command = browser.text("#command").await;
    assert_eq!(verified(open, folder.path(), &command), 0, "{command}");
    let csv = folder.path().join(links[0].rsplit('/').next().unwrap());
    let text = fs::read_to_string(&csv).unwrap();
    assert!(text.starts_with("day,account,") && text.lines().count() > 5, "{text}");
    fs::write(&csv, text.replacen('0', "1", 1)).unwrap();
    assert_eq!(verified(open, folder.path(), &command), 1, "one changed byte");
    let (_, acts) = auditor.get("/audit?verb=download&subject=report").await;
    for link in &links {
        assert!(acts.contains(link.rsplit('/').next().unwrap()), "{link}: {acts}");
    }
    // His report is nobody else's, not even another auditor's of the house.
    let operator = open.client("operator").await;
    assert_eq!(operator.get(&page).await.0, StatusCode::NOT_FOUND);
    assert_eq!(operator.get(links[0]).await.0, StatusCode::NOT_FOUND);
}

/// The command that the page shows, run where the files are.
fn verified(open: &Open, folder: &Path, command: &str) -> i32 {
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("causeway"));
    fs::copy(open.floor.running.folder.path.join("genesis.bin"), folder.join("genesis.bin"))
        .unwrap();
    let output =
        Command::new(binary().unwrap()).args(["--json"]).args(words).current_dir(folder).output();
    let output = output.unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let status = output.status.code().unwrap();
    assert_eq!(said["valid"], status == 0, "{said}");
    status
}

/// What people of one participant ask is cut to it, whatever they write; acts of all are not theirs.
pub(super) async fn reports_are_of_one_s_own_participant(open: &Open) {
    let member = open.client("hk.compliance").await;
    let (status, page) = member.report("liquidity", "participant=102&format_csv=1").await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    let own = member.csv(&page).await;
    let whose = |text: &str| -> Vec<String> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows = reader.records().map(|row| row.unwrap()[2].to_owned());
        rows.collect()
    };
    assert!(!whose(&own).is_empty() && whose(&own).iter().all(|id| id == "101"), "{own}");
    let (status, _) = member.report("audit", "format_csv=1").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(member.get("/reports/new?report=audit").await.0, StatusCode::FORBIDDEN);
    assert!(!member.get("/reports").await.1.contains("report=audit"));
    // What the debtor agent paid is not told to the creditor agent.
    let other = open.client("ph.compliance").await;
    let (_, page) = other.report("corridors", "format_csv=1").await;
    let corridors = other.csv(&page).await;
    assert!(corridors.contains("PHP") && !corridors.contains("HKD"), "{corridors}");
    let (_, page) = member.report("corridors", "format_csv=1").await;
    assert!(member.csv(&page).await.contains("HKD"));
    for (values, field) in [
        ("currency=PHP&above=a+lot&format_csv=1", "above-error"),
        ("currency=XXX&above=1&format_csv=1", "currency-error"),
        ("currency=PHP&above=1&from=yesterday&format_csv=1", "from-error"),
        ("currency=PHP&above=1&from=2026-03-02&to=2026-03-01&format_csv=1", "to-error"),
        ("currency=PHP&above=1&records=99999999&format_csv=1", "records-error"),
        ("currency=PHP&above=1&acts=99999999&format_csv=1", "acts-error"),
        ("currency=PHP&above=1", "format-error"),
    ] {
        let (status, page) = member.report("covered", values).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{values}: {page}");
        assert!(page.contains(field), "{values}: {page}");
    }
    let (_, page) = member.report("covered", "currency=PHP&above=3,999.99&format_csv=1").await;
    assert!(member.csv(&page).await.contains("4000.00"));
}
