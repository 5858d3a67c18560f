//! The Merkle tree of RFC 6962: hashes, frontier, tiles; it knows no record and no storage.
use alloc::{format, string::String};

use arrayvec::ArrayVec;
use sha2::{Digest as _, Sha256};

use crate::codec::{DecodeError, Digest, Field, Reader};

/// Levels of the tree that one level of tiles spans: 256 hashes a full tile (C2SP tlog-tiles).
pub const TILE_HEIGHT: u32 = 8;

/// Hashes in a full tile.
pub const FULL_TILE: u16 = 1 << TILE_HEIGHT;

/// SHA-256 of the parts one after the other.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// SHA-256(0x00 ‖ data), RFC 6962 section 2.1.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Digest {
    sha256(&[&[0], data])
}

/// SHA-256(0x01 ‖ left ‖ right), RFC 6962 section 2.1.
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], left, right])
}

/// The roots of the full subtrees of a growing tree, largest first: enough to append and to know
/// the root.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: ArrayVec<Digest, 64>,
}

impl Frontier {
    /// How many leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf's hash. Capacity is 2⁶⁴ − 1 leaves.
    pub fn push(&mut self, leaf: Digest) {
        self.push_subtree(0, leaf, |_, _| {});
    }

    /// Appends the root of a full subtree of 2^`height` leaves, and tells `complete` the height and
    /// root of every larger full subtree that this ends. The size must be a multiple of the
    /// subtree's.
    ///
    /// # Panics
    /// When it is not: the root would be another tree's.
    pub fn push_subtree(
        &mut self,
        height: u32,
        root: Digest,
        mut complete: impl FnMut(u32, &Digest),
    ) {
        assert!(self.size.trailing_zeros() >= height, "a subtree begins at a multiple of its size");
        let (mut hash, mut reached) = (root, height);
        for _ in 0..(self.size >> height).trailing_ones() {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(&left, &hash);
                reached += 1;
                complete(reached, &hash);
            }
        }
        self.roots.push(hash);
        self.size += 1 << height;
    }

    /// The root; SHA-256 of nothing when empty.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut roots = self.roots.iter().rev();
        match roots.next() {
            None => sha256(&[]),
            Some(last) => roots.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// Where a tile of `width` hashes is published: `tile/L/N`, with `.p/W` behind a partial one; N in
/// groups of three digits (C2SP tlog-tiles v0.1.0).
#[must_use]
pub fn tile_path(level: u8, index: u64, width: u16) -> String {
    let mut groups = format!("{:03}", index % 1_000);
    let mut rest = index / 1_000;
    while rest > 0 {
        groups = format!("x{:03}/{groups}", rest % 1_000);
        rest /= 1_000;
    }
    match width {
        FULL_TILE => format!("tile/{level}/{groups}"),
        width => format!("tile/{level}/{groups}.p/{width}"),
    }
}

impl Field for Frontier {
    fn put(&self, out: &mut alloc::vec::Vec<u8>) {
        self.size.put(out);
        self.roots.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (size, roots): (u64, ArrayVec<Digest, 64>) = (reader.get()?, reader.get()?);
        if u32::try_from(roots.len()).ok() != Some(size.count_ones()) {
            return Err(DecodeError::invalid("frontier", "must have one root per set bit of size"));
        }
        Ok(Self { size, roots })
    }
}
