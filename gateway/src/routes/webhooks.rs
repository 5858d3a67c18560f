//! Webhook endpoints over HTTP: make, list, look, rotate, replay, test, remove; a secret is shown once, when it is made.
use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use services_runtime::trace;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Body, Query, Segment,
    caller::{Caller, Scope},
    idempotency::{Begun, begin, given},
    params::{LogPage, limited, next},
};
use crate::{
    app::App,
    clock::rfc3339,
    names,
    problem::{Code, Problem},
    sealing::random,
    security::audit::Actor,
    store::webhooks::{DeliveryRow, WebhookRow},
    webhooks::{address, deliver, message, send::Message, signature::Secret},
};

/// The longest overlap of two secrets.
const OVERLAP_S_MAX: i64 = 604_800;
const OVERLAP_S: i64 = 86_400;

/// An endpoint to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "url": "https://hooks.example/causeway", "events": ["transfer.settled"] }))]
pub struct WebhookBody {
    /// `https://…`, of a public address, at most 2,048 characters.
    #[schema(max_length = 2048)]
    pub url: String,
    /// Types wanted; absent or empty: all.
    #[serde(default)]
    pub events: Vec<String>,
    /// `v1` (HMAC-SHA256, the default) or `v1a` (ed25519).
    #[schema(pattern = "^v1a?$")]
    pub signature: Option<String>,
    /// Start behind this event number, 0 for all; absent: behind the last one.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    pub after: Option<i64>,
}

/// How a secret is rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "overlap_s": 86400 }))]
pub struct RotateBody {
    /// Seconds for which the former secret signs too, 0 to 604,800; 86,400 if absent.
    #[schema(minimum = 0, maximum = 604_800)]
    pub overlap_s: Option<i64>,
}

/// From where events are sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "from": 120 }))]
pub struct ReplayBody {
    /// The first event number, from 1.
    #[schema(minimum = 1, maximum = 9_223_372_036_854_775_807_i64)]
    pub from: i64,
}

/// An endpoint and how it fares.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "5a2ad8e4-7f5a-4f0e-9d86-0d3a4d2c9b10", "url": "https://hooks.example/causeway",
    "events": [], "state": "enabled", "created_at": "2026-01-02T03:04:05Z",
    "consecutive_failures": 0, "last_event": 412, "delivered_through": 412, "lag": 0,
    "waiting": 0, "parked": 0,
}))]
pub struct WebhookView {
    /// Its id.
    pub id: String,
    /// Where events are sent.
    pub url: String,
    /// Types wanted; empty: all.
    pub events: Vec<String>,
    /// `enabled`; `failing` after five failures in a row; `disabled` after an answer of 410.
    pub state: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; the last delivery taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success_at: Option<String>,
    /// RFC 3339; the last delivery not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure_at: Option<String>,
    /// Failures since the last success.
    pub consecutive_failures: i32,
    /// This participant's last event number.
    pub last_event: i64,
    /// Every wanted event up to this number was taken.
    pub delivered_through: i64,
    /// The difference of the two, in event numbers.
    pub lag: i64,
    /// Deliveries planned that wait.
    pub waiting: i64,
    /// Deliveries parked.
    pub parked: i64,
    /// The first event number that is parked: replay from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_parked: Option<i64>,
    /// Shown once, when it is made: `whsec_…`, or the public key `whpk_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// How a test message fared.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "delivered": true, "http_status": 204 }))]
pub struct TestView {
    /// Whether it was answered 2xx.
    pub delivered: bool,
    /// The answer's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Why no answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// One line of the delivery log.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The message's `webhook-id`.
    pub message: String,
    /// The event's number; absent for this gateway's own events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// Its type.
    pub r#type: String,
    /// `waiting`, `parked` or `delivered`.
    pub status: String,
    /// How often it was sent.
    pub attempts: i32,
    /// RFC 3339; when it is sent next, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<String>,
    /// RFC 3339; when it was sent last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempted_at: Option<String>,
    /// The last answer's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<i16>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A page of the delivery log, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryPage {
    /// The lines.
    pub deliveries: Vec<DeliveryView>,
    /// Give it as `cursor` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<i64>,
}

/// Makes an endpoint; its secret is shown in this answer alone, and once more to the same request with
/// the same Idempotency-Key.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/webhooks", tag = "webhooks", request_body = WebhookBody,
    params(("Idempotency-Key" = Option<String>, Header,
        description = "A value of your own, kept 24 hours; without one each request makes another")),
    responses((status = 201, description = "Made, with its secret", body = WebhookView)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Manage)?;
    let actor = caller.actor();
    let created = |shown: WebhookView| (StatusCode::CREATED, Json(shown)).into_response();
    if !headers.contains_key("idempotency-key") {
        let id = Uuid::from_bytes(random().map_err(|error| Problem::internal(&error))?);
        return made(&app, &actor, id, &body).await.map(created);
    }
    let taken = match begin(&app, &caller, &headers, ("/v1/webhooks", &body.0)).await? {
        Begun::Repeat(response) if response.status() == StatusCode::CREATED => {
            let known = known(&app, named(&caller, &headers)?).await?;
            return known.map(created).ok_or_else(unknown);
        }
        Begun::Repeat(response) => return Ok(*response),
        Begun::First(taken) => taken,
    };
    let id = named(&caller, &headers)?;
    let work = async move {
        let shown = match known(&app, id).await? {
            // Left by a request that was cut off before it was answered.
            Some(shown) => Ok(shown),
            None => made(&app, &actor, id, &body).await,
        };
        match shown {
            Ok(shown) => {
                // The secret stands in no table but sealed: a repeat is shown the endpoint anew.
                taken.value(&app, json!({ "id": id })).await?;
                Ok(created(shown))
            }
            Err(problem) => taken.problem(&app, problem).await,
        }
    };
    caller.to_the_end(work).await
}

