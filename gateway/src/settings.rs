//! What a gateway reads at start: one typed struct, unknown keys refused; it holds paths to secrets, never a secret.
use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};
use services_runtime::tickets::Tickets;

mod banking;
mod payee;
mod pickup;
mod security;

pub use banking::{Banking, Kind as BankingKind};
pub use payee::{Payee, Peer};
pub use pickup::Pickup;
pub use security::{ApprovalLimit, Approvals, Oauth, Security, TokenAlgorithm};

/// A participant's gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file that this was read from; its digest goes into the audit log.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// The participant's network id.
    pub participant: u32,
    /// Where HTTPS is served.
    pub listen: SocketAddr,
    /// Where health and metrics are served in plain text; loopback only.
    pub health_listen: Option<SocketAddr>,
    /// Logging.
    #[serde(default)]
    pub telemetry: services_runtime::telemetry::Settings,
    /// Certificate and key of the HTTPS listener.
    pub https: services_runtime::tls::HttpsFiles,
    /// How much the HTTPS listener bears of its callers.
    #[serde(default)]
    pub listener: services_runtime::http::HttpLimits,
    /// The genesis file.
    pub genesis: PathBuf,
    /// File of the ed25519 signing key: 32 bytes in hexadecimal. Absent where `signing` is given.
    pub signing_key: Option<PathBuf>,
    /// What signs where no file does.
    pub signing: Option<Signing>,
    /// File of the X25519 key that opens sealed data: 32 bytes in hexadecimal.
    pub sealing_key: PathBuf,
    /// The party store.
    pub database: Database,
    /// The ledger's nodes.
    pub ledger: Ledger,
    /// Quoting services asked for quotes, with the client certificate of `ledger`.
    #[serde(default)]
    pub fx: Vec<Quoting>,
    /// Other participants' gateways, asked with the client certificate of `ledger`.
    #[serde(default)]
    pub peers: Vec<Peer>,
    /// Payee checks: where others ask this gateway, and how much may be asked.
    #[serde(default)]
    pub payee: Payee,
    /// Sanctions lists.
    pub screening: Screening,
    /// Who decides about incoming transfers.
    #[serde(default)]
    pub decision: Decision,
    /// How messages of ISO 20022 are judged.
    #[serde(default)]
    pub iso20022: Iso20022,
    /// Bounds on what is under way.
    #[serde(default)]
    pub limits: Limits,
    /// Files of many transfers.
    #[serde(default)]
    pub batches: Batches,
    /// Limits of keys, approvals, the audit log.
    #[serde(default)]
    pub security: Security,
    /// Webhooks: where they may go and how they are tried again.
    #[serde(default)]
    pub webhooks: Webhooks,
    /// Links for senders: how long they last and how much they may ask.
    #[serde(default)]
    pub tracking: Tracking,
    /// The participant's core banking: the built-in book, or the bank's own.
    #[serde(default)]
    pub banking: Banking,
    /// Cash that waits at this participant's tills.
    #[serde(default)]
    pub pickup: Pickup,
    /// Scripted answers of a demonstration.
    #[serde(default)]
    pub demo: Demo,
    /// Accounts that the built-in book opens if it does not know them.
    #[serde(default)]
    pub accounts: Vec<Account>,
}

/// A signing key that is kept elsewhere.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// In a token behind PKCS #11.
    pub pkcs11: Pkcs11,
}

/// A key in a token, by PKCS #11 3.0 (OASIS), `CKM_EDDSA`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11 {
    /// The vendor's library.
    pub module: PathBuf,
    /// `CKA_LABEL` of the token.
    pub token_label: String,
    /// `CKA_LABEL` of both halves of the key pair.
    pub key_label: String,
    /// File of the user's PIN; white space around it is none of it.
    pub pin_file: PathBuf,
}

/// The database and the schema within it that is this gateway's own.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `postgres://…`; may hold a password, so it is never shown.
    pub url: String,
    /// Lower-case letters, digits and underscores.
    pub schema: String,
    /// Connections at most.
    #[serde(default = "connections_max")]
    pub connections_max: u32,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Database").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// How to reach the ledger's nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// `https://host:port` of each node, in the order of node ids from 1.
    pub endpoints: Vec<String>,
    /// The participants' CA.
    pub ca: PathBuf,
    /// This participant's client certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The CA's revocation lists: a node or quoting service that stands there is not spoken to.
    pub revoked: Option<PathBuf>,
    /// How long one call may take, retries included.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

/// A liquidity bank's quoting service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quoting {
    /// Whose.
    pub participant: u32,
    /// `https://host:port`.
    pub uri: String,
}

/// The lists that names are compared with; without one the gateway does not start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Screening {
    /// Files in the OFAC `sdn.csv` format.
    pub sdn: Vec<PathBuf>,
    /// Files in the OFAC `alt.csv` format.
    #[serde(default)]
    pub alt: Vec<PathBuf>,
}

/// Who decides about incoming transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The gateway, by screening and core banking.
    #[default]
    Automatic,
    /// A person, by REST.
    Manual,
}

/// How messages of ISO 20022 are judged.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Iso20022 {
    /// Usage rules of CBPR+ beside the network's own; none if absent.
    pub profile: Option<Profile>,
}

/// Which usage rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// In force: unstructured addresses pass.
    Current,
    /// The release of 2026: unstructured addresses are refused.
    Sr2026,
}

