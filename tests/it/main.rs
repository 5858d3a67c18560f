//! The one integration test binary.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod demo;
mod gateway_faults;
mod gateway_routes;
mod gateway_store;
mod kill_leader;
mod ofac;
mod readme;
mod reconciliation;
mod tidy;
