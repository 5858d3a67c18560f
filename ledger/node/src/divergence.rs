//! Whether this node's records are those of the others: roots compared at sizes that both have; it decides who is the odd one out, not why.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ledger_proof::Digest;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// How long a comparison counts.
const HEARD_FOR: Duration = Duration::from_secs(10);

/// A node's clock, its root over so many records, and its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pulse {
    pub(crate) at_micros: u64,
    pub(crate) records: u64,
    pub(crate) root: Digest,
    /// Whether its disks have room.
    pub(crate) room: bool,
}

/// What the comparisons say of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nobody's records differ.
    Same,
    /// A majority has our records, and this node has others.
    Other(u64),
    /// Records differ and no majority has ours: we may be wrong.
    Odd,
}

/// The last comparison with each node; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparisons {
    heard: Arc<Mutex<BTreeMap<u64, (Instant, bool)>>>,
}

impl Comparisons {
    /// Takes whether a node has our root over as many records as both have.
    pub(crate) fn hear(&self, node: u64, same: bool) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(node, (Instant::now(), same));
    }

    /// What follows in a cluster of so many voters.
    pub(crate) fn verdict(&self, voters: usize) -> Verdict {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = || heard.iter().filter(|(_, (at, _))| at.elapsed() <= HEARD_FOR);
        let Some((other, _)) = lately().find(|(_, (_, same))| !same) else {
            return Verdict::Same;
        };
        let with_us = 1 + lately().filter(|(_, (_, same))| *same).count();
        if with_us * 2 > voters { Verdict::Other(*other) } else { Verdict::Odd }
    }
}
