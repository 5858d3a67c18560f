//! The calling side: gRPC channels by mutual TLS with hot reload, and an HTTPS client that trusts
//! one CA. It must never trust the system's CAs.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use super::files::{Files, read_chain, read_key, read_revoked, read_roots};
use super::identity::{Identity, certificate_identity};
use super::watch::watch;
use super::{Error, provider};
use crate::grpc::ClientLimits;
use crate::shutdown::Shutdown;

const HTTP_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);

/// Whom a server's certificate must state.
#[derive(Clone, Debug)]
enum Server {
    /// Anyone of this role.
    Role(&'static str),
    /// This one alone.
    Identity(Identity),
}

impl Server {
    fn is(&self, identity: &Identity) -> bool {
        match self {
            Self::Role(role) => identity.role == *role,
            Self::Identity(own) => identity == own,
        }
    }
}

/// Client side of mutual TLS for gRPC; new connections use what was loaded last.
pub struct ClientTls {
    files: Files,
    config: ArcSwap<ClientConfig>,
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientTls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ClientTls {
    pub fn load(files: Files) -> Result<Arc<Self>, Error> {
        let config = ArcSwap::from(client_config(&files)?);
        Ok(Arc::new(Self { files, config }))
    }

    /// Reads the files again; on an error the old certificates stay.
    pub fn reload(&self) -> Result<(), Error> {
        self.config.store(client_config(&self.files)?);
        Ok(())
    }

    /// Reloads by itself when a file changes, looking `every` so often.
    pub fn watch(self: &Arc<Self>, every: Duration, shutdown: &Shutdown) {
        let (tls, token) = (Arc::clone(self), shutdown.token());
        shutdown.spawn("tls-client-watch", async move {
            watch(tls.files.paths(), every, token, || tls.reload()).await;
            Ok::<_, Error>(())
        });
    }

    /// A channel to `address` (`https://host:port`) that connects on first use and again after a
    /// break. The server's certificate must fit the host and state the role `server_role`, so that
    /// no other holder of a certificate of the same CA can pose as the server.
    pub fn channel(
        self: &Arc<Self>,
        address: &str,
        server_role: &'static str,
        limits: &ClientLimits,
    ) -> Result<Channel, Error> {
        self.channel_of(address, Server::Role(server_role), limits)
    }

    /// The same to the one server that `identity` names, so that no other of its role can pose as it.
    pub fn channel_to(
        self: &Arc<Self>,
        address: &str,
        identity: &Identity,
        limits: &ClientLimits,
    ) -> Result<Channel, Error> {
        self.channel_of(address, Server::Identity(identity.clone()), limits)
    }

    fn channel_of(
        self: &Arc<Self>,
        address: &str,
        server: Server,
        limits: &ClientLimits,
    ) -> Result<Channel, Error> {
        let malformed = || Error::Address { address: address.to_owned() };
        let origin: Uri = address.parse().map_err(|_| malformed())?;
        let authority = origin.authority().filter(|authority| authority.port().is_some());
        let authority = authority.ok_or_else(malformed)?;
        if origin.scheme_str() != Some("https") {
            return Err(malformed());
        }
        // tonic refuses an https URI unless it makes the TLS itself; `origin` restores the scheme
        // that requests carry.
        let endpoint = Endpoint::from_shared(format!("http://{authority}"))
            .map_err(|_| malformed())?
            .origin(origin);
        let tls = Arc::clone(self);
        let connector = tower::service_fn(move |uri: Uri| {
            let (tls, server) = (Arc::clone(&tls), server.clone());
            async move { tls.dial(&uri, &server).await.map(TokioIo::new) }
        });
        Ok(limits.apply(endpoint).connect_with_connector_lazy(connector))
    }

    /// A channel to each of `addresses`, in their order, as [`ClientTls::channel`] makes them.
    pub fn channels(
        self: &Arc<Self>,
        addresses: &[String],
        server_role: &'static str,
        limits: &ClientLimits,
    ) -> Result<Vec<Channel>, Error> {
        if addresses.is_empty() {
            return Err(Error::NoAddress);
        }
        addresses.iter().map(|address| self.channel(address, server_role, limits)).collect()
    }

    #[cfg(test)]
    pub(super) async fn connect(
        &self,
        uri: &Uri,
        server_role: &'static str,
    ) -> io::Result<TlsStream<TcpStream>> {
        self.dial(uri, &Server::Role(server_role)).await
    }

    async fn dial(&self, uri: &Uri, server: &Server) -> io::Result<TlsStream<TcpStream>> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or_default();
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(self.config.load_full());
        let stream = connector.connect(name, stream).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.ok_or_else(|| io::Error::other("no server certificate"))?;
        let identity = certificate_identity(certificate).map_err(io::Error::other)?;
        if !server.is(&identity) {
            let reason = format!("the server is {identity}, and not whom it has to be: {server:?}");
            return Err(io::Error::other(reason));
        }
        Ok(stream)
    }
}

fn client_config(files: &Files) -> Result<Arc<ClientConfig>, Error> {
    let certificate = |source| Error::Certificate { file: files.certificate.clone(), source };
    let roots = read_roots(&files.ca)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
        .with_crls(read_revoked(files.revoked.as_ref())?.lists)
        .only_check_end_entity_revocation()
        .allow_unknown_revocation_status()
        .build()
        .map_err(|source| Error::Ca { file: files.ca.clone(), source: Box::new(source) })?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(certificate)?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(read_chain(&files.certificate)?, read_key(&files.key)?)
        .map_err(certificate)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// What every HTTP client is made with: without it the first one of a process may find no
/// cryptography, and panics.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn http_builder() -> reqwest::ClientBuilder {
    super::install_default_provider();
    reqwest::Client::builder()
}

/// An HTTPS client that trusts only the CA in the PEM file `ca`.
pub fn http_client(ca: &Path) -> Result<reqwest::Client, Error> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|source| Error::Certificate { file: ca.to_owned(), source })?
        .with_root_certificates(read_roots(ca)?)
        .with_no_client_auth();
    http_builder()
        .tls_backend_preconfigured(config)
        .https_only(true)
        .connect_timeout(HTTP_CONNECT_TIMEOUT)
        .timeout(HTTP_TIMEOUT)
        .build()
        .map_err(Error::HttpClient)
}
