//! Secrets at rest: sealed by ChaCha20-Poly1305 (RFC 8439) under a key that only the gateway's sealing key gives; it logs nothing.
use chacha20poly1305::{
    ChaCha20Poly1305,
    aead::{Aead, Payload},
};
use hmac::{Hmac, KeyInit, Mac};
use ledger_proof::codec::Digest;
use sha2::Sha256;
use uuid::Uuid;

use super::signature::Secret;
use crate::{
    sealing::{Error, random},
    store::webhooks::SecretRow,
};

/// Separates this use of the sealing key from its others.
const LABEL: &[u8] = b"causeway webhook secrets v1";

/// Seals and opens.
#[derive(Clone)]
pub struct Vault {
    key: Digest,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// Under a key of the sealing key.
    #[must_use]
    pub fn new(sealing_key: &Digest) -> Self {
        // Short keys are filled up with zeros (RFC 2104).
        let mut block = [0; 64];
        block[..sealing_key.len()].copy_from_slice(sealing_key);
        let mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        Self { key: mac.chain_update(LABEL).finalize().into_bytes().into() }
    }

    /// Seals a secret for one endpoint.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn seal(&self, webhook: Uuid, secret: &Secret) -> Result<SecretRow, Error> {
        let nonce: [u8; 12] = random()?;
        let aad = aad(webhook, secret.kind());
        let payload = Payload { msg: &secret.bytes(), aad: &aad };
        let sealed = self.cipher().encrypt(&nonce.into(), payload).map_err(|_| Error::Broken)?;
        Ok(SecretRow { kind: secret.kind().to_owned(), nonce: nonce.to_vec(), sealed })
    }

    /// Opens an endpoint's secret.
    ///
    /// # Errors
    /// When it was sealed by another key, for another endpoint, or altered.
    pub fn open(&self, webhook: Uuid, row: &SecretRow) -> Result<Secret, Error> {
        let nonce: [u8; 12] = row.nonce.as_slice().try_into().map_err(|_| Error::Malformed)?;
        let aad = aad(webhook, &row.kind);
        let payload = Payload { msg: &row.sealed, aad: &aad };
        let bytes = self.cipher().decrypt(&nonce.into(), payload).map_err(|_| Error::Broken)?;
        let bytes = bytes.try_into().map_err(|_| Error::Malformed)?;
        Secret::of_kind(&row.kind, bytes).ok_or(Error::Malformed)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&self.key.into())
    }
}

fn aad(webhook: Uuid, kind: &str) -> Vec<u8> {
    [webhook.as_bytes(), kind.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Secret, Vault};

    #[test]
    fn a_secret_opens_for_its_endpoint_and_key_alone() {
        let (one, other) = (Uuid::from_bytes([1; 16]), Uuid::from_bytes([2; 16]));
        let vault = Vault::new(&[7; 32]);
        for kind in ["v1", "v1a"] {
            let secret = Secret::of_kind(kind, [3; 32]).unwrap();
            let mut row = vault.seal(one, &secret).unwrap();
            assert_eq!(vault.open(one, &row).unwrap().shown(), secret.shown());
            assert!(vault.open(other, &row).is_err());
            assert!(Vault::new(&[8; 32]).open(one, &row).is_err());
            assert!(!row.sealed.windows(8).any(|part| part == [3; 8]));
            row.kind = if kind == "v1" { "v1a" } else { "v1" }.to_owned();
            assert!(vault.open(one, &row).is_err());
        }
    }
}
