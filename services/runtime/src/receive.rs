//! A small receiver of HTTP POSTs, for tools and tests that take calls from a service. It must never
//! know what a call means.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

/// The largest body taken.
const BODY_BYTES_MAX: usize = 1 << 20;

/// One call, and where its answer's status goes.
#[derive(Debug)]
pub struct Call {
    /// Headers by name, in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
    /// Dropped unused: 500.
    pub answer: oneshot::Sender<u16>,
}

/// Receives until the receiving end of `calls` goes.
pub async fn receive(listener: TcpListener, calls: mpsc::Sender<Call>) -> std::io::Result<()> {
    let router = Router::new()
        .fallback(handle)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(calls.clone());
    axum::serve(listener, router).with_graceful_shutdown(async move { calls.closed().await }).await
}

async fn handle(
    State(calls): State<mpsc::Sender<Call>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let word = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), word(value))).collect();
    let (answer, answered) = oneshot::channel();
    if calls.send(Call { headers, body, answer }).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let status = answered.await.unwrap_or(500);
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
