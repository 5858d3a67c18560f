//! Real clusters under real faults: processes killed, frozen, cut off from power, fed with damaged files; judged like simulated ones.
mod choose;
mod cluster;
mod corrupt;
mod crash;
mod follower;
mod freeze;
mod members;
pub mod overload;
mod reconciler;
mod rig;
mod strike;
mod upgrade;
mod weather;

use std::{path::PathBuf, time::Duration};

pub use freeze::{Frozen, freeze};
use rig::Rig;
use serde::Serialize;

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
    /// Five nodes cut off from each other by halves, one way, in a ring, or from their clients.
    Partition,
    /// Networks that lose, delay, reorder, double and bend frames, or reset connections.
    Weather,
    /// Disks that fail: syncs, writes, no room, read-only, slow.
    Storage,
    /// Clocks an hour off, backwards, twice as fast.
    Clock,
    /// Crashes at named places between two writes.
    Crash,
    /// Members that come, go and are replaced, and wiped disks.
    Members,
    /// The reconciler killed between two writes, and its Postgres beneath it.
    Reconciler,
    /// Nodes of another build, forth and back.
    Upgrade,
    /// One follower killed, frozen or slow, and what clients feel of it.
    Follower,
    /// Ten times the load that can be served, of several kinds.
    Overload,
    /// All of it mixed, with large envelopes.
    Soak,
}

impl Family {
    /// How many clients ask, and their pauses in milliseconds at most.
    const fn load(self) -> (usize, u64) {
        match self {
            Self::LeaderGap => (24, 20),
            Self::Soak => (12, 2),
            Self::Kill
            | Self::Pause
            | Self::Power
            | Self::Corrupt
            | Self::Partition
            | Self::Weather
            | Self::Storage
            | Self::Crash
            | Self::Members
            | Self::Reconciler
            | Self::Upgrade
            | Self::Follower
            | Self::Overload
            | Self::Clock => (6, 20),
        }
    }
}

/// How a family is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many faults.
    pub runs: u64,
    /// Decides targets and times, as far as a real machine lets it.
    pub seed: u64,
    /// A bug to plant, which the run must find; for the reconciler.
    pub planted: Option<&'static str>,
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
    pub requests: u64,
    /// What they asked for: each item of an envelope and each read has an outcome of its own.
    pub operations: u64,
    /// Of these, items whose outcome was acknowledged.
    pub acknowledged: u64,
    /// Items acknowledged for each second of the run, pauses and faults included; of several
    /// clusters, the highest.
    pub acknowledged_per_s: u64,
    /// Records judged.
    pub records: u64,
    /// Of these, expiries and refusals.
    pub expired_and_refused: (u64, u64),
    /// Requests of the clusters' first moments that a linearizability checker found in order too.
    pub linearized: u64,
    /// Terms begun under bad networks; where that is counted.
    pub elections: u64,
    /// How long requests took while nothing was wrong, microseconds; where that is measured.
    pub calm_us: Quantiles,
    /// How long each client waited for its next answer after each fault that left a majority
    /// within its reach; under bad networks, how long requests took; microseconds.
    pub gap_us: Quantiles,
    /// How long nobody was answered after a fault that left no majority, or any partition, had
    /// gone, microseconds.
    pub healed_us: Quantiles,
    /// Where data and logs were, and are if something was wrong.
    pub kept: PathBuf,
    /// What else was measured, in words.
    pub notes: Vec<String>,
    /// What was wrong; empty for a clean run.
    pub violations: Vec<String>,
}

impl Report {
    /// Adds what another cluster of the same family told.
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.operations += other.operations;
        self.acknowledged += other.acknowledged;
        self.records += other.records;
        self.linearized += other.linearized;
        self.expired_and_refused.0 += other.expired_and_refused.0;
        self.expired_and_refused.1 += other.expired_and_refused.1;
        if !other.violations.is_empty() {
            self.kept = other.kept;
        }
        self.violations.extend(other.violations);
        self.acknowledged_per_s = self.acknowledged_per_s.max(other.acknowledged_per_s);
    }
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
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |hundredths: usize| {
            let place = (times.len() * hundredths / 100).min(times.len().saturating_sub(1));
            times.get(place).map_or(0, Duration::as_micros)
        };
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

/// Runs a family.
///
/// # Errors
/// When the machine does not let it: then nothing is said of the ledger.
pub async fn run(family: Family, options: &Options) -> anyhow::Result<Report> {
    if choose::setup(family, 0).needs.wires {
        let options = *options;
        let work = move || async move {
            if family == Family::Weather {
                return weather::weather(&options).await;
            }
            strike::strike(family, &options).await
        };
        return tokio::task::spawn_blocking(move || rig::isolated(work)).await?;
    }
    match family {
        Family::Corrupt => corrupt::corrupt(options).await,
        Family::Crash => crash::crash(options).await,
        Family::Members => members::members(options).await,
        Family::Reconciler => reconciler::reconciler(options).await,
        Family::Upgrade => upgrade::upgrade(options).await,
        Family::Follower => follower::follower(options).await,
        Family::Overload => overload::overload(options).await,
        Family::Kill
        | Family::LeaderGap
        | Family::Pause
        | Family::Power
        | Family::Partition
        | Family::Weather
        | Family::Storage
        | Family::Clock
        | Family::Soak => strike::strike(family, options).await,
    }
}

/// Whether this machine has what a family needs.
///
/// # Errors
/// What it lacks.
pub fn possible(family: Family) -> anyhow::Result<()> {
    let needs = choose::setup(family, 0).needs;
    if matches!(family, Family::Crash | Family::Reconciler | Family::Upgrade)
        || needs.clocks
        || needs.calls
    {
        drop(services_cli::demo::processes::program("faulty")?);
    }
    let folder = tempfile::Builder::new().prefix("causeway-probe-").tempdir()?;
    let path = folder.path().to_owned();
    let probe = move || Rig::probe(needs, &path);
    match needs.wires {
        true => rig::isolated(move || async move { probe() }),
        false => probe(),
    }
}
