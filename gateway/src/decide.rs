//! The creditor agent's decisions and both sides' bookings, each written with the outbox row that carries it, so that none is done twice.
use std::{sync::Arc, time::Duration};

use ledger_proof::{
    codec::Digest,
    item::{Accept, Confirm, Hold, Item, Reject},
};
use ledger_types::{
    ConfirmationStatus, Money, PayoutMethod, ShortText, StatusReason, Timestamp, TransferId,
};
use serde_json::json;
use services_runtime::{error::chain, shutdown::Shutdown, tickets::Ticket, trace::Span};
use tokio::sync::{Semaphore, mpsc};

use crate::{
    Error,
    app::{App, Work, to_send},
    banking::{self, Customer},
    clock, events, measure, outbox,
    personal::Personal,
    screening::Verdict,
    sealing::random,
    settings::Decision,
    store::{
        self,
        keep::{Booked, Decide},
        outbox::NewItem,
        parties::screening_insert,
        transfers::Row,
    },
    traced,
};

pub mod at_once;

/// Transfers attended to at one time.
const CONCURRENCY: usize = 64;
/// How often what was left undone is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How long an automatic hold lasts before the next look.
const HOLD_MICROS: u64 = 30_000_000;

/// Why a transfer was not attended to; it is tried again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the store failed")]
    Store(#[source] store::Error),
    #[error("core banking failed")]
    Banking(#[source] banking::Error),
    #[error("the system gives no randomness")]
    Randomness,
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// What the gateway decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdicted {
    Accept,
    Hold(StatusReason, Timestamp),
    Reject(StatusReason),
    Nothing,
}

/// Attends to transfers until the process ends.
///
/// # Errors
/// Never; it ends with the process.
pub async fn run(
    app: App,
    mut queue: mpsc::Receiver<(Work, Ticket<Work>)>,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let slots = Arc::new(Semaphore::new(CONCURRENCY));
    let mut sweeps = tokio::time::interval(SWEEP_EVERY);
    let token = shutdown.token();
    loop {
        let work = tokio::select! {
            () = token.cancelled() => return Ok(()),
            _ = sweeps.tick() => {
                sweep(&app).await;
                continue;
            }
            work = queue.recv() => work,
        };
        let (Some((work, ticket)), Ok(slot)) = (work, Arc::clone(&slots).acquire_owned().await)
        else {
            return Ok(());
        };
        // What happens to the transfer from here on asks for attention anew.
        drop(ticket);
        let app = app.clone();
        shutdown.spawn("decide", async move {
            let (name, transfer) = match work {
                Work::Decide(transfer) => ("transfer.decide", transfer),
                Work::Book(transfer) => ("transfer.book", transfer),
            };
            let doing = async {
                match work {
                    Work::Decide(transfer) => decide(&app, transfer).await,
                    Work::Book(transfer) => book(&app, transfer).await,
                }
            };
            let done = traced::work(&app, (name, transfer), doing, told).await;
            if let Err(failure) = done {
                tracing::warn!(cause = chain(&failure), "transfer not attended to, trying again");
            }
            drop(slot);
            Ok::<_, Error>(())
        });
    }
}

/// The span of what was done or not brought to its end; none of what there was not to do.
fn told(done: &Result<bool, Failure>, span: Span) -> Option<Span> {
    match done {
        Ok(done) => done.then_some(span),
        Err(_) => Some(span.failed(Some("not attended to"))),
    }
}

/// Wakes what a failure or a restart left undone.
async fn sweep(app: &App) {
    let undecided = app.store.transfer_undecided().await.unwrap_or_default();
    for transfer in undecided.iter().filter_map(Row::transfer) {
        app.wake(Work::Decide(transfer));
    }
    let unbooked = app.store.transfer_unbooked().await.unwrap_or_default();
    for transfer in unbooked.iter().filter_map(Row::transfer) {
        app.wake(Work::Book(transfer));
    }
    outbox::sweep(app).await;
}

async fn fetch(app: &App, transfer: TransferId) -> Result<Option<Row>, store::Error> {
    let rows = app.store.transfer_fetch(transfer.uetr, Some(transfer.debtor_agent)).await?;
    Ok(rows.into_iter().next())
}

/// Decides; false when there was nothing to decide.
async fn decide(app: &App, transfer: TransferId) -> Result<bool, Failure> {
    let (row, personal) = tokio::try_join!(fetch(app, transfer), app.store.party_fetch(transfer))?;
    let Some(row) = row else { return Ok(false) };
    // A store that died may have been told both anew between the two looks: where the row is, its party is.
    let personal = match personal {
        None => app.store.party_fetch(transfer).await?,
        known => known,
    };
    let open = row.decision.as_deref().is_none_or(|decision| decision == "hold");
    if row.outgoing || row.status != "PENDING" || !open || app.decision == Decision::Manual {
        return Ok(false);
    }
    let verdict = match scripted(app, &row) {
        Some(verdict) => verdict,
        None => judged(app, (transfer, &row), personal).await?,
    };
    let nonce = random().map_err(|_| Failure::Randomness)?;
    let (debtor_agent, uetr) = (transfer.debtor_agent, transfer.uetr);
    let (word, item, asked) = match verdict {
        Verdicted::Nothing => return Ok(false),
        Verdicted::Accept => {
            let reference = ShortText::EMPTY;
            ("accept", Item::Accept(Accept { nonce, debtor_agent, uetr, reference }), String::new())
        }
        Verdicted::Hold(reason, until) => (
            "hold",
            Item::Hold(Hold { nonce, debtor_agent, uetr, reason, until }),
            until.micros().to_string(),
        ),
        Verdicted::Reject(reason) => (
            "reject",
            Item::Reject(Reject { nonce, debtor_agent, uetr, reason }),
            reason.to_string(),
        ),
    };
    let item = to_send(transfer, &item, asked.as_bytes());
    // The answer is written by the sender; nobody waits for it here.
    if app.store.transfer_decided(Decide { word, item }).await?.is_none() {
        return Ok(false);
    }
    wake_after_hold(app, transfer, &verdict);
    Ok(true)
}

fn wake_after_hold(app: &App, transfer: TransferId, verdict: &Verdicted) {
    if let Verdicted::Hold(_, until) = *verdict {
        let wait = until.micros_since(clock::now()) + 50_000;
        let app = app.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_micros(wait)).await;
            app.wake(Work::Decide(transfer));
        });
    }
}

