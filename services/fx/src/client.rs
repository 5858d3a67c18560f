//! Registers quotes on the ledger, those of the same few milliseconds as one signed envelope; it prices nothing.
use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use ed25519_dalek::SigningKey;
use ledger_proof::{
    ItemKind,
    codec::Field,
    envelope::ITEMS_MAX,
    item::{Item, RegisterQuote},
    signature::{self, Request},
};
use ledger_types::{ParticipantId, RequestId, Timestamp, Uetr};
use proto::{
    LedgerClient, client,
    convert::{Network, Outcome},
};
use services_runtime::tickets::{Ticket, Tickets};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::Instant,
};
use tracing::debug;

/// Quotes asked within this time share an envelope.
const COALESCE: Duration = Duration::from_millis(5);
/// Quotes without an answer at one time; more are refused at once.
const QUOTES_MAX: usize = 1_024;
/// Of one debtor agent.
const QUOTES_EACH_MAX: usize = QUOTES_MAX / 4;
const VALID_MICROS: u64 = 60_000_000;

/// Why a quote was not registered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The ledger gave no outcome.
    #[error("ledger gave no outcome")]
    Ledger(#[source] client::Error),
    /// The network's terms are not known yet.
    #[error("the ledger has not been reached yet")]
    NetworkUnknown,
    /// The operating system gives no randomness.
    #[error("no randomness")]
    Randomness(#[source] getrandom::Error),
    /// Too many quotes wait for the ledger, or too many of this debtor agent.
    #[error("too many quotes are under way; try again later")]
    Full,
    /// The service is ending.
    #[error("the service is ending")]
    Ending,
}

/// What the ledger answers for a quote.
pub type Registered = Result<Outcome, Error>;

/// Hands quotes to the registrar.
#[derive(Clone, Debug)]
pub struct Registry {
    queue: mpsc::Sender<Job>,
    tickets: Tickets<ParticipantId>,
}

#[derive(Debug)]
struct Job {
    item: Vec<u8>,
    answer: oneshot::Sender<Registered>,
    /// Given back with the answer.
    _ticket: Ticket<ParticipantId>,
}

impl Registry {
    /// Registers a quote and waits for its record.
    ///
    /// # Errors
    /// When the ledger gave no outcome; a refusal is an outcome.
    pub async fn register(&self, quote: RegisterQuote) -> Registered {
        let ticket = self.tickets.take(quote.debtor_agent).ok_or(Error::Full)?;
        let (answer, outcome) = oneshot::channel();
        let item = Item::RegisterQuote(quote).to_bytes();
        let job = Job { item, answer, _ticket: ticket };
        self.queue.try_send(job).map_err(|_| Error::Ending)?;
        outcome.await.map_err(|_| Error::Ending)?
    }
}

/// Signs and submits what the registry hands over.
#[derive(Debug)]
pub struct Registrar {
    author: ParticipantId,
    key: Arc<SigningKey>,
    client: LedgerClient,
    network: Arc<ArcSwapOption<Network>>,
    jobs: mpsc::Receiver<Job>,
}

impl Registrar {
    /// A registrar and the handle to it.
    #[must_use]
    pub fn new(
        author: ParticipantId,
        key: SigningKey,
        client: LedgerClient,
        network: Arc<ArcSwapOption<Network>>,
    ) -> (Self, Registry) {
        let (queue, jobs) = mpsc::channel(QUOTES_MAX);
        let tickets = Tickets::new(QUOTES_MAX, QUOTES_EACH_MAX);
        (Self { author, key: Arc::new(key), client, network, jobs }, Registry { queue, tickets })
    }

    /// Works until every handle is gone. Envelopes in flight don't wait for each other.
    pub async fn run(mut self) {
        let mut flights = JoinSet::new();
        while let Some(first) = self.jobs.recv().await {
            let mut jobs = vec![first];
            let until = Instant::now() + COALESCE;
            while jobs.len() < usize::from(ITEMS_MAX) {
                match tokio::time::timeout_at(until, self.jobs.recv()).await {
                    Ok(Some(job)) => jobs.push(job),
                    Ok(None) | Err(_) => break,
                }
            }
            match self.envelope(&jobs) {
                Ok(envelope) => {
                    flights.spawn(submit(self.client.clone(), envelope, jobs));
                }
                Err(failure) => answer(jobs, &Err(failure)),
            }
            while flights.try_join_next().is_some() {}
        }
        while flights.join_next().await.is_some() {}
    }

    fn envelope(&self, jobs: &[Job]) -> Result<Vec<u8>, Error> {
        let network = self.network.load_full().ok_or(Error::NetworkUnknown)?.id;
        let request = Request {
            network,
            author: self.author,
            request: RequestId(Uetr::from_random(random()?).bytes()),
            valid_until: now().plus_micros(VALID_MICROS),
            kind: ItemKind::RegisterQuote,
            all_or_nothing: false,
        };
        let items: Vec<Vec<u8>> = jobs.iter().map(|job| job.item.clone()).collect();
        Ok(signature::sign(&request, &items, &[&self.key]))
    }
}

async fn submit(client: LedgerClient, envelope: Vec<u8>, jobs: Vec<Job>) {
    match client.submit(envelope, Vec::new()).await {
        // One outcome stands for every item of an envelope that was refused as a whole.
        Ok(submitted) if submitted.envelope_refused || submitted.outcomes.len() != jobs.len() => {
            let unreadable = || Error::Ledger(client::Error::Unknown("no outcome".to_owned()));
            answer(jobs, &submitted.outcomes.first().copied().ok_or_else(unreadable));
        }
        Ok(submitted) => {
            for (job, outcome) in jobs.into_iter().zip(submitted.outcomes) {
                answer(vec![job], &Ok(outcome));
            }
        }
        Err(failure) => answer(jobs, &Err(Error::Ledger(failure))),
    }
}

fn answer(jobs: Vec<Job>, outcome: &Registered) {
    for job in jobs {
        if job.answer.send(outcome.clone()).is_err() {
            debug!("a quote's caller did not wait for its record");
        }
    }
}

/// Random bytes of the operating system.
///
/// # Errors
/// When it gives none.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::Randomness)?;
    Ok(bytes)
}

/// The wall clock.
#[must_use]
pub fn now() -> Timestamp {
    let nanos = time::OffsetDateTime::now_utc().unix_timestamp_nanos();
    Timestamp::from_micros(u64::try_from(nanos / 1_000).unwrap_or(0))
}
