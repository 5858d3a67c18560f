//! Signing in and out: a password of a local account, or the house's provider. It must never say whether a name exists,
//! nor log one that was refused.

use std::{net::SocketAddr, time::Instant};

use askama::Template;
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use metrics::counter;
use openidconnect::url::form_urlencoded::byte_serialize;
use serde_json::json;
use services_office::{Actor, store::Deed};
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;

use super::{
    SESSION,
    form::{Fields, Sent, pairs},
    frame::{Frame, page as shown},
};
use crate::{
    app::{App, Told},
    csrf::cookie,
    oidc::Refusal,
    password,
    sessions::Session,
};

/// The cookie of a browser that is at the provider.
const STATE: &str = "__Host-causeway-oidc";
const STATE_S: u32 = 600;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    frame: Frame,
    local: bool,
    provider: Option<String>,
    oidc_href: String,
    next: String,
    name: String,
}

/// The address of the sign-in page that leads back.
pub(super) fn with_next(uri: &Uri) -> String {
    let wanted = uri.path_and_query().map_or("/", |path| path.as_str());
    match wanted {
        "/" => "/sign-in".to_owned(),
        wanted => {
            let next: String = byte_serialize(wanted.as_bytes()).collect();
            format!("/sign-in?next={next}")
        }
    }
}

/// A path of ours: nothing that a browser could take for another host.
fn ours(next: Option<&str>) -> String {
    let plain = |next: &&str| {
        next.starts_with('/')
            && !next.starts_with("//")
            && !next.contains(['\\', '\r', '\n', '\t'])
            && !next.starts_with("/sign-")
    };
    next.filter(plain).unwrap_or("/").to_owned()
}

fn outcome(way: &'static str, outcome: &'static str) {
    counter!("causeway_reporting_sign_ins_total", "way" => way, "outcome" => outcome).increment(1);
}

fn form(app: &App, told: Option<Told>, next: String, name: String) -> Result<Html<String>, Told> {
    shown(&Page {
        frame: Frame::new(None, "", "Sign in").told(told),
        local: !app.accounts.is_empty(),
        provider: app.oidc.as_ref().map(|provider| provider.name().to_owned()),
        oidc_href: format!(
            "/sign-in/oidc?next={}",
            byte_serialize(next.as_bytes()).collect::<String>()
        ),
        next,
        name,
    })
}

pub(super) async fn page(State(app): State<App>, fields: Fields) -> Result<Html<String>, Told> {
    form(&app, None, ours(fields.text("next")), String::new())
}

/// By name and password.
pub(super) async fn local(
    State(app): State<App>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Response, Told> {
    let fields = pairs(request, &app).await?;
    let next = ours(fields.text("next"));
    let name = fields.shown("name").to_lowercase();
    let given = fields.shown("password");
    if !app.tries.allows(from.ip(), &name) {
        outcome("local", "limited");
        let told = Told {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: "EXHAUSTED",
            text: "too many tries".to_owned(),
            next: "wait a minute, then try again",
        };
        let page = form(&app, Some(told), next, name)?;
        return Ok((StatusCode::TOO_MANY_REQUESTS, page).into_response());
    }
    let account = app.accounts.get(&name).cloned();
    let hash = account.as_ref().map(|account| account.password.clone());
    let Ok(_turn) = app.hashing.acquire().await else { return Err(Told::broken()) };
    let verified =
        tokio::task::spawn_blocking(move || password::verify(hash.as_deref(), &given)).await;
    match account.filter(|_| matches!(verified, Ok(true))) {
        Some(account) => {
            let actor = Actor::new(&account.name, account.role, account.participant)?;
            open(&app, actor, "local", &next).await
        }
        None => {
            outcome("local", "refused");
            let told = Told {
                status: StatusCode::UNAUTHORIZED,
                code: "UNAUTHENTICATED",
                text: "name or password is wrong".to_owned(),
                next: "try again; the operator can set another password",
            };
            let page = form(&app, Some(told), next, name)?;
            Ok((StatusCode::UNAUTHORIZED, page).into_response())
        }
    }
}

/// Writes the act, opens the session and goes on. Without the act there is no session.
async fn open(app: &App, actor: Actor, way: &'static str, next: &str) -> Result<Response, Told> {
    let id = actor.name().to_owned();
    let detail = json!({ "by": way });
    let now = OffsetDateTime::now_utc();
    app.office.deed(&actor, Deed::SignIn, ("session", id), detail, now).await?;
    let token = app.sessions.open(actor, way, Instant::now()).ok_or_else(Told::broken)?;
    outcome(way, "done");
    let cookie = format!("{SESSION}={token}; Path=/; Secure; HttpOnly; SameSite=Lax");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response())
}

