//! Keys that entries of the log add and that the ledger may still lack, for it applies only what is committed; whether one will count is the core's word.
use std::io;

use ledger_core::Command;
use ledger_proof::{
    Envelope, Item,
    operator::KeyKind,
    signature::{key_id, verifying_key},
};
use ledger_types::ParticipantId;

use super::Keys;
#[cfg(feature = "simulation")]
use crate::simulation::{Bug, planted};
use crate::{apply::Apply, host, log_store::LogStore};

/// Where such keys stand.
///
/// A leader takes an envelope only by a key that it has applied. Yet who leads next may hold that
/// envelope without knowing that the key's entry was committed, and can commit neither before a
/// majority has both: whoever asked the ledger alone would wait for ever.
#[derive(Clone, Debug)]
pub(crate) struct Added {
    pub(crate) apply: Apply,
    pub(crate) log: LogStore,
}

impl Added {
    /// The keys that entries before the log's `end` add and that were not applied at the call.
    ///
    /// # Errors
    /// When the ledger has stopped, or the log cannot be read.
    pub(crate) async fn keys(&self, end: u64) -> io::Result<Keys> {
        let (applied, _) = self.apply.barrier().await.map_err(io::Error::other)?;
        let first = applied.map_or(0, |applied| applied.index + 1);
        let log = self.log.clone();
        let read = host::blocking(move || {
            let mut keys = Keys::new();
            log.commands(first..end, |entry| read(entry, &mut keys))?;
            Ok(keys)
        });
        read.await.ok_or_else(|| io::Error::other("this node is stopping"))?
    }
}

/// Puts what an entry's envelopes add.
fn read(bytes: &[u8], keys: &mut Keys) -> io::Result<()> {
    let entry = ledger_proof::Entry::decode(bytes).map_err(io::Error::other)?;
    for bytes in entry.envelopes {
        let author = Envelope::decode(bytes).map_err(io::Error::other)?.header.author;
        if author == ParticipantId::OPERATOR {
            let command = Command::decode(bytes).map_err(io::Error::other)?;
            put(author, &command.items, keys);
        }
    }
    Ok(())
}

/// Puts the signing keys that an author's items add; nobody but the operator adds any.
pub(super) fn put(author: ParticipantId, items: &[Item], keys: &mut Keys) {
    #[cfg(feature = "simulation")]
    if planted(Bug::KeysAppliedOnly) {
        return;
    }
    if author != ParticipantId::OPERATOR {
        return;
    }
    for item in items {
        if let Item::AddKey(item) = item
            && item.kind == KeyKind::Signing
            && let Some(key) = verifying_key(&item.public_key)
        {
            keys.insert((item.participant, key_id(item.kind, &item.public_key)), key);
        }
    }
}
