//! Whether a gateway can serve at this moment, and gets on with what it has: its store answers, it hears of the network and of its events, nothing waits too long; it repairs nothing.
use std::time::Duration;

use services_runtime::{health::Report, shutdown::Shutdown};

use crate::{Error, app::App, banking::Unresolved, measure};

/// What must hold, by name: the store answers, news of the network from the ledger's leader is fresh,
/// the participant's events are followed, and the oldest item without the ledger's answer is young.
pub const CONDITIONS: [&str; 4] = [DATABASE, NETWORK, EVENTS, OUTBOX];
const DATABASE: &str = "database";
const NETWORK: &str = "network";
const EVENTS: &str = "events";
const OUTBOX: &str = "outbox";
/// Always holds; its detail says what core banking left open.
const BANKING: &str = "banking";

/// How often the conditions are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A store that needs longer for nothing does not serve.
const PING_MAX: Duration = Duration::from_secs(2);
/// An envelope is valid for 30 s, and what became of it is asked in a second one: after that an item
/// without an answer is one that this gateway does not get on with.
const OUTBOX_AGE_MAX: Duration = Duration::from_secs(90);

/// Looks at every condition.
pub async fn look(app: &App) -> Report {
    let pinged = tokio::time::timeout(PING_MAX, app.store.ping()).await;
    let database = matches!(pinged, Ok(Ok(())));
    app.checks.set(DATABASE, database);
    app.checks.set(NETWORK, app.directory.fresh().is_some());
    let silence = app.heard.silence();
    let said = silence.map(|silence| format!("silent for {} ms", silence.as_millis()));
    app.checks.tell(EVENTS, app.heard.lately(), said);
    measure::silence(silence);
    if let Some((pending, oldest)) = outbox(app, database).await {
        measure::outbox(pending, oldest);
        let said = format!("{pending} without answer, the oldest for {} s", oldest.as_secs());
        app.checks.tell(OUTBOX, oldest < OUTBOX_AGE_MAX, Some(said).filter(|_| pending > 0));
    }
    let Unresolved { count, oldest } = app.banking.unresolved();
    let said = format!("{count} without outcome, the oldest for {} s", oldest.as_secs());
    app.checks.tell(BANKING, true, Some(said).filter(|_| count > 0));
    app.checks.report()
}

/// What waits; nothing where the store would not say.
async fn outbox(app: &App, database: bool) -> Option<(u32, Duration)> {
    if !database {
        return None;
    }
    tokio::time::timeout(PING_MAX, app.store.outbox_pending()).await.ok()?.ok()
}

pub(super) async fn watch(app: App, shutdown: Shutdown) -> Result<(), Error> {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let token = shutdown.token();
    while token.run_until_cancelled(ticks.tick()).await.is_some() {
        look(&app).await;
        if let Ok((waiting, parked, oldest)) = app.store.webhook_pending().await {
            measure::webhooks(waiting, parked, oldest);
        }
    }
    Ok(())
}
