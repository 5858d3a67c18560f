//! The envelope a participant signs: header, signatures, items; it says who signed what, not whether they may.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use ledger_types::{KeyId, NetworkId, ParticipantId, RequestId, Timestamp};

use crate::{
    codec::{DecodeError, Digest, Field, Reader, layout},
    item::{ITEM_LENGTH_MAX, ItemKind},
    tree::{self, Frontier},
};

/// The DSSE payload type of a header.
pub const PAYLOAD_TYPE: &str = "application/vnd.causeway.envelope.v1";

/// The header version.
pub const HEADER_VERSION: u16 = 1;

/// The most items in one envelope.
pub const ITEMS_MAX: u16 = 8_190;

/// How far ahead `valid_until` may lie: 24 hours.
pub const VALIDITY_MICROS_MAX: u64 = 24 * 3_600 * 1_000_000;

/// Flag bit 0: one refusal refuses every item.
pub const FLAG_ALL_OR_NOTHING: u16 = 1;

layout! {
    /// The signed header: 112 bytes.
    pub struct Header {
        /// [`HEADER_VERSION`].
        version: u16,
        /// The network that it is for.
        network: NetworkId,
        /// Who speaks.
        author: ParticipantId,
        /// With which key first.
        key: KeyId,
        /// What the author calls the request.
        request: RequestId,
        /// Until when it may be accepted.
        valid_until: Timestamp,
        /// The code of the items' kind.
        kind: u16,
        /// How many items, 1 to 8,190.
        count: u16,
        /// [`FLAG_ALL_OR_NOTHING`]; other bits 0.
        flags: u16,
        /// Zero.
        reserved: u32,
        /// RFC 6962 root over the items' exact bytes.
        items_root: Digest,
    }

    /// One signature over the header: 72 bytes.
    pub struct Signature {
        /// By which key.
        key: KeyId,
        /// ed25519 (RFC 8032) over [`signed_bytes`].
        bytes: [u8; 64],
    }
}

/// The length of a header.
pub const HEADER_LENGTH: usize = 112;

/// The most signatures on an envelope.
pub const SIGNATURES_MAX: usize = 16;

/// An envelope whose shape is valid and whose items match the signed root; signatures unchecked.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// The header.
    pub header: Header,
    /// The header's exact bytes.
    pub header_bytes: &'a [u8],
    /// What the items are.
    pub kind: ItemKind,
    /// Signatures as sent.
    pub signatures: ArrayVec<Signature, SIGNATURES_MAX>,
    items: &'a [u8],
}

/// One item's exact bytes.
pub type ItemBytes<'a> = &'a [u8];

impl Header {
    /// Whether one refusal refuses all.
    #[must_use]
    pub const fn all_or_nothing(&self) -> bool {
        self.flags & FLAG_ALL_OR_NOTHING != 0
    }
}

impl<'a> Envelope<'a> {
    /// Reads an envelope and checks its shape; the items' root is checked by
    /// [`Envelope::items_root_matches`], which costs a hash per item.
    ///
    /// # Errors
    /// Names the first field that breaks its rule.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let header_bytes = reader.take(HEADER_LENGTH)?;
        let header = Header::from_bytes(header_bytes)?;
        let kind = check_header(&header)?;
        let signatures: ArrayVec<Signature, SIGNATURES_MAX> = reader.get()?;
        if signatures.first().map(|first| first.key) != Some(header.key) {
            return Err(DecodeError::invalid("key", "must be the key of the first signature"));
        }
        let items = reader.rest();
        for _ in 0..header.count {
            let length = usize::from(reader.get::<u16>()?);
            if length > ITEM_LENGTH_MAX {
                return Err(DecodeError::invalid("item", "must be at most 1,024 bytes"));
            }
            reader.take(length)?;
        }
        reader.end()?;
        Ok(Self { header, header_bytes, kind, signatures, items })
    }

    /// The items' exact bytes, in order.
    pub fn items(&self) -> impl Iterator<Item = ItemBytes<'a>> {
        let mut reader = Reader::new(self.items);
        core::iter::from_fn(move || {
            let length = reader.get::<u16>().ok()?;
            reader.take(usize::from(length)).ok()
        })
    }

    /// Whether the items are those that the header's root was made of.
    #[must_use]
    pub fn items_root_matches(&self) -> bool {
        items_root(self.items()) == self.header.items_root
    }

    /// SHA-256 of header and items, by which a resend is known to be the same.
    #[must_use]
    pub fn digest(&self) -> Digest {
        tree::sha256(&[self.header_bytes])
    }
}

fn check_header(header: &Header) -> Result<ItemKind, DecodeError> {
    if header.version != HEADER_VERSION {
        return Err(DecodeError::invalid("version", "must be 1"));
    }
    if header.flags & !FLAG_ALL_OR_NOTHING != 0 || header.reserved != 0 {
        return Err(DecodeError::invalid("flags", "must be 0 but for bit 0"));
    }
    if header.count == 0 || header.count > ITEMS_MAX {
        return Err(DecodeError::invalid("count", "must be 1 to 8,190"));
    }
    let kind = u8::try_from(header.kind).ok().and_then(ItemKind::from_code);
    let kind = kind.ok_or(DecodeError::invalid("kind", "is reserved or unknown"))?;
    if kind.operator() != (header.author == ParticipantId::OPERATOR) {
        return Err(DecodeError::invalid("author", "may not sign this kind of item"));
    }
    Ok(kind)
}

/// The RFC 6962 root over items' bytes.
pub fn items_root<'a>(items: impl Iterator<Item = &'a [u8]>) -> Digest {
    let mut frontier = Frontier::default();
    items.for_each(|item| frontier.push(tree::leaf_hash(item)));
    frontier.root()
}

/// What is signed: the DSSE v1 pre-authentication encoding of the header.
#[must_use]
pub fn signed_bytes(header: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.len() + 64);
    out.extend_from_slice(b"DSSEv1 36 ");
    out.extend_from_slice(PAYLOAD_TYPE.as_bytes());
    out.extend_from_slice(b" 112 ");
    out.extend_from_slice(header);
    out
}

/// Assembles an envelope of a header, its signatures and the items' bytes.
pub fn encode<'a>(
    header: &Header,
    signatures: &ArrayVec<Signature, SIGNATURES_MAX>,
    items: impl Iterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    header.put(&mut out);
    signatures.put(&mut out);
    for item in items {
        u16::try_from(item.len()).unwrap_or(u16::MAX).put(&mut out);
        out.extend_from_slice(item);
    }
    out
}