/// The id of the endpoint that a request makes: the same whenever it comes.
fn named(caller: &Caller, headers: &HeaderMap) -> Result<Uuid, Problem> {
    let parts = [caller.key.as_bytes().as_slice(), given(headers)?.as_bytes()];
    Ok(Uuid::from_bytes(names::uetr(b"causeway webhook of a request\0", &parts).bytes()))
}

/// An endpoint with the secret that it has now.
async fn known(app: &App, id: Uuid) -> Result<Option<WebhookView>, Problem> {
    let Some(row) = app.store.webhook_fetch(id).await? else { return Ok(None) };
    let sealed = app.store.webhook_secrets(id).await?.into_iter().next();
    let opened = sealed.map(|sealed| app.webhooks.vault.open(id, &sealed)).transpose();
    let secret = opened.map_err(|error| Problem::internal(&error))?;
    view(app, row, secret.as_ref()).await.map(Some)
}

async fn made(app: &App, actor: &Actor, id: Uuid, body: &Body) -> Result<WebhookView, Problem> {
    let asked: WebhookBody = body.json()?;
    let unknown = asked.events.iter().position(|name| !message::TYPES.contains(&name.as_str()));
    if let Some(place) = unknown {
        let reason = format!("must be one of {}", message::TYPES.join(", "));
        return Err(Problem::field(&format!("events[{place}]"), &reason));
    }
    if asked.after.is_some_and(|after| after < 0) {
        return Err(Problem::field("after", "must not be below 0"));
    }
    let url = address::url(&asked.url, &app.webhooks.settings).map_err(|reason| {
        Problem::new(Code::WebhookUrlRefused, format!("url: {reason}; give another"))
    })?;
    let secret = fresh(asked.signature.as_deref().unwrap_or("v1"))?;
    let sealed = app.webhooks.vault.seal(id, &secret).map_err(|error| Problem::internal(&error))?;
    let max = app.webhooks.settings.endpoints_max;
    let made = (id, url.as_str(), asked.events.as_slice());
    let act = actor.entry("webhook.made", id, json!({ "url": url.as_str(), "events": made.2 }));
    let row = app.store.webhook_insert(made, asked.after, &sealed, max, &act).await?;
    let row = row.ok_or_else(|| {
        let detail = format!("there are {max}; delete one, or raise webhooks.endpoints_max");
        Problem::new(Code::WebhookLimitReached, detail)
    })?;
    app.webhooks.wake();
    view(app, row, Some(&secret)).await
}

