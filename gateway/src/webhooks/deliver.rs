//! The delivery worker: plans events for every endpoint, sends what is due with bounded concurrency, one of a transfer at a time; a crash anywhere sends again and never skips.
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use services_runtime::{
    error::chain,
    shutdown::Shutdown,
    trace::{self, Kind, Span, Value},
};
use time::OffsetDateTime;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use uuid::Uuid;

use super::{Webhooks, message, send::Message, signature::Secret};
use crate::{
    Error,
    app::App,
    measure, settings,
    store::{
        self,
        webhooks::{Attempted, DueRow, WebhookRow},
    },
};

/// How often what became due, or was missed, is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// From so many failures in a row an endpoint gets one message at a time.
pub const FAILING: i32 = 5;
/// How often the log is swept.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);
/// How long what was taken stays in the log.
pub const LOG_AGE: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How much longer than the one before each wait is.
const FACTOR: f32 = 3.0;

/// Lanes of endpoints with a message under way.
type Flying = Arc<Mutex<HashSet<(Uuid, String)>>>;

/// Delivers until the process ends.
///
/// # Errors
/// Never; it ends with the process.
pub async fn run(app: App, shutdown: Shutdown) -> Result<(), Error> {
    let slots = Arc::new(Semaphore::new(app.webhooks.settings.concurrency_max.max(1)));
    let flying = Flying::default();
    let mut swept: Option<Instant> = None;
    let token = shutdown.token();
    while !token.is_cancelled() {
        let looked = round(&app, &shutdown, &slots, &flying).await;
        let any = looked.unwrap_or_else(|error| {
            tracing::warn!(cause = chain(&error), "webhooks not looked at, trying again");
            true
        });
        if swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            let _again_later = app.store.webhook_sweep(LOG_AGE).await;
            swept = Some(Instant::now());
        }
        // News is for endpoints; whoever makes the first waits for a look.
        let wait = async {
            if any {
                drop(timeout(LOOK_EVERY, app.webhooks.news.notified()).await);
            } else {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        token.run_until_cancelled(wait).await;
    }
    Ok(())
}

/// Looks once at every endpoint; false when there is none.
async fn round(
    app: &App,
    shutdown: &Shutdown,
    slots: &Arc<Semaphore>,
    flying: &Flying,
) -> Result<bool, store::Error> {
    let endpoints = app.store.webhook_list().await?;
    let any = !endpoints.is_empty();
    for endpoint in endpoints.into_iter().filter(|row| row.state == "enabled") {
        let window = app.webhooks.settings.window;
        if app.store.webhook_plan(endpoint.id, window, message::planned).await? > 0 {
            // There may be more behind.
            app.webhooks.wake();
        }
        let mut room = room(&app.webhooks, &endpoint, flying);
        if room == 0 {
            continue;
        }
        for due in app.store.webhook_due(endpoint.id).await? {
            let Ok(slot) = Arc::clone(slots).try_acquire_owned() else { return Ok(any) };
            let Some(lane) = Lane::enter(flying, endpoint.id, &due.lane) else { continue };
            launch(app, shutdown, endpoint.clone(), due, (slot, lane));
            room -= 1;
            if room == 0 {
                break;
            }
        }
    }
    Ok(any)
}

/// How many more messages an endpoint may get at this moment: an endpoint that fails is probed.
fn room(webhooks: &Webhooks, endpoint: &WebhookRow, flying: &Flying) -> usize {
    let held = flying.lock().unwrap_or_else(PoisonError::into_inner);
    let under_way = held.iter().filter(|(id, _)| *id == endpoint.id).count();
    let most = match endpoint.consecutive_failures >= FAILING {
        true => 1,
        false => webhooks.settings.endpoint_concurrency_max.max(1),
    };
    most.saturating_sub(under_way)
}

/// A lane with a message under way, until dropped.
struct Lane {
    flying: Flying,
    key: (Uuid, String),
}

impl Lane {
    fn enter(flying: &Flying, webhook: Uuid, lane: &str) -> Option<Self> {
        let key = (webhook, lane.to_owned());
        let fresh = flying.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        fresh.then(|| Self { flying: Arc::clone(flying), key })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

fn launch(
    app: &App,
    shutdown: &Shutdown,
    endpoint: WebhookRow,
    due: DueRow,
    held: (OwnedSemaphorePermit, Lane),
) {
    let app = app.clone();
    shutdown.spawn("webhook", async move {
        if let Err(error) = attempt(&app, &endpoint, &due).await {
            tracing::warn!(cause = chain(&error), "webhook outcome not written, sending again");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        drop(held);
        app.webhooks.wake();
        Ok::<_, Error>(())
    });
}

async fn attempt(app: &App, endpoint: &WebhookRow, due: &DueRow) -> Result<(), store::Error> {
    let (begun, begun_micros) = (Instant::now(), trace::now_micros());
    let root = message::about(&due.event).map(|transfer| app.life(transfer));
    // Who receives it finds the transfer's trace, whether or not spans are sent.
    let span = root.map(|root| if root.sampled() { root.child() } else { root });
    let (id, body) = match due.local {
        Some(own) => (message::local_id(app.me, own), message::local_body(&due.r#type, &due.event)),
        None => (message::id(app.me, due.event.number), message::body(&due.event)),
    };
    let timestamp = OffsetDateTime::now_utc().unix_timestamp();
    let traceparent = span.map(|span| span.traceparent());
    let message = Message { id, timestamp, body, traceparent };
    let sent = match secrets(app, endpoint.id).await? {
        Some(secrets) => app.webhooks.sender.post(&endpoint.url, &secrets, &message).await,
        None => Err("the secret cannot be opened; rotate it".to_owned()),
    };
    let how = ended(&app.webhooks.settings, sent, due.attempts);
    let outcome = match (&how.failure, how.again) {
        (None, _) => "delivered",
        (Some(_), Some(_)) => "failed",
        (Some(_), None) => "parked",
    };
    measure::webhook(outcome, begun.elapsed());
    if let (Some(root), Some(span)) = (root, span) {
        let status = how.http_status.map_or(0, i64::from);
        let span = Span::new(span, "webhook.deliver", Kind::Producer, begun_micros)
            .child_of(root)
            .with("causeway.event", Value::Number(due.event.number))
            .with("causeway.attempt", Value::Number(i64::from(due.attempts) + 1))
            .with("http.response.status_code", Value::Number(status))
            .failed(how.failure.as_ref().map(|_| outcome));
        app.tracer.finish(span);
    }
    if outcome == "parked" {
        let (number, own) = (due.event.number, due.local);
        tracing::warn!(webhook = %endpoint.id, number, own, "webhook parked, its transfer waits");
    }
    app.store.webhook_attempted(endpoint.id, due, &how, FAILING).await
}

/// The secrets that sign at this moment; none when not even the newest opens.
///
/// # Errors
/// When the store fails.
pub async fn secrets(app: &App, webhook: Uuid) -> Result<Option<Vec<Secret>>, store::Error> {
    let rows = app.store.webhook_secrets(webhook).await?;
    let opened = rows.iter().map(|row| app.webhooks.vault.open(webhook, row));
    Ok(opened.collect::<Result<Vec<_>, _>>().ok().filter(|secrets| !secrets.is_empty()))
}

/// What follows from an answer to an attempt after `attempts` before it.
fn ended(settings: &settings::Webhooks, sent: Result<u16, String>, attempts: i32) -> Attempted {
    let (status, failure) = match sent {
        Ok(status) if (200..300).contains(&status) => (Some(status), None),
        Ok(status) => (Some(status), Some(format!("answered {status}"))),
        Err(failure) => (None, Some(failure)),
    };
    Attempted {
        http_status: status.and_then(|status| i16::try_from(status).ok()),
        again: failure.as_ref().and_then(|_| pause(settings, attempts)),
        failure,
        // Standard Webhooks, "Delivery": 410 says that the receiver wants no more.
        gone: status == Some(410),
    }
}

/// How long to wait behind an attempt that `before` others preceded: three times as long each time,
/// and by chance up to twice of that; none when it was the last.
fn pause(settings: &settings::Webhooks, before: i32) -> Option<Duration> {
    let before = usize::try_from(before).unwrap_or(0);
    if before + 1 >= settings.attempts_max {
        return None;
    }
    let waits = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(settings.retry_ms_min))
        .with_max_delay(Duration::from_millis(settings.retry_ms_max))
        .with_factor(FACTOR)
        .with_max_times(settings.attempts_max)
        .with_jitter();
    waits.build().nth(before)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ended, pause};
    use crate::settings::Webhooks;

    #[test]
    fn waits_grow_threefold_to_a_greatest_and_end() {
        let settings = Webhooks::default();
        let mut least = 5_000;
        for before in 0..11 {
            let wait = pause(&settings, before).unwrap();
            let (low, high) = (Duration::from_millis(least), Duration::from_millis(least * 2));
            assert!(wait >= low && wait <= high, "{before}: {wait:?}");
            least = (least * 3).min(settings.retry_ms_max);
        }
        assert_eq!(pause(&settings, 11), None);
    }

    #[test]
    fn only_2xx_is_taken_and_410_ends_it() {
        let settings = Webhooks::default();
        for status in [200, 204, 299] {
            let how = ended(&settings, Ok(status), 0);
            assert!(how.failure.is_none() && how.again.is_none() && !how.gone, "{status}");
        }
        for status in [100, 301, 400, 410, 429, 500] {
            let how = ended(&settings, Ok(status), 0);
            assert!(how.failure.is_some() && how.again.is_some(), "{status}");
            assert_eq!(how.gone, status == 410);
        }
        let last = ended(&settings, Err("no answer in time".to_owned()), 11);
        assert!(last.failure.is_some() && last.again.is_none());
    }
}
