//! Writes the ledger's event stream to Postgres exactly once and ties the balances out; it never writes to the ledger.

pub mod book;
pub mod measure;
pub mod record;
pub mod run;
pub mod settings;
pub mod store;
pub mod sweep;
pub mod tie_out;

pub use run::{CONDITIONS, Report, Source, ledger_client, rebuild, run, sweep};
pub use settings::Settings;
pub use store::{Store, Summary, summary};
