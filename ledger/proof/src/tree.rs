//! The Merkle tree of RFC 6962: hashes, frontier, tiles; it knows no record and no storage.
use arrayvec::ArrayVec;
use sha2::{Digest as _, Sha256};

use crate::codec::{DecodeError, Digest, Field, Reader};

/// Leaves in a full tile (C2SP tlog-tiles).
pub const TILE_WIDTH: u64 = 256;

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
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
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
