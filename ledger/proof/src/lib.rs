//! What is signed and hashed: envelope, item, record and tree encodings, fixed for life; it keeps no state and decides no outcome.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod codec;
pub mod entry;
pub mod envelope;
pub mod genesis;
pub mod item;
pub mod note;
pub mod operator;
pub mod record;
pub mod sealed;
pub mod signature;
pub mod tree;

pub use codec::{DecodeError, Digest, Field, Reader};
pub use entry::Entry;
pub use envelope::{Envelope, Header, ItemBytes, Signature};
pub use genesis::Genesis;
pub use item::{Item, ItemKind};
pub use record::{EntryRecord, Part, Record, RecordKind};
pub use tree::Frontier;

#[cfg(test)]
mod tests;
