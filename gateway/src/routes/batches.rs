//! Batches over HTTP: send, list, look, follow, cancel, rejects and pain.002; it shows no name and no account.
use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use axum::{
    Json,
    body::Body as HttpBody,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Query, Segment, ServerSentEvent,
    caller::{Caller, Scope, signed::digested_stream},
    idempotency,
    params::{LogPage, TransferStatus, counted, limited, next},
};
use crate::{
    app::App,
    batches::{self, Form, progress, report, upload, words},
    clock::rfc3339,
    problem::{Code, Problem},
    sealing::random,
    store::batches::{BatchRow, shown::ShownRow},
};

/// How often a follower is told what changed.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long one is told before it has to ask again.
const TELL_MAX: Duration = Duration::from_secs(3_600);

/// How rows hang together.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Each row for itself.
    #[default]
    BestEffort,
    /// One row that is refused refuses all; to 8,190 rows.
    AllOrNothing,
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::BestEffort => "best_effort",
            Self::AllOrNothing => "all_or_nothing",
        }
    }
}

/// How a batch is sent.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Sending {
    /// `best_effort` if absent.
    #[param(inline)]
    pub mode: Option<Mode>,
    /// Whether a file of the same rows as one of the last days is to be paid once more; `false` if
    /// absent, and it is refused.
    pub again: Option<bool>,
}

/// Where a row stands, as a filter.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RowStatus {
    /// Not sent yet.
    Waiting,
    /// Being sent.
    Sending,
    /// Waits for a second pair of eyes.
    #[serde(rename = "AWAITING_APPROVAL")]
    AwaitingApproval,
    /// Durable, not answered by the ledger yet.
    Queued,
    /// Reserved.
    Pending,
    /// Final on the ledger.
    Settled,
    /// The creditor has the money.
    Credited,
    /// Refused.
    Rejected,
    /// Nobody accepted in time.
    Expired,
    /// Withdrawn, or never sent.
    Cancelled,
    /// Its identity was closed for ever.
    Burned,
}

impl RowStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Sending => "SENDING",
            Self::AwaitingApproval => TransferStatus::AwaitingApproval.as_str(),
            Self::Queued => TransferStatus::Queued.as_str(),
            Self::Pending => TransferStatus::Pending.as_str(),
            Self::Settled => TransferStatus::Settled.as_str(),
            Self::Credited => TransferStatus::Credited.as_str(),
            Self::Rejected => TransferStatus::Rejected.as_str(),
            Self::Expired => TransferStatus::Expired.as_str(),
            Self::Cancelled => TransferStatus::Cancelled.as_str(),
            Self::Burned => TransferStatus::Burned.as_str(),
        }
    }
}

/// Which rows.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RowPage {
    /// `next_cursor` of the page before.
    #[param(minimum = 0, maximum = 2_147_483_647_i64)]
    pub cursor: Option<i64>,
    /// 1 to 1000, 200 if absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<i64>,
    /// Only rows of this status.
    #[param(inline)]
    pub status: Option<RowStatus>,
}

/// A batch and how far it is.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "5a2ad8e4-7f5a-4f0e-9d86-0d3a4d2c9b10", "form": "csv", "mode": "best_effort",
    "state": "sent", "rows": 3, "counts": { "CREDITED": 2, "REJECTED": 1 }, "open": 0,
    "rows_per_second": 120, "created_at": "2026-01-02T03:04:05Z",
}))]
pub struct BatchView {
    /// Its id.
    pub id: String,
    /// `csv`, `json_lines` or `pain.001`.
    pub form: String,
    /// `best_effort` or `all_or_nothing`.
    pub mode: String,
    /// `receiving` (nothing is sent yet), `processing`, `sent` (no row is left to be sent),
    /// `refused` or `cancelled`.
    pub state: String,
    /// Why it was refused: a page of docs/errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The ISO reason of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is wrong and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Rows that are here.
    pub rows: i64,
    /// How many of them stand where.
    pub counts: BTreeMap<String, i64>,
    /// Rows that may still change.
    pub open: i64,
    /// Rows that were sent or rejected per second, from the first to the last or to this moment.
    pub rows_per_second: i64,
    /// RFC 3339; when its upload began.
    pub created_at: String,
    /// RFC 3339; when every row was here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
    /// RFC 3339; when the first row was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// RFC 3339; when no row was left to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

/// A page of batches, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchPage {
    /// The batches.
    pub batches: Vec<BatchView>,
    /// Give it as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<i64>,
}

