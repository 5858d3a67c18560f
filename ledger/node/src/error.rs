//! Why a node cannot start or ends, and the halt that follows a broken disk or a broken peer; it never resumes.
use std::{io, net::SocketAddr, path::PathBuf};

use ledger_proof::DecodeError;

/// Why a node did not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings contradict each other.
    #[error("{field}: {reason}")]
    Settings {
        /// The settings' field.
        field: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A file or folder of the node.
    #[error("{}: cannot be used; check that it exists and may be read and written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The genesis file.
    #[error("{}: is not a genesis; give the file that `network new` wrote", path.display())]
    Genesis {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// What the disk holds cannot be trusted: the node must be replaced under a new id.
    #[error("{what}: the stored data is not usable; replace this node")]
    Damaged {
        /// What was read.
        what: String,
    },
    /// A database refused: it is damaged, in use, or its disk failed.
    #[error("{what}: failed; if the cause says corruption, replace this node")]
    Rows {
        /// What was done.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A row of the state.
    #[error("the stored state is of another version or network")]
    State(#[source] DecodeError),
    /// The system gave no randomness.
    #[error("the system gives no randomness: {0}")]
    Random(String),
    /// Certificates.
    #[error("TLS cannot be set up")]
    Tls(#[source] services_runtime::tls::Error),
    /// The health listener.
    #[error("the health pages cannot be served")]
    Health(#[source] services_runtime::health::Error),
    /// Spans.
    #[error("telemetry: spans cannot be sent")]
    Telemetry(#[source] services_runtime::telemetry::Error),
    /// A listener.
    #[error("{address}: cannot listen; choose a free address")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A gRPC server.
    #[error("the {name} server ended")]
    Serve {
        /// Which.
        name: &'static str,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// Another node will have nothing to do with this one.
    #[error("refused by node {node}: this node {reason}")]
    Refused {
        /// By which.
        node: u64,
        /// Why.
        reason: String,
    },
    /// Consensus.
    #[error("consensus failed: {0}")]
    Raft(String),
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(crate) fn rows(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Rows { what, source }
    }
}

/// Ends the process at once: after a failed write nothing that this process believes is safe.
pub(crate) fn halt(what: &str, error: &dyn std::fmt::Display) -> ! {
    metrics::counter!("causeway_ledger_alarms_total").increment(1);
    tracing::error!(what, %error, "halting: replace or restart this node after finding the cause");
    std::process::abort()
}

/// A result that must not fail, or the halt.
pub(crate) trait OrHalt<T> {
    fn or_halt(self, what: &str) -> T;
}

impl<T, E: std::fmt::Display> OrHalt<T> for Result<T, E> {
    fn or_halt(self, what: &str) -> T {
        self.unwrap_or_else(|error| halt(what, &error))
    }
}
