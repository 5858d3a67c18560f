//! The test harness: real nodes, a real Postgres.
