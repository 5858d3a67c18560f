//! The demonstration's console: its process, and people who sign in to it with passwords made for this run. It must never
//! write a password anywhere but to who runs the demonstration.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use services_office::Role;

use super::processes::Service;
use crate::admin::console::Accounts;

const START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// Who may sign in: name, role, and for whom.
const PEOPLE: [(&str, Role, Option<u32>); 8] = [
    ("operator", Role::Operator, None),
    ("operator.second", Role::Operator, None),
    ("hk.back.office", Role::BackOffice, Some(101)),
    ("hk.back.office.second", Role::BackOffice, Some(101)),
    ("hk.compliance", Role::Compliance, Some(101)),
    ("ph.compliance", Role::Compliance, Some(102)),
    ("my.back.office", Role::BackOffice, Some(103)),
    ("auditor", Role::Auditor, None),
];

/// A running console.
#[derive(Debug)]
pub struct Console {
    /// Where a browser finds it.
    pub url: String,
    /// Name, role, participant and password of each person.
    pub people: Vec<(String, &'static str, Option<u32>, String)>,
    /// Its process.
    pub service: Service,
}

impl Console {
    /// Starts the console of a network's folder and waits until it answers.
    pub async fn start(network: &Path, ca: &Path, logs: &Path) -> anyhow::Result<Self> {
        let own = network.join("reporting");
        let mut accounts = Accounts::default();
        let mut people = Vec::new();
        for (name, role, of) in PEOPLE {
            let password = accounts.put(name, role, of)?;
            people.push((name.to_owned(), role.as_str(), of, password));
        }
        accounts.write(&own.join("accounts.toml"))?;
        let config = own.join("reporting.toml");
        let settings: services_reporting::Settings = services_runtime::settings::load(&config)?;
        let service = Service::start("reporting", "reporting", &config, logs)?;
        let mut console = Self { url: settings.public_url, people, service };
        let client = services_runtime::tls::http_client(ca)?;
        let until = Instant::now() + START;
        let health = settings.health_listen.context("the console has no health")?;
        let plain = services_runtime::tls::http_builder().no_proxy().build()?;
        loop {
            console.service.check()?;
            let served = client.get(format!("{}/sign-in", console.url)).send().await;
            let ready = plain.get(format!("http://{health}/readyz")).send().await;
            let good = |answer: reqwest::Result<reqwest::Response>| {
                answer.is_ok_and(|answer| answer.status().is_success())
            };
            if good(served) && good(ready) {
                return Ok(console);
            }
            anyhow::ensure!(Instant::now() < until, "the console is not ready in {START:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The password of a person.
    pub fn password(&self, name: &str) -> anyhow::Result<&str> {
        let found = self.people.iter().find(|person| person.0 == name);
        Ok(&found.with_context(|| format!("nobody is called {name}"))?.3)
    }

    /// Where it is and who may sign in, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let mut table = crate::out::table();
        table.set_header(["name", "password", "role", "for"]);
        for (name, role, of, password) in &self.people {
            let of = of.map_or_else(|| "the network".to_owned(), |of| format!("participant {of}"));
            table.add_row([name.as_str(), password.as_str(), role, of.as_str()]);
        }
        format!(
            "console: {} (its certificate is signed by the demonstration's own CA)\n{table}",
            self.url
        )
    }

    /// What scripts and people need to sign in.
    #[must_use]
    pub fn info(&self) -> Value {
        let people = self.people.iter().map(|(name, role, of, password)| {
            json!({ "name": name, "role": role, "participant": of, "password": password })
        });
        json!({ "url": self.url, "people": people.collect::<Vec<_>>() })
    }
}
