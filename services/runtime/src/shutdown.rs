//! Ends a process as one: a token cancelled by a signal or by the first task that fails, and named
//! tasks. It must never swallow a failure: each is logged once, here, and ends the process.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, error, info, warn};

use crate::error::chain;

#[cfg(test)]
mod tests;

/// How the process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Asked to stop; every task ended in time.
    Clean,
    /// A task failed or panicked.
    Failed,
    /// Some task did not end in time.
    Overdue,
}

#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tasks: TaskTracker,
    failed: Arc<AtomicBool>,
}

impl Shutdown {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels on SIGTERM and SIGINT.
    pub fn on_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let token = self.token.clone();
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                () = token.cancelled() => return,
            };
            info!(signal = name, "shutting down");
            token.cancel();
        });
        Ok(())
    }

    /// A token of the whole process; cancelling it ends everything.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    pub fn cancel(&self) {
        self.token.cancel();
    }

    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Runs `task` under `name`; its error or panic is logged and cancels the process.
    ///
    /// A task that returns `Ok` merely ends.
    pub fn spawn<F, E>(&self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + Send + 'static,
    {
        let (token, failed) = (self.token.clone(), Arc::clone(&self.failed));
        let task = task.instrument(tracing::info_span!("task", name));
        self.tasks.spawn(async move {
            let cause = match tokio::spawn(task).await {
                Ok(Ok(())) => return,
                Ok(Err(failure)) => chain(failure.into().as_ref()),
                Err(joined) => chain(&joined),
            };
            error!(task = name, cause, "task failed, ending the process");
            failed.store(true, Ordering::Release);
            token.cancel();
        });
    }

    /// Waits until the process is cancelled, then at most `grace` for every task.
    pub async fn wait(&self, grace: Duration) -> Outcome {
        self.token.cancelled().await;
        self.tasks.close();
        let ended = tokio::time::timeout(grace, self.tasks.wait()).await.is_ok();
        if !ended {
            warn!(tasks = self.tasks.len(), "tasks did not end in time");
        }
        match (self.failed(), ended) {
            (true, _) => Outcome::Failed,
            (false, true) => Outcome::Clean,
            (false, false) => Outcome::Overdue,
        }
    }
}
