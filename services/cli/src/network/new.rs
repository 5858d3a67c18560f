//! `causeway network new`: genesis, CAs, keys, certificates and settings in one folder. It must
//! never overwrite a network that is there: its keys could not be made again.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ledger_proof::{Field as _, Genesis};
use ledger_types::{NetworkId, Timestamp};
use serde_json::{Value, json};
use services_runtime::tls::Identity;
use time::OffsetDateTime;

use super::founding::{self, PublicKeys};
use super::keys::Secret;
use super::pki::Pki;
use super::plan::Plan;
use super::settings::{Layout, Ports};
use crate::args::NetworkNew;

/// What was made and where.
#[derive(Debug)]
pub struct Summary {
    /// The network's folder, absolute.
    pub folder: PathBuf,
    /// The network's id.
    pub network: NetworkId,
    /// Where everything listens.
    pub ports: Ports,
    made: Vec<PathBuf>,
}

impl Summary {
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "folder": self.folder,
            "network": self.network.to_string(),
            "certificates": self.made,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "made network {} in {}", self.network, self.folder.display())?;
        writeln!(f, "  genesis.bin, network.json, ca (keep its keys offline)")?;
        self.made.iter().try_for_each(|folder| writeln!(f, "  {}", folder.display()))?;
        let shown = self.folder.display();
        write!(
            f,
            "next: start each node with `causeway ledger --config {shown}/nodes/N/node.toml`, then \
             `causeway admin found {shown}`"
        )
    }
}

pub fn run(args: &NetworkNew) -> anyhow::Result<Summary> {
    let plan = Plan::read(args.plan.as_deref())?;
    let nodes: u64 = args.nodes.parse().context("--nodes: not a number; give 1, 3 or 5")?;
    let now = OffsetDateTime::now_utc();
    let secrets = Secrets::generate(&plan, nodes)?;
    let keys = secrets.public()?;
    let genesis = founding::genesis(&plan, &keys, timestamp(now)?)?;
    establish(args, &plan, &secrets, &genesis, now)
}

/// Writes a network of a genesis whose keys are `secrets`.
pub(crate) fn establish(
    args: &NetworkNew,
    plan: &Plan,
    secrets: &Secrets,
    genesis: &Genesis,
    now: OffsetDateTime,
) -> anyhow::Result<Summary> {
    let nodes = u64::try_from(secrets.nodes.len())?;
    let pki = certificates(plan, genesis.network(), args, nodes, now)?;
    // After the plan, so that a wrong argument leaves nothing behind.
    let folder = make_folder(&args.folder)?;
    write(&folder.join("genesis.bin"), &genesis.to_bytes())?;
    pki.write(&folder)?;
    secrets.write(&folder)?;
    let ports = Ports::free(plan, nodes)?;
    let host = args.hosts.first().map_or("localhost", String::as_str);
    let database_url = &args.database_url;
    let layout = Layout { folder: &folder, plan, ports: &ports, host, database_url };
    layout.write()?;
    let facts = json!({
        "name": plan.name,
        "network": genesis.network().to_string(),
        "endpoints": layout.endpoints(),
        "reports_key": hex::encode(secrets.reports.signing_public()),
    });
    write(&folder.join("network.json"), format!("{facts:#}\n").as_bytes())?;
    write(&folder.join("plan.toml"), plan_text(args.plan.as_deref())?.as_bytes())?;
    lists(args, &folder)?;
    let made = pki.folders().map(PathBuf::from).collect();
    Ok(Summary { network: genesis.network(), folder, ports, made })
}

/// Now, as the ledger counts it.
pub fn timestamp(now: OffsetDateTime) -> anyhow::Result<Timestamp> {
    let micros = u64::try_from(now.unix_timestamp_nanos() / 1_000);
    micros.map(Timestamp::from_micros).context("the clock stands before 1970")
}

fn make_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("{shown}: cannot be made"))?;
    let mut entries = folder.read_dir().with_context(|| format!("{shown}: cannot be read"))?;
    if entries.next().is_some() {
        bail!("{shown}: is not empty; give a new folder or remove what is there");
    }
    folder.canonicalize().with_context(|| format!("{shown}: cannot be resolved"))
}