/// Every endpoint.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks",
    responses((status = 200, description = "Every endpoint", body = [WebhookView])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Vec<WebhookView>>, Problem> {
    caller.may(Scope::Manage)?;
    let mut shown = Vec::new();
    for row in app.store.webhook_list().await? {
        shown.push(view(&app, row, None).await?);
    }
    Ok(Json(shown))
}

/// One endpoint and how it fares.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, description = "The endpoint", body = WebhookView)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Json<WebhookView>, Problem> {
    caller.may(Scope::Manage)?;
    let row = found(&app, &id).await?;
    Ok(Json(view(&app, row, None).await?))
}

/// Removes an endpoint with its secrets and its log.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 204, description = "It is gone")))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<StatusCode, Problem> {
    caller.may(Scope::Manage)?;
    let id = parsed(&id)?;
    let act = caller.actor().entry("webhook.removed", id, json!({}));
    let gone = app.store.webhook_delete(id, &act).await?;
    gone.then_some(StatusCode::NO_CONTENT).ok_or_else(unknown)
}

/// Gives a new secret; the former one signs beside it for a while.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate", tag = "webhooks",
    params(("id" = String, Path)), request_body = Option<RotateBody>,
    responses((status = 200, description = "With its new secret", body = WebhookView)))]
pub async fn rotate(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
    body: Body,
) -> Result<Json<WebhookView>, Problem> {
    caller.may(Scope::Manage)?;
    let asked: RotateBody = body.optional_json()?.unwrap_or_default();
    let overlap = asked.overlap_s.unwrap_or(OVERLAP_S);
    let overlap = u64::try_from(overlap).ok().filter(|_| overlap <= OVERLAP_S_MAX);
    let overlap = overlap.ok_or_else(|| Problem::field("overlap_s", "must be 0 to 604800"))?;
    let row = found(&app, &id).await?;
    let former = app.store.webhook_secrets(row.id).await?;
    let secret = fresh(former.first().map_or("v1", |secret| secret.kind.as_str()))?;
    let sealed = app.webhooks.vault.seal(row.id, &secret);
    let sealed = sealed.map_err(|error| Problem::internal(&error))?;
    let act = caller.actor().entry("webhook.rotated", row.id, json!({ "overlap_s": overlap }));
    let overlap = Duration::from_secs(overlap);
    if !app.store.webhook_rotate(row.id, &sealed, overlap, &act).await? {
        return Err(unknown());
    }
    Ok(Json(view(&app, row, Some(&secret)).await?))
}

/// Sends every event from a number on again, and enables a disabled endpoint.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", tag = "webhooks",
    params(("id" = String, Path)), request_body = ReplayBody,
    responses((status = 200, description = "It begins", body = WebhookView)))]
pub async fn replay(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
    body: Body,
) -> Result<Json<WebhookView>, Problem> {
    caller.may(Scope::Manage)?;
    let asked: ReplayBody = body.json()?;
    if asked.from < 1 {
        return Err(Problem::field("from", "must be 1 or more"));
    }
    let row = found(&app, &id).await?;
    let act = caller.actor().entry("webhook.replayed", row.id, json!({ "from": asked.from }));
    if !app.store.webhook_replay(row.id, asked.from, &act).await? {
        return Err(unknown());
    }
    app.webhooks.wake();
    let row = app.store.webhook_fetch(row.id).await?.ok_or_else(unknown)?;
    Ok(Json(view(&app, row, None).await?))
}

/// Sends a message of the type `webhook.test` at once; it is no event, and is not tried again.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", tag = "webhooks",
    params(("id" = String, Path)),
    responses((status = 200, description = "How it fared", body = TestView)))]
