//! Cash over the counter: the debtor agent shows its sender the code, the creditor agent pays whoever presents it, once.
use ledger_proof::item::{Confirm, Item, ItemKind};
use ledger_types::{ConfirmationStatus, PayoutMethod, Rejection, ShortText, TransferId};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::create::{answer, fetch};
use crate::{
    app::{App, enqueue, enqueued},
    clock,
    personal::Personal,
    pickup::{Pickup, code},
    problem::{Code, Problem},
    sealing::random,
    store::{
        self,
        pickup::{PickupRow, pickup_code_shown, pickup_lock, pickup_paid, pickup_wrong},
        transfers::Row,
    },
};

/// A till's request: whose key, and its Idempotency-Key.
pub type Till<'a> = (Uuid, &'a str);

/// The personal data of an order, with what the creditor agent checks a cash pickup's code by.
///
/// # Errors
/// When the system has no randomness.
pub fn sealed(
    app: &App,
    transfer: TransferId,
    method: PayoutMethod,
    personal: &Personal,
) -> Result<Personal, Problem> {
    let mut personal = personal.clone();
    if method == PayoutMethod::CashPickup {
        let salt = random().map_err(|error| Problem::internal(&error))?;
        personal.pickup = Some(Pickup::new(transfer, &code(&app.sealing_key, transfer), salt));
    }
    Ok(personal)
}

/// The code of an outgoing transfer that waits to be picked up, and how often it was shown.
///
/// # Errors
/// When there is none, or none any more.
pub async fn show(
    app: &App,
    by: Uuid,
    (transfer, row): (TransferId, Row),
) -> Result<(String, i64), Problem> {
    if !row.outgoing {
        return Err(Problem::refused(Rejection::NotParty));
    }
    let waits = matches!(row.status.as_str(), "QUEUED" | "PENDING" | "SETTLED");
    let personal = app.store.party_fetch(transfer).await?;
    let pickup = personal.and_then(|personal| personal.pickup).filter(|_| waits);
    let own = code(&app.sealing_key, transfer);
    // After a change of the sealing key the code is lost; a wrong one helps nobody.
    let good = pickup.is_some_and(|pickup| pickup.opens(transfer, &own));
    if !good {
        return Err(not_due("there is no code: it is no cash pickup, or it has ended"));
    }
    let mut transaction = app.store.begin().await?;
    let shown = pickup_code_shown(&mut transaction, transfer, by).await?;
    store::commit(transaction).await?;
    Ok((own, shown))
}

/// Pays a transfer out against its code.
///
/// # Errors
/// When nothing waits to be paid, or the code is not the transfer's.
pub async fn pay(
    app: &App,
    till: Till<'_>,
    transfer: TransferId,
    given: &str,
) -> Result<Row, Problem> {
    // A return of the same transfer waits meanwhile, or is seen here.
    let turn = app.turns.take(transfer.uetr).await;
    let row = fetch(app, transfer).await?;
    if row.outgoing {
        return Err(Problem::refused(Rejection::NotParty));
    }
    let personal = app.store.party_fetch(transfer).await?;
    let pickup = personal.and_then(|personal| personal.pickup);
    app.room()?;
    let mut transaction = app.store.begin().await?;
    let state = pickup_lock(&mut transaction, transfer).await?;
    if state.paid_at.is_some() && by(&state) == Some(till) {
        // The answer of this very request was lost.
        return Ok(row);
    }
    due(app, &row, &state).await?;
    let asked = ConfirmationStatus::PickedUp.as_str().as_bytes();
    if enqueued(&mut transaction, transfer, ItemKind::Confirm, asked).await? {
        return Err(not_due("it was paid out without its code; pay nothing"));
    }
    let missing = "it came without a code; identify the creditor and use confirm";
    let pickup = pickup.ok_or_else(|| not_due(missing))?;
    if !pickup.opens(transfer, given) {
        let problem = wrong(app, &mut transaction, transfer, &state).await?;
        store::commit(transaction).await?;
        return Err(problem);
    }
    pickup_paid(&mut transaction, transfer, till).await?;
    let confirm = Item::Confirm(Confirm {
        nonce: random().map_err(|error| Problem::internal(&error))?,
        debtor_agent: transfer.debtor_agent,
        uetr: transfer.uetr,
        status: ConfirmationStatus::PickedUp,
        confirmed_at: clock::now(),
        reference: ShortText::EMPTY,
    });
    let sent = enqueue(&mut transaction, transfer, &confirm, asked).await?;
    store::commit(transaction).await?;
    drop(turn);
    // It is paid from here on, whatever the ledger takes to write it down.
    if let Err(problem) = answer(app, transfer, app.send(sent)).await {
        tracing::warn!(code = problem.code, uetr = %transfer.uetr, "pickup paid, not yet confirmed");
    }
    fetch(app, transfer).await
}

/// Lets a person confirm that cash was paid out without its code, unless a till paid it against it.
/// While the SQL transaction lasts no till looks.
///
/// # Errors
/// When a till paid, or the store fails.
pub async fn by_hand(
    connection: &mut store::Connection,
    transfer: TransferId,
) -> Result<(), Problem> {
    match by(&pickup_lock(connection, transfer).await?) {
        Some(_) => Err(not_due("it was paid out against its code; pay nothing")),
        None => Ok(()),
    }
}

fn by(state: &PickupRow) -> Option<Till<'_>> {
    Some((state.paid_by?, state.paid_key.as_deref()?))
}

/// Whether cash waits, as said by the transfer, its returns, the calendar and the till.
async fn due(app: &App, row: &Row, state: &PickupRow) -> Result<(), Problem> {
    if row.payout_method != PayoutMethod::CashPickup.as_str() || row.return_of.is_some() {
        return Err(not_due("it is no cash pickup"));
    }
    if state.paid_at.is_some() || row.status == "CREDITED" {
        return Err(not_due("it was paid out; pay nothing"));
    }
    let settled = row.settled_at.filter(|_| row.status == "SETTLED" && row.booked);
    let settled = settled.ok_or_else(|| not_due("it is not settled; pay nothing"))?;
    let returns = app.store.transfer_returns(row.uetr).await?;
    if returns.iter().any(|own| own.outgoing && own.ended_at.is_none()) {
        return Err(not_due("it was sent back; pay nothing"));
    }
    let now = OffsetDateTime::now_utc();
    if settled + Duration::days(app.pickup.days.into()) < now {
        return Err(not_due("its time is over; send it back by a return"));
    }
    if state.locked_until.is_some_and(|until| until > now) {
        let detail = "code: too many wrong ones were shown; come again later";
        return Err(Problem::new(Code::PickupLocked, detail));
    }
    Ok(())
}

async fn wrong(
    app: &App,
    connection: &mut store::Connection,
    transfer: TransferId,
    state: &PickupRow,
) -> Result<Problem, Problem> {
    let wrong_max = i32::from(app.pickup.wrong_max.max(1));
    let left = wrong_max - 1 - state.wrong % wrong_max;
    let lock = Duration::seconds(app.pickup.lock_s.into());
    let until = (left == 0).then(|| OffsetDateTime::now_utc() + lock);
    pickup_wrong(connection, transfer, until).await?;
    let detail = format!("code: it is not this transfer's; {left} more before it is locked");
    Ok(Problem::new(Code::PickupCodeWrong, detail))
}

fn not_due(why: &str) -> Problem {
    Problem::new(Code::PickupNotDue, format!("uetr: {why}"))
}
