//! What signs envelopes: a key in a file, or one that never leaves its token; whoever signs knows no envelope, only bytes.
use ed25519_dalek::{Signer as _, SigningKey};
use ledger_proof::codec::Digest;

pub mod pkcs11;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token failed.
    #[error("the token failed at {step}")]
    Token {
        /// What was done.
        step: &'static str,
        /// Why.
        #[source]
        source: cryptoki::error::Error,
    },
    /// No token has the label.
    #[error("token_label: no token has it")]
    NoToken,
    /// Not exactly one key has the label.
    #[error("key_label: {0} keys of this kind have it, not one")]
    Keys(usize),
    /// The key is another kind.
    #[error("key_label: the key is none of Ed25519")]
    NotEd25519,
    /// The PIN is no text.
    #[error("pin_file: must hold text")]
    Pin,
    /// The signature is not this key's.
    #[error("the token's signature does not match its public key")]
    Mismatch,
}

/// Signs with one key.
pub trait Signer: std::fmt::Debug + Send + Sync {
    /// The public half.
    fn public_key(&self) -> Digest;

    /// Ed25519 (RFC 8032, section 5.1) over the bytes; may block.
    ///
    /// # Errors
    /// When the token does not answer; the same may be tried again.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error>;

    /// The same without waiting for anything; none of a key that another device has.
    fn sign_at_once(&self, _message: &[u8]) -> Option<[u8; 64]> {
        None
    }
}

/// A key that was read from a file.
pub struct FileKey(SigningKey);

impl FileKey {
    /// Takes the key.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        Self(key)
    }
}

impl std::fmt::Debug for FileKey {
    /// Keys are never shown.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("FileKey(‹secret›)")
    }
}

impl Signer for FileKey {
    fn public_key(&self) -> Digest {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        Ok(self.0.sign(message).to_bytes())
    }

    fn sign_at_once(&self, message: &[u8]) -> Option<[u8; 64]> {
        Some(self.0.sign(message).to_bytes())
    }
}
