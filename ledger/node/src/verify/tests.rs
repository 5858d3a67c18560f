//! What is let in and what is not: signature, network, key, items, blobs.
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger_proof::{Entry, Genesis, envelope::VALIDITY_MICROS_MAX};
use ledger_types::{NetworkId, Timestamp};

use super::{Invalid, Keys, Verifier};
use crate::{
    host,
    raft::Payload,
    testing::{admit, admit_until, genesis, machine, operator_key},
};

async fn check(envelope: Bytes, blobs: Vec<Bytes>) -> &'static str {
    let folder = tempfile::tempdir().unwrap();
    let (machine, workers) = machine(folder.path());
    let verifier = Verifier::new(genesis().network(), machine.apply.clone());
    let learned = verifier.learn(&[&envelope]).await;
    let ingress = learned.and_then(|_| verifier.ingress(envelope.clone(), blobs.clone()));
    let mut bytes = Vec::new();
    let blobs = blobs.iter().map(|blob| &blob[..]).collect();
    Entry { stamp: Timestamp::ZERO, envelopes: vec![&envelope], blobs }.put(&mut bytes);
    let entry = verifier.entry(&Payload::new(bytes.into(), None), &mut Keys::new());
    drop((verifier, machine));
    // A store whose folder goes while its threads write stops the process, as it must.
    workers.into_iter().for_each(host::Worker::join);
    match (ingress, entry) {
        (Ok(_), Ok(())) => "in",
        (Err(Invalid::Malformed(_)), Err(Invalid::Malformed(_))) => "malformed",
        (Err(Invalid::Network), Err(Invalid::Network)) => "network",
        (Err(Invalid::Signature { .. }), Err(Invalid::Signature { .. })) => "signature",
        (Err(Invalid::KeyUnknown { .. }), Err(Invalid::KeyUnknown { .. })) => "key",
        // What the log holds was let in by a leader's host, which is not asked again.
        (Err(Invalid::ValidUntil), Ok(())) => "valid_until",
        // Another's entry may carry blobs of other envelopes.
        (Err(Invalid::Blobs(_)), Ok(())) => "blob",
        (ingress, entry) => panic!("{ingress:?} but {entry:?}"),
    }
}

fn flipped(envelope: &Bytes, at: usize) -> Bytes {
    let mut bytes = envelope.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

#[tokio::test]
async fn only_what_is_signed_and_whole_is_let_in() {
    let network = Genesis::network(&genesis());
    let good = admit(network, 7, &operator_key());
    let last = good.len() - 1;
    let other = SigningKey::from_bytes(&[9; 32]);
    let years = host::now().plus_micros(VALIDITY_MICROS_MAX * 400);
    let cases = [
        (good.clone(), vec![], "in"),
        // Within `valid_until`, which the signature covers.
        (flipped(&good, 69), vec![], "signature"),
        // Within the signature itself.
        (flipped(&good, 140), vec![], "signature"),
        // Within the item, which the signed root covers.
        (flipped(&good, last), vec![], "malformed"),
        (good.slice(..last), vec![], "malformed"),
        (admit(NetworkId([1; 32]), 7, &operator_key()), vec![], "network"),
        (admit(network, 7, &other), vec![], "key"),
        (good.clone(), vec![Bytes::from_static(b"unnamed")], "blob"),
        (admit_until(years, network, 7, &operator_key()), vec![], "valid_until"),
    ];
    for (place, (envelope, blobs, expected)) in cases.into_iter().enumerate() {
        assert_eq!(check(envelope, blobs).await, expected, "case {place}");
    }
}
