//! A liquidity bank's quoting service: prices from mid rates, registers on the ledger, then answers; it never settles.

pub mod api;
pub mod client;
pub mod measure;
pub mod price;
pub mod rates;
pub mod run;
pub mod settings;

pub use run::{CONDITIONS, run};
pub use settings::Settings;
