//! Passwords of local accounts: argon2id, PHC strings. It must never keep, log or compare one in the open.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};

/// What is verified for a name that nobody has, so that it takes as long.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash("nobody"));

/// The hash of a password; none without randomness.
#[must_use]
pub fn hash(password: &str) -> Option<String> {
    let made = Argon2::default().hash_password(password.as_bytes()).ok()?;
    Some(made.to_string())
}

/// Whether a text is a hash of ours.
#[must_use]
pub fn readable(hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| hash.algorithm.as_str() == "argon2id")
}

/// Whether it is the password; `None` is the hash of a name that nobody has, which no password opens.
#[must_use]
pub fn verify(hash: Option<&str>, password: &str) -> bool {
    let known = hash.is_some();
    let Some(hash) = hash.or(NOBODY.as_deref()) else { return false };
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let same = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    same && known
}
