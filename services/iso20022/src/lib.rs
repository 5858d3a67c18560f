//! ISO 20022 messages: lenient readers and XSD-exact writers; it must never do I/O, know a
//! transport, or decide more than what a message itself and its caller's answers decide.
//!
//! `read` takes any bytes, `verdict` says why they are refused, `pacs002` writes the answer.

pub mod amount;
pub mod head;
pub mod inbound;
pub mod pacs002;
pub mod pacs008;
pub mod shape;
pub mod verdict;
mod write;
pub mod xml;

pub use amount::{Amount, Decimal, decimal_text};
pub use head::AppHdr;
pub use inbound::{Inbound, read};
pub use pacs008::Pacs008;
pub use shape::Finding;
pub use verdict::{Refusal, verdict};

#[cfg(test)]
mod tests;