fn plan_text(file: Option<&Path>) -> anyhow::Result<String> {
    match file {
        None => Ok(super::plan::DEMO.to_owned()),
        Some(file) => std::fs::read_to_string(file).context("the plan cannot be read again"),
    }
}

/// Sanctions lists: those given, else a fictional one so that screening has something to find.
fn lists(args: &NetworkNew, folder: &Path) -> anyhow::Result<()> {
    let demo = [
        ("sdn.csv", args.sdn.as_deref(), include_str!("demo-sdn.csv")),
        ("alt.csv", args.alt.as_deref(), include_str!("demo-alt.csv")),
    ];
    for (name, given, fictional) in demo {
        let bytes = match given {
            None => fictional.as_bytes().to_vec(),
            Some(file) => std::fs::read(file)
                .with_context(|| format!("{}: cannot be read", file.display()))?,
        };
        write(&folder.join("screening").join(name), &bytes)?;
    }
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let shown = file.display();
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("{shown}: cannot be made"))?;
    std::fs::write(file, bytes).with_context(|| format!("{shown}: cannot be written"))
}

/// Every secret key of the network and the file it belongs in.
#[derive(Debug)]
pub(crate) struct Secrets {
    operator: Vec<Secret>,
    participants: Vec<(u32, String, Secret, Secret)>,
    nodes: Vec<(u64, Secret)>,
    /// Signs the console's reports.
    reports: Secret,
}

impl Secrets {
    fn generate(plan: &Plan, nodes: u64) -> anyhow::Result<Self> {
        let operator = (0..plan.operator_keys).map(|_| Secret::generate());
        let mut participants = Vec::new();
        for participant in &plan.participants {
            let (signing, sealing) = (Secret::generate()?, Secret::generate()?);
            participants.push((participant.id, participant.label(), signing, sealing));
        }
        let nodes = (1..=nodes).map(|node| Ok((node, Secret::generate()?)));
        Ok(Self {
            operator: operator.collect::<anyhow::Result<_>>()?,
            participants,
            nodes: nodes.collect::<anyhow::Result<_>>()?,
            reports: Secret::generate()?,
        })
    }

    /// Takes over the keys of a network's folder; only the nodes get new ones.
    pub(crate) fn read(folder: &Path, plan: &Plan, nodes: u64) -> anyhow::Result<Self> {
        let operator = (1..=plan.operator_keys)
            .map(|at| Secret::read(&folder.join(format!("operator/keys/{at}.key"))));
        let mut participants = Vec::new();
        for participant in &plan.participants {
            let own = folder.join("participants").join(participant.label());
            let signing = Secret::read(&own.join("signing.key"))?;
            let sealing = Secret::read(&own.join("sealing.key"))?;
            participants.push((participant.id, participant.label(), signing, sealing));
        }
        // A network of before it had one.
        let reports = folder.join("reporting/reports.key");
        let nodes = (1..=nodes).map(|node| Ok((node, Secret::generate()?)));
        Ok(Self {
            operator: operator.collect::<anyhow::Result<_>>()?,
            participants,
            nodes: nodes.collect::<anyhow::Result<_>>()?,
            reports: if reports.exists() { Secret::read(&reports)? } else { Secret::generate()? },
        })
    }

    pub(crate) fn public(&self) -> anyhow::Result<PublicKeys> {
        let mut participants = Vec::new();
        for (id, _, signing, sealing) in &self.participants {
            participants.push((*id, signing.signing_public(), sealing.sealing_public()?));
        }
        let nodes = self.nodes.iter().map(|(node, key)| (*node, key.signing_public()));
        Ok(PublicKeys {
            operator: self.operator.iter().map(Secret::signing_public).collect(),
            participants,
            nodes: nodes.collect(),
        })
    }

    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        for (at, key) in self.operator.iter().enumerate() {
            key.write(&folder.join(format!("operator/keys/{}.key", at + 1)))?;
        }
        for (_, label, signing, sealing) in &self.participants {
            let own = folder.join("participants").join(label);
            signing.write(&own.join("signing.key"))?;
            sealing.write(&own.join("sealing.key"))?;
        }
        for (node, key) in &self.nodes {
            key.write(&folder.join(format!("nodes/{node}/checkpoint.key")))?;
        }
        self.reports.write(&folder.join("reporting/reports.key"))?;
        Ok(())
    }
}

