//! A real machine: the system's clock, a thread per worker, a sync that reaches the disk.
use std::{fs::File, io, path::Path, thread, time::SystemTime};

use ledger_types::Timestamp;

/// This machine's time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// A worker that was started.
#[derive(Debug)]
pub(crate) struct Worker(thread::JoinHandle<()>);

impl Worker {
    /// Whether it came to its end.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits for its end.
    pub(crate) fn join(self) {
        // A worker that panicked has been reported.
        drop(self.0.join());
    }
}

/// Runs `work` on a thread of its own, where it may wait for the disk.
///
/// # Errors
/// The system's.
pub(crate) fn spawn(
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Worker> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(move || runtime.block_on(work)).map(Worker)
}

/// Runs what takes long or waits for the disk where it holds up nobody; `None` when the process
/// is going down.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Makes a file's bytes durable.
pub(crate) fn sync(file: &File, _path: &Path) -> io::Result<()> {
    file.sync_data()
}

/// How many bytes this process may still write to the disk that a folder lies on.
///
/// # Errors
/// The system's.
pub(crate) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = nix::sys::statvfs::statvfs(folder)?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

/// What a write of the log waits for beside the disk: nothing.
pub(crate) async fn written() {}

/// A task of consensus: on a real machine, as it is.
pub(crate) fn seeded<F: Future>(task: F) -> F {
    task
}
