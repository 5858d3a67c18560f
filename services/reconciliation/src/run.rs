//! Follows the ledger's stream into the store until it is told to stop; a record it cannot take ends it, loudly.
use std::time::Duration;

use ledger_types::{NetworkId, Timestamp};
use metrics::{counter, gauge, histogram};
use proto::{LedgerClient, client};
use services_runtime::{
    faults::crash_point,
    grpc::ClientLimits,
    health,
    retry::{self, BackoffBuilder},
    shutdown::Shutdown,
    telemetry,
    tls::{self, ClientTls},
    trace::Tracer,
};
use tokio::{sync::watch, task::JoinSet};
use tracing::{debug, error, info, warn};

use crate::{
    Settings, measure, record,
    store::{self, Cursor, Store, Writer, Written},
    tie_out,
};

mod reader;
mod rebuild;
mod sweeper;

use reader::LedgerBalances;
pub use rebuild::{Source, rebuild};
pub use sweeper::{Report, tie_out as sweep};

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
/// ledger's stream is followed, they lack few records, and the last sweep found nothing.
pub const CONDITIONS: [&str; 4] = [DATABASE, FOLLOWING, LAG, SWEEP];
const DATABASE: &str = "database";
const FOLLOWING: &str = "following";
const LAG: &str = "lag";
const SWEEP: &str = "sweep";

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
    if let Some(state) = &health {
        state.tell(SWEEP, true, Some("not swept yet".to_owned()));
    }
    let store = Store::new(&settings.database_url).map_err(Error::Store)?;
    let tracer = Tracer::new(&settings.telemetry, "causeway-reconciliation", 1, &shutdown)
        .map_err(Error::Telemetry)?;
    let mut follower = Follower {
        settings,
        client,
        store,
        health,
        shutdown: shutdown.clone(),
        tracer,
        epoch: None,
        tip: 0,
        heard_at: Timestamp::ZERO,
        booked_at: Timestamp::ZERO,
        written: false,
        near: watch::Sender::new(false),
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

/// A client of the ledger's nodes, as the settings name them.
///
/// # Errors
/// When the TLS material or an address is unusable.
pub fn ledger_client(settings: &Settings, shutdown: &Shutdown) -> Result<LedgerClient, Error> {
    let tls = ClientTls::load(settings.tls.clone()).map_err(Error::Tls)?;
    tls.watch(TLS_WATCH_EVERY, shutdown);
    let limits = ClientLimits { timeout_ms: settings.timeout_ms, ..Default::default() };
    let channels = tls.channels(&settings.ledger, "node", &limits).map_err(Error::Tls)?;
    Ok(LedgerClient::new(channels, Duration::from_millis(settings.timeout_ms)))
}

struct Follower {
    settings: Settings,
    client: LedgerClient,
    store: Store,
    health: Option<health::State>,
    shutdown: Shutdown,
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
    /// Whether less is missing than one batch takes.
    near: watch::Sender<bool>,
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
        let first = self.epoch.is_none();
        let cursor = self.store.claim(self.epoch).await.map_err(Error::Store)?;
        self.epoch = Some(cursor.epoch);
        crash_point("cursor-claimed");
        self.set(DATABASE, true);
        self.check_network(&cursor).await?;
        if first {
            let (settings, client) = (self.settings.clone(), self.client.clone());
            let (health, shutdown) = (self.health.clone(), self.shutdown.clone());
            let near = self.near.subscribe();
            let sweeping = sweeper::forever(settings, client, health, near, shutdown);
            self.shutdown.spawn("sweep", sweeping);
        }
        let next = cursor.next_sequence;
        let (sender, read) = reader::channel();
        // Dropped with the session, and with it everything that was read ahead.
        let mut reading = JoinSet::new();
        reading.spawn(reader::read(self.client.clone(), self.settings.clone(), next, sender));
        info!(next_sequence = next, epoch = cursor.epoch, "following the ledger");
        let mut writer = Writer::new(self.store.clone(), cursor);
        let Err(failure) = self.follow(read, &mut writer).await;
        // What is open ends first, well or not: the cursor is claimed behind it.
        for written in writer.rest().await.into_iter().flatten() {
            self.written(written);
        }
        let Error::Store(failure) = failure else { return Err(failure) };
        Err(Error::Store(self.store.or_fenced(failure, writer.cursor()).await))
    }

    /// Gives the writer what is read, for as long as it takes more.
    async fn follow(
        &mut self,
        mut read: reader::Read,
        writer: &mut Writer,
    ) -> Result<std::convert::Infallible, Error> {
        let mut tie_out = None;
        loop {
            tokio::select! {
                written = writer.written() => self.written(written.map_err(Error::Store)?),
                ahead = read.recv(), if writer.takes() && tie_out.is_none() => {
                    let ahead = ahead.ok_or(Error::Stream("is not read"))??;
                    self.set(FOLLOWING, true);
                    self.tip = ahead.tip;
                    self.heard_at = self.heard_at.max(ahead.heard_at);
                    if let Some(batch) = ahead.batch {
                        let batch = batch.await.map_err(|_| Error::Stream("is not read"))?;
                        let batch = batch.map_err(Error::Record)?;
                        crash_point("batch-taken");
                        writer.write(batch).await.map_err(Error::Store)?;
                    }
                    tie_out = ahead.tie_out;
                }
            }
            self.lag(writer.cursor());
            // Balances are the ledger's at the end of this very batch: no other one goes before.
            if writer.idle()
                && let Some(balances) = tie_out.take()
            {
                self.compare(balances, writer.cursor()).await?;
            }
        }
    }

    fn written(&mut self, written: Written) {
        self.written = true;
        self.set(DATABASE, true);
        let records = written.batch.records();
        if let Some(network) = written.cursor.network {
            measure::booked(&self.tracer, NetworkId(network), records, written.begun_micros);
        }
        self.booked_at = records.last().map_or(self.booked_at, |last| self.booked_at.max(last.at));
        histogram!("causeway_reconciliation_batch_seconds").record(written.took);
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        counter!("causeway_reconciliation_records_total").increment(count);
    }

    fn lag(&self, cursor: &Cursor) {
        let lag = self.tip.saturating_sub(cursor.next_sequence);
        gauge!("causeway_reconciliation_lag_records").set(float(lag));
        let near = usize::try_from(lag).is_ok_and(|lag| lag < self.settings.batch_records_max);
        self.near.send_if_modified(|was| std::mem::replace(was, near) != near);
        let behind = self.heard_at.micros_since(self.booked_at);
        let behind = if lag == 0 { Duration::ZERO } else { Duration::from_micros(behind) };
        gauge!("causeway_reconciliation_lag_seconds").set(behind);
        if let Some(health) = &self.health {
            let detail = format!("{lag} records, {} s", behind.as_secs());
            health.tell(LAG, lag <= self.settings.lag_records_max, Some(detail));
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
