//! Runs work that starts processes of its own, and ends it when this process is told to end, so that
//! nothing stays behind. It must never say that interrupted work was done.

use anyhow::Context as _;
use services_runtime::shutdown::Shutdown;

use crate::out;

/// Runs `work` to its end, or until SIGINT or SIGTERM: then what it holds is dropped, and there is
/// nothing.
pub(crate) fn run<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Option<T>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no async runtime can be started")?;
    runtime.block_on(async {
        let told = Shutdown::new();
        told.on_signals().context("signals cannot be listened to")?;
        tokio::select! {
            done = work => done.map(Some),
            () = told.cancelled() => {
                out::note("interrupted: ending what was started");
                Ok(None)
            }
        }
    })
}
