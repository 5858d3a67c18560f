//! How a simulated network is founded: keys made of names, so that the same seed signs the same bytes; all of it is made up.
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arrayvec::ArrayVec;
use ed25519_dalek::SigningKey;
use ledger_proof::{
    Digest, Field, Genesis, Item,
    genesis::{Custodian, GenesisCurrency},
    operator::KeyKind,
    signature::{self, Request, key_id},
    tree::sha256,
};
use ledger_types::{AccountId, Currency, ParticipantId, Timestamp};

use crate::world::{
    BANKS, CUSTODIAN, DAY_MICROS, DIRECT, Envelope, LIQUIDITY, Pen, Sign, currency, foreign, text,
};

pub(super) const FOUNDED_AT: u64 = 1_700_000_000_000_000;
const OPERATOR: ParticipantId = ParticipantId::OPERATOR;

fn key(owner: ParticipantId, nth: u64) -> SigningKey {
    SigningKey::from_bytes(&sha256(&[b"simulation", &owner.to_bytes(), &nth.to_be_bytes()]))
}

fn public_key(owner: ParticipantId, nth: u64) -> Digest {
    key(owner, nth).verifying_key().to_bytes()
}

/// Keys of everybody; the operator's change all the time, so that logs are full of entries that are
/// signed with a key that the entry before added. Clones share which one is in use.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    operators: Arc<AtomicU64>,
}

impl Keys {
    /// Signs with the keys in use, for the simulation's genesis.
    pub(super) fn signer(&self) -> Sign {
        let operators = Arc::clone(&self.operators);
        Box::new(move |author, request, items| {
            let head = Request {
                network: genesis().network(),
                author,
                request,
                valid_until: Timestamp::from_micros(FOUNDED_AT + DAY_MICROS / 2),
                kind: items[0].kind(),
                all_or_nothing: false,
            };
            let encoded: Vec<Vec<u8>> = items.iter().map(Field::to_bytes).collect();
            let nth = match author {
                ParticipantId::OPERATOR => operators.load(Ordering::Relaxed),
                _ => 0,
            };
            signature::sign(&head, &encoded, &[&key(author, nth)])
        })
    }

    /// Adds the operator's next key, signed with the one in use.
    pub(super) fn add(&self, pen: &mut Pen) -> Envelope {
        let item = add_key(pen, OPERATOR, self.operators.load(Ordering::Relaxed) + 1);
        pen.envelope(OPERATOR, vec![item])
    }

    /// Retires the operator's key, signed with the next, which is in use from now on.
    pub(super) fn change(&self, pen: &mut Pen) -> Envelope {
        let old = public_key(OPERATOR, self.operators.fetch_add(1, Ordering::Relaxed));
        let item = pen.retire_key(OPERATOR, key_id(KeyKind::Signing, &old));
        pen.envelope(OPERATOR, vec![item])
    }
}

pub(super) fn genesis() -> Genesis {
    Genesis {
        version: 1,
        founded_at: Timestamp::from_micros(FOUNDED_AT),
        log_origin: text("causeway.test/simulation"),
        rulebook: text("Test rulebook"),
        rulebook_version: text("1"),
        rulebook_digest: [7; 32],
        operator_threshold: 1,
        operator_keys: [public_key(OPERATOR, 0)].into_iter().collect(),
        currencies: [in_custody(currency(), 1), in_custody(foreign(), 2)].into_iter().collect(),
        custodians: [Custodian {
            participant: CUSTODIAN,
            country: "HK".parse().expect("a country"),
            bic: text("CWCUHKH0"),
            name: text("Test Custodian"),
            signing_key: public_key(CUSTODIAN, 0),
        }]
        .into_iter()
        .collect(),
        node_keys: ArrayVec::new(),
        predecessor: ArrayVec::new(),
    }
}

fn in_custody(currency: Currency, account: u64) -> GenesisCurrency {
    let custody_account = AccountId(account);
    GenesisCurrency { currency, exponent: 2, custodian: CUSTODIAN, custody_account }
}

/// What founds the network, one after the other.
pub(super) fn founding(pen: &mut Pen) -> Vec<Envelope> {
    let participants = [BANKS[0], BANKS[1], LIQUIDITY];
    let admissions = participants.map(|id| pen.admit(id, "Test Bank")).to_vec();
    let keys = participants.map(|id| add_key(pen, id, 0)).to_vec();
    let corridor = pen.corridor(DIRECT, 1, (1, u64::MAX));
    let policy = pen.policy(1);
    let mut envelopes = vec![
        pen.envelope(OPERATOR, admissions),
        pen.envelope(OPERATOR, keys),
        pen.envelope(OPERATOR, vec![corridor]),
        pen.envelope(OPERATOR, vec![policy]),
    ];
    envelopes.extend(pen.opening());
    envelopes
}

fn add_key(pen: &mut Pen, participant: ParticipantId, nth: u64) -> Item {
    pen.add_key(participant, KeyKind::Signing, public_key(participant, nth))
}
