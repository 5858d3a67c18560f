//! Checks of an envelope before it may enter the log or be acknowledged: shape, signatures, blobs; whether a key is active is the core's word.
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use ed25519_dalek::VerifyingKey;
use ledger_core::Command;
use ledger_proof::{
    DecodeError, Digest, Envelope, Header, Item,
    envelope::{VALIDITY_MICROS_MAX, signed_bytes},
    sealed::{BLOB_LENGTH_MAX, blob_digest},
    signature,
};
use ledger_types::{KeyId, NetworkId, ParticipantId};

use crate::{
    apply::{Apply, Stopped},
    host,
    raft::{Decoded, DecodedCommand, Payload},
};

mod added;
mod gate;
#[cfg(test)]
mod tests;

pub(crate) use added::Added;
use gate::Gate;

/// Envelopes up to this are checked where they are: moving them takes longer.
const INLINE_BYTES_MAX: usize = 2_048;

/// What checking a signature takes, in bytes whose hashing takes as long.
const SIGNATURE_BYTES: usize = 2_048;

/// How far a client's clock may be ahead of ours.
const CLOCKS_APART_MICROS: u64 = 60_000_000;

/// Why an envelope is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Invalid {
    /// The bytes.
    #[error("the envelope {0}; correct it and sign anew")]
    Malformed(#[source] DecodeError),
    /// How long it claims to be valid.
    #[error("valid_until: ENVELOPE_VALIDITY_TOO_LONG: must be at most 24 hours ahead; sign anew")]
    ValidUntil,
    /// Its network.
    #[error("network: is not this one; sign for this network's id")]
    Network,
    /// Its blobs.
    #[error("blobs: {0}")]
    Blobs(&'static str),
    /// A signature.
    #[error("signatures: {key} does not verify; sign the header's encoding with that key")]
    Signature {
        /// By which key.
        key: KeyId,
    },
    /// A key this node has not heard of (yet).
    #[error("signatures: participant {participant} has no key {key}")]
    KeyUnknown {
        /// Who signs.
        participant: ParticipantId,
        /// With which key.
        key: KeyId,
    },
    /// This node.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// An envelope that passed.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) envelope: Bytes,
    pub(crate) blobs: Vec<Bytes>,
    pub(crate) blob_digests: Vec<Digest>,
    pub(crate) command: DecodedCommand,
}

impl Verified {
    /// How much of an entry it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.envelope.len() + self.blobs.iter().map(Bytes::len).sum::<usize>()
    }
}

/// An envelope that is well-formed and signed.
struct Sound {
    header: Header,
    command: DecodedCommand,
    /// The blobs that its items name.
    wanted: Vec<Digest>,
}

/// Signing keys by whose they are.
pub(crate) type Keys = HashMap<(ParticipantId, KeyId), VerifyingKey>;

/// Verifies with keys that the ledger knows; clones share what they have learned.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    network: NetworkId,
    apply: Apply,
    /// A key is a participant's for ever, so a known one stays known.
    keys: Arc<RwLock<Keys>>,
    /// Checks at one time: more threads than cores would only take turns.
    gate: Gate,
}

impl Verifier {
    pub(crate) const fn network(&self) -> NetworkId {
        self.network
    }

