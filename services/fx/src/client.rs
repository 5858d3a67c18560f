//! Registers standing quotes on the ledger, each by one flight that all who need it wait for; it prices nothing.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwapOption;
use ed25519_dalek::SigningKey;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use ledger_proof::{
    ItemKind,
    codec::Field,
    item::{Item, RegisterQuote},
    signature::{self, Request},
};
use ledger_types::{ParticipantId, Rejection, RequestId, Timestamp, Uetr};
use proto::{LedgerClient, client, convert::Network};
use services_runtime::tickets::Tickets;

use crate::standing::{Offer, Standing, Use};

/// Questions that wait for the ledger at one time; more are refused at once.
const WAITING_MAX: usize = 1_024;
/// Of one debtor agent.
const WAITING_EACH_MAX: usize = WAITING_MAX / 4;
const VALID_MICROS: u64 = 60_000_000;

/// Why there is no registered quote.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The ledger refuses it.
    #[error("the ledger refuses: {}", .0.meaning())]
    Refused(Rejection),
    /// The ledger gave no outcome.
    #[error("ledger gave no outcome")]
    Ledger(#[source] client::Error),
    /// The network's terms are not known yet.
    #[error("the ledger has not been reached yet")]
    NetworkUnknown,
    /// The operating system gives no randomness.
    #[error("no randomness")]
    Randomness(#[source] getrandom::Error),
    /// Too many questions wait for the ledger, or too many of this debtor agent.
    #[error("too many quotes are under way; try again later")]
    Full,
    /// The service is ending.
    #[error("the service is ending")]
    Ending,
}

/// A question, as far as a standing quote answers it.
#[derive(Debug)]
pub struct Wanted {
    /// What for.
    pub of: Use,
    /// At which price.
    pub offer: Offer,
    /// How much is taken.
    pub source_amount: u64,
    /// How long a quote stands that is registered for it.
    pub stands_micros: u64,
}

/// A registration under way, which everybody who needs it waits for.
type Flight = Shared<BoxFuture<'static, Result<(), Error>>>;

/// Of one use: what stands, and what is on its way.
#[derive(Debug, Default)]
struct Slot {
    standing: Option<Standing>,
    flight: Option<Flight>,
}

/// The bank's standing quotes, and how more of them are signed and registered; clones share both.
#[derive(Clone, Debug)]
pub struct Registry {
    author: ParticipantId,
    key: Arc<SigningKey>,
    client: LedgerClient,
    network: Arc<ArcSwapOption<Network>>,
    tickets: Tickets<ParticipantId>,
    slots: Arc<Mutex<HashMap<Use, Slot>>>,
}

impl Registry {
    /// Of a bank that has registered nothing yet.
    #[must_use]
    pub fn new(
        author: ParticipantId,
        key: SigningKey,
        client: LedgerClient,
        network: Arc<ArcSwapOption<Network>>,
    ) -> Self {
        let tickets = Tickets::new(WAITING_MAX, WAITING_EACH_MAX);
        Self { author, key: Arc::new(key), client, network, tickets, slots: Arc::default() }
    }

    /// Draws on the quote that stands; where none does, one is made and registered first.
    ///
    /// # Errors
    /// When the ledger refuses it or gives no outcome.
    pub async fn draw(
        &self,
        wanted: &Wanted,
        make: impl Fn(Timestamp) -> Result<RegisterQuote, Error>,
    ) -> Result<RegisterQuote, Error> {
        let mut ticket = None;
        loop {
            let flight = match self.drawn(wanted, &make)? {
                Ok(quote) => return Ok(quote),
                Err(flight) => flight,
            };
            if ticket.is_none() {
                ticket = Some(self.tickets.take(wanted.of.debtor_agent).ok_or(Error::Full)?);
            }
            flight.await?;
        }
    }

    /// What stands, with its successor on its way in time; or what there is to wait for.
    fn drawn(
        &self,
        wanted: &Wanted,
        make: impl Fn(Timestamp) -> Result<RegisterQuote, Error>,
    ) -> Result<Result<RegisterQuote, Flight>, Error> {
        let now = now();
        let mut slots = self.slots();
        let slot = slots.entry(wanted.of).or_default();
        let standing = slot.standing.as_mut();
        let drawn = standing
            .and_then(|standing| standing.draw(&wanted.offer, wanted.source_amount, now).cloned());
        let due = slot.standing.as_ref().is_none_or(|standing| standing.due(now));
        if let Some(quote) = drawn {
            if due && slot.flight.is_none() {
                slot.flight = Some(self.register(wanted, make(now)?, now));
            }
            return Ok(Ok(quote));
        }
        let flight = match &slot.flight {
            Some(flight) => flight.clone(),
            None => self.register(wanted, make(now)?, now),
        };
        slot.flight = Some(flight.clone());
        Ok(Err(flight))
    }

    /// Registers a quote, whoever waits for it; it stands once that is done.
    fn register(&self, wanted: &Wanted, quote: RegisterQuote, made_at: Timestamp) -> Flight {
        let (registry, of, stands) = (self.clone(), wanted.of, wanted.stands_micros);
        let task = tokio::spawn(async move {
            let registered = registry.submit(&quote).await;
            let mut slots = registry.slots();
            let slot = slots.entry(of).or_default();
            slot.flight = None;
            registered.map(|()| slot.standing = Some(Standing::new(quote, made_at, stands)))
        });
        async move { task.await.unwrap_or(Err(Error::Ending)) }.boxed().shared()
    }

    async fn submit(&self, quote: &RegisterQuote) -> Result<(), Error> {
        let network = self.network.load_full().ok_or(Error::NetworkUnknown)?.id;
        let request = Request {
            network,
            author: self.author,
            request: RequestId(Uetr::from_random(random()?).bytes()),
            valid_until: now().plus_micros(VALID_MICROS),
            kind: ItemKind::RegisterQuote,
            all_or_nothing: false,
        };
        let item = Item::RegisterQuote(quote.clone()).to_bytes();
        let envelope = signature::sign(&request, &[item], &[&self.key]);
        let submitted = self.client.submit(envelope, Vec::new()).await.map_err(Error::Ledger)?;
        let unreadable = || Error::Ledger(client::Error::Unknown("no outcome".to_owned()));
        let outcome = submitted.outcomes.first().ok_or_else(unreadable)?;
        metrics::counter!("causeway_fx_quotes_registered_total").increment(1);
        outcome.rejection.map_or(Ok(()), |rejection| Err(Error::Refused(rejection)))
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Use, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
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
