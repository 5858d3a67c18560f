//! Whether a gateway can serve at this moment: its store answers, and it hears of the network and of its events; it repairs nothing.
use std::time::Duration;

use services_runtime::{health::State, shutdown::Shutdown};

use crate::{Error, app::App, measure};

/// What must hold, by name: the store answers, news of the network is fresh, the participant's
/// events are followed.
pub const CONDITIONS: [&str; 3] = ["database", "network", "events"];

/// How often the conditions are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A store that needs longer for nothing does not serve.
const PING_MAX: Duration = Duration::from_secs(2);

/// Every condition and whether it holds.
pub async fn conditions(app: &App) -> [(&'static str, bool); 3] {
    let pinged = tokio::time::timeout(PING_MAX, app.store.ping()).await;
    let database = matches!(pinged, Ok(Ok(())));
    let [first, second, third] = CONDITIONS;
    [(first, database), (second, app.directory.fresh().is_some()), (third, app.heard.lately())]
}

pub(super) async fn watch(app: App, state: State, shutdown: Shutdown) -> Result<(), Error> {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let token = shutdown.token();
    while token.run_until_cancelled(ticks.tick()).await.is_some() {
        for (condition, met) in conditions(&app).await {
            state.set(condition, met);
        }
        if let Ok(pending) = app.store.outbox_pending().await {
            measure::outbox(pending);
        }
        if let Ok((waiting, parked)) = app.store.webhook_pending().await {
            measure::webhooks(waiting, parked);
        }
    }
    Ok(())
}
