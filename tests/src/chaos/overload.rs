//! Ten times the load that three real nodes can serve: what they refuse and how soon, how fast what they accept stays, whom they let through, and how soon it is over.
mod apart;
mod gauge;
mod load;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, stream};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use proto::ledger::{EventsRequest, SubmitChunk};
use services_cli::bench::world::{ACCOUNTS, World};
use tokio::task::JoinSet;

use super::{Family, Options, Quantiles, Report};
use gauge::Memory;
use load::{Heard, Road, Supply, closed, open};

/// How long each kind of overload lasts.
const MINUTE: Duration = Duration::from_secs(60);
/// Transfers of one envelope: at ten times the peak, calls must not cost the generator more than
/// the nodes, which share its cores.
const BATCH: usize = 200;
/// Callers that are tried for the peak.
const LADDER: [usize; 4] = [4, 8, 16, 32];
/// What a first guess takes a ledger to serve in a second, in transfers.
const GUESS_PER_S: u64 = 20_000;
const TIMES: u64 = 10;
/// Half windows at the peak at most until a node's memory has stopped growing.
const WARM_UPS_MAX: u64 = 8;
/// Connections of the participant that floods, and its streams that are never read.
const CONNECTIONS: usize = 8;
const READERS: usize = 200;
/// Uploads that never end.
const UPLOADS: usize = 16;
/// Clients that connect anew all at once, and how long the nodes had been away.
const STORM: usize = 500;
const AWAY: Duration = Duration::from_secs(2);
/// How long the polite participant pauses between two envelopes.
const POLITE_PAUSE: Duration = Duration::from_millis(20);
/// After an overload the ledger has so long to be as before.
const GRACE: Duration = Duration::from_secs(2);
/// How long anything may take that must come.
const LONG: Duration = Duration::from_secs(60);

/// The acceptance: per cent of the peak's goodput, times the peak's p99, per cent more memory,
/// requests of each client of a storm that the nodes saw.
const GOODPUT_PERCENT_MIN: u64 = 80;
const P99_TIMES_MAX: u128 = 3;
const GROWTH_PERCENT_MAX: u64 = 10;
const SEEN_TIMES_MAX: u64 = 2;

/// A kind of overload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Ten times as many envelopes a second as can be served, whatever becomes of them.
    Rate,
    /// Ten times as many callers as it takes for the peak, who wait as they are told.
    Callers,
    /// The rate, with every transfer on one account.
    HotAccount,
    /// The rate, beside readers that never read and uploads that never end.
    SlowClients,
    /// Clients that all connect anew while nodes that stood still come back.
    Storm,
}

const KINDS: [Kind; 5] =
    [Kind::Rate, Kind::Callers, Kind::HotAccount, Kind::SlowClients, Kind::Storm];

/// What a steady load came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steady {
    /// Callers with one call open each.
    pub callers: usize,
    /// Transfers acknowledged in a second.
    pub transfers_per_s: u64,
    /// How long their envelopes took, microseconds.
    pub took_us: Quantiles,
}

/// What one overload came to.
#[derive(Clone, Debug, Default)]
pub struct Overloaded {
    /// Its kind.
    pub name: String,
    /// Transfers offered in a second.
    pub offered_per_s: u64,
    /// Transfers acknowledged in a second, those of the polite participant included.
    pub transfers_per_s: u64,
    /// Envelopes accepted.
    pub accepted: usize,
    /// How long they took, microseconds.
    pub accepted_us: Quantiles,
    /// Envelopes refused.
    pub refused: usize,
    /// How long refusals took, microseconds.
    pub refused_us: Quantiles,
    /// Refusals without a time to come again.
    pub unhinted: u64,
    /// Answers of another kind, and what the first of them said.
    pub other: (u64, Option<String>),
    /// Of the participant that floods nobody: accepted, refused, how long it took.
    pub polite: (usize, usize, Quantiles),
    /// The most resident KiB of each node while it served its peak, and during this.
    pub memory_kib: Vec<(u64, u64)>,
    /// The peak's load for as long directly before: what a larger ledger costs its disks is felt by
    /// it too.
    pub before: Steady,
    /// The same a moment later.
    pub calm: Steady,
    /// Of a storm: clients, those served, requests seen by the nodes, until the last was served.
    pub storm: Option<(usize, usize, u64, Duration)>,
}

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// What the ledger serves when nobody asks for more.
    pub peak: Steady,
    /// Each overload.
    pub overloads: Vec<Overloaded>,
    /// Transfers acknowledged in all, and what the ledger recorded since its founding.
    pub acknowledged: u64,
    /// Records of the ledger at the end.
    pub records: u64,
}

