//! The median of the clocks heard, and whether ours is close enough to it.
use ledger_types::Timestamp;
use tokio::time::Instant;

use super::Clocks;

#[test]
fn our_clock_must_be_near_the_median_of_those_heard() {
    let ours = Timestamp::from_micros(1_000_000_000);
    // Offsets of the others in milliseconds; whether ours is good; who is nearest to the median.
    let cases: [(&[i64], bool, Option<u64>); 6] = [
        (&[], true, None),
        (&[5], true, Some(1)),
        (&[1_500, 1_600], false, Some(1)),
        (&[1_500, 3], true, Some(2)),
        (&[-9_000, -8_000], false, Some(2)),
        (&[-9_000, -8_000, 10, 20], true, Some(3)),
    ];
    for (offsets, agree, nearest) in cases {
        let clocks = Clocks::new(1_000);
        for (node, offset) in (1..).zip(offsets) {
            let its = ours.micros().checked_add_signed(offset * 1_000).unwrap();
            clocks.hear(node, Instant::now(), Timestamp::from_micros(its), ours);
        }
        assert_eq!((clocks.agree(), clocks.nearest()), (agree, nearest), "{offsets:?}");
    }
}
