//! API keys over HTTP: make, list, look, rotate, take back; a secret is shown once, when it is made.
use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Body, Segment,
    caller::{Caller, Scope},
};
use crate::{
    Error,
    app::App,
    clock::rfc3339,
    problem::{Code, Problem},
    run::keys::{self, Asked, Made},
    security::{UNNAMED, audit::Entry, owner},
    store::api_keys::KeyRow,
};

/// The longest overlap of two secrets.
const OVERLAP_S_MAX: i64 = 604_800;
const OVERLAP_S: i64 = 86_400;
/// What stands before the 32 bytes of an ed25519 key in its SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI_ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "owner": "ada", "scopes": ["read", "approve"] }))]
pub struct KeyBody {
    /// Who will hold it, one person or program: what one owner makes another has to approve.
    #[schema(min_length = 1, max_length = 70, pattern = "^[!-~]+( [!-~]+)*$")]
    pub owner: String,
    /// `read`, `send`, `decide`, `manage`, `approve`, `audit`; at least one.
    #[schema(min_items = 1)]
    pub scopes: Vec<String>,
    /// RFC 3339; absent: it does not end by itself.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}

/// How a secret is rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "overlap_s": 86400 }))]
pub struct KeyRotateBody {
    /// Seconds for which the former secret opens too, 0 to 604,800; 86,400 if absent.
    #[schema(minimum = 0, maximum = 604_800)]
    pub overlap_s: Option<i64>,
}

/// A public key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "public_key": "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=" }))]
pub struct SignatureKeyBody {
    /// Ed25519, in base64: 32 bytes, or its SubjectPublicKeyInfo (RFC 8410).
    #[schema(pattern = "^(MCowBQYDK2VwAyEA)?[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")]
    pub public_key: String,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "5a2ad8e4-7f5a-4f0e-9d86-0d3a4d2c9b10", "owner": "ada", "scopes": ["read", "approve"],
    "state": "live", "created_at": "2026-01-02T03:04:05Z",
}))]
pub struct KeyView {
    /// Its id; a new secret leaves it as it is.
    pub id: String,
    /// Who holds it; `unnamed` where nobody was named.
    pub owner: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// `live`, `expired` or `revoked`.
    pub state: &'static str,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// RFC 3339; when it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// RFC 3339; when it was used last, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// RFC 3339; until when a former secret opens too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_secret_until: Option<String>,
    /// The ed25519 public key that its requests are signed with, in base64; absent: they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_key: Option<String>,
    /// Shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Makes a key; its secret is shown in this answer alone.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/api-keys", tag = "security", request_body = KeyBody,
    responses((status = 201, description = "Made, with its secret", body = KeyView)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Manage)?;
    let asked = asked(body.json()?)?;
    let made = keys::make(&app.store, &caller.actor(), asked).await.map_err(failed)?;
    let shown = shown(&app, made).await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// Every key, those that have ended too; no secrets.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/api-keys", tag = "security",
    responses((status = 200, description = "Every key, the oldest first", body = [KeyView])))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Vec<KeyView>>, Problem> {
    caller.may(Scope::Manage)?;
    let rows = app.store.api_key_list().await?;
    Ok(Json(rows.into_iter().map(|row| view(row, None)).collect()))
}

/// One key.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/api-keys/{id}", tag = "security", params(("id" = String, Path)),
    responses((status = 200, description = "The key", body = KeyView)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Json<KeyView>, Problem> {
    caller.may(Scope::Manage)?;
    let row = app.store.api_key_row(parsed(&id)?).await?.ok_or_else(unknown)?;
    Ok(Json(view(row, None)))
}

/// Gives a new secret; the former one opens beside it for a while.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/api-keys/{id}/rotate", tag = "security",
    params(("id" = String, Path)), request_body = Option<KeyRotateBody>,
    responses((status = 200, description = "With its new secret", body = KeyView)))]
pub async fn rotate(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
    body: Body,
) -> Result<Json<KeyView>, Problem> {
    caller.may(Scope::Manage)?;
    let asked: KeyRotateBody = body.optional_json()?.unwrap_or_default();
    let overlap = asked.overlap_s.unwrap_or(OVERLAP_S);
    let overlap = u64::try_from(overlap).ok().filter(|_| overlap <= OVERLAP_S_MAX);
    let overlap = overlap.ok_or_else(|| Problem::field("overlap_s", "must be 0 to 604800"))?;
    let overlap = Duration::from_secs(overlap);
    let made = keys::rotate(&app.store, &caller.actor(), parsed(&id)?, overlap).await;
    let made = made.map_err(failed)?.ok_or_else(unknown)?;
    Ok(Json(shown(&app, made).await?))
}

/// Takes a key back for ever: from the next request on it opens nothing.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/api-keys/{id}/revoke", tag = "security",
    params(("id" = String, Path)),
    responses((status = 200, description = "It is taken back", body = KeyView)))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Json<KeyView>, Problem> {
    caller.may(Scope::Manage)?;
    let id = parsed(&id)?;
    // What was taken back before stays so, and is shown as it is.
    let _first = keys::revoke(&app.store, &caller.actor(), id).await?;
    let row = app.store.api_key_row(id).await?.ok_or_else(unknown)?;
    Ok(Json(view(row, None)))
}