/// Sends the browser to the provider.
pub(super) async fn oidc(State(app): State<App>, fields: Fields) -> Result<Response, Told> {
    let provider = app.oidc.as_ref().ok_or_else(|| Told::not_found("page", "/sign-in/oidc"))?;
    let begun = provider.begin(ours(fields.text("next")), Instant::now()).await;
    let begun = match begun {
        Ok(begun) => begun,
        Err(refusal) => return refused(&app, &refusal),
    };
    let state = begun.state;
    let cookie =
        format!("{STATE}={state}; Path=/; Max-Age={STATE_S}; Secure; HttpOnly; SameSite=Lax");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(begun.url.as_str())).into_response())
}

/// Takes the browser back from the provider.
pub(super) async fn back(
    State(app): State<App>,
    fields: Fields,
    headers: axum::http::HeaderMap,
) -> Result<Response, Told> {
    let provider = app.oidc.as_ref().ok_or_else(|| Told::not_found("page", "/sign-in/oidc"))?;
    let (state, held) = (fields.shown("state"), cookie(&headers, STATE).unwrap_or_default());
    // The browser that comes back is the one that was sent.
    if state.is_empty() || !bool::from(state.as_bytes().ct_eq(held.as_bytes())) {
        return refused(&app, &Refusal::Unasked);
    }
    if let Some(error) = fields.text("error") {
        let known = ["access_denied", "login_required", "server_error", "temporarily_unavailable"];
        let error = known.into_iter().find(|one| *one == error).unwrap_or("another error");
        return refused(&app, &Refusal::Denied(error.to_owned()));
    }
    let code = fields.shown("code");
    match provider.finish(&state, code, Instant::now()).await {
        Ok((actor, next)) => {
            let mut response = open(&app, actor, "oidc", &next).await?;
            let gone = format!("{STATE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
            if let Ok(gone) = gone.parse() {
                response.headers_mut().append(header::SET_COOKIE, gone);
            }
            Ok(response)
        }
        Err(refusal) => refused(&app, &refusal),
    }
}

fn refused(app: &App, refusal: &Refusal) -> Result<Response, Told> {
    let (status, text, next) = match refusal {
        Refusal::Provider(_) | Refusal::Unbelievable(_) => {
            outcome("oidc", "failed");
            tracing::warn!(cause = %refusal, "a sign-in at the provider failed");
            let text = "the sign-in provider gave no answer that can be believed";
            (StatusCode::BAD_GATEWAY, text, "try again; if it stays so, tell the operator")
        }
        Refusal::Unasked => {
            outcome("oidc", "refused");
            let text = "this browser has no sign-in that waits, or it took over ten minutes";
            (StatusCode::BAD_REQUEST, text, "sign in again")
        }
        Refusal::Denied(_) => {
            outcome("oidc", "refused");
            (StatusCode::FORBIDDEN, "the sign-in provider said no", "sign in again")
        }
        Refusal::Nameless(_) | Refusal::Ungranted => {
            outcome("oidc", "refused");
            let text = "your account there may not sign in here";
            (StatusCode::FORBIDDEN, text, "ask the operator which group grants which role")
        }
    };
    let told = Told { status, code: "SIGN_IN", text: text.to_owned(), next };
    let page = form(app, Some(told), "/".to_owned(), String::new())?;
    Ok((status, page).into_response())
}

/// Ends the session.
pub(super) async fn out(
    State(app): State<App>,
    headers: axum::http::HeaderMap,
    sent: Sent,
) -> Result<Response, Told> {
    let Session { actor, by, .. } = &sent.session;
    let id = actor.name().to_owned();
    // The session ends even if the act cannot be written.
    if let Some(token) = cookie(&headers, SESSION) {
        app.sessions.close(token);
    }
    let detail = json!({ "by": by });
    app.office.deed(actor, Deed::SignOut, ("session", id), detail, sent.now).await?;
    let gone = format!("{SESSION}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
    Ok(([(header::SET_COOKIE, gone)], Redirect::to("/sign-in")).into_response())
}
