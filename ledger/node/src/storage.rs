//! Everything a node keeps, opened in the one order that finds damage before anybody is answered; it speaks to nobody.
use std::{fs, sync::Arc};

use ledger_proof::Genesis;

use crate::{
    Error, Settings, apply,
    hello::Greeter,
    history::{History, HistoryWriter},
    host::Worker,
    identity::{Identity, Seen},
    log_store::{LogStore, Place},
    machine::Machine,
    restore, seal,
    snapshot::Snapshots,
    state_store::{Cut, States},
};

/// What was opened.
pub(crate) struct Storage {
    pub(crate) greeter: Greeter,
    pub(crate) log: LogStore,
    pub(crate) machine: Machine,
    pub(crate) history: History,
    pub(crate) workers: Workers,
}

/// What writes.
pub(crate) struct Workers {
    pub(crate) apply: Worker,
    pub(crate) seal: Worker,
    pub(crate) log: Worker,
}

impl Storage {
    /// Opens a node's data.
    ///
    /// # Errors
    /// When any of it is damaged, another's, or less than this node promised.
    pub(crate) fn open(settings: &Settings, genesis: Genesis) -> Result<Self, Error> {
        let (data, guard) = (&settings.data, settings.guard());
        fs::create_dir_all(data).map_err(Error::file(data))?;
        let identity = Identity::bind(data, &guard, genesis.network(), settings.node)?;
        restore::adopt(data)?;
        let place = Place { folder: &data.join("log"), guard: &guard, owner: &identity.folder };
        let (log, log_worker) = LogStore::open(&place)?;
        let states = States::open(&data.join("state"))?;
        let start = apply::Start::from(genesis, &states.store())?;
        log.covers(start.cut.applied)?;
        let Cut { history: position, .. } = start.cut.clone();
        let (writer, history) = HistoryWriter::open(&data.join("history"), position)?;
        let reaches = log.snapshot_reaches(start.cut.applied);
        let snapshots = Arc::new(Snapshots::open(&data.join("snapshot"), reaches)?);
        let (seal, seal_worker) =
            seal::start(writer, history.clone(), states.clone(), log.durable())
                .map_err(Error::file(data))?;
        let (apply, apply_worker) =
            apply::start(start, states.clone(), seal, settings.limits.cut_bytes)
                .map_err(Error::file(data))?;
        let greeter = Greeter::new(identity, Seen::open(data)?, log.clone())?;
        let machine = Machine { apply, states, snapshots };
        let workers = Workers { apply: apply_worker, seal: seal_worker, log: log_worker };
        Ok(Self { greeter, log, machine, history, workers })
    }
}
