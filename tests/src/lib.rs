//! The test harness: real nodes, a real Postgres; it holds no test.

pub use services_cli::demo::postgres;
