//! A liquidity bank's quoting service: prices from mid rates and answers from quotes that stand on the ledger; it never settles.

pub mod api;
pub mod client;
pub mod measure;
pub mod price;
pub mod rates;
pub mod run;
pub mod settings;
pub mod standing;

pub use run::{CONDITIONS, run};
pub use settings::Settings;
