//! Sign-in through a real OpenID Connect provider, a process of its own: who is in a group gets its role, who is in none is
//! let in nowhere, and an answer counts once, in the browser that asked.
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use services_cli::{args::NetworkNew, demo::postgres::Postgres, network::new, ports};
use services_reporting::Settings;
use services_runtime::shutdown::{Outcome, Shutdown};
use tests::skipped;

use crate::browser::Browser;

/// As deploy/prerequisites.sh installs it.
const VERSION: &str = "0.3.4";
const PATIENCE: Duration = Duration::from_secs(30);

struct Provider {
    issuer: String,
    child: Child,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Provider {
    async fn start() -> Option<Self> {
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
        let program = format!("causeway/oidc-provider-mock-{VERSION}/bin/oidc-provider-mock");
        let port = ports::free().unwrap();
        let person = |name: &str, groups: &str| {
            format!(
                "{{\"sub\": \"{name}\", \"preferred_username\": \"{name}\", \"groups\": [{groups}]}}"
            )
        };
        let child = Command::new(cache.join(program))
            .args(["--port", &port.to_string(), "--host", "127.0.0.1", "--require-nonce", "true"])
            .args(["--user-claims", &person("ana", "\"others\", \"hk-back-office\"")])
            .args(["--user-claims", &person("eve", "\"others\"")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let provider = Self { issuer: format!("http://localhost:{port}"), child };
        let discovery = format!("{}/.well-known/openid-configuration", provider.issuer);
        let client = services_runtime::tls::http_builder().build().unwrap();
        until(async || {
            client.get(&discovery).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        Some(provider)
    }
}

async fn until(holds: impl AsyncFn() -> bool) {
    let waited = async {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        while !holds().await {
            looks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("it comes up");
}

/// A console, and what goes with it.
struct Kept {
    address: String,
    _postgres: Arc<Postgres>,
    _folder: tempfile::TempDir,
}

/// A console of its own on an empty ledger, with people of the provider alone.
async fn console(provider: &Provider, shutdown: &Shutdown) -> Kept {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    services_reconciliation::Store::new(&url).unwrap().migrate().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let network = folder.path().join("network");
    new::run(&NetworkNew {
        folder: network.clone(),
        plan: None,
        nodes: "1".to_owned(),
        hosts: vec!["localhost".to_owned()],
        database_url: url,
        sdn: None,
        alt: None,
    })
    .unwrap();
    let file = network.join("reporting/reporting.toml");
    let text = fs::read_to_string(&file).unwrap();
    let oidc = format!(
        "\n[oidc]\nissuer = \"{}\"\nclient_id = \"console\"\nclient_secret = \"of this test\"\nname = \"the house's account\"\n\
         [[oidc.grants]]\ngroup = \"hk-back-office\"\nrole = \"back_office\"\nparticipant = 101\n",
        provider.issuer
    );
    fs::write(&file, text + &oidc).unwrap();
    let settings: Settings = services_runtime::settings::load(&file).unwrap();
    let (address, health) = (settings.public_url.clone(), settings.health_listen);
    let mut settings = settings;
    settings.health_listen = None;
    assert!(health.is_some(), "network new gives it one");
    shutdown.spawn("console", services_reporting::run(settings, None, shutdown.clone()));
    let client = services_runtime::tls::http_builder();
    let client = client.tls_danger_accept_invalid_certs(true).build().unwrap();
    let page = format!("{address}/sign-in");
    until(async || client.get(&page).send().await.is_ok_and(|answer| answer.status().is_success()))
        .await;
    Kept { address, _postgres: postgres, _folder: folder }
}

async fn as_person(browser: &Browser, console: &str, name: &str) {
    browser.go(&format!("{console}/sign-in?next=%2Fbreaks")).await;
    let asked = browser.text("a.wide").await;
    assert_eq!(asked, "Sign in with the house's account");
    browser.click("a.wide").await;
    browser.click(&format!("button[value='{name}']")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_provider_sign_in_by_their_groups() {
    let Some(provider) = Provider::start().await else {
        skipped("no OpenID Connect provider; deploy/prerequisites.sh installs it");
        return;
    };
    let Some(browser) = Browser::start(1_280, 900).await else {
        skipped("no Chromium with its driver; deploy/prerequisites.sh installs both");
        return;
    };
    let shutdown = Shutdown::new();
    let kept = console(&provider, &shutdown).await;
    let console = &kept.address;
    as_person(&browser, console, "ana").await;
    assert_eq!(browser.address().await, format!("{console}/breaks"), "where she wanted to go");
    let who = browser.text(".who").await;
    assert!(who.contains("ana") && who.contains("Back office for participant 101"), "{who}");
    browser.go(&format!("{console}/audit?verb=sign_in")).await;
    let acts = browser.text("tbody").await;
    assert!(acts.contains("ana") && acts.contains("by oidc"), "{acts}");

    browser.click(".who button").await;
    assert_eq!(browser.address().await, format!("{console}/sign-in"));
    browser.go(&format!("{console}/breaks")).await;
    assert!(browser.address().await.contains("/sign-in"), "signed out");

    as_person(&browser, console, "eve").await;
    let said = browser.text("#summary").await;
    assert!(said.contains("may not sign in here"), "{said}");
    // Her answer was used; another browser's or an older one opens nothing.
    let back = browser.address().await;
    assert!(back.contains("/sign-in/oidc/back?"), "{back}");
    browser.go(&back).await;
    let said = browser.text("#summary").await;
    assert!(said.contains("no sign-in that waits"), "{said}");
    browser.forget().await;
    browser.go(&back).await;
    assert!(browser.text("#summary").await.contains("no sign-in that waits"));
    shutdown.cancel();
    assert_eq!(shutdown.wait(PATIENCE).await, Outcome::Clean);
}
