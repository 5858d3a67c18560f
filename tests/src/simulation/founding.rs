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
    operator::{AddKey, Admit, KeyKind, RetireKey, SetCorridor},
    signature::{self, Request, key_id},
    tree::sha256,
};
use ledger_types::{AccountId, CorridorId, ParticipantId, PayoutMethod, ShortText, Timestamp};

use crate::world::{BANKS, CUSTODIAN, Envelope, HOLD_MICROS, Pen, Sign, currency, text};

pub(super) const FOUNDED_AT: u64 = 1_700_000_000_000_000;
const OPERATOR: ParticipantId = ParticipantId::OPERATOR;
const DAY_MICROS: u64 = 86_400_000_000;

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
        let item = add_key(pen.fresh(), OPERATOR, self.operators.load(Ordering::Relaxed) + 1);
        pen.envelope(OPERATOR, vec![item])
    }

    /// Retires the operator's key, signed with the next, which is in use from now on.
    pub(super) fn change(&self, pen: &mut Pen) -> Envelope {
        let old = public_key(OPERATOR, self.operators.fetch_add(1, Ordering::Relaxed));
        let item = Item::RetireKey(RetireKey {
            nonce: pen.fresh(),
            participant: OPERATOR,
            key: key_id(KeyKind::Signing, &old),
        });
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
        currencies: [GenesisCurrency {
            currency: currency(),
            exponent: 2,
            custodian: CUSTODIAN,
            custody_account: AccountId(1),
        }]
        .into_iter()
        .collect(),
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

/// What founds the network, one after the other.
pub(super) fn founding(pen: &mut Pen) -> Vec<Envelope> {
    let admissions = BANKS.map(|id| admit(pen.fresh(), id)).to_vec();
    let keys = BANKS.map(|id| add_key(pen.fresh(), id, 0)).to_vec();
    let corridor = corridor(pen.fresh());
    let mut envelopes = vec![
        pen.envelope(OPERATOR, admissions),
        pen.envelope(OPERATOR, keys),
        pen.envelope(OPERATOR, vec![corridor]),
    ];
    envelopes.extend(pen.accounts());
    envelopes
}

fn admit(nonce: Digest, participant: ParticipantId) -> Item {
    Item::Admit(Admit {
        nonce,
        participant,
        country: "HK".parse().expect("a country"),
        bic: ShortText::EMPTY,
        lei: ShortText::EMPTY,
        clearing_member: ShortText::EMPTY,
        name: text("Test Bank"),
    })
}

fn add_key(nonce: Digest, participant: ParticipantId, nth: u64) -> Item {
    let public_key = public_key(participant, nth);
    Item::AddKey(AddKey { nonce, participant, kind: KeyKind::Signing, public_key })
}

fn corridor(nonce: Digest) -> Item {
    Item::SetCorridor(SetCorridor {
        nonce,
        corridor: CorridorId(1),
        version: 1,
        institutional: true,
        source_country: "HK".parse().expect("a country"),
        destination_country: "HK".parse().expect("a country"),
        source_currency: currency(),
        destination_currency: currency(),
        amount_min: 1,
        amount_max: u64::MAX,
        hold_micros: HOLD_MICROS,
        credit_sla_micros: HOLD_MICROS,
        open_quotes_max: 1,
        payout_methods: PayoutMethod::BankAccount.bit(),
        screening_policy_version: 0,
        liquidity_banks: ArrayVec::new(),
        purposes: ArrayVec::new(),
        travel_rules: ArrayVec::new(),
        regulator: OPERATOR,
    })
}
