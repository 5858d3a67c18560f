//! Starts one gateway: reads files, opens the store, resumes what was left, serves; it decides nothing.
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use ed25519_dalek::SigningKey;
use ledger_proof::{Genesis, codec::Digest};
use ledger_types::ParticipantId;
use proto::{LedgerClient, payee::payee_check_client::PayeeCheckClient};
use services_runtime::{
    grpc::ClientLimits,
    health::{self, Checks},
    http,
    shutdown::Shutdown,
    telemetry,
    tls::{self, ClientTls, Identity},
    trace::Tracer,
};
use tonic::transport::Channel;

use crate::{
    Error,
    app::{App, Inner, Outbox, WorkQueue},
    banking::{self, CoreBanking},
    batches::{self, Batches},
    decide,
    directory::Directory,
    events::{self, Heard, recent::Recent},
    measure,
    outbox::{self, carriage::Carriage},
    payee::{self, Payees},
    quotes::Quoter,
    routes::{
        caller::{Scope, tokens::Tokens},
        idempotency::Running,
        router,
    },
    screening::exact::ExactLists,
    security::{Security, UNNAMED, audit::Actor},
    settings::{Ledger, Settings, Signing},
    signer::{FileKey, Signer, pkcs11::TokenKey},
    store::{Store, book::Book},
    tracking::Tracking,
    turns::Turns,
    webhooks::{self, Webhooks},
};

pub mod audit;
pub mod keys;
pub mod ready;
mod watch;

/// How often news of the network is asked for.
const NEWS_EVERY: Duration = Duration::from_secs(3);
const CERTIFICATES_EVERY: Duration = Duration::from_secs(30);
const KEYS_EVERY: Duration = Duration::from_secs(3_600);
/// Transfers that may wait for attention; more are found by a sweep.
const WORK_MAX: usize = 8_192;

/// Runs a gateway until `shutdown` is cancelled. Telemetry must have been started; `health` waits
/// for [`CONDITIONS`](ready::CONDITIONS).
///
/// # Errors
/// Why it does not start, or stopped.
pub async fn run(
    settings: Settings,
    health: Option<health::State>,
    shutdown: Shutdown,
) -> Result<(), Error> {
    tls::install_default_provider();
    telemetry::describe(measure::METRICS);
    if let (Some(state), Some(address)) = (&health, settings.health_listen) {
        health::serve(address, state.clone(), &shutdown).await.map_err(Error::Health)?;
    }
    let (outbox, outbox_queue) = Outbox::new(settings.limits.outbox_items_max);
    let (work, work_queue) = WorkQueue::new(WORK_MAX);
    let network = genesis(&settings.genesis)?.network();
    let me = ParticipantId(settings.participant);
    let signer = signer(&settings)?;
    let carriage = Carriage { outbox: outbox.clone(), signer: signer.clone(), network, me };
    let store = Store::open(&settings.database, Arc::new(carriage)).await.map_err(Error::Store)?;
    let banking = core_banking(&settings, &store).await?;
    let lists = ExactLists::load(&settings.screening.sdn, &settings.screening.alt)
        .map_err(Error::Screening)?;
    let tls = client_tls(&settings.ledger, &shutdown)?;
    let limits = ClientLimits { timeout_ms: settings.ledger.timeout_ms, ..Default::default() };
    let sealing_key = key("sealing_key", &settings.sealing_key)?;
    let app = App::new(Inner {
        tracking: Tracking::new(&settings.tracking),
        tracer: tracer(&settings, &shutdown)?,
        checks: health.map_or_else(|| Checks::new(&ready::CONDITIONS), |state| state.checks()),
        webhooks: Webhooks::new(&settings.webhooks, &sealing_key)?,
        security: Security::new(&settings.security)?,
        payees: Payees::new(&settings.payee, peers(&settings, &tls)?, &sealing_key),
        tokens: settings.security.oauth.as_ref().map(Tokens::new).transpose()?,
        batches: Batches::new(&settings.batches),
        turns: Turns::default(),
        me,
        network,
        ledger: ledger(&settings.ledger, &tls, &limits)?,
        directory: Directory::default(),
        heard: Heard::default(),
        recent: Recent::default(),
        running: Running::default(),
        signer,
        sealing_key,
        fx: fx(&settings, &tls, &limits)?,
        screening: Arc::new(lists),
        banking,
        decision: settings.decision,
        profile: settings.iso20022.profile.map(Into::into),
        pickup: settings.pickup,
        demo: settings.demo.clone(),
        requests: settings.limits.requests(),
        outbox,
        work,
        store,
    });
    watch::started(&app, &settings).await?;
    outbox::resume(&app, &shutdown).await?;
    shutdown.spawn("outbox", outbox::run(app.clone(), outbox_queue, shutdown.clone()));
    shutdown.spawn("events", events::run(app.clone(), shutdown.clone()));
    shutdown.spawn("decisions", decide::run(app.clone(), work_queue, shutdown.clone()));
    shutdown.spawn("webhooks", webhooks::deliver::run(app.clone(), shutdown.clone()));
    shutdown.spawn("batches", batches::work::run(app.clone(), shutdown.clone()));
    shutdown.spawn("banking", banking::tend::run(app.clone(), shutdown.clone()));
    shutdown.spawn("news", news(app.clone(), shutdown.clone()));
    shutdown.spawn("idempotency", sweep_keys(app.clone(), shutdown.clone()));
    shutdown.spawn("ready", ready::watch(app.clone(), shutdown.clone()));
    shutdown.spawn("payees", payee::answer::run(app.clone(), shutdown.clone()));
    shutdown.spawn("approvals", watch::approvals(app.clone(), shutdown.clone()));
    let every = Duration::from_millis(settings.security.failures_every_ms.max(1));
    shutdown.spawn("sign-ins", watch::failures(app.clone(), every, shutdown.clone()));
    serve(&settings, app, &shutdown).await
}