/// A row of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowView {
    /// Its place in the file, from 1, a header not counted.
    pub row: i32,
    /// Its transfer's reference.
    pub uetr: String,
    /// Its own `end_to_end_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// `WAITING`, `SENDING`, or where its transfer stands.
    pub status: String,
    /// Why its money did not move: a page of docs/errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The ISO reason of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The ledger's record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<i64>,
}

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowsPage {
    /// In the file's order.
    pub rows: Vec<RowView>,
    /// Give it as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<i64>,
}

/// Send a file of transfers: CSV with a header, JSON lines or a pain.001.001.09, to 100,000 rows and
/// 256 MiB. Nothing of it is sent before its last byte is here. A file that broke off is sent again
/// under the same Idempotency-Key, which is kept for ever. The very same rows under another key are
/// refused with `BATCH_DUPLICATE` unless `again=true`.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/batches", tag = "batches",
    params(("Idempotency-Key" = String, Header, description = "A value of your own, kept for ever"),
        Sending),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 202, description = "Every row is here, and is sent", body = BatchView)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Query(sending): Query<Sending>,
    request: Request,
) -> Result<Response, Problem> {
    caller.may(Scope::Send)?;
    let key = idempotency::given(request.headers())?.to_owned();
    let label = request.headers().get(header::CONTENT_TYPE);
    let label = label.and_then(|label| label.to_str().ok()).unwrap_or_default();
    let form = Form::of_media_type(label).ok_or_else(|| {
        let detail = "content-type: send text/csv, application/x-ndjson or application/xml";
        Problem::new(Code::MediaTypeUnsupported, detail)
    })?;
    let mode = sending.mode.unwrap_or_default().as_str();
    let again = sending.again.unwrap_or_default();
    let place = app.batches.place()?;
    let id = random().map_err(|error| Problem::internal(&error))?;
    let id = uuid::Builder::from_random_bytes(id).into_uuid();
    let begun = (id, form.as_str(), mode);
    let batch = app.store.batch_begin(begun, (caller.key, &key)).await?;
    if batch.form != form.as_str() || batch.mode != mode {
        let detail = "Idempotency-Key: use a new one for another form or mode";
        return Err(Problem::new(Code::IdempotencyKeyReused, detail));
    }
    let receiving = app.batches.enter(batch.id).ok_or_else(|| {
        let detail = "the file is being received by another request; ask again";
        Problem::new(Code::RequestInProgress, detail)
    })?;
    let (parts, body) = request.into_parts();
    let body = digested_stream(&parts.headers, body);
    let came = upload::receive(&app, &batch, form, body).await?;
    let work = async move {
        upload::close(&app, &batch, &came, again).await?;
        drop((receiving, place));
        let batch = app.store.batch_fetch(batch.id).await?.ok_or_else(unknown)?;
        let told = refused(&batch).filter(|problem| !problem.is(Code::BatchRefused));
        match told {
            Some(problem) => Err(problem),
            None => Ok((StatusCode::ACCEPTED, Json(view(&app, batch).await?)).into_response()),
        }
    };
    caller.to_the_end(work).await
}

/// Why a file was refused when it came.
fn refused(batch: &BatchRow) -> Option<Problem> {
    let code = batch.code.as_deref()?;
    let code = Code::ALL.iter().find(|own| own.name() == code)?;
    let problem = Problem::new(*code, batch.detail.clone().unwrap_or_default());
    Some(problem.because(batches::reason(batch.reason.as_deref())))
}

