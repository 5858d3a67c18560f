//! The back office's own books: statements taken in, movements laid side by side, breaks worked by people and days
//! closed. It must never write to schema `ledger`, sign an item or serve anybody: a console, an API and a command
//! line call it.
//!
//! [`Office`] is the handle; every act takes the [`Actor`] who does it. What needs no database is pure and stands in
//! its own file; only `store` knows SQL.

pub mod actor;
pub mod breaks;
pub mod bridge;
pub mod calendar;
pub mod correction;
pub mod day;
pub mod documents;
pub mod edit;
pub mod error;
pub mod inbox;
pub mod journal;
pub mod outcome;
pub mod pull;
pub mod run;
pub mod settings;
pub mod store;
pub mod take;

pub use actor::{Actor, Role};
pub use error::Error;
pub use run::{CONDITIONS, run};
pub use settings::{Rules, Settings};
pub use store::Office;

#[cfg(test)]
mod tests;
