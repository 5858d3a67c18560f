//! The generator of load: signed beforehand, on few connections, each answer counted and timed; it judges nothing.
use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use proto::{
    client::{FATE_KEY, FATE_NOT_APPENDED, LEADER_KEY, RETRY_AFTER_KEY, announced},
    ledger::{SubmitRequest, ledger_client::LedgerClient},
};
use services_cli::bench::{load, world::World};
use services_runtime::{
    grpc::ClientLimits,
    tls::{ClientTls, Files},
};
use tokio::task::JoinSet;
use tonic::{Code, Status, transport::Channel};

/// Calls that may be open at one time; what is due beyond that is not sent.
const OPEN_MAX: usize = 1_500;
/// How often an open load sends what is due.
const TICK: Duration = Duration::from_millis(5);

/// Envelopes that nobody has had accepted yet.
#[derive(Debug)]
pub(super) struct Supply(Mutex<VecDeque<Bytes>>);

impl Supply {
    /// Signs transfers in envelopes of `batch`, between so many accounts of each side.
    pub(super) fn sign(
        world: &World,
        transfers: u64,
        batch: usize,
        accounts: u64,
    ) -> anyhow::Result<Arc<Self>> {
        let transfers = usize::try_from(transfers)?;
        let signed = load::sign_among(&world.folder, transfers, batch, (false, accounts))?;
        let envelopes = signed.into_iter().flatten().map(Bytes::from).collect();
        Ok(Arc::new(Self(Mutex::new(envelopes))))
    }

    fn take(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn give_back(&self, envelope: Bytes) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(envelope);
    }
}

/// A participant's connections to each node, used only to the one that leads.
#[derive(Clone, Debug)]
pub(super) struct Road {
    nodes: Arc<[Vec<Channel>]>,
    leader: Arc<AtomicUsize>,
    next: Arc<AtomicUsize>,
}

impl Road {
    pub(super) fn new(
        world: &World,
        certificate: &str,
        leader: usize,
        connections: usize,
    ) -> anyhow::Result<Self> {
        let tls = ClientTls::load(files(&world.folder.path.join(certificate)))?;
        let limits = ClientLimits { timeout_ms: 20_000, ..ClientLimits::default() };
        // Connected when first used.
        let channels = |endpoint: &String| {
            (0..connections).map(|_| tls.channel(endpoint, "node", &limits)).collect()
        };
        let nodes: Result<Vec<Vec<_>>, _> = world.folder.endpoints.iter().map(channels).collect();
        let leader = Arc::new(AtomicUsize::new(leader - 1));
        Ok(Self { nodes: nodes?.into(), leader, next: Arc::default() })
    }

    /// The next connection in turn.
    pub(super) fn client(&self) -> LedgerClient<Channel> {
        let channels = &self.nodes[self.leader.load(Ordering::Relaxed)];
        let at = self.next.fetch_add(1, Ordering::Relaxed) % channels.len();
        LedgerClient::new(channels[at].clone())
    }

    /// Goes where a node that does not lead says that the leader is.
    fn follow(&self, status: &Status) {
        let told = status.metadata().get(LEADER_KEY).and_then(|node| node.to_str().ok());
        let node = told.and_then(|node| node.parse::<usize>().ok());
        if let Some(at) =
            node.and_then(|node| node.checked_sub(1)).filter(|at| *at < self.nodes.len())
        {
            self.leader.store(at, Ordering::Relaxed);
        }
    }
}

fn files(folder: &Path) -> Files {
    Files {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        ca: folder.join("ca.pem"),
        revoked: None,
    }
}

/// What was answered.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// How long each accepted envelope took.
    pub(super) accepted: Vec<Duration>,
    /// How long each refusal took.
    pub(super) refused: Vec<Duration>,
    /// Refusals that did not say when to come again, or that nothing was appended.
    pub(super) unhinted: u64,
    /// Answers that were neither, and what the first said.
    pub(super) other: u64,
    pub(super) said: Option<String>,
    /// From first call to last answer.
    pub(super) lasted: Duration,
}