/// Batches, the newest first.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/batches", tag = "batches", params(LogPage),
    responses((status = 200, description = "A page", body = BatchPage)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<LogPage>,
) -> Result<Json<BatchPage>, Problem> {
    caller.may(Scope::Read)?;
    let limit = limited(page.limit, 20, 500)?;
    let before = page.cursor.unwrap_or(i64::MAX);
    counted("cursor", page.cursor)?;
    let rows = app.store.batch_list(before, limit).await?;
    let next_cursor = next(&rows, limit, |row| row.number);
    let mut batches = Vec::with_capacity(rows.len());
    for row in rows {
        batches.push(view(&app, row).await?);
    }
    Ok(Json(BatchPage { batches, next_cursor }))
}

/// A batch and how far it is.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/batches/{id}", tag = "batches", params(("id" = String, Path)),
    responses((status = 200, description = "The batch", body = BatchView)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Json<BatchView>, Problem> {
    caller.may(Scope::Read)?;
    let batch = found(&app, &id).await?;
    Ok(Json(view(&app, batch).await?))
}

/// Its rows in the file's order, each with its own UETR and outcome.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/batches/{id}/rows", tag = "batches",
    params(("id" = String, Path), RowPage),
    responses((status = 200, description = "A page", body = RowsPage)))]
pub async fn rows(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
    Query(page): Query<RowPage>,
) -> Result<Json<RowsPage>, Problem> {
    caller.may(Scope::Read)?;
    let limit = limited(page.limit, 200, 1_000)?;
    let after = counted("cursor", page.cursor)?;
    let after = i32::try_from(after).map_err(|_| Problem::field("cursor", "must be below 2^31"))?;
    let batch = found(&app, &id).await?;
    let status = page.status.map(|status| [status.as_str()]);
    let states = status.as_ref().map(<[_; 1]>::as_slice);
    let of = (batch.id, app.me);
    let rows = app.store.batch_rows(of, states, (after, limit)).await?;
    let next_cursor = next(&rows, limit, |row| i64::from(row.number));
    Ok(Json(RowsPage { rows: rows.into_iter().map(line).collect(), next_cursor }))
}

/// The rows whose money did not move, as CSV: row, field, code, ISO reason, detail, the row's own
/// reference, UETR.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/batches/{id}/rejects", tag = "batches",
    params(("id" = String, Path)),
    responses((status = 200, description = "One line a row, with a header",
        content_type = "text/csv", body = String)))]
pub async fn rejects(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Response, Problem> {
    caller.may(Scope::Read)?;
    let batch = found(&app, &id).await?;
    Ok(document("text/csv; charset=utf-8", report::rejects(app, batch.id)))
}

/// The batch as it stands as a pain.002.001.10, in whatever form it came.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/batches/{id}/pain002", tag = "batches",
    params(("id" = String, Path)),
    responses((status = 200, description = "One TxInfAndSts a row",
        content_type = "application/xml", body = String)))]
pub async fn pain002(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Response, Problem> {
    caller.may(Scope::Read)?;
    let batch = found(&app, &id).await?;
    Ok(document("application/xml", report::pain002(app, &batch).await?))
}

fn document(kind: &'static str, body: HttpBody) -> Response {
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

/// Cancel what is not sent yet; what is sent goes on.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/batches/{id}/cancel", tag = "batches",
    params(("id" = String, Path)),
    responses((status = 200, description = "As it stands: ended before, or cancelled",
        body = BatchView)))]
pub async fn cancel(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Json<BatchView>, Problem> {
    caller.may(Scope::Send)?;
    let batch = found(&app, &id).await?;
    app.store.batch_cancel(batch.id).await?;
    let batch = app.store.batch_fetch(batch.id).await?.ok_or_else(unknown)?;
    Ok(Json(view(&app, batch).await?))
}

/// Its progress as server-sent events: `progress` with the batch whenever it changed, at most once a
/// second, and `end` when no row can change any more. One connection lasts an hour.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/batches/{id}/events", tag = "batches",
    params(("id" = String, Path)),
    responses((status = 200, description = "`progress` and `end`, each with a BatchView",
        content_type = "text/event-stream", body = ServerSentEvent)))]
