//! What every request and task of one gateway shares; it decides nothing.
use std::sync::Arc;

use ledger_proof::{
    codec::{Digest, Field},
    item::{Item, ItemKind},
};
use ledger_types::{NetworkId, ParticipantId, TransferId};
use proto::LedgerClient;
use services_iso20022::policy::Profile;
use services_runtime::{
    health::Checks,
    tickets::{Ticket, Tickets},
    trace::{self, Tracer},
};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::{
    banking::CoreBanking,
    batches::Batches,
    directory::Directory,
    events::{Heard, recent::Recent},
    outbox::{self, Parcel, Queued},
    payee::Payees,
    problem::{Code, Problem},
    quotes::Quoter,
    routes::{caller::tokens::Tokens, idempotency::Running},
    screening::Screening,
    security::Security,
    settings::{Decision, Demo, Pickup},
    signer::Signer,
    store::{
        self, Connection, Store,
        leaving::Answer,
        outbox::{NewItem, OutboxRow, outbox_insert},
    },
    tracking::Tracking,
    turns::Turns,
    webhooks::Webhooks,
};

/// A transfer that wants the gateway's attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Decide about an incoming transfer.
    Decide(TransferId),
    /// Capture, release or credit, and confirm.
    Book(TransferId),
}

/// One gateway.
#[derive(Clone, Debug)]
pub struct App {
    inner: Arc<Inner>,
}

/// What [`App`] points to.
pub struct Inner {
    /// Whose gateway.
    pub me: ParticipantId,
    /// Of which network.
    pub network: NetworkId,
    /// The party store.
    pub store: Store,
    /// The ledger.
    pub ledger: LedgerClient,
    /// News of the network.
    pub directory: Directory,
    /// When the event stream last said something.
    pub heard: Heard,
    /// What it said last.
    pub recent: Recent,
    /// Signs envelopes.
    pub signer: Arc<dyn Signer>,
    /// Opens sealed data.
    pub sealing_key: Digest,
    /// Idempotency keys of running requests.
    pub running: Running,
    /// UETRs of running requests.
    pub turns: Turns,
    /// Quoting services.
    pub fx: Vec<Arc<Quoter>>,
    /// Sanctions lists.
    pub screening: Arc<dyn Screening>,
    /// The participant's own books.
    pub banking: Arc<dyn CoreBanking>,
    /// Who decides.
    pub decision: Decision,
    /// Usage rules beside the network's own.
    pub profile: Option<Profile>,
    /// Cash at the tills.
    pub pickup: Pickup,
    /// Scripted answers.
    pub demo: Demo,
    /// Requests under way, by their credentials' digest.
    pub requests: Tickets<Digest>,
    /// To the sender of items.
    pub outbox: Outbox,
    /// To the worker.
    pub work: WorkQueue,
    /// Endpoints of webhooks.
    pub webhooks: Webhooks,
    /// Files of many transfers.
    pub batches: Batches,
    /// Links for senders.
    pub tracking: Tracking,
    /// Sends spans.
    pub tracer: Tracer,
    /// What serving needs.
    pub checks: Checks,
    /// Payee checks: other gateways, and how much is asked.
    pub payees: Payees,
    /// Limits of keys and of what needs approval.
    pub security: Security,
    /// An issuer of access tokens.
    pub tokens: Option<Tokens>,
}

/// The way to the sender: items of the outbox table that this process has in hand. What finds no
/// room here stays in the table, and a sweep brings it.
#[derive(Clone, Debug)]
pub struct Outbox {
    queue: mpsc::Sender<Queued>,
    parcels: mpsc::Sender<Parcel>,
    /// By place in the table, from here until answered.
    tickets: Tickets<i64>,
    /// Places of envelopes on their way.
    flights: Arc<Semaphore>,
}

impl Outbox {
    /// A way for so many items at one time.
    #[must_use]
    pub fn new(max: usize) -> (Self, outbox::Incoming) {
        let (queue, items) = mpsc::channel(max.max(1));
        // Each has its place among those on their way.
        let (sender, parcels) = mpsc::channel(outbox::FLIGHTS);
        let flights = Arc::new(Semaphore::new(outbox::FLIGHTS));
        let tickets = Tickets::new(max, usize::MAX);
        let this = Self { queue, parcels: sender, tickets, flights };
        (this, outbox::Incoming { parcels, items })
    }

    /// Room for one more item in hand, if there is any.
    pub(crate) fn room_for(&self, item: i64) -> Option<Ticket<i64>> {
        self.tickets.take(item)
    }