/// Who gets what: `nodes/N/{peer,server}`, `participants/LABEL/{client,https,peers,fx}` and
/// `operator/client`.
fn certificates(
    plan: &Plan,
    network: NetworkId,
    args: &NetworkNew,
    nodes: u64,
    now: OffsetDateTime,
) -> anyhow::Result<Pki> {
    let identity = |role: &str, id: &str| -> anyhow::Result<Identity> {
        Ok(format!("causeway://{network}/{role}/{id}").parse()?)
    };
    let hosts = args.hosts.as_slice();
    let mut pki = Pki::new(now)?;
    for number in 1..=nodes {
        let node = identity("node", &number.to_string())?;
        let peer = pki.peer_ca.issue_peer(hosts, &node, now)?;
        pki.add(format!("nodes/{number}/peer"), peer);
        let server = pki.participant_ca.issue_server(hosts, &node, now)?;
        pki.add(format!("nodes/{number}/server"), server);
    }
    for participant in &plan.participants {
        let (id, label) = (participant.id.to_string(), participant.label());
        let who = identity("participant", &id)?;
        let client = pki.participant_ca.issue_client(&who, now)?;
        pki.add(format!("participants/{label}/client"), client);
        if participant.gateway.is_some() {
            let gateway = identity("gateway", &id)?;
            let https = pki.participant_ca.issue_server(hosts, &gateway, now)?;
            pki.add(format!("participants/{label}/https"), https);
            // Apart from what wallets see, which may be any web server's.
            let peers = pki.participant_ca.issue_server(hosts, &gateway, now)?;
            pki.add(format!("participants/{label}/peers"), peers);
        }
        if !participant.fx.is_empty() {
            let server = pki.participant_ca.issue_server(hosts, &identity("fx", &id)?, now)?;
            pki.add(format!("participants/{label}/fx"), server);
        }
    }
    let console = identity("reporting", "reporting")?;
    pki.add("reporting/https", pki.participant_ca.issue_server(hosts, &console, now)?);
    let operator = pki.participant_ca.issue_client(&identity("operator", "operator")?, now)?;
    pki.add("operator/client", operator);
    Ok(pki)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::run;
    use crate::args::{Args, Command, Network, NetworkNew};

    fn parse(line: &[&str]) -> NetworkNew {
        let Command::Network(Network::New(new)) = Args::parse_from(line).command else {
            panic!("another command")
        };
        new
    }

    #[test]
    fn a_network_is_made_once_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("net");
        let shown = folder.to_str().unwrap();
        let wrong = ["causeway", "network", "new", shown, "--plan", "/nowhere.toml"];
        assert!(run(&parse(&wrong)).unwrap_err().to_string().contains("/nowhere.toml"));
        assert!(!folder.exists(), "a refusal leaves nothing behind");

        let line = ["causeway", "network", "new", shown];
        let summary = run(&parse(&line)).unwrap();
        assert_eq!(summary.network.to_string().len(), 64);
        for file in [
            "genesis.bin",
            "nodes/3/node.toml",
            "participants/HK/https/key.pem",
            "participants/HK/gateway.toml",
            "participants/A/fx.toml",
            "reconciliation/reconciliation.toml",
            "reporting/reporting.toml",
            "reporting/accounts.toml",
            "reporting/reports.key",
            "reporting/https/key.pem",
        ] {
            assert!(folder.join(file).exists(), "{file}");
        }
        let genesis = std::fs::read(folder.join("genesis.bin")).unwrap();
        let genesis = ledger_proof::Genesis::read(&genesis).unwrap();
        assert_eq!(genesis.network(), summary.network);
        assert!(run(&parse(&line)).unwrap_err().to_string().contains("is not empty"));
    }
}