pub async fn events(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Response, Problem> {
    caller.may(Scope::Read)?;
    let batch = found(&app, &id).await?;
    let told = Told {
        app,
        caller,
        batch: batch.id,
        last: None,
        pause: TELL_EVERY,
        until: Instant::now() + TELL_MAX,
    };
    Ok(Sse::new(told.stream()).keep_alive(KeepAlive::default()).into_response())
}

/// What a follower was told. It keeps the caller, and so its place among requests.
struct Told {
    app: App,
    #[expect(dead_code, reason = "held, not read")]
    caller: Caller,
    batch: Uuid,
    last: Option<BatchView>,
    pause: Duration,
    until: Instant,
}

impl Told {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> + Send {
        stream::unfold(Some(self), async |told| {
            let mut told = told?;
            while Instant::now() < told.until {
                if told.last.is_some() {
                    tokio::time::sleep(told.pause).await;
                }
                let begun = Instant::now();
                let Ok(Some(row)) = told.app.store.batch_fetch(told.batch).await else { continue };
                let Ok(seen) = view(&told.app, row).await else { continue };
                // Counting a long batch is work that its rows would wait for.
                told.pause = TELL_EVERY.max(begun.elapsed() * 10);
                if told.last.as_ref().is_some_and(|last| same(last, &seen)) {
                    continue;
                }
                let ended = seen.open == 0 && !["receiving", "processing"].contains(&&*seen.state);
                let event = Event::default().event(if ended { "end" } else { "progress" });
                let event = event.json_data(&seen).unwrap_or_default();
                told.last = Some(seen);
                return Some((Ok(event), (!ended).then_some(told)));
            }
            None
        })
    }
}

/// Whether nothing happened but that time went by.
fn same(last: &BatchView, seen: &BatchView) -> bool {
    last.state == seen.state && last.counts == seen.counts
}

fn unknown() -> Problem {
    Problem::new(Code::BatchNotFound, "id: GET /v1/batches lists what there is")
}

async fn found(app: &App, id: &Segment) -> Result<BatchRow, Problem> {
    let id = Uuid::parse_str(&id.0).map_err(|_| unknown())?;
    app.store.batch_fetch(id).await?.ok_or_else(unknown)
}

fn line(row: ShownRow) -> RowView {
    let refused = batches::REJECTS.contains(&row.status.as_str());
    RowView {
        detail: refused.then(|| words(&row)),
        row: row.number,
        uetr: row.uetr.to_string(),
        reference: row.reference,
        status: row.status,
        code: row.code,
        reason: row.reason,
        field: row.field,
        record: row.record,
    }
}

async fn view(app: &App, row: BatchRow) -> Result<BatchView, Problem> {
    let mut counts = BTreeMap::new();
    for count in progress::counts(app, row.id, &row.state).await? {
        *counts.entry(count.status).or_insert(0) += count.rows;
    }
    let of = |wanted: &dyn Fn(&str) -> bool| -> i64 {
        counts.iter().filter(|(status, _)| wanted(status)).map(|(_, rows)| rows).sum()
    };
    let done = of(&|status| !matches!(status, "WAITING" | "SENDING" | "CANCELLED"));
    let until = row.ended_at.unwrap_or_else(OffsetDateTime::now_utc);
    let taken_ms = row.started_at.map_or(0, |at| (until - at).whole_milliseconds());
    let rate = i128::from(done).saturating_mul(1_000).checked_div(taken_ms.max(1)).unwrap_or(0);
    Ok(BatchView {
        id: row.id.to_string(),
        form: row.form,
        mode: row.mode,
        state: row.state,
        code: row.code,
        reason: row.reason,
        detail: row.detail,
        rows: of(&|_| true),
        open: of(&|status| !batches::ended(status)),
        counts,
        rows_per_second: row.started_at.map_or(0, |_| i64::try_from(rate).unwrap_or(0)),
        created_at: rfc3339(row.created_at),
        received_at: row.received_at.map(rfc3339),
        started_at: row.started_at.map(rfc3339),
        ended_at: row.ended_at.map(rfc3339),
    })
}
