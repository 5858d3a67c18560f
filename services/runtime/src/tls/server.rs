//! The listening side of mutual TLS: bounded handshakes, the peer's identity, hot reload. It must
//! never hand on a connection whose client certificate states no identity.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Sleep, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use super::files::{Files, Serials, read_chain, read_key, read_revoked, read_roots};
use super::identity::{Identity, certificate_identity, certificate_serial};
use super::watch::watch;
use super::{Error, provider};
use crate::error::{ErrorCode, Failure, chain};
use crate::shutdown::Shutdown;
use crate::tickets::{Ticket, Tickets};

/// After a failed accept, usually for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Server side of mutual TLS for gRPC; new connections use what was loaded last.
pub struct ServerTls {
    files: Files,
    config: ArcSwap<ServerConfig>,
    revoked: Arc<ArcSwap<Serials>>,
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ServerTls {
    pub fn load(files: Files) -> Result<Arc<Self>, Error> {
        let (config, revoked) = server_config(&files)?;
        let (config, revoked) = (ArcSwap::from(config), Arc::new(ArcSwap::from_pointee(revoked)));
        Ok(Arc::new(Self { files, config, revoked }))
    }

    /// Reads the files again; on an error the old certificates and lists stay. Connections of
    /// certificates that were revoked meanwhile end at their next byte.
    pub fn reload(&self) -> Result<(), Error> {
        let (config, revoked) = server_config(&self.files)?;
        self.config.store(config);
        self.revoked.store(Arc::new(revoked));
        Ok(())
    }

    /// Reloads by itself when a file changes, looking `every` so often.
    pub fn watch(self: &Arc<Self>, every: Duration, shutdown: &Shutdown) {
        let (tls, token) = (Arc::clone(self), shutdown.token());
        shutdown.spawn("tls-server-watch", async move {
            watch(tls.files.paths(), every, token, || tls.reload()).await;
            Ok::<_, Error>(())
        });
    }

    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

fn server_config(files: &Files) -> Result<(Arc<ServerConfig>, Serials), Error> {
    let (roots, revoked) = (read_roots(&files.ca)?, read_revoked(files.revoked.as_ref())?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .with_crls(revoked.lists)
        .only_check_end_entity_revocation()
        // A list of another CA of the file says nothing about this certificate.
        .allow_unknown_revocation_status()
        .build()
        .map_err(|source| Error::Ca { file: files.ca.clone(), source: Box::new(source) })?;
    let certificate = |source| Error::Certificate { file: files.certificate.clone(), source };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(certificate)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(read_chain(&files.certificate)?, read_key(&files.key)?)
        .map_err(certificate)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not be checked against a CA that was replaced meanwhile.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok((Arc::new(config), revoked.serials))
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerLimits {
    /// Connections beyond it are closed at once.
    pub connections_max: usize,
    /// The same for one identity, so that one holder of a certificate does not shut others out.
    pub connections_per_identity_max: usize,
    /// Handshakes at one time, apart from connections; more wait in the kernel's queue, so it is far
    /// above what a crowd of honest clients needs at once.
    pub handshakes_max: usize,
    /// For the handshake, and again for the first bytes after it.
    pub handshake_timeout_ms: u64,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            connections_per_identity_max: 256,
            handshakes_max: 512,
            handshake_timeout_ms: 5_000,
        }
    }
}

/// Who is at the other end of a connection, in the extensions of each of its requests.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    pub identity: Arc<Identity>,
}

/// The identity that the peer's certificate states. `None` only where a request came by another
/// way than [`incoming`].
#[must_use]
pub fn peer_identity<T>(request: &tonic::Request<T>) -> Option<Arc<Identity>> {
    request.extensions().get::<Peer>().map(|peer| Arc::clone(&peer.identity))
}

/// The peer's identity if its role is one of `roles`, else the failure to answer with.
pub fn require_role<T>(
    request: &tonic::Request<T>,
    roles: &[&str],
) -> Result<Arc<Identity>, Failure> {
    let identity = peer_identity(request).ok_or_else(|| {
        Failure::new(ErrorCode::Unauthenticated, "no client certificate; connect by mutual TLS")
    })?;
    if roles.contains(&identity.role.as_str()) {
        return Ok(identity);
    }
    let detail = format!("role {} may not call this; it needs {}", identity.role, roles.join(", "));
    Err(Failure::new(ErrorCode::Forbidden, detail))
}

/// An accepted connection; it counts against `connections_max` until dropped.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    serial: Vec<u8>,
    revoked: Arc<ArcSwap<Serials>>,
    /// Until when it must have said something; `None` once it has.
    silent_until: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
    _ticket: Ticket<Identity>,
}

