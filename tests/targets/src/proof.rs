//! What is signed, ordered, hashed or kept: bytes that decode are the only bytes of their value.
use ledger_proof::{
    Entry, EntryRecord, Envelope, Field, Genesis, Item, ItemBytes, Record, envelope, note,
    record::{
        AcceptDetail, ConfirmDetail, DebtorDetail, FundDetail, LiquidityDetail, PaidDetail,
        PartyPart, RefusalPart, SharedPart, SubmitDetail, WithdrawDetail,
    },
    sealed::Blob,
};

/// Decoded bytes are encoded to the same bytes.
fn canonical<T: Field + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(value) = T::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes, "{value:?} has two encodings");
        assert_eq!(T::from_bytes(&value.to_bytes()).as_ref(), Ok(&value));
    }
}

pub(crate) fn envelope(bytes: &[u8]) {
    let command = ledger_core::Command::decode(bytes);
    let Ok(decoded) = Envelope::decode(bytes) else {
        assert!(command.is_err(), "a command of no envelope");
        return;
    };
    let items: Vec<ItemBytes<'_>> = decoded.items().collect();
    assert_eq!(items.len(), usize::from(decoded.header.count));
    let again = envelope::encode(&decoded.header, &decoded.signatures, items.iter().copied());
    assert_eq!(again, bytes, "an envelope with two encodings");
    assert_eq!(decoded.header.to_bytes(), decoded.header_bytes);
    if let Ok(command) = command {
        assert!(decoded.items_root_matches(), "items that nobody signed");
        assert_eq!(command.items.len(), items.len());
        for (item, bytes) in command.items.iter().zip(items) {
            assert_eq!(item.to_bytes(), bytes);
            assert_eq!(item.kind(), decoded.kind);
        }
    }
}

pub(crate) fn item(bytes: &[u8]) {
    canonical::<Item>(bytes);
}

pub(crate) fn record(bytes: &[u8]) {
    canonical::<Record>(bytes);
    if let Ok(record) = Record::from_bytes(bytes) {
        assert_eq!(record.leaf_data().len(), 210);
        record.parts.iter().for_each(|part| parts(part));
    }
    parts(bytes);
}

fn parts(bytes: &[u8]) {
    canonical::<SharedPart>(bytes);
    canonical::<PartyPart>(bytes);
    canonical::<EntryRecord>(bytes);
    canonical::<RefusalPart>(bytes);
    canonical::<SubmitDetail>(bytes);
    canonical::<DebtorDetail>(bytes);
    canonical::<LiquidityDetail>(bytes);
    canonical::<ConfirmDetail>(bytes);
    canonical::<AcceptDetail>(bytes);
    canonical::<FundDetail>(bytes);
    canonical::<WithdrawDetail>(bytes);
    canonical::<PaidDetail>(bytes);
}

pub(crate) fn entry(bytes: &[u8]) {
    let Ok(decoded) = Entry::decode(bytes) else { return };
    let mut again = Vec::new();
    decoded.put(&mut again);
    assert_eq!(again, bytes, "an entry with two encodings");
    let held: usize = decoded.envelopes.iter().chain(&decoded.blobs).map(|row| row.len()).sum();
    assert!(held <= bytes.len(), "slices of the entry's own bytes");
    decoded.envelopes.iter().for_each(|bytes| envelope(bytes));
}

/// Genesis files and sealed blobs.
pub(crate) fn container(bytes: &[u8]) {
    canonical::<Genesis>(bytes);
    if let Ok(genesis) = Genesis::read(bytes) {
        assert!(usize::from(genesis.operator_threshold) <= genesis.operator_keys.len());
        assert!(!genesis.currencies.is_empty());
    }
    canonical::<Blob>(bytes);
}

/// A checkpoint is read back by others' code as it was written, and a bent one is not believed.
pub(crate) fn checkpoint(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_first_chunk::<40>() else { return };
    let (size, root) = head.split_at(8);
    let size = u64::from_be_bytes(size.try_into().unwrap_or_default());
    let root = root.try_into().unwrap_or_default();
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key().to_bytes();
    let origin = "causeway.test/log";
    let text = note::checkpoint(origin, size, &root);
    let signature = ed25519_dalek::Signer::sign(&key, text.as_bytes()).to_bytes();
    let signed = note::signed_note(&text, origin, &public, &signature).into_bytes();
    assert_eq!(believed(&signed, &note::verifier_key(origin, &public)), Some(text));
    // Every pair of the rest bends one byte.
    let mut bent = signed.clone();
    for pair in rest.chunks_exact(2).take(64) {
        if let Some(place) = bent.get_mut(usize::from(pair[0]) % signed.len()) {
            *place ^= pair[1];
        }
    }
    let shown = believed(&bent, &note::verifier_key(origin, &public));
    assert!(shown.is_none_or(|shown| signed.starts_with(shown.as_bytes())), "a bent checkpoint");
}

fn believed(bytes: &[u8], verifier_key: &str) -> Option<String> {
    let verifier = signed_note::StandardVerifier::new(verifier_key).ok()?;
    let verifiers = signed_note::VerifierList::new(vec![Box::new(verifier)]);
    let note = signed_note::Note::from_bytes(bytes).ok()?;
    let (verified, _) = note.verify(&verifiers).ok()?;
    let text = String::from_utf8(note.text().to_vec()).ok()?;
    (!verified.is_empty()).then_some(text)
}
