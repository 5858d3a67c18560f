//! ISO 20022 messages: lenient readers and XSD-exact writers; it must never do I/O, know a
//! transport, or decide more than what a message itself and its caller's answers decide.
//!
//! `read` takes any bytes, `verdict` and `life_cycle` say why they are refused, `policy` what a market
//! adds, and each message's own module reads and writes it. `check` puts all of that together.

pub mod amount;
pub mod camt029;
pub mod camt053;
pub mod camt054;
pub mod camt056;
pub mod check;
pub mod codes;
pub mod head;
pub mod inbound;
pub mod life_cycle;
pub mod original;
pub mod pacs002;
pub mod pacs004;
pub mod pacs008;
pub mod pacs009;
pub mod pacs028;
pub mod pain001;
pub mod pain002;
pub mod policy;
pub mod shape;
pub mod statement;
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
