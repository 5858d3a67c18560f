//! TLS 1.3 with the ring provider only: mutual for gRPC, server-only for HTTPS, read anew when the
//! files change. It must never know what an identity's role may do.

mod client;
mod files;
mod https;
mod identity;
mod server;
mod watch;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use client::{ClientTls, http_builder, http_client};
pub use files::{Files, HttpsFiles};
pub use https::HttpsTls;
pub use identity::{Identity, IdentityError, certificate_identity};
pub use server::{
    Connection, ListenerLimits, Peer, ServerTls, incoming, peer_identity, require_role,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: cannot be read as PEM ({what}); check the path, its permissions and its content", file.display())]
    Pem {
        file: PathBuf,
        what: &'static str,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("{}: holds no {what}; give a PEM file that does", file.display())]
    Empty { file: PathBuf, what: &'static str },
    #[error("{}: its CA certificate is not usable; make it anew", file.display())]
    Ca {
        file: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{}: its revocation list is not usable; make it anew", file.display())]
    Revoked {
        file: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{}: does not fit its private key or is not usable; make both anew", file.display())]
    Certificate {
        file: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("{address:?} is not an address; write https://host:port")]
    Address { address: String },
    #[error("no address is given; write at least one https://host:port")]
    NoAddress,
    #[error("the HTTP client cannot be built")]
    HttpClient(#[source] reqwest::Error),
}

/// Makes ring the process's only provider. Call first in `main`; calling again does no harm.
pub fn install_default_provider() {
    // An error means that it is installed already, which is what is wanted.
    let _already = rustls::crypto::ring::default_provider().install_default();
}

fn provider() -> Arc<CryptoProvider> {
    // Not the process default: a library that installs another must not change what we speak.
    Arc::new(rustls::crypto::ring::default_provider())
}
