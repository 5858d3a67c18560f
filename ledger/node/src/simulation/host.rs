//! The simulated machine as the node asks for it: its clock, its slow writes, workers as tasks of one thread.
use std::{
    cell::{Cell, RefCell},
    fs::File,
    io,
    path::Path,
    rc::Rc,
    time::Duration,
};

use ledger_types::Timestamp;
use openraft::TokioRuntime;
use openraft_rt::deterministic_rng::DeterministicRng;

use super::disk;

/// What a simulation decides; asked on the one thread that runs it.
pub trait Machine {
    /// The clock of the node that is running, in microseconds since 1970.
    fn now_micros(&self) -> u64;
    /// How long the next write waits for the disk.
    fn write_delay(&self) -> Duration;
}

thread_local! {
    static MACHINE: RefCell<Option<Rc<dyn Machine>>> = const { RefCell::new(None) };
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// Runs every replica of this thread on `machine`, with random draws from `seed`.
pub fn install(machine: Rc<dyn Machine>, seed: u64) {
    MACHINE.with(|slot| *slot.borrow_mut() = Some(machine));
    SEED.with(|slot| slot.set(seed));
}

fn machine() -> Rc<dyn Machine> {
    MACHINE.with(|slot| slot.borrow().clone()).expect("a simulation installed its machine")
}

/// A task whose draws follow from the seed.
pub fn seeded<F: Future>(task: F) -> impl Future<Output = F::Output> {
    let seed = SEED.with(|slot| {
        slot.set(slot.get().wrapping_add(1));
        slot.get()
    });
    DeterministicRng::<TokioRuntime>::scope(seed, task)
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(machine().now_micros())
}

/// A worker that was started; it ends with its runtime.
#[derive(Debug)]
pub(crate) struct Worker(tokio::task::JoinHandle<()>);

impl Worker {
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// On one thread there is nothing to wait for.
    pub(crate) fn join(self) {
        drop(self.0);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a real machine may refuse a thread")]
pub(crate) fn spawn(
    _name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Worker> {
    Ok(Worker(tokio::spawn(work)))
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    Some(work())
}

pub(crate) fn sync(_file: &File, path: &Path) -> io::Result<()> {
    disk::synced(path)
}

/// Simulated disks have room.
#[expect(clippy::unnecessary_wraps, reason = "a real machine may not know")]
pub(crate) const fn free_bytes(_folder: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

pub(crate) async fn written() {
    let delay = machine().write_delay();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}
