//! What a participant's operator does to its gateway from a shell beside the settings: API keys, the
//! audit log. It must never print a secret twice.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gateway::{
    audit_verify as verify,
    routes::caller::Scope,
    run::keys::{self, Asked},
    security::{UNNAMED, audit::Actor, owner as named},
    store::{Store, leaving::Stays},
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

async fn store(config: &Path) -> anyhow::Result<Store> {
    let settings: gateway::Settings = services_runtime::settings::load(config)?;
    Ok(Store::open(&settings.database, Arc::new(Stays)).await?)
}

/// Makes an API key; gives its id and its secret.
pub async fn api_key_of(
    config: &Path,
    scopes: &[String],
    owner: Option<&str>,
    expires_in: Option<u16>,
) -> anyhow::Result<(Uuid, String)> {
    let known = |text: &String| -> anyhow::Result<Scope> {
        text.parse().map_err(|rule: String| anyhow::anyhow!("--scope: {text}: {rule}"))
    };
    let scopes = scopes.iter().map(known).collect::<anyhow::Result<_>>()?;
    let owner = named(owner.unwrap_or(UNNAMED))
        .context("--owner: must be 1 to 70 visible ASCII characters and single spaces")?;
    let days = |days: u16| OffsetDateTime::now_utc() + time::Duration::days(i64::from(days));
    let asked = Asked { owner: owner.to_owned(), scopes, expires_at: expires_in.map(days) };
    let made = keys::make(&store(config).await?, &Actor::terminal(), asked).await?;
    Ok((made.id, made.secret))
}

/// Every key; no secrets.
pub async fn list(config: &Path) -> anyhow::Result<(String, Value)> {
    let mut lines = Vec::new();
    let mut values = Vec::new();
    for row in store(config).await?.api_key_list().await? {
        let state = row.state();
        let scopes = row.scopes.join(",");
        lines.push(format!("{}  {state:<7}  {scopes}  {}", row.id, row.owner));
        values.push(json!({
            "id": row.id, "owner": row.owner, "scopes": row.scopes, "state": state,
        }));
    }
    Ok((lines.join("\n"), json!({ "api_keys": values })))
}

/// Gives a key a new secret.
pub async fn rotate(config: &Path, id: &str, overlap: u64) -> anyhow::Result<(String, Value)> {
    let (id, overlap) = (parsed(id)?, Duration::from_secs(overlap));
    let made = keys::rotate(&store(config).await?, &Actor::terminal(), id, overlap).await?;
    let made = made.context("id: there is no such key, or it has ended; list them")?;
    Ok((made.secret.clone(), json!({ "id": id, "api_key": made.secret })))
}

/// Takes a key back.
pub async fn revoke(config: &Path, id: &str) -> anyhow::Result<(String, Value)> {
    let id = parsed(id)?;
    let done = keys::revoke(&store(config).await?, &Actor::terminal(), id).await?;
    anyhow::ensure!(done, "id: there is no such key, or it was taken back before; list them");
    Ok((format!("revoked: {id}"), json!({ "revoked": id })))
}

/// Follows the chain of the audit log.
pub async fn audit_verify(config: &Path, expect: Option<&str>) -> anyhow::Result<(String, Value)> {
    let expect = expect.map(noted).transpose()?;
    let (rows, digest) = verify(&store(config).await?, expect.as_ref()).await?;
    let text = format!("audit log: {rows} rows, unbroken, last {rows}:{digest}");
    Ok((text, json!({ "rows": rows, "digest": digest })))
}

fn noted(text: &str) -> anyhow::Result<(i64, String)> {
    let parts = text
        .split_once(':')
        .and_then(|(number, digest)| Some((number.parse().ok()?, digest.to_ascii_lowercase())));
    parts.context("--expect: must be NUMBER:DIGEST, as GET /v1/audit or this command shows")
}

fn parsed(id: &str) -> anyhow::Result<Uuid> {
    Uuid::parse_str(id).context("id: must be the UUID that listing shows")
}
