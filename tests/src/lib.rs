//! The test harness: real nodes, a real Postgres; it holds no test.

pub mod bank;
pub mod chaos;
mod clients;
mod judge;
mod model;
#[cfg(feature = "simulation")]
pub mod simulation;
mod window;
mod world;

use std::io::Write as _;

pub use services_cli::demo::postgres;

/// A UETR that no other test uses.
///
/// # Panics
/// When the system has no randomness.
#[must_use]
pub fn fresh_uetr() -> String {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system gives randomness");
    ledger_types::Uetr::from_random(random).to_string()
}

/// Says aloud that a test skips: unlike what a passing test prints, this is not kept from people.
///
/// # Panics
/// When standard error is gone.
pub fn skipped(why: &str) {
    let said = writeln!(std::io::stderr(), "skipped: {why}");
    said.expect("standard error takes a line");
}
