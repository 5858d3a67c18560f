//! Requests a second of each key, by the generic cell rate algorithm, and how a key stands as RateLimit header fields; it refuses nothing itself.
use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue, header};
use governor::{
    Quota, RateLimiter, clock::Clock as _, clock::DefaultClock,
    middleware::StateInformationMiddleware, state::keyed::DashMapStateStore,
};
use uuid::Uuid;

/// From so many keys on, those that rest are forgotten.
const KEYS_MAX: usize = 4_096;

type Limiter = RateLimiter<Uuid, DashMapStateStore<Uuid>, DefaultClock, StateInformationMiddleware>;

/// The limiter of every key.
pub struct Rates {
    limiter: Limiter,
    clock: DefaultClock,
    requests_per_s: u32,
    burst: u32,
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = out.debug_struct("Rates");
        shown.field("requests_per_s", &self.requests_per_s).field("burst", &self.burst).finish()
    }
}

/// How a key stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Requests that it may send at once.
    pub remaining: u32,
    /// Seconds until it may send the next (if none remains) or all of its burst.
    pub wait_s: u64,
    /// Whether this request was one too many.
    pub exceeded: bool,
    requests_per_s: u32,
    burst: u32,
}

/// Where a request's standing is put, for the headers of its answer.
#[derive(Clone, Debug, Default)]
pub struct Slot(Arc<Mutex<Option<Standing>>>);

impl Slot {
    /// Puts it.
    pub fn put(&self, standing: Standing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(standing);
    }

    /// What was put; none before the key is known.
    #[must_use]
    pub fn get(&self) -> Option<Standing> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rates {
    /// So many requests a second, and so many at once; 0 counts as 1.
    #[must_use]
    pub fn new(requests_per_s: u32, burst: u32) -> Self {
        let (rate, most) = (positive(requests_per_s), positive(burst));
        let limiter = RateLimiter::keyed(Quota::per_second(rate).allow_burst(most));
        Self {
            limiter: limiter.with_middleware(),
            clock: DefaultClock::default(),
            requests_per_s: rate.get(),
            burst: most.get(),
        }
    }

    /// Counts a request of a key.
    #[must_use]
    pub fn request(&self, key: Uuid) -> Standing {
        if self.limiter.len() > KEYS_MAX {
            self.limiter.retain_recent();
        }
        let (requests_per_s, burst) = (self.requests_per_s, self.burst);
        match self.limiter.check_key(&key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let wait_s = u64::from((burst - remaining.min(burst)).div_ceil(requests_per_s));
                Standing { remaining, wait_s, exceeded: false, requests_per_s, burst }
            }
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                let wait_s = whole_seconds(wait);
                Standing { remaining: 0, wait_s, exceeded: true, requests_per_s, burst }
            }
        }
    }
}

impl Standing {
    /// Writes `RateLimit-Policy` and `RateLimit`, of a refused request `Retry-After` too
    /// (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4).
    pub fn write(&self, headers: &mut HeaderMap) {
        let window = self.burst.div_ceil(self.requests_per_s);
        let policy = format!("\"key\";q={};w={window}", self.burst);
        let standing = format!("\"key\";r={};t={}", self.remaining, self.wait_s);
        for (name, text) in [("ratelimit-policy", policy), ("ratelimit", standing)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
        if self.exceeded {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.wait_s));
        }
    }
}

fn positive(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

/// Rounded up, at least one.
fn whole_seconds(wait: Duration) -> u64 {
    let part = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + part).max(1)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use uuid::Uuid;

    use super::Rates;

    #[test]
    fn a_key_has_its_burst_and_is_told_how_it_stands() {
        // So slow that nothing comes back while the test runs.
        let rates = Rates::new(1, 3);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for remaining in [2, 1, 0] {
            let standing = rates.request(one);
            assert_eq!((standing.remaining, standing.exceeded), (remaining, false));
        }
        let standing = rates.request(one);
        assert!(standing.exceeded);
        let mut headers = HeaderMap::new();
        standing.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"key\";q=3;w=3");
        assert_eq!(headers["ratelimit"], "\"key\";r=0;t=1");
        assert_eq!(headers["retry-after"], "1");
        assert!(!rates.request(other).exceeded, "each key has its own");
    }
}
