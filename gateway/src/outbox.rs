//! Sends what is signed until the ledger has answered: takes envelopes as they are kept, gathers for 2 ms what is in none yet, resends the same bytes, resolves what stays unknown.
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ledger_proof::{
    codec::Field,
    item::{Item, ItemKind, Resolve},
    signature::{Draft, Request},
};
use ledger_types::{
    NetworkId, ParticipantId, Rejection, RequestId, Timestamp, TransferId, TransferState,
};
use proto::{
    client::Error as LedgerError,
    convert::{Outcome, Submitted},
};
use services_runtime::{error::chain, shutdown::Shutdown, tickets::Ticket};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use uuid::Uuid;

use crate::{
    Error,
    app::{App, Work, enqueue},
    clock,
    sealing::random,
    store::{
        self,
        changes::{Change, Told},
        leaving::Answer,
        outbox::{Carried, EnvelopeRow, OutboxRow, Said, outbox_done},
        transfers::participant,
    },
    traced::{self, Flight},
};

pub mod carriage;

pub use self::carriage::Parcel;

/// How long items gather.
const GATHER: Duration = Duration::from_millis(2);
/// How long an envelope may be accepted. Short, so that what is unknown gets resolved soon.
const VALIDITY_MICROS: u64 = 30_000_000;
/// After `valid_until` the ledger's own clock may still be behind ours.
const CLOCK_MARGIN_MICROS: u64 = 2_000_000;
/// Items in one envelope; with blobs of 4 KiB it stays around 2 MiB.
const ITEMS_MAX: usize = 512;
/// Envelopes on their way to the ledger at one time; while they are, what comes gathers.
pub const FLIGHTS: usize = 4;
/// An item that no envelope carries after this time was not handed over: the commit's answer was lost. With the
/// sweep's own pause it is found before its deadline, unless its corridor holds for less than two seconds; what
/// is in hand all the same is not taken twice.
const LOST_AFTER: Duration = Duration::from_secs(2);
/// How long the event stream may be behind an answer.
const STREAM_PATIENCE: Duration = Duration::from_secs(1);
const RESEND_PAUSE: Duration = Duration::from_millis(200);

/// An item to send, and who waits for its answer.
#[derive(Debug)]
pub struct Queued {
    /// Durable in the store.
    pub row: OutboxRow,
    /// Who waits.
    pub waiter: Option<oneshot::Sender<Answer>>,
    /// Its room among those in hand.
    pub ticket: Ticket<i64>,
}

/// What comes from [`Outbox`](crate::app::Outbox).
#[derive(Debug)]
pub struct Incoming {
    /// Envelopes that are kept.
    pub parcels: mpsc::Receiver<Parcel>,
    /// Items that are in none yet.
    pub items: mpsc::Receiver<Queued>,
}

/// Gathers and sends until the process ends.
///
/// # Errors
/// Never; it ends with the process.
pub async fn run(app: App, incoming: Incoming, shutdown: Shutdown) -> Result<(), Error> {
    let Incoming { mut parcels, items } = incoming;
    let departing = async {
        while let Some(Parcel { envelope, batch, flight }) = parcels.recv().await {
            let app = app.clone();
            let sent = async move { deliver(&app, envelope, batch, Some(flight)).await };
            shutdown.spawn("outbox-send", sent);
        }
    };
    let sending = async { tokio::join!(departing, gather(&app, items, &shutdown)) };
    shutdown.token().run_until_cancelled(sending).await;
    Ok(())
}

async fn gather(app: &App, mut items: mpsc::Receiver<Queued>, shutdown: &Shutdown) {
    while let Some(first) = items.recv().await {
        tokio::time::sleep(GATHER).await;
        let others = std::iter::from_fn(|| items.try_recv().ok());
        for batch in by_kind(std::iter::once(first).chain(others)) {
            let Some(flight) = app.outbox.next_flight().await else { return };
            let app = app.clone();
            let sent = async move { first_send(&app, batch, flight).await };
            shutdown.spawn("outbox-send", sent);
        }
    }
}

