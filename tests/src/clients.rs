//! Clients: they move money to and fro, ask balances, and write down what they asked and heard; they judge nothing.
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    desk::Desk,
    world::{Envelope, Pen},
};
use ledger_types::ParticipantId;
use proto::{
    LedgerClient,
    client::Error,
    convert::{Balance, Submitted},
};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Submit(Envelope),
    Balances,
}

/// What was heard.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Submitted(Submitted),
    Balances(Vec<Balance>, u64),
    /// It certainly changed nothing.
    Nothing,
    /// It may have happened.
    Unknown,
}

impl Heard {
    fn is_answer(&self) -> bool {
        matches!(self, Self::Submitted(_) | Self::Balances(..))
    }
}

/// One request of one client.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Who asked, from 1; 0 for what came before the clients.
    pub(crate) client: usize,
    pub(crate) asked: Asked,
    /// Simulated microseconds.
    pub(crate) invoked: u64,
    /// Simulated microseconds; none while unanswered.
    pub(crate) returned: Option<(u64, Heard)>,
}

impl Operation {
    /// When it was answered, if it was.
    fn answered(&self) -> Option<u64> {
        let (returned, heard) = self.returned.as_ref()?;
        heard.is_answer().then_some(*returned)
    }

    /// How many things were asked for: each item has an outcome of its own.
    pub(crate) fn items(&self) -> u64 {
        match &self.asked {
            Asked::Submit(envelope) => u64::try_from(envelope.items.len()).unwrap_or(0),
            Asked::Balances => 1,
        }
    }

    /// Of these, those whose outcome the ledger acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        match &self.returned {
            Some((_, Heard::Submitted(_))) => self.items(),
            Some((_, Heard::Balances(..) | Heard::Nothing | Heard::Unknown)) | None => 0,
        }
    }
}

