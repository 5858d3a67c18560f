//! The settings files of a new network's services, as their crates read them; no secret stands in one.
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ledger_types::{Currency, ParticipantId};
use serde_json::{Value, json};

use super::plan::{Plan, PlannedCustomer, PlannedParticipant, account};
use crate::{admin::console::Accounts, ports};

/// Where everything listens.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    /// (client, peer, health) of each node.
    pub nodes: Vec<(u16, u16, u16)>,
    /// (participant, HTTPS, health) of each gateway.
    pub gateways: Vec<(u32, u16, u16)>,
    /// (participant, port) where each gateway answers the others.
    pub peers: Vec<(u32, u16)>,
    /// (participant, port, health) of each quoting service.
    pub quoting: Vec<(u32, u16, u16)>,
    /// Health of the reconciler.
    pub reconciliation_health: u16,
    /// HTTPS and health of the console.
    pub reporting: (u16, u16),
}

/// What the files are made of.
#[derive(Debug)]
pub struct Layout<'a> {
    /// The network's folder, absolute.
    pub folder: &'a Path,
    /// The plan.
    pub plan: &'a Plan,
    /// Where everything listens.
    pub ports: &'a Ports,
    /// The host that servers are reached by.
    pub host: &'a str,
    /// The database of gateways and reconciliation.
    pub database_url: &'a str,
}

impl Ports {
    /// Takes ports that are free now; none is held, so start soon.
    pub fn free(plan: &Plan, nodes: u64) -> anyhow::Result<Self> {
        let mut ports = Self::default();
        for _ in 0..nodes {
            ports.nodes.push((ports::free()?, ports::free()?, ports::free()?));
        }
        for participant in &plan.participants {
            if participant.gateway.is_some() {
                ports.gateways.push((participant.id, ports::free()?, ports::free()?));
                ports.peers.push((participant.id, ports::free()?));
            }
            if !participant.fx.is_empty() {
                ports.quoting.push((participant.id, ports::free()?, ports::free()?));
            }
        }
        ports.reconciliation_health = ports::free()?;
        ports.reporting = (ports::free()?, ports::free()?);
        Ok(ports)
    }
}

