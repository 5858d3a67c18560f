//! Judges an OAuth2 access token by the profile of RFC 9068 against its issuer's keys: signature, type, issuer, audience, times, client; it fetches nothing.
use jsonwebtoken::{
    Algorithm, DecodingKey, TokenData, Validation, crypto::CryptoProvider, decode, decode_header,
    errors::ErrorKind, jwk::JwkSet,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::owner;
use crate::settings;

mod ring;
#[cfg(test)]
mod tests;

/// Sets the ids of clients apart from every other use of SHA-256.
const DOMAIN: &[u8] = b"causeway oauth client v1\0";

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It names a key that is not known: the keys may have changed.
    KeyUnknown,
    /// What is wrong with it.
    Wrong(&'static str),
}

/// Whom a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The same for each token of one client of one issuer.
    pub id: Uuid,
    /// Its `client_id`.
    pub name: String,
    /// Its scopes; those that are none of ours open nothing.
    pub scopes: Vec<String>,
}

/// RFC 9068, section 2.2; those that the crate checks are not repeated here.
#[derive(Deserialize)]
struct Claims {
    client_id: String,
    #[serde(default)]
    scope: String,
    #[expect(dead_code, reason = "must be there (section 2.2)")]
    iat: u64,
    #[expect(dead_code, reason = "must be there (section 2.2)")]
    jti: String,
}

/// Lets tokens be verified by the cryptography that TLS uses.
pub fn install_provider() {
    // Whoever installed it before installed the same.
    let _first = CryptoProvider::install_default(&ring::PROVIDER);
}

/// Whether a bearer token has the form of a JWT, which no API key has.
#[must_use]
pub fn resembles(bearer: &str) -> bool {
    bearer.split('.').count() == 3
}

/// Judges a token.
///
/// # Errors
/// Why it opens nothing.
pub fn judge(token: &str, keys: &JwkSet, settings: &settings::Oauth) -> Result<Client, Refusal> {
    let header = decode_header(token).map_err(|_| Refusal::Wrong("the header is malformed"))?;
    // RFC 9068, section 4: an ID token of the same issuer must not pass for an access token.
    let kind = header.typ.as_deref().unwrap_or_default().to_ascii_lowercase();
    if !["at+jwt", "application/at+jwt"].contains(&kind.as_str()) {
        return Err(Refusal::Wrong("typ must be at+jwt"));
    }
    let allowed = settings.algorithms.iter().copied().map(Algorithm::from);
    if !allowed.into_iter().any(|algorithm| algorithm == header.alg) {
        return Err(Refusal::Wrong("alg is not allowed"));
    }
    let kid = header.kid.as_deref().ok_or(Refusal::Wrong("kid is missing"))?;
    let key = keys.find(kid).ok_or(Refusal::KeyUnknown)?;
    // A key says what it is for; what it does not say is settled by its type.
    let fits =
        key.common.key_algorithm.is_none_or(|own| own.to_string() == format!("{:?}", header.alg));
    let key =
        DecodingKey::from_jwk(key).ok().filter(|key| fits && key.family() == header.alg.family());
    let key = key.ok_or(Refusal::Wrong("the key is not for this alg"))?;
    let mut rules = Validation::new(header.alg);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.set_issuer(&[&settings.issuer]);
    rules.set_audience(&[&settings.audience]);
    rules.leeway = settings.leeway_s;
    rules.validate_nbf = true;
    let token: TokenData<Claims> =
        decode(token, &key, &rules).map_err(|error| wrong(error.kind()))?;
    let claims = token.claims;
    let name = owner(&claims.client_id);
    let name = name.ok_or(Refusal::Wrong("client_id must be 1 to 70 visible ASCII characters"))?;
    Ok(Client {
        id: id(&settings.issuer, name),
        name: name.to_owned(),
        scopes: claims
            .scope
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

fn id(issuer: &str, client: &str) -> Uuid {
    let mut sum = Sha256::new();
    sum.update(DOMAIN);
    sum.update(issuer.as_bytes());
    sum.update([0]);
    sum.update(client.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&sum.finalize()[..16]);
    Uuid::from_bytes(bytes)
}

fn wrong(kind: &ErrorKind) -> Refusal {
    let is =
        |expected: &ErrorKind| std::mem::discriminant(expected) == std::mem::discriminant(kind);
    let known = [
        (ErrorKind::ExpiredSignature, "it has expired"),
        (ErrorKind::ImmatureSignature, "it is not valid yet"),
        (ErrorKind::InvalidIssuer, "iss is another issuer"),
        (ErrorKind::InvalidAudience, "aud is not this gateway"),
        (ErrorKind::InvalidSignature, "the signature does not match"),
    ];
    let found = known.iter().find(|(expected, _)| is(expected));
    Refusal::Wrong(found.map_or("a claim is missing or malformed", |(_, why)| why))
}

impl From<settings::TokenAlgorithm> for Algorithm {
    fn from(algorithm: settings::TokenAlgorithm) -> Self {
        match algorithm {
            settings::TokenAlgorithm::EdDsa => Self::EdDSA,
            settings::TokenAlgorithm::Es256 => Self::ES256,
            settings::TokenAlgorithm::Rs256 => Self::RS256,
        }
    }
}
