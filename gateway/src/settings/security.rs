//! What is asked of keys and tokens, and when a second pair of eyes is needed; it holds no secret.
use std::path::PathBuf;

use serde::Deserialize;

/// Limits of keys, approvals, the audit log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// Requests a second of one API key; more get 429.
    pub requests_per_s: u32,
    /// Requests of one API key at once, after a rest.
    pub burst: u32,
    /// How often sign-ins that failed are written to the audit log, if any did.
    pub failures_every_ms: u64,
    /// Transfers that need a second pair of eyes.
    pub approval: Approvals,
    /// An OAuth2 issuer whose access tokens are taken beside API keys; absent: none.
    pub oauth: Option<Oauth>,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            requests_per_s: 20_000,
            burst: 20_000,
            failures_every_ms: 60_000,
            approval: Approvals::default(),
            oauth: None,
        }
    }
}

/// Transfers that need a second pair of eyes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Approvals {
    /// The participant's own limit of each currency; a currency that is not listed has none.
    pub limits: Vec<ApprovalLimit>,
    /// How long a transfer waits for approval.
    pub expires_after_s: u32,
}

impl Default for Approvals {
    fn default() -> Self {
        Self { limits: Vec::new(), expires_after_s: 86_400 }
    }
}

/// Above this amount a transfer waits for approval.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalLimit {
    /// ISO 4217.
    pub currency: String,
    /// Minor units.
    pub amount: u64,
}

/// An OAuth2 issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oauth {
    /// `iss` of its tokens.
    pub issuer: String,
    /// `aud` of tokens for this gateway.
    pub audience: String,
    /// Its keys, a JWK Set: a file, or an https URL.
    pub jwks: String,
    /// CAs of that URL (PEM); absent: those of the system.
    pub ca: Option<PathBuf>,
    /// Signatures that are taken.
    #[serde(default = "TokenAlgorithm::all")]
    pub algorithms: Vec<TokenAlgorithm>,
    /// How far clocks may differ.
    #[serde(default = "leeway_s")]
    pub leeway_s: u64,
    /// How old its keys may be; a token that names another has them fetched sooner.
    #[serde(default = "refresh_s")]
    pub refresh_s: u64,
}

/// How a token is signed (RFC 7518, RFC 8037); nothing else is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum TokenAlgorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA PKCS #1 v1.5 with SHA-256, of 2,048 bits at least.
    #[serde(rename = "RS256")]
    Rs256,
}

impl TokenAlgorithm {
    fn all() -> Vec<Self> {
        vec![Self::EdDsa, Self::Es256, Self::Rs256]
    }
}

fn leeway_s() -> u64 {
    30
}

fn refresh_s() -> u64 {
    300
}
