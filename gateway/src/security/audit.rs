//! The audit log's chain: what one row says, and the digest that covers it and every row before; it asks no database.
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// A digest of the chain.
pub type Digest = [u8; 32];

/// What the first row follows.
pub const START: Digest = [0; 32];

/// Sets these digests apart from every other use of SHA-256.
const DOMAIN: &[u8] = b"causeway audit v1\0";

/// Who acts.
#[derive(Clone, Debug)]
pub struct Actor {
    /// A key's owner, the terminal, or this program.
    pub owner: String,
    /// By which key.
    pub key: Option<Uuid>,
}

impl Actor {
    /// Who has a shell beside the settings.
    #[must_use]
    pub fn terminal() -> Self {
        Self { owner: "terminal".to_owned(), key: None }
    }

    /// This program, by the clock or at its start.
    #[must_use]
    pub fn gateway() -> Self {
        Self { owner: "gateway".to_owned(), key: None }
    }

    /// What it does.
    #[must_use]
    pub fn entry(&self, act: &'static str, subject: impl ToString, detail: Value) -> Entry {
        let (actor, subject) = (self.owner.clone(), subject.to_string());
        Entry { actor, key: self.key, act, subject, detail }
    }
}

/// An administrative act, before it has a number.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who acted: a key's owner, or the part of this program.
    pub actor: String,
    /// By which key.
    pub key: Option<Uuid>,
    /// What was done, as `key.made`.
    pub act: &'static str,
    /// To what: an id.
    pub subject: String,
    /// More, without personal data and without secrets.
    pub detail: Value,
}

/// A row of the log.
#[derive(Clone, Debug)]
pub struct Row {
    /// Without gaps from 1.
    pub number: i64,
    /// Unix time in microseconds.
    pub at_micros: i64,
    /// Who acted.
    pub actor: String,
    /// By which key.
    pub key: Option<Uuid>,
    /// What was done.
    pub act: String,
    /// To what.
    pub subject: String,
    /// JSON as it was written.
    pub detail: String,
}

impl Row {
    /// The digest of this row behind the one before: the domain, the former digest, number and time
    /// as 8 big-endian bytes, then each text behind its length in 4.
    #[must_use]
    pub fn digest(&self, former: &Digest) -> Digest {
        let key = self.key.map(|key| key.to_string()).unwrap_or_default();
        let mut sum = Sha256::new();
        sum.update(DOMAIN);
        sum.update(former);
        sum.update(self.number.to_be_bytes());
        sum.update(self.at_micros.to_be_bytes());
        for text in [&self.actor, &key, &self.act, &self.subject, &self.detail] {
            sum.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            sum.update(text.as_bytes());
        }
        sum.finalize().into()
    }
}

/// Where a chain stands: the last number and its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Rows so far.
    pub number: i64,
    /// The digest of the last.
    pub digest: Digest,
}

impl Default for Head {
    fn default() -> Self {
        Self { number: 0, digest: START }
    }
}

impl Head {
    /// Follows the chain over one more row; none when the row does not belong there.
    #[must_use]
    pub fn follow(&self, row: &Row, digest: &[u8]) -> Option<Self> {
        let expected = row.digest(&self.digest);
        let next = row.number == self.number + 1 && expected.as_slice() == digest;
        next.then_some(Self { number: row.number, digest: expected })
    }
}