/// Overloads one cluster `runs` times for a minute each, and judges by what issue and documents
/// promise. Figures depend on nothing else running on the machine.
///
/// # Errors
/// When the cluster cannot be started, or no node leads.
pub(super) async fn overload(options: &Options) -> anyhow::Result<Report> {
    let measured = measure(options.runs, MINUTE, options.progress).await?;
    let mut report = Report {
        family: Family::Overload,
        seed: options.seed,
        faults: options.runs,
        acknowledged: measured.acknowledged,
        acknowledged_per_s: measured.peak.transfers_per_s,
        records: measured.records,
        calm_us: measured.peak.took_us,
        notes: vec![measured.peak.said("peak")],
        violations: measured.violations(),
        ..Report::default()
    };
    for run in &measured.overloads {
        report.refused += u64::try_from(run.refused)?;
        report.requests += u64::try_from(run.accepted + run.refused)?;
        let worse =
            |one: Quantiles, other: Quantiles| if one.p99 > other.p99 { one } else { other };
        report.gap_us = worse(report.gap_us, run.accepted_us);
        report.healed_us = worse(report.healed_us, run.calm.took_us);
        report.notes.push(run.said(&measured.peak));
    }
    report.operations = report.requests * u64::try_from(BATCH)?;
    Ok(report)
}

/// Finds the peak, then overloads `runs` times for `window` each.
///
/// # Errors
/// When the cluster cannot be started, or no node leads.
pub async fn measure(runs: u64, window: Duration, progress: fn(u64)) -> anyhow::Result<Measured> {
    let world = World::start(3).await?;
    apart::apart(&world)?;
    let memory = Memory::watch(&world);
    let mut bench = Bench { world, memory, before: Vec::new(), window, acknowledged: 0 };
    let peak = bench.peak().await?;
    let mut overloads = Vec::new();
    for (run, kind) in (0..runs).zip(KINDS.into_iter().cycle()) {
        overloads.push(bench.overload(kind, &peak).await?);
        progress(run + 1);
    }
    let (_, records) = bench.world.operator().balances(None).await?;
    Ok(Measured { peak, overloads, acknowledged: bench.acknowledged, records })
}

struct Bench {
    world: World,
    memory: Memory,
    /// The most memory of each node at the peak, caches filled.
    before: Vec<u64>,
    window: Duration,
    acknowledged: u64,
}

