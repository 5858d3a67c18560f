//! Schema `ledger` anew, from the ledger's history or from its own stored records; it decides nothing about what is in them.
use futures_util::StreamExt;
use proto::{
    LedgerClient,
    convert::{Event, RecordEvent},
};
use tokio::{sync::mpsc, task::JoinSet};

use super::{Error, SILENCE_MAX, sweeper};
use crate::{
    record::Record,
    store::{self, Batch, Rebuilt, Store},
};

/// Records of one batch.
const BATCH: u64 = 16_384;
/// Batches that wait while one is written.
const WAITING: usize = 1;

/// Where the records come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The ledger's history, from record 0.
    Ledger(LedgerClient),
    /// The stored records, which a sweep found to be the ledger's.
    Columns,
}

/// Makes the schema anew with as many records as it has. Nothing changes unless everything fits:
/// records from the ledger must make its root, stored ones the cursor's.
///
/// # Errors
/// When records do not come, contradict each other, or make another root.
pub async fn rebuild(
    store: &Store,
    source: Source,
    progress: impl FnMut(u64, u64),
) -> Result<Vec<Rebuilt>, Error> {
    // Whoever writes stops at its next batch.
    store.fence().await.map_err(Error::Store)?;
    let records = store.rebuild_plan().await.map_err(Error::Store)?.records;
    let root = match &source {
        Source::Columns => store.cursor().await.map_err(Error::Store)?.frontier.root(),
        Source::Ledger(client) => sweeper::root_of_any(client, records).await?,
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut giving = JoinSet::new();
    match source {
        Source::Columns => giving.spawn(stored(store.clone(), records, sender)),
        Source::Ledger(client) => giving.spawn(told(client, records, sender)),
    };
    let rebuilt = store.rebuild((records, root), receiver, progress).await;
    if let Err(store::Error::Rebuild(_)) = &rebuilt
        && let Some(Ok(Err(failure))) = giving.join_next().await
    {
        return Err(failure);
    }
    rebuilt.map_err(Error::Store)
}

async fn stored(store: Store, records: u64, sender: mpsc::Sender<Batch>) -> Result<(), Error> {
    let mut first = 0;
    while first < records {
        let next = records.min(first + BATCH);
        let batch = store.stored_batch(first, next).await.map_err(Error::Store)?;
        if sender.send(batch).await.is_err() {
            break;
        }
        first = next;
    }
    Ok(())
}

async fn told(
    client: LedgerClient,
    records: u64,
    sender: mpsc::Sender<Batch>,
) -> Result<(), Error> {
    let mut events = client.events(0, true).await.map_err(Error::Ledger)?;
    let mut raw: Vec<RecordEvent> = Vec::new();
    let mut due = 0;
    while due < records {
        let event = tokio::time::timeout(SILENCE_MAX, events.next()).await;
        let event = event.map_err(|_| Error::Stream("fell silent"))?;
        let Event::Record(event) = event.ok_or(Error::Stream("ended"))?.map_err(Error::Ledger)?
        else {
            continue;
        };
        due = event.sequence + 1;
        raw.push(*event);
        if due % BATCH == 0 || due == records {
            let raw = std::mem::take(&mut raw);
            let read = move || {
                let records: Result<Vec<_>, _> = raw.into_iter().map(Record::read).collect();
                records.map(Batch::new)
            };
            let read = tokio::task::spawn_blocking(read).await;
            let batch = read.map_err(|_| Error::Stream("is not read"))?.map_err(Error::Record)?;
            if sender.send(batch).await.is_err() {
                break;
            }
        }
    }
    Ok(())
}
