//! The measured pace: raised by what is served, lowered only under pressure, blind for idle time.
use std::time::Duration;

use tokio::time::Instant;

use super::Pace;

const SECOND: Duration = Duration::from_secs(1);

fn at(start: Instant, millis: u64) -> Instant {
    start + Duration::from_millis(millis)
}

#[test]
fn the_limit_follows_what_is_served() {
    let (start, mut pace) = (Instant::now(), Pace::new(SECOND / 10));
    pace.begin(start);
    assert_eq!(pace.limit(), None, "nothing is known yet");
    pace.served(500, at(start, 100));
    assert_eq!(pace.limit(), None, "too short to be believed");
    pace.served(500, at(start, 1_000));
    assert_eq!(pace.limit(), Some(100), "a thousand a second for a tenth of it");
    for second in 1..40 {
        pace.served(4_000, at(start, 1_000 + second * 1_000));
    }
    let limit = pace.limit().expect("measured");
    assert!((390..=400).contains(&limit), "{limit}");
}

#[test]
fn only_pressure_lowers_it() {
    let (start, mut pace) = (Instant::now(), Pace::new(SECOND));
    pace.begin(start);
    pace.served(1_000, at(start, 1_000));
    pace.served(10, at(start, 2_000));
    assert_eq!(pace.limit(), Some(1_000), "nobody asked for more");
    pace.press();
    pace.served(0, at(start, 3_000));
    assert_eq!(pace.limit(), Some(750));
}

#[test]
fn idle_time_does_not_count() {
    let (start, mut pace) = (Instant::now(), Pace::new(SECOND));
    pace.begin(start);
    pace.served(1_000, at(start, 1_000));
    pace.begin(at(start, 100_000));
    pace.press();
    pace.served(500, at(start, 100_500));
    assert_eq!(pace.limit(), Some(1_000));
}
