//! Every route with what it asks of a person, and the one guard before all of them: session, role, origin, headers. It
//! must never serve a page that names no need.

use std::time::Instant;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{MethodRouter, get, post},
};
use metrics::{counter, histogram};

use crate::{
    access::Need,
    app::{App, Told},
    csrf::{cookie, own},
    oidc,
    sessions::Session,
};

mod assets;
mod audit;
mod breaks;
mod days;
mod form;
mod frame;
mod overview;
mod participants;
mod reports;
mod sign_in;
mod statements;
mod transfers;

/// The cookie of a session. Browsers take the prefix for a promise: this host alone, HTTPS alone, no path.
pub const SESSION: &str = "__Host-causeway";
/// The largest form without a file.
const FORM_BYTES_MAX: usize = 4 << 20;
/// The largest file that a browser sends: statements beyond it go by the watched folder.
const FILE_BYTES_MAX: usize = 32 << 20;
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// One route.
#[derive(Debug)]
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub need: Need,
    own: MethodRouter<App>,
}

/// Every route there is.
#[must_use]
pub fn table() -> Vec<Route> {
    let read = |path, need, own| Route { method: Method::GET, path, need, own };
    let act = |path, need, own| Route { method: Method::POST, path, need, own };
    let file = |own: MethodRouter<App>| own.layer(DefaultBodyLimit::max(FILE_BYTES_MAX));
    vec![
        read("/assets/console.css", Need::Open, get(assets::style)),
        read("/assets/console.js", Need::Open, get(assets::script)),
        read("/assets/icon.svg", Need::Open, get(assets::icon)),
        read("/sign-in", Need::Open, get(sign_in::page)),
        act("/sign-in", Need::Open, post(sign_in::local)),
        read("/sign-in/oidc", Need::Open, get(sign_in::oidc)),
        read(oidc::CALLBACK, Need::Open, get(sign_in::back)),
        act("/sign-out", Need::Read, post(sign_in::out)),
        read("/", Need::Read, get(overview::page)),
        read("/help", Need::Read, get(overview::help)),
        read("/transfers", Need::Read, get(transfers::list)),
        read("/transfers/{debtor_agent}/{uetr}", Need::Read, get(transfers::one)),
        act("/transfers/{debtor_agent}/{uetr}/unseal", Need::Unseal, post(transfers::unseal)),
        read("/breaks", Need::Read, get(breaks::list)),
        read("/breaks/table", Need::Read, get(breaks::table::export)),
        act("/breaks/table/preview", Need::Act, file(post(breaks::table::preview))),
        act("/breaks/table", Need::Act, post(breaks::table::import)),
        read("/breaks/{id}", Need::Read, get(breaks::one)),
        act("/breaks/{id}/assign", Need::Act, post(breaks::acts::assign)),
        act("/breaks/{id}/comment", Need::Act, post(breaks::acts::comment)),
        act("/breaks/{id}/attach", Need::Act, file(post(breaks::acts::attach))),
        act("/breaks/{id}/propose", Need::Act, post(breaks::acts::propose)),
        act("/breaks/{id}/approve", Need::Act, post(breaks::acts::approve)),
        act("/breaks/{id}/refuse", Need::Act, post(breaks::acts::refuse)),
        act("/breaks/{id}/record", Need::Act, post(breaks::acts::record)),
        act("/breaks/{id}/close", Need::Act, post(breaks::acts::close)),
        act("/breaks/{id}/reopen", Need::Act, post(breaks::acts::reopen)),
        read("/breaks/{id}/attachments/{attachment}", Need::Read, get(breaks::acts::attachment)),
        read("/statements", Need::Read, get(statements::list)),
        act("/statements", Need::Act, file(post(statements::import))),
        read("/statements/{id}", Need::Read, get(statements::one)),
        read("/statements/{id}/original", Need::Read, get(statements::original)),
        read("/days", Need::Read, get(days::list)),
        read("/days/preview", Need::ReadNetwork, get(days::preview)),
        act("/days/close", Need::ActNetwork, post(days::close)),
        read("/days/{currency}/{day}", Need::ReadNetwork, get(days::one)),
        read("/days/{currency}/{day}/documents/{document}", Need::Read, get(days::document_get)),
        read("/participants", Need::Read, get(participants::list)),
        read("/participants/{id}", Need::Read, get(participants::one)),
        read("/reports", Need::Read, get(reports::list)),
        act("/reports", Need::Read, post(reports::make)),
        read("/reports/new", Need::Read, get(reports::new)),
        read("/reports/{id}", Need::Read, get(reports::one)),
        read("/reports/{id}/files/{name}", Need::Read, get(reports::file)),
        read("/audit", Need::Read, get(audit::list)),
    ]
}

/// The whole console.
pub fn router(app: &App) -> Router {
    let mut router = Router::new();
    for Route { path, need, own, .. } in table() {
        let guarded = from_fn_with_state(Guard { app: app.clone(), need, path }, guard);
        router = router.route(path, own.layer(guarded));
    }
    let anywhere = Guard { app: app.clone(), need: Need::Read, path: "elsewhere" };
    router
        .fallback(async |request: Request| {
            Told::not_found("page", request.uri().path()).into_response()
        })
        .method_not_allowed_fallback(async || {
            Told::invalid("method", "this address takes another one").into_response()
        })
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn_with_state(anywhere, framed))
        .with_state(app.clone())
}

/// What a route asks.
#[derive(Clone)]
struct Guard {
    app: App,
    need: Need,
    path: &'static str,
}

fn session(app: &App, request: &Request) -> Option<Session> {
    let token = cookie(request.headers(), SESSION)?;
    app.sessions.find(token, Instant::now())
}

/// Judges who asks before a handler is reached.
async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let refused = |reason: &'static str, told: Told| {
        counter!("causeway_reporting_refusals_total", "reason" => reason).increment(1);
        told.into_response()
    };
    if !own(request.method(), request.headers(), &guard.app.origin) {
        return refused("foreign", Told::foreign());
    }
    let session = session(&guard.app, &request);
    if guard.need != Need::Open {
        let Some(session) = &session else {
            if request.method().is_safe() {
                return Redirect::to(&sign_in::with_next(request.uri())).into_response();
            }
            return refused("signed_out", Told::signed_out());
        };
        if !guard.need.met(&session.actor) {
            return refused("role", Told::refused(guard.need));
        }
    }
    if let Some(session) = session {
        request.extensions_mut().insert(session);
    }
    let response = next.run(request).await;
    let took = histogram!("causeway_reporting_page_seconds", "route" => guard.path);
    took.record(begun.elapsed());
    response
}

/// Makes a page of what was refused, and sets what every answer says to a browser.
async fn framed(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let session = session(&guard.app, &request);
    let mut response = next.run(request).await;
    if let Some(told) = response.extensions_mut().remove::<Told>() {
        let status = told.status;
        let page = frame::refused(session.as_ref(), told);
        response = page
            .map_or_else(|_| status.into_response(), |page| (status, Html(page)).into_response());
    }
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
