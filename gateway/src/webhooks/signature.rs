//! Signatures of Standard Webhooks 1.0.0: v1 (HMAC-SHA256, `whsec_`) and v1a (ed25519, `whsk_` and `whpk_`); it keeps no secret.
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

#[cfg(test)]
mod tests;

/// How old or young a message may be for [`Verifier::verify`].
pub const TOLERANCE_S: i64 = 300;

/// What signs an endpoint's messages.
#[derive(Clone)]
pub enum Secret {
    /// v1: shared with the receiver.
    Hmac(Vec<u8>),
    /// v1a: the receiver has its public key.
    Ed25519(SigningKey),
}

impl std::fmt::Debug for Secret {
    /// Never shown.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Secret").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

impl Secret {
    /// A secret of a kind from 32 random bytes; none for another kind.
    #[must_use]
    pub fn of_kind(kind: &str, bytes: [u8; 32]) -> Option<Self> {
        match kind {
            "v1" => Some(Self::Hmac(bytes.to_vec())),
            "v1a" => Some(Self::Ed25519(SigningKey::from_bytes(&bytes))),
            _ => None,
        }
    }

    /// Reads `whsec_…`, or `whsk_…`: a private key of 32 bytes, or with its public key of 64.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(secret) = text.strip_prefix("whsec_") {
            // Standard Webhooks 1.0.0 takes 24 to 64 bytes.
            let bytes = STANDARD.decode(secret).ok()?;
            return (24..=64).contains(&bytes.len()).then_some(Self::Hmac(bytes));
        }
        let bytes = STANDARD.decode(text.strip_prefix("whsk_")?).ok()?;
        let key = match <[u8; 64]>::try_from(bytes.as_slice()) {
            Ok(pair) => SigningKey::from_keypair_bytes(&pair).ok()?,
            Err(_) => SigningKey::from_bytes(&bytes.try_into().ok()?),
        };
        Some(Self::Ed25519(key))
    }

    /// `v1` or `v1a`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "v1",
            Self::Ed25519(_) => "v1a",
        }
    }

    /// What is kept, sealed.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Hmac(key) => key.clone(),
            Self::Ed25519(key) => key.to_bytes().to_vec(),
        }
    }

    /// What the receiver verifies with: `whsec_…`, or `whpk_…`.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Hmac(key) => format!("whsec_{}", STANDARD.encode(key)),
            Self::Ed25519(key) => format!("whpk_{}", STANDARD.encode(key.verifying_key())),
        }
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let content = content(id, timestamp, body);
        match self {
            Self::Hmac(key) => format!("v1,{}", STANDARD.encode(mac(key, &content))),
            Self::Ed25519(key) => {
                format!("v1a,{}", STANDARD.encode(key.sign(&content).to_bytes()))
            }
        }
    }
}

/// The `webhook-signature` of a message: one signature of each secret.
#[must_use]
pub fn header(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let each = secrets.iter().map(|secret| secret.sign(id, timestamp, body));
    each.collect::<Vec<_>>().join(" ")
}

/// What a receiver verifies with.
#[derive(Clone)]
pub enum Verifier {
    /// v1.
    Hmac(Vec<u8>),
    /// v1a.
    Ed25519(VerifyingKey),
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    /// Reads `whsec_…` or `whpk_…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(secret) = text.strip_prefix("whsec_") {
            return STANDARD.decode(secret).ok().map(Self::Hmac);
        }
        let key: [u8; 32] = STANDARD.decode(text.strip_prefix("whpk_")?).ok()?.try_into().ok()?;
        VerifyingKey::from_bytes(&key).ok().map(Self::Ed25519)
    }

    /// Whether one signature of a header is right and the message is of this time.
    #[must_use]
    pub fn verify(&self, id: &str, timestamp: &str, header: &str, body: &[u8], now: i64) -> bool {
        let Ok(at) = timestamp.parse::<i64>() else { return false };
        let content = content(id, at, body);
        at.abs_diff(now) <= TOLERANCE_S.unsigned_abs()
            && header.split(' ').any(|one| self.one(one, &content))
    }

    fn one(&self, signature: &str, content: &[u8]) -> bool {
        let Some((kind, encoded)) = signature.split_once(',') else { return false };
        let Ok(bytes) = STANDARD.decode(encoded) else { return false };
        match (self, kind) {
            (Self::Hmac(key), "v1") => {
                let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
                mac.chain_update(content).verify_slice(&bytes).is_ok()
            }
            (Self::Ed25519(key), "v1a") => Signature::from_slice(&bytes)
                .is_ok_and(|signature| key.verify_strict(content, &signature).is_ok()),
            (Self::Hmac(_) | Self::Ed25519(_), _) => false,
        }
    }
}

fn content(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    [format!("{id}.{timestamp}.").as_bytes(), body].concat()
}

fn mac(key: &[u8], content: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.chain_update(content).finalize().into_bytes().to_vec()
}
