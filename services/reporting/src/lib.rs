//! The console: what the office and the ledger's tables hold, as pages for people who sign in. It must never write to
//! schema `ledger`, sign an item of it, or do an act that the office would not let the same person do.
//!
//! Pages are made on the server and work without a script. [`routes::table`] is every route with what it asks of a
//! person; only `store` knows SQL.

use std::{net::SocketAddr, path::PathBuf};

pub mod access;
pub mod app;
pub mod csrf;
pub mod desk;
pub mod figures;
pub mod forecast;
pub mod measure;
pub mod oidc;
pub mod password;
pub mod plot;
pub mod routes;
pub mod run;
pub mod sessions;
pub mod settings;
pub mod store;
pub mod view;

pub use run::{CONDITIONS, run};
pub use settings::Settings;

#[cfg(test)]
mod tests;

/// Why a console does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{field}: {reason}")]
    Settings { field: &'static str, reason: String },
    #[error("{}: {reason}", file.display())]
    Accounts { file: PathBuf, reason: String },
    #[error("health_listen: health cannot be served")]
    Health(#[source] services_runtime::health::Error),
    #[error("https: the certificate cannot be used")]
    Tls(#[source] services_runtime::tls::Error),
    #[error("database_url: it is no address of a database")]
    Store(#[source] store::Error),
    #[error("rules: the office cannot be opened")]
    Office(#[source] services_office::Error),
    #[error("listen: {address} cannot be served")]
    Serve {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}