impl Layout<'_> {
    /// Writes every settings file.
    pub fn write(&self) -> anyhow::Result<()> {
        for (at, _) in self.ports.nodes.iter().enumerate() {
            write(&self.folder.join(format!("nodes/{}/node.toml", at + 1)), &self.node(at))?;
        }
        for participant in &self.plan.participants {
            let folder = self.folder.join("participants").join(participant.label());
            if participant.gateway.is_some() {
                write(&folder.join("gateway.toml"), &self.gateway(participant)?)?;
            }
            if !participant.fx.is_empty() {
                write(&folder.join("fx.toml"), &self.quoting(participant)?)?;
            }
        }
        let file = self.folder.join("reconciliation/reconciliation.toml");
        write(&file, &self.reconciliation())?;
        write(&self.folder.join("reporting/reporting.toml"), &self.reporting())?;
        Accounts::default().write(&self.folder.join("reporting/accounts.toml"))
    }

    /// `https://host:port` of every node's client listener, in node order.
    pub fn endpoints(&self) -> Vec<String> {
        self.ports.nodes.iter().map(|(client, _, _)| self.uri(*client)).collect()
    }

    fn uri(&self, port: u16) -> String {
        format!("https://{}:{port}", self.host)
    }

    fn tls(&self, folder: &str) -> Value {
        tls(&self.folder.join(folder))
    }

    fn node(&self, at: usize) -> Value {
        let number = u64::try_from(at).unwrap_or(0) + 1;
        let (client, peer, health) = self.ports.nodes.get(at).copied().unwrap_or_default();
        let nodes: Vec<Value> = self
            .ports
            .nodes
            .iter()
            .enumerate()
            .map(|(at, (client, peer, _))| {
                json!({ "id": at + 1, "client": self.uri(*client), "peer": self.uri(*peer) })
            })
            .collect();
        let listen = Listen { number, client, peer, health };
        node_settings(self.folder, &listen, &nodes, false)
    }

    fn gateway(&self, participant: &PlannedParticipant) -> anyhow::Result<Value> {
        let planned = participant.gateway.as_ref().context("no gateway is planned")?;
        let ports = self.ports.gateways.iter().find(|(id, _, _)| *id == participant.id);
        let (_, listen, health) = ports.copied().context("no port for the gateway")?;
        let own = format!("participants/{}", participant.label());
        let file = |name: &str| path(self.folder.join(&own).join(name));
        let banks: Vec<Value> = self
            .plan
            .participants
            .iter()
            .filter_map(|bank| {
                let port = self.ports.quoting.iter().find(|(id, _, _)| *id == bank.id)?.1;
                Some(json!({ "participant": bank.id, "uri": self.uri(port) }))
            })
            .collect();
        let customers: Vec<Value> = planned.customers.iter().map(customer).collect();
        let mut demo = json!({
            "hold_amounts": planned.hold_amounts,
            "reject_amounts": planned.reject_amounts,
            "silent_amounts": planned.silent_amounts,
        });
        if let (Some(hold_ms), Some(table)) = (planned.hold_ms, demo.as_object_mut()) {
            table.insert("hold_ms".to_owned(), json!(hold_ms));
        }
        let client = self.tls(&format!("{own}/client"));
        Ok(json!({
            "participant": participant.id,
            "listen": format!("127.0.0.1:{listen}"),
            "health_listen": format!("127.0.0.1:{health}"),
            "https": {
                "certificate": file("https/certificate.pem"),
                "key": file("https/key.pem"),
            },
            "genesis": path(self.folder.join("genesis.bin")),
            "signing_key": file("signing.key"),
            "sealing_key": file("sealing.key"),
            "database": {
                "url": self.database_url,
                "schema": format!("gateway_{}", participant.label().to_lowercase()),
                "connections_max": 8,
            },
            "ledger": {
                "endpoints": self.endpoints(),
                "ca": client["ca"],
                "certificate": client["certificate"],
                "key": client["key"],
                "revoked": client["revoked"],
            },
            "fx": banks,
            "peers": self.peers(participant.id),
            "payee": {
                "listen": format!("127.0.0.1:{}", self.peer_port(participant.id)?),
                "tls": self.tls(&format!("{own}/peers")),
            },
            "screening": {
                "sdn": [path(self.folder.join("screening/sdn.csv"))],
                "alt": [path(self.folder.join("screening/alt.csv"))],
            },
            "demo": demo,
            "accounts": customers,
        }))
    }

    fn peer_port(&self, participant: u32) -> anyhow::Result<u16> {
        let own = self.ports.peers.iter().find(|(id, _)| *id == participant);
        own.map(|(_, port)| *port).context("no port for the gateway's peers")
    }

    /// The other gateways.
    fn peers(&self, participant: u32) -> Vec<Value> {
        let others = self.ports.peers.iter().filter(|(id, _)| *id != participant);
        others.map(|(id, port)| json!({ "participant": id, "uri": self.uri(*port) })).collect()
    }

    fn quoting(&self, bank: &PlannedParticipant) -> anyhow::Result<Value> {
        let port = self.ports.quoting.iter().find(|(id, _, _)| *id == bank.id);
        let (_, port, health) = port.copied().context("no port for the quoting service")?;
        let own = format!("participants/{}", bank.label());
        let mut corridors = Vec::new();
        for pair in &bank.fx {
            let corridor = self.plan.corridors.iter().find(|row| row.id == pair.corridor);
            let corridor = corridor.context("fx: names a corridor that is not planned")?;
            let at = |code: &str| -> anyhow::Result<u64> {
                Ok(account(ParticipantId(bank.id), code.parse::<Currency>()?).0)
            };
            corridors.push(json!({
                "corridor": pair.corridor,
                "debtor_agents": pair.debtor_agents,
                "source_currency": pair.from,
                "destination_currency": pair.to,
                "source_account": at(&pair.from)?,
                "destination_account": at(&pair.to)?,
                "margin_bps": pair.margin_bps,
                "payout_fee": pair.payout_fee,
                "amount_min": 1,
                "amount_max": corridor.amount_max * 100,
                "submit_for_seconds": 30,
                "hold_for_seconds": corridor.hold_seconds * 2 + 30,
            }));
        }
        Ok(json!({
            "participant": bank.id,
            "listen": format!("127.0.0.1:{port}"),
            "health_listen": format!("127.0.0.1:{health}"),
            "tls": self.tls(&format!("{own}/fx")),
            "client_tls": self.tls(&format!("{own}/client")),
            "ledger": self.endpoints(),
            "signing_key": path(self.folder.join(&own).join("signing.key")),
            "rates": {
                "files": [
                    path(self.folder.join("rates/eurofxref.csv")),
                    path(self.folder.join("rates/pkr.csv")),
                ],
                "source": "ECB reference rates",
                "max_age_seconds": 4 * 24 * 3_600,
            },
            "corridors": corridors,
        }))
    }

    fn reporting(&self) -> Value {
        let (listen, health) = self.ports.reporting;
        let own = |name: &str| path(self.folder.join("reporting").join(name));
        let stores: Vec<Value> = self
            .plan
            .participants
            .iter()
            .filter(|participant| participant.gateway.is_some())
            .map(|participant| {
                json!({
                    "participant": participant.id,
                    "database_url": self.database_url,
                    "schema": format!("gateway_{}", participant.label().to_lowercase()),
                })
            })
            .collect();
        json!({
            "listen": format!("127.0.0.1:{listen}"),
            "health_listen": format!("127.0.0.1:{health}"),
            "public_url": self.uri(listen),
            "https": {
                "certificate": own("https/certificate.pem"),
                "key": own("https/key.pem"),
            },
            "database_url": self.database_url,
            "accounts": own("accounts.toml"),
            "party_stores": stores,
            "reports": { "signing_key": own("reports.key") },
        })
    }

    fn reconciliation(&self) -> Value {
        json!({
            "health_listen": format!("127.0.0.1:{}", self.ports.reconciliation_health),
            "database_url": self.database_url,
            "ledger": self.endpoints(),
            "tls": self.tls("operator/client"),
        })
    }
}

