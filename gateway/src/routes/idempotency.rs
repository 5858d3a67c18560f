//! Idempotency-Key: the first request of a key runs, a repeat gets its answer, another body is refused; kept for 24 hours.
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ledger_types::{TransferId, Uetr};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{caller::Caller, json};
use crate::{
    app::App,
    problem::{Code, Problem},
    store::{
        keys::{Finished, Idempotency, Look, NewKey},
        transfers::uuid,
    },
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
    /// Digest of the request.
    fingerprint: Vec<u8>,
    /// Whether it is in the store; else it comes there with what is kept under it.
    kept: bool,
    /// The transfer that an earlier request of this key named and may have kept, or be keeping yet.
    earlier: Option<Uetr>,
    /// The transfer that was named when the key was taken.
    named: Option<Uetr>,
    /// Whether there was none of that name then.
    fresh: bool,
}

/// Whether a request is the first of its key.
#[derive(Debug)]
pub enum Begun {
    /// It is, or the first was cut off before it left anything; finish it.
    First(Taken),
    /// It is not; this is the answer.
    Repeat(Box<Response>),
}

/// Takes the key of a request that must not be done twice, whatever becomes of it.
///
/// # Errors
/// When it is missing, belongs to another request, or its first request is still running.
pub async fn begin(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    request: (&str, &[u8]),
) -> Result<Begun, Problem> {
    let key = given(headers)?;
    let entered = app.running.enter(caller.key, key);
    let new = NewKey {
        api_key: caller.key,
        key: key.to_owned(),
        fingerprint: fingerprint(request),
        uetr: None,
    };
    let fingerprint = new.fingerprint.clone();
    let known = app.store.idempotency_begin(new).await?;
    let new = New { fingerprint, kept: true, named: None, fresh: false };
    begun(app, entered, known, new).await
}

/// Takes the key of a request that makes a transfer under the name that is given, or none: it comes
/// into the store with the transfer.
///
/// # Errors
/// Those of [`begin`].
pub async fn begin_later(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    request: (&str, &[u8]),
    named: Option<Uetr>,
) -> Result<Begun, Problem> {
    let key = given(headers)?;
    // First: what is not entered while this is looked for may be kept when it is.
    let entered = app.running.enter(caller.key, key);
    let transfer = named.map(|uetr| TransferId { debtor_agent: app.me, uetr });
    let look = Look { api_key: caller.key, key: key.to_owned(), transfer };
    let (known, found) = app.store.idempotency_look(look).await?;
    let fresh = named.is_some() && !found;
    let new = New { fingerprint: fingerprint(request), kept: false, named, fresh };
    begun(app, entered, known, new).await
}

/// What holds of a request if its key is new.
struct New {
    fingerprint: Vec<u8>,
    /// Whether the key is in the store.
    kept: bool,
    /// The transfer to be made, if it comes there with that.
    named: Option<Uetr>,
    /// Whether there is no transfer of that name.
    fresh: bool,
}

async fn begun(
    app: &App,
    entered: Option<Entered>,
    known: Option<Idempotency>,
    new: New,
) -> Result<Begun, Problem> {
    let New { fingerprint, mut kept, mut named, fresh } = new;
    let mut earlier = None;
    if let Some(known) = known {
        if known.fingerprint != fingerprint {
            let detail = "Idempotency-Key: use a new one for another request";
            return Err(Problem::new(Code::IdempotencyKeyReused, detail));
        }
        earlier = known.uetr.and_then(|uetr| Uetr::from_bytes(*uetr.as_bytes()).ok());
        if let Some(response) = repeat(app, &known, earlier).await? {
            return Ok(Begun::Repeat(Box::new(response)));
        }
        (kept, named) = (true, None);
    }
    let entered = entered.ok_or_else(Problem::in_progress)?;
    Ok(Begun::First(Taken { entered, fingerprint, kept, earlier, named, fresh }))
}

fn fingerprint((path, body): (&str, &[u8])) -> Vec<u8> {
    let mut fingerprint = Sha256::new();
    fingerprint.update(path.as_bytes());
    fingerprint.update([0]);
    fingerprint.update(body);
    fingerprint.finalize().to_vec()
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

    /// Whether there was no transfer of this name when the key was taken.
    #[must_use]
    pub fn fresh(&self, uetr: Uetr) -> bool {
        self.fresh && self.named == Some(uetr)
    }

    /// The key as it is to be kept with a transfer; none if it is.
    #[must_use]
    pub fn to_keep(&self, uetr: Uetr) -> Option<NewKey> {
        (!self.kept).then(|| self.of(Some(uetr)))
    }

    fn of(&self, uetr: Option<Uetr>) -> NewKey {
        let (api_key, key) = self.entered.key.clone();
        NewKey { api_key, key, fingerprint: self.fingerprint.clone(), uetr }
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
        let name = app
            .store
            .idempotency_name(*caller, key, uetr)
            .await?
            .ok_or_else(Problem::in_progress)?;
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
                return Err(Problem::in_progress());
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

    /// Has the key in the store for what a request was refused: with its transfer it came there, else it
    /// comes now, unless another process has it.
    async fn own(&self, app: &App, problem: &Problem) -> Result<(), Problem> {
        if self.kept {
            return Ok(());
        }
        let new = self.of(problem.uetr);
        let named = new.uetr.map(uuid).filter(|_| !problem.reused());
        match app.store.idempotency_begin(new).await? {
            Some(known) if named.is_none() || known.uetr != named => Err(Problem::in_progress()),
            Some(_) | None => Ok(()),
        }
    }

    /// Answers with a problem: one that lasts is kept, any other gives the key back if it is in the
    /// store; unless nobody knows what was kept, after a failure of the store or an earlier request
    /// that was cut off. Then the key keeps its name, and the next request goes on under it.
    ///
    /// # Errors
    /// Always: the problem itself.
    pub async fn problem(self, app: &App, problem: Problem) -> Result<Response, Problem> {
        if problem.lasting() {
            self.own(app, &problem).await?;
            let body = services_runtime::error::Problem::from(&problem);
            let body = serde_json::to_value(body).map_err(|error| Problem::internal(&error))?;
            self.finish(app, problem.uetr, problem.status, body).await?;
        } else if self.earlier.is_none()
            // What is kept for a transfer came there with it.
            && (self.kept || problem.uetr.is_some())
            && !problem.is(Code::StoreUnavailable)
        {
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
