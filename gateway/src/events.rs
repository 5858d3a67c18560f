//! Follows this participant's own event stream: rows and cursor in one SQL transaction, and a gap stops it loudly.
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{Stream, StreamExt, future::BoxFuture};
use ledger_proof::{
    codec::Field,
    item::ItemKind,
    record::{ConfirmDetail, Part, RecordKind, SharedPart},
};
use ledger_types::{ConfirmationStatus, ParticipantId, Rejection, TransferId, TransferState, Uetr};
use proto::convert::{Event, RecordEvent};
use serde_json::json;
use services_runtime::{error::chain, shutdown::Shutdown, trace::Span};
use tokio::sync::watch;

use crate::{
    Error,
    app::{self, App},
    clock,
    decide::at_once,
    measure,
    store::{
        self, Connection,
        changes::{Change, Changed, Told, transfer_changes},
        events::{EventRow, Work, cursor_read, event_keep},
        leaving::Sent,
        transfers::uuid,
    },
    traced,
};

mod cases;
mod learn;
pub mod recent;

/// Records written in one SQL transaction at most.
const BATCH_MAX: usize = 256;
const REOPEN_PAUSE: Duration = Duration::from_millis(200);
/// The ledger sends a heartbeat each second; after this silence its node counts as gone.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// When the stream last said something that was kept, and of which records.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    at: Arc<Mutex<Option<Instant>>>,
    told: Arc<watch::Sender<u64>>,
}

impl Heard {
    /// Whether the stream is followed: silence is short.
    #[must_use]
    pub fn lately(&self) -> bool {
        self.silence().is_some_and(|silence| silence < SILENCE_MAX)
    }

    /// How long nothing was said and kept; none before the first time.
    #[must_use]
    pub fn silence(&self) -> Option<Duration> {
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.map(|at| at.elapsed())
    }

    /// Waits until the stream has told of a record and what it says is kept; false when that takes
    /// too long.
    pub async fn reaches(&self, sequence: u64, patience: Duration) -> bool {
        let mut told = self.told.subscribe();
        let reached = told.wait_for(|told| *told >= sequence);
        matches!(tokio::time::timeout(patience, reached).await, Ok(Ok(_)))
    }

    fn told(&self, sequence: u64) {
        self.told.send_modify(|told| *told = sequence.max(*told));
    }

    fn now(&self) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Follows the stream until the process ends.
///
/// # Errors
/// On a gap, on an unreadable record, or when another process uses the schema.
pub async fn run(app: App, shutdown: Shutdown) -> Result<(), Error> {
    let token = shutdown.token();
    let ended = token.run_until_cancelled(follow_always(&app)).await;
    app.recent.close();
    ended.unwrap_or(Ok(()))
}

async fn follow_always(app: &App) -> Result<(), Error> {
    loop {
        match follow(app).await {
            Ok(()) => tracing::debug!("event stream ended, opening it again"),
            Err(Error::Store(error)) => {
                tracing::error!(cause = chain(&error), "event not written, trying again");
            }
            Err(fatal) => return Err(fatal),
        }
        tokio::time::sleep(REOPEN_PAUSE).await;
    }
}

async fn follow(app: &App) -> Result<(), Error> {
    let mut cursor = app.store.cursor_fetch().await.map_err(Error::Store)?;
    app.recent.begin(store::big("number", cursor).map_err(Error::Store)?);
    let stream = match app.ledger.events(cursor + 1, false).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, "event stream does not open");
            return Ok(());
        }
    };
    let mut batches = stream.ready_chunks(BATCH_MAX);
    while let Some(batch) = next(&mut batches).await {
        let (mut records, mut ahead) = (Vec::new(), 0);
        let mut broken = false;
        for event in batch {
            match event {
                Ok(Event::Record(record)) => records.push(*record),
                Ok(Event::Heartbeat { next_number, .. }) => ahead = next_number,
                Err(error) => {
                    tracing::warn!(%error, "event stream broke");
                    broken = true;
                    break;
                }
            }
        }
        if !records.is_empty() {
            cursor = write(app, cursor, records).await?;
        }
        if broken {
            return Ok(());
        }
        measure::events_behind(ahead.saturating_sub(cursor.saturating_add(1)));
        app.heard.now();
    }
    Ok(())
}

