//! The one integration test binary.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod reconciliation;
