//! The worker behind apply: hashes records, writes history, and writes changed rows only after the history they belong to is synced.
use std::{io, path::PathBuf};

use ledger_proof::Digest;
use services_runtime::faults::crash_point;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Error,
    error::OrHalt,
    history::{Batch, History, HistoryWriter, Position},
    host,
    raft::{LogIdOf, StoredMembership},
    rows,
    state_store::{Cut, States},
};

/// Batches that may wait, so that apply does not run away from the disk.
const QUEUE: usize = 64;

/// What the worker is asked for, in order.
pub(crate) enum Job {
    /// Hash and append an entry's records.
    Batch(Batch),
    /// Write the rows that changed up to here.
    Cut(Box<CutJob>),
    /// Take over a received history.
    Extend { received: PathBuf, position: Position, done: oneshot::Sender<Result<(), Error>> },
}

/// Changed rows, and what they are the state after.
pub(crate) struct CutJob {
    pub(crate) rows: rows::Batch,
    pub(crate) applied: Option<LogIdOf>,
    pub(crate) membership: StoredMembership,
    pub(crate) blobs: Vec<Digest>,
    pub(crate) done: oneshot::Sender<()>,
}

/// Starts the worker; it ends when the sender is gone. A state is written only once the log up to
/// it is `durable` here: others may have committed an entry before that, and a state ahead of its
/// own log would have nothing to go on from.
pub(crate) fn start(
    mut writer: HistoryWriter,
    history: History,
    states: States,
    mut durable: watch::Receiver<Option<u64>>,
) -> io::Result<(mpsc::Sender<Job>, host::Worker)> {
    let (sender, mut jobs) = mpsc::channel(QUEUE);
    let worker = host::spawn("seal", async move {
        while let Some(job) = jobs.recv().await {
            if let Job::Cut(job) = &job
                && let Some(applied) = job.applied
                // A log that ended has nothing left to wait for, and what it lacks is asked of others.
                && durable.wait_for(|durable| *durable >= Some(applied.index)).await.is_err()
            {
                continue;
            }
            run(job, &mut writer, &history, &states);
        }
        writer.sync().or_halt("syncing history");
    })?;
    Ok((sender, worker))
}

fn run(job: Job, writer: &mut HistoryWriter, history: &History, states: &States) {
    match job {
        Job::Batch(batch) => {
            writer.append(&batch).or_halt("writing history");
            history.publish(&writer.position());
        }
        Job::Cut(job) => {
            writer.sync().or_halt("syncing history");
            crash_point("cut-history-synced");
            let cut = Cut {
                applied: job.applied,
                membership: job.membership,
                history: writer.position(),
            };
            states.store().write(job.rows, &cut).or_halt("writing the state");
            crash_point("cut-written");
            states.blobs_release(&job.blobs);
            // Apply may have ended.
            let _ended = job.done.send(());
        }
        Job::Extend { received, position, done } => {
            let extended = writer.extend(&received, position);
            history.publish(&writer.position());
            let _ended = done.send(extended);
        }
    }
}
