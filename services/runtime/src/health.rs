//! Serves `/healthz`, `/readyz` (JSON) and `/metrics` without TLS on loopback. It must never listen
//! elsewhere: these pages have no login.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::shutdown::Shutdown;

#[cfg(test)]
mod tests;

const DRAIN_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "health.listen: {address} is not a loopback address; give 127.0.0.1 or ::1 and let a local \
         agent forward the pages"
    )]
    NotLoopback { address: SocketAddr },
    #[error("health.listen: cannot listen on {address}; choose a free port")]
    Bind {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

/// A named condition: whether it holds, since when, and what else is to say of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub holds: bool,
    /// Unix time in milliseconds at which it began to hold, or no longer held.
    pub since_ms: u64,
    /// A figure behind it, in words; never a secret, never a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What `/healthz` and `/readyz` answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `live`, `ready` or `not ready`.
    pub status: &'static str,
    pub checks: Vec<Check>,
}

/// Named conditions, all of which must hold for the process to be ready; clones share them.
#[derive(Clone, Debug)]
pub struct Checks(Arc<Mutex<BTreeMap<&'static str, Check>>>);

impl Checks {
    /// None holds before it is told.
    #[must_use]
    pub fn new(conditions: &[&'static str]) -> Self {
        let since_ms = now_ms();
        let check =
            |name: &&'static str| (*name, Check { name, holds: false, since_ms, detail: None });
        Self(Arc::new(Mutex::new(conditions.iter().map(check).collect())))
    }

    pub fn set(&self, condition: &'static str, met: bool) {
        self.tell(condition, met, None);
    }

    /// Sets a condition and the figure behind it.
    pub fn tell(&self, name: &'static str, holds: bool, detail: Option<String>) {
        let mut checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let former = checks.get(name).filter(|former| former.holds == holds);
        let since_ms = former.map_or_else(now_ms, |former| former.since_ms);
        checks.insert(name, Check { name, holds, since_ms, detail });
        let ready = checks.values().all(|check| check.holds);
        metrics::gauge!("process_check", "check" => name).set(u8::from(holds));
        metrics::gauge!("process_ready").set(u8::from(ready));
    }

    /// Every check as it stands.
    #[must_use]
    pub fn report(&self) -> Report {
        let checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let checks: Vec<_> = checks.values().cloned().collect();
        let ready = checks.iter().all(|check| check.holds);
        Report { status: if ready { READY } else { NOT_READY }, checks }
    }
}

/// What the pages show.
#[derive(Clone)]
pub struct State {
    checks: Checks,
    metrics: PrometheusHandle,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("checks", &self.checks).finish_non_exhaustive()
    }
}

impl State {
    /// Not ready until every name in `conditions` has been `set` to true.
    #[must_use]
    pub fn new(metrics: PrometheusHandle, conditions: &[&'static str]) -> Self {
        Self { checks: Checks::new(conditions), metrics }
    }

    /// What `/readyz` shows, to be told elsewhere too.
    #[must_use]
    pub fn checks(&self) -> Checks {
        self.checks.clone()
    }

    pub fn set(&self, condition: &'static str, met: bool) {
        self.checks.set(condition, met);
    }

    /// Sets a condition and the figure behind it.
    pub fn tell(&self, name: &'static str, holds: bool, detail: Option<String>) {
        self.checks.tell(name, holds, detail);
    }

    #[must_use]
    pub fn report(&self) -> Report {
        self.checks.report()
    }
}

const READY: &str = "ready";
const NOT_READY: &str = "not ready";

fn now_ms() -> u64 {
    crate::trace::now_micros() / 1_000
}

/// Drains histograms again and again, which else hold every sample until somebody scrapes.
pub fn drain(metrics: &PrometheusHandle, shutdown: &Shutdown) {
    let (metrics, token) = (metrics.clone(), shutdown.token());
    shutdown.spawn("metrics-drain", async move {
        let mut ticks = tokio::time::interval(DRAIN_EVERY);
        while token.run_until_cancelled(ticks.tick()).await.is_some() {
            metrics.run_upkeep();
        }
        Ok::<_, std::io::Error>(())
    });
}

/// Listens on `address` and serves in a task of `shutdown`; gives the address really bound.
pub async fn serve(
    address: SocketAddr,
    state: State,
    shutdown: &Shutdown,
) -> Result<SocketAddr, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback { address });
    }
    let bind_failed = |source| Error::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind_failed)?;
    let bound = listener.local_addr().map_err(bind_failed)?;

    let token = shutdown.token();
    shutdown.spawn("health", async move {
        axum::serve(listener, router(state)).with_graceful_shutdown(token.cancelled_owned()).await
    });
    Ok(bound)
}

fn router(state: State) -> Router {
    let metrics = state.metrics.clone();
    Router::new()
        .route("/healthz", get(async || Json(Report { status: "live", checks: Vec::new() })))
        .route("/readyz", get(async move || readyz(&state.report())))
        .route("/metrics", get(async move || metrics.render()))
}

/// The answer of `/readyz`: 200, or 503 while a check does not hold.
#[must_use]
pub fn readyz(report: &Report) -> Response {
    let ready = report.status == READY;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}
