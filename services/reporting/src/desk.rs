//! Reports that people ask for: who may have which, made one after the other, kept in memory until they are taken away.
//! It must never give one to anybody but who asked, nor tell a participant's person of others.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use services_office::Actor;
use services_reports::{Asked, Error as Unmade, Kind, Made, Reports, Signer, write::Format};
use tokio::sync::Semaphore;

use crate::{Error, sessions, settings};

/// Rows of one report: more are for `causeway report make`.
pub const ROWS_MAX: usize = 200_000;
/// Each reads every record of the ledger once.
const MAKING_MAX: usize = 1;
/// What a person has at one time; a new one takes the place of the oldest.
const KEPT_PER_PERSON: usize = 5;
/// Of all people together; the oldest go first.
const KEPT_BYTES_MAX: usize = 256 << 20;
/// After so long it is given up.
const TIME_MAX: Duration = Duration::from_secs(15 * 60);

/// Whether somebody may have a report at all.
#[must_use]
pub fn may_have(actor: &Actor, kind: Kind) -> bool {
    match kind {
        Kind::Corridors | Kind::Liquidity | Kind::Covered | Kind::Breaks => true,
        // Acts are of everybody.
        Kind::Audit => actor.participant().is_none(),
        // A participant makes them of its own gateway.
        Kind::Thresholds | Kind::TravelRule | Kind::Screening => false,
    }
}

/// What came of one.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It waits for its turn, or is being made.
    Making,
    Made(Arc<Made>),
    Failed(Arc<Unmade>),
}

/// One report that somebody asked for.
#[derive(Clone, Debug)]
pub struct Order {
    pub id: String,
    pub asked: Asked,
    pub formats: Vec<Format>,
    pub outcome: Outcome,
    number: u64,
    name: String,
    participant: Option<u32>,
}

impl Order {
    fn of(&self, actor: &Actor) -> bool {
        self.name == actor.name() && self.participant == actor.participant()
    }

    fn bytes(&self) -> usize {
        match &self.outcome {
            Outcome::Made(made) => made.files.iter().map(|(_, bytes)| bytes.len()).sum(),
            Outcome::Making | Outcome::Failed(_) => 0,
        }
    }
}

/// Why nothing is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No key is set up.
    NoKey,
    /// One of the person's is still being made.
    Busy,
    /// The system gives no randomness.
    NoRandomness,
}

/// Where reports are made and kept; clones are handles.
#[derive(Clone, Debug)]
pub struct Desk {
    reports: Reports,
    signer: Option<Arc<Signer>>,
    turns: Arc<Semaphore>,
    orders: Arc<Mutex<BTreeMap<u64, Order>>>,
}

impl Desk {
    /// A desk that nothing was asked of yet.
    ///
    /// # Errors
    /// Naming the setting or file that is wrong.
    pub fn new(database_url: &str, settings: Option<&settings::Reports>) -> Result<Self, Error> {
        let wrong = |error: Unmade| Error::Settings { field: "reports", reason: error.to_string() };
        let reports = Reports::new(database_url).map_err(wrong)?.rows_max(ROWS_MAX);
        let signer = settings.map(|own| {
            let seed = seed(&own.signing_key)?;
            Signer::new(&own.signer, &seed).map(Arc::new).map_err(wrong)
        });
        Ok(Self {
            reports,
            signer: signer.transpose()?,
            turns: Arc::new(Semaphore::new(MAKING_MAX)),
            orders: Arc::default(),
        })
    }

    /// The public key that signatures are believed by; none where nothing can be signed.
    #[must_use]
    pub fn key(&self) -> Option<[u8; 32]> {
        self.signer.as_ref().map(|signer| signer.public_key())
    }

    /// Begins a report, and gives its id and what ends when it is made.
    ///
    /// # Errors
    /// Why it is not begun.
    pub fn begin(
        &self,
        actor: &Actor,
        asked: Asked,
        formats: Vec<Format>,
    ) -> Result<(String, tokio::task::JoinHandle<()>), Refusal> {
        let signer = self.signer.clone().ok_or(Refusal::NoKey)?;
        let id = sessions::secret().ok_or(Refusal::NoRandomness)?;
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let own: Vec<u64> =
            orders.values().filter(|own| own.of(actor)).map(|own| own.number).collect();
        let making = |number: &u64| matches!(orders[number].outcome, Outcome::Making);
        if own.iter().any(making) {
            return Err(Refusal::Busy);
        }
        for number in own.iter().rev().skip(KEPT_PER_PERSON - 1) {
            orders.remove(number);
        }
        let number = orders.last_key_value().map_or(0, |(last, _)| last + 1);
        let order = Order {
            id: id.clone(),
            number,
            asked: asked.clone(),
            formats: formats.clone(),
            outcome: Outcome::Making,
            name: actor.name().to_owned(),
            participant: actor.participant(),
        };
        orders.insert(number, order);
        drop(orders);
        let desk = self.clone();
        let task = tokio::spawn(async move {
            let made = desk.made(&asked, formats, signer).await;
            desk.put(number, made);
        });
        Ok((id, task))
    }

    async fn made(
        &self,
        asked: &Asked,
        formats: Vec<Format>,
        signer: Arc<Signer>,
    ) -> Result<Made, Unmade> {
        let given_up = |what: &str| Unmade::Format { format: "report", reason: what.to_owned() };
        let turn = self.turns.acquire().await.map_err(|_| given_up("the console stops"))?;
        let figures = tokio::time::timeout(TIME_MAX, self.reports.make(asked)).await;
        let (table, position) = figures.map_err(|_| given_up("it took over 15 minutes"))??;
        let asked = asked.clone();
        let written = tokio::task::spawn_blocking(move || {
            Made::new(&asked, (&table, position), &formats, &signer)
        });
        let made = written.await.map_err(|_| given_up("its files could not be written"))?;
        drop(turn);
        made
    }

    fn put(&self, number: u64, made: Result<Made, Unmade>) {
        let outcome = match made {
            Ok(made) => Outcome::Made(Arc::new(made)),
            Err(error) => Outcome::Failed(Arc::new(error)),
        };
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(order) = orders.get_mut(&number) {
            order.outcome = outcome;
        }
        let total =
            |orders: &BTreeMap<u64, Order>| orders.values().map(Order::bytes).sum::<usize>();
        while total(&orders) > KEPT_BYTES_MAX && orders.len() > 1 {
            let oldest = orders.iter().find(|(_, order)| order.bytes() > 0).map(|(own, _)| *own);
            let Some(oldest) = oldest.filter(|oldest| *oldest != number) else { break };
            orders.remove(&oldest);
        }
    }

    /// What somebody asked for, newest first.
    #[must_use]
    pub fn of(&self, actor: &Actor) -> Vec<Order> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.values().rev().filter(|order| order.of(actor)).cloned().collect()
    }

    /// One of them.
    #[must_use]
    pub fn find(&self, actor: &Actor, id: &str) -> Option<Order> {
        self.of(actor).into_iter().find(|order| order.id == id)
    }
}

fn seed(file: &Path) -> Result<[u8; 32], Error> {
    let wrong = |reason: String| Error::Settings { field: "reports.signing_key", reason };
    let text = std::fs::read_to_string(file)
        .map_err(|error| wrong(format!("{}: {error}", file.display())))?;
    let bytes = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| wrong(format!("{}: must be 64 hexadecimal digits", file.display())))
}
