//! One request at a time for each UETR; it forgets a UETR when nobody waits for it.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use ledger_types::Uetr;
use tokio::sync::OwnedMutexGuard;

/// Who may work on which UETR.
#[derive(Debug, Default)]
pub struct Turns {
    waiting: Mutex<HashMap<Uetr, Arc<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits until no other request works on `uetr`; it is the caller's until the guard goes.
    pub async fn take(&self, uetr: Uetr) -> OwnedMutexGuard<()> {
        self.enter(uetr).lock_owned().await
    }

    fn enter(&self, uetr: Uetr) -> Arc<tokio::sync::Mutex<()>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(waiting.entry(uetr).or_default())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use ledger_types::Uetr;

    use super::Turns;

    #[tokio::test]
    async fn each_uetr_has_one_turn_at_a_time() {
        let turns = Turns::default();
        let (one, other) = (Uetr::from_random([1; 16]), Uetr::from_random([2; 16]));
        let first = turns.take(one).await;
        assert!(turns.take(one).now_or_never().is_none());
        assert!(turns.take(other).now_or_never().is_some());
        drop(first);
        assert!(turns.take(one).now_or_never().is_some());
        assert_eq!(turns.waiting.lock().unwrap().len(), 1, "the others are forgotten");
    }
}