/// From its answer on, every request of the key must be signed (RFC 9421).
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/api-keys/{id}/signature-key", tag = "security",
    params(("id" = String, Path)), request_body = SignatureKeyBody,
    responses((status = 200, description = "With its public key", body = KeyView)))]
pub async fn signature_key(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
    body: Body,
) -> Result<Json<KeyView>, Problem> {
    caller.may(Scope::Manage)?;
    let id = parsed(&id)?;
    let _there = app.store.api_key_row(id).await?.ok_or_else(unknown)?;
    let asked: SignatureKeyBody = body.json()?;
    let public = public_key(&asked.public_key).ok_or_else(|| {
        let rule = "must be an ed25519 public key in base64: 32 bytes, or its SubjectPublicKeyInfo";
        Problem::field("public_key", rule)
    })?;
    let detail = json!({ "public_key": STANDARD.encode(public) });
    let act = caller.actor().entry("key.signature_set", id, detail);
    signature_set(&app, id, Some(&public), &act).await
}

/// From its answer on, requests of the key need no signature.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(delete, path = "/v1/api-keys/{id}/signature-key", tag = "security",
    params(("id" = String, Path)),
    responses((status = 200, description = "Without a public key", body = KeyView)))]
pub async fn signature_key_remove(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Json<KeyView>, Problem> {
    caller.may(Scope::Manage)?;
    let id = parsed(&id)?;
    let act = caller.actor().entry("key.signature_removed", id, json!({}));
    signature_set(&app, id, None, &act).await
}

async fn signature_set(
    app: &App,
    id: Uuid,
    public: Option<&[u8]>,
    act: &Entry,
) -> Result<Json<KeyView>, Problem> {
    if !app.store.api_key_signature_set(id, public, act).await? {
        return Err(unknown());
    }
    let row = app.store.api_key_row(id).await?.ok_or_else(unknown)?;
    Ok(Json(view(row, None)))
}

/// 32 bytes of a point that signatures can be verified with, raw or as RFC 8410 wraps them.
fn public_key(text: &str) -> Option<[u8; 32]> {
    let bytes = STANDARD.decode(text).ok()?;
    let raw = bytes.strip_prefix(&SPKI_ED25519).unwrap_or(&bytes);
    let raw: [u8; 32] = raw.try_into().ok()?;
    let key = VerifyingKey::from_bytes(&raw).ok().filter(|key| !key.is_weak());
    key.map(|_| raw)
}

fn asked(body: KeyBody) -> Result<Asked, Problem> {
    let named = owner(&body.owner).filter(|name| !name.eq_ignore_ascii_case(UNNAMED));
    let named = named.ok_or_else(|| {
        Problem::field("owner", "must be 1 to 70 visible ASCII characters and single spaces")
    })?;
    let scope = |(place, text): (usize, &String)| -> Result<Scope, Problem> {
        text.parse().map_err(|rule: String| Problem::field(&format!("scopes[{place}]"), &rule))
    };
    let mut scopes = Vec::new();
    for scope in body.scopes.iter().enumerate().map(scope) {
        let scope = scope?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return Err(Problem::field("scopes", "must name one at least"));
    }
    let later = |text: &String| {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok();
        let at = at.filter(|at| *at > OffsetDateTime::now_utc());
        at.ok_or_else(|| Problem::field("expires_at", "must be RFC 3339 and lie ahead"))
    };
    let expires_at = body.expires_at.as_ref().map(later).transpose()?;
    Ok(Asked { owner: named.to_owned(), scopes, expires_at })
}

fn failed(error: Error) -> Problem {
    if let Error::Store(error) = error { error.into() } else { Problem::internal(&error) }
}

async fn shown(app: &App, made: Made) -> Result<KeyView, Problem> {
    let row = app.store.api_key_row(made.id).await?.ok_or_else(unknown)?;
    Ok(view(row, Some(made.secret)))
}

fn unknown() -> Problem {
    Problem::new(Code::ApiKeyNotFound, "id: GET /v1/api-keys lists what there is")
}

fn parsed(id: &Segment) -> Result<Uuid, Problem> {
    Uuid::parse_str(&id.0).map_err(|_| unknown())
}

fn view(row: KeyRow, secret: Option<String>) -> KeyView {
    KeyView {
        id: row.id.to_string(),
        state: row.state(),
        owner: row.owner,
        scopes: row.scopes,
        created_at: rfc3339(row.created_at),
        expires_at: row.expires_at.map(rfc3339),
        revoked_at: row.revoked_at.map(rfc3339),
        last_used_at: row.last_used_at.map(rfc3339),
        former_secret_until: row.former_until.map(rfc3339),
        signature_key: row.signature_key.map(|key| STANDARD.encode(key)),
        secret,
    }
}