impl From<Profile> for services_iso20022::policy::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Current => Self::Current,
            Profile::Sr2026 => Self::Sr2026,
        }
    }
}

/// Bounds on what is under way; beyond them a caller is told at once to come again.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests under `/v1` at one time; of one API key at most a quarter, at least one. More get 429.
    pub requests_max: usize,
    /// Items without the ledger's answer that the process has in hand. While there are so many, what
    /// needs the ledger gets 503 and nothing is kept.
    pub outbox_items_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_max: 1_024, outbox_items_max: 4_096 }
    }
}

impl Limits {
    /// What counts requests.
    #[must_use]
    pub fn requests<K: Clone + Eq + std::hash::Hash>(&self) -> Tickets<K> {
        Tickets::new(self.requests_max, (self.requests_max / 4).max(1))
    }
}

/// How much batches take at one time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batches {
    /// Rows under way at one time, in all: so many transfers are made beside those of requests.
    pub rows_max: usize,
    /// Uploads at one time. More get 429.
    pub uploads_max: usize,
    /// So many days after it came a file of the same rows is refused under another Idempotency-Key.
    pub same_file_days: u16,
}

impl Default for Batches {
    fn default() -> Self {
        Self { rows_max: 128, uploads_max: 8, same_file_days: 20 }
    }
}

/// How long a sender's link lasts, and how much one address may ask.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tracking {
    /// Days from a transfer's end until its link opens nothing.
    pub days_after_end: u16,
    /// Requests of one address (of IPv6 one /64) a second, in the long run.
    pub requests_per_s: NonZeroU32,
    /// Requests of one address at once.
    pub burst: NonZeroU32,
    /// How many requests more a token counts that names nothing.
    pub miss_cost: NonZeroU32,
    /// Readers of events at one time, in all.
    pub readers_max: usize,
    /// Readers of events at one time with one token.
    pub token_readers_max: usize,
    /// How long one reader is served before it has to come again.
    pub reader_time_ms_max: u64,
}

impl Default for Tracking {
    fn default() -> Self {
        let count = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Self {
            days_after_end: 90,
            requests_per_s: count(5),
            burst: count(120),
            miss_cost: count(11),
            readers_max: 512,
            token_readers_max: 8,
            reader_time_ms_max: 1_800_000,
        }
    }
}

/// Where webhooks may go, how much at one time, and how often they are tried.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// Whether `http://` may be used; for tests and demonstrations.
    pub allow_http: bool,
    /// Networks, as `127.0.0.0/8`, that may be reached though they are private, local or special.
    #[serde(deserialize_with = "networks")]
    pub allow_networks: Vec<IpNet>,
    /// CAs of the endpoints' certificates (PEM); absent: those of the system.
    pub ca: Option<PathBuf>,
    /// Endpoints at most.
    pub endpoints_max: i64,
    /// Messages under way at one time, in all.
    pub concurrency_max: usize,
    /// Messages under way at one time to one endpoint, each of another transfer.
    pub endpoint_concurrency_max: usize,
    /// Deliveries planned ahead for one endpoint.
    pub window: i64,
    /// From dialling to the head of the answer.
    pub timeout_ms: u64,
    /// Attempts before a delivery is parked.
    pub attempts_max: usize,
    /// The wait behind the first attempt; each later one is three times as long.
    pub retry_ms_min: u64,
    /// The longest wait, chance apart.
    pub retry_ms_max: u64,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_networks: Vec::new(),
            ca: None,
            endpoints_max: 16,
            concurrency_max: 64,
            endpoint_concurrency_max: 16,
            window: 1_000,
            timeout_ms: 15_000,
            attempts_max: 12,
            retry_ms_min: 5_000,
            retry_ms_max: 21_600_000,
        }
    }
}

fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let read = |text: &String| {
        let wrong = || D::Error::custom(format!("{text}: must be a network such as 127.0.0.0/8"));
        text.parse().map_err(|_| wrong())
    };
    texts.iter().map(read).collect()
}

/// Amounts, in minor units of the settlement currency, that get a scripted answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demo {
    /// Held, then accepted after `hold_ms`, or by REST when it is absent.
    #[serde(default)]
    pub hold_amounts: Vec<u64>,
    /// How long a scripted hold lasts.
    pub hold_ms: Option<u64>,
    /// Rejected with AC06.
    #[serde(default)]
    pub reject_amounts: Vec<u64>,
    /// Never answered.
    #[serde(default)]
    pub silent_amounts: Vec<u64>,
}

/// A customer's account in the built-in book.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// IBAN, account number or phone number.
    pub account: String,
    /// Its currency.
    pub currency: String,
    /// Opening balance in minor units.
    #[serde(default)]
    pub balance: u64,
    /// `open`, `closed` or `blocked`.
    #[serde(default = "open")]
    pub status: String,
    /// Whose it is; without a name no payee check finds it.
    pub name: Option<String>,
    /// Phone numbers (E.164) and e-mail addresses that lead to it, for payee checks.
    #[serde(default)]
    pub aliases: Vec<String>,
}

impl std::fmt::Debug for Account {
    /// An account number is personal data.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Account").field("currency", &self.currency).finish_non_exhaustive()
    }
}

fn connections_max() -> u32 {
    16
}

fn timeout_ms() -> u64 {
    8_000
}

fn open() -> String {
    "open".to_owned()
}