/// Whether a demonstration's script has an answer to an amount.
fn is_scripted(app: &App, amount: u64) -> bool {
    let lists = [&app.demo.silent_amounts, &app.demo.reject_amounts, &app.demo.hold_amounts];
    lists.into_iter().any(|amounts| amounts.contains(&amount))
}

/// The answer that it gives.
fn scripted(app: &App, row: &Row) -> Option<Verdicted> {
    let amount = row.settlement_amount();
    if app.demo.silent_amounts.contains(&amount) {
        return Some(Verdicted::Nothing);
    }
    if app.demo.reject_amounts.contains(&amount) {
        return Some(Verdicted::Reject(StatusReason::known(b"AC06")));
    }
    if !app.demo.hold_amounts.contains(&amount) {
        return None;
    }
    if row.decision.is_none() {
        let micros = app.demo.hold_ms.map_or(HOLD_MICROS, |ms| ms.saturating_mul(1_000));
        return Some(Verdicted::Hold(StatusReason::known(b"G003"), hold_until(row, micros)));
    }
    let over = row.held_until.is_some_and(|until| clock::from_calendar(until) <= clock::now());
    Some(if over && app.demo.hold_ms.is_some() { Verdicted::Accept } else { Verdicted::Nothing })
}

/// A hold ends before the deadline.
fn hold_until(row: &Row, micros: u64) -> Timestamp {
    let wanted = clock::now().plus_micros(micros);
    let latest = row.deadline.map(clock::from_calendar).map(Timestamp::micros);
    let latest = latest.map_or(u64::MAX, |micros| micros.saturating_sub(1_000));
    Timestamp::from_micros(wanted.micros().min(latest))
}

/// Screening first, then core banking: no answer of either is ever taken for a yes.
async fn judged(
    app: &App,
    (transfer, row): (TransferId, &Row),
    personal: Option<Personal>,
) -> Result<Verdicted, Failure> {
    let held = row.held_until.map(clock::from_calendar);
    if held.is_some_and(|until| until > clock::now()) {
        return Ok(Verdicted::Nothing);
    }
    let Some(personal) = personal else {
        return Ok(Verdicted::Reject(StatusReason::known(b"RR03")));
    };
    let (word, detail, outcome) = match app.screening.screen(&personal.names()) {
        Ok(Verdict::Clear) => ("clear", json!(null), None),
        Ok(Verdict::Hits(hits)) => {
            ("hit", json!(hits), Some(Verdicted::Reject(StatusReason::known(b"RR04"))))
        }
        Err(unavailable) => {
            let hold = Verdicted::Hold(StatusReason::known(b"G002"), hold_until(row, HOLD_MICROS));
            ("unavailable", json!({ "failure": unavailable.0 }), Some(hold))
        }
    };
    if let Some(outcome) = outcome {
        let mut transaction = app.store.begin().await?;
        screening_insert(&mut transaction, transfer, word, detail).await?;
        store::commit(transaction).await?;
        measure::screened(false, word);
        return Ok(outcome);
    }
    let Some(customer) = customer(row, &personal) else {
        return Ok(Verdicted::Reject(StatusReason::known(b"AC11")));
    };
    match app.banking.check(customer).await {
        Ok(()) => Ok(Verdicted::Accept),
        Err(banking::Error::Refused(reason)) => Ok(Verdicted::Reject(reason)),
        Err(failure @ banking::Error::Unavailable(_)) => Err(Failure::Banking(failure)),
    }
}

