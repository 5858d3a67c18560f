//! The two ways in which services retry: for ever, or within a time. Never retries by itself what
//! is not known to be idempotent; the caller decides that with `when`.

use std::time::Duration;

use backon::ExponentialBuilder;
pub use backon::{BackoffBuilder, Retryable};

const DELAY_MIN: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(5);

/// Exponential delays with jitter, from 50 ms to 5 s, without end: `job.retry(forever())`.
#[must_use]
pub fn forever() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(DELAY_MIN)
        .with_max_delay(DELAY_MAX)
        .with_jitter()
        .without_max_times()
}

/// The same delays while their sum stays within `total`.
#[must_use]
pub fn within(total: Duration) -> ExponentialBuilder {
    forever().with_total_delay(Some(total))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BackoffBuilder as _, within};

    #[test]
    fn delays_end_with_their_total() {
        let total = Duration::from_secs(20);
        let delays: Vec<_> = within(total).build().collect();
        assert!(delays.len() > 5, "{delays:?}");
        assert!(delays.iter().sum::<Duration>() <= total, "{delays:?}");
    }
}