/// Makes an API key of no named owner and gives its secret, which is shown this once and kept as a
/// digest only.
///
/// # Errors
/// When the system has no randomness or the store fails.
pub async fn api_key_create(store: &Store, scopes: &[Scope]) -> Result<String, Error> {
    let asked =
        keys::Asked { owner: UNNAMED.to_owned(), scopes: scopes.to_vec(), expires_at: None };
    Ok(keys::make(store, &Actor::terminal(), asked).await?.secret)
}

fn tracer(settings: &Settings, shutdown: &Shutdown) -> Result<Tracer, Error> {
    let (whose, name) = (settings.participant, "causeway-gateway");
    Tracer::new(&settings.telemetry, name, whose, shutdown).map_err(Error::Telemetry)
}

async fn serve(settings: &Settings, app: App, shutdown: &Shutdown) -> Result<(), Error> {
    let https = tls::HttpsTls::load(settings.https.clone()).map_err(Error::Https)?;
    let address = settings.listen;
    tracing::info!(%address, participant = settings.participant, "gateway serves");
    http::serve(address, &https, &settings.listener, router(app), shutdown)
        .await
        .map_err(|source| Error::Serve { address, source })
}

/// The bank of the settings, or the built-in book, which alone has accounts of the settings.
async fn core_banking(settings: &Settings, store: &Store) -> Result<Arc<dyn CoreBanking>, Error> {
    let Some(remote) = banking::remote(&settings.banking, store)? else {
        let book = Book::open(store.clone(), &settings.accounts).await.map_err(Error::Store)?;
        return Ok(Arc::new(book));
    };
    if settings.accounts.is_empty() {
        return Ok(remote);
    }
    let why = "http has its own accounts; remove [[accounts]]";
    Err(Error::Banking { field: "kind", why })
}

/// Forgets Idempotency-Keys whose day is over.
async fn sweep_keys(app: App, shutdown: Shutdown) -> Result<(), Error> {
    let mut ticks = tokio::time::interval(KEYS_EVERY);
    let token = shutdown.token();
    while token.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = app.store.idempotency_sweep().await {
            tracing::warn!(cause = services_runtime::error::chain(&error), "keys not swept");
        }
        if let Err(error) = app.store.signature_nonce_sweep().await {
            tracing::warn!(cause = services_runtime::error::chain(&error), "nonces not swept");
        }
        if let Err(error) = app.store.payee_sweep().await {
            tracing::warn!(cause = services_runtime::error::chain(&error), "payees not swept");
        }
    }
    Ok(())
}

