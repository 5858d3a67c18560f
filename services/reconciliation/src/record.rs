//! One record of the operator's stream, checked against its own digests and decoded; it knows no balance and no table.
use bytes::Bytes;
use ledger_proof::{
    codec::{DecodeError, Digest, Field},
    genesis::Genesis,
    item::{Item, ItemKind},
    record::{EntryRecord, Part, RecordKind, SharedPart, leaf_of, part_digest},
    tree::leaf_hash,
};
use ledger_types::Timestamp;
use proto::convert::RecordEvent;

/// Why a record of the stream cannot be believed or understood. None of these heals by trying
/// again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A part is missing, or its bytes and salt do not make the digest of the leaf.
    #[error("record {sequence}: part {part:?} does not match its digest")]
    DigestMismatch {
        /// Which record.
        sequence: u64,
        /// Which part.
        part: Part,
    },
    /// The signed item is missing, or is not the one that the record names.
    #[error("record {sequence}: the signed item does not match its hash")]
    ItemMismatch {
        /// Which record.
        sequence: u64,
    },
    /// A part or item does not decode.
    #[error("record {sequence}: cannot be decoded")]
    Decode {
        /// Which record.
        sequence: u64,
        /// Why.
        #[source]
        source: DecodeError,
    },
}

/// A checked record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number.
    pub sequence: u64,
    /// Of what.
    pub kind: RecordKind,
    /// Replicated time.
    pub at: Timestamp,
    /// Bytes of the six parts; an empty part is absent.
    pub parts: [Bytes; 6],
    /// Six salts one after the other, or nothing.
    pub salts: Vec<u8>,
    /// The signed item's bytes.
    pub item: Option<Bytes>,
    /// The RFC 6962 leaf hash, recomputed.
    pub leaf: Digest,
    /// What it says.
    pub content: Content,
}

/// What a record says.
#[derive(Clone, Debug)]
pub enum Content {
    /// The founding of the network.
    Genesis(Box<Genesis>),
    /// The end of an entry.
    Entry(EntryRecord),
    /// The outcome of an item, or of time itself (an expiry, without an item).
    Outcome {
        /// The shared part.
        shared: Box<SharedPart>,
        /// What was signed.
        item: Option<Box<Item>>,
    },
    /// An envelope refused as a whole, which moves nothing.
    EnvelopeRefusal,
}

impl Record {
    /// Recomputes the leaf from parts and salts, compares it with the digests that came along, and
    /// decodes what the record says.
    ///
    /// # Errors
    /// When anything does not match or decode.
    pub fn read(event: RecordEvent) -> Result<Self, Error> {
        let sequence = event.sequence;
        let mut parts = <[Bytes; 6]>::default();
        let mut salts = <[Option<Digest>; 6]>::default();
        for (part, salt, bytes) in event.parts {
            parts[part.index()] = bytes;
            salts[part.index()] = salt;
        }
        for part in Part::ALL {
            let at = part.index();
            if part_digest(salts[at].as_ref(), &parts[at]) != event.digests[at] {
                return Err(Error::DigestMismatch { sequence, part });
            }
        }
        let salted = salts.iter().any(Option::is_some);
        let kind = event.kind;
        let leaf = leaf_of(kind, sequence, event.at, &event.digests);
        let shared = &parts[Part::Shared.index()];
        let content = content(kind, shared, event.item.as_deref(), sequence)?;
        Ok(Self {
            sequence,
            kind,
            at: event.at,
            salts: match salted {
                true => salts.iter().flat_map(|salt| salt.unwrap_or_default()).collect(),
                false => Vec::new(),
            },
            item: event.item,
            leaf,
            content,
            parts,
        })
    }
}

impl Record {
    /// What stored columns say: the shared part and the signed item. The leaf is not made again, and
    /// the other parts are left out.
    ///
    /// # Errors
    /// When the item is not the one that the shared part names, or something does not decode.
    pub fn of_columns(
        kind: RecordKind,
        sequence: u64,
        at: Timestamp,
        (shared, item): (&[u8], Option<&[u8]>),
    ) -> Result<Self, Error> {
        let content = content(kind, shared, item, sequence)?;
        Ok(Self {
            sequence,
            kind,
            at,
            parts: <[Bytes; 6]>::default(),
            salts: Vec::new(),
            item: None,
            leaf: [0; 32],
            content,
        })
    }
}

fn content(
    kind: RecordKind,
    shared: &[u8],
    item: Option<&[u8]>,
    sequence: u64,
) -> Result<Content, Error> {
    let decode = |source| Error::Decode { sequence, source };
    match kind {
        RecordKind::Genesis => {
            let genesis = Genesis::from_bytes(shared).map_err(decode)?;
            Ok(Content::Genesis(Box::new(genesis)))
        }
        RecordKind::Entry => EntryRecord::from_bytes(shared).map(Content::Entry).map_err(decode),
        RecordKind::EnvelopeRefusal => Ok(Content::EnvelopeRefusal),
        RecordKind::Expiry => {
            let shared = Box::new(SharedPart::from_bytes(shared).map_err(decode)?);
            Ok(Content::Outcome { shared, item: None })
        }
        RecordKind::Item(kind) => {
            let shared = Box::new(SharedPart::from_bytes(shared).map_err(decode)?);
            let item = signed_item(kind, &shared, item, sequence)?;
            Ok(Content::Outcome { shared, item: Some(Box::new(item)) })
        }
    }
}

fn signed_item(
    kind: ItemKind,
    shared: &SharedPart,
    bytes: Option<&[u8]>,
    sequence: u64,
) -> Result<Item, Error> {
    let bytes = bytes
        .filter(|bytes| leaf_hash(bytes) == shared.item_hash)
        .ok_or(Error::ItemMismatch { sequence })?;
    let item = Item::from_bytes(bytes).map_err(|source| Error::Decode { sequence, source })?;
    if item.kind() == kind { Ok(item) } else { Err(Error::ItemMismatch { sequence }) }
}
