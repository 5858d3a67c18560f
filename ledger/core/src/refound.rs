//! A restored network: the state of a former one goes on under a new genesis, so that nothing signed for the one counts in the other; it judges no root.
use alloc::vec::Vec;

use ledger_proof::{DecodeError, Field, Genesis, RecordKind};

use crate::{envelope::RequestKey, ledger::Ledger, output::Output, record::only_shared};

impl Ledger {
    /// Goes on as the network of `genesis`, which names this one as its predecessor: one record,
    /// the new genesis, behind the former history. Accounts, participants, keys, transfers, quotes
    /// and terms stay, own numbers go on; remembered requests go, for they were signed for the
    /// former network. What is past its deadline at `founded_at` expires with the next entry.
    ///
    /// # Errors
    /// Names what the new genesis may not change; the state is as before.
    pub fn refound(&mut self, genesis: &Genesis, out: &mut Output) -> Result<(), DecodeError> {
        self.refoundable(genesis)?;
        self.genesis = genesis.clone();
        self.network = genesis.network();
        self.time = genesis.founded_at;
        self.checkpoint_at = genesis.founded_at;
        self.tail_open = false;
        // As behind every genesis: the chain of entry records begins with the network's id.
        self.previous_entry_digest = self.network.0;
        self.meta_dirty = true;
        self.requests_stale.clear();
        let requests: Vec<RequestKey> = self.requests.iter().map(|(key, _)| *key).collect();
        for key in requests {
            self.requests.set(key, None);
        }
        self.push_record(out, RecordKind::Genesis, None, only_shared(genesis.to_bytes()));
        Ok(())
    }

    fn refoundable(&self, genesis: &Genesis) -> Result<(), DecodeError> {
        let invalid = |field, reason| Err(DecodeError::invalid(field, reason));
        let Some(predecessor) = genesis.predecessor.first() else {
            return invalid("predecessor", "must name the former network");
        };
        if predecessor.network != self.network || predecessor.records != self.next_sequence {
            return invalid("predecessor", "must be this network with its number of records");
        }
        if genesis.founded_at < self.time {
            return invalid("founded_at", "must not be before the last record");
        }
        if genesis.log_origin == self.genesis.log_origin {
            return invalid("log_origin", "must differ: the former log may have gone on");
        }
        if genesis.currencies != self.genesis.currencies {
            return invalid("currencies", "must be the former network's");
        }
        if genesis.custodians != self.genesis.custodians {
            return invalid("custodians", "must be the former network's");
        }
        if genesis.operator_keys != self.genesis.operator_keys
            || genesis.operator_threshold != self.genesis.operator_threshold
        {
            return invalid(
                "operator_keys",
                "must be the former network's; rotate them afterwards",
            );
        }
        Ok(())
    }
}
