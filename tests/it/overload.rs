//! Ten times the load that three real nodes can serve, for moments only: what is promised about it and does not depend on the machine's speed.
use std::time::Duration;

use tests::{chaos::overload::measure, say};

/// How long each kind of overload lasts.
const WINDOW: Duration = Duration::from_secs(3);
/// Each kind once.
const KINDS: u64 = 5;
/// A flood leaves caches behind, and a young ledger still fills them.
const GROWTH_KIB_MAX: u64 = 256 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_refused_and_shared() {
    let measured = measure(KINDS, WINDOW, |_| {}).await.unwrap();
    for run in &measured.overloads {
        say(&format!("overload: {}", run.said(&measured.peak)));
        assert_eq!(
            run.unhinted, 0,
            "every refusal says when to come again, and that nothing is kept"
        );
        for (before, after) in &run.memory_kib {
            assert!(after.saturating_sub(*before) < GROWTH_KIB_MAX, "{before} became {after} KiB");
        }
        assert!(run.accepted > 0, "{run:?}");
        match run.storm {
            Some((clients, served, _, _)) => assert_eq!(served, clients, "{run:?}"),
            None => {
                assert!(run.refused > 0 && run.polite.0 > 0, "{run:?}");
                assert!(run.calm.transfers_per_s > 0, "{run:?}");
            }
        }
    }
    assert!(measured.records >= measured.acknowledged, "{measured:?}");
}