/// Items by their kinds, as many together as one envelope takes.
fn by_kind(items: impl Iterator<Item = Queued>) -> Vec<Vec<Queued>> {
    let mut kinds: BTreeMap<i16, Vec<Queued>> = BTreeMap::new();
    for item in items {
        kinds.entry(item.row.kind).or_default().push(item);
    }
    let mut batches = Vec::new();
    for mut gathered in kinds.into_values() {
        while gathered.len() > ITEMS_MAX {
            let rest = gathered.split_off(ITEMS_MAX);
            batches.push(std::mem::replace(&mut gathered, rest));
        }
        batches.push(gathered);
    }
    batches
}

/// Takes up what an earlier process left: envelopes as they were, then items without one.
///
/// # Errors
/// When the store fails.
pub async fn resume(app: &App, shutdown: &Shutdown) -> Result<(), Error> {
    let envelopes = app.store.envelope_open(Duration::ZERO).await.map_err(Error::Store)?;
    let again = app.clone();
    shutdown.spawn("outbox-resend", async move {
        let envelopes = stream::iter(envelopes).map(Ok);
        envelopes.try_for_each_concurrent(FLIGHTS, |envelope| resend(&again, envelope)).await
    });
    for row in app.store.outbox_open(Duration::ZERO).await.map_err(Error::Store)? {
        app.outbox.put_again(row);
    }
    Ok(())
}

async fn resend(app: &App, envelope: EnvelopeRow) -> Result<(), Error> {
    let rows = persist(|| app.store.envelope_items(envelope.request)).await;
    let batch = rows.into_iter().map(|row| app.outbox.resume(row)).collect();
    deliver(app, envelope, batch, None).await
}

/// Takes up what is durable, but what this process does not have in hand: items whose request never
/// heard of it from the store, or for which there was no room, and envelopes whose answer the database
/// forgot when it died.
pub async fn sweep(app: &App) {
    for envelope in app.store.envelope_open(LOST_AFTER).await.unwrap_or_default() {
        // Sent without its items it would be marked as answered, and they would wait for ever.
        let Ok(rows) = app.store.envelope_items(envelope.request).await else { return };
        if let Some(batch) = app.outbox.take_up(rows) {
            let app = app.clone();
            tokio::spawn(async move { deliver(&app, envelope, batch, None).await });
        }
    }
    for row in app.store.outbox_open(LOST_AFTER).await.unwrap_or_default() {
        app.outbox.put_again(row);
    }
}

/// The signed envelope of items that are all taken or none of them, to be kept before it is sent. It
/// is signed within an SQL transaction, so a token that is away is not waited for.
///
/// # Errors
/// When the system has no randomness, or nothing signs.
pub async fn together(app: &App, rows: &[OutboxRow]) -> Result<EnvelopeRow, Error> {
    let asked = asked((app.network, app.me), ItemKind::Submit, true)?;
    let items: Vec<_> = rows.iter().map(|row| row.item.clone()).collect();
    let draft = Draft::new(&asked, &items, &app.signer.public_key());
    let signature = signed_once(app, draft.message().into()).await?;
    Ok(to_keep(&asked, draft.signed(signature)))
}

/// What an envelope of items of one kind is to say of itself.
fn asked(
    (network, author): (NetworkId, ParticipantId),
    kind: ItemKind,
    all_or_nothing: bool,
) -> Result<Request, Error> {
    let request = RequestId(random().map_err(|_| Error::Randomness)?);
    let valid_until = clock::now().plus_micros(VALIDITY_MICROS);
    Ok(Request { network, author, request, valid_until, kind, all_or_nothing })
}

fn to_keep(asked: &Request, bytes: Vec<u8>) -> EnvelopeRow {
    EnvelopeRow {
        request: Uuid::from_bytes(asked.request.0),
        bytes,
        valid_until: clock::calendar_or_epoch(asked.valid_until),
    }
}

/// Sends a kept envelope to its outcomes; its items are in hand whatever room there is.
///
/// # Errors
/// When the system has no randomness.
pub async fn send_kept(
    app: &App,
    envelope: EnvelopeRow,
    rows: Vec<OutboxRow>,
) -> Result<(), Error> {
    let batch = rows.into_iter().map(|row| app.outbox.resume(row)).collect();
    deliver(app, envelope, batch, None).await
}

