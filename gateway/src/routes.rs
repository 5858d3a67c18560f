//! The HTTP surface: which resource is where and who may use it; what they do lives elsewhere.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use services_runtime::trace::{self, Kind, Span, Value};
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    measure,
    problem::{
        Code, Problem,
        pages::{Again, Who},
    },
    security::rates::Slot,
};

pub mod actions;
pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod batches;
pub mod body;
pub mod caller;
pub mod document;
mod errors;
pub mod events;
pub mod idempotency;
pub mod iso;
pub mod network;
pub mod params;
pub mod payees;
pub mod pickup;
pub mod quotes;
pub mod recalls;
pub mod track;
pub mod transfers;
pub mod webhooks;

/// The largest body.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// From a request's headers to the headers of its answer, its body included.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// What load balancers ask.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Where files come that are longer than any other body.
const UPLOADS: &str = "/v1/batches";

/// How problems look in OpenAPI (RFC 9457).
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ProblemBody {
    /// Path of the page that explains the code; this gateway serves it (Markdown).
    pub r#type: String,
    /// What the code means.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The code.
    pub code: String,
    /// ISO 20022 reason.
    pub reason: String,
    /// Whether the request may be sent again.
    pub again: Option<Again>,
    /// Who has to do something before it can succeed.
    pub who_acts: Option<Who>,
    /// The path of the transfer that it ends.
    pub instance: Option<String>,
    /// The transfer that it ends.
    pub uetr: Option<String>,
    /// The ledger's record of the refusal.
    pub record: Option<u64>,
    /// The trace of the request: the caller's own if it sent a `traceparent`.
    pub trace_id: Option<String>,
}

/// One event of a stream, as the WHATWG's *server-sent events* name its fields.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ServerSentEvent {
    /// What it is.
    pub event: Option<String>,
    /// JSON.
    pub data: Option<String>,
    /// Its place.
    pub id: Option<String>,
    /// Milliseconds until a reader comes again.
    pub retry: Option<u64>,
}

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_with(Default::default);
        components.add_security_scheme("api_key", SecurityScheme::Http(bearer));
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Causeway gateway", description = "A participant's gateway.", version = "1.0.0",
        contact(name = "The participant that runs this gateway")),
    servers((url = "/", description = "This gateway")),
    tags(
        (name = "quotes", description = "Firm prices"),
        (name = "payees", description = "Whether account and name belong together, before money is sent"),
        (name = "transfers", description = "Sent and received money, and what happened to it"),
        (name = "actions", description = "What either agent does about a transfer"),
        (name = "recalls", description = "Money asked back, and enquiries"),
        (name = "network", description = "The ledger's word: events, balances, rules, members"),
        (name = "iso20022", description = "Messages in and out"),
        (name = "batches", description = "Files of many transfers"),
        (name = "webhooks", description = "Events sent to URLs of the participant's"),
        (name = "tracking", description = "What a sender sees by a link, without a key"),
        (name = "security", description = "API keys, and what was done with the gateway"),
        (name = "approvals", description = "Transfers that wait for a second person"),
    ),
    modifiers(&Security),
    security(("api_key" = [])),
    components(schemas(ProblemBody))
)]
struct Api;

