//! Who stops when records differ: the one that no majority agrees with.
use super::{Comparisons, Verdict};

#[test]
fn the_odd_one_out_is_told() {
    type Case = (usize, &'static [(u64, bool)], Verdict);
    let cases: [Case; 7] = [
        (3, &[], Verdict::Same),
        (3, &[(2, true), (3, true)], Verdict::Same),
        (3, &[(2, true), (3, false)], Verdict::Other(3)),
        (3, &[(2, false), (3, false)], Verdict::Odd),
        // Only two answer and they differ: neither knows.
        (3, &[(2, false)], Verdict::Odd),
        (5, &[(2, true), (3, false)], Verdict::Odd),
        (5, &[(2, true), (3, false), (4, true)], Verdict::Other(3)),
    ];
    for (voters, heard, verdict) in cases {
        let comparisons = Comparisons::default();
        heard.iter().for_each(|(node, same)| comparisons.hear(*node, *same));
        assert_eq!(comparisons.verdict(voters), verdict, "{voters} {heard:?}");
    }
}
