//! Texts of C2SP checkpoints and signed notes, whose bytes are fixed here; it signs nothing.
use alloc::{format, string::String};

use base64ct::{Base64, Encoding};

use crate::{codec::Digest, tree::sha256};

/// The algorithm byte of an Ed25519 note key (C2SP signed-note v1.0.0).
pub const ALGORITHM_ED25519: u8 = 0x01;

/// A checkpoint's body: origin, size and root, a line each (C2SP tlog-checkpoint v1.0.0).
#[must_use]
pub fn checkpoint(origin: &str, size: u64, root: &Digest) -> String {
    format!("{origin}\n{size}\n{}\n", Base64::encode_string(root))
}

/// A note key's id: SHA-256(name ‖ 0x0A ‖ algorithm ‖ public key), first 4 bytes.
#[must_use]
pub fn key_id(name: &str, public_key: &Digest) -> [u8; 4] {
    let digest = sha256(&[name.as_bytes(), b"\n", &[ALGORITHM_ED25519], public_key]);
    [digest[0], digest[1], digest[2], digest[3]]
}

/// A verifier key: name, key id in hex, and base64 of algorithm and key.
#[must_use]
pub fn verifier_key(name: &str, public_key: &Digest) -> String {
    let id = u32::from_be_bytes(key_id(name, public_key));
    let mut key = [0; 33];
    key[0] = ALGORITHM_ED25519;
    key[1..].copy_from_slice(public_key);
    format!("{name}+{id:08x}+{}", Base64::encode_string(&key))
}

/// A signed note: the text, an empty line, and one signature line.
#[must_use]
pub fn signed_note(text: &str, name: &str, public_key: &Digest, signature: &[u8; 64]) -> String {
    let mut line = [0; 68];
    line[..4].copy_from_slice(&key_id(name, public_key));
    line[4..].copy_from_slice(signature);
    format!("{text}\n\u{2014} {name} {}\n", Base64::encode_string(&line))
}
