//! Clients: they found the network, move money to and fro, ask balances, and write down what they asked and heard; they judge nothing.
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use ledger_types::{ParticipantId, Uetr};
use proto::{
    LedgerClient,
    client::Error,
    convert::{Balance, Submitted},
};
use services_runtime::grpc::ClientLimits;

use super::{
    node::client_address,
    wires::dial,
    world::{ACCOUNTS, BANKS, Envelope, FUNDED, Pen, account},
};

/// How long a client asks for one answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// What was asked.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Submit(Envelope),
    Balances,
}

/// What was heard.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Submitted(Submitted),
    Balances(Vec<Balance>, u64),
    /// It certainly changed nothing.
    Nothing,
    /// It may have happened.
    Unknown,
}

/// One request of one client.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) asked: Asked,
    /// Simulated microseconds.
    pub(super) invoked: u64,
    /// Simulated microseconds; none while unanswered.
    pub(super) returned: Option<(u64, Heard)>,
}

/// What clients share.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) history: RefCell<Vec<Operation>>,
    pub(super) founded: Cell<bool>,
    pub(super) stop: Cell<bool>,
    pub(super) idle: Cell<usize>,
    rng: RefCell<fastrand::Rng>,
    pen: RefCell<Pen>,
    /// Transfers that may be pending: (debtor agent, creditor agent, UETR).
    pending: RefCell<Vec<(ParticipantId, ParticipantId, Uetr)>>,
}

impl Work {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            history: RefCell::default(),
            founded: Cell::new(false),
            stop: Cell::new(false),
            idle: Cell::new(0),
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            pen: RefCell::default(),
            pending: RefCell::default(),
        }
    }

    /// What the next request is.
    fn next(&self) -> Asked {
        let mut rng = self.rng.borrow_mut();
        let history = self.history.borrow();
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
        let mut pen = self.pen.borrow_mut();
        let mut pending = self.pending.borrow_mut();
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
        let mut history = self.history.borrow_mut();
        history.push(Operation { asked, invoked: now(), returned: None });
        history.len() - 1
    }

    fn end(&self, at: usize, heard: Heard) {
        self.history.borrow_mut()[at].returned = Some((now(), heard));
    }
}

fn now() -> u64 {
    let elapsed = turmoil::sim_elapsed().unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

/// A client's software.
pub(super) async fn software(work: Rc<Work>, nodes: Vec<u64>, first: bool) -> turmoil::Result {
    let limits = ClientLimits { timeout_ms: 2_000, ..ClientLimits::default() };
    let channels = nodes.iter().map(|node| dial(&client_address(*node), &limits));
    let client = LedgerClient::new(channels.collect::<Result<_, _>>()?, PATIENCE);
    if first {
        let founding = work.pen.borrow_mut().founding();
        for envelope in founding {
            while !ask(&work, &client, Asked::Submit(envelope.clone())).await {}
        }
        work.founded.set(true);
    }
    while !work.founded.get() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while !work.stop.get() {
        let asked = work.next();
        ask(&work, &client, asked).await;
        let pause = work.rng.borrow_mut().u64(..40);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    work.idle.set(work.idle.get() + 1);
    std::future::pending().await
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
