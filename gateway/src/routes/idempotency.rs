//! Idempotency-Key: the first request of a key runs, a repeat gets its answer, another body is refused; kept for 24 hours.
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

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
    store::keys::{Finished, Idempotency, NewKey},
    transfers::{Created, known::refused, view},
};

/// The longest key, quotes apart.
const KEY_LENGTH_MAX: usize = 255;

/// The keys whose requests run in this process.
#[derive(Clone, Debug, Default)]
pub struct Running {
    keys: Arc<Mutex<HashSet<(Uuid, String)>>>,
}

impl Running {
    /// Enters a key; none when a request with it runs.
    fn enter(&self, caller: Uuid, key: &str) -> Option<Entered> {
        let key = (caller, key.to_owned());
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let running = self.clone();
        // Only then: an `Entered` made in vain would leave the key, under the lock that it waits for.
        keys.insert(key.clone()).then(|| Entered { running, key })
    }
}

/// A key that is entered; left when dropped, even by a caller who went away.
#[derive(Debug)]
struct Entered {
    running: Running,
    key: (Uuid, String),
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.running.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// A key that is ours to answer.
#[derive(Debug)]
pub struct Taken {
    entered: Entered,
    /// The transfer that an earlier request of this key named and may have kept, or be keeping yet.
    earlier: Option<Uetr>,
    /// The transfer that was named when the key was taken.
    named: Option<Uetr>,
}

/// Whether a request is the first of its key.
#[derive(Debug)]
pub enum Begun {
    /// It is, or the first was cut off before it left anything; finish it.
    First(Taken),
    /// It is not; this is the answer.
    Repeat(Box<Response>),
}

/// Takes the key of a request that makes no transfer.
///
/// # Errors
/// Those of [`begin_named`].
pub async fn begin(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    request: (&str, &[u8]),
) -> Result<Begun, Problem> {
    begin_named(app, caller, headers, request, None).await
}

/// Takes the request's key, for a transfer to be made under the name that is given.
///
/// # Errors
/// When it is missing, belongs to another request, or its first request is still running.
pub async fn begin_named(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    (path, body): (&str, &[u8]),
    named: Option<Uetr>,
) -> Result<Begun, Problem> {
    let key = given(headers)?;
    let mut fingerprint = Sha256::new();
    fingerprint.update(path.as_bytes());
    fingerprint.update([0]);
    fingerprint.update(body);
    let fingerprint = fingerprint.finalize();
    let entered = app.running.enter(caller.key, key);
    let new = NewKey {
        api_key: caller.key,
        key: key.to_owned(),
        fingerprint: fingerprint.to_vec(),
        uetr: named,
    };
    let known = app.store.idempotency_begin(new).await?;
    let (mut uetr, mut named) = (None, named);
    if let Some(known) = known {
        named = None;
        if known.fingerprint != fingerprint.as_slice() {
            let detail = "Idempotency-Key: use a new one for another request";
            return Err(Problem::new(Code::IdempotencyKeyReused, detail));
        }
        uetr = known.uetr.and_then(|uetr| Uetr::from_bytes(*uetr.as_bytes()).ok());
        if let Some(response) = repeat(app, &known, uetr).await? {
            return Ok(Begun::Repeat(Box::new(response)));
        }
    }
    Ok(Begun::First(Taken { entered: entered.ok_or_else(running)?, earlier: uetr, named }))
}

/// The key of a request.
///
/// # Errors
/// When there is none that may be one.
pub fn given(headers: &HeaderMap) -> Result<&str, Problem> {
    let given = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    given.and_then(key).ok_or_else(|| {
        let detail = "Idempotency-Key: send a value of your own: 1 to 255 visible ASCII characters, \
                      no quotes within";
        Problem::new(Code::IdempotencyKeyMissing, detail)
    })
}

/// The draft's form is a quoted string; a bare one means the same.
fn key(text: &str) -> Option<&str> {
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let key = quoted.unwrap_or(text);
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    (visible && (1..=KEY_LENGTH_MAX).contains(&key.len())).then_some(key)
}

fn running() -> Problem {
    Problem::new(Code::RequestInProgress, "the first request is still running; ask again")
}

/// The answer that the first request of a key came to, if it came to one or left a transfer.
async fn repeat(
    app: &App,
    known: &Idempotency,
    uetr: Option<Uetr>,
) -> Result<Option<Response>, Problem> {
    let status = known.status.and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    if let (Some(status), Some(body)) = (status, &known.body) {
        return Ok(Some(json(status, body)));
    }
    let Some(uetr) = uetr else { return Ok(None) };
    let row = app.store.transfer_fetch(uetr, Some(app.me)).await?.into_iter().next();
    let Some(row) = row else { return Ok(None) };
    if let Some(problem) = refused(&row) {
        return Err(problem);
    }
    let status = match row.status.as_str() {
        "QUEUED" | "AWAITING_APPROVAL" => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    Ok(Some((status, axum::Json(view::transfer(app, &row))).into_response()))
}

impl Taken {
    /// The caller's API key, and its Idempotency-Key.
    #[must_use]
    pub fn key(&self) -> (Uuid, &str) {
        (self.entered.key.0, &self.entered.key.1)
    }

    /// The name of the transfer to make: `uetr`, or the one that an earlier request of this key
    /// gave, lest it be made twice.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn name(&mut self, app: &App, uetr: Uetr) -> Result<Uetr, Problem> {
        if self.named == Some(uetr) {
            return Ok(uetr);
        }
        let (caller, key) = &self.entered.key;
        let name = app.store.idempotency_name(*caller, key, uetr).await?.ok_or_else(running)?;
        if name != uetr {
            self.earlier = Some(name);
        }
        Ok(name)
    }

    /// Answers with a transfer, which its key names: nothing more is kept, and repeats show it as it is
    /// then.
    ///
    /// # Errors
    /// What it came to instead, or when the store fails.
    pub async fn transfer(
        self,
        app: &App,
        created: Result<Created, Problem>,
    ) -> Result<Response, Problem> {
        let (status, row) = match created {
            Ok(Created::Recorded(row)) => (StatusCode::CREATED, row),
            Ok(Created::Durable(row)) => (StatusCode::ACCEPTED, row),
            // What was cut off was kept after all; the next request finds it.
            Err(problem)
                if self.earlier.is_some() && problem.uetr == self.earlier && problem.reused() =>
            {
                return Err(running());
            }
            Err(problem) => return self.problem(app, problem).await,
        };
        Ok((status, axum::Json(view::transfer(app, &row))).into_response())
    }

    async fn finish(
        &self,
        app: &App,
        uetr: Option<Uetr>,
        status: StatusCode,
        body: serde_json::Value,
    ) -> Result<(), Problem> {
        let (api_key, key) = self.entered.key.clone();
        let answer = Finished { api_key, key, uetr, status: status.as_u16(), body };
        Ok(app.store.idempotency_finish(answer).await?)
    }

    /// Answers with a value.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn value(self, app: &App, value: serde_json::Value) -> Result<Response, Problem> {
        self.finish(app, None, StatusCode::CREATED, value.clone()).await?;
        Ok(json(StatusCode::CREATED, &value))
    }

    /// Answers with a problem: one that lasts is kept, any other gives the key back; unless nobody
    /// knows what was kept, after a failure of the store or an earlier request that was cut off.
    /// Then the key keeps its name, and the next request goes on under it.
    ///
    /// # Errors
    /// Always: the problem itself.
    pub async fn problem(self, app: &App, problem: Problem) -> Result<Response, Problem> {
        if problem.lasting() {
            let body = services_runtime::error::Problem::from(&problem);
            let body = serde_json::to_value(body).map_err(|error| Problem::internal(&error))?;
            self.finish(app, problem.uetr, problem.status, body).await?;
        } else if self.earlier.is_none() && !problem.is(Code::StoreUnavailable) {
            app.store.idempotency_forget(self.entered.key.0, &self.entered.key.1).await?;
        }
        Err(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_runs_is_not_entered_again_and_stops_nobody() {
        let (running, caller) = (Running::default(), Uuid::nil());
        let first = running.enter(caller, "one");
        assert!(first.is_some());
        // Once this waited for ever for the lock that it held itself.
        assert!(running.enter(caller, "one").is_none());
        assert!(running.enter(caller, "two").is_some());
        drop(first);
        assert!(running.enter(caller, "one").is_some());
    }
}
