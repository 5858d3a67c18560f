//! What every request and task of one gateway shares; it decides nothing.
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use ledger_proof::{
    codec::{Digest, Field},
    item::{Item, ItemKind},
};
use ledger_types::{NetworkId, ParticipantId, TransferId};
use proto::{LedgerClient, fx::quoting_client::QuotingClient};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;

use crate::{
    banking::CoreBanking,
    directory::Directory,
    events::Heard,
    outbox::{Answer, Queued},
    problem::{Code, Problem},
    routes::idempotency::Running,
    screening::Screening,
    settings::{Decision, Demo},
    store::{self, Connection, Store, outbox::OutboxRow},
    turns::Turns,
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
    /// Signs envelopes.
    pub signing_key: SigningKey,
    /// Opens sealed data.
    pub sealing_key: Digest,
    /// Idempotency keys of running requests.
    pub running: Running,
    /// UETRs of running requests.
    pub turns: Turns,
    /// Quoting services.
    pub fx: Vec<(ParticipantId, QuotingClient<Channel>)>,
    /// Sanctions lists.
    pub screening: Arc<dyn Screening>,
    /// The participant's own books.
    pub banking: Arc<dyn CoreBanking>,
    /// Who decides.
    pub decision: Decision,
    /// Scripted answers.
    pub demo: Demo,
    /// To the sender of items.
    pub outbox: mpsc::UnboundedSender<Queued>,
    /// To the worker.
    pub work: mpsc::UnboundedSender<Work>,
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
        // The sender ends only with the process; the row is then sent at the next start.
        let _stopping = self.outbox.send(Queued { row, waiter: Some(waiter) });
        answer
    }

    /// Asks for attention to a transfer.
    pub fn wake(&self, work: Work) {
        let _stopping = self.work.send(work);
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
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
    blob: Option<&[u8]>,
) -> Result<OutboxRow, store::Error> {
    let fingerprint: Digest = Sha256::digest(asked).into();
    let kind: ItemKind = item.kind();
    let bytes = item.to_bytes();
    store::outbox::outbox_insert(connection, kind, transfer, &fingerprint, &bytes, blob).await
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        if error.unavailable() {
            tracing::warn!(
                cause = services_runtime::error::chain(&error),
                "party store does not answer"
            );
            return Self::new(Code::StoreUnavailable, "the gateway's store is down; try again");
        }
        match error {
            store::Error::Range(field) => Self::field(field, "exceeds the range of an amount"),
            store::Error::Schema
            | store::Error::Open(_)
            | store::Error::Migrate(_)
            | store::Error::Statement(_) => Self::internal(&error),
        }
    }
}