/// Transfers between institutions have no customer: the credited account is our own.
fn institutional(app: &App, row: &Row) -> bool {
    let corridor = u32::try_from(row.corridor).map(ledger_types::CorridorId).unwrap_or_default();
    let network = app.directory.fresh();
    network
        .is_some_and(|news| news.corridor(corridor).is_some_and(|(terms, _)| terms.institutional))
}

fn customer<'a>(row: &Row, personal: &'a Personal) -> Option<Customer<'a>> {
    Some(Customer {
        account: personal.beneficiary.account.as_deref(),
        payout_method: row.payout_method.parse().unwrap_or(PayoutMethod::BankAccount),
        money: Money::new(row.settlement_amount(), row.currency.parse().ok()?),
    })
}

/// Captures, releases or credits once, and confirms what was credited; false when there was nothing
/// to do.
async fn book(app: &App, transfer: TransferId) -> Result<bool, Failure> {
    let Some(row) = fetch(app, transfer).await?.filter(|row| !row.booked) else { return Ok(false) };
    let settled = matches!(row.status.as_str(), "SETTLED" | "CREDITED");
    if !settled && matches!(row.status.as_str(), "QUEUED" | "PENDING") {
        return Ok(false);
    }
    match (row.outgoing, settled) {
        (true, true) => {
            app.banking.capture(transfer).await.map_err(Failure::Banking)?;
        }
        (true, false) => {
            app.banking.release(transfer).await.map_err(Failure::Banking)?;
        }
        (false, true) => return credit(app, transfer, &row).await.map(|()| true),
        (false, false) => {}
    }
    app.store.transfer_booked(Booked { transfer, item: None }).await?;
    Ok(true)
}

async fn credit(app: &App, transfer: TransferId, row: &Row) -> Result<(), Failure> {
    let method = row.payout_method.parse().unwrap_or(PayoutMethod::BankAccount);
    let personal = match row.return_of {
        None => app.store.party_fetch(transfer).await?,
        Some(original) => returned_to(app, original).await?,
    };
    let status = match personal.as_ref().and_then(|personal| customer(row, personal)) {
        Some(customer) if row.return_of.is_some() || method != PayoutMethod::CashPickup => {
            match app.banking.credit(transfer, customer).await {
                Ok(()) => credited(transfer, Ok(())),
                Err(banking::Error::Refused(reason)) => credited(transfer, Err(reason)),
                Err(failure @ banking::Error::Unavailable(_)) => {
                    return Err(Failure::Banking(failure));
                }
            }
        }
        None if institutional(app, row) => ConfirmationStatus::Credited,
        // Cash waits at the counter until it is picked up.
        Some(_) | None => ConfirmationStatus::AcceptedWithoutPosting,
    };
    let nonce = random().map_err(|_| Failure::Randomness)?;
    let item = Some(confirmed(transfer, status, nonce));
    app.store.transfer_booked(Booked { transfer, item }).await?;
    Ok(())
}

/// What a debtor agent is told of a credit.
fn credited(transfer: TransferId, done: Result<(), StatusReason>) -> ConfirmationStatus {
    match done {
        Ok(()) => ConfirmationStatus::Credited,
        Err(reason) => {
            tracing::warn!(%reason, uetr = %transfer.uetr, "credit refused after settlement");
            ConfirmationStatus::AcceptedWithoutPosting
        }
    }
}

/// The item that tells it.
fn confirmed(transfer: TransferId, status: ConfirmationStatus, nonce: Digest) -> NewItem {
    let confirm = Item::Confirm(Confirm {
        nonce,
        debtor_agent: transfer.debtor_agent,
        uetr: transfer.uetr,
        status,
        confirmed_at: clock::now(),
        reference: ShortText::EMPTY,
    });
    to_send(transfer, &confirm, status.as_str().as_bytes())
}

/// Money that comes back goes to the debtor of the original.
async fn returned_to(app: &App, original: uuid::Uuid) -> Result<Option<Personal>, Failure> {
    let Some(row) = events::original_of(app, original).await? else { return Ok(None) };
    let Some(id) = row.transfer() else { return Ok(None) };
    let personal = app.store.party_fetch(id).await?;
    Ok(personal.map(|personal| Personal {
        beneficiary: personal.originator.clone(),
        originator: personal.beneficiary,
        ..Personal::default()
    }))
}
