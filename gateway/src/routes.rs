//! The HTTP surface: which resource is where and who may use it; what they do lives elsewhere.
use std::time::Instant;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use sha2::{Digest as _, Sha256};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    measure,
    problem::{Code, Problem},
};

pub mod actions;
pub mod caller;
pub mod idempotency;
pub mod iso;
pub mod network;
pub mod params;
pub mod quotes;
pub mod track;
pub mod transfers;

/// The largest body.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// How problems look in OpenAPI (RFC 9457).
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ProblemBody {
    /// Path of the page that explains the code.
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
    /// The transfer that it ends.
    pub uetr: Option<String>,
    /// The ledger's record of the refusal.
    pub record: Option<u64>,
}

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_with(Default::default);
        components.add_security_scheme("api_key", SecurityScheme::Http(bearer));
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Causeway gateway", description = "A participant's gateway.", version = "1.0.0"),
    modifiers(&Security),
    security(("api_key" = [])),
    components(schemas(ProblemBody))
)]
struct Api;

/// Every route of one gateway.
pub fn router(app: App) -> Router {
    let (router, mut api) = OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(quotes::create))
        .routes(routes!(transfers::create, transfers::list))
        .routes(routes!(transfers::get))
        .routes(routes!(transfers::timeline))
        .routes(routes!(actions::accept))
        .routes(routes!(actions::hold))
        .routes(routes!(actions::reject))
        .routes(routes!(actions::confirm))
        .routes(routes!(actions::cancel))
        .routes(routes!(actions::return_))
        .routes(routes!(network::events))
        .routes(routes!(network::balances))
        .routes(routes!(network::corridors))
        .routes(routes!(network::participants))
        .routes(routes!(iso::receive))
        .routes(routes!(track::json))
        .split_for_parts();
    refusable(&mut api);
    router
        .route_layer(from_fn_with_state(app.clone(), bounded))
        .route("/openapi.json", get(async move || Json(api)))
        .route("/t/{token}", get(track::page))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(network::ready))
        .fallback(async || Problem::new(Code::ResourceUnknown, "see /openapi.json for resources"))
        .method_not_allowed_fallback(async || {
            Problem::new(Code::MethodNotAllowed, "see /openapi.json for methods")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(measured))
        .with_state(app)
}

/// Any request may be one too many, or meet a ledger or a store that does not answer.
fn refusable(api: &mut openapi::OpenApi) {
    let later =
        [("429", "Too many requests are under way"), ("503", "Nothing signed, nothing kept")];
    for path in api.paths.paths.values_mut() {
        for operation in [&mut path.get, &mut path.post].into_iter().flatten() {
            for (status, description) in later {
                let said = operation.responses.responses.entry(status.to_owned());
                said.or_insert_with(|| openapi::Response::new(description).into());
            }
        }
    }
}

/// Lets in as many requests as are served soon, of each key no more than its share; the others are
/// told to come again before their key is looked up or their body read.
async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let credentials = Sha256::digest(given.map(HeaderValue::as_bytes).unwrap_or_default());
    let Some(_ticket) = app.requests.take(credentials.into()) else {
        let detail = "authorization: wait for answers, then send the same again";
        return Problem::new(Code::TooManyRequests, detail).into_response();
    };
    next.run(request).await
}

/// Counts and times a request by its route's template: a path itself would name a transfer.
async fn measured(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route.unwrap_or("none").to_owned();
    // A caller may invent methods; the surface has two.
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        _ => "other",
    };
    let response = next.run(request).await;
    measure::request(method, route, response.status().as_u16(), begun.elapsed());
    response
}

/// A body as bytes; one that is too large or breaks off is a problem with its own page.
#[derive(Debug)]
pub struct Body(pub axum::body::Bytes);

impl<S: Send + Sync> axum::extract::FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        match axum::body::Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::new(Code::BodyTooLarge, "body: send at most 1 MiB"))
            }
            Err(_) => Err(Problem::new(Code::BodyMalformed, "body: it broke off; send it again")),
        }
    }
}

impl Body {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// Names the place that does not fit.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.0)
            .map_err(|error| Problem::new(Code::BodyMalformed, format!("body: {error}")))
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
