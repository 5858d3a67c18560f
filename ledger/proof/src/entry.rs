//! A Raft entry's payload: one stamp, the envelopes as they came, and their blobs; it applies nothing.
use alloc::vec::Vec;

use ledger_types::Timestamp;

use crate::codec::{DecodeError, Field, Reader};

/// The most envelopes in one entry.
pub const ENVELOPES_MAX: usize = 4_096;

/// What the leader proposes. An entry without envelopes is a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The leader's clock; the ledger uses the later of it and its own time.
    pub stamp: Timestamp,
    /// Envelopes as they came in.
    pub envelopes: Vec<&'a [u8]>,
    /// Sealed blobs, each named by the digest in an item; at most 4 KiB each.
    pub blobs: Vec<&'a [u8]>,
}

impl<'a> Entry<'a> {
    /// Appends version ‖ stamp ‖ count ‖ (length ‖ envelope)… ‖ count ‖ (length ‖ blob)….
    pub fn put(&self, out: &mut Vec<u8>) {
        1_u8.put(out);
        self.stamp.put(out);
        for list in [&self.envelopes, &self.blobs] {
            u32::try_from(list.len()).unwrap_or(u32::MAX).put(out);
            for bytes in list {
                u32::try_from(bytes.len()).unwrap_or(u32::MAX).put(out);
                out.extend_from_slice(bytes);
            }
        }
    }

    /// Reads an entry; envelopes and blobs stay slices of it.
    ///
    /// # Errors
    /// When the bytes are no entry.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.get::<u8>()? != 1 {
            return Err(DecodeError::invalid("entry version", "must be 1"));
        }
        let stamp = reader.get()?;
        let envelopes = slices(&mut reader)?;
        let blobs = slices(&mut reader)?;
        reader.end()?;
        Ok(Self { stamp, envelopes, blobs })
    }
}

fn slices<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, DecodeError> {
    let count: u32 = reader.get()?;
    let mut list = Vec::new();
    for _ in 0..count {
        let length: u32 = reader.get()?;
        let length = usize::try_from(length).map_err(|_| DecodeError::Short)?;
        list.push(reader.take(length)?);
    }
    Ok(list)
}
