//! How far this node's clock is from the other voters' clocks; it stamps nothing itself.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ledger_types::Timestamp;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// How long a clock that was heard counts.
const HEARD_FOR: Duration = Duration::from_secs(2);

/// Offsets of other nodes' clocks from ours; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Clocks {
    skew_micros_max: u64,
    heard: Arc<Mutex<BTreeMap<u64, (Instant, i64)>>>,
}

impl Clocks {
    pub(crate) fn new(skew_ms_max: u64) -> Self {
        Self { skew_micros_max: skew_ms_max.saturating_mul(1_000), heard: Arc::default() }
    }

    /// Takes a node's time, asked at `asked` and answered now.
    pub(crate) fn hear(&self, node: u64, asked: Instant, its: Timestamp, ours: Timestamp) {
        let answered = Instant::now();
        let half = u64::try_from(answered.duration_since(asked).as_micros() / 2).unwrap_or(0);
        let signed = |at: Timestamp| i64::try_from(at.micros()).unwrap_or(i64::MAX);
        let offset = signed(its.plus_micros(half)).saturating_sub(signed(ours));
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(node, (answered, offset));
    }

    /// Whether our clock is close enough to the median of those heard lately, ours included.
    pub(crate) fn agree(&self) -> bool {
        self.median().unsigned_abs() <= self.skew_micros_max
    }

    /// The node heard lately whose clock is nearest to the median.
    pub(crate) fn nearest(&self) -> Option<u64> {
        let median = self.median();
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = heard.iter().filter(|(_, (at, _))| at.elapsed() <= HEARD_FOR);
        let distance = |offset: i64| offset.saturating_sub(median).unsigned_abs();
        lately.min_by_key(|(_, (_, offset))| distance(*offset)).map(|(node, _)| *node)
    }

    /// How far this node's clock is from the median.
    pub(crate) fn apart(&self) -> Duration {
        Duration::from_micros(self.median().unsigned_abs())
    }

    fn median(&self) -> i64 {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = heard.values().filter(|(at, _)| at.elapsed() <= HEARD_FOR);
        let mut offsets: Vec<i64> = lately.map(|(_, offset)| *offset).chain([0]).collect();
        offsets.sort_unstable();
        let middle = offsets.len() / 2;
        match offsets.len() % 2 {
            0 => i64::midpoint(offsets[middle - 1], offsets[middle]),
            _ => offsets[middle],
        }
    }
}
