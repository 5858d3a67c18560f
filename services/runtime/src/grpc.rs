//! Limits of gRPC servers and channels, all stated, none left to a default of a library. It must
//! never know which services are served.

use std::time::Duration;

use serde::Deserialize;
use tonic::transport::{Endpoint, Server};

/// Windows and frames fit envelopes of megabytes: with HTTP/2's own 64 KiB windows a single
/// connection waits for a round trip every 64 KiB.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
const FRAME_BYTES_MAX: u32 = 256 << 10;
const HEADERS_BYTES_MAX: u32 = 16 << 10;
const RESET_STREAMS_MAX: usize = 64;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerLimits {
    /// Calls at one time on one connection.
    pub streams_max: u32,
    /// From a call's headers to the headers of its answer; a streamed answer may last longer.
    pub timeout_ms: u64,
    pub keepalive_interval_ms: u64,
    pub keepalive_timeout_ms: u64,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            streams_max: 256,
            timeout_ms: 30_000,
            keepalive_interval_ms: 10_000,
            keepalive_timeout_ms: 5_000,
        }
    }
}

/// A tonic server with `limits`; add services, then `serve_with_incoming_shutdown` over
/// `tls::incoming`.
#[must_use]
pub fn server(limits: &ServerLimits) -> Server {
    Server::builder()
        .max_concurrent_streams(limits.streams_max)
        .timeout(Duration::from_millis(limits.timeout_ms))
        .http2_keepalive_interval(Some(Duration::from_millis(limits.keepalive_interval_ms)))
        .http2_keepalive_timeout(Some(Duration::from_millis(limits.keepalive_timeout_ms)))
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS_MAX))
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientLimits {
    pub connect_timeout_ms: u64,
    /// From a call's start to the headers of its answer; a streamed answer may last longer.
    pub timeout_ms: u64,
    pub keepalive_interval_ms: u64,
    pub keepalive_timeout_ms: u64,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 2_000,
            timeout_ms: 30_000,
            keepalive_interval_ms: 2_000,
            keepalive_timeout_ms: 2_000,
        }
    }
}

impl ClientLimits {
    /// The endpoint with these limits.
    #[must_use]
    pub fn apply(&self, endpoint: Endpoint) -> Endpoint {
        endpoint
            .connect_timeout(Duration::from_millis(self.connect_timeout_ms))
            .timeout(Duration::from_millis(self.timeout_ms))
            .http2_keep_alive_interval(Duration::from_millis(self.keepalive_interval_ms))
            .keep_alive_timeout(Duration::from_millis(self.keepalive_timeout_ms))
            .keep_alive_while_idle(true)
            .http2_max_header_list_size(HEADERS_BYTES_MAX)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES_MAX)
    }
}
