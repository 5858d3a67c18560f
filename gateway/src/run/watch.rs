//! What security does by the clock and at start: ends approvals that nobody decided, writes the start and failed sign-ins to the audit log; it decides nothing else.
use std::time::Duration;

use serde_json::json;
use services_runtime::{error::chain, shutdown::Shutdown};
use sha2::{Digest as _, Sha256};

use crate::{
    Error, app::App, run::read, security::audit::Actor, settings::Settings, transfers::approve,
};

/// How often approvals are looked at.
const APPROVALS_EVERY: Duration = Duration::from_secs(1);

/// Writes the start down, with the digest of the settings' file.
pub(super) async fn started(app: &App, settings: &Settings) -> Result<(), Error> {
    let file = settings.file.as_deref();
    let bytes = file.map(|file| read("settings", file)).transpose()?;
    let digest = bytes.map(|bytes| hex::encode(Sha256::digest(&bytes)));
    let detail = json!({
        "settings_sha256": digest,
        "version": env!("CARGO_PKG_VERSION"),
    });
    let started = Actor::gateway().entry("gateway.started", settings.participant, detail);
    app.store.audit_append(&started).await.map_err(Error::Store)
}

/// Ends approvals that nobody decided in time.
pub(super) async fn approvals(app: App, shutdown: Shutdown) -> Result<(), Error> {
    let mut ticks = tokio::time::interval(APPROVALS_EVERY);
    let token = shutdown.token();
    while token.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(problem) = approve::expire(&app).await {
            tracing::warn!(code = problem.code, "approvals not looked at, trying again");
        }
    }
    Ok(())
}

/// Writes down how many sign-ins failed, if any did, the last ones when the process ends.
pub(super) async fn failures(app: App, every: Duration, shutdown: Shutdown) -> Result<(), Error> {
    let mut ticks = tokio::time::interval(every);
    let token = shutdown.token();
    loop {
        let goes_on = token.run_until_cancelled(ticks.tick()).await.is_some();
        if let Some(counts) = app.security.failures.take() {
            let failed = Actor::gateway().entry("sign_in.failed", app.me.0, counts);
            if let Err(error) = app.store.audit_append(&failed).await {
                tracing::error!(cause = chain(&error), "failed sign-ins not written");
            }
        }
        if !goes_on {
            return Ok(());
        }
    }
}
