//! Consensus's view of the state: applies by handing over to the apply worker, snapshots by checkpoint; it holds no state itself.
use std::{io, sync::Arc};

use futures_util::{Stream, StreamExt};
use openraft::{
    OptionalSend, RaftSnapshotBuilder,
    storage::{EntryResponder, RaftStateMachine},
};
use services_runtime::faults::crash_point;

use crate::{
    apply::Apply,
    host,
    raft::{LogIdOf, SnapshotMeta, StoredMembership, Types},
    snapshot::{Folder, Snapshots, meta},
    state_store::States,
};

type Snapshot = openraft::type_config::alias::SnapshotOf<Types, Arc<Folder>>;

/// The state machine; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) apply: Apply,
    pub(crate) states: States,
    pub(crate) snapshots: Arc<Snapshots>,
}

impl RaftSnapshotBuilder<Types> for Machine {
    type SnapshotData = Arc<Folder>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        self.apply.cut().await.map_err(io::Error::other)?;
        let (states, snapshots) = (self.states.clone(), Arc::clone(&self.snapshots));
        let built = host::blocking(move || {
            let folder = snapshots.begin().map_err(crate::Error::file("snapshot"))?;
            states.store().checkpoint(&folder.state())?;
            crash_point("snapshot-linked");
            let cut = snapshots.finish(&folder)?;
            Ok::<_, crate::Error>((folder, cut))
        });
        let ended = || io::Error::other("the process is going down");
        let (folder, cut) = built.await.ok_or_else(ended)?.map_err(io::Error::other)?;
        Ok(Snapshot { meta: meta(&cut), snapshot: folder })
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Arc<Folder>;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogIdOf>, StoredMembership), io::Error> {
        self.apply.barrier().await.map_err(io::Error::other)
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            self.apply.entry(entry, responder).map_err(io::Error::other)?;
        }
        // Reads by read-index rely on this: applied means that the ledger has it.
        self.apply.barrier().await.map_err(io::Error::other)?;
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta,
        snapshot: Arc<Folder>,
    ) -> Result<(), io::Error> {
        let installed = self.apply.install(snapshot.state(), snapshot.history()).await;
        installed.map_err(io::Error::other)?.map_err(io::Error::other)?;
        host::written().await;
        self.snapshots.finish(&snapshot).map_err(io::Error::other)?;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let current = self.snapshots.current();
        Ok(current.map(|(folder, cut)| Snapshot { meta: meta(&cut), snapshot: folder }))
    }
}
