//! The test harness: real nodes, a real Postgres; it holds no test.

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
