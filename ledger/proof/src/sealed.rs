//! The bytes of sealed personal data and its commitment; it neither seals nor opens, and never sees a name.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use ledger_types::KeyId;

use crate::{
    codec::{DecodeError, Digest, Field, Reader, layout},
    tree::sha256,
};

/// The longest blob, in bytes.
pub const BLOB_LENGTH_MAX: usize = 4_096;

/// The domain of a commitment.
pub const COMMITMENT_DOMAIN: &[u8] = b"causeway/commitment/v1";

/// The HPKE `info` under which a data key is wrapped.
pub const WRAP_INFO: &[u8] = b"causeway/wrap/v1";

layout! {
    /// The data key wrapped for one X25519 key by HPKE (RFC 9180) base mode with
    /// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305.
    pub struct WrappedKey {
        /// For which key.
        key: KeyId,
        /// HPKE encapsulated key.
        encapsulated: [u8; 32],
        /// The 32-byte data key and its tag.
        sealed: [u8; 48],
    }
}

/// A sealed blob: version 1 ‖ wrapped keys ‖ nonce ‖ ChaCha20-Poly1305 of (salt ‖ plaintext).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// One per reader.
    pub wrapped_keys: ArrayVec<WrappedKey, 4>,
    /// The cipher's nonce.
    pub nonce: [u8; 12],
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl Field for Blob {
    fn put(&self, out: &mut Vec<u8>) {
        1_u8.put(out);
        self.wrapped_keys.put(out);
        self.nonce.put(out);
        out.extend_from_slice(&self.ciphertext);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.get::<u8>()? != 1 {
            return Err(DecodeError::invalid("blob version", "must be 1"));
        }
        let (wrapped_keys, nonce) = (reader.get()?, reader.get()?);
        let ciphertext = reader.take(reader.rest().len())?.to_vec();
        Ok(Self { wrapped_keys, nonce, ciphertext })
    }
}

/// SHA-256(domain ‖ salt ‖ plaintext).
#[must_use]
pub fn commitment(salt: &Digest, plaintext: &[u8]) -> Digest {
    sha256(&[COMMITMENT_DOMAIN, salt, plaintext])
}

/// The digest by which an item names its blob.
#[must_use]
pub fn blob_digest(blob: &[u8]) -> Digest {
    sha256(&[blob])
}
