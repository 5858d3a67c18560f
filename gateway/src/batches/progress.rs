//! How many rows of a batch stand where, counted anew only so often that counting stays a small part of the work; it must never be taken for a final report.
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::{
    app::App,
    store::{self, batches::shown::Count},
};

/// A count stays good for so many times as long as it took: one of a hundred thousand rows costs a
/// twentieth of the time at most, however many ask.
const GOOD_FOR: u32 = 20;
/// Nobody is told what was true longer ago.
const MOMENT_MAX: Duration = Duration::from_secs(5);
/// Batches remembered.
const BATCHES_MAX: usize = 1_000;

/// The last count of each batch.
#[derive(Debug, Default)]
pub struct Progress(Mutex<HashMap<Uuid, Counted>>);

#[derive(Clone, Debug)]
struct Counted {
    /// Of which state of the batch.
    state: String,
    good_until: Instant,
    counts: Vec<Count>,
}

impl Progress {
    fn fresh(&self, batch: Uuid, state: &str) -> Option<Vec<Count>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.get(&batch)?;
        (own.state == state && Instant::now() < own.good_until).then(|| own.counts.clone())
    }

    fn keep(&self, batch: Uuid, counted: Counted) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= BATCHES_MAX {
            all.retain(|_, own| own.good_until > Instant::now());
        }
        if all.len() < BATCHES_MAX {
            all.insert(batch, counted);
        }
    }
}

/// The rows of a batch in this state, counted a moment ago or now.
///
/// # Errors
/// When the store does not answer.
pub async fn counts(app: &App, batch: Uuid, state: &str) -> Result<Vec<Count>, store::Error> {
    if let Some(counts) = app.batches.progress.fresh(batch, state) {
        return Ok(counts);
    }
    let begun = Instant::now();
    let counts = app.store.batch_counts(batch, app.me).await?;
    let good_until = Instant::now() + begun.elapsed().saturating_mul(GOOD_FOR).min(MOMENT_MAX);
    let counted = Counted { state: state.to_owned(), good_until, counts: counts.clone() };
    app.batches.progress.keep(batch, counted);
    Ok(counts)
}
