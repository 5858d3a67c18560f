//! Tracking tokens: made by a keyed hash so that only this gateway can name one, kept as a digest; they say nothing of whom.
use hmac::{Hmac, KeyInit, Mac};
use ledger_proof::codec::Digest;
use ledger_types::TransferId;
use sha2::{Digest as _, Sha256};

const DOMAIN: &[u8] = b"causeway/tracking/v1";

/// The token of a transfer: 160 bits in hexadecimal, unguessable without the secret.
#[must_use]
pub fn token(secret: &Digest, transfer: TransferId) -> String {
    // HMAC takes a key of any length, so this cannot fail for 32 bytes.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    let mac = mac
        .chain_update(DOMAIN)
        .chain_update(transfer.debtor_agent.0.to_be_bytes())
        .chain_update(transfer.uetr.bytes());
    hex::encode(mac.finalize().into_bytes().get(..20).unwrap_or_default())
}

/// What of a token is stored.
#[must_use]
pub fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