/// What clients share.
pub(crate) struct Work {
    history: Mutex<Vec<Operation>>,
    stop: AtomicBool,
    rng: Mutex<fastrand::Rng>,
    pub(crate) pen: Mutex<Pen>,
    desk: Mutex<Desk>,
    /// The clock of invocations and answers, in microseconds.
    now: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Work of {} requests", lock(&self.history).len())
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Work {
    /// Clients whose envelopes have at most `batch` items.
    pub(crate) fn new(
        seed: u64,
        pen: Pen,
        batch: usize,
        now: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        Self {
            history: Mutex::default(),
            stop: AtomicBool::new(false),
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
            pen: Mutex::new(pen),
            desk: Mutex::new(Desk::new(batch)),
            now: Box::new(now),
        }
    }

    /// Everything asked so far.
    pub(crate) fn history(&self) -> Vec<Operation> {
        lock(&self.history).clone()
    }

    /// When the first answer came to something asked after `micros`.
    pub(crate) fn answered_after(&self, micros: u64) -> Option<u64> {
        let history = lock(&self.history);
        let from = history.partition_point(|operation| operation.invoked <= micros);
        history[from..].iter().filter_map(Operation::answered).min()
    }

    /// Whether an envelope was answered that was sent after `micros`, and not before.
    pub(crate) fn booked_after(&self, micros: u64) -> bool {
        let history = lock(&self.history);
        let from = history.partition_point(|operation| operation.invoked <= micros);
        let booked = |operation: &Operation| match &operation.returned {
            Some((_, Heard::Submitted(submitted))) => !submitted.resent,
            Some((_, Heard::Balances(..) | Heard::Nothing | Heard::Unknown)) | None => false,
        };
        history[from..].iter().any(booked)
    }

    /// The longest that each of so many clients heard nothing between `micros` and the first
    /// answer to something asked later; `None` while one waits.
    pub(crate) fn waits(&self, clients: usize, micros: u64) -> Option<Vec<u64>> {
        let history = lock(&self.history);
        let from = history.partition_point(|operation| operation.invoked <= micros);
        // Each client waits for one answer at a time, so those in flight stand close before.
        let in_flight = &history[from.saturating_sub(clients * 10)..from];
        (1..=clients)
            .map(|client| {
                let answer = |operation: &Operation| {
                    operation.answered().filter(|_| operation.client == client)
                };
                let first = history[from..].iter().find_map(answer)?;
                let flown = in_flight.iter().rev().find_map(answer).unwrap_or(micros).max(micros);
                Some((flown - micros).max(first - flown))
            })
            .collect()
    }

    /// How long each request took that was asked after `micros` and answered.
    pub(crate) fn latencies(&self, micros: u64) -> Vec<u64> {
        let history = lock(&self.history);
        let from = history.partition_point(|operation| operation.invoked <= micros);
        let took = |operation: &Operation| Some(operation.answered()? - operation.invoked);
        history[from..].iter().filter_map(took).collect()
    }

    /// Lets every client end after its present request.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether clients are to end.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What the next request is.
    fn next(&self) -> Asked {
        let mut rng = lock(&self.rng);
        let history = lock(&self.history);
        match rng.u8(..100) {
            0..=7 => Asked::Balances,
            8..=13 => {
                // The same bytes again, answered or not.
                let again = history.get(rng.usize(..history.len().max(1)));
                again.map_or(Asked::Balances, |operation| operation.asked.clone())
            }
            14..=17 => {
                let again = history.get(rng.usize(..history.len().max(1))).cloned();
                drop(history);
                self.repeated(again, &mut rng)
            }
            _ => {
                drop(history);
                Asked::Submit(lock(&self.desk).next(&mut rng, &mut lock(&self.pen)))
            }
        }
    }

    /// The items of an earlier request under another one, answered or not. The operator repeats
    /// its own, so that nothing is under way that is signed with a key of before.
    fn repeated(&self, again: Option<Operation>, rng: &mut fastrand::Rng) -> Asked {
        match again.map(|operation| operation.asked) {
            Some(Asked::Submit(before)) if before.author != ParticipantId::OPERATOR => {
                Asked::Submit(lock(&self.pen).envelope(before.author, before.items))
            }
            _ => Asked::Submit(lock(&self.desk).next(rng, &mut lock(&self.pen))),
        }
    }

    /// What the operator asks for next.
    pub(crate) fn operate(&self) -> Envelope {
        let (mut rng, mut desk) = (lock(&self.rng), lock(&self.desk));
        desk.operate(&mut rng, &mut lock(&self.pen))
    }

    fn begin(&self, client: usize, asked: Asked) -> usize {
        let mut history = lock(&self.history);
        history.push(Operation { client, asked, invoked: (self.now)(), returned: None });
        history.len() - 1
    }

    fn end(&self, at: usize, heard: Heard) {
        let returned = Some(((self.now)(), heard));
        lock(&self.history)[at].returned = returned;
    }
}

/// Has one envelope answered after the other, however long it takes, unless clients are to end.
pub(crate) async fn prepare(work: &Work, client: &LedgerClient, envelopes: Vec<Envelope>) {
    for envelope in envelopes {
        let asked = Asked::Submit(envelope);
        while !work.stopped() && !ask(work, (0, client), asked.clone()).await {}
    }
}

/// The way to the ledger, which changes with its members.
pub(crate) type Reach = Arc<RwLock<LedgerClient>>;

/// One client, numbered from 1, until all are stopped, with pauses up to `pause_ms`.
pub(crate) async fn client(work: Arc<Work>, (number, reach): (usize, Reach), pause_ms: u64) {
    while !work.stopped() {
        let asked = work.next();
        let client = reach.read().unwrap_or_else(PoisonError::into_inner).clone();
        ask(&work, (number, &client), asked).await;
        let pause = lock(&work.rng).u64(..=pause_ms);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// The operator, until all are stopped, with pauses of `pause_ms`: it asks for one thing after the
/// other, each until it is answered.
pub(crate) async fn operator(work: Arc<Work>, reach: Reach, pause_ms: u64) {
    while !work.stopped() {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        let asked = Asked::Submit(work.operate());
        let way = || reach.read().unwrap_or_else(PoisonError::into_inner).clone();
        while !work.stopped() && !ask(&work, (0, &way()), asked.clone()).await {}
    }
}

/// Asks and writes down the answer; whether there was one.
async fn ask(work: &Work, (number, client): (usize, &LedgerClient), asked: Asked) -> bool {
    let at = work.begin(number, asked.clone());
    let heard = match asked {
        Asked::Submit(envelope) => match client.submit(envelope.bytes, Vec::new()).await {
            Ok(submitted) => Heard::Submitted(submitted),
            Err(Error::Unknown(_) | Error::Unreadable(_)) => Heard::Unknown,
            Err(_) => Heard::Nothing,
        },
        Asked::Balances => match client.balances(None).await {
            Ok((balances, records)) => Heard::Balances(balances, records),
            Err(_) => Heard::Nothing,
        },
    };
    let answered = heard.is_answer();
    work.end(at, heard);
    answered
}