impl Connection {
    /// Fails when nothing was said in time.
    fn check_silence(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let late = self.silent_until.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready());
        if late { Err(io::Error::other("nothing was said in time")) } else { Ok(()) }
    }

    /// Fails once the peer's certificate is revoked.
    fn check(&self) -> io::Result<()> {
        match self.revoked.load().contains(&self.serial) {
            true => Err(io::Error::other("the certificate was revoked")),
            false => Ok(()),
        }
    }
}

/// Accepts on `listener` until `shutdown`, for tonic's `serve_with_incoming_shutdown`.
pub fn incoming(
    listener: TcpListener,
    tls: Arc<ServerTls>,
    limits: &ListenerLimits,
    shutdown: &Shutdown,
) -> ReceiverStream<io::Result<Connection>> {
    let (accepted, connections) = mpsc::channel(16);
    let acceptor = Acceptor {
        tls,
        connections: Arc::new(Semaphore::new(limits.connections_max)),
        identities: Tickets::new(usize::MAX, limits.connections_per_identity_max),
        handshakes: Arc::new(Semaphore::new(limits.handshakes_max)),
        handshake_timeout: Duration::from_millis(limits.handshake_timeout_ms),
        accepted,
    };
    let token = shutdown.token();
    shutdown.spawn("tls-accept", async move {
        acceptor.run(listener, token).await;
        Ok::<_, io::Error>(())
    });
    ReceiverStream::new(connections)
}

struct Acceptor {
    tls: Arc<ServerTls>,
    connections: Arc<Semaphore>,
    identities: Tickets<Identity>,
    handshakes: Arc<Semaphore>,
    handshake_timeout: Duration,
    accepted: mpsc::Sender<io::Result<Connection>>,
}

impl Acceptor {
    async fn run(self, listener: TcpListener, token: CancellationToken) {
        while let Some(next) = token.run_until_cancelled(self.next(&listener)).await {
            match next {
                Ok((stream, address, handshake)) => self.start(stream, address, handshake),
                Err(error) => {
                    warn!(error = chain(&error), "cannot accept connections, trying again");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn next(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        // Before `accept`, so that the surplus waits in the kernel and not in our memory.
        let handshake =
            Arc::clone(&self.handshakes).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, address) = listener.accept().await?;
        Ok((stream, address, handshake))
    }

    fn start(&self, stream: TcpStream, address: SocketAddr, handshake: OwnedSemaphorePermit) {
        let connections = Arc::clone(&self.connections);
        let acceptor = TlsAcceptor::from(self.tls.config());
        let (accepted, timeout) = (self.accepted.clone(), self.handshake_timeout);
        let identities = self.identities.clone();
        let revoked = Arc::clone(&self.tls.revoked);
        tokio::spawn(async move {
            match tokio::time::timeout(timeout, shake_hands(acceptor, stream, address)).await {
                Ok(Ok((stream, peer, serial))) => {
                    drop(handshake);
                    let Ok(permit) = connections.try_acquire_owned() else {
                        refuse(address, "connections_max", "too many connections");
                        return;
                    };
                    let Some(ticket) = identities.take(Identity::clone(&peer.identity)) else {
                        refuse(address, "connections_per_identity_max", "too many of one identity");
                        return;
                    };
                    let connection = Connection {
                        stream,
                        peer,
                        serial,
                        revoked,
                        silent_until: Some(Box::pin(sleep(timeout))),
                        _permit: permit,
                        _ticket: ticket,
                    };
                    // Fails only when the server has ended.
                    let _ = accepted.send(Ok(connection)).await;
                }
                Ok(Err(error)) => refuse(address, "handshake", &chain(&error)),
                Err(_) => refuse(address, "timeout", "no handshake in time"),
            }
        });
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
) -> io::Result<(TlsStream<TcpStream>, Peer, Vec<u8>)> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.ok_or_else(|| io::Error::other("no client certificate"))?;
    let identity = Arc::new(certificate_identity(certificate).map_err(io::Error::other)?);
    let serial = certificate_serial(certificate).map_err(io::Error::other)?;
    Ok((stream, Peer { address, identity }, serial))
}

fn refuse(address: SocketAddr, reason: &'static str, cause: &str) {
    metrics::counter!("tls_connections_refused_total", "reason" => reason).increment(1);
    debug!(%address, reason, cause, "connection refused");
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() {
            self.check_silence(cx)?;
        } else if buf.filled().len() > before {
            self.silent_until = None;
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
