//! An envelope decoded for `apply`: items as values with their hashes; signatures are the caller's to check.
use alloc::vec::Vec;

use ledger_proof::{
    DecodeError, Digest, Envelope, Field, Item,
    tree::{self, Frontier},
};

/// An envelope whose every item decodes, is of the header's kind, and matches the signed root.
#[derive(Clone, Debug)]
pub struct Command<'a> {
    /// The envelope.
    pub envelope: Envelope<'a>,
    /// Its items, in order.
    pub items: Vec<Item>,
    /// RFC 6962 leaf hash of each item's bytes.
    pub item_hashes: Vec<Digest>,
    /// SHA-256 of the header, by which a resend is known.
    pub digest: Digest,
}

impl<'a> Command<'a> {
    /// Decodes an envelope and everything in it.
    ///
    /// # Errors
    /// Names the first field that breaks its rule.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let envelope = Envelope::decode(bytes)?;
        let count = usize::from(envelope.header.count);
        let (mut items, mut item_hashes) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut frontier = Frontier::default();
        for bytes in envelope.items() {
            let item = Item::from_bytes(bytes)?;
            if item.kind() != envelope.kind {
                return Err(DecodeError::invalid("item kind", "must be the header's"));
            }
            let hash = tree::leaf_hash(bytes);
            frontier.push(hash);
            items.push(item);
            item_hashes.push(hash);
        }
        if frontier.root() != envelope.header.items_root {
            return Err(DecodeError::invalid("items_root", "must be the root over the items"));
        }
        let digest = envelope.digest();
        Ok(Self { envelope, items, item_hashes, digest })
    }
}
