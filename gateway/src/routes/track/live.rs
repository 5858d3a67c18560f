//! What happens to a tracked transfer, as server-sent events: bounded in number, in time and in what a slow reader may leave unread.
use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use ledger_proof::codec::Digest;
use ledger_types::TransferId;
use services_runtime::tickets::Ticket;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::{Address, TrackView, opened, private, tracked, view};
use crate::{
    app::App,
    problem::{Code, Problem},
    routes::Segment,
    tracking::{digest, page::Tracked},
};

/// A comment keeps connections through proxies open, and finds what no change told of.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Events that a reader may leave unread, and for how long it may leave more.
const UNREAD_MAX: usize = 4;
const UNREAD_TIME_MAX: Duration = Duration::from_secs(20);
/// When a browser comes again after a broken connection.
const RETRY: Duration = Duration::from_secs(3);

/// Follow a transfer by its token: an event `transfer` with the same as GET gives, at once and whenever
/// something happened, and `end` when nothing can happen any more.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/track/{token}/events", tag = "tracking", security(()),
    params(("token" = String, Path, description = "Tracking token")),
    responses((status = 200, description = "Server-sent events", content_type = "text/event-stream",
        body = crate::routes::ServerSentEvent)))]
pub async fn events(
    State(app): State<App>,
    address: Address,
    Segment(token): Segment,
) -> Result<Response, Problem> {
    let digest = digest(&token);
    // Heard from before the first look, so that nothing falls between.
    let changes = app.tracking.changes();
    let first = tracked(&app, address, &token).await?;
    let Some(place) = app.tracking.reader(digest) else {
        let detail = "the token: too many read its events; close some, or come again";
        return Err(Problem::new(Code::TooManyRequests, detail));
    };
    let (events, queue) = mpsc::channel(UNREAD_MAX);
    let most = app.tracking.reader_time_max;
    let reader = Reader { app, digest, changes, events, _place: place };
    tokio::spawn(tokio::time::timeout(most, reader.serve(first)));
    let mut headers = HeaderMap::from_iter(private());
    headers.insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    Ok((headers, Sse::new(ReceiverStream::new(queue))).into_response())
}

struct Reader {
    app: App,
    digest: Digest,
    changes: broadcast::Receiver<TransferId>,
    events: mpsc::Sender<Result<Event, Infallible>>,
    _place: Ticket<Digest>,
}

impl Reader {
    /// Serves until the reader is gone or too slow, or nothing can happen any more.
    async fn serve(mut self, first: Tracked) {
        let mut shown = first;
        let mut event = transfer(&view(&self.app, &shown)).retry(RETRY);
        loop {
            if !self.put(event).await {
                return;
            }
            if shown.stage.over() {
                self.put(Event::default().event("end").data("{}")).await;
                return;
            }
            event = loop {
                let changed = tokio::time::timeout(LOOK_EVERY, self.change(&shown)).await;
                let Ok(Some(now)) = opened(&self.app, &self.digest).await else { return };
                let same = now.revision() == shown.revision();
                shown = now;
                match (same, changed) {
                    (false, _) => break transfer(&view(&self.app, &shown)),
                    (true, Err(_)) => break Event::default().comment(""),
                    (true, Ok(())) => {}
                }
            };
        }
    }

    /// Gives a reader an event; false when it is gone or leaves too much unread.
    async fn put(&self, event: Event) -> bool {
        let put = self.events.send(Ok(event));
        matches!(tokio::time::timeout(UNREAD_TIME_MAX, put).await, Ok(Ok(())))
    }

    /// Waits until the transfer, or one that returns it, changes.
    async fn change(&mut self, shown: &Tracked) {
        let concerns = |transfer: TransferId| {
            let own = shown.row.transfer() == Some(transfer);
            own || shown.returns.iter().any(|(back, _)| back.transfer() == Some(transfer))
        };
        loop {
            match self.changes.recv().await {
                Ok(transfer) if !concerns(transfer) => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                // The gateway ends.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

fn transfer(view: &TrackView) -> Event {
    let event = Event::default().event("transfer");
    // What is shown is plain, so it is always JSON.
    event.json_data(view).unwrap_or_default()
}
