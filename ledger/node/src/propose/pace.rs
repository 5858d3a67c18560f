//! How much is served within a time, as measured while there is enough to do; it holds nothing back itself.
use std::time::Duration;

use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// How long is measured before it is believed.
const WINDOW: Duration = Duration::from_millis(200);
/// A new measurement counts for one in so many.
const SMOOTHING: u64 = 4;

/// Weight served in a second, and what follows from it.
#[derive(Debug)]
pub(super) struct Pace {
    within: Duration,
    /// Weight in a second; `None` until it was measured.
    rate: Option<u64>,
    /// Of the window that runs: its start, what was served in it, and whether somebody was refused.
    since: Instant,
    served: u64,
    pressed: bool,
}

impl Pace {
    /// What is held should be served `within` that time.
    pub(super) fn new(within: Duration) -> Self {
        Self { within, rate: None, since: Instant::now(), served: 0, pressed: false }
    }

    /// The weight that is served within the time; `None` while that is unknown.
    pub(super) fn limit(&self) -> Option<u64> {
        let millis = u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX);
        self.rate.map(|rate| rate.saturating_mul(millis) / 1_000)
    }

    /// Nothing was held until now: the time before says nothing about the pace.
    pub(super) fn begin(&mut self, now: Instant) {
        (self.since, self.served, self.pressed) = (now, 0, false);
    }

    /// Somebody was refused, so there is more to do than is done.
    pub(super) const fn press(&mut self) {
        self.pressed = true;
    }

    /// So much has been served.
    pub(super) fn served(&mut self, weight: u64, now: Instant) {
        self.served = self.served.saturating_add(weight);
        let lasted = now.saturating_duration_since(self.since);
        if lasted < WINDOW {
            return;
        }
        let micros = u64::try_from(lasted.as_micros()).unwrap_or(u64::MAX).max(1);
        let seen = self.served.saturating_mul(1_000_000) / micros;
        self.rate = match self.rate {
            None => Some(seen),
            Some(rate) if seen >= rate => Some(rate + (seen - rate) / SMOOTHING),
            // Less is served when less is asked; only under pressure it tells what can be served.
            Some(rate) if self.pressed => Some(rate - (rate - seen) / SMOOTHING),
            rate @ Some(_) => rate,
        };
        self.begin(now);
    }
}
