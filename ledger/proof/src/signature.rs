//! ed25519 by one pinned function, `verify_strict`, and signing of envelopes; it never batches and keeps no key.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use ledger_types::{KeyId, NetworkId, ParticipantId, RequestId, Timestamp};

use crate::{
    codec::{Digest, Field},
    envelope::{self, HEADER_VERSION, Header, Signature},
    item::ItemKind,
    operator::KeyKind,
    tree::sha256,
};

/// The id of a public key.
#[must_use]
pub fn key_id(kind: KeyKind, public_key: &Digest) -> KeyId {
    let digest = sha256(&[&kind.to_bytes(), public_key]);
    let mut id = [0; 8];
    id.copy_from_slice(&digest[..8]);
    KeyId(id)
}

/// A signing key that is a point of the curve and not of small order; `None` otherwise.
#[must_use]
pub fn verifying_key(public_key: &Digest) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(public_key).ok().filter(|key| !key.is_weak())
}

/// Whether `signature` is `key`'s over `message`, by `verify_strict`.
#[must_use]
pub fn verify(key: &VerifyingKey, message: &[u8], signature: &[u8; 64]) -> bool {
    key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
}

/// What an author decides about an envelope before signing.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The network that it is for.
    pub network: NetworkId,
    /// Who speaks.
    pub author: ParticipantId,
    /// What the author calls the request.
    pub request: RequestId,
    /// Until when it may be accepted.
    pub valid_until: Timestamp,
    /// What the items are.
    pub kind: ItemKind,
    /// Whether one refusal refuses all.
    pub all_or_nothing: bool,
}

/// An envelope that waits for the signature of a key that is kept elsewhere.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    header: Header,
    items: &'a [Vec<u8>],
}

impl<'a> Draft<'a> {
    /// Of items, in the name of the public key that will sign.
    #[must_use]
    pub fn new(request: &Request, items: &'a [Vec<u8>], public_key: &Digest) -> Self {
        Self::of_key(request, items, key_id(KeyKind::Signing, public_key))
    }

    fn of_key(request: &Request, items: &'a [Vec<u8>], key: KeyId) -> Self {
        let header = Header {
            version: HEADER_VERSION,
            network: request.network,
            author: request.author,
            key,
            request: request.request,
            valid_until: request.valid_until,
            kind: u16::from(request.kind.code()),
            count: u16::try_from(items.len()).unwrap_or(u16::MAX),
            flags: u16::from(request.all_or_nothing),
            reserved: 0,
            items_root: envelope::items_root(items.iter().map(Vec::as_slice)),
        };
        Self { header, items }
    }

    /// The bytes to sign.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        envelope::signed_bytes(&self.header.to_bytes())
    }

    /// The envelope with that key's signature.
    #[must_use]
    pub fn signed(&self, signature: [u8; 64]) -> Vec<u8> {
        let own = Signature { key: self.header.key, bytes: signature };
        self.encode(&core::iter::once(own).collect())
    }

    fn encode(&self, signatures: &ArrayVec<Signature, { envelope::SIGNATURES_MAX }>) -> Vec<u8> {
        envelope::encode(&self.header, signatures, self.items.iter().map(Vec::as_slice))
    }
}

/// Signs items as one envelope with one or more keys.
#[must_use]
pub fn sign(request: &Request, items: &[Vec<u8>], keys: &[&SigningKey]) -> Vec<u8> {
    let id = |key: &SigningKey| key_id(KeyKind::Signing, key.verifying_key().as_bytes());
    let first = keys.first().map(|key| id(key)).unwrap_or_default();
    let draft = Draft::of_key(request, items, first);
    let message = draft.message();
    let signatures: ArrayVec<_, { envelope::SIGNATURES_MAX }> = keys
        .iter()
        .take(envelope::SIGNATURES_MAX)
        .map(|key| Signature { key: id(key), bytes: key.sign(&message).to_bytes() })
        .collect();
    draft.encode(&signatures)
}
