//! The worker that owns the ledger: applies committed entries in order and answers questions between them; it waits for no disk but cold reads.
use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ledger_core::{Command, Ledger, Output};
use ledger_proof::{Digest, Envelope, Genesis, tree::sha256};
use ledger_types::{KeyId, ParticipantId, Timestamp};
use openraft::{EntryPayload, storage::ApplyResponder};
use services_runtime::faults::crash_point;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use crate::{
    Error,
    error::{OrHalt, halt},
    history::Batch,
    host,
    raft::{Decoded, Entry, LogIdOf, Payload, Reply, StoredMembership, Types},
    rows,
    seal::{self, CutJob},
    state_store::{Cut, StateStore, States, put_blob, put_row},
};

/// How long changed rows may stay unwritten.
const CUT_EVERY: Duration = Duration::from_secs(1);
/// No next deadline.
const NEVER: u64 = u64::MAX;

type Question = Box<dyn FnOnce(&Ledger, &StateStore) + Send>;

enum Job {
    Entry { entry: Box<Entry>, responder: Option<ApplyResponder<Types>> },
    Barrier(oneshot::Sender<(Option<LogIdOf>, StoredMembership)>),
    Ask(Question),
    Cut(oneshot::Sender<()>),
    Install { state: PathBuf, history: PathBuf, done: oneshot::Sender<Result<(), Error>> },
}

/// The worker as others see it; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Apply {
    jobs: mpsc::UnboundedSender<Job>,
    next_due: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    holders: Holders,
}

/// Each participant's keys, active or retired.
pub(crate) type Keys = HashMap<ParticipantId, Vec<KeyId>>;
/// As of every record that can be read, or later; none while a snapshot is taken over.
type Holders = Arc<RwLock<Option<Arc<Keys>>>>;

/// The worker ended: the process is going down.
#[derive(Debug, thiserror::Error)]
#[error("the ledger has stopped")]
pub(crate) struct Stopped;

impl Apply {
    /// Applies an entry; its responder is answered when it is done.
    pub(crate) fn entry(
        &self,
        entry: Entry,
        responder: Option<ApplyResponder<Types>>,
    ) -> Result<(), Stopped> {
        self.send(Job::Entry { entry: Box::new(entry), responder })
    }

    /// Waits until everything given before is applied.
    pub(crate) async fn barrier(&self) -> Result<(Option<LogIdOf>, StoredMembership), Stopped> {
        let (done, reached) = oneshot::channel();
        self.send(Job::Barrier(done))?;
        reached.await.map_err(|_| Stopped)
    }

    /// Asks the ledger and its store, between two entries.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Ledger, &StateStore) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.send(Job::Ask(Box::new(move |ledger, store| {
            // Whoever asked may have gone.
            drop(answer.send(question(ledger, store)));
        })))?;
        answered.await.map_err(|_| Stopped)
    }

    /// Writes every changed row.
    pub(crate) async fn cut(&self) -> Result<(), Stopped> {
        let (done, written) = oneshot::channel();
        self.send(Job::Cut(done))?;
        written.await.map_err(|_| Stopped)
    }

    /// Replaces state and history by a snapshot's.
    pub(crate) async fn install(
        &self,
        state: PathBuf,
        history: PathBuf,
    ) -> Result<Result<(), Error>, Stopped> {
        let (done, installed) = oneshot::channel();
        self.send(Job::Install { state, history, done })?;
        installed.await.map_err(|_| Stopped)
    }

    /// When a tick has something to do.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let due = self.next_due.load(Ordering::Relaxed);
        (due != NEVER).then(|| Timestamp::from_micros(due))
    }

    /// Bytes of the entries applied since the start.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whose which key is, as of every record that was read before, or later; none while a snapshot is
    /// taken over, which brings records before it brings keys.
    pub(crate) fn holders(&self) -> Option<Arc<Keys>> {
        self.holders.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&self, job: Job) -> Result<(), Stopped> {
        self.jobs.send(job).map_err(|_| Stopped)
    }
}

