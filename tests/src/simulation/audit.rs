//! What must hold at every moment: one leader a term, one history for all and for ever.
use std::collections::BTreeMap;

use ledger_node::simulation::Replica;
use ledger_proof::{Digest, record::Record, tree::sha256};

use super::node::Cluster;

/// What was seen while the cluster ran.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    leaders: BTreeMap<u64, u64>,
    /// Roots by size, as any replica has shown them.
    roots: BTreeMap<u64, Digest>,
    last: BTreeMap<u64, u64>,
    /// Every record that any replica has shown.
    shown: Vec<Record>,
    compared: BTreeMap<u64, u64>,
    pub(super) leader_changes: u64,
    pub(super) truncations: u64,
    pub(super) trace: Digest,
}

impl Watcher {
    /// Looks at every replica.
    pub(super) fn look(&mut self, cluster: &Cluster, violations: &mut Vec<String>) {
        for (node, replica) in cluster.running.borrow().iter() {
            let status = replica.status();
            if status.leads {
                let known = self.leaders.len();
                let leader = *self.leaders.entry(status.term).or_insert(*node);
                self.leader_changes += u64::from(self.leaders.len() > known);
                if leader != *node {
                    violations.push(format!("nodes {leader} and {node} lead term {}", status.term));
                }
            }
            if replica.failed() {
                violations.push(format!("node {node} ended by itself"));
            }
            let before = self.last.insert(*node, status.last);
            self.truncations += u64::from(before.is_some_and(|before| before > status.last));
            if let Err(wrong) = self.compare(*node, replica, status.records) {
                violations.push(wrong);
            }
            let line = format!("{node} {status:?}");
            self.trace = sha256(&[&self.trace, line.as_bytes()]);
        }
    }

    /// Holds a replica's records against those that any replica ever showed.
    fn compare(&mut self, node: u64, replica: &Replica, records: u64) -> Result<(), String> {
        let failed = |error| format!("node {node}: {error}");
        let compared = self.compared.entry(node).or_default();
        // A crash may have taken the newest; they come back the same.
        let from = if *compared > records { 0 } else { *compared };
        for sequence in from..records {
            let record = replica.record(sequence).map_err(failed)?;
            let place = usize::try_from(sequence).unwrap_or(usize::MAX);
            match self.shown.get(place) {
                Some(shown) if *shown == record => {}
                Some(shown) => {
                    return Err(format!("node {node} shows {record:?}, where there was {shown:?}"));
                }
                None => self.shown.push(record),
            }
        }
        *compared = records;
        let root = replica.root(records).map_err(failed)?;
        match *self.roots.entry(records).or_insert(root) == root {
            true => Ok(()),
            false => Err(format!("node {node} has another root over {records} records")),
        }
    }
}
