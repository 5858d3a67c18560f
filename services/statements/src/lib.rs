//! Account statements in every format, read as a stream and judged: does the arithmetic hold, does
//! one day follow the other, was it taken before. It must never do I/O of its own, know a database,
//! or correct what a servicer wrote.
//!
//! The model and the reader of camt.05x are `services_iso20022::statement`; MT940, MT942 and CSV are
//! read here into the same items. [`judge::judge`] takes any of them.

pub mod chain;
pub mod csv;
pub mod judge;
pub mod mt;
pub mod ties;

mod source;
mod tally;
mod text;

pub use judge::{Judged, Statement, judge};
pub use services_iso20022::check::Verdict;
pub use services_iso20022::statement::{
    Account, Balance, Batch, Charges, Code, CreditDebit, Detail, Entry, EntryStatus, Finding, Head,
    Item, Kind, Money, Page, Parties, References, Severity, Sum, Summary, Total,
};
pub use source::Items;

#[cfg(test)]
mod tests;