/// Every route of one gateway.
pub fn router(app: App) -> Router {
    let (router, api) = OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(quotes::create))
        .routes(routes!(payees::check))
        .routes(routes!(transfers::create, transfers::list))
        .routes(routes!(transfers::get))
        .routes(routes!(transfers::timeline))
        .routes(routes!(actions::accept))
        .routes(routes!(actions::hold))
        .routes(routes!(actions::reject))
        .routes(routes!(actions::confirm))
        .routes(routes!(actions::cancel))
        .routes(routes!(actions::return_))
        .routes(routes!(pickup::code))
        .routes(routes!(pickup::pay))
        .routes(routes!(recalls::create))
        .routes(routes!(recalls::of_transfer))
        .routes(routes!(recalls::list))
        .routes(routes!(recalls::answer))
        .routes(routes!(recalls::investigate))
        .routes(routes!(events::events))
        .routes(routes!(network::balances))
        .routes(routes!(network::corridors))
        .routes(routes!(network::participants))
        .routes(routes!(iso::receive))
        .routes(routes!(batches::create, batches::list))
        .routes(routes!(batches::get))
        .routes(routes!(batches::rows))
        .routes(routes!(batches::rejects))
        .routes(routes!(batches::pain002))
        .routes(routes!(batches::events))
        .routes(routes!(batches::cancel))
        .routes(routes!(webhooks::create, webhooks::list))
        .routes(routes!(webhooks::get, webhooks::delete))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::replay))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::deliveries))
        .merge(office())
        .routes(routes!(iso::rendered::get))
        .routes(routes!(track::json))
        .routes(routes!(track::live::events))
        .split_for_parts();
    let document = Arc::new(document::complete(&api).unwrap_or_default());
    let described = async move |State(app): State<App>| match app.directory.fresh() {
        Some(network) => Json(document::of_network(&document, &network)),
        None => Json(document.as_ref().clone()),
    };
    router
        .route_layer(from_fn_with_state(app.clone(), bounded))
        .route("/openapi.json", get(described))
        .route("/docs/errors/{page}", get(errors::page))
        .route("/t/{token}", get(track::page))
        .route("/t/assets/track.css", get(track::style))
        .route("/t/assets/track.js", get(track::script))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(network::readiness))
        .fallback(async || Problem::new(Code::ResourceUnknown, "see /openapi.json for resources"))
        .method_not_allowed_fallback(async || {
            Problem::new(Code::MethodNotAllowed, "see /openapi.json for methods")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(timely))
        .layer(from_fn_with_state(app.clone(), measured))
        .with_state(app)
}

/// Who may call, what waits for a second pair of eyes, and what was done.
fn office() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api_keys::create, api_keys::list))
        .routes(routes!(api_keys::get))
        .routes(routes!(api_keys::rotate))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(api_keys::signature_key, api_keys::signature_key_remove))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::get))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::reject))
        .routes(routes!(audit::list))
}

/// Lets in as many requests as are served soon, of each key no more than its share; the others are
/// told to come again before their key is looked up or their body read.
async fn bounded(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let credentials = Sha256::digest(given.map(HeaderValue::as_bytes).unwrap_or_default());
    let Some(ticket) = app.requests.take(credentials.into()) else {
        let detail = "authorization: wait for answers, then send the same again";
        return Problem::new(Code::TooManyRequests, detail).into_response();
    };
    let place = caller::Place::new(ticket);
    request.extensions_mut().insert(place.clone());
    let slot = Slot::default();
    request.extensions_mut().insert(slot.clone());
    let mut response = next.run(request).await;
    drop(place);
    if let Some(standing) = slot.get() {
        standing.write(response.headers_mut());
    }
    response
}

/// Ends what takes too long: a caller that sends its body byte by byte holds nothing for ever.
async fn timely(request: Request, next: Next) -> Response {
    if request.method() == Method::POST && request.uri().path() == UPLOADS {
        // It bounds its own time by what arrives in it.
        return next.run(request).await;
    }
    let answered = tokio::time::timeout(REQUEST_TIME_MAX, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let detail = "the request: send it again with the same Idempotency-Key, its body at once";
        Problem::new(Code::RequestTimeout, detail).into_response()
    })
}

