//! Clients: they move money to and fro, ask balances, and write down what they asked and heard; they judge nothing.
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::world::{ACCOUNTS, BANKS, Envelope, FUNDED, Pen, account};
use ledger_types::{ParticipantId, Uetr};
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

/// One request of one client.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) asked: Asked,
    /// Simulated microseconds.
    pub(crate) invoked: u64,
    /// Simulated microseconds; none while unanswered.
    pub(crate) returned: Option<(u64, Heard)>,
}

/// What clients share.
pub(crate) struct Work {
    history: Mutex<Vec<Operation>>,
    stop: AtomicBool,
    rng: Mutex<fastrand::Rng>,
    pub(crate) pen: Mutex<Pen>,
    /// Transfers that may be pending: (debtor agent, creditor agent, UETR).
    pending: Mutex<Vec<(ParticipantId, ParticipantId, Uetr)>>,
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
    pub(crate) fn new(seed: u64, pen: Pen, now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            history: Mutex::default(),
            stop: AtomicBool::new(false),
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
            pen: Mutex::new(pen),
            pending: Mutex::default(),
            now: Box::new(now),
        }
    }

    /// Everything asked so far.
    pub(crate) fn history(&self) -> Vec<Operation> {
        lock(&self.history).clone()
    }

    /// Lets every client end after its present request.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
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
            _ => {
                drop(history);
                Asked::Submit(self.envelope(&mut rng))
            }
        }
    }

    fn envelope(&self, rng: &mut fastrand::Rng) -> Envelope {
        let mut pen = lock(&self.pen);
        let mut pending = lock(&self.pending);
        if !pending.is_empty() && rng.u8(..10) < 4 {
            let at = rng.usize(..pending.len());
            let (debtor, creditor, uetr) = pending[at];
            if rng.bool() {
                pending.swap_remove(at);
            }
            return match rng.u8(..4) {
                0 => {
                    let item = pen.cancel(uetr);
                    pen.envelope(debtor, vec![item])
                }
                1 => {
                    let item = pen.reject(debtor, uetr);
                    pen.envelope(creditor, vec![item])
                }
                _ => {
                    let item = pen.accept(debtor, uetr);
                    pen.envelope(creditor, vec![item])
                }
            };
        }
        let at = rng.usize(..2);
        let (debtor, creditor) = (BANKS[at], BANKS[1 - at]);
        let mut items = Vec::new();
        for _ in 0..rng.usize(1..4) {
            let accounts =
                (account(debtor, rng.u64(..ACCOUNTS)), account(creditor, rng.u64(..ACCOUNTS)));
            let reused = pending.last().filter(|last| last.0 == debtor && rng.u8(..10) == 0);
            let uetr = reused.map_or_else(|| pen.uetr(), |last| last.2);
            let single_phase = rng.bool();
            let amount = rng.u64(1..FUNDED);
            items.push(pen.submit(uetr, accounts, creditor, amount, single_phase));
            if !single_phase {
                pending.push((debtor, creditor, uetr));
            }
        }
        pen.envelope(debtor, items)
    }

    fn begin(&self, asked: Asked) -> usize {
        let mut history = lock(&self.history);
        history.push(Operation { asked, invoked: (self.now)(), returned: None });
        history.len() - 1
    }

    fn end(&self, at: usize, heard: Heard) {
        let returned = Some(((self.now)(), heard));
        lock(&self.history)[at].returned = returned;
    }
}

/// Has one envelope answered after the other, however long it takes.
pub(crate) async fn prepare(work: &Work, client: &LedgerClient, envelopes: Vec<Envelope>) {
    for envelope in envelopes {
        while !ask(work, client, Asked::Submit(envelope.clone())).await {}
    }
}

/// One client, until all are stopped, with pauses up to `pause_ms`.
pub(crate) async fn client(work: Arc<Work>, client: LedgerClient, pause_ms: u64) {
    while !work.stop.load(Ordering::Relaxed) {
        let asked = work.next();
        ask(&work, &client, asked).await;
        let pause = lock(&work.rng).u64(..=pause_ms);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// Asks and writes down the answer; whether there was one.
async fn ask(work: &Work, client: &LedgerClient, asked: Asked) -> bool {
    let at = work.begin(asked.clone());
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
    let answered = matches!(heard, Heard::Submitted(_) | Heard::Balances(..));
    work.end(at, heard);
    answered
}
