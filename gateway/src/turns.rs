//! One request at a time for each UETR; it forgets a UETR when nobody waits for it.
use std::{
    collections::{BTreeMap, HashMap},
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

    /// The same for several, however they are given: in one order for all, so that no two wait for
    /// each other.
    pub async fn take_all(
        &self,
        uetrs: impl IntoIterator<Item = Uetr>,
    ) -> Vec<OwnedMutexGuard<()>> {
        let uetrs: BTreeMap<_, _> = uetrs.into_iter().map(|uetr| (uetr.bytes(), uetr)).collect();
        let mut turns = Vec::with_capacity(uetrs.len());
        for uetr in uetrs.into_values() {
            turns.push(self.take(uetr).await);
        }
        turns
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
    async fn several_are_taken_in_one_order_and_each_once() {
        let turns = Turns::default();
        let (one, other) = (Uetr::from_random([1; 16]), Uetr::from_random([2; 16]));
        let second = turns.take(other).await;
        let both = turns.take_all([other, one, other]);
        tokio::pin!(both);
        assert!((&mut both).now_or_never().is_none());
        assert!(turns.take(one).now_or_never().is_none(), "the first is taken meanwhile");
        drop(second);
        assert_eq!(both.await.len(), 2);
    }

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
