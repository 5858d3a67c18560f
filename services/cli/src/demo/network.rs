//! A whole network on this machine: folder, Postgres, processes, founding, API keys. It must leave
//! nothing running.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ledger_types::ParticipantId;
use proto::{LedgerClient, ledger::GetStatusRequest};
use serde_json::{Value, json};
use services_reconciliation::Summary;

use super::console::Console;
use super::processes::{self, Service};
use super::{postgres::Postgres, rates};
use crate::admin::authority::Folder;
use crate::admin::commands::{api_key, found};
use crate::args::NetworkNew;
use crate::network::new;
use crate::wallet::Wallet;

/// How long a part of the network may take to start.
const START: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
/// How long Postgres may lie behind the ledger.
const CATCH_UP: Duration = Duration::from_secs(30);

/// A running network.
pub struct Running {
    /// Its folder as its operator uses it.
    pub folder: Folder,
    /// The operator's client.
    pub operator: LedgerClient,
    /// A wallet per gateway, by label.
    pub wallets: BTreeMap<String, Wallet>,
    /// The database of gateways and reconciliation.
    pub database_url: String,
    api_keys: BTreeMap<String, String>,
    /// Keys that may do nothing but make webhooks.
    manage_keys: BTreeMap<String, String>,
    nodes: Vec<Service>,
    services: Vec<Service>,
    console: Option<Console>,
    logs: PathBuf,
    postgres: Option<Postgres>,
    _directory: tempfile::TempDir,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Running").field("folder", &self.folder.path).finish_non_exhaustive()
    }
}

impl Running {
    /// Starts everything and waits until every gateway is ready; `prepare` may change the new
    /// network's files before anything reads them.
    pub async fn start(
        database_url: Option<String>,
        prepare: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("causeway-demo-").tempdir()?;
        let (database_url, postgres) = database(database_url).await?;
        let path = directory.path().join("network");
        let made = new::run(&arguments(&path, &database_url))?;
        rates::write(&path.join("rates"))?;
        prepare(&path)?;
        webhooks_to_this_machine(&path)?;
        let logs = directory.path().join("logs");
        std::fs::create_dir_all(&logs)?;
        let folder = Folder::read(&path)?;
        let operator = folder.client("operator/client", Duration::from_secs(10))?;
        let mut running = Self {
            folder,
            operator,
            wallets: BTreeMap::new(),
            database_url,
            api_keys: BTreeMap::new(),
            manage_keys: BTreeMap::new(),
            nodes: Vec::new(),
            services: Vec::new(),
            console: None,
            logs,
            postgres,
            _directory: directory,
        };
        running.start_nodes(made.ports.nodes.len())?;
        running.found().await?;
        running.start_services()?;
        running.open_wallets(&made.ports.gateways).await?;
        Ok(running)
    }

    fn start_nodes(&mut self, count: usize) -> anyhow::Result<()> {
        for number in 1..=count {
            let config = self.folder.path.join(format!("nodes/{number}/node.toml"));
            let name = format!("ledger-{number}");
            self.nodes.push(Service::start("ledger", &name, &config, &self.logs)?);
        }
        Ok(())
    }

    async fn found(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        while self.leader().await.is_none() {
            self.nodes.iter_mut().try_for_each(Service::check)?;
            anyhow::ensure!(Instant::now() < until, "no leader was elected in {START:?}");
            tokio::time::sleep(POLL).await;
        }
        found(&self.folder).await.context("the network cannot be founded")?;
        Ok(())
    }

