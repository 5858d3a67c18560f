//! Starts a quoting service: reads rates and network again and again, and serves until it is told to stop.
use std::{path::Path, sync::Arc, time::Duration};

use arc_swap::{ArcSwap, ArcSwapOption};
use ed25519_dalek::SigningKey;
use ledger_types::{ParticipantId, ShortText};
use proto::{LedgerClient, convert::Network, fx::quoting_server::QuotingServer};
use services_runtime::{
    error::chain,
    grpc::{self, ClientLimits},
    health,
    shutdown::Shutdown,
    telemetry,
    tls::{self, ClientTls, ServerTls},
    trace::Tracer,
};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::{
    Settings,
    api::Bank,
    client::{Registry, now},
    measure,
    rates::RateTable,
    settings::{self, Served},
};

/// How often fee schedules and currencies are read again.
const NETWORK_EVERY: Duration = Duration::from_secs(5);
/// Until the ledger answers for the first time.
const NETWORK_RETRY: Duration = Duration::from_millis(200);
const TLS_WATCH_EVERY: Duration = Duration::from_secs(10);

/// Why the service did not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("settings")]
    Settings(#[source] settings::Error),
    /// A file of the settings cannot be read.
    #[error("{file}: cannot be read")]
    Read {
        /// Which.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The signing key is none.
    #[error("{file}: must hold 64 hexadecimal digits")]
    SigningKey {
        /// Which file.
        file: String,
    },
    /// The TLS material or a node's address is unusable.
    #[error("tls, client_tls, ledger: a certificate or an address cannot be used")]
    Tls(#[source] tls::Error),
    /// Health and metrics cannot be served.
    #[error("health_listen: health cannot be served")]
    Health(#[source] health::Error),
    /// Spans.
    #[error("telemetry: spans cannot be sent")]
    Telemetry(#[source] telemetry::Error),
    /// The address is taken.
    #[error("listen: {address} cannot be bound")]
    Bind {
        /// Which.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server failed.
    #[error("the server failed")]
    Serve(#[source] tonic::transport::Error),
}

/// What must hold before the service is ready, by name: the mid rate of every pair it serves is
/// fresh, and the ledger, without which no quote is registered, answers.
pub const CONDITIONS: [&str; 2] = [RATES, LEDGER];
const RATES: &str = "rates";
const LEDGER: &str = "ledger";

/// Serves quotes until shutdown. Telemetry must have been started; `health` waits for
/// [`CONDITIONS`].
///
/// # Errors
/// When a setting is unusable, an address taken, or the server fails.
pub async fn run(
    settings: Settings,
    health: Option<health::State>,
    shutdown: Shutdown,
) -> Result<(), Error> {
    telemetry::describe(measure::METRICS);
    if let (Some(state), Some(address)) = (&health, settings.health_listen) {
        health::serve(address, state.clone(), &shutdown).await.map_err(Error::Health)?;
    }
    let served: Vec<Served> = settings
        .corridors
        .iter()
        .map(settings::Corridor::served)
        .collect::<Result<_, _>>()
        .map_err(Error::Settings)?;
    let mid_source = settings.rates.source.parse::<ShortText>().map_err(|error| {
        let rule = error.reason.to_owned();
        Error::Settings(settings::Error { field: "rates.source".to_owned(), rule })
    })?;
    let participant = ParticipantId(settings.participant);
    let client = ledger_client(&settings, &shutdown)?;
    let network = Arc::new(ArcSwapOption::empty());
    let key = signing_key(&settings.signing_key)?;
    let registry = Registry::new(participant, key, client.clone(), Arc::clone(&network));
    let rates = Arc::new(ArcSwap::from_pointee(RateTable::default()));
    let bank = Bank {
        participant,
        served: served.clone(),
        rates: Arc::clone(&rates),
        mid_source,
        max_age_micros: settings.rates.max_age_seconds.saturating_mul(1_000_000),
        network: Arc::clone(&network),
        registry,
        tracer: Tracer::new(&settings.telemetry, "causeway-fx", settings.participant, &shutdown)
            .map_err(Error::Telemetry)?,
    };

    let (token, state) = (shutdown.token(), health.clone());
    shutdown.spawn("fx-network", async move {
        let _ended = token.run_until_cancelled(follow_network(client, network, state)).await;
        Ok::<_, Error>(())
    });
    let (token, following) =
        (shutdown.token(), RateFiles { settings: settings.rates.clone(), rates, served, health });
    shutdown.spawn("fx-rates", async move {
        let _ended = token.run_until_cancelled(following.follow()).await;
        Ok::<_, Error>(())
    });
    serve(&settings, bank, &shutdown).await
}

async fn serve(settings: &Settings, bank: Bank, shutdown: &Shutdown) -> Result<(), Error> {
    let tls = ServerTls::load(settings.tls.clone()).map_err(Error::Tls)?;
    tls.watch(TLS_WATCH_EVERY, shutdown);
    let bind = |source| Error::Bind { address: settings.listen, source };
    let listener = TcpListener::bind(settings.listen).await.map_err(bind)?;
    info!(address = %settings.listen, "quoting");
    let incoming = tls::incoming(listener, tls, &settings.listener, shutdown);
    grpc::server(&settings.limits)
        .add_service(QuotingServer::new(bank))
        .serve_with_incoming_shutdown(incoming, shutdown.token().cancelled_owned())
        .await
        .map_err(Error::Serve)
}

/// Keeps the network's terms fresh; quotes cite the fee schedule in force.
async fn follow_network(
    client: LedgerClient,
    network: Arc<ArcSwapOption<Network>>,
    health: Option<health::State>,
) {
    loop {
        let read = client.network().await;
        if let Some(health) = &health {
            health.set(LEDGER, read.is_ok());
        }
        match read {
            Ok(read) => network.store(Some(Arc::new(read))),
            Err(failure) => warn!(error = chain(&failure), "the network cannot be read"),
        }
        let known = network.load().is_some();
        tokio::time::sleep(if known { NETWORK_EVERY } else { NETWORK_RETRY }).await;
    }
}

/// The files of mid rates, and what is served by them.
struct RateFiles {
    settings: settings::Rates,
    rates: Arc<ArcSwap<RateTable>>,
    served: Vec<Served>,
    health: Option<health::State>,
}

impl RateFiles {
    /// Reads the files when one changed; an unusable file leaves the rates as they were, to grow
    /// old.
    async fn follow(self) {
        let mut seen = None;
        loop {
            let stamps: Vec<_> = self.settings.files.iter().map(|file| stamp(file)).collect();
            if seen.as_ref() != Some(&stamps) {
                let read = RateTable::read(&self.settings.files);
                let outcome = if read.is_ok() { "read" } else { "failed" };
                metrics::counter!("causeway_fx_rate_reads_total", "outcome" => outcome)
                    .increment(1);
                match read {
                    Ok(table) => {
                        info!(currencies = table.len(), "mid rates read");
                        self.rates.store(Arc::new(table));
                    }
                    Err(failure) => warn!(error = chain(&failure), "mid rates not read"),
                }
                seen = Some(stamps);
            }
            self.look();
            tokio::time::sleep(Duration::from_millis(self.settings.reload_ms)).await;
        }
    }

    /// Whether every pair has a fresh rate; rates grow old without a change of any file.
    fn look(&self) {
        let (rates, now) = (self.rates.load(), now());
        let age_max = Duration::from_secs(self.settings.max_age_seconds);
        metrics::gauge!("causeway_fx_mid_rate_age_seconds_max").set(age_max);
        let mut fresh = true;
        for served in &self.served {
            let mid = rates.mid(served.source_currency, served.destination_currency);
            let age = mid.map(|mid| Duration::from_micros(mid.age_micros(now)));
            fresh &= age.is_some_and(|age| age <= age_max);
            if let Some(age) = age {
                metrics::gauge!(
                    "causeway_fx_mid_rate_age_seconds",
                    "source" => served.source_currency.to_string(),
                    "destination" => served.destination_currency.to_string()
                )
                .set(age);
            }
        }
        if let Some(health) = &self.health {
            health.set(RATES, fresh);
        }
    }
}

/// What changes when a file does.
fn stamp(file: &Path) -> Option<(std::time::SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|source| Error::Read { file: file.display().to_string(), source })
}

fn signing_key(file: &Path) -> Result<SigningKey, Error> {
    let malformed = || Error::SigningKey { file: file.display().to_string() };
    let text = String::from_utf8(read(file)?).map_err(|_| malformed())?;
    // A network id is 32 bytes of hexadecimal too, and its reader is exact.
    let seed: ledger_types::NetworkId = text.trim().parse().map_err(|_| malformed())?;
    Ok(SigningKey::from_bytes(&seed.0))
}

fn ledger_client(settings: &Settings, shutdown: &Shutdown) -> Result<LedgerClient, Error> {
    let tls = ClientTls::load(settings.client_tls.clone()).map_err(Error::Tls)?;
    tls.watch(TLS_WATCH_EVERY, shutdown);
    let limits = ClientLimits { timeout_ms: settings.timeout_ms, ..Default::default() };
    let channels = tls.channels(&settings.ledger, "node", &limits).map_err(Error::Tls)?;
    Ok(LedgerClient::new(channels, Duration::from_millis(settings.timeout_ms)))
}
