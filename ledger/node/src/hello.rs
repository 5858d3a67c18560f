//! What two nodes say of themselves before anything else, and when one must not go on with the other; it holds no entry.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use services_runtime::faults::planted as planted_by_test;

use crate::{
    Error,
    identity::{Identity, Seen, draw},
    log_store::LogStore,
    raft::{LogIdOf, VoteOf},
};

#[cfg(feature = "simulation")]
use crate::simulation::{Bug, planted};

#[cfg(test)]
mod tests;

/// The versions of what nodes say to each other that this build speaks: the first, the last.
const VERSIONS: (u32, u32) = (1, 1);

/// The versions spoken, also where a test asks for those of a build to come.
fn versions() -> (u32, u32) {
    if planted_by_test("speaks-1-and-2") {
        return (1, 2);
    }
    if planted_by_test("speaks-only-2") { (2, 2) } else { VERSIONS }
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The versions it speaks: the first, the last.
    pub(crate) versions: (u32, u32),
    pub(crate) network: String,
    pub(crate) node: u64,
    /// Its data folder.
    pub(crate) folder: String,
    /// Drawn when its process started: one process has forgotten nothing, however late its words
    /// come.
    pub(crate) process: String,
    /// The last entry of its log.
    pub(crate) last: Option<LogIdOf>,
}

/// What a node answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Welcome {
    pub(crate) hello: Hello,
    /// Why it will have nothing to do with who asked.
    pub(crate) refusal: Option<Refusal>,
}

/// Why a node must not take part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "speaks versions {0} to {1} of the protocol, which is none of ours; upgrade one step at a time"
    )]
    Versions(u32, u32),
    #[error("is of another network")]
    Network,
    #[error("has our own node id; give every node its own")]
    OwnId,
    #[error(
        "comes with another data folder than node {0} had before: its disk was wiped or exchanged; bring it back under a new node id"
    )]
    Folder(u64),
    #[error(
        "has lost entries that it acknowledged to us: its disk was rolled back; bring it back under a new node id"
    )]
    RolledBack,
    #[error("cannot be checked: the list of nodes seen cannot be written")]
    Unwritable,
}

/// Judges others by what is known of them; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Greeter {
    identity: Identity,
    seen: Arc<Seen>,
    log: LogStore,
    process: Arc<str>,
    /// What each node acknowledged to this one while it led, and under which vote.
    acknowledged: Arc<Mutex<BTreeMap<u64, Acknowledged>>>,
}

/// What a node acknowledged last.
#[derive(Clone, Debug)]
struct Acknowledged {
    process: String,
    vote: VoteOf,
    upto: LogIdOf,
}

impl Greeter {
    /// # Errors
    /// When the system has no randomness.
    pub(crate) fn new(identity: Identity, seen: Seen, log: LogStore) -> Result<Self, Error> {
        let process = draw()?.into();
        Ok(Self { identity, seen: Arc::new(seen), log, process, acknowledged: Arc::default() })
    }

    /// What this node says of itself.
    pub(crate) fn hello(&self) -> Hello {
        Hello {
            versions: versions(),
            network: self.identity.network.to_string(),
            node: self.identity.node,
            folder: self.identity.folder.clone(),
            process: self.process.to_string(),
            last: self.log.last(),
        }
    }

    /// Answers another node.
    pub(crate) fn welcome(&self, other: &Hello) -> Welcome {
        let refusal = self.judge(other).err();
        if let Some(refusal) = &refusal {
            metrics::counter!("causeway_ledger_alarms_total").increment(1);
            tracing::error!(node = other.node, %refusal, "another node is refused");
        }
        Welcome { hello: self.hello(), refusal }
    }

    /// Whether this node may go on with another.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn judge(&self, other: &Hello) -> Result<(), Refusal> {
        let (first, last) = other.versions;
        let (ours_first, ours_last) = versions();
        if first > ours_last || last < ours_first {
            return Err(Refusal::Versions(first, last));
        }
        if other.network != self.identity.network.to_string() {
            return Err(Refusal::Network);
        }
        if other.node == self.identity.node {
            return Err(Refusal::OwnId);
        }
        self.judge_folder(other.node, &other.folder)?;
        #[cfg(feature = "simulation")]
        if planted(Bug::NodeIdReused) {
            return Ok(());
        }
        let acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        match acknowledged.get(&other.node) {
            // Under another vote its end may have been cut off rightly.
            Some(had)
                if Some(had.vote) == self.log.vote()
                    && had.process != other.process
                    && other.last < Some(had.upto) =>
            {
                Err(Refusal::RolledBack)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a node comes with the folder it always came with.
    ///
    /// # Errors
    /// Why it must not take part.
    pub(crate) fn judge_folder(&self, node: u64, folder: &str) -> Result<(), Refusal> {
        #[cfg(feature = "simulation")]
        if planted(Bug::NodeIdReused) {
            return Ok(());
        }
        match self.seen.same(node, folder) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::Folder(node)),
            Err(error) => {
                tracing::error!(%error, "the list of nodes seen cannot be written");
                Err(Refusal::Unwritable)
            }
        }
    }

    /// This node's own folder.
    pub(crate) fn folder(&self) -> &str {
        &self.identity.folder
    }

    /// Keeps what a node's process acknowledged under a vote.
    pub(crate) fn acknowledged(&self, node: u64, process: &str, vote: VoteOf, upto: LogIdOf) {
        let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        match acknowledged.get_mut(&node) {
            // An answer of a former process may come late, and says no less.
            Some(kept) if kept.vote == vote => {
                kept.upto = kept.upto.max(upto);
                process.clone_into(&mut kept.process);
            }
            Some(_) | None => {
                let process = process.to_owned();
                acknowledged.insert(node, Acknowledged { process, vote, upto });
            }
        }
    }

    /// Whether this node has promised nothing yet: its first start.
    pub(crate) fn is_new(&self) -> bool {
        self.log.last().is_none() && self.log.vote().is_none()
    }
}
