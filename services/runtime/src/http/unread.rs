//! Keeps a connection honest whose request was answered before it was read: a short rest is read, for any other the answer
//! says that the connection ends. It must never know what was asked or answered.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Body as _, Frame, SizeHint};

#[cfg(test)]
mod tests;

/// What a refused caller may still send for its connection to stay open.
const REST_BYTES_MAX: usize = 64 << 10;
/// Clients that send head and body apart are this late at most, beside a slow network.
const REST_WAIT: Duration = Duration::from_millis(100);

/// A server of HTTP/1.1 that is to end a connection after an answer says so in it (RFC 9112, section 9.6). hyper ends it
/// without, if a body is dropped unread after the head of the answer was written, and the caller's next request on that
/// connection fails.
pub(super) async fn told(request: Request, next: Next) -> Response {
    if request.version() > Version::HTTP_11 || request.body().is_end_stream() {
        return next.run(request).await;
    }
    // Who waits to be asked for the body does not send it now.
    let patience =
        if request.headers().contains_key(header::EXPECT) { Duration::ZERO } else { REST_WAIT };
    let rest = Rest::default();
    let request = request.map(|body| Body::new(Lent { body, rest: rest.clone() }));
    let mut response = next.run(request).await;
    if !rest.ends(patience).await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What became of a body.
#[derive(Clone, Default)]
struct Rest(Arc<Mutex<Left>>);

#[derive(Default)]
enum Left {
    /// Whoever answers still has it.
    #[default]
    Lent,
    Unread(Body),
    Read,
}

impl Rest {
    fn set(&self, left: Left) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }

    /// Whether nothing of it is left to come.
    async fn ends(&self, patience: Duration) -> bool {
        let left = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        match left {
            Left::Lent => false,
            Left::Read => true,
            Left::Unread(_) if patience.is_zero() => false,
            Left::Unread(body) => {
                let reading = to_bytes(body, REST_BYTES_MAX);
                tokio::time::timeout(patience, reading).await.is_ok_and(|read| read.is_ok())
            }
        }
    }
}

/// A body that comes back when it is let go.
struct Lent {
    body: Body,
    rest: Rest,
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let body = std::mem::take(&mut self.body);
        self.rest.set(if body.is_end_stream() { Left::Read } else { Left::Unread(body) });
    }
}
