//! Idempotency-Key: the first request of a key runs, a repeat gets its answer, another body is refused; kept for 24 hours.
use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ledger_types::Uetr;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{caller::Caller, json};
use crate::{
    app::App,
    problem::{Code, Problem},
    store::keys::Idempotency,
    transfers::{Created, view},
};

/// A key that is ours to answer.
#[derive(Debug)]
pub struct Taken {
    caller: Uuid,
    key: String,
}

/// Whether a request is the first of its key.
#[derive(Debug)]
pub enum Begun {
    /// It is; finish it.
    First(Taken),
    /// It is not; this is the answer.
    Repeat(Box<Response>),
}

/// Takes the request's key.
///
/// # Errors
/// When it is missing, belongs to another request, or its first request is still running.
pub async fn begin(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    (path, body): (&str, &[u8]),
) -> Result<Begun, Problem> {
    let given = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    // The draft's form is a quoted string; a bare one means the same.
    let key = given.map(|text| text.trim().trim_matches('"')).unwrap_or_default();
    if key.is_empty() || key.len() > 255 {
        let detail = "Idempotency-Key: send a value of your own, at most 255 characters";
        return Err(Problem::new(Code::IdempotencyKeyMissing, detail));
    }
    let mut fingerprint = Sha256::new();
    fingerprint.update(path.as_bytes());
    fingerprint.update([0]);
    fingerprint.update(body);
    let fingerprint = fingerprint.finalize();
    let known = app.store.idempotency_begin(caller.key, key, &fingerprint).await?;
    let Some(known) = known else {
        return Ok(Begun::First(Taken { caller: caller.key, key: key.to_owned() }));
    };
    if known.fingerprint != fingerprint.as_slice() {
        let detail = "Idempotency-Key: use a new one for another request";
        return Err(Problem::new(Code::IdempotencyKeyReused, detail));
    }
    repeat(app, known).await.map(|response| Begun::Repeat(Box::new(response)))
}

async fn repeat(app: &App, known: Idempotency) -> Result<Response, Problem> {
    let status = known.status.and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    if let (Some(status), Some(body)) = (status, &known.body) {
        return Ok(json(status, body));
    }
    let uetr = known.uetr.and_then(|uetr| Uetr::from_bytes(*uetr.as_bytes()).ok());
    let row = match uetr {
        Some(uetr) => app.store.transfer_fetch(uetr, Some(app.me)).await?.into_iter().next(),
        None => None,
    };
    let running =
        || Problem::new(Code::RequestInProgress, "the first request is still running; ask again");
    let row = row.ok_or_else(running)?;
    let status = match row.status.as_str() {
        "QUEUED" => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    Ok((status, axum::Json(view::transfer(app, &row))).into_response())
}

impl Taken {
    /// Names the transfer that is being made, so that a crash loses nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn name(&self, app: &App, uetr: Uetr) -> Result<(), Problem> {
        Ok(app.store.idempotency_name(self.caller, &self.key, uetr).await?)
    }

    /// Answers with a transfer; repeats show it as it is then.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn transfer(
        self,
        app: &App,
        created: Result<Created, Problem>,
    ) -> Result<Response, Problem> {
        let (status, row) = match created {
            Ok(Created::Recorded(row)) => (StatusCode::CREATED, row),
            Ok(Created::Durable(row)) => (StatusCode::ACCEPTED, row),
            Err(problem) => return self.problem(app, problem).await,
        };
        let uetr = row.transfer().map(|transfer| transfer.uetr);
        let answer = (status.as_u16(), None);
        app.store.idempotency_finish(self.caller, &self.key, uetr, answer).await?;
        Ok((status, axum::Json(view::transfer(app, &row))).into_response())
    }

    /// Answers with a value.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn value(self, app: &App, value: serde_json::Value) -> Result<Response, Problem> {
        let answer = (201, Some(value.clone()));
        app.store.idempotency_finish(self.caller, &self.key, None, answer).await?;
        Ok(json(StatusCode::CREATED, &value))
    }

    /// Answers with a problem: one that lasts is kept, any other gives the key back.
    ///
    /// # Errors
    /// Always: the problem itself.
    pub async fn problem(self, app: &App, problem: Problem) -> Result<Response, Problem> {
        if problem.lasting() {
            let body = services_runtime::error::Problem::from(&problem);
            let body = serde_json::to_value(body).map_err(|error| Problem::internal(&error))?;
            let answer = (problem.status.as_u16(), Some(body));
            app.store.idempotency_finish(self.caller, &self.key, problem.uetr, answer).await?;
        } else {
            app.store.idempotency_forget(self.caller, &self.key).await?;
        }
        Err(problem)
    }
}
