//! Follows this participant's own event stream: rows and cursor in one SQL transaction, and a gap stops it loudly.
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{Stream, StreamExt};
use ledger_proof::{
    codec::Field,
    item::ItemKind,
    record::{ConfirmDetail, DebtorDetail, Part, PartyPart, RecordKind, SharedPart, SubmitDetail},
};
use ledger_types::{ConfirmationStatus, ParticipantId, Rejection, TransferId, TransferState, Uetr};
use proto::convert::{Event, RecordEvent};
use serde_json::json;
use services_runtime::{error::chain, shutdown::Shutdown};

use crate::{
    Error,
    app::{App, Work},
    clock, measure,
    payee::reference,
    personal::Personal,
    sealing,
    store::{
        self, Connection,
        events::{cursor_move, event_insert},
        parties::party_insert,
        transfers::{Change, Changed, New, transfer_change, transfer_insert, uuid},
    },
    traced,
};

mod cases;

/// Records written in one SQL transaction at most.
const BATCH_MAX: usize = 256;
const REOPEN_PAUSE: Duration = Duration::from_millis(200);
/// The ledger sends a heartbeat each second; after this silence its node counts as gone.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// When the stream last said something that was kept.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    at: Arc<Mutex<Option<Instant>>>,
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
    token.run_until_cancelled(follow_always(&app)).await.unwrap_or(Ok(()))
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
            cursor = write(app, cursor, &records).await?;
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
async fn write(app: &App, cursor: u64, records: &[RecordEvent]) -> Result<u64, Error> {
    let mut transaction = app.store.begin().await.map_err(Error::Store)?;
    let mut done = Done::default();
    let mut last = cursor;
    for record in records {
        if record.number != last + 1 {
            return Err(Error::Gap { expected: last + 1, found: record.number });
        }
        last = record.number;
        apply(app, &mut transaction, record, &mut done).await?;
    }
    if !cursor_move(&mut transaction, cursor, last).await.map_err(Error::Store)? {
        return Err(Error::Fenced);
    }
    store::commit(transaction).await.map_err(Error::Store)?;
    traced::changed(app, &done.changes);
    done.work.into_iter().for_each(|item| app.wake(item));
    done.touched.into_iter().for_each(|transfer| app.tracking.changed(transfer));
    app.webhooks.wake();
    Ok(last)
}

/// What a batch did and asks for, to be told when it is committed.
#[derive(Default)]
struct Done {
    changes: Vec<Changed>,
    work: Vec<Work>,
    /// What senders' links may show otherwise.
    touched: Vec<TransferId>,
}

async fn apply(
    app: &App,
    connection: &mut Connection,
    event: &RecordEvent,
    done: &mut Done,
) -> Result<(), Error> {
    let unreadable = |source| Error::Record { sequence: event.sequence, source };
    let shared = match event.kind {
        RecordKind::Item(_) | RecordKind::Expiry => event.part(Part::Shared),
        RecordKind::Entry | RecordKind::Genesis | RecordKind::EnvelopeRefusal => None,
    };
    let Some(bytes) = shared else {
        let data = json!({ "kind": format!("{:?}", event.kind) });
        return keep(connection, event, data).await;
    };
    let shared = SharedPart::from_bytes(bytes).map_err(unreadable)?;
    keep(connection, event, shown(event, &shared)).await?;
    let Some(transfer) = transfer_of(event.kind, &shared) else { return Ok(()) };
    let originals = shared.links.iter().map(|link| link.uetr);
    let originals = originals.map(|uetr| TransferId { debtor_agent: app.me, uetr });
    done.touched.extend(originals.chain([transfer]));
    learn(app, connection, event, &shared, transfer).await?;
    cases::follow(app, connection, event, (&shared, transfer)).await?;
    let Some(change) = change(event, &shared).map_err(unreadable)? else { return Ok(()) };
    let changed = transfer_change(connection, transfer, &change, event.at, event.sequence).await;
    done.changes.extend(changed.map_err(Error::Store)?);
    let incoming = shared.creditor_agent == app.me && transfer.debtor_agent != app.me;
    done.work.extend(match change {
        Change::Pending { .. } => incoming.then_some(Work::Decide(transfer)),
        Change::Settled | Change::Ended { .. } => Some(Work::Book(transfer)),
        Change::Held { .. } | Change::Confirmed { .. } => None,
    });
    Ok(())
}

