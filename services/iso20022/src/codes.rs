//! The external code sets of ISO 20022, from a data file that carries its date; it must never know
//! what a code means, nor refuse one: sets grow every quarter.

use std::{collections::HashMap, collections::HashSet, sync::LazyLock};

/// When the sets in `codes/external.csv` were published.
pub const AS_OF: &str = "2025-05";

type Sets = HashMap<&'static str, HashSet<&'static str>>;

static SETS: LazyLock<Sets> = LazyLock::new(|| {
    let mut sets = Sets::new();
    let lines = include_str!("codes/external.csv").lines().filter(|line| !line.starts_with('#'));
    for (set, code) in lines.filter_map(|line| line.split_once(',')) {
        sets.entry(set).or_default().insert(code);
    }
    sets
});

/// Whether a set such as `ExternalPurpose1Code` holds a code; nothing if the set is not kept here.
#[must_use]
pub fn known(set: &str, code: &str) -> Option<bool> {
    SETS.get(set).map(|codes| codes.contains(code))
}

/// Every code of a set, in alphabetical order; none if the set is not kept here.
#[must_use]
pub fn all(set: &str) -> Vec<&'static str> {
    let mut codes: Vec<&'static str> = SETS.get(set).into_iter().flatten().copied().collect();
    codes.sort_unstable();
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_published_and_nothing_made_up() {
        assert_eq!(known("ExternalReturnReason1Code", "AC04"), Some(true));
        assert_eq!(known("ExternalCancellationReason1Code", "DUPL"), Some(true));
        assert_eq!(known("ExternalPurpose1Code", "GIFT"), Some(true));
        assert_eq!(known("ExternalPurpose1Code", "FAMI"), Some(false), "there is no such purpose");
        assert_eq!(known("Max35Text", "GIFT"), None);
        assert_eq!(all("ExternalPurpose1Code").len(), 329);
        assert_eq!(all("ExternalStatusReason1Code").len(), 301);
        assert!(
            include_str!("codes/external.csv")
                .starts_with(&format!("# ISO 20022 external code sets of {AS_OF}"))
        );
    }

    #[test]
    fn every_reason_of_this_crate_is_a_published_one() {
        for reason in [
            crate::verdict::FORMAT,
            crate::verdict::SETTLEMENT_METHOD,
            crate::verdict::UETR_MISSING,
            crate::verdict::CREDITOR_ACCOUNT,
        ] {
            assert_eq!(known("ExternalStatusReason1Code", reason.as_str()), Some(true), "{reason}");
        }
    }
}
