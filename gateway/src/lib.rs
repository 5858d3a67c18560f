//! A participant's gateway: REST and ISO 20022 in, signed envelopes out; it holds personal data and keys, and never another participant's.

pub mod app;
pub mod banking;
pub mod batches;
pub mod clock;
pub mod decide;
pub mod directory;
pub mod error;
pub mod events;
pub mod legs;
pub mod measure;
pub mod names;
pub mod outbox;
pub mod payee;
pub mod personal;
pub mod pickup;
pub mod problem;
pub mod quotes;
pub mod routes;
pub mod run;
pub mod screening;
pub mod sealing;
pub mod security;
pub mod settings;
pub mod signer;
pub mod store;
#[cfg(test)]
mod testing;
pub mod traced;
pub mod tracking;
pub mod transfers;
pub mod turns;
pub mod webhooks;

pub use error::Error;
pub use run::{api_key_create, audit::verify as audit_verify, ready::CONDITIONS, run};
pub use settings::Settings;
