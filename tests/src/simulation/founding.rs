//! How a simulated network is founded: keys made of names, so that the same seed signs the same bytes; all of it is made up.
use arrayvec::ArrayVec;
use ed25519_dalek::SigningKey;
use ledger_proof::{
    Digest, Field, Genesis, Item,
    genesis::{Custodian, GenesisCurrency},
    operator::{AddKey, Admit, KeyKind, SetCorridor},
    signature::{self, Request},
    tree::sha256,
};
use ledger_types::{
    AccountId, CorridorId, ParticipantId, PayoutMethod, RequestId, ShortText, Timestamp,
};

use crate::world::{BANKS, CUSTODIAN, Envelope, HOLD_MICROS, Pen, currency, text};

pub(super) const FOUNDED_AT: u64 = 1_700_000_000_000_000;
const DAY_MICROS: u64 = 86_400_000_000;

fn key(owner: ParticipantId) -> SigningKey {
    SigningKey::from_bytes(&sha256(&[b"simulation", &owner.to_bytes()]))
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
        operator_keys: [key(ParticipantId::OPERATOR).verifying_key().to_bytes()]
            .into_iter()
            .collect(),
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
            signing_key: key(CUSTODIAN).verifying_key().to_bytes(),
        }]
        .into_iter()
        .collect(),
        node_keys: ArrayVec::new(),
        predecessor: ArrayVec::new(),
    }
}

/// Signs with keys made of names, for the simulation's genesis.
pub(super) fn sign(author: ParticipantId, request: RequestId, items: &[Item]) -> Vec<u8> {
    let head = Request {
        network: genesis().network(),
        author,
        request,
        valid_until: Timestamp::from_micros(FOUNDED_AT + DAY_MICROS / 2),
        kind: items[0].kind(),
        all_or_nothing: false,
    };
    let encoded: Vec<Vec<u8>> = items.iter().map(Field::to_bytes).collect();
    signature::sign(&head, &encoded, &[&key(author)])
}

/// What founds the network, one after the other.
pub(super) fn founding(pen: &mut Pen) -> Vec<Envelope> {
    let operator = ParticipantId::OPERATOR;
    let admissions = BANKS.map(|id| admit(pen.fresh(), id)).to_vec();
    let keys = BANKS.map(|id| add_key(pen.fresh(), id)).to_vec();
    let corridor = corridor(pen.fresh());
    let mut envelopes = vec![
        pen.envelope(operator, admissions),
        pen.envelope(operator, keys),
        pen.envelope(operator, vec![corridor]),
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

fn add_key(nonce: Digest, participant: ParticipantId) -> Item {
    let public_key = key(participant).verifying_key().to_bytes();
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
        regulator: ParticipantId::OPERATOR,
    })
}
