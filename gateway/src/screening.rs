//! The screening port: names in, a verdict out; it fails closed and says nothing of why to the outside.
use serde::Serialize;

pub mod exact;
pub mod normal;

#[cfg(test)]
mod tests;

/// A listed entry that a name matched; for the inside only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The number of the entry in its list.
    pub entry: String,
    /// The listed name that matched.
    pub listed: String,
    /// Digest of the list's files.
    pub list_version: String,
}

/// The answer of a screening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No name matched.
    Clear,
    /// At least one name matched.
    Hits(Vec<Hit>),
}

/// Screening gave no answer; nobody may take that for a clear name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("screening unavailable: {0}")]
pub struct Unavailable(pub String);

/// Compares names with sanctions lists.
pub trait Screening: Send + Sync + std::fmt::Debug {
    /// Screens every name given.
    ///
    /// # Errors
    /// When no answer can be given.
    fn screen(&self, names: &[&str]) -> Result<Verdict, Unavailable>;
}
