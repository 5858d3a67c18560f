//! Serves `/healthz`, `/readyz` and `/metrics` in plain text on loopback. It must never listen
//! elsewhere: these pages have no login.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
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

/// What the pages show: named conditions, all of which must hold for the process to be ready.
#[derive(Clone)]
pub struct State {
    conditions: Arc<Mutex<BTreeMap<&'static str, bool>>>,
    metrics: PrometheusHandle,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("unmet", &self.unmet()).finish_non_exhaustive()
    }
}

impl State {
    /// Not ready until every name in `conditions` has been `set` to true.
    #[must_use]
    pub fn new(metrics: PrometheusHandle, conditions: &[&'static str]) -> Self {
        let conditions = conditions.iter().map(|name| (*name, false)).collect();
        Self { conditions: Arc::new(Mutex::new(conditions)), metrics }
    }

    pub fn set(&self, condition: &'static str, met: bool) {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner).insert(condition, met);
    }

    #[must_use]
    pub fn ready(&self) -> bool {
        self.unmet().is_empty()
    }

    fn unmet(&self) -> Vec<&'static str> {
        let conditions = self.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        conditions.iter().filter(|(_, met)| !**met).map(|(name, _)| *name).collect()
    }
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
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || readyz(&state)))
        .route("/metrics", get(async move || metrics.render()))
}

fn readyz(state: &State) -> (StatusCode, String) {
    let unmet = state.unmet();
    if unmet.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", unmet.join(", ")))
    }
}