/// The next batch; none when the stream ended or fell silent.
async fn next<T>(batches: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
    match tokio::time::timeout(SILENCE_MAX, batches.next()).await {
        Ok(batch) => batch,
        Err(_) => {
            tracing::warn!("event stream fell silent");
            None
        }
    }
}

/// Writes a batch and the cursor, then wakes who has something to do.
async fn write(app: &App, cursor: u64, records: Vec<RecordEvent>) -> Result<u64, Error> {
    let mut last = cursor;
    for record in &records {
        if record.number != last + 1 {
            return Err(Error::Gap { expected: last + 1, found: record.number });
        }
        last = record.number;
    }
    let heard = records.last().map_or(0, |record| record.sequence);
    let read = records.into_iter().map(read).collect::<Result<Vec<Read>, Error>>()?;
    let told = learn::told(app, &read)?;
    let shown = read.iter().map(shown).collect::<Result<Vec<_>, _>>().map_err(Error::Store)?;
    let shown: Arc<[EventRow]> = shown.into();
    let done = Arc::<Mutex<Done>>::default();
    let (cursor, own) = ((cursor, last), Arc::clone(&done));
    let kept = Arc::clone(&shown);
    let batch = Batch { app: app.clone(), read, shown, told, cursor, done: own };
    app.store.event_work(Box::new(batch)).await?;
    app.recent.keep(&kept);
    let done = std::mem::take(&mut *done.lock().unwrap_or_else(PoisonError::into_inner));
    traced::changed(app, &done.changes);
    done.work.into_iter().for_each(|item| app.wake(item));
    done.touched.into_iter().for_each(|transfer| app.tracking.changed(transfer));
    done.spans.into_iter().for_each(|span| app.tracer.finish(span));
    app.webhooks.wake();
    app.heard.told(heard);
    Ok(last)
}

/// Records that are written together with the cursor.
struct Batch {
    app: App,
    read: Vec<Read>,
    /// The same as REST shows it.
    shown: Arc<[EventRow]>,
    /// The transfers that they tell of.
    told: Vec<learn::Told>,
    /// From where to where.
    cursor: (u64, u64),
    /// What it did, once it is done.
    done: Arc<Mutex<Done>>,
}

impl Work for Batch {
    fn durable(&self) -> bool {
        self.told.iter().any(|told| told.plain)
            || (self.app.banking.within().is_some()
                && self.read.iter().any(|read| read.credits(self.app.me)))
    }

    fn run<'a>(
        &'a self,
        connection: &'a mut Connection,
    ) -> BoxFuture<'a, Result<Vec<Sent>, Error>> {
        Box::pin(async move {
            let Self { app, read, shown, told, cursor: (from, to), done } = self;
            if !event_keep(connection, shown, (*from, *to)).await.map_err(Error::Store)? {
                return Err(not_where_it_was(connection, *from).await?);
            }
            let mut fresh = Done::default();
            let plain = learn::learn(app, connection, told).await?;
            apply(app, connection, read, &mut fresh).await?;
            let accepted = at_once::accept(app, connection, &plain).await?;
            let booked = at_once::book(app, connection, &fresh.changes).await?;
            fresh.work.retain(|work| match work {
                app::Work::Decide(transfer) => !accepted.of.contains(transfer),
                app::Work::Book(transfer) => !booked.of.contains(transfer),
            });
            fresh.spans = accepted.spans.into_iter().chain(booked.spans).collect();
            *done.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
            Ok(accepted.sent.into_iter().chain(booked.sent).collect())
        })
    }
}

/// Why the cursor does not stand where this process left it: behind, a database that died forgot what
/// was not on its disk, and the stream tells it again; ahead, somebody else moved it.
async fn not_where_it_was(connection: &mut Connection, from: u64) -> Result<Error, Error> {
    let stands = cursor_read(connection).await.map_err(Error::Store)?;
    Ok(if stands < from { Error::Store(store::Error::Forgotten) } else { Error::Fenced })
}