    /// A place for an envelope on its way, if one is free.
    pub(crate) fn flight(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.flights).try_acquire_owned().ok()
    }

    /// The next place that is free; none when the process ends.
    pub(crate) async fn next_flight(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.flights).acquire_owned().await.ok()
    }

    /// Hands over an envelope that is durable.
    pub(crate) fn depart(&self, parcel: Parcel) {
        // When the process ends it stays for the next start.
        let _stays = self.parcels.try_send(parcel);
    }

    /// Hands over an item that is durable and in hand.
    pub(crate) fn gather(&self, item: Queued) {
        // When the process ends, the row stays for the next start.
        let _stays = self.queue.try_send(item);
    }

    /// Hands an item over for whom it waits.
    pub fn put(&self, row: OutboxRow, waiter: Option<oneshot::Sender<Answer>>) {
        let ticket = self.room_for(row.id);
        self.hand_over(row, waiter, ticket);
    }

    /// Hands an item over that the process may have in hand already.
    pub fn put_again(&self, row: OutboxRow) {
        let ticket = self.tickets.take_first(row.id);
        self.hand_over(row, None, ticket);
    }

    /// Items that were put into an envelope already: they are in hand, whatever room there is.
    #[must_use]
    pub fn resume(&self, row: OutboxRow) -> Queued {
        let ticket = self.tickets.force(row.id);
        Queued { row, waiter: None, ticket }
    }

    /// The items of an envelope, unless one of them is in hand or there is no room.
    #[must_use]
    pub fn take_up(&self, rows: Vec<OutboxRow>) -> Option<Vec<Queued>> {
        let queued = rows.into_iter().map(|row| {
            let ticket = self.tickets.take_first(row.id)?;
            Some(Queued { row, waiter: None, ticket })
        });
        queued.collect()
    }

    /// Whether a new item would have to wait for a sweep.
    #[must_use]
    pub fn full(&self) -> bool {
        self.tickets.full()
    }

    fn hand_over(
        &self,
        row: OutboxRow,
        waiter: Option<oneshot::Sender<Answer>>,
        ticket: Option<Ticket<i64>>,
    ) {
        // Without room the row stays for a sweep.
        if let Some(ticket) = ticket {
            self.gather(Queued { row, waiter, ticket });
        }
    }
}

/// The way to the worker: each piece of work is in it once, and what finds no room is found by a
/// sweep.
#[derive(Clone, Debug)]
pub struct WorkQueue {
    queue: mpsc::Sender<(Work, Ticket<Work>)>,
    tickets: Tickets<Work>,
}

impl WorkQueue {
    /// A way for so much work at one time.
    #[must_use]
    pub fn new(max: usize) -> (Self, mpsc::Receiver<(Work, Ticket<Work>)>) {
        let (queue, work) = mpsc::channel(max.max(1));
        (Self { queue, tickets: Tickets::new(max, 1) }, work)
    }

    fn put(&self, work: Work) {
        if let Some(ticket) = self.tickets.take(work) {
            let _swept_later = self.queue.try_send((work, ticket));
        }
    }
}

impl std::fmt::Debug for Inner {
    /// Keys are never shown.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Inner").field("me", &self.me).finish_non_exhaustive()
    }
}

impl App {
    /// Shares one gateway.
    #[must_use]
    pub fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Hands an item that is durable in the outbox to the sender, and gives where its answer comes.
    #[must_use]
    pub fn send(&self, row: OutboxRow) -> oneshot::Receiver<Answer> {
        let (waiter, answer) = oneshot::channel();
        self.outbox.put(row, Some(waiter));
        answer
    }

    /// Refuses what would only wait: more is on its way to the ledger than it answers.
    ///
    /// # Errors
    /// `LEDGER_BUSY`, before anything is signed or kept.
    pub fn room(&self) -> Result<(), Problem> {
        match self.outbox.full() {
            true => Err(Problem::new(Code::LedgerBusy, "nothing was signed or kept; try again")),
            false => Ok(()),
        }
    }

    /// Asks for attention to a transfer.
    pub fn wake(&self, work: Work) {
        self.work.put(work);
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

/// An item for the outbox, with the span of who asks for it.
#[must_use]
pub fn to_send(transfer: TransferId, item: &Item, asked: &[u8]) -> NewItem {
    NewItem {
        kind: item.kind(),
        transfer,
        fingerprint: Sha256::digest(asked).into(),
        item: item.to_bytes(),
        blob: None,
        traceparent: trace::kept(),
    }
}

/// Puts an item into the outbox within an SQL transaction.
///
/// # Errors
/// When the store fails.
pub async fn enqueue(
    connection: &mut Connection,
    transfer: TransferId,
    item: &Item,
    asked: &[u8],
) -> Result<OutboxRow, store::Error> {
    let rows = outbox_insert(connection, &[to_send(transfer, item, asked)]).await?;
    rows.into_iter().next().ok_or(store::Error::Unanswered)
}

/// Whether the same is in the outbox already, and was not refused.
///
/// # Errors
/// When the store fails.
pub async fn enqueued(
    connection: &mut Connection,
    transfer: TransferId,
    kind: ItemKind,
    asked: &[u8],
) -> Result<bool, store::Error> {
    let fingerprint: Digest = Sha256::digest(asked).into();
    store::outbox::outbox_holds(connection, kind, transfer, &fingerprint).await
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        if error.unavailable() || error.forgotten() {
            tracing::warn!(
                cause = services_runtime::error::chain(&error),
                "party store does not answer"
            );
            return Self::new(Code::StoreUnavailable, "the gateway's store is down; try again");
        }
        if error.taken(store::keys::TABLE) {
            return Self::in_progress();
        }
        match error {
            store::Error::Range(field) => Self::field(field, "exceeds the range of an amount"),
            store::Error::Schema
            | store::Error::Open(_)
            | store::Error::Migrate(_)
            | store::Error::Statement(_)
            | store::Error::Unanswered
            | store::Error::Forgotten
            | store::Error::Work(_)
            | store::Error::Shared(_) => Self::internal(&error),
        }
    }
}