/// The ledger as stored, or as founded.
pub(crate) struct Start {
    pub(crate) genesis: Genesis,
    pub(crate) ledger: Ledger,
    pub(crate) cut: Cut,
    pub(crate) founding: Option<Output>,
}

impl Start {
    /// Restores the ledger from its rows, or founds it.
    ///
    /// # Errors
    /// When the rows are not of this genesis.
    pub(crate) fn from(genesis: Genesis, store: &StateStore) -> Result<Self, Error> {
        let Some(cut) = store.cut()? else {
            if !genesis.predecessor.is_empty() {
                // Such a genesis founds nothing by itself: a snapshot brings the state.
                let ledger = Ledger::restore(&genesis, std::iter::empty::<([u8; 0], [u8; 0])>());
                let ledger = ledger.map_err(Error::State)?;
                return Ok(Self { genesis, ledger, cut: Cut::default(), founding: None });
            }
            let (ledger, founding) = Ledger::found(&genesis);
            return Ok(Self { genesis, ledger, cut: Cut::default(), founding: Some(founding) });
        };
        let ledger = restore(&genesis, store, &cut)?;
        Ok(Self { genesis, ledger, cut, founding: None })
    }
}

fn restore(genesis: &Genesis, store: &StateStore, cut: &Cut) -> Result<Ledger, Error> {
    let rows = store.hot_rows()?;
    let ledger = Ledger::restore(genesis, rows.into_iter()).map_err(Error::State)?;
    if ledger.records() != cut.history.records {
        return Err(Error::Damaged { what: "the state, which is not of its cut".to_owned() });
    }
    Ok(ledger)
}

/// Starts the worker; it ends when every [`Apply`] is gone.
pub(crate) fn start(
    start: Start,
    states: States,
    seal: mpsc::Sender<seal::Job>,
    cut_bytes: usize,
) -> io::Result<(Apply, host::Worker)> {
    let (sender, jobs) = mpsc::unbounded_channel();
    let next_due = Arc::new(AtomicU64::new(NEVER));
    let bytes = Arc::new(AtomicU64::new(0));
    let (due, total) = (Arc::clone(&next_due), Arc::clone(&bytes));
    let holders = Holders::default();
    let apply = Apply { jobs: sender, next_due: due, bytes: total, holders: Arc::clone(&holders) };
    let mut applier = Applier {
        genesis: start.genesis,
        ledger: start.ledger,
        store: states.store(),
        states,
        applied: start.cut.applied,
        membership: start.cut.membership,
        out: Output::default(),
        keys: Vec::new(),
        seal,
        next_due,
        bytes,
        holders,
        holders_of: 0,
        blobs: Vec::new(),
        dirty_bytes: 0,
        cut_bytes,
        cut_at: Instant::now(),
        cut_written: None,
    };
    applier.publish_due();
    applier.publish_holders();
    let founding = start.founding;
    let worker = host::spawn("apply", async move {
        if let Some(founding) = founding {
            applier.out = founding;
            applier.hand_over(0, &Payload::default()).await;
            applier.cut().await;
        }
        applier.run(jobs).await;
    })?;
    Ok((apply, worker))
}

struct Applier {
    genesis: Genesis,
    ledger: Ledger,
    store: Arc<StateStore>,
    states: States,
    applied: Option<LogIdOf>,
    membership: StoredMembership,
    out: Output,
    keys: Vec<Vec<u8>>,
    seal: mpsc::Sender<seal::Job>,
    next_due: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    holders: Holders,
    /// Of how many keys.
    holders_of: usize,
    /// Blobs held in memory until the next cut.
    blobs: Vec<(Digest, bytes::Bytes)>,
    dirty_bytes: usize,
    cut_bytes: usize,
    cut_at: Instant,
    /// Answered when the last cut is written; `None` when it was.
    cut_written: Option<oneshot::Receiver<()>>,
}

