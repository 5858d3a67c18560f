//! Real clusters under real faults: processes killed, frozen, cut off from power, fed with damaged files; judged like simulated ones.
mod cluster;
mod corrupt;
mod power;
mod strike;

use std::time::Duration;

pub use corrupt::corrupt;
pub use power::{power, power_possible};
use serde::Serialize;
pub use strike::strike;

/// What is done to a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// SIGKILL: leader, follower, or all at once.
    #[default]
    Kill,
    /// SIGKILL of the leader alone, under a load of about 1,000 transfers a second.
    LeaderGap,
    /// SIGSTOP for a tenth of a second to ten seconds.
    Pause,
    /// The power of a disk cut: whatever was not synced is gone.
    Power,
    /// Files damaged while a node was down.
    Corrupt,
}

/// How a family is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many faults.
    pub runs: u64,
    /// Decides targets and times, as far as a real machine lets it.
    pub seed: u64,
    /// Called after each fault with how many were done.
    pub progress: fn(u64),
}

/// What a family found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Which.
    pub family: Family,
    /// Decided targets and times.
    pub seed: u64,
    /// Faults done, each seen to take effect.
    pub faults: u64,
    /// Of these, how many a node refused to live with; for damaged files.
    pub refused: u64,
    /// Requests made.
    pub operations: u64,
    /// Requests answered by the ledger.
    pub acknowledged: u64,
    /// Records judged.
    pub records: u64,
    /// Of these, expiries and refusals.
    pub expired_and_refused: (u64, u64),
    /// How long clients waited for the first answer after each fault, milliseconds.
    pub gap_ms: Quantiles,
    /// What was wrong; empty for a clean run.
    pub violations: Vec<String>,
}

/// Quantiles of a set of times.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Quantiles {
    /// Half were shorter.
    pub p50: u128,
    /// All but one in a hundred were shorter.
    pub p99: u128,
    /// The longest.
    pub max: u128,
}

impl Quantiles {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |hundredths: usize| {
            let place = (times.len() * hundredths / 100).min(times.len().saturating_sub(1));
            times.get(place).map_or(0, Duration::as_millis)
        };
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

/// Runs a family.
///
/// # Errors
/// When the machine does not let it: then nothing is said of the ledger.
pub async fn run(family: Family, options: &Options) -> anyhow::Result<Report> {
    match family {
        Family::Kill | Family::LeaderGap | Family::Pause => strike(family, options).await,
        Family::Power => power(options).await,
        Family::Corrupt => corrupt(options).await,
    }
}