/// Signs a batch, keeps the bytes, and sends them.
async fn first_send(
    app: &App,
    mut batch: Vec<Queued>,
    flight: OwnedSemaphorePermit,
) -> Result<(), Error> {
    let kind = batch.first().and_then(|queued| u8::try_from(queued.row.kind).ok());
    let Some(kind) = kind.and_then(ItemKind::from_code) else { return Ok(()) };
    while !batch.is_empty() {
        let asked = asked((app.network, app.me), kind, false)?;
        let items: Vec<_> = batch.iter().map(|queued| queued.row.item.clone()).collect();
        let draft = Draft::new(&asked, &items, &app.signer.public_key());
        let bytes = draft.signed(signed(app, draft.message()).await);
        let envelope = to_keep(&asked, bytes);
        let carried = Carried::new(envelope.clone(), batch.iter().map(|queued| &queued.row));
        if kept(app, &carried).await {
            return deliver(app, envelope, batch, Some(flight)).await;
        }
        let here = persist(|| app.store.outbox_here(&carried.items)).await;
        batch.retain(|queued| here.contains(&queued.row.id));
    }
    Ok(())
}

/// Keeps an envelope; false when the database died and forgot some of its items. What asked for these
/// is forgotten too and asks anew.
async fn kept(app: &App, carried: &Carried) -> bool {
    let kept = persist(|| async {
        match app.store.envelope_insert(carried.clone()).await {
            Err(error) if error.forgotten() => Ok(false),
            result => result.map(|()| true),
        }
    });
    kept.await
}

/// Sends the same bytes until there is an answer or they are too old to be taken; `place` is the
/// envelope's among those on their way, until then.
async fn deliver(
    app: &App,
    envelope: EnvelopeRow,
    batch: Vec<Queued>,
    place: Option<OwnedSemaphorePermit>,
) -> Result<(), Error> {
    let stale_at = clock::from_calendar(envelope.valid_until).plus_micros(CLOCK_MARGIN_MICROS);
    let blobs: Vec<_> = batch.iter().filter_map(|queued| queued.row.blob.clone()).collect();
    let mut flight = Flight::new(app, batch.iter().map(|queued| &queued.row));
    loop {
        let (bytes, span) = (envelope.bytes.clone(), flight.traceparent());
        let failure = match app.ledger.submit_within(bytes, blobs.clone(), span).await {
            Ok(submitted) => {
                drop(place);
                flight.finish(app, envelope.request, |at| failed(&submitted, at));
                return answered(app, &envelope, batch, &submitted).await;
            }
            Err(failure) => failure,
        };
        flight.again();
        match failure {
            LedgerError::Unknown(_) | LedgerError::NotAppended(_) | LedgerError::Busy(_) => {
                tracing::warn!(request = %envelope.request, %failure, "no outcome yet");
            }
            LedgerError::Malformed(_)
            | LedgerError::Unauthenticated(_)
            | LedgerError::Forbidden(_)
            | LedgerError::NotFound(_)
            | LedgerError::Ambiguous(_)
            | LedgerError::Unreadable(_) => {
                tracing::error!(request = %envelope.request, %failure, "envelope not taken");
                flight.finish(app, envelope.request, |_| Some("not taken"));
                not_taken(app, &envelope, batch, &failure.to_string()).await;
                return Ok(());
            }
        }
        if clock::now() > stale_at {
            flight.finish(app, envelope.request, |_| Some("no outcome known"));
            return give_up(app, &envelope, batch).await;
        }
        tokio::time::sleep(RESEND_PAUSE).await;
    }
}

/// What refused an item.
fn failed(submitted: &Submitted, at: usize) -> Option<&'static str> {
    let at = if submitted.envelope_refused { 0 } else { at };
    submitted.outcomes.get(at).and_then(|outcome| outcome.rejection).map(Rejection::code)
}

async fn answered(
    app: &App,
    envelope: &EnvelopeRow,
    mut batch: Vec<Queued>,
    submitted: &Submitted,
) -> Result<(), Error> {
    if submitted.envelope_refused {
        let rejection = submitted.outcomes.first().and_then(|outcome| outcome.rejection);
        if rejection == Some(Rejection::EnvelopeStale) {
            return give_up(app, envelope, batch).await;
        }
        let code = rejection.map_or("ENVELOPE_REFUSED", Rejection::code);
        tracing::error!(request = %envelope.request, code, "envelope refused");
        not_taken(app, envelope, batch, code).await;
        return Ok(());
    }
    let last = submitted.outcomes.iter().map(|outcome| outcome.sequence).max().unwrap_or(0);
    // The stream tells the same with more; what is here must not wait for it for ever.
    let told = app.heard.reaches(last, STREAM_PATIENCE).await;
    // Who waits for what was taken need not wait for our own note of it. What was refused may be asked
    // again once it is known, and must be noted by then.
    let taken = |outcome: &Outcome| told && outcome.rejection.is_none();
    tell(&mut batch, submitted, taken);
    let said = said(envelope, &batch, submitted, !told);
    let changes = persist(|| app.store.envelope_answered(said.clone())).await;
    traced::changed(app, &changes);
    for (queued, outcome) in batch.iter().zip(&submitted.outcomes).filter(|_| !told) {
        if let Some(transfer) = transfer_of(&queued.row) {
            wake(app, transfer, outcome);
        }
    }
    tell(&mut batch, submitted, |_| true);
    Ok(())
}

