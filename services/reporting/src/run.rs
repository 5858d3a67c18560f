//! Starts one console: opens what it reads, brings schema `office` up to date, serves HTTPS. It must never sign anybody in.

use std::time::Duration;

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

const LOOK_EVERY: Duration = Duration::from_secs(2);

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
    shutdown.spawn("database", look(app.clone(), shutdown.clone()));
    let address = settings.listen;
    tracing::info!(%address, "console serves");
    http::serve(address, &https, &settings.listener, routes::router(&app), &shutdown)
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