impl Applier {
    async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        loop {
            match timeout(CUT_EVERY, jobs.recv()).await {
                Ok(Some(job)) => self.take(job).await,
                Ok(None) => break,
                Err(_elapsed) => {}
            }
            self.evict_written();
            let due = self.dirty_bytes >= self.cut_bytes || self.cut_at.elapsed() >= CUT_EVERY;
            if self.dirty_bytes > 0 && due && self.cut_written.is_none() {
                self.cut().await;
            }
        }
        self.cut().await;
        self.evict().await;
        self.states.store().flush().or_halt("flushing the state");
    }

    async fn take(&mut self, job: Job) {
        match job {
            Job::Entry { entry, responder } => self.entry(*entry, responder).await,
            // Whoever waits may have gone.
            Job::Barrier(done) => drop(done.send((self.applied, self.membership.clone()))),
            Job::Ask(question) => question(&self.ledger, &self.store),
            Job::Cut(done) => {
                self.cut().await;
                self.evict().await;
                let _gone = done.send(());
            }
            Job::Install { state, history, done } => {
                drop(done.send(self.install(state, history).await));
            }
        }
    }

    async fn entry(&mut self, entry: Entry, responder: Option<ApplyResponder<Types>>) {
        let log_id = entry.log_id;
        let mut reply = Reply::default();
        match entry.payload {
            EntryPayload::Blank => self.dirty_bytes += 1,
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(log_id), membership);
                crash_point("membership-applied");
                self.dirty_bytes += 1;
            }
            EntryPayload::Normal(payload) => reply = self.normal(&payload).await,
        }
        self.applied = Some(log_id);
        crash_point("entry-applied");
        if let Some(responder) = responder {
            responder.send(reply);
        }
        crash_point("entry-answered");
        metrics::counter!("causeway_ledger_applied_entries_total").increment(1);
    }

    async fn normal(&mut self, payload: &Payload) -> Reply {
        let entry = ledger_proof::Entry::decode(payload.bytes()).or_halt("decoding an entry");
        let decoded = payload.take();
        let digests = decoded.as_ref().map(|decoded| decoded.blob_digests.clone());
        let commands = commands(&entry.envelopes, decoded);
        self.prefetch(&commands);
        self.out.clear();
        let begun = Instant::now();
        self.ledger.apply(entry.stamp, &commands, &mut self.out);
        metrics::histogram!("causeway_ledger_apply_seconds").record(begun.elapsed());
        let digests =
            digests.unwrap_or_else(|| entry.blobs.iter().map(|blob| sha256(&[blob])).collect());
        for (digest, blob) in digests.into_iter().zip(&entry.blobs) {
            let blob = payload.bytes().slice_ref(blob);
            self.states.blob_hold(digest, blob.clone());
            self.blobs.push((digest, blob));
        }
        let length = payload.bytes().len();
        self.dirty_bytes += length;
        self.bytes.fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
        self.publish_due();
        self.publish_holders();
        let records = u64::try_from(self.out.records.len()).unwrap_or(0);
        metrics::counter!("causeway_ledger_applied_records_total").increment(records);
        let answers = std::mem::take(&mut self.out.answers);
        if records > 0 {
            self.hand_over(self.ledger.entries(), payload).await;
        }
        Reply { at: self.ledger.time(), answers }
    }

    /// Reads the cold rows that `commands` touch.
    fn prefetch(&mut self, commands: &[Command<'_>]) {
        self.keys.clear();
        self.ledger.missing(commands, &mut self.keys);
        self.keys.sort_unstable();
        self.keys.dedup();
        if self.keys.is_empty() {
            return;
        }
        let rows = self.store.rows(&self.keys).or_halt("reading cold rows");
        for (key, row) in self.keys.iter().zip(rows) {
            self.ledger.load(key, row.as_deref()).or_halt("reading a cold row");
        }
    }

    async fn hand_over(&mut self, entry: u64, payload: &Payload) {
        let batch = Batch {
            entry,
            at: self.ledger.time(),
            payload: payload.bytes().clone(),
            records: std::mem::take(&mut self.out.records),
            numbers: std::mem::take(&mut self.out.numbers),
        };
        self.seal(seal::Job::Batch(batch)).await;
    }

    /// Hands every changed row to be written after the history up to here.
    async fn cut(&mut self) {
        self.evict().await;
        let mut rows = rows::Batch::default();
        self.ledger.drain_dirty(|key, row| put_row(&mut rows, key, row));
        for (digest, blob) in &self.blobs {
            put_blob(&mut rows, digest, blob);
        }
        let (done, written) = oneshot::channel();
        let job = CutJob {
            rows,
            applied: self.applied,
            membership: self.membership.clone(),
            blobs: self.blobs.drain(..).map(|(digest, _)| digest).collect(),
            done,
        };
        self.seal(seal::Job::Cut(Box::new(job))).await;
        (self.dirty_bytes, self.cut_at, self.cut_written) = (0, Instant::now(), Some(written));
    }

    /// Waits for the last cut, then forgets cold rows; a node that stops may leave it unwritten.
    async fn evict(&mut self) {
        if let Some(written) = self.cut_written.take()
            && written.await.is_ok()
        {
            self.ledger.evict();
        }
    }

    /// Forgets cold rows if the last cut is written.
    fn evict_written(&mut self) {
        if self.cut_written.as_mut().is_some_and(|written| written.try_recv().is_ok()) {
            self.cut_written = None;
            self.ledger.evict();
        }
    }

    async fn install(&mut self, state: PathBuf, history: PathBuf) -> Result<(), Error> {
        self.evict().await;
        let cut = StateStore::read_cut(&state)?;
        self.set_holders(None, 0);
        let (done, extended) = oneshot::channel();
        let position = cut.history.clone();
        self.seal(seal::Job::Extend { received: history, position, done }).await;
        extended.await.unwrap_or_else(|error| halt("installing a snapshot", &error))?;
        crash_point("install-history-extended");
        self.store = self.states.replace(&state)?;
        self.ledger = restore(&self.genesis, &self.store, &cut)?;
        (self.applied, self.membership) = (cut.applied, cut.membership);
        self.blobs.clear();
        self.dirty_bytes = 0;
        self.publish_due();
        self.publish_holders();
        Ok(())
    }

    fn publish_due(&self) {
        let due = self.ledger.next_due().map_or(NEVER, Timestamp::micros);
        self.next_due.store(due, Ordering::Relaxed);
    }

    /// Keys are added and never taken away, so that their number tells whether there are new ones.
    fn publish_holders(&mut self) {
        let count = self.ledger.keys_count();
        if count == self.holders_of {
            return;
        }
        let mut keys = Keys::new();
        for (id, key) in self.ledger.keys() {
            keys.entry(key.participant).or_default().push(id);
        }
        self.set_holders(Some(Arc::new(keys)), count);
    }

    fn set_holders(&mut self, keys: Option<Arc<Keys>>, count: usize) {
        *self.holders.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.holders_of = count;
    }

    async fn seal(&self, job: seal::Job) {
        self.seal.send(job).await.or_halt("handing over to the seal worker");
    }
}

/// The envelopes as commands: from what verifying decoded, or decoded here after a restart.
fn commands<'a>(envelopes: &[&'a [u8]], decoded: Option<Decoded>) -> Vec<Command<'a>> {
    let decoded = decoded.filter(|decoded| decoded.commands.len() == envelopes.len());
    let Some(decoded) = decoded else {
        let commands = envelopes.iter().map(|bytes| Command::decode(bytes));
        return commands.collect::<Result<_, _>>().or_halt("decoding an envelope");
    };
    let pairs = envelopes.iter().zip(decoded.commands);
    let commands = pairs.map(|(bytes, decoded)| {
        let envelope = Envelope::decode(bytes)?;
        let digest = envelope.digest();
        let (items, item_hashes) = (decoded.items, decoded.item_hashes);
        Ok::<_, ledger_proof::DecodeError>(Command { envelope, items, item_hashes, digest })
    });
    commands.collect::<Result<_, _>>().or_halt("decoding an envelope")
}