/// Counts, times and traces a request by its route's template: a path itself would name a transfer.
async fn measured(State(app): State<App>, request: Request, next: Next) -> Response {
    let (begun, begun_micros) = (Instant::now(), trace::now_micros());
    let parent = request.headers().get(trace::TRACEPARENT).and_then(|value| value.to_str().ok());
    let (context, parent) = app.tracer.asked(parent);
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route.unwrap_or("none").to_owned();
    // A caller may invent methods; the surface has three.
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let said = tracing::info_span!("request", method, route, trace_id = context.trace_id());
    let response = trace::within(context, next.run(request)).instrument(said).await;
    let status = response.status();
    let mut span = Span::new(context, "http.request", Kind::Server, begun_micros)
        .with("http.request.method", Value::Word(method))
        .with("http.route", Value::Id(route.clone()))
        .with("http.response.status_code", Value::Number(i64::from(status.as_u16())))
        .failed(status.is_server_error().then_some("server error"));
    span.parent = parent;
    // Who only asks whether the service is there asks often.
    if !PROBES.contains(&route.as_str()) {
        app.tracer.finish(span);
    }
    measure::request(method, route, status.as_u16(), begun.elapsed());
    response
}

/// A body as bytes, with what it is labelled as; one that is too large or breaks off is a problem
/// with its own page.
#[derive(Debug)]
pub struct Body(pub axum::body::Bytes, Option<String>);

impl<S: Send + Sync> axum::extract::FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let label = request.headers().get(header::CONTENT_TYPE);
        let label = label.map(|label| String::from_utf8_lossy(label.as_bytes()).into_owned());
        let headers = request.headers().clone();
        match axum::body::Bytes::from_request(request, state).await {
            Ok(bytes) => {
                caller::signed::digested(&headers, &bytes)?;
                Ok(Self(bytes, label))
            }
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::new(Code::BodyTooLarge, "body: send at most 1 MiB"))
            }
            Err(_) => Err(Problem::new(Code::BodyMalformed, "body: it broke off; send it again")),
        }
    }
}

impl Body {
    /// Whether the body is labelled as one of these kinds or a kind with that ending, or not at
    /// all: a body labelled as something else is not looked into, its sender meant another resource.
    ///
    /// # Errors
    /// `MEDIA_TYPE_UNSUPPORTED` when it is not.
    pub fn labelled(&self, kinds: &[&str], ending: &str) -> Result<(), Problem> {
        let Some(label) = &self.1 else { return Ok(()) };
        let kind = label.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kinds.contains(&kind.as_str()) || kind.ends_with(ending) {
            return Ok(());
        }
        let detail = format!("content-type: send {}", kinds.join(" or "));
        Err(Problem::new(Code::MediaTypeUnsupported, detail))
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// Names the place that does not fit.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Problem> {
        self.labelled(&["application/json"], "+json")?;
        body::json(&self.0).map_err(|detail| Problem::new(Code::BodyMalformed, detail))
    }

    /// Reads a body that may be absent, or null.
    ///
    /// # Errors
    /// Names the place that does not fit.
    pub fn optional_json<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>, Problem> {
        if self.0.is_empty() { Ok(None) } else { self.json() }
    }
}

/// A part of the path; one that is no UTF-8 is a problem with its own page.
#[derive(Debug)]
pub struct Segment(pub String);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Problem> {
        let path = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        let path = path.map(|axum::extract::Path(text)| Self(text));
        path.map_err(|_| Problem::field("path", "must be UTF-8"))
    }
}

/// Two parts of the path.
#[derive(Debug)]
pub struct Segments(pub String, pub String);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Segments {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Problem> {
        let path = axum::extract::Path::<(String, String)>::from_request_parts(parts, state).await;
        let path = path.map(|axum::extract::Path((first, second))| Self(first, second));
        path.map_err(|_| Problem::field("path", "must be UTF-8"))
    }
}

/// A query string; one that does not fit is a problem with its own page.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> axum::extract::FromRequestParts<S>
    for Query<T>
{
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|error| Problem::field("query", &error.body_text()))
    }
}

/// A JSON answer of a status.
#[must_use]
pub fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    (status, [(header::CONTENT_TYPE, kind)], value.to_string()).into_response()
}
