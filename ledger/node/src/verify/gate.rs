//! Who may check signatures next: a bounded number at one time, callers in turn; it checks nothing itself.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger_types::ParticipantId;
use tokio::sync::oneshot;

use crate::fair::Fair;

/// Shared by all who check.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    free: usize,
    waiting: Fair<oneshot::Sender<Pass>>,
}

/// Leave to check, until dropped; then it is another's.
#[derive(Debug)]
pub(super) struct Pass(Option<Gate>);

impl Gate {
    pub(super) fn new(free: usize) -> Self {
        Self(Arc::new(Mutex::new(Inner { free, waiting: Fair::default() })))
    }

    /// Waits for leave to check something of a weight. `None` is never given while a gate exists.
    pub(super) async fn pass(&self, caller: ParticipantId, weight: usize) -> Option<Pass> {
        let turn = {
            let mut inner = self.inner();
            if inner.free > 0 {
                inner.free -= 1;
                return Some(Pass(Some(self.clone())));
            }
            let (sender, turn) = oneshot::channel();
            inner.waiting.push(caller, weight, sender);
            turn
        };
        turn.await.ok()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next in who still waits.
    fn hand_on(&self) {
        loop {
            let next = {
                let mut inner = self.inner();
                let next = inner.waiting.pop();
                inner.free += usize::from(next.is_none());
                next
            };
            let Some(next) = next else { return };
            match next.send(Pass(Some(self.clone()))) {
                Ok(()) => return,
                // Gone; its pass must not hand itself on as well.
                Err(mut unwanted) => unwanted.0 = None,
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            gate.hand_on();
        }
    }
}