impl Bench {
    async fn leader(&self) -> anyhow::Result<usize> {
        let until = Instant::now() + LONG;
        loop {
            if let Some(leader) = self.world.leader().await {
                return Ok(leader);
            }
            ensure!(Instant::now() < until, "no node leads");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn flood(&self) -> anyhow::Result<Road> {
        Road::new(&self.world, "participants/11/client", self.leader().await?, CONNECTIONS)
    }

    fn supply(&self, per_s: u64, window: Duration, accounts: u64) -> anyhow::Result<Arc<Supply>> {
        let millis = u64::try_from(window.as_millis())?;
        Supply::sign(&self.world, per_s * millis / 1_000 + 20_000, BATCH, accounts)
    }

    /// The fewest callers that come near the most that is served, and what they feel.
    async fn peak(&mut self) -> anyhow::Result<Steady> {
        let (road, mut per_s) = (self.flood().await?, GUESS_PER_S);
        let mut steps = Vec::new();
        for callers in LADDER {
            let step = self.steady(&road, callers, per_s, self.window / 6).await?;
            per_s = step.transfers_per_s * 3 / 2;
            steps.push(step);
        }
        let most = steps.iter().map(|step| step.transfers_per_s).max().unwrap_or_default();
        let near = steps.iter().find(|step| step.transfers_per_s * 20 >= most * 19);
        let callers = near.context("nothing was served")?.callers;
        let peak = self.steady(&road, callers, most * 5 / 4, self.window / 2).await?;
        self.warm_up(&road, &peak).await?;
        Ok(peak)
    }

    /// Goes on at the peak until caches are full: what grows after that, grows by the overload.
    async fn warm_up(&mut self, road: &Road, peak: &Steady) -> anyhow::Result<()> {
        for _ in 0..WARM_UPS_MAX {
            let (before, per_s) = (self.memory.most(), peak.transfers_per_s * 5 / 4);
            self.steady(road, peak.callers, per_s, self.window / 2).await?;
            self.before = self.memory.most();
            let grown =
                self.before.iter().zip(before).any(|(now, before)| now * 100 > before * 102);
            if !grown {
                break;
            }
        }
        Ok(())
    }

    async fn steady(
        &mut self,
        road: &Road,
        callers: usize,
        per_s: u64,
        window: Duration,
    ) -> anyhow::Result<Steady> {
        let supply = self.supply(per_s, window, ACCOUNTS)?;
        let heard = closed(road, &supply, (callers, Duration::ZERO), window).await?;
        self.count(&heard);
        Ok(Steady {
            callers,
            transfers_per_s: heard.per_s() * batch(),
            took_us: Quantiles::of(heard.accepted),
        })
    }

    fn count(&mut self, heard: &Heard) {
        self.acknowledged += u64::try_from(heard.accepted.len()).unwrap_or(u64::MAX) * batch();
    }

    async fn overload(&mut self, kind: Kind, peak: &Steady) -> anyhow::Result<Overloaded> {
        let flood = self.flood().await?;
        let (callers, per_s) = (peak.callers, peak.transfers_per_s * 5 / 4);
        let before = self.steady(&flood, callers, per_s, self.window).await?;
        drop(self.memory.most());
        let mut run = match kind {
            Kind::Storm => self.storm().await?,
            Kind::Rate | Kind::Callers | Kind::HotAccount | Kind::SlowClients => {
                self.sustained(kind, peak, &flood).await?
            }
        };
        (run.name, run.before) = (format!("{kind:?}"), before);
        tokio::time::sleep(GRACE).await;
        run.calm = self.steady(&flood, callers, per_s, self.window).await?;
        run.memory_kib = self.before.iter().copied().zip(self.memory.most()).collect();
        Ok(run)
    }

    /// One participant's flood for the whole window, and another's ordinary traffic beside it.
    async fn sustained(
        &mut self,
        kind: Kind,
        peak: &Steady,
        flood: &Road,
    ) -> anyhow::Result<Overloaded> {
        let accounts = if kind == Kind::HotAccount { 1 } else { ACCOUNTS };
        let supply = self.supply(peak.transfers_per_s * 5 / 4, self.window, accounts)?;
        let others = self.supply(batch() * 50, self.window, ACCOUNTS)?;
        let other = Road::new(&self.world, "participants/12/client", self.leader().await?, 1)?;
        let slow = match kind {
            Kind::SlowClients => Some(self.slow_clients().await?),
            Kind::Rate | Kind::Callers | Kind::HotAccount | Kind::Storm => None,
        };
        let calls_per_s = peak.transfers_per_s * TIMES / batch();
        let flooding = async {
            match kind {
                Kind::Callers => {
                    let callers = peak.callers * usize::try_from(TIMES)?;
                    closed(flood, &supply, (callers, Duration::ZERO), self.window).await
                }
                Kind::Rate | Kind::HotAccount | Kind::SlowClients | Kind::Storm => {
                    open(flood, &supply, calls_per_s, self.window).await
                }
            }
        };
        let polite = closed(&other, &others, (1, POLITE_PAUSE), self.window);
        let (heard, polite) = tokio::join!(flooding, polite);
        let (heard, polite) = (heard?, polite?);
        drop(slow);
        self.count(&heard);
        self.count(&polite);
        Ok(Overloaded {
            offered_per_s: heard.calls_per_s() * batch(),
            transfers_per_s: (heard.per_s() + polite.per_s()) * batch(),
            accepted: heard.accepted.len(),
            accepted_us: Quantiles::of(heard.accepted),
            refused: heard.refused.len(),
            refused_us: Quantiles::of(heard.refused),
            unhinted: heard.unhinted + polite.unhinted,
            other: (heard.other + polite.other, heard.said.or(polite.said)),
            polite: (polite.accepted.len(), polite.refused.len(), Quantiles::of(polite.accepted)),
            ..Overloaded::default()
        })
    }

    /// Streams that nobody reads and uploads that never end, until dropped.
    async fn slow_clients(&self) -> anyhow::Result<JoinSet<()>> {
        let leader = self.leader().await?;
        let readers = Road::new(&self.world, "participants/12/client", leader, 4)?;
        let uploads = Road::new(&self.world, "participants/1/client", leader, 1)?;
        let mut tasks = JoinSet::new();
        for _ in 0..READERS {
            let mut client = readers.client();
            tasks.spawn(async move {
                let stream = client.events(EventsRequest { from: 0, all: false }).await;
                std::future::pending::<()>().await;
                drop(stream);
            });
        }
        for _ in 0..UPLOADS {
            let mut client = uploads.client();
            tasks.spawn(async move {
                let chunk = SubmitChunk { data: vec![0; 1_000].into() };
                let endless = stream::iter([chunk]).chain(stream::pending());
                drop(client.submit_chunks(endless).await);
            });
        }
        Ok(tasks)
    }

    /// All nodes stand still; clients connect and ask meanwhile, and are served when they are back.
    async fn storm(&mut self) -> anyhow::Result<Overloaded> {
        let mut envelopes = Vec::new();
        for batch in services_cli::bench::load::sign(&self.world, STORM, 1, false)? {
            envelopes.extend(batch);
        }
        let mut clients = Vec::new();
        for _ in 0..STORM {
            clients.push(self.world.folder.client("participants/11/client", LONG)?);
        }
        let seen = gauge::submits(&self.world).await?;
        self.signal(Signal::SIGSTOP)?;
        let mut tasks = JoinSet::new();
        for (client, envelope) in clients.into_iter().zip(envelopes) {
            tasks.spawn(async move {
                let called = Instant::now();
                client.submit(envelope, Vec::new()).await.map(|_| called.elapsed())
            });
        }
        tokio::time::sleep(AWAY).await;
        self.signal(Signal::SIGCONT)?;
        let back = Instant::now();
        let (mut run, mut served) = (Overloaded::default(), Vec::new());
        while let Some(answer) = tasks.join_next().await {
            match answer? {
                Ok(took) => served.push(took),
                Err(error) => {
                    run.other.0 += 1;
                    run.other.1.get_or_insert_with(|| error.to_string());
                }
            }
        }
        let seen = gauge::submits(&self.world).await? - seen;
        self.acknowledged += u64::try_from(served.len())?;
        run.storm = Some((STORM, served.len(), seen, back.elapsed()));
        run.accepted = served.len();
        run.accepted_us = Quantiles::of(served);
        Ok(run)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        for process in self.world.processes() {
            kill(Pid::from_raw(i32::try_from(process)?), signal)?;
        }
        Ok(())
    }
}

fn batch() -> u64 {
    u64::try_from(BATCH).unwrap_or(u64::MAX)
}

impl Measured {
    /// What of the acceptance does not hold.
    fn violations(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let longest = self.peak.took_us.p99 * P99_TIMES_MAX;
        for run in &self.overloads {
            let mut say = |what: String| wrong.push(format!("{}: {what}", run.name));
            if run.unhinted > 0 {
                say(format!("{} refusals without a time to come again", run.unhinted));
            }
            for (before, after) in &run.memory_kib {
                if after * 100 > before * (100 + GROWTH_PERCENT_MAX) {
                    say(format!("memory grew from {before} to {after} KiB"));
                }
            }
            if run.calm.took_us.p99 > longest {
                say(format!("a moment later p99 is {} us", run.calm.took_us.p99));
            }
            if let Some((clients, served, seen, _)) = run.storm {
                if served < clients || seen > SEEN_TIMES_MAX * u64::try_from(clients).unwrap_or(0) {
                    say(format!("{served} of {clients} served, {seen} requests seen"));
                }
                continue;
            }
            if run.goodput_percent() < GOODPUT_PERCENT_MIN {
                say(format!("only {} transfers a second", run.transfers_per_s));
            }
            if run.refused == 0 {
                say("nothing was refused".to_owned());
            }
            let (polite, _, polite_us) = run.polite;
            for (who, p99) in [("flood", run.accepted_us.p99), ("polite", polite_us.p99)] {
                if p99 > longest || polite == 0 {
                    say(format!("{who}: p99 of what was accepted is {p99} us"));
                }
            }
        }
        wrong
    }
}

fn ms(micros: u128) -> String {
    format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
}

impl Steady {
    fn said(&self, what: &str) -> String {
        let (p50, p99) = (ms(self.took_us.p50), ms(self.took_us.p99));
        let (callers, rate) = (self.callers, self.transfers_per_s);
        format!("{what}: {callers} callers, {rate} transfers/s, p50 {p50} ms, p99 {p99} ms")
    }
}

impl Overloaded {
    /// What was served, beside what the same nodes served at their peak as long before and after.
    fn goodput_percent(&self) -> u64 {
        let around = u64::midpoint(self.before.transfers_per_s, self.calm.transfers_per_s);
        self.transfers_per_s * 100 / around.max(1)
    }

    /// Its figures beside the peak's, on one line.
    #[must_use]
    pub fn said(&self, peak: &Steady) -> String {
        let memory: Vec<_> = self
            .memory_kib
            .iter()
            .map(|(before, after)| format!("{}→{} MiB", before >> 10, after >> 10))
            .collect();
        let memory = memory.join(", ");
        let name = &self.name;
        let calm = [self.before.said("before"), self.calm.said("after")].join("; ");
        if let Some((clients, served, seen, took)) = self.storm {
            return format!(
                "{name}: {served} of {clients} served {} ms after the nodes were back, {seen} \
                 requests seen; {memory}; {calm}",
                took.as_millis()
            );
        }
        let goodput = self.goodput_percent();
        let times = self.accepted_us.p99 * 100 / peak.took_us.p99.max(1);
        let (accepted, refused, polite) = (self.accepted, self.refused, self.polite);
        format!(
            "{name}: offered {} transfers/s, goodput {} ({goodput} % of the peak around it); {accepted} \
             envelopes accepted, p50 {} ms, p99 {} ms ({times} % of peak's); {refused} refused, \
             p50 {} ms, p99 {} ms; {} other ({:?}); polite {} through, {} refused, p99 {} ms; \
             {memory}; {calm}",
            self.offered_per_s,
            self.transfers_per_s,
            ms(self.accepted_us.p50),
            ms(self.accepted_us.p99),
            ms(self.refused_us.p50),
            ms(self.refused_us.p99),
            self.other.0,
            self.other.1,
            polite.0,
            polite.1,
            ms(polite.2.p99),
        )
    }
}
