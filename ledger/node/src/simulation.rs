//! A replica on a simulated machine, for tests that decide time, disk and network by a seed; it is never part of a release.
mod disk;
pub(crate) mod host;
mod replica;

use std::sync::atomic::{AtomicU8, Ordering};

pub use disk::{crash, wipe};
pub use host::{Machine, install, seeded};
pub use replica::{Replica, Status};

/// A bug that a simulation must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// The log says that it is synced when it is not.
    SyncSkipped = 1,
    /// A vote is answered before it is durable.
    VoteUnsynced,
    /// An entry counts as acknowledged by a node that has not seen it.
    MinorityCommits,
    /// Changed rows outlive a crash without the word which entry they belong to.
    ApplyTwice,
    /// A balance is read without asking whether this node still leads.
    ReadStale,
    /// A wiped disk comes back under its old node id.
    NodeIdReused,
    /// A truncated end of the log comes back after a crash.
    TruncateUnsynced,
    /// Amounts are added in floating point.
    FloatRounding,
    /// A key counts only once its entry is applied, which may wait for the entry that it signed.
    KeysAppliedOnly,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Self; 9] = [
        Self::SyncSkipped,
        Self::VoteUnsynced,
        Self::MinorityCommits,
        Self::ApplyTwice,
        Self::ReadStale,
        Self::NodeIdReused,
        Self::TruncateUnsynced,
        Self::FloatRounding,
        Self::KeysAppliedOnly,
    ];
}

static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Plants a bug in every replica of this process.
pub fn plant(bug: Bug) {
    let number = Bug::ALL.iter().position(|other| *other == bug).unwrap_or(0) + 1;
    ledger_core::FLOATING.store(bug == Bug::FloatRounding, Ordering::Relaxed);
    PLANTED.store(u8::try_from(number).unwrap_or(0), Ordering::Relaxed);
}

/// Whether a bug is planted.
pub(crate) fn planted(bug: Bug) -> bool {
    let number = usize::from(PLANTED.load(Ordering::Relaxed));
    number.checked_sub(1).and_then(|place| Bug::ALL.get(place)) == Some(&bug)
}