    fn start_services(&mut self) -> anyhow::Result<()> {
        let participants = self.folder.path.join("participants");
        for participant in &self.folder.plan.participants {
            let (label, own) = (participant.label(), participants.join(participant.label()));
            if !participant.fx.is_empty() {
                let name = format!("fx-{label}");
                let config = own.join("fx.toml");
                self.services.push(Service::start("fx", &name, &config, &self.logs)?);
            }
            if participant.gateway.is_some() {
                let name = format!("gateway-{label}");
                let config = own.join("gateway.toml");
                self.services.push(Service::start("gateway", &name, &config, &self.logs)?);
            }
        }
        let config = self.folder.path.join("reconciliation/reconciliation.toml");
        let service = Service::start("reconciliation", "reconciliation", &config, &self.logs)?;
        self.services.push(service);
        Ok(())
    }

    /// Starts the console too, with people made for this run.
    pub async fn start_console(&mut self) -> anyhow::Result<&Console> {
        let console = Console::start(&self.folder.path, &self.ca(), &self.logs).await?;
        Ok(self.console.insert(console))
    }

    async fn open_wallets(&mut self, gateways: &[(u32, u16, u16)]) -> anyhow::Result<()> {
        let scopes = ["read", "send", "decide"].map(str::to_owned);
        for (participant, port, _) in gateways {
            let label = self.folder.plan.participant(*participant)?.label();
            let own = self.folder.path.join("participants").join(&label);
            let secret = api_key(&own.join("gateway.toml"), &scopes).await?;
            let url = format!("https://localhost:{port}");
            let wallet = Wallet::new(&self.ca(), url, secret.clone())?;
            self.wait_until_ready(&wallet, &label).await?;
            let manage = api_key(&own.join("gateway.toml"), &["manage".to_owned()]).await?;
            self.manage_keys.insert(label.clone(), manage);
            self.api_keys.insert(label.clone(), secret);
            self.wallets.insert(label, wallet);
        }
        Ok(())
    }

    async fn wait_until_ready(&mut self, wallet: &Wallet, label: &str) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        while !wallet.ready().await {
            self.check()?;
            anyhow::ensure!(Instant::now() < until, "gateway {label} is not ready in {START:?}");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Fails when a process ended by itself.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let console = self.console.as_mut().map(|console| &mut console.service);
        let mut services = self.nodes.iter_mut().chain(&mut self.services).chain(console);
        services.try_for_each(Service::check)
    }

    /// The leader's number from 1, when the nodes agree on one.
    pub async fn leader(&self) -> Option<usize> {
        for node in 1..=self.operator.nodes() {
            let Ok(mut admin) = self.operator.admin(node) else { continue };
            let call = admin.get_status(GetStatusRequest {});
            let answer = tokio::time::timeout(Duration::from_millis(500), call).await;
            let Ok(Ok(answer)) = answer else { continue };
            let status = answer.into_inner();
            if status.role == "leader" {
                return usize::try_from(status.node).ok();
            }
        }
        None
    }

