//! A small bank that fails in every way, over real HTTPS and with a durable ledger of its own; it knows nothing of the network.
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use gateway::webhooks::signature::Verifier;
use serde_json::{Value, json};
use services_runtime::{http::HttpLimits, tls};
use tokio::task::JoinHandle;

pub mod ledger;

use ledger::{Account, Ledger};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// 500, and nothing was done.
    Before,
    /// 500, and it was done.
    After,
    /// It was done, and the answer comes after the caller's patience.
    Late,
    /// It was done, and the connection ends in the middle of the answer.
    Cut,
    /// It was done, and the answer is a page.
    Garbage,
    /// It was done, and the answer says something that the protocol does not know.
    Unheard,
    /// It was done, and the answer speaks of another key.
    Crossed,
}

const FAULTS: [Fault; 7] = [
    Fault::Before,
    Fault::After,
    Fault::Late,
    Fault::Cut,
    Fault::Garbage,
    Fault::Unheard,
    Fault::Crossed,
];

/// When calls fail.
#[derive(Debug)]
pub enum Mood {
    /// Never.
    Good,
    /// Always in this way.
    Always(Fault),
    /// So many of a hundred, by a seed, in any way.
    Chance(u8, fastrand::Rng),
}

/// What the bank saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Calls that failed, by the way.
    pub faults: BTreeMap<Fault, usize>,
    /// Calls whose signature was not right.
    pub unsigned: usize,
    /// Questions after a key.
    pub looked: usize,
}

/// The bank; its server runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Bank {
    inside: Arc<Inside>,
    listen: SocketAddr,
    https: tls::HttpsFiles,
    serving: Option<(axum_server::Handle<SocketAddr>, JoinHandle<std::io::Result<()>>)>,
}

#[derive(Debug)]
struct Inside {
    ledger: Mutex<Ledger>,
    mood: Mutex<Mood>,
    seen: Mutex<Seen>,
    verifier: Verifier,
    /// Longer than any caller waits.
    late: Duration,
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a bank is opened with.
#[derive(Debug)]
pub struct Opening {
    pub listen: SocketAddr,
    pub https: tls::HttpsFiles,
    pub journal: PathBuf,
    pub verifier: Verifier,
    pub late: Duration,
    pub accounts: BTreeMap<String, Account>,
}

impl Bank {
    /// Opens a bank that serves nobody yet.
    ///
    /// # Errors
    /// When its journal is unreadable.
    pub fn open(opening: Opening) -> anyhow::Result<Self> {
        let ledger = Ledger::open(&opening.journal, opening.accounts)?;
        let inside = Inside {
            ledger: Mutex::new(ledger),
            mood: Mutex::new(Mood::Good),
            seen: Mutex::default(),
            verifier: opening.verifier,
            late: opening.late,
        };
        let (listen, https) = (opening.listen, opening.https);
        Ok(Self { inside: Arc::new(inside), listen, https, serving: None })
    }

    /// Serves, from what the journal says.
    ///
    /// # Errors
    /// When the certificate or the journal is unusable.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        lock(&self.inside.ledger).reopen()?;
        let certificate = tls::HttpsTls::load(self.https.clone()).context("the bank's TLS")?;
        let handle = axum_server::Handle::new();
        let router = Router::new().fallback(handle_call).with_state(Arc::clone(&self.inside));
        let server = services_runtime::http::server(
            self.listen,
            certificate.config(),
            &HttpLimits::default(),
        )
        .handle(handle.clone())
        .serve(router.into_make_service());
        self.serving = Some((handle.clone(), tokio::spawn(server)));
        handle.listening().await.context("the bank's port is taken")?;
        Ok(())
    }

    /// Ends serving in the middle of whatever it does.
    pub async fn stop(&mut self) {
        if let Some((handle, task)) = self.serving.take() {
            handle.shutdown();
            let _ended = task.await;
        }
    }

    /// Fails so from now on.
    pub fn set(&self, mood: Mood) {
        *lock(&self.inside.mood) = mood;
    }

    /// What it saw.
    #[must_use]
    pub fn seen(&self) -> Seen {
        lock(&self.inside.seen).clone()
    }

    /// What its books say.
    pub fn books<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&lock(&self.inside.ledger))
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        if let Some((handle, _)) = self.serving.take() {
            handle.shutdown();
        }
    }
}

impl Inside {
    fn fault(&self) -> Option<Fault> {
        let fault = match &mut *lock(&self.mood) {
            Mood::Good => None,
            Mood::Always(fault) => Some(*fault),
            Mood::Chance(percent, random) => {
                let fails = random.u8(..100) < *percent;
                fails.then(|| FAULTS[random.usize(..FAULTS.len())])
            }
        };
        if let Some(fault) = fault {
            *lock(&self.seen).faults.entry(fault).or_default() += 1;
        }
        fault
    }

    fn signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let all = (text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"));
        let (Some(id), Some(at), Some(signature)) = all else { return false };
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        self.verifier.verify(id, at, signature, body, now)
    }

    /// What it answers when it does not fail; it is done when this returns.
    fn answer(&self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        if method == Method::GET {
            lock(&self.seen).looked += 1;
            let key = path.rsplit('/').next().unwrap_or_default();
            let known = lock(&self.ledger).said(key);
            let never = json!({ "key": key, "status": "unknown" });
            return known.map_or((404, never), |said| (200, said));
        }
        let Ok(asked) = serde_json::from_slice::<Value>(body) else {
            return (400, json!({ "error": "no JSON" }));
        };
        if !path.ends_with(asked["operation"].as_str().unwrap_or("?")) {
            return (400, json!({ "error": "another operation" }));
        }
        lock(&self.ledger).perform(&asked)
    }
}

async fn handle_call(
    State(inside): State<Arc<Inside>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !inside.signed(&headers, &body) {
        lock(&inside.seen).unsigned += 1;
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let fault = inside.fault();
    if fault == Some(Fault::Before) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let (status, mut said) = inside.answer(&method, uri.path(), &body);
    match fault {
        Some(Fault::Before | Fault::After) => {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        Some(Fault::Garbage) => {
            return (StatusCode::OK, "<html>maintenance</html>").into_response();
        }
        Some(Fault::Cut) => return cut(&said),
        Some(Fault::Late) => tokio::time::sleep(inside.late).await,
        Some(Fault::Unheard) => said["status"] = json!("perhaps"),
        Some(Fault::Crossed) => said["key"] = json!("another"),
        None => {}
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(said)).into_response()
}

/// Half of an answer, and then the end of the connection.
fn cut(said: &Value) -> Response {
    let text = said.to_string();
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let parts = [Ok(half), Err(std::io::Error::other("the bank breaks off"))];
    Body::from_stream(futures_util::stream::iter(parts)).into_response()
}