/// Asks for news so that a request need not wait for it.
async fn news(app: App, shutdown: Shutdown) -> Result<(), Error> {
    let mut ticks = tokio::time::interval(NEWS_EVERY);
    let token = shutdown.token();
    while token.run_until_cancelled(ticks.tick()).await.is_some() {
        match app.ledger.network().await {
            Ok(network) => app.directory.set(network),
            Err(error) => tracing::warn!(%error, "no news of the network"),
        }
    }
    Ok(())
}

/// What signs envelopes: a key in a file, or one that a token keeps.
fn signer(settings: &Settings) -> Result<Arc<dyn Signer>, Error> {
    match (&settings.signing_key, &settings.signing) {
        (Some(file), None) => {
            let key = SigningKey::from_bytes(&key("signing_key", file)?);
            Ok(Arc::new(FileKey::new(key)))
        }
        (None, Some(Signing { pkcs11 })) => {
            let pin = read("signing.pkcs11.pin_file", &pkcs11.pin_file)?;
            Ok(Arc::new(TokenKey::open(pkcs11, &pin).map_err(Error::Signer)?))
        }
        (Some(_), Some(_)) | (None, None) => Err(Error::SigningKeys),
    }
}

fn genesis(file: &Path) -> Result<Genesis, Error> {
    Genesis::read(&read("genesis", file)?).map_err(Error::Genesis)
}

/// The participant's certificate as a client of nodes and quoting services.
fn client_tls(settings: &Ledger, shutdown: &Shutdown) -> Result<Arc<ClientTls>, Error> {
    let files = tls::Files {
        certificate: settings.certificate.clone(),
        key: settings.key.clone(),
        ca: settings.ca.clone(),
        revoked: settings.revoked.clone(),
    };
    let tls = ClientTls::load(files).map_err(Error::Tls)?;
    tls.watch(CERTIFICATES_EVERY, shutdown);
    Ok(tls)
}

fn ledger(
    settings: &Ledger,
    tls: &Arc<ClientTls>,
    limits: &ClientLimits,
) -> Result<LedgerClient, Error> {
    let channels = tls.channels(&settings.endpoints, "node", limits).map_err(Error::Tls)?;
    Ok(LedgerClient::new(channels, Duration::from_millis(settings.timeout_ms)))
}

fn fx(
    settings: &Settings,
    tls: &Arc<ClientTls>,
    limits: &ClientLimits,
) -> Result<Vec<Arc<Quoter>>, Error> {
    let mut services = Vec::new();
    for row in &settings.fx {
        let channel = tls.channel(&row.uri, "fx", limits).map_err(Error::Tls)?;
        services.push(Arc::new(Quoter::new(ParticipantId(row.participant), channel)));
    }
    Ok(services)
}

/// Ways to other gateways: each to the one whose certificate names that participant of this network.
fn peers(
    settings: &Settings,
    tls: &Arc<ClientTls>,
) -> Result<BTreeMap<ParticipantId, PayeeCheckClient<Channel>>, Error> {
    let limits = ClientLimits {
        connect_timeout_ms: settings.payee.timeout_ms,
        timeout_ms: settings.payee.timeout_ms,
        ..Default::default()
    };
    let network = genesis(&settings.genesis)?.network().to_string();
    let mut peers = BTreeMap::new();
    for row in &settings.peers {
        let id = row.participant.to_string();
        let gateway = Identity { network: network.clone(), role: "gateway".to_owned(), id };
        let channel = tls.channel_to(&row.uri, &gateway, &limits).map_err(Error::Payee)?;
        peers.insert(ParticipantId(row.participant), PayeeCheckClient::new(channel));
    }
    Ok(peers)
}

/// A key file: 64 hexadecimal digits and white space around them.
fn key(field: &'static str, file: &Path) -> Result<Digest, Error> {
    let bytes = read(field, file)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::Key { field })?;
    let decoded = hex::decode(text.trim()).map_err(|_| Error::Key { field })?;
    decoded.try_into().map_err(|_| Error::Key { field })
}

fn read(field: &'static str, file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|source| Error::File { field, file: file.to_owned(), source })
}