    pub(crate) fn new(network: NetworkId, apply: Apply) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { network, apply, keys: Arc::default(), gate: Gate::new(cores) }
    }

    /// Learns the keys that an envelope is signed with; `false` when the ledger lacks one.
    pub(crate) async fn learn(&self, envelopes: &[&[u8]]) -> Result<bool, Invalid> {
        let mut unknown = Vec::new();
        for bytes in envelopes {
            let envelope = Envelope::decode(bytes).map_err(Invalid::Malformed)?;
            let known = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let author = envelope.header.author;
            let keys = envelope.signatures.iter().map(|signature| (author, signature.key));
            unknown.extend(keys.filter(|key| !known.contains_key(key)));
        }
        if unknown.is_empty() {
            return Ok(true);
        }
        let wanted = unknown.len();
        let found = self.apply.ask(move |ledger, _| {
            let key = |(author, key)| Some(((author, key), *ledger.verifying_key(author, key)?));
            unknown.into_iter().filter_map(key).collect::<Vec<_>>()
        });
        let found = found.await?;
        let all = found.len() == wanted;
        self.keys.write().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(all)
    }

    /// Checks what a client sent, off the runtime's own threads unless it is short. Keys must have
    /// been learned. Callers take turns.
    pub(crate) async fn check(
        &self,
        caller: ParticipantId,
        envelope: Bytes,
        blobs: Vec<Bytes>,
    ) -> Result<Verified, Invalid> {
        let _pass =
            self.gate.pass(caller, envelope.len() + SIGNATURE_BYTES).await.ok_or(Stopped)?;
        if envelope.len() <= INLINE_BYTES_MAX && blobs.len() <= 1 {
            return self.ingress(envelope, blobs);
        }
        let verifier = self.clone();
        let checked = host::blocking(move || verifier.ingress(envelope, blobs));
        checked.await.ok_or(Stopped)?
    }

    fn ingress(&self, envelope: Bytes, blobs: Vec<Bytes>) -> Result<Verified, Invalid> {
        let Sound { header, command, wanted } = self.envelope(&envelope, &Keys::default())?;
        // The core refuses it too, but would have to remember that for as long as it says.
        if header.valid_until > host::now().plus_micros(VALIDITY_MICROS_MAX + CLOCKS_APART_MICROS) {
            return Err(Invalid::ValidUntil);
        }
        let blob_digests = digests(blobs.iter().map(|blob| &blob[..]))?;
        let given: HashSet<Digest> = blob_digests.iter().copied().collect();
        if wanted.iter().any(|digest| !given.contains(digest)) {
            return Err(Invalid::Blobs("one that an item names is missing; send it too"));
        }
        let wanted: HashSet<Digest> = wanted.into_iter().collect();
        if given.len() != blob_digests.len() || given.iter().any(|digest| !wanted.contains(digest))
        {
            return Err(Invalid::Blobs("one is named by no item, or twice; leave it out"));
        }
        Ok(Verified { envelope, blobs, blob_digests, command })
    }

    /// Checks an entry from the leader before it is acknowledged, and keeps what it decodes to. Beside
    /// the ledger's keys those count that entries before it `added`; its own come to them.
    pub(crate) fn entry(&self, payload: &Payload, added: &mut Keys) -> Result<(), Invalid> {
        let entry = ledger_proof::Entry::decode(payload.bytes()).map_err(Invalid::Malformed)?;
        let blob_digests = digests(entry.blobs.iter().copied())?;
        let given: HashSet<Digest> = blob_digests.iter().copied().collect();
        let mut sound = Vec::with_capacity(entry.envelopes.len());
        for bytes in &entry.envelopes {
            let envelope = self.envelope(bytes, added)?;
            if envelope.wanted.iter().any(|digest| !given.contains(digest)) {
                return Err(Invalid::Blobs("one that an item names is missing from the entry"));
            }
            sound.push(envelope);
        }
        for Sound { header, command, .. } in &sound {
            added::put(header.author, &command.items, added);
        }
        let commands = sound.into_iter().map(|envelope| envelope.command).collect();
        payload.keep(Decoded { commands, blob_digests });
        Ok(())
    }

    /// Checks shape, root and signatures of one envelope.
    fn envelope(&self, bytes: &[u8], added: &Keys) -> Result<Sound, Invalid> {
        let envelope = Envelope::decode(bytes).map_err(Invalid::Malformed)?;
        if envelope.header.network != self.network {
            return Err(Invalid::Network);
        }
        let participant = envelope.header.author;
        let message = signed_bytes(envelope.header_bytes);
        for signed in &envelope.signatures {
            let known = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let whose = (participant, signed.key);
            let key = known.get(&whose).or_else(|| added.get(&whose)).copied();
            drop(known);
            let key = key.ok_or(Invalid::KeyUnknown { participant, key: signed.key })?;
            if !signature::verify(&key, &message, &signed.bytes) {
                return Err(Invalid::Signature { key: signed.key });
            }
        }
        let Command { items, item_hashes, .. } =
            Command::decode(bytes).map_err(Invalid::Malformed)?;
        let wanted = items.iter().filter_map(named_blob).collect();
        let command = DecodedCommand { items, item_hashes };
        Ok(Sound { header: envelope.header, command, wanted })
    }
}

/// The blob that an item names.
#[expect(clippy::wildcard_enum_match_arm, reason = "only two kinds of item carry a blob's digest")]
pub(crate) fn named_blob(item: &Item) -> Option<Digest> {
    match item {
        Item::Submit(item) | Item::Return(item) => Some(item.blob_digest),
        _ => None,
    }
    .filter(|digest| *digest != [0; 32])
}

fn digests<'a>(blobs: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Digest>, Invalid> {
    blobs
        .map(|blob| match blob.len() {
            0..=BLOB_LENGTH_MAX => Ok(blob_digest(blob)),
            _ => Err(Invalid::Blobs("one is over 4,096 bytes; shorten it")),
        })
        .collect()
}