/// What a batch did and asks for, to be told when it is committed.
#[derive(Default)]
struct Done {
    changes: Vec<Changed>,
    work: Vec<app::Work>,
    /// What senders' links may show otherwise.
    touched: Vec<TransferId>,
    spans: Vec<Span>,
}

/// A record with what is readable of it.
struct Read {
    event: RecordEvent,
    /// The shared part; none of a record that is no item's.
    shared: Option<SharedPart>,
    /// The transfer that it is about.
    transfer: Option<TransferId>,
}

impl Read {
    /// Whether it tells that a transfer to `me` is final, which is credited and confirmed.
    fn credits(&self, me: ParticipantId) -> bool {
        let Self { shared: Some(shared), transfer: Some(transfer), .. } = self else {
            return false;
        };
        shared.creditor_agent == me
            && transfer.debtor_agent != me
            && TransferState::from_code(shared.state) == Some(TransferState::Settled)
    }
}

fn read(event: RecordEvent) -> Result<Read, Error> {
    let bytes = match event.kind {
        RecordKind::Item(_) | RecordKind::Expiry => event.part(Part::Shared),
        RecordKind::Entry | RecordKind::Genesis | RecordKind::EnvelopeRefusal => None,
    };
    let shared = bytes.map(|bytes| SharedPart::from_bytes(bytes).map_err(unreadable(&event)));
    let shared = shared.transpose()?;
    let transfer = shared.as_ref().and_then(|shared| transfer_of(event.kind, shared));
    Ok(Read { event, shared, transfer })
}

fn unreadable(event: &RecordEvent) -> impl Fn(ledger_proof::DecodeError) -> Error {
    let sequence = event.sequence;
    move |source| Error::Record { sequence, source }
}

async fn apply(
    app: &App,
    connection: &mut Connection,
    read: &[Read],
    done: &mut Done,
) -> Result<(), Error> {
    let mut told = Vec::with_capacity(read.len());
    for Read { event, shared, transfer } in read {
        let (Some(shared), Some(transfer)) = (shared, *transfer) else { continue };
        let originals = shared.links.iter().map(|link| link.uetr);
        let originals = originals.map(|uetr| TransferId { debtor_agent: app.me, uetr });
        done.touched.extend(originals.chain([transfer]));
        cases::follow(app, connection, event, (shared, transfer)).await?;
        let Some(change) = change(event, shared).map_err(unreadable(event))? else { continue };
        let incoming = shared.creditor_agent == app.me && transfer.debtor_agent != app.me;
        done.work.extend(match change {
            Change::Pending { .. } => incoming.then_some(app::Work::Decide(transfer)),
            Change::Settled | Change::Ended { .. } => Some(app::Work::Book(transfer)),
            Change::Held { .. } | Change::Confirmed { .. } => None,
        });
        let booked = at_once::books(app, incoming, &change);
        told.push(Told { transfer, change, at: event.at, record: event.sequence, booked });
    }
    done.changes = transfer_changes(connection, &told).await.map_err(Error::Store)?;
    Ok(())
}

/// What REST shows of a record: the shared part, which holds no personal data.
fn shown(read: &Read) -> Result<EventRow, store::Error> {
    let Read { event, shared, .. } = read;
    let data = match shared {
        Some(shared) => of_item(event, shared),
        None => json!({ "kind": format!("{:?}", event.kind) }),
    };
    let number = store::big("number", event.number)?;
    let sequence = store::big("sequence", event.sequence)?;
    Ok(EventRow { number, sequence, at: clock::calendar_or_epoch(event.at), data })
}

fn of_item(event: &RecordEvent, shared: &SharedPart) -> serde_json::Value {
    let kind = match event.kind {
        RecordKind::Item(kind) => format!("{kind:?}"),
        RecordKind::Expiry => "Expiry".to_owned(),
        RecordKind::Entry | RecordKind::Genesis | RecordKind::EnvelopeRefusal => String::new(),
    };
    let refusal = Rejection::from_number(shared.outcome).map(Rejection::code);
    let state = TransferState::from_code(shared.state).map(TransferState::as_str);
    json!({
        "kind": kind,
        "state": state,
        "refusal": refusal,
        "reason": shared.reason.as_str(),
        "debtor_agent": shared.debtor_agent.0,
        "creditor_agent": shared.creditor_agent.0,
        "corridor": shared.corridor.0,
        "subject": uuid::Uuid::from_bytes(shared.subject).to_string(),
        "amount_minor_units": shared.amount.to_string(),
        "currency": shared.currency.as_str(),
    })
}