async fn keep(
    connection: &mut Connection,
    event: &RecordEvent,
    data: serde_json::Value,
) -> Result<(), Error> {
    let at = clock::calendar_or_epoch(event.at);
    event_insert(connection, event.number, event.sequence, at, data).await.map_err(Error::Store)
}

/// What REST shows of a record: the shared part, which holds no personal data.
fn shown(event: &RecordEvent, shared: &SharedPart) -> serde_json::Value {
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

/// Inserts a transfer that this gateway hears of for the first time, with its party data if the
/// blob is for us.
async fn learn(
    app: &App,
    connection: &mut Connection,
    event: &RecordEvent,
    shared: &SharedPart,
    transfer: TransferId,
) -> Result<(), Error> {
    let submitted = matches!(event.kind, RecordKind::Item(ItemKind::Submit | ItemKind::Return));
    let outgoing = transfer.debtor_agent == app.me;
    if !submitted || shared.outcome != 0 || !(outgoing || shared.creditor_agent == app.me) {
        return Ok(());
    }
    let detail = SubmitDetail::from_bytes(&shared.detail.0)
        .map_err(|source| Error::Record { sequence: event.sequence, source })?;
    let returns = event.kind == RecordKind::Item(ItemKind::Return);
    let instructed = event
        .part(Part::Debtor)
        .filter(|_| outgoing)
        .and_then(|bytes| PartyPart::from_bytes(bytes).ok())
        .and_then(|part| DebtorDetail::from_bytes(&part.detail.0).ok())
        .map(|debtor| (debtor.instructed_amount, debtor.instructed_currency.to_string()));
    let new = New {
        transfer,
        creditor_agent: shared.creditor_agent,
        outgoing,
        return_of: shared.links.first().filter(|_| returns).map(|link| link.uetr),
        corridor: shared.corridor.0,
        status: "QUEUED",
        reason: None,
        refusal: None,
        instructed,
        settlement: (shared.amount, shared.currency.to_string()),
        reserved_amount: 0,
        payout_method: detail.payout_method.as_str(),
        purpose: detail.purpose.to_string(),
        end_to_end_id: None,
        quotes: Vec::new(),
        tracking_sha256: None,
    };
    let fresh = transfer_insert(connection, &new).await.map_err(Error::Store)?;
    if !fresh || outgoing || detail.blob_digest == [0; 32] {
        return Ok(());
    }
    let opened = match opened(app, event, &detail) {
        Ok(personal) => {
            let known =
                reference::resolved(app, connection, (transfer.debtor_agent, event.at), personal);
            Ok(known.await.map_err(Error::Store)?)
        }
        Err(failure) => Err(failure),
    };
    let (personal, failure) = match &opened {
        Ok(personal) => (Some(personal), None),
        Err(failure) => (None, Some(failure.as_str())),
    };
    party_insert(connection, transfer, personal, failure).await.map_err(Error::Store)
}

fn opened(app: &App, event: &RecordEvent, detail: &SubmitDetail) -> Result<Personal, String> {
    let blob = event.blob.as_ref().ok_or("the blob is gone")?;
    if ledger_proof::sealed::blob_digest(blob) != detail.blob_digest {
        return Err("the blob is not the one that was signed".to_owned());
    }
    let plaintext = sealing::open(blob, &app.sealing_key, &detail.commitment)
        .map_err(|failure| failure.to_string())?;
    serde_json::from_slice(&plaintext).map_err(|_| "the data is not in the agreed form".to_owned())
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
