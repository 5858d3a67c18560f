//! Follows the ledger's stream into the store until it is told to stop; a record it cannot take ends it, loudly.
use std::time::Duration;

use futures_util::StreamExt;
use ledger_types::{NetworkId, Timestamp};
use metrics::{counter, gauge, histogram};
use proto::{
    LedgerClient, client,
    convert::{Balance, Event},
};
use services_runtime::{
    faults::crash_point,
    grpc::ClientLimits,
    health,
    retry::{self, BackoffBuilder},
    shutdown::Shutdown,
    telemetry,
    tls::{self, ClientTls},
    trace::{Tracer, now_micros},
};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{debug, error, info, warn};

use crate::{
    Settings, measure,
    record::{self, Record},
    store::{self, Cursor, Store},
    tie_out,
};

/// The ledger sends a heartbeat each second; after this silence its node counts as gone.
const SILENCE_MAX: Duration = Duration::from_secs(10);
const TLS_WATCH_EVERY: Duration = Duration::from_secs(30);

/// Why reconciliation stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The TLS material or a node's address is unusable.
    #[error("tls, ledger: a certificate or an address cannot be used")]
    Tls(#[source] tls::Error),
    /// Health and metrics cannot be served.
    #[error("health_listen: health cannot be served")]
    Health(#[source] health::Error),
    /// Spans.
    #[error("telemetry: spans cannot be sent")]
    Telemetry(#[source] telemetry::Error),
    /// The ledger does not answer.
    #[error("ledger: no answer")]
    Ledger(#[source] client::Error),
    /// The stream ended or fell silent.
    #[error("ledger: the stream {0}")]
    Stream(&'static str),
    /// The tables are of another network than the ledger.
    #[error("schema ledger holds network {found}, the ledger is {ledger}; use another database")]
    OtherNetwork {
        /// The tables'.
        found: String,
        /// The ledger's.
        ledger: String,
    },
    /// A record cannot be believed.
    #[error("record refused")]
    Record(#[source] record::Error),
    /// A batch was not written.
    #[error("batch not written")]
    Store(#[source] store::Error),
}

impl Error {
    /// Whether trying again may help: the database or the ledger was away.
    #[must_use]
    pub fn transient(&self) -> bool {
        match self {
            Self::Store(error) => error.transient(),
            Self::Stream(_) => true,
            Self::Ledger(error) => match error {
                client::Error::NotAppended(_)
                | client::Error::Busy(_)
                | client::Error::Unknown(_)
                | client::Error::NotFound(_)
                | client::Error::Ambiguous(_) => true,
                client::Error::Malformed(_)
                | client::Error::Unauthenticated(_)
                | client::Error::Forbidden(_)
                | client::Error::Unreadable(_) => false,
            },
            Self::Tls(_)
            | Self::Health(_)
            | Self::Telemetry(_)
            | Self::OtherNetwork { .. }
            | Self::Record(_) => false,
        }
    }
}

/// What must hold before reconciliation is ready, by name: the tables take what is written, and the
/// ledger's stream is followed, and they lack few records.
pub const CONDITIONS: [&str; 3] = [DATABASE, FOLLOWING, LAG];
const DATABASE: &str = "database";
const FOLLOWING: &str = "following";
const LAG: &str = "lag";

/// Runs until shutdown, or until something that does not heal by itself. Telemetry must have been
/// started; `health` waits for [`CONDITIONS`].
///
/// # Errors
/// Whatever does not heal: a gap, a record that does not match its digests, another reconciler.
pub async fn run(
    settings: Settings,
    health: Option<health::State>,
    shutdown: Shutdown,
) -> Result<(), Error> {
    if let (Some(state), Some(address)) = (&health, settings.health_listen) {
        health::serve(address, state.clone(), &shutdown).await.map_err(Error::Health)?;
    }
    telemetry::describe(measure::METRICS);
    let client = ledger_client(&settings, &shutdown)?;
    let store = Store::new(&settings.database_url).map_err(Error::Store)?;
    let tracer = Tracer::new(&settings.telemetry, "causeway-reconciliation", 1, &shutdown)
        .map_err(Error::Telemetry)?;
    let mut follower = Follower {
        settings,
        client,
        store,
        health,
        tracer,
        epoch: None,
        tip: 0,
        heard_at: Timestamp::ZERO,
        booked_at: Timestamp::ZERO,
        written: false,
    };
    let mut delays = retry::forever().build();
    loop {
        let session = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            session = follower.session() => session,
        };
        let Err(failure) = session else { return Ok(()) };
        follower.set(FOLLOWING, false);
        if let Error::Store(_) = failure {
            follower.set(DATABASE, false);
        }
        if !failure.transient() {
            error!(error = chain(&failure), "reconciliation stops");
            return Err(failure);
        }
        if std::mem::take(&mut follower.written) {
            delays = retry::forever().build();
        }
        let delay = delays.next().unwrap_or(SILENCE_MAX);
        warn!(error = chain(&failure), ?delay, "reconciliation interrupted, trying again");
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(delay) => {}
        }
    }
}

fn chain(failure: &Error) -> String {
    services_runtime::error::chain(failure)
}

fn ledger_client(settings: &Settings, shutdown: &Shutdown) -> Result<LedgerClient, Error> {
    let tls = ClientTls::load(settings.tls.clone()).map_err(Error::Tls)?;
    tls.watch(TLS_WATCH_EVERY, shutdown);
    let limits = ClientLimits { timeout_ms: settings.timeout_ms, ..Default::default() };
    let channels = tls.channels(&settings.ledger, "node", &limits).map_err(Error::Tls)?;
    Ok(LedgerClient::new(channels, Duration::from_millis(settings.timeout_ms)))
}

/// The ledger's balances and the number of records they follow from.
type LedgerBalances = (Vec<Balance>, u64);

struct Follower {
    settings: Settings,
    client: LedgerClient,
    store: Store,
    health: Option<health::State>,
    /// Held from the first claim on.
    epoch: Option<i64>,
    /// How many records the ledger is known to have.
    tip: u64,
    /// The ledger's time as last heard.
    heard_at: Timestamp,
    /// The time of the newest record written.
    booked_at: Timestamp,
    tracer: Tracer,
    /// Whether a batch was written since the last interruption.
    written: bool,
}

impl Follower {
    fn set(&self, condition: &'static str, met: bool) {
        if let Some(health) = &self.health {
            health.set(condition, met);
        }
    }

    /// Claims the cursor and follows the stream; never returns but with an error. Dropping it at
    /// any point loses nothing: what was not committed is read again.
    async fn session(&mut self) -> Result<(), Error> {
        self.store.migrate().await.map_err(Error::Store)?;
        let mut cursor = self.store.claim(self.epoch).await.map_err(Error::Store)?;
        self.epoch = Some(cursor.epoch);
        crash_point("cursor-claimed");
        self.set(DATABASE, true);
        self.check_network(&cursor).await?;
        let next = cursor.next_sequence;
        let mut events = self.client.events(next, true).await.map_err(Error::Ledger)?;
        self.set(FOLLOWING, true);
        info!(next_sequence = next, epoch = cursor.epoch, "following the ledger");

        let mut batch: Vec<Record> = Vec::new();
        let mut due = Instant::now();
        let mut tie_out: Option<LedgerBalances> = None;
        let mut ticks = tokio::time::interval(Duration::from_millis(self.settings.tie_out_ms));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let flush = tokio::select! {
                biased;
                () = tokio::time::sleep_until(due), if !batch.is_empty() => true,
                event = tokio::time::timeout(SILENCE_MAX, events.next()) => {
                    let event = event.map_err(|_| Error::Stream("fell silent"))?;
                    let event = event.ok_or(Error::Stream("ended"))?.map_err(Error::Ledger)?;
                    if batch.is_empty() {
                        let wait = Duration::from_millis(self.settings.batch_wait_ms);
                        due = Instant::now() + wait;
                    }
                    self.take(event, &mut batch, tie_out.as_ref(), &cursor)?
                }
                _ = ticks.tick(), if tie_out.is_none() => {
                    tie_out = self.ledger_balances().await;
                    false
                }
            };
            if flush && !batch.is_empty() {
                crash_point("batch-taken");
                cursor = self.write(&cursor, &batch).await?;
                batch.clear();
            }
            if let Some((_, records)) = &tie_out
                && batch.is_empty()
                && *records <= cursor.next_sequence
            {
                self.compare(tie_out.take().unwrap_or_default(), &cursor).await?;
            }
        }
    }

    async fn write(&mut self, cursor: &Cursor, batch: &[Record]) -> Result<Cursor, Error> {
        let (begun, begun_micros) = (Instant::now(), now_micros());
        let next = self.store.write(cursor.epoch, batch).await.map_err(Error::Store)?;
        self.written = true;
        self.set(DATABASE, true);
        if let Some(network) = next.network.or(cursor.network) {
            measure::booked(&self.tracer, NetworkId(network), batch, begun_micros);
        }
        self.booked_at = batch.last().map_or(self.booked_at, |last| self.booked_at.max(last.at));
        histogram!("causeway_reconciliation_batch_seconds").record(begun.elapsed());
        let records = next.next_sequence.saturating_sub(cursor.next_sequence);
        counter!("causeway_reconciliation_records_total").increment(records);
        self.lag(&next);
        Ok(next)
    }

    fn lag(&self, cursor: &Cursor) {
        let lag = self.tip.saturating_sub(cursor.next_sequence);
        gauge!("causeway_reconciliation_lag_records").set(float(lag));
        let behind = self.heard_at.micros_since(self.booked_at);
        let behind = if lag == 0 { Duration::ZERO } else { Duration::from_micros(behind) };
        gauge!("causeway_reconciliation_lag_seconds").set(behind);
        if let Some(health) = &self.health {
            let detail = format!("{lag} records, {} s", behind.as_secs());
            health.tell(LAG, lag <= self.settings.lag_records_max, Some(detail));
        }
    }

    /// Puts a record into the batch; tells whether the batch is complete.
    fn take(
        &mut self,
        event: Event,
        batch: &mut Vec<Record>,
        tie_out: Option<&LedgerBalances>,
        cursor: &Cursor,
    ) -> Result<bool, Error> {
        match event {
            Event::Heartbeat { records, at, .. } => {
                self.tip = records;
                self.heard_at = self.heard_at.max(at);
                self.lag(cursor);
                Ok(true)
            }
            Event::Record(event) => {
                let record = Record::read(*event).map_err(Error::Record)?;
                let after = record.sequence.saturating_add(1);
                self.tip = self.tip.max(after);
                self.heard_at = self.heard_at.max(record.at);
                batch.push(record);
                // Balances can be compared only at the very record they were read at.
                let at_tie_out = tie_out.is_some_and(|(_, records)| *records == after);
                Ok(at_tie_out || batch.len() >= self.settings.batch_records_max)
            }
        }
    }

    async fn check_network(&self, cursor: &Cursor) -> Result<(), Error> {
        let network = self.client.network().await.map_err(Error::Ledger)?.id;
        match cursor.network {
            Some(found) if found != network.0 => {
                Err(Error::OtherNetwork { found: hex::encode(found), ledger: network.to_string() })
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn ledger_balances(&self) -> Option<LedgerBalances> {
        match self.client.balances(None).await {
            Ok(balances) => Some(balances),
            Err(failure) => {
                debug!(error = chain(&Error::Ledger(failure)), "no balances to compare with");
                None
            }
        }
    }

    async fn compare(
        &self,
        (balances, records): LedgerBalances,
        cursor: &Cursor,
    ) -> Result<(), Error> {
        if records != cursor.next_sequence {
            return Ok(());
        }
        let (here, written) = self.store.balances().await.map_err(Error::Store)?;
        if written != records {
            return Ok(());
        }
        let mismatches = tie_out::mismatches(&here, &balances);
        let count = u64::try_from(mismatches.len()).unwrap_or(u64::MAX);
        gauge!("causeway_reconciliation_mismatches").set(float(count));
        counter!("causeway_reconciliation_tie_outs_total").increment(1);
        let failures = counter!("causeway_reconciliation_tie_out_failures_total");
        failures.increment(u64::from(!mismatches.is_empty()));
        if mismatches.is_empty() {
            return Ok(());
        }
        error!(records, accounts = count, "balances differ from the ledger's");
        for row in mismatches {
            debug!(account = %row.account, here = ?row.here, ledger = ?row.ledger, "differs");
        }
        Ok(())
    }
}

/// Metrics are floats, precise to 2⁵³.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a metric, not money")]
fn float(value: u64) -> f64 {
    value as f64
}