pub async fn test(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Json<TestView>, Problem> {
    caller.may(Scope::Manage)?;
    let row = found(&app, &id).await?;
    let number: [u8; 8] = random().map_err(|error| Problem::internal(&error))?;
    let now = OffsetDateTime::now_utc();
    let body = json!({
        "type": "webhook.test", "timestamp": rfc3339(now), "data": { "webhook": row.id },
    });
    let message = Message {
        id: format!("test_{}", hex::encode(number)),
        timestamp: now.unix_timestamp(),
        body: body.to_string().into_bytes(),
        traceparent: trace::current().map(|context| context.traceparent()),
    };
    let sent = match deliver::secrets(&app, row.id).await? {
        Some(secrets) => app.webhooks.sender.post(&row.url, &secrets, &message).await,
        None => Err("the secret cannot be opened; rotate it".to_owned()),
    };
    Ok(Json(match sent {
        Ok(status) => TestView {
            delivered: (200..300).contains(&status),
            http_status: Some(status),
            failure: None,
        },
        Err(failure) => TestView { delivered: false, http_status: None, failure: Some(failure) },
    }))
}

/// What was sent and what waits, the newest first. What was taken stays for 30 days.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = String, Path), LogPage),
    responses((status = 200, description = "A page", body = DeliveryPage)))]
pub async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
    Query(page): Query<LogPage>,
) -> Result<Json<DeliveryPage>, Problem> {
    caller.may(Scope::Manage)?;
    let limit = limited(page.limit, 100, 500)?;
    let before = page.cursor.unwrap_or(i64::MAX);
    if before < 0 {
        return Err(Problem::field("cursor", "must not be below 0"));
    }
    let row = found(&app, &id).await?;
    let rows = app.store.webhook_deliveries(row.id, before, limit).await?;
    let next_cursor = next(&rows, limit, |row| row.id);
    let deliveries = rows.into_iter().map(|row| line(&app, row)).collect();
    Ok(Json(DeliveryPage { deliveries, next_cursor }))
}

fn line(app: &App, row: DeliveryRow) -> DeliveryView {
    let waits = row.status == "waiting";
    DeliveryView {
        message: match row.local {
            Some(own) => message::local_id(app.me, own),
            None => message::id(app.me, row.number.unwrap_or_default()),
        },
        number: row.number,
        r#type: row.r#type,
        next_at: waits.then(|| rfc3339(row.next_at)),
        status: row.status,
        attempts: row.attempts,
        attempted_at: row.attempted_at.map(rfc3339),
        http_status: row.http_status,
        failure: row.failure,
    }
}

fn fresh(kind: &str) -> Result<Secret, Problem> {
    let bytes = random().map_err(|error| Problem::internal(&error))?;
    Secret::of_kind(kind, bytes).ok_or_else(|| Problem::field("signature", "must be v1 or v1a"))
}

fn unknown() -> Problem {
    Problem::new(Code::WebhookNotFound, "id: GET /v1/webhooks lists what there is")
}

fn parsed(id: &Segment) -> Result<Uuid, Problem> {
    Uuid::parse_str(&id.0).map_err(|_| unknown())
}

async fn found(app: &App, id: &Segment) -> Result<WebhookRow, Problem> {
    app.store.webhook_fetch(parsed(id)?).await?.ok_or_else(unknown)
}

async fn view(app: &App, row: WebhookRow, secret: Option<&Secret>) -> Result<WebhookView, Problem> {
    let backlog = app.store.webhook_backlog(row.id).await?;
    let failing = row.state == "enabled" && row.consecutive_failures >= deliver::FAILING;
    Ok(WebhookView {
        id: row.id.to_string(),
        url: row.url,
        events: row.events,
        state: if failing { "failing".to_owned() } else { row.state },
        created_at: rfc3339(row.created_at),
        last_success_at: row.last_success_at.map(rfc3339),
        last_failure_at: row.last_failure_at.map(rfc3339),
        consecutive_failures: row.consecutive_failures,
        last_event: backlog.last,
        delivered_through: backlog.taken,
        lag: (backlog.last - backlog.taken).max(0),
        waiting: backlog.waiting,
        parked: backlog.parked,
        first_parked: backlog.first_parked,
        secret: secret.map(Secret::shown),
    })
}
