//! The benchmark's own network: nodes as processes, reconciliation if it is asked for, two institutions,
//! ten thousand accounts. It must leave nothing running.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use ledger_proof::{Item, item::Fund, operator::OpenAccount};
use ledger_types::{AccountId, Currency, ParticipantId};
use proto::{LedgerClient, ledger::GetStatusRequest};

use crate::admin::authority::Folder;
use crate::args::NetworkNew;
use crate::demo::processes::{self, Service};
use crate::network::{founding, new};

/// Whose accounts are debited.
pub const DEBTOR: ParticipantId = ParticipantId(11);
/// Whose accounts are credited.
pub const CREDITOR: ParticipantId = ParticipantId(12);
/// Accounts of each.
pub const ACCOUNTS: u64 = 5_000;
/// What each debited account holds at the beginning.
const FUNDED: u64 = 1 << 40;
/// Items of one founding envelope.
const CHUNK: usize = 2_000;
const START: Duration = Duration::from_secs(60);
const PLAN: &str = include_str!("bench.toml");

/// A running ledger.
#[derive(Debug)]
pub struct World {
    /// Its folder.
    pub folder: Folder,
    /// A participant's client.
    pub client: LedgerClient,
    operator: LedgerClient,
    nodes: Vec<Service>,
    reconciliation: Option<Service>,
    directory: tempfile::TempDir,
}

/// What the nodes used so far, summed.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Bytes written to log, state and history.
    pub bytes: f64,
    /// CPU time, microseconds.
    pub cpu_micros: f64,
}

impl Usage {
    /// What was used since.
    #[expect(clippy::float_arithmetic, reason = "figures of a measurement, not amounts")]
    pub fn since(self, before: &Self) -> Self {
        Self { bytes: self.bytes - before.bytes, cpu_micros: self.cpu_micros - before.cpu_micros }
    }
}

/// The n-th account of an owner.
pub fn account(owner: ParticipantId, at: u64) -> AccountId {
    AccountId(u64::from(owner.0) * 1_000_000 + at)
}

/// The benchmark's one currency.
pub fn currency() -> anyhow::Result<Currency> {
    Ok("HKD".parse()?)
}

impl World {
    /// Starts the nodes and opens every account.
    pub async fn start(nodes: u64) -> anyhow::Result<Self> {
        Self::start_with(nodes, "postgres://localhost/none").await
    }