fn transfer_of(kind: RecordKind, shared: &SharedPart) -> Option<TransferId> {
    let about_transfer = match kind {
        RecordKind::Expiry => true,
        RecordKind::Item(kind) => matches!(
            kind,
            ItemKind::Submit
                | ItemKind::Return
                | ItemKind::Accept
                | ItemKind::Hold
                | ItemKind::Reject
                | ItemKind::Confirm
                | ItemKind::Cancel
                | ItemKind::Resolve
                | ItemKind::Recall
                | ItemKind::AnswerRecall
        ),
        RecordKind::Entry | RecordKind::Genesis | RecordKind::EnvelopeRefusal => false,
    };
    let uetr = Uetr::from_bytes(shared.subject).ok().filter(|_| about_transfer)?;
    Some(TransferId { debtor_agent: shared.debtor_agent, uetr })
}

/// What a record does to its transfer; a refused command does nothing to it.
fn change(
    event: &RecordEvent,
    shared: &SharedPart,
) -> Result<Option<Change>, ledger_proof::DecodeError> {
    let kind = match event.kind {
        RecordKind::Item(kind) => Some(kind),
        RecordKind::Expiry => None,
        RecordKind::Entry | RecordKind::Genesis | RecordKind::EnvelopeRefusal => return Ok(None),
    };
    let submitting = matches!(kind, Some(ItemKind::Submit | ItemKind::Return));
    let rejection = Rejection::from_number(shared.outcome);
    let ended = |status| Change::Ended {
        status,
        reason: Some(shared.reason.to_string()),
        refusal: rejection.map(|rejection| rejection.code().to_owned()),
    };
    if let Some(rejection) = rejection {
        // A refusal that names a transfer there was before leaves it alone.
        let rejected = TransferState::from_code(shared.state) == Some(TransferState::Rejected);
        let own = submitting
            && rejected
            && !matches!(rejection, Rejection::UetrReused | Rejection::TransferBurned);
        return Ok(own.then(|| ended("REJECTED")));
    }
    // What a repeated answer says was true once; only resolve tells how things stand.
    if shared.first_sequence != 0 && kind != Some(ItemKind::Resolve) {
        return Ok(None);
    }
    match kind {
        Some(ItemKind::Hold) => {
            let reason = shared.reason.to_string();
            return Ok(Some(Change::Held { reason, until: shared.deadline }));
        }
        Some(ItemKind::Confirm) => {
            let detail = ConfirmDetail::from_bytes(&shared.detail.0)?;
            let status = detail.status;
            let credited =
                matches!(status, ConfirmationStatus::Credited | ConfirmationStatus::PickedUp);
            return Ok(Some(Change::Confirmed { status: status.as_str(), credited }));
        }
        // The transfer stays as it is.
        Some(ItemKind::Recall | ItemKind::AnswerRecall) => return Ok(None),
        Some(_) | None => {}
    }
    Ok(TransferState::from_code(shared.state).map(|state| match state {
        TransferState::Pending => Change::Pending { deadline: shared.deadline },
        TransferState::Settled | TransferState::Credited => Change::Settled,
        TransferState::Rejected => ended("REJECTED"),
        TransferState::Expired => ended("EXPIRED"),
        TransferState::Cancelled => ended("CANCELLED"),
        TransferState::Burned => ended("BURNED"),
    }))
}

/// The row of the original of an incoming return, which is one of ours.
pub(crate) async fn original_of(
    app: &App,
    return_of: uuid::Uuid,
) -> Result<Option<store::transfers::Row>, store::Error> {
    let Ok(uetr) = Uetr::from_bytes(*return_of.as_bytes()) else { return Ok(None) };
    let own: ParticipantId = app.me;
    debug_assert_eq!(uuid(uetr), return_of);
    Ok(app.store.transfer_fetch(uetr, Some(own)).await?.into_iter().next())
}