/// Tells outcomes to who waits for them.
fn tell(batch: &mut [Queued], submitted: &Submitted, which: impl Fn(&Outcome) -> bool) {
    for (queued, outcome) in batch.iter_mut().zip(&submitted.outcomes) {
        if let Some(waiter) = queued.waiter.take_if(|_| which(outcome)) {
            let _left = waiter.send(Answer::Outcome(*outcome));
        }
    }
}

/// What an envelope's answer says of its items, and of their transfers if nobody else does.
fn said(
    envelope: &EnvelopeRow,
    batch: &[Queued],
    submitted: &Submitted,
    of_transfers: bool,
) -> Said {
    let outcomes = || batch.iter().zip(&submitted.outcomes);
    let refusal = |outcome: &Outcome| outcome.rejection.map(|code| code.code().to_owned());
    let told = outcomes().filter_map(|(queued, outcome)| {
        let (transfer, change) = (transfer_of(&queued.row)?, change(&queued.row, outcome)?);
        let (at, record) = (submitted.at, outcome.sequence);
        Some(Told { transfer, change, at, record, booked: false })
    });
    Said {
        request: envelope.request,
        done: outcomes().map(|(queued, outcome)| (queued.row.id, refusal(outcome))).collect(),
        told: told.filter(|_| of_transfers).collect(),
    }
}

/// What an outcome says of the transfer itself.
fn change(row: &OutboxRow, outcome: &Outcome) -> Option<Change> {
    let item = Item::from_bytes(&row.item).ok()?;
    let kind = item.kind();
    if let (Item::Hold(hold), None) = (&item, outcome.rejection) {
        return Some(Change::Held { reason: hold.reason.to_string(), until: hold.until });
    }
    if let (Item::Confirm(confirm), None) = (&item, outcome.rejection) {
        let credited = outcome.state == Some(TransferState::Credited);
        return Some(Change::Confirmed { status: confirm.status.as_str(), credited });
    }
    let submitting = matches!(kind, ItemKind::Submit | ItemKind::Return | ItemKind::Resolve);
    let deciding = matches!(kind, ItemKind::Accept | ItemKind::Cancel | ItemKind::Reject);
    if !submitting && (!deciding || outcome.rejection.is_some()) {
        return None;
    }
    let ended = |status| Change::Ended {
        status,
        reason: outcome.reason.map(|reason| reason.to_string()),
        refusal: outcome.rejection.map(|rejection| rejection.code().to_owned()),
    };
    if let (true, Some(_)) = (kind != ItemKind::Resolve, outcome.rejection) {
        return Some(ended("REJECTED"));
    }
    Some(match outcome.state? {
        TransferState::Pending => Change::Pending { deadline: Timestamp::ZERO },
        TransferState::Settled | TransferState::Credited => Change::Settled,
        TransferState::Rejected => ended("REJECTED"),
        TransferState::Expired => ended("EXPIRED"),
        TransferState::Cancelled => ended("CANCELLED"),
        TransferState::Burned => ended("BURNED"),
    })
}

/// Core banking has something to do once a transfer is no longer pending.
fn wake(app: &App, transfer: TransferId, outcome: &Outcome) {
    app.tracking.changed(transfer);
    if outcome.state != Some(TransferState::Pending) || outcome.rejection.is_some() {
        app.wake(Work::Book(transfer));
    }
}