    /// The same with a database for [`reconciliation`](Self::reconciliation).
    pub async fn start_with(nodes: u64, database_url: &str) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("causeway-bench-").tempdir()?;
        let plan = directory.path().join("bench.toml");
        std::fs::write(&plan, PLAN)?;
        let path = directory.path().join("network");
        new::run(&NetworkNew {
            folder: path.clone(),
            plan: Some(plan),
            nodes: nodes.to_string(),
            hosts: ["localhost", "127.0.0.1"].map(str::to_owned).to_vec(),
            database_url: database_url.to_owned(),
            sdn: None,
            alt: None,
        })?;
        let logs = directory.path().join("logs");
        std::fs::create_dir_all(&logs)?;
        let mut processes = Vec::new();
        for number in 1..=nodes {
            let config = path.join(format!("nodes/{number}/node.toml"));
            let name = format!("ledger-{number}");
            processes.push(Service::start("ledger", &name, &config, &logs)?);
        }
        let folder = Folder::read(&path)?;
        let operator = folder.client("operator/client", START)?;
        let client = folder.client("participants/11/client", START)?;
        let nodes = processes;
        let mut world = Self { folder, client, operator, nodes, reconciliation: None, directory };
        world.wait_for_leader().await?;
        world.found().await?;
        Ok(world)
    }

    async fn wait_for_leader(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        loop {
            self.nodes.iter_mut().try_for_each(Service::check)?;
            for node in 1..=self.operator.nodes() {
                let status = self.operator.admin(node)?.get_status(GetStatusRequest {}).await;
                if status.is_ok_and(|status| status.into_inner().role == "leader") {
                    return Ok(());
                }
            }
            anyhow::ensure!(Instant::now() < until, "no leader was elected in {START:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn found(&self) -> anyhow::Result<()> {
        let keys = self.folder.public_keys()?;
        for items in founding::commands(&self.folder.plan, &keys)? {
            self.folder.submit(&self.operator, ParticipantId::OPERATOR, &items).await?;
        }
        let currency = currency()?;
        let mut open = Vec::new();
        let mut funds = Vec::new();
        for at in 0..ACCOUNTS {
            for owner in [DEBTOR, CREDITOR] {
                open.push(Item::OpenAccount(OpenAccount {
                    nonce: founding::nonce()?,
                    account: account(owner, at),
                    owner,
                    currency,
                    standing_acceptance: true,
                }));
            }
            funds.push(Item::Fund(Fund {
                nonce: founding::nonce()?,
                account: account(DEBTOR, at),
                currency,
                amount: FUNDED,
                value_date: 20_260_101,
                bank_reference: format!("BENCH-{at}").parse()?,
            }));
        }
        for items in open.chunks(CHUNK) {
            self.folder.submit(&self.operator, ParticipantId::OPERATOR, items).await?;
        }
        for items in funds.chunks(CHUNK) {
            self.folder.submit(&self.operator, ParticipantId(1), items).await?;
        }
        Ok(())
    }

    /// The leader's number from 1, if a node says that it leads.
    pub async fn leader(&self) -> Option<usize> {
        for node in 1..=self.operator.nodes() {
            let Ok(mut admin) = self.operator.admin(node) else { continue };
            let call = admin.get_status(GetStatusRequest {});
            let answer = tokio::time::timeout(Duration::from_millis(500), call).await;
            if let Ok(Ok(answer)) = answer
                && answer.get_ref().role == "leader"
            {
                return Some(node);
            }
        }
        None
    }

    /// Reconciliation, started or started again.
    pub fn reconciliation(&mut self) -> anyhow::Result<&mut Service> {
        if let Some(service) = &mut self.reconciliation {
            if service.id().is_none() {
                service.resume()?;
            }
        } else {
            let config = self.folder.path.join("reconciliation/reconciliation.toml");
            let logs = self.directory.path().join("logs");
            let service = Service::start("reconciliation", "reconciliation", &config, &logs)?;
            self.reconciliation = Some(service);
        }
        self.reconciliation.as_mut().context("reconciliation was not started")
    }

    /// Kills a node by SIGKILL.
    pub fn kill(&mut self, node: usize) -> anyhow::Result<()> {
        self.nodes.get_mut(node - 1).context("no such node")?.kill()
    }

    /// Starts a killed node again.
    pub fn resume(&mut self, node: usize) -> anyhow::Result<()> {
        self.nodes.get_mut(node - 1).context("no such node")?.resume()
    }

    /// Starts a node that `network add-node` made, and knows its endpoint from then on.
    pub fn join(&mut self, node: u64) -> anyhow::Result<()> {
        let config = self.folder.path.join(format!("nodes/{node}/node.toml"));
        let logs = self.directory.path().join("logs");
        self.nodes.push(Service::start("ledger", &format!("ledger-{node}"), &config, &logs)?);
        self.folder = Folder::read(&self.folder.path)?;
        self.operator = self.folder.client("operator/client", START)?;
        self.client = self.folder.client("participants/11/client", START)?;
        Ok(())
    }

    /// A client that sees every account and every node.
    #[must_use]
    pub const fn operator(&self) -> &LedgerClient {
        &self.operator
    }

    /// The ids of the nodes' processes that run.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        self.nodes.iter().filter_map(Service::id).collect()
    }

    /// What the nodes used so far.
    pub async fn usage(&self) -> anyhow::Result<Usage> {
        let (mut bytes, mut cpu_micros) = (0_u64, 0_u64);
        for node in 1..=self.operator.nodes() {
            let status = self.operator.admin(node)?.get_status(GetStatusRequest {}).await;
            let status = status.context("a node does not tell its usage")?.into_inner();
            bytes += status.bytes_written;
            cpu_micros += status.cpu_micros;
        }
        Ok(Usage { bytes: float(bytes), cpu_micros: float(cpu_micros) })
    }
}

/// For ratios: exact below 2⁵³, far above what a run writes.
#[expect(clippy::cast_precision_loss, reason = "figures of a measurement, below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}

impl Drop for World {
    fn drop(&mut self) {
        // Before the folder goes.
        processes::end(self.reconciliation.take().into_iter().collect());
        processes::end(std::mem::take(&mut self.nodes));
    }
}
