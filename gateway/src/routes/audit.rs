//! The audit log over HTTP: rows in order with the digests that chain them; nobody can write here.
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Query,
    caller::{Caller, Scope},
    params::{After, counted, limited},
};
use crate::{app::App, clock::rfc3339, problem::Problem, store::audit::AuditRow};

/// A row of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "number": 7, "at": "2026-01-02T03:04:05.678901Z", "actor": "ada",
    "api_key": "5a2ad8e4-7f5a-4f0e-9d86-0d3a4d2c9b10", "act": "webhook.removed",
    "subject": "9d1c1c0e-5f5a-4c67-8a0f-6f1f6a1c2b3d", "detail": "{}",
    "digest": "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069",
}))]
pub struct AuditView {
    /// Without gaps from 1.
    pub number: i64,
    /// RFC 3339, to the microsecond.
    pub at: String,
    /// The owner of the key that acted; `terminal` or `gateway` without one.
    pub actor: String,
    /// The key that acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// `key.made`, `key.rotated`, `key.revoked`, `webhook.made`, `webhook.removed`,
    /// `webhook.rotated`, `webhook.replayed`, `approval.requested`, `approval.approved`,
    /// `approval.rejected`, `approval.expired`, `approval.refused`, `gateway.started`,
    /// `sign_in.failed`.
    pub act: String,
    /// The id of what it was done to.
    pub subject: String,
    /// More, as JSON text: these bytes are covered by the digest.
    pub detail: String,
    /// SHA-256 over this row and the digest of the one before, in hexadecimal.
    pub digest: String,
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// In order.
    pub rows: Vec<AuditView>,
    /// The last number there is; keep it with its digest elsewhere to notice a log that was cut.
    pub last_number: i64,
    /// The digest of the last row; empty before the first.
    pub last_digest: String,
}

/// Administrative acts after a number, in order.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/audit", operation_id = "audit", tag = "security", params(After),
    responses((status = 200, description = "In order, without gaps", body = AuditPage)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(from): Query<After>,
) -> Result<Json<AuditPage>, Problem> {
    caller.may(Scope::Audit)?;
    let limit = limited(from.limit, 200, 1_000)?;
    let rows = app.store.audit_list(counted("after", from.after)?, limit).await?;
    let last = app.store.audit_last().await?;
    Ok(Json(AuditPage {
        rows: rows.into_iter().map(view).collect(),
        last_number: last.as_ref().map_or(0, |row| row.number),
        last_digest: last.map(|row| hex::encode(row.digest)).unwrap_or_default(),
    }))
}

fn view(row: AuditRow) -> AuditView {
    AuditView {
        number: row.number,
        at: rfc3339(row.at),
        actor: row.actor,
        api_key: row.api_key.map(|key| key.to_string()),
        act: row.act,
        subject: row.subject,
        detail: row.detail,
        digest: hex::encode(row.digest),
    }
}
