//! The worker of batches: takes up every open one, at a start what an earlier process left too, and sends its rows with bounded concurrency; it must never leave a row without an outcome.
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use services_runtime::{error::chain, shutdown::Shutdown};
use uuid::Uuid;

use super::{Batches, send, taken, together};
use crate::{
    Error,
    app::App,
    store::{
        self,
        batches::{BatchRow, WorkRow},
    },
};

/// How often batches are looked for that nobody spoke of.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Batches whose rows are sent at one time; the others wait for their turn.
const BATCHES_MAX: usize = 8;
/// Rows claimed at one time.
const CLAIM: i64 = 256;
const AGAIN_PAUSE: Duration = Duration::from_millis(500);

/// Batches that are worked on.
type Running = Arc<Mutex<HashSet<Uuid>>>;

/// Sends rows until the process ends.
///
/// # Errors
/// Never; it ends with the process.
pub async fn run(app: App, shutdown: Shutdown) -> Result<(), Error> {
    let running = Running::default();
    let token = shutdown.token();
    while !token.is_cancelled() {
        match app.store.batch_open().await {
            Ok(open) => open.into_iter().for_each(|batch| launch(&app, &shutdown, &running, batch)),
            Err(error) => tracing::warn!(cause = chain(&error), "batches not looked at"),
        }
        let wait = tokio::time::timeout(LOOK_EVERY, app.batches.heard());
        token.run_until_cancelled(wait).await;
    }
    Ok(())
}

fn launch(app: &App, shutdown: &Shutdown, running: &Running, batch: BatchRow) {
    {
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.len() >= BATCHES_MAX || !running.insert(batch.id) {
            return;
        }
    }
    let (app, running, token) = (app.clone(), Arc::clone(running), shutdown.token());
    shutdown.spawn("batch", async move {
        tracing::info!(batch = %batch.id, mode = batch.mode, "batch is sent");
        let ended = token.run_until_cancelled(whole(&app, &batch)).await;
        if ended.is_some() {
            tracing::info!(batch = %batch.id, "batch has no row left to be sent");
        }
        running.lock().unwrap_or_else(PoisonError::into_inner).remove(&batch.id);
        app.batches.wake();
        Ok::<_, Error>(())
    });
}

/// One batch to its end.
async fn whole(app: &App, batch: &BatchRow) {
    again(|| app.store.batch_start(batch.id)).await;
    if batch.mode == "all_or_nothing" {
        return together::run(app, batch).await;
    }
    let left = again(|| app.store.batch_work(batch.id, &["sending"])).await;
    let (app, batch) = (app.clone(), Arc::new(batch.clone()));
    let (rows_max, id) = (app.batches.rows_max, batch.id);
    let rows = Rows { app: app.clone(), batch: id, after: 0, queue: left.into(), ended: false };
    let rows = stream::unfold(rows, next);
    let each = |row| {
        let (app, batch) = (app.clone(), Arc::clone(&batch));
        async move { send::row(&app, &batch, row).await }
    };
    rows.for_each_concurrent(rows_max, each).await;
    again(|| app.store.batch_end(id)).await;
}

/// Rows of one batch, claimed as they are needed.
struct Rows {
    app: App,
    batch: Uuid,
    after: i32,
    queue: VecDeque<WorkRow>,
    ended: bool,
}

async fn next(mut rows: Rows) -> Option<(WorkRow, Rows)> {
    loop {
        if let Some(row) = rows.queue.pop_front() {
            return Some((row, rows));
        }
        if rows.ended {
            return None;
        }
        let of = (rows.batch, rows.app.me);
        let (app, after, taken) = (&rows.app, rows.after, taken());
        let claimed = again(|| app.store.batch_claim(of, (after, CLAIM), &taken)).await;
        match claimed.last() {
            Some(last) => rows.after = last.number,
            None => rows.ended = true,
        }
        rows.queue = claimed.into_iter().filter(|row| row.status == "sending").collect();
    }
}

impl Batches {
    /// Waits until somebody says that there may be rows.
    async fn heard(&self) {
        self.news.notified().await;
    }
}

/// Repeats a statement until the store takes it.
pub async fn again<T, F, R>(statement: F) -> T
where
    F: Fn() -> R,
    R: Future<Output = Result<T, store::Error>>,
{
    loop {
        match statement().await {
            Ok(value) => return value,
            Err(error) => {
                tracing::warn!(cause = chain(&error), "batch not written, trying again");
                tokio::time::sleep(AGAIN_PAUSE).await;
            }
        }
    }
}
