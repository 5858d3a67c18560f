//! HTTPS servers: their start and end, and limits, all stated, none left to a default of a library. It must never know
//! which resources are served.

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum_server::Server;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::shutdown::Shutdown;
use crate::tls::HttpsTls;

mod unread;

/// How often certificates are looked for that were renewed.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(30);
/// How long open requests may take when the process ends.
const GRACE: Duration = Duration::from_secs(5);
/// A body is at most a MiB; a window of this size takes it in a few round trips.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
const FRAME_BYTES_MAX: u32 = 64 << 10;
/// Request line and headers of HTTP/1.1; header list of HTTP/2.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
const HEADERS_MAX: usize = 64;
const RESET_STREAMS_MAX: usize = 64;
/// What a slow reader may leave unsent in memory, for each of its calls.
const SEND_BYTES_MAX: usize = 256 << 10;

/// How much a server bears of its callers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpLimits {
    /// Connections beyond it are closed at once.
    pub connections_max: usize,
    /// Requests at one time on one connection (HTTP/2).
    pub streams_max: u32,
    pub handshake_timeout_ms: u64,
    /// From the handshake to the whole head of the first request.
    pub first_request_timeout_ms: u64,
    /// From an answer to the whole head of the next request (HTTP/1.1).
    pub next_request_timeout_ms: u64,
    /// Between pings (HTTP/2); who does not answer one in time is gone.
    pub keepalive_interval_ms: u64,
    pub keepalive_timeout_ms: u64,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            streams_max: 100,
            handshake_timeout_ms: 5_000,
            first_request_timeout_ms: 10_000,
            next_request_timeout_ms: 60_000,
            keepalive_interval_ms: 10_000,
            keepalive_timeout_ms: 5_000,
        }
    }
}

/// Serves until `shutdown`, then lets open requests end.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    https: &HttpsTls,
    limits: &HttpLimits,
    router: Router,
    shutdown: &Shutdown,
) -> io::Result<()> {
    https.watch(CERTIFICATES_EVERY, shutdown);
    let handle = axum_server::Handle::new();
    let (token, stop) = (shutdown.token(), handle.clone());
    shutdown.spawn("https-stop", async move {
        token.cancelled().await;
        stop.graceful_shutdown(Some(GRACE));
        Ok::<_, io::Error>(())
    });
    let service = router.layer(from_fn(unread::told));
    server(address, https.config(), limits)
        .handle(handle)
        .serve(service.into_make_service_with_connect_info::<SocketAddr>())
        .await
}

/// A server with `limits`; give it a handle, then `serve`.
#[must_use]
pub fn server(
    address: SocketAddr,
    tls: RustlsConfig,
    limits: &HttpLimits,
) -> Server<SocketAddr, RustlsAcceptor<Bounded>> {
    let connections = Arc::new(Semaphore::new(limits.connections_max));
    let acceptor = RustlsAcceptor::new(tls)
        .handshake_timeout(Duration::from_millis(limits.handshake_timeout_ms))
        .acceptor(Bounded { connections });
    let mut server = axum_server::bind(address)
        .acceptor(acceptor)
        .first_request_timeout(Duration::from_millis(limits.first_request_timeout_ms));
    let builder = server.http_builder();
    builder
        .http1()
        .keep_alive(true)
        .half_close(false)
        .max_headers(HEADERS_MAX)
        .max_buf_size(bytes(HEADERS_BYTES_MAX))
        .header_read_timeout(Duration::from_millis(limits.next_request_timeout_ms));
    builder
        .http2()
        .max_concurrent_streams(limits.streams_max)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(RESET_STREAMS_MAX)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_send_buf_size(SEND_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(Duration::from_millis(limits.keepalive_interval_ms))
        .keep_alive_timeout(Duration::from_millis(limits.keepalive_timeout_ms));
    server
}

fn bytes(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Takes connections while there are fewer than the greatest number.
#[derive(Clone, Debug)]
pub struct Bounded {
    connections: Arc<Semaphore>,
}

impl<S> Accept<TcpStream, S> for Bounded {
    type Stream = TcpStream;
    type Service = Counted<S>;
    type Future = Ready<io::Result<(TcpStream, Counted<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() else {
            metrics::counter!("http_connections_refused_total").increment(1);
            return ready(Err(io::Error::other("too many connections")));
        };
        let counted = Counted { service, _permit: Arc::new(permit) };
        ready(stream.set_nodelay(true).map(|()| (stream, counted)))
    }
}

/// What serves a connection, which counts until this is dropped.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    service: S,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl<S: Service<R>, R> Service<R> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.service.call(request)
    }
}