/// The ledger will never take these bytes: nothing was recorded, so a transfer ends here.
async fn not_taken(app: &App, envelope: &EnvelopeRow, batch: Vec<Queued>, why: &str) {
    let submitted = batch.iter().filter(|queued| submits(&queued.row));
    let told = submitted.filter_map(|queued| {
        let change = Change::Ended {
            status: "REJECTED",
            reason: Some("ED05".to_owned()),
            refusal: Some("LEDGER_REFUSED_REQUEST".to_owned()),
        };
        let transfer = transfer_of(&queued.row)?;
        Some(Told { transfer, change, at: clock::now(), record: 0, booked: false })
    });
    let said = Said {
        request: envelope.request,
        done: batch.iter().map(|queued| (queued.row.id, Some(why.to_owned()))).collect(),
        told: told.collect(),
    };
    let changes = persist(|| app.store.envelope_answered(said.clone())).await;
    traced::changed(app, &changes);
    for queued in batch {
        if let Some(transfer) = transfer_of(&queued.row) {
            app.tracking.changed(transfer);
            app.wake(Work::Book(transfer));
        }
        if let Some(waiter) = queued.waiter {
            let _left = waiter.send(Answer::NotTaken(why.to_owned()));
        }
    }
}

/// The bytes are too old: ask what became of transfers, put everything else into a new envelope.
async fn give_up(app: &App, envelope: &EnvelopeRow, batch: Vec<Queued>) -> Result<(), Error> {
    let nonces: Vec<[u8; 32]> =
        batch.iter().map(|_| random()).collect::<Result<_, _>>().map_err(|_| Error::Randomness)?;
    let rows = persist(|| async {
        let mut transaction = app.store.begin().await?;
        let (mut rows, mut done) = (Vec::new(), Vec::new());
        for (queued, nonce) in batch.iter().zip(&nonces) {
            match transfer_of(&queued.row).filter(|_| submits(&queued.row)) {
                Some(transfer) => {
                    done.push((queued.row.id, Some("RESOLVING")));
                    let resolve = Item::Resolve(Resolve { nonce: *nonce, uetr: transfer.uetr });
                    rows.push(enqueue(&mut transaction, transfer, &resolve, b"").await?);
                }
                None => rows.push(queued.row.clone()),
            }
        }
        outbox_done(&mut transaction, &done, &[envelope.request]).await?;
        store::commit(transaction).await.map(|()| rows)
    })
    .await;
    for (row, queued) in rows.into_iter().zip(batch) {
        let Queued { waiter, ticket, .. } = queued;
        // Its room is free for what follows from it.
        drop(ticket);
        app.outbox.put(row, waiter);
    }
    Ok(())
}

fn submits(row: &OutboxRow) -> bool {
    let kind = u8::try_from(row.kind).ok().and_then(ItemKind::from_code);
    matches!(kind, Some(ItemKind::Submit | ItemKind::Return))
}

/// Which transfer an item is about.
pub(crate) fn transfer_of(row: &OutboxRow) -> Option<TransferId> {
    let uetr = ledger_types::Uetr::from_bytes(*row.uetr.as_bytes()).ok()?;
    Some(TransferId { debtor_agent: participant(row.debtor_agent), uetr })
}

/// Asks for a signature until it is given: a token that is away comes back, and what is durable waits.
async fn signed(app: &App, message: Vec<u8>) -> [u8; 64] {
    let message: Arc<[u8]> = message.into();
    loop {
        match signed_once(app, Arc::clone(&message)).await {
            Ok(signature) => return signature,
            Err(error) => tracing::error!(cause = chain(&error), "not signed, trying again"),
        }
        tokio::time::sleep(RESEND_PAUSE).await;
    }
}

async fn signed_once(app: &App, message: Arc<[u8]>) -> Result<[u8; 64], Error> {
    let signer = Arc::clone(&app.signer);
    // A token may take its time.
    let signed = tokio::task::spawn_blocking(move || signer.sign(&message)).await;
    signed.map_err(Error::Signing)?.map_err(Error::Signer)
}

/// Repeats a write until the store takes it: what the ledger said must not be lost.
async fn persist<T, F, R>(write: F) -> T
where
    F: Fn() -> R,
    R: Future<Output = Result<T, store::Error>>,
{
    loop {
        match write().await {
            Ok(value) => return value,
            Err(error) => {
                tracing::error!(cause = chain(&error), "outbox write failed, trying again");
                tokio::time::sleep(RESEND_PAUSE).await;
            }
        }
    }
}
