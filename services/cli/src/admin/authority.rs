//! A network's folder as whoever holds its keys uses it: who may sign, and how the ledger is
//! reached. It must never keep a key longer than a command.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use ed25519_dalek::SigningKey;
use ledger_proof::{Genesis, Item, signature};
use ledger_types::{ParticipantId, RequestId};
use proto::{LedgerClient, convert::Submitted};
use serde::Deserialize;
use services_runtime::{
    grpc::ClientLimits,
    tls::{ClientTls, Files},
};
use time::OffsetDateTime;

use crate::network::{founding::PublicKeys, keys::Secret, new::timestamp, plan::Plan};

/// How long an envelope may be accepted, microseconds.
const VALID_MICROS: u64 = 120 * 1_000_000;

/// A network's folder.
#[derive(Debug)]
pub struct Folder {
    /// Where it lies.
    pub path: PathBuf,
    /// What it was made of.
    pub plan: Plan,
    /// The genesis.
    pub genesis: Genesis,
    /// `https://host:port` of each node.
    pub endpoints: Vec<String>,
}

#[derive(Deserialize)]
struct Facts {
    endpoints: Vec<String>,
}

impl Folder {
    /// Reads a folder made by `causeway network new`.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let file = path.join(name);
            std::fs::read(&file).with_context(|| {
                format!("{}: cannot be read; give a network's folder", file.display())
            })
        };
        let genesis = Genesis::read(&read("genesis.bin")?)
            .map_err(|error| anyhow::anyhow!("genesis.bin: {error}"))?;
        let facts: Facts =
            serde_json::from_slice(&read("network.json")?).context("network.json")?;
        let plan = Plan::read(Some(&path.join("plan.toml")))?;
        Ok(Self { path: path.to_owned(), plan, genesis, endpoints: facts.endpoints })
    }

    /// A client of the ledger with the certificate of a folder such as `operator/client`.
    pub fn client(&self, certificate: &str, timeout: Duration) -> anyhow::Result<LedgerClient> {
        let own = self.path.join(certificate);
        let revoked = Some(own.join("revoked.pem")).filter(|file| file.exists());
        let files = Files {
            revoked,
            certificate: own.join("certificate.pem"),
            key: own.join("key.pem"),
            ca: own.join("ca.pem"),
        };
        let timeout_ms = u64::try_from(timeout.as_millis())?;
        let limits = ClientLimits { timeout_ms, ..ClientLimits::default() };
        let channels = ClientTls::load(files)?.channels(&self.endpoints, "node", &limits)?;
        Ok(LedgerClient::new(channels, timeout))
    }

    /// The keys that sign for a participant; for the operator as many as its threshold.
    pub fn keys(&self, author: ParticipantId) -> anyhow::Result<Vec<SigningKey>> {
        if author != ParticipantId::OPERATOR {
            let label = self.plan.participant(author.0)?.label();
            let file = self.path.join("participants").join(label).join("signing.key");
            return Ok(vec![Secret::read(&file)?.signing()]);
        }
        (1..=self.genesis.operator_threshold)
            .map(|at| {
                let file = self.path.join(format!("operator/keys/{at}.key"));
                Ok(Secret::read(&file)?.signing())
            })
            .collect()
    }

    /// The public keys of everyone planned, from their files.
    pub fn public_keys(&self) -> anyhow::Result<PublicKeys> {
        let mut participants = Vec::new();
        for participant in &self.plan.participants {
            let own = self.path.join("participants").join(participant.label());
            let signing = Secret::read(&own.join("signing.key"))?.signing_public();
            let sealing = Secret::read(&own.join("sealing.key"))?.sealing_public()?;
            participants.push((participant.id, signing, sealing));
        }
        Ok(PublicKeys {
            operator: self.genesis.operator_keys.to_vec(),
            participants,
            nodes: self.genesis.node_keys.iter().map(|key| (key.node, key.public_key)).collect(),
        })
    }

    /// Signs items of one kind as an author.
    pub fn sign(&self, author: ParticipantId, items: &[Item]) -> anyhow::Result<Vec<u8>> {
        let first = items.first().context("nothing to sign")?;
        let mut request = [0; 16];
        getrandom::fill(&mut request).context("the system gives no random bytes")?;
        let request = signature::Request {
            network: self.genesis.network(),
            author,
            request: RequestId(request),
            valid_until: timestamp(OffsetDateTime::now_utc())?.plus_micros(VALID_MICROS),
            kind: first.kind(),
            all_or_nothing: false,
        };
        let keys = self.keys(author)?;
        let bytes: Vec<Vec<u8>> = items.iter().map(ledger_proof::Field::to_bytes).collect();
        Ok(signature::sign(&request, &bytes, &keys.iter().collect::<Vec<_>>()))
    }

    /// Signs, submits and expects that nothing is refused.
    pub async fn submit(
        &self,
        client: &LedgerClient,
        author: ParticipantId,
        items: &[Item],
    ) -> anyhow::Result<Submitted> {
        let submitted = client.submit(self.sign(author, items)?, Vec::new()).await?;
        for (item, outcome) in items.iter().zip(&submitted.outcomes) {
            if let Some(rejection) = outcome.rejection {
                anyhow::bail!(
                    "{:?} was refused as record {}: {} ({}); see docs/errors/{}.md",
                    item.kind(),
                    outcome.sequence,
                    rejection.code(),
                    rejection.meaning(),
                    rejection.code()
                );
            }
        }
        Ok(submitted)
    }
}
