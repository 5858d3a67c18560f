//! This participant's own events over HTTP, at once or as soon as there are any; they hold no personal data.
use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Query,
    caller::{Caller, Scope},
    params::{After, counted, limited},
};
use crate::{app::App, clock::rfc3339, problem::Problem, store::events::EventRow};

/// Less than any request may take.
const WAIT_S_MAX: u64 = 20;

/// A record that concerns this participant.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// This participant's own number, without gaps from 1.
    pub number: i64,
    /// The ledger's record.
    pub record: i64,
    /// RFC 3339, replicated time.
    pub at: String,
    /// The record's shared part: kind, state, subject, amount; no personal data.
    pub data: serde_json::Value,
}

/// Events after a number, in order. Where there are none yet, the answer may wait for the next: ask again with the
/// last number seen, and none is missed.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/events", tag = "network", params(After),
    responses((status = 200, description = "In order, without gaps", body = [EventView])))]
pub async fn events(
    State(app): State<App>,
    caller: Caller,
    Query(from): Query<After>,
) -> Result<Json<Vec<EventView>>, Problem> {
    caller.may(Scope::Read)?;
    let after = counted("after", from.after)?;
    let limit = limited(from.limit, 200, 1_000)?;
    let wait = waited(from.wait_s)?;
    let mut rows = read(&app, after, limit).await?;
    if rows.is_empty() && !wait.is_zero() {
        app.recent.wait(after, wait).await;
        rows = read(&app, after, limit).await?;
    }
    Ok(Json(rows.iter().map(|row| view(row)).collect()))
}

/// The latest come from memory, so that who asks for what is new costs the database nothing.
async fn read(app: &App, after: i64, limit: i64) -> Result<Vec<Arc<EventRow>>, Problem> {
    let most = usize::try_from(limit).unwrap_or(0);
    if let Some(rows) = app.recent.after(after, most) {
        return Ok(rows);
    }
    let rows = app.store.event_list(after, limit).await?;
    Ok(rows.into_iter().map(Arc::new).collect())
}

fn waited(given: Option<i64>) -> Result<Duration, Problem> {
    let seconds = u64::try_from(given.unwrap_or(0)).ok().filter(|wait| *wait <= WAIT_S_MAX);
    let detail = || Problem::field("wait_s", &format!("must be 0 to {WAIT_S_MAX}"));
    seconds.map(Duration::from_secs).ok_or_else(detail)
}

fn view(row: &EventRow) -> EventView {
    let EventRow { number, sequence, at, data } = row;
    EventView { number: *number, record: *sequence, at: rfc3339(*at), data: data.clone() }
}
