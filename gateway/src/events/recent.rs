//! The events that were kept last, held in memory for whoever waits at their end; it must never hold one that the store lacks.
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::store::events::EventRow;

/// As many as one answer may have.
const ROWS_MAX: usize = 1_000;

/// The latest events, and whoever waits for more.
#[derive(Debug, Default)]
pub struct Recent {
    rows: Mutex<VecDeque<Arc<EventRow>>>,
    end: watch::Sender<End>,
}

/// Where the events end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct End {
    /// The last number that is kept; none before the store was asked.
    number: Option<i64>,
    /// Whether this process keeps no more.
    over: bool,
}

impl Recent {
    /// Says which number is the last that the store has; what is held stays if it ends there.
    pub fn begin(&self, number: i64) {
        let mut rows = self.rows();
        if rows.back().is_some_and(|last| last.number != number) {
            rows.clear();
        }
        self.end.send_modify(|end| end.number = Some(number));
    }

    /// Takes the events that were kept next.
    pub fn keep(&self, kept: &[EventRow]) {
        let Some(last) = kept.last().map(|row| row.number) else { return };
        let mut rows = self.rows();
        rows.extend(kept.iter().cloned().map(Arc::new));
        let over = rows.len().saturating_sub(ROWS_MAX);
        rows.drain(..over);
        self.end.send_modify(|end| end.number = Some(last));
    }

    /// No more come: nobody need wait.
    pub fn close(&self) {
        self.end.send_modify(|end| end.over = true);
    }

    /// At most `limit` events after a number; none if the store has to be asked.
    #[must_use]
    pub fn after(&self, number: i64, limit: usize) -> Option<Vec<Arc<EventRow>>> {
        let rows = self.rows();
        if self.end.borrow().number.is_some_and(|end| end <= number) {
            return Some(Vec::new());
        }
        let first = rows.front()?.number;
        let skip = usize::try_from(number.checked_add(1)?.checked_sub(first)?).ok()?;
        Some(rows.iter().skip(skip).take(limit).cloned().collect())
    }

    /// Waits until there is an event after a number, no more come, or time is over.
    pub async fn wait(&self, number: i64, patience: Duration) {
        let mut end = self.end.subscribe();
        let come = end.wait_for(|end| end.over || end.number.is_some_and(|end| end > number));
        // Whatever it was, the caller looks.
        let _come = tokio::time::timeout(patience, come).await;
    }

    fn rows(&self) -> MutexGuard<'_, VecDeque<Arc<EventRow>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;
    use time::OffsetDateTime;

    use super::*;

    fn events(numbers: std::ops::RangeInclusive<i64>) -> Vec<EventRow> {
        let (at, data) = (OffsetDateTime::UNIX_EPOCH, serde_json::Value::Null);
        let event = |number| EventRow { number, sequence: number * 10, at, data: data.clone() };
        numbers.map(event).collect()
    }

    fn numbers(recent: &Recent, after: i64, limit: usize) -> Option<Vec<i64>> {
        Some(recent.after(after, limit)?.iter().map(|row| row.number).collect())
    }

    #[test]
    fn what_is_held_follows_a_number_without_a_gap() {
        let recent = Recent::default();
        assert_eq!(numbers(&recent, 0, 10), None, "nobody knows what the store has");
        recent.begin(40);
        assert_eq!(numbers(&recent, 39, 10), None, "it stands in the store");
        assert_eq!(numbers(&recent, 40, 10), Some(vec![]));
        recent.keep(&events(41..=43));
        assert_eq!(numbers(&recent, 39, 10), None);
        assert_eq!(numbers(&recent, 40, 10), Some(vec![41, 42, 43]));
        assert_eq!(numbers(&recent, 41, 1), Some(vec![42]));
        assert_eq!(numbers(&recent, 43, 10), Some(vec![]));
        assert_eq!(numbers(&recent, i64::MAX, 10), Some(vec![]));
        recent.begin(43);
        assert_eq!(numbers(&recent, 40, 10), Some(vec![41, 42, 43]));
        recent.keep(&events(44..=1_999));
        assert_eq!(numbers(&recent, 998, 10), None);
        assert_eq!(numbers(&recent, 999, 2), Some(vec![1_000, 1_001]));
    }

    #[test]
    fn what_the_store_forgot_is_not_held() {
        let recent = Recent::default();
        recent.begin(40);
        recent.keep(&events(41..=43));
        recent.begin(41);
        assert_eq!(numbers(&recent, 40, 10), None);
        assert_eq!(numbers(&recent, 41, 10), Some(vec![]));
        recent.keep(&events(42..=42));
        assert_eq!(numbers(&recent, 41, 10), Some(vec![42]));
    }

    #[tokio::test]
    async fn who_waits_is_told_of_the_next_event_of_the_end_and_of_the_time() {
        let recent = Recent::default();
        recent.begin(40);
        let long = Duration::from_secs(3_600);
        assert!(recent.wait(39, long).now_or_never().is_some());
        let mut waiting = pin!(recent.wait(40, long));
        assert!(waiting.as_mut().now_or_never().is_none());
        recent.keep(&events(41..=41));
        assert!(waiting.now_or_never().is_some());
        recent.wait(41, Duration::from_millis(1)).await;
        let mut waiting = pin!(recent.wait(41, long));
        assert!(waiting.as_mut().now_or_never().is_none());
        recent.close();
        assert!(waiting.now_or_never().is_some());
    }
}
