//! Spares a bank that does not answer, and those who wait for it: after failures in a row one call is let through in a while; it calls nobody.
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lets calls through or not.
#[derive(Debug)]
pub struct Breaker {
    failures_max: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In a row.
    failures: u32,
    /// When the next call is let through.
    open_until: Option<Instant>,
}

impl Breaker {
    /// Open after so many failures in a row, for a pause at a time.
    #[must_use]
    pub fn new(failures_max: u32, pause: Duration) -> Self {
        Self { failures_max: failures_max.max(1), pause, state: Mutex::default() }
    }

    /// Whether a call may be made now. While it is open, one is in each pause, to try.
    #[must_use]
    pub fn lets_through(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = state.open_until else { return true };
        if now < until {
            return false;
        }
        state.open_until = Some(now + self.pause);
        true
    }

    /// Whether a call would not be let through now; it takes no turn.
    #[must_use]
    pub fn spares(&self, now: Instant) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.open_until.is_some_and(|until| now < until)
    }

    /// A call ended; `answered` in the protocol's words or not.
    pub fn note(&self, answered: bool, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if answered {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.failures_max {
            state.open_until = Some(now + self.pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Breaker;

    #[test]
    fn a_silent_bank_gets_one_call_in_each_pause_until_it_answers() {
        let (start, pause) = (Instant::now(), Duration::from_secs(1));
        let breaker = Breaker::new(2, pause);
        breaker.note(false, start);
        assert!(breaker.lets_through(start));
        breaker.note(false, start);
        assert!(breaker.spares(start) && !breaker.lets_through(start));
        assert!(breaker.lets_through(start + pause), "one tries");
        assert!(!breaker.lets_through(start + pause), "one alone");
        breaker.note(true, start + pause);
        assert!(breaker.lets_through(start + pause));
        breaker.note(false, start + pause);
        assert!(breaker.lets_through(start + pause), "failures are counted anew");
    }
}
