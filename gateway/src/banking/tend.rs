//! Has core banking asked after what it left open, until the process ends; it knows no bank.
use std::time::Duration;

use services_runtime::{error::chain, shutdown::Shutdown};

use crate::{Error, app::App, measure};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tends until the process ends.
///
/// # Errors
/// Never; it ends with the process.
pub async fn run(app: App, shutdown: Shutdown) -> Result<(), Error> {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let token = shutdown.token();
    while token.run_until_cancelled(ticks.tick()).await.is_some() {
        // Cut off anywhere it goes on at the next start.
        let tended = token.run_until_cancelled(app.banking.tend(&app.turns)).await;
        if let Some(Err(error)) = tended {
            tracing::warn!(cause = chain(&error), "core banking not asked after, trying again");
        }
        measure::banking(&app.banking.unresolved());
    }
    Ok(())
}