    /// Waits until Postgres holds every record of the ledger, and tells what it holds.
    pub async fn reconciled(&self) -> anyhow::Result<Summary> {
        let store = services_reconciliation::Store::new(&self.database_url)?;
        let until = Instant::now() + CATCH_UP;
        loop {
            let (_, records) = self.operator.balances(None).await?;
            let summary = store.summary().await?;
            if summary.records == records {
                return Ok(summary);
            }
            anyhow::ensure!(
                Instant::now() < until,
                "Postgres holds {} of the ledger's {records} records",
                summary.records
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Kills a node by SIGKILL.
    pub fn kill_node(&mut self, number: usize) -> anyhow::Result<()> {
        self.node(number)?.kill()
    }

    /// Starts a killed node again.
    pub fn resume_node(&mut self, number: usize) -> anyhow::Result<()> {
        self.node(number)?.resume()
    }

    /// SIGKILL for a participant's gateway.
    pub fn kill_gateway(&mut self, label: &str) -> anyhow::Result<()> {
        self.gateway(label)?.kill()
    }

    /// Starts a killed gateway again.
    pub fn resume_gateway(&mut self, label: &str) -> anyhow::Result<()> {
        self.gateway(label)?.resume()
    }

    /// A participant's gateway as a process, while it runs.
    pub fn gateway_id(&mut self, label: &str) -> anyhow::Result<Option<u32>> {
        Ok(self.gateway(label)?.id())
    }

    /// Every process by its name, while it runs.
    #[must_use]
    pub fn processes(&self) -> Vec<(String, u32)> {
        let services = self.nodes.iter().chain(&self.services);
        services.filter_map(|own| Some((own.name().to_owned(), own.id()?))).collect()
    }

    /// The first process of the private Postgres.
    #[must_use]
    pub fn postgres_id(&self) -> Option<u32> {
        self.postgres.as_ref()?.id()
    }

    fn gateway(&mut self, label: &str) -> anyhow::Result<&mut Service> {
        let name = format!("gateway-{label}");
        let found = self.services.iter_mut().find(|service| service.name() == name);
        found.with_context(|| format!("no gateway {label} runs here"))
    }

    fn node(&mut self, number: usize) -> anyhow::Result<&mut Service> {
        let node = number.checked_sub(1).and_then(|at| self.nodes.get_mut(at));
        node.with_context(|| format!("there is no node {number}"))
    }

    /// The CA that wallets trust.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path.join("ca/participant/certificate.pem")
    }

    /// What scripts need to use the network, as `--info` writes it.
    #[must_use]
    pub fn info(&self) -> Value {
        let gateways: serde_json::Map<String, Value> = self
            .wallets
            .iter()
            .map(|(label, wallet)| {
                let api_key = self.api_keys.get(label);
                let value = json!({
                    "url": wallet.url,
                    "api_key": api_key,
                    "manage_key": self.manage_keys.get(label),
                    "ca": self.ca(),
                });
                (label.clone(), value)
            })
            .collect();
        json!({
            "console": self.console.as_ref().map(Console::info),
            "gateways": gateways,
            "postgres": self.database_url,
            "nodes": self.folder.endpoints,
            "network": self.folder.path,
        })
    }

    /// Ends every process.
    pub fn stop(&mut self) {
        let console = self.console.take().map(|console| console.service);
        processes::end(console.into_iter().collect());
        processes::end(std::mem::take(&mut self.services));
        processes::end(std::mem::take(&mut self.nodes));
    }

    /// A wallet by label.
    pub fn wallet(&self, label: &str) -> anyhow::Result<Wallet> {
        let wallet = self.wallets.get(label).cloned();
        wallet.with_context(|| format!("there is no gateway {label}"))
    }

    /// A participant's label.
    pub fn label(&self, participant: ParticipantId) -> anyhow::Result<String> {
        Ok(self.folder.plan.participant(participant.0)?.label())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Before Postgres and the folder go.
        self.stop();
    }
}

pub(crate) async fn database(given: Option<String>) -> anyhow::Result<(String, Option<Postgres>)> {
    if let Some(url) = given {
        return Ok((url, None));
    }
    let postgres = Postgres::start()?;
    let url = postgres.database().await?;
    Ok((url, Some(postgres)))
}

fn arguments(folder: &Path, database_url: &str) -> NetworkNew {
    NetworkNew {
        folder: folder.to_owned(),
        plan: None,
        nodes: "3".to_owned(),
        hosts: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
        database_url: database_url.to_owned(),
        sdn: None,
        alt: None,
    }
}

/// A demonstration's webhooks stay on this machine, and are tried again soon.
const WEBHOOKS: &str = r#"
[webhooks]
allow_http = true
allow_networks = ["127.0.0.0/8"]
attempts_max = 100
retry_ms_min = 100
retry_ms_max = 1000
"#;

fn webhooks_to_this_machine(network: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(network.join("participants"))? {
        let file = entry?.path().join("gateway.toml");
        if !file.exists() {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        if !text.contains("[webhooks]") {
            std::fs::write(&file, text + WEBHOOKS)?;
        }
    }
    Ok(())
}
