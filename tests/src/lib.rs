//! The test harness: real nodes, a real Postgres; it holds no test.

pub mod bank;
pub mod chaos;
mod clients;
mod desk;
mod judge;
pub mod memory;
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

/// Says a line aloud: unlike what a passing test prints, it is not kept from people.
///
/// # Panics
/// When standard error is gone.
pub fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}

/// Says aloud that a test skips.
///
/// # Panics
/// When standard error is gone.
pub fn skipped(why: &str) {
    say(&format!("skipped: {why}"));
}
