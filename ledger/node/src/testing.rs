//! What the node's tests share: a small network's genesis, its keys, signed envelopes and certificates; only tests use it.
use std::path::Path;

use arrayvec::ArrayVec;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger_proof::{
    Field, Genesis, Item, ItemKind,
    genesis::{Custodian, GenesisCurrency},
    operator::Admit,
    signature::{self, Request},
    tree::sha256,
};
use ledger_types::{AccountId, NetworkId, ParticipantId, RequestId, ShortText, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use services_runtime::tls::Files;

use crate::{
    apply::{self, Start},
    history::HistoryWriter,
    host::{self, Worker},
    log_store::{LogStore, Place},
    machine::Machine,
    seal,
    snapshot::Snapshots,
    state_store::States,
};

/// A short text.
pub(crate) fn text(text: &str) -> ShortText {
    text.parse().expect("short text")
}

/// The operator's key.
pub(crate) fn operator_key() -> SigningKey {
    SigningKey::from_bytes(&sha256(&[b"operator"]))
}

/// A genesis with one operator key and one custodian.
pub(crate) fn genesis() -> Genesis {
    let currency = GenesisCurrency {
        currency: "HKD".parse().expect("a currency"),
        exponent: 2,
        custodian: ParticipantId(1),
        custody_account: AccountId(1_344),
    };
    let custodian = Custodian {
        participant: ParticipantId(1),
        country: "HK".parse().expect("a country"),
        bic: text("CWCUHKH0"),
        name: text("Test Custodian"),
        signing_key: SigningKey::from_bytes(&sha256(&[b"custodian"])).verifying_key().to_bytes(),
    };
    Genesis {
        version: 1,
        founded_at: Timestamp::from_micros(1_700_000_000_000_000),
        log_origin: text("causeway.test/node"),
        rulebook: text("Test rulebook"),
        rulebook_version: text("1"),
        rulebook_digest: [7; 32],
        operator_threshold: 1,
        operator_keys: [operator_key().verifying_key().to_bytes()].into_iter().collect(),
        currencies: [currency].into_iter().collect(),
        custodians: [custodian].into_iter().collect(),
        node_keys: ArrayVec::new(),
        predecessor: ArrayVec::new(),
    }
}

/// An envelope that admits one participant, signed by `key`.
pub(crate) fn admit(network: NetworkId, participant: u32, key: &SigningKey) -> Bytes {
    admit_until(host::now().plus_micros(3_600_000_000), network, participant, key)
}

/// The same with a `valid_until`.
pub(crate) fn admit_until(
    valid_until: Timestamp,
    network: NetworkId,
    participant: u32,
    key: &SigningKey,
) -> Bytes {
    let item = Item::Admit(Admit {
        nonce: sha256(&[&participant.to_be_bytes()]),
        participant: ParticipantId(participant),
        country: "PH".parse().expect("a country"),
        bic: text("CWPHPHM0"),
        lei: ShortText::EMPTY,
        clearing_member: ShortText::EMPTY,
        name: text("Test Wallet"),
    });
    let mut request = [0; 16];
    request[..4].copy_from_slice(&participant.to_be_bytes());
    let request = Request {
        network,
        author: ParticipantId::OPERATOR,
        request: RequestId(request),
        valid_until,
        kind: ItemKind::Admit,
        all_or_nothing: false,
    };
    signature::sign(&request, &[item.to_bytes()], &[key]).into()
}

/// State machine and history in a folder.
pub(crate) fn machine(folder: &Path) -> (Machine, Vec<Worker>) {
    let states = States::open(&folder.join("state")).expect("a state");
    let start = Start::from(genesis(), &states.store()).expect("a ledger");
    let position = start.cut.history.clone();
    let (writer, history) =
        HistoryWriter::open(&folder.join("history"), position).expect("a history");
    let snapshots = Snapshots::open(&folder.join("snapshot"), None).expect("snapshots").into();
    // Without a log everything is as durable as it can be.
    let durable = tokio::sync::watch::Sender::new(Some(u64::MAX)).subscribe();
    let (seal, sealing) = seal::start(writer, history, states.clone(), durable).expect("a worker");
    let (apply, applying) = apply::start(start, states.clone(), seal, 1 << 20).expect("a worker");
    (Machine { apply, states, snapshots }, vec![applying, sealing])
}

/// The log in a folder.
pub(crate) fn log(folder: &Path) -> Result<(LogStore, Worker), crate::Error> {
    let guard = folder.join("high-water");
    LogStore::open(&Place { folder: &folder.join("log"), guard: &guard, owner: "test" })
}

/// A certificate authority.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a CA"))
    }

    /// Certificate files in `folder` for `causeway://network/role/id` on loopback.
    pub(crate) fn files(&self, folder: &Path, network: NetworkId, role: &str, id: u64) -> Files {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("params");
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let uri = format!("causeway://{network}/{role}/{id}");
        params.subject_alt_names.push(SanType::URI(uri.as_str().try_into().expect("a URI")));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let name = format!("{role}-{id}-{}", fresh());
        let path = |end: &str| folder.join(format!("{name}.{end}"));
        std::fs::write(path("crt"), certificate.pem()).expect("written");
        std::fs::write(path("key"), key.serialize_pem()).expect("written");
        std::fs::write(path("ca"), self.0.pem()).expect("written");
        Files { certificate: path("crt"), key: path("key"), ca: path("ca"), revoked: None }
    }
}

/// A number that was not given before.
pub(crate) fn fresh() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
