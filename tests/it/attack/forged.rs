//! Envelopes sent again, bent, meant for another network, or signed by what only looks like a key.
use std::sync::Arc;

use curve25519_dalek::{
    constants::EIGHT_TORSION, edwards::EdwardsPoint, scalar::Scalar, traits::Identity as _,
};
use ed25519_dalek::SigningKey;
use ledger_proof::{
    Envelope, Field as _, Item,
    envelope::{HEADER_LENGTH, signed_bytes},
    operator::{AddKey, KeyKind},
    signature::{self, Request},
};
use ledger_types::{NetworkId, ParticipantId, Rejection, RequestId, Timestamp};
use proto::{client::Error, convert::Submitted};
use services_cli::{
    bench::world::{CREDITOR, DEBTOR, World},
    network::founding,
};
use sha2::{Digest as _, Sha512};
use tests::say;

use super::{Books, same_outcomes};

type Acknowledged = [(Vec<u8>, Submitted)];

const TAMPERED: usize = 10_000;

/// Each acknowledged envelope so many times more, many at one time.
pub(super) async fn replays(world: &World, acknowledged: &Acknowledged, times: usize) {
    let before = Books::of(world.operator()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for part in acknowledged.chunks(acknowledged.len().div_ceil(8)) {
        let (part, client) = (part.to_vec(), world.client.clone());
        tasks.spawn(async move {
            for (envelope, submitted) in part.iter().cycle().take(part.len() * times) {
                let again = client.submit(envelope.clone(), Vec::new()).await.unwrap();
                assert!(again.resent && same_outcomes(&again, submitted));
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert_eq!(Books::of(world.operator()).await, before);
}

/// One bit changed at every place of header, signature and items, in turn.
pub(super) async fn tampered(world: &World, acknowledged: &Acknowledged) {
    let before = Books::of(world.operator()).await;
    let (mut malformed, mut unauthenticated) = (0, 0);
    let places = (0..TAMPERED).map(|at| (at, &acknowledged[at % acknowledged.len()].0));
    let mut tasks = tokio::task::JoinSet::new();
    let slots = Arc::new(tokio::sync::Semaphore::new(16));
    for (at, envelope) in places {
        let mut bent = envelope.clone();
        let place = at % bent.len();
        bent[place] ^= 1 << (at / bent.len() % 8);
        let (client, slots) = (world.client.clone(), slots.clone());
        tasks.spawn(async move {
            let _slot = slots.acquire().await.unwrap();
            (place, client.submit(bent, Vec::new()).await)
        });
    }
    while let Some(ended) = tasks.join_next().await {
        let (place, answer) = ended.unwrap();
        match refused(answer) {
            Refused::Malformed => malformed += 1,
            Refused::Unauthenticated => unauthenticated += 1,
            Refused::Not(answer) => panic!("byte {place}: {answer}"),
        }
    }
    say(&format!("{malformed} bent envelopes were malformed, {unauthenticated} not authentic"));
    assert!(malformed > 0 && unauthenticated > 0);
    assert_eq!(Books::of(world.operator()).await, before);
}

#[derive(Debug)]
enum Refused {
    Malformed,
    Unauthenticated,
    Not(String),
}

fn refused(answer: Result<Submitted, Error>) -> Refused {
    match answer {
        Err(Error::Malformed(_)) => Refused::Malformed,
        Err(Error::Unauthenticated(_)) => Refused::Unauthenticated,
        Err(error) => Refused::Not(error.to_string()),
        Ok(submitted) => Refused::Not(format!("{submitted:?}")),
    }
}

/// Well signed, but for another network, by another's key, or in the operator's name.
pub(super) async fn foreign(world: &World) {
    let before = Books::of(world.operator()).await;
    let folder = &world.folder;
    let item = |author: ParticipantId| {
        let public_key = [7; 32];
        let nonce = founding::nonce().unwrap();
        Item::AddKey(AddKey { nonce, participant: author, kind: KeyKind::Sealing, public_key })
    };
    let own = folder.keys(DEBTOR).unwrap().remove(0);
    let others = folder.keys(CREDITOR).unwrap().remove(0);
    let network = folder.genesis.network();
    let submit = transfer_item(world);
    let cases = [
        ("another network", NetworkId([9; 32]), DEBTOR, submit.clone(), &own),
        ("another's key", network, DEBTOR, submit.clone(), &others),
        ("another's name", network, CREDITOR, submit, &own),
        ("the operator's name", network, ParticipantId::OPERATOR, item(DEBTOR), &own),
        ("the operator's item", network, DEBTOR, item(DEBTOR), &own),
    ];
    for (what, network, author, item, key) in cases {
        let request = Request {
            network,
            author,
            request: RequestId(founding::nonce().unwrap()[..16].try_into().unwrap()),
            valid_until: soon(),
            kind: item.kind(),
            all_or_nothing: false,
        };
        let bytes = signature::sign(&request, &[item.to_bytes()], &[key]);
        let answer = refused(world.client.submit(bytes, Vec::new()).await);
        assert!(!matches!(answer, Refused::Not(_)), "{what}: {answer:?}");
    }
    assert_eq!(Books::of(world.operator()).await, before);
}

fn soon() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(u64::try_from(now.as_micros()).unwrap() + 60_000_000)
}

/// A transfer nobody has sent yet.
fn transfer_item(world: &World) -> Item {
    let envelope = services_cli::bench::load::sign(world, 1, 1, false).unwrap().remove(0).remove(0);
    let command = ledger_core::Command::decode(&envelope).unwrap();
    command.items.into_iter().next().unwrap()
}

/// Signatures that some verifiers take and `verify_strict` must not.
pub(super) async fn signatures(world: &World, envelope: &[u8]) {
    let before = Books::of(world.operator()).await;
    let key = world.folder.keys(DEBTOR).unwrap().remove(0);
    let good = Envelope::decode(envelope).unwrap().signatures[0].bytes;
    let at = envelope.windows(64).position(|window| window == good).unwrap();
    let fresh = services_cli::bench::load::sign(world, 1, 1, false).unwrap().remove(0).remove(0);
    let mut cases = vec![("S + L", beyond_order(&good)), ("all zero", [0; 64])];
    for torsion in &EIGHT_TORSION {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(torsion.compress().as_bytes());
        cases.push(("R of small order", bytes));
        if *torsion != EdwardsPoint::identity() {
            cases.push(("R of mixed order", mixed_order(&key, &fresh[..HEADER_LENGTH], torsion)));
        }
    }
    // Not the lowest form of the identity: y = p + 1, and x = 0 with its sign set.
    let mut high = [0xff; 64];
    (high[0], high[31]) = (0xee, 0x7f);
    high[32..].fill(0);
    let mut negative = [0; 64];
    (negative[0], negative[31]) = (1, 0x80);
    cases.extend([("y = p + 1", high), ("-0", negative)]);
    let plain = mixed_order(&key, &fresh[..HEADER_LENGTH], &EdwardsPoint::identity());
    for (what, bytes) in cases {
        let mut bent = if what == "S + L" { envelope.to_vec() } else { fresh.clone() };
        bent[at..at + 64].copy_from_slice(&bytes);
        let answer = refused(world.client.submit(bent, Vec::new()).await);
        assert!(matches!(answer, Refused::Unauthenticated), "{what}: {answer:?}");
    }
    assert_eq!(Books::of(world.operator()).await, before);
    // The same way of signing without the torsion point is taken: only that made the difference.
    let mut signed = fresh.clone();
    signed[at..at + 64].copy_from_slice(&plain);
    let submitted = world.client.submit(signed, Vec::new()).await.unwrap();
    assert_eq!(submitted.outcomes[0].rejection, None);
    // And whose signature differs is still the same request.
    let again = world.client.submit(fresh, Vec::new()).await.unwrap();
    assert!(again.resent && same_outcomes(&again, &submitted));
}

/// The order of the base point, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The same signature with S + L, which verifies where S is not checked to be below L.
fn beyond_order(signature: &[u8; 64]) -> [u8; 64] {
    let mut sum = *signature;
    let mut carry = 0;
    for (byte, order) in sum[32..].iter_mut().zip(ORDER) {
        let total = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (total.to_le_bytes()[0], total >> 8);
    }
    sum
}

/// Signs with R moved by a point of small order; with cofactors it would verify.
fn mixed_order(key: &SigningKey, header: &[u8], torsion: &EdwardsPoint) -> [u8; 64] {
    let expanded = Sha512::digest(key.to_bytes());
    let mut secret: [u8; 32] = expanded[..32].try_into().unwrap();
    secret[0] &= 248;
    secret[31] = (secret[31] & 127) | 64;
    let message = signed_bytes(header);
    let wide = |digest: Sha512| Scalar::from_bytes_mod_order_wide(&digest.finalize().into());
    let r = wide(Sha512::new().chain_update(&expanded[32..]).chain_update(&message));
    let point = (EdwardsPoint::mul_base(&r) + torsion).compress();
    let public = key.verifying_key().to_bytes();
    let hashed = Sha512::new().chain_update(point.as_bytes()).chain_update(public);
    let challenge = wide(hashed.chain_update(&message));
    let s = r + challenge * Scalar::from_bytes_mod_order(secret);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(point.as_bytes());
    signature[32..].copy_from_slice(s.as_bytes());
    signature
}

/// A public key of small order, under which anything would verify, becomes nobody's key.
pub(super) async fn weak_keys(world: &World) {
    for torsion in &EIGHT_TORSION {
        let item = Item::AddKey(AddKey {
            nonce: founding::nonce().unwrap(),
            participant: DEBTOR,
            kind: KeyKind::Signing,
            public_key: torsion.compress().to_bytes(),
        });
        let bytes = world.folder.sign(ParticipantId::OPERATOR, &[item]).unwrap();
        let submitted = world.operator().submit(bytes, Vec::new()).await.unwrap();
        assert_eq!(submitted.outcomes[0].rejection, Some(Rejection::KeyInvalid));
    }
}
