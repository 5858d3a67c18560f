//! Starts one console: opens what it reads, brings schema `office` up to date, serves HTTPS. It must never sign anybody in.

use std::{net::SocketAddr, time::Duration};

use services_runtime::{
    health::{self, Checks},
    http,
    shutdown::Shutdown,
    telemetry, tls,
};

use crate::{Error, Settings, app::App, measure, routes};

/// What must hold before a console is ready: the tables that it reads answer.
pub const CONDITIONS: [&str; 1] = [DATABASE];
const DATABASE: &str = "database";

const CERTIFICATES_EVERY: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(5);

/// Runs until shutdown.
///
/// # Errors
/// When the settings are unusable or it cannot listen; a database that is away is waited for.
pub async fn run(
    settings: Settings,
    health: Option<health::State>,
    shutdown: Shutdown,
) -> Result<(), Error> {
    tls::install_default_provider();
    telemetry::describe(measure::METRICS);
    if let (Some(state), Some(address)) = (&health, settings.health_listen) {
        health::serve(address, state.clone(), &shutdown).await.map_err(Error::Health)?;
    }
    let checks = health.map_or_else(|| Checks::new(&CONDITIONS), |state| state.checks());
    let app = App::new(&settings, checks)?;
    let https = tls::HttpsTls::load(settings.https.clone()).map_err(Error::Tls)?;
    https.watch(CERTIFICATES_EVERY, &shutdown);
    shutdown.spawn("database", look(app.clone(), shutdown.clone()));
    let handle = axum_server::Handle::new();
    let (token, stop) = (shutdown.token(), handle.clone());
    shutdown.spawn("https-stop", async move {
        token.cancelled().await;
        stop.graceful_shutdown(Some(GRACE));
        Ok::<_, Error>(())
    });
    let address = settings.listen;
    tracing::info!(%address, "console serves");
    http::server(address, https.config(), &settings.listener)
        .handle(handle)
        .serve(routes::router(&app).into_make_service_with_connect_info::<SocketAddr>())
        .await
        .map_err(|source| Error::Serve { address, source })
}

/// Says whether the tables answer; makes schema `office` once they do.
async fn look(app: App, shutdown: Shutdown) -> Result<(), Error> {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let token = shutdown.token();
    let mut migrated = false;
    while token.run_until_cancelled(ticks.tick()).await.is_some() {
        if !migrated {
            match app.office.migrate().await {
                Ok(()) => migrated = true,
                Err(error) => {
                    let cause = services_runtime::error::chain(&error);
                    tracing::warn!(cause, "schema office is not up to date, trying again");
                }
            }
        }
        let answers = migrated && app.store.tip().await.is_ok();
        app.checks.set(DATABASE, answers);
    }
    Ok(())
}
