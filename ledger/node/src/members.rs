//! Who the members are, followed as consensus changes it: one task per other voter, and every id that was ever one; it changes no membership.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use openraft::async_runtime::watch::WatchReceiver;
use tokio::task::{AbortHandle, JoinSet};

use crate::{Error, host, raft::Raft, state_store::sync_folder};

#[cfg(test)]
mod tests;

const FILE: &str = "MEMBERS";
/// How often the membership is looked at.
const EVERY: Duration = Duration::from_millis(200);

/// Every node id that was ever a member, durably: a node that comes back with an id but without what
/// it promised under it could vote twice. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    path: PathBuf,
    ids: Arc<Mutex<BTreeSet<u64>>>,
}

impl Used {
    /// Reads the list of a data folder.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub(crate) fn open(data: &Path) -> Result<Self, Error> {
        let path = data.join(FILE);
        let ids = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|_| Error::Damaged { what: "the list of node ids".to_owned() })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(Error::file(&path)(error)),
        };
        Ok(Self { path, ids: Arc::new(Mutex::new(ids)) })
    }

    /// Every id so far.
    pub(crate) fn ids(&self) -> BTreeSet<u64> {
        self.lock().clone()
    }

    /// Adds ids; durable when it returns.
    ///
    /// # Errors
    /// The disk's; nothing was added.
    pub(crate) fn note(&self, ids: impl IntoIterator<Item = u64>) -> io::Result<()> {
        let mut known = self.lock();
        let mut with = known.clone();
        with.extend(ids);
        if *known == with {
            return Ok(());
        }
        let new = self.path.with_extension("new");
        fs::write(&new, serde_json::to_vec(&with)?)?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(&new, &self.path)?;
        self.path.parent().map_or(Ok(()), sync_folder)?;
        *known = with;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps one task running for every other voter, started by `start` with the voter's id and peer
/// address, and notes every id. Runs until it is dropped.
///
/// # Errors
/// When the list of ids cannot be written.
pub(crate) async fn follow<R>(
    raft: Raft,
    own: u64,
    used: Used,
    start: impl Fn(u64, &str) -> R,
) -> Result<(), Error>
where
    R: Future<Output = ()> + Send + 'static,
{
    let metrics = raft.metrics();
    let mut tasks = JoinSet::new();
    let mut running = BTreeMap::<(u64, String), AbortHandle>::new();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let (membership, applied) = {
            let seen = metrics.borrow_watched();
            (seen.membership_config.clone(), seen.last_applied)
        };
        // One that is not applied may yet come to nothing.
        if *membership.log_id() <= applied {
            used.note(membership.nodes().map(|(id, _)| *id)).map_err(Error::file(&used.path))?;
        }
        let voters: BTreeSet<u64> = membership.voter_ids().filter(|id| *id != own).collect();
        let nodes = membership.nodes().filter(|(id, _)| voters.contains(id));
        let wanted: BTreeSet<_> = nodes.map(|(id, node)| (*id, node.addr.clone())).collect();
        running.retain(|key, task| {
            let stays = wanted.contains(key);
            if !stays {
                task.abort();
            }
            stays
        });
        for key in wanted {
            let (id, peer) = (key.0, key.1.clone());
            running.entry(key).or_insert_with(|| tasks.spawn(host::seeded(start(id, &peer))));
        }
        while tasks.try_join_next().is_some() {}
    }
}
