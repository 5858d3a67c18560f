//! What an SQL transaction puts on its way to the ledger: items with who waits for them, and the envelopes that are kept with them; it neither signs nor sends.
use proto::convert::Outcome;
use tokio::sync::oneshot;

use super::outbox::{Carried, OutboxRow};

/// What became of an item.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The ledger's outcome.
    Outcome(Outcome),
    /// The ledger did not take the envelope; nothing was recorded.
    NotTaken(String),
}

/// An item that is durable, and who waits for its answer.
#[derive(Debug)]
pub struct Leaving {
    /// The item.
    pub row: OutboxRow,
    /// Who waits.
    pub waiter: oneshot::Sender<Answer>,
}

/// An item that is on its way once it is committed, and where its answer comes.
#[derive(Debug)]
pub struct Sent {
    pub(super) leaving: Option<Leaving>,
    /// Nothing comes where the process ended before, or had no room: a sweep sends it then.
    pub answer: oneshot::Receiver<Answer>,
}

impl Sent {
    pub(super) fn new(row: OutboxRow) -> Self {
        let (waiter, answer) = oneshot::channel();
        Self { leaving: Some(Leaving { row, waiter }), answer }
    }

    /// What leaves of these.
    pub(super) fn leaving<'s>(all: impl IntoIterator<Item = &'s mut Self>) -> Vec<Leaving> {
        all.into_iter().filter_map(|sent| sent.leaving.take()).collect()
    }
}

/// Takes over what SQL transactions put on its way.
pub trait Carrier: std::fmt::Debug + Send + Sync {
    /// Makes envelopes, before the commit, of as much as can be signed and sent at once.
    fn load(&self, leaving: Vec<Leaving>) -> Box<dyn Loaded>;
}

/// What leaves when its SQL transaction is committed, and not at all when dropped.
pub trait Loaded: Send {
    /// The envelopes to keep in the same SQL transaction.
    fn carried(&self) -> Vec<Carried>;
    /// Sends all, in envelopes or not yet.
    fn leave(self: Box<Self>);
}

/// A carrier for a store that nothing leaves: it stays for the process that sends.
#[derive(Clone, Copy, Debug)]
pub struct Stays;

impl Carrier for Stays {
    fn load(&self, _leaving: Vec<Leaving>) -> Box<dyn Loaded> {
        Box::new(Self)
    }
}

impl Loaded for Stays {
    fn carried(&self) -> Vec<Carried> {
        Vec::new()
    }

    fn leave(self: Box<Self>) {}
}
