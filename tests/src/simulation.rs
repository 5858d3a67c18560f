//! A whole cluster in one thread, where a seed decides time, disks, network, faults and clients: the same seed is the same run.
mod audit;
mod faults;
mod founding;
mod machine;
mod node;
mod run;
mod wires;

use std::collections::BTreeMap;

pub use ledger_node::simulation::{Bug, plant};
use ledger_proof::ItemKind;
pub use run::run;
use serde::{Deserialize, Serialize};

/// How a run is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Decides everything.
    pub seed: u64,
    /// Milliseconds of simulated time under faults; healing comes on top.
    pub ticks: u64,
}

/// How a run ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was wrong; empty for a clean run.
    pub violations: Vec<String>,
    /// How often each fault and each rare event happened.
    pub happened: BTreeMap<String, u64>,
    /// Requests made.
    pub requests: u64,
    /// What they asked for: each item of an envelope and each read has an outcome of its own.
    pub operations: u64,
    /// Of these, items whose outcome was acknowledged.
    pub acknowledged: u64,
    /// Records at the end.
    pub records: u64,
    /// Requests of the first moments that a linearizability checker found in order too.
    pub linearized: u64,
    /// A digest of everything that was seen, in order: equal for equal runs.
    pub trace: String,
}

/// What must have happened somewhere in a set of runs, or the set proves nothing; and each kind
/// of item must have been done.
pub fn sometimes() -> impl Iterator<Item = String> {
    let done = ItemKind::ACCEPTED.into_iter().map(|kind| format!("{kind:?} done"));
    SOMETIMES.iter().map(|what| (*what).to_owned()).chain(done)
}

const SOMETIMES: &[&str] = &[
    "acknowledged",
    "client gave up",
    "clock jumped",
    "crash",
    "expired",
    "leader changed",
    "log truncated",
    "membership changed",
    "messages held",
    "one-way partition",
    "partition",
    "power cut of all",
    "refused by the ledger",
    "resent answer",
    "snapshot installed",
    "unsynced bytes lost",
];