impl Heard {
    fn hear(&mut self, answer: &Result<(), Status>, took: Duration) {
        match answer {
            Ok(()) => self.accepted.push(took),
            Err(status) if status.code() == Code::ResourceExhausted => {
                self.unhinted += u64::from(!hinted(status));
                self.refused.push(took);
            }
            Err(status) => {
                self.other += 1;
                self.said.get_or_insert_with(|| status.to_string());
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused.extend(other.refused);
        self.unhinted += other.unhinted;
        self.other += other.other;
        self.said = self.said.take().or(other.said);
    }

    /// Accepted envelopes in a second.
    pub(super) fn per_s(&self) -> u64 {
        per_s(self.accepted.len(), self.lasted)
    }

    /// Calls in a second.
    pub(super) fn calls_per_s(&self) -> u64 {
        per_s(self.accepted.len() + self.refused.len(), self.lasted)
    }
}

fn per_s(calls: usize, lasted: Duration) -> u64 {
    let millis = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX).max(1);
    u64::try_from(calls).unwrap_or(u64::MAX) * 1_000 / millis
}

fn hinted(status: &Status) -> bool {
    let fate = status.metadata().get(FATE_KEY).and_then(|fate| fate.to_str().ok());
    fate == Some(FATE_NOT_APPENDED) && retry_after(status).is_some()
}

fn retry_after(status: &Status) -> Option<Duration> {
    let after = status.metadata().get(RETRY_AFTER_KEY)?.to_str().ok()?;
    after.parse().ok().map(Duration::from_millis)
}

/// Sends one envelope; what was not accepted goes back into the supply.
async fn send(road: &Road, supply: &Supply, envelope: Bytes) -> (Result<(), Status>, Duration) {
    let request = SubmitRequest { envelope: envelope.clone(), blobs: Vec::new() };
    let called = Instant::now();
    let answer = road.client().submit(announced(request)).await;
    let took = called.elapsed();
    let accepted = answer.and_then(|answer| {
        let refused = answer.get_ref().outcomes.iter().any(|outcome| outcome.rejection != 0);
        if refused { Err(Status::aborted("a transfer was refused by the ledger")) } else { Ok(()) }
    });
    if let Err(status) = &accepted {
        road.follow(status);
        supply.give_back(envelope);
    }
    (accepted, took)
}

/// So many callers, each with one call open at a time; one that was refused waits as it is told.
pub(super) async fn closed(
    road: &Road,
    supply: &Arc<Supply>,
    (callers, pause): (usize, Duration),
    window: Duration,
) -> anyhow::Result<Heard> {
    let (started, mut tasks) = (Instant::now(), JoinSet::new());
    for caller in 0..callers {
        let (road, supply) = (road.clone(), Arc::clone(supply));
        tasks.spawn(async move {
            let mut heard = Heard::default();
            let mut rng = fastrand::Rng::with_seed(u64::try_from(caller).unwrap_or_default());
            while started.elapsed() < window {
                let Some(envelope) = supply.take() else { break };
                let (answer, took) = send(&road, &supply, envelope).await;
                heard.hear(&answer, took);
                let wait = match &answer {
                    Ok(()) => pause,
                    // Jittered, as every client should.
                    Err(status) => {
                        let after = retry_after(status).unwrap_or(Duration::from_millis(100));
                        after + after.mul_f64(rng.f64())
                    }
                };
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
            }
            heard
        });
    }
    let mut heard = Heard::default();
    while let Some(caller) = tasks.join_next().await {
        heard.add(caller?);
    }
    heard.lasted = started.elapsed();
    Ok(heard)
}

/// So many calls a second, whatever becomes of them.
pub(super) async fn open(
    road: &Road,
    supply: &Arc<Supply>,
    per_s: u64,
    window: Duration,
) -> anyhow::Result<Heard> {
    let (started, mut heard, mut calls) = (Instant::now(), Heard::default(), JoinSet::new());
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut sent = 0;
    while started.elapsed() < window {
        ticks.tick().await;
        let micros = u64::try_from(started.elapsed().as_micros())?;
        let due = per_s * micros / 1_000_000;
        while sent < due {
            sent += 1;
            if calls.len() >= OPEN_MAX {
                continue;
            }
            let Some(envelope) = supply.take() else { break };
            let (road, supply) = (road.clone(), Arc::clone(supply));
            calls.spawn(async move { send(&road, &supply, envelope).await });
        }
        while let Some(call) = calls.try_join_next() {
            let (answer, took) = call?;
            heard.hear(&answer, took);
        }
    }
    heard.lasted = started.elapsed();
    while let Some(call) = calls.join_next().await {
        let (answer, took) = call?;
        heard.hear(&answer, took);
    }
    Ok(heard)
}