/// An account of the built-in book.
fn customer(row: &PlannedCustomer) -> Value {
    let mut account =
        json!({ "account": row.account, "currency": row.currency, "balance": row.balance });
    if let Some(name) = &row.name {
        account["name"] = json!(name);
    }
    if !row.aliases.is_empty() {
        account["aliases"] = json!(row.aliases);
    }
    account
}

/// Where a node listens.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// Its id.
    pub number: u64,
    /// Port for participants and the operator.
    pub client: u16,
    /// Port for other nodes.
    pub peer: u16,
    /// Port of its health.
    pub health: u16,
}

/// A node's settings; with `join` it founds no cluster and waits to be added to one.
pub fn node_settings(network: &Path, listen: &Listen, nodes: &[Value], join: bool) -> Value {
    let Listen { number, client, peer, health } = listen;
    let own = network.join(format!("nodes/{number}"));
    let mut settings = json!({
        "node": number,
        "genesis": path(network.join("genesis.bin")),
        "data": path(own.join("data")),
        "client_listen": format!("127.0.0.1:{client}"),
        "peer_listen": format!("127.0.0.1:{peer}"),
        "health_listen": format!("127.0.0.1:{health}"),
        "nodes": nodes,
        "client_tls": tls(&own.join("server")),
        "peer_tls": tls(&own.join("peer")),
    });
    if join {
        settings["join"] = json!(true);
    }
    settings
}

fn tls(folder: &Path) -> Value {
    let file = |name: &str| path(folder.join(name));
    json!({
        "certificate": file("certificate.pem"),
        "key": file("key.pem"),
        "ca": file("ca.pem"),
        "revoked": file("revoked.pem"),
    })
}

fn path(file: PathBuf) -> String {
    file.to_string_lossy().into_owned()
}

/// Writes settings as TOML.
pub fn write(file: &Path, settings: &Value) -> anyhow::Result<()> {
    let shown = file.display();
    let text = toml::to_string(settings).with_context(|| format!("{shown}: is no TOML"))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("{shown}: cannot be made"))?;
    std::fs::write(file, text).with_context(|| format!("{shown}: cannot be written"))
}
