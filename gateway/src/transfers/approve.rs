//! The second pair of eyes: parks what is above the participant's own limit, and releases it at a new price, rejects it or lets it expire; nothing is reserved or signed while it waits.
use ledger_types::{Money, Rejection, StatusReason, TransferId, Uetr};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Created,
    create::{Priced, fetch, go_on, new_row, return_quote},
    order::{Maker, Order},
};
use crate::{
    app::App,
    clock, measure,
    problem::{Code, Problem},
    sealing::random,
    security::{
        UNNAMED,
        audit::{Actor, Entry},
        two_people,
    },
    store::{
        self, Connection,
        approvals::{
            AWAITING, ApprovalRow, Decided, NewApproval, approval_decide, approval_insert,
            local_event_insert, transfer_refuse, transfer_release,
        },
        audit::audit_append,
        keys::key_insert,
        parties::{NewParty, party_insert},
        transfers::{Line, New, participant, timeline_insert, transfer_insert},
    },
    webhooks::message,
};

/// A word of approval.
#[derive(Debug)]
pub struct Approved<'a> {
    row: &'a ApprovalRow,
    by: &'a Maker,
    /// The most that may be debited, by the word of who approves.
    most: Option<Money>,
}

/// Whether a transfer is above the participant's own limit of either currency.
#[must_use]
pub fn needed(app: &App, priced: &Priced) -> bool {
    let debit = Money::new(priced.debtor_total, priced.source.currency);
    app.security.needs_approval(debit) || app.security.needs_approval(priced.destination)
}

/// Keeps a transfer that waits: what it would have cost is told, its quote is let go.
pub(super) async fn park(
    app: &App,
    transfer: TransferId,
    order: &Order,
    priced: &Priced,
) -> Result<Created, Problem> {
    let debit = Money::new(priced.debtor_total, priced.source.currency);
    // Who named a quote agreed to its price: the same must arrive for no more.
    let (instructed, settlement) = match order.quote {
        Some(_) => (Some(debit), Some(priced.destination)),
        None => (order.instructed, order.settlement),
    };
    let wait = time::Duration::seconds(i64::from(app.security.approval_expires_after_s));
    let maker = order.maker.as_ref();
    let approval = NewApproval {
        id: Uuid::from_bytes(random().map_err(|error| Problem::internal(&error))?),
        transfer,
        maker_key: maker.map(|maker| maker.key),
        maker_owner: maker.map_or_else(|| UNNAMED.to_owned(), |maker| maker.owner.clone()),
        instructed,
        settlement,
        debit,
        expires_at: OffsetDateTime::now_utc() + wait,
    };
    let new = New {
        status: AWAITING,
        reserved_amount: 0,
        quotes: order.quote.into_iter().collect(),
        ..new_row(app, transfer, order, priced)
    };
    let mut transaction = app.store.begin().await?;
    if transfer_insert(&mut transaction, std::slice::from_ref(&new)).await?.is_empty() {
        return Err(Problem::refused(Rejection::UetrReused).of(order.uetr));
    }
    key_insert(&mut transaction, order.key.as_ref()).await?;
    let party = NewParty::open(transfer, order.personal.clone());
    party_insert(&mut transaction, &[party]).await?;
    return_quote(&mut transaction, order).await?;
    approval_insert(&mut transaction, &approval).await?;
    let told = Told { id: approval.id, transfer, creditor_agent: i64::from(new.creditor_agent.0) };
    let amounts = json!({
        "amount_minor_units": priced.destination.minor_units.to_string(),
        "currency": priced.destination.currency.as_str(),
        "expires_at": clock::rfc3339(approval.expires_at),
    });
    tell(&mut transaction, &told, ("approval.requested", AWAITING), amounts).await?;
    let line = Line::now(transfer, "awaiting_approval", "PDNG");
    timeline_insert(&mut transaction, &[line]).await?;
    let actor = Actor { owner: approval.maker_owner.clone(), key: approval.maker_key };
    let detail = json!({ "uetr": transfer.uetr.to_string() });
    let entry = actor.entry("approval.requested", approval.id, detail);
    audit_append(&mut transaction, &entry).await?;
    store::commit(transaction).await?;
    measure::reached(true, AWAITING);
    app.webhooks.wake();
    Ok(Created::Durable(Box::new(fetch(app, transfer).await?)))
}

/// Refuses a price above what the maker or who approves allows.
pub(super) fn within(approved: &Approved<'_>, priced: &Priced) -> Result<(), Problem> {
    let Some(most) = approved.most else { return Ok(()) };
    if most.currency != priced.source.currency {
        return Err(Problem::field("debit_max", "must be in the currency that is debited"));
    }
    if priced.debtor_total <= most.minor_units {
        return Ok(());
    }
    let detail = "debit_max: the transfer costs more now than who approved it allows";
    Err(Problem::new(Code::DebitLimitExceeded, detail))
}

/// Writes within the SQL transaction that signs and keeps it that a transfer was released.
pub(super) async fn released(
    app: &App,
    connection: &mut Connection,
    new: &New,
    approved: &Approved<'_>,
) -> Result<(), Problem> {
    let Approved { row, by, .. } = approved;
    let decided = Decided {
        state: "approved",
        key: Some(by.key),
        owner: Some(&by.owner),
        reason: None,
        refusal: None,
    };
    let open = approval_decide(connection, row.id, &decided).await?
        && transfer_release(connection, new).await?;
    if !open {
        return Err(already(row));
    }
    timeline_insert(connection, &[Line::now(new.transfer, "approved", "ACTC")]).await?;
    let told = Told {
        id: row.id,
        transfer: new.transfer,
        creditor_agent: i64::from(new.creditor_agent.0),
    };
    let amounts = json!({
        "amount_minor_units": new.settlement.0.to_string(),
        "currency": new.settlement.1,
    });
    tell(connection, &told, ("approval.approved", "QUEUED"), amounts).await?;
    let detail = json!({ "uetr": new.transfer.uetr.to_string(), "maker": row.maker_owner });
    audit_append(connection, &by.actor().entry("approval.approved", row.id, detail)).await?;
    app.webhooks.wake();
    Ok(())
}

/// Releases a transfer at a new price; the same again gets the transfer as it stands.
///
/// # Errors
/// When the approver may not, the approval was decided otherwise, or what refuses the transfer,
/// which ends it.
pub async fn approve(
    app: &App,
    id: Uuid,
    by: &Maker,
    most: Option<Money>,
) -> Result<Created, Problem> {
    let found = app.store.approval_fetch(id).await?.ok_or_else(unknown)?;
    if found.maker_key == Some(by.key) || !two_people(&found.maker_owner, &by.owner) {
        let detail = match found.maker_owner == UNNAMED {
            true => "the maker's key names no owner: reject this, and send it with a key that does",
            false => "authorization: use a key of a named owner who is not the maker",
        };
        return Err(Problem::new(Code::FourEyesRequired, detail));
    }
    let transfer = transfer_of(&found)?;
    let turn = app.turns.take(transfer.uetr).await;
    let row = app.store.approval_fetch(id).await?.ok_or_else(unknown)?;
    match row.state.as_str() {
        "approved" => return Ok(Created::Recorded(Box::new(fetch(app, transfer).await?))),
        "open" if row.expires_at > OffsetDateTime::now_utc() => {}
        _ended => return Err(already(&row)),
    }
    let order = order(app, &row, transfer).await?;
    let approved = Approved { row: &row, by, most };
    match go_on(app, &order, turn, Some(&approved)).await {
        // Its answer by the ledger is a record of its own.
        Err(problem) if problem.lasting() && problem.record.is_none() => {
            refuse(app, (&row, transfer), by, &problem).await?;
            Err(problem.of(transfer.uetr))
        }
        other => other,
    }
}

/// The order as it was given, without its quote.
async fn order(app: &App, row: &ApprovalRow, transfer: TransferId) -> Result<Order, Problem> {
    let kept = fetch(app, transfer).await?;
    let personal = app.store.party_fetch(transfer).await?;
    let unreadable = || Problem::new(Code::Internal, "the order that waits can't be read");
    let personal = personal.ok_or_else(unreadable)?;
    Ok(Order {
        uetr: transfer.uetr,
        creditor_agent: participant(kept.creditor_agent),
        corridor: u32::try_from(kept.corridor).ok(),
        quote: None,
        instructed: row.instructed(),
        settlement: row.settlement(),
        payout_method: kept.payout_method.parse().map_err(|_| unreadable())?,
        purpose: kept.purpose.parse().map_err(|_| unreadable())?,
        personal,
        maker: None,
        key: None,
        fresh: false,
    })
}

/// A transfer that was approved and is refused ends with that.
async fn refuse(
    app: &App,
    (row, transfer): (&ApprovalRow, TransferId),
    by: &Maker,
    problem: &Problem,
) -> Result<(), Problem> {
    let reason = problem.reason.to_string();
    let decided = Decided {
        state: "refused",
        key: Some(by.key),
        owner: Some(&by.owner),
        reason: Some(&reason),
        refusal: Some(problem.code),
    };
    let act = by.actor().entry("approval.refused", row.id, Value::Null);
    end(app, (row, transfer), &decided, act).await.map(|_| ())
}

/// Says no to a transfer that waits; the same again changes nothing.
///
/// # Errors
/// When the approval was decided otherwise.
pub async fn reject(
    app: &App,
    id: Uuid,
    by: &Maker,
    reason: StatusReason,
) -> Result<ApprovalRow, Problem> {
    let found = app.store.approval_fetch(id).await?.ok_or_else(unknown)?;
    let transfer = transfer_of(&found)?;
    let _turn = app.turns.take(transfer.uetr).await;
    let reason = reason.to_string();
    let decided = Decided {
        state: "rejected",
        key: Some(by.key),
        owner: Some(&by.owner),
        reason: Some(&reason),
        refusal: Some(Code::ApprovalRejected.name()),
    };
    let act = by.actor().entry("approval.rejected", id, Value::Null);
    let done = end(app, (&found, transfer), &decided, act).await?;
    let row = app.store.approval_fetch(id).await?.ok_or_else(unknown)?;
    match done || row.state == "rejected" {
        true => Ok(row),
        false => Err(already(&row)),
    }
}

/// Ends what nobody decided in time.
///
/// # Errors
/// When the store fails.
pub async fn expire(app: &App) -> Result<(), Problem> {
    for row in app.store.approval_due().await? {
        let transfer = transfer_of(&row)?;
        let _turn = app.turns.take(transfer.uetr).await;
        let decided = Decided {
            state: "expired",
            key: None,
            owner: None,
            reason: Some("TM01"),
            refusal: Some(Code::ApprovalExpired.name()),
        };
        let act = Actor::gateway().entry("approval.expired", row.id, Value::Null);
        end(app, (&row, transfer), &decided, act).await?;
    }
    Ok(())
}

/// Ends an approval and its transfer without money; false when it was decided before.
async fn end(
    app: &App,
    (row, transfer): (&ApprovalRow, TransferId),
    decided: &Decided<'_>,
    mut act: Entry,
) -> Result<bool, Problem> {
    let kept = fetch(app, transfer).await?;
    let reason = decided.reason.unwrap_or("NARR");
    let refusal = decided.refusal.unwrap_or(Code::ApprovalRejected.name());
    let mut transaction = app.store.begin().await?;
    let open = approval_decide(&mut transaction, row.id, decided).await?
        && transfer_refuse(&mut transaction, transfer, (reason, refusal)).await?;
    if !open {
        return Ok(false);
    }
    let line = Line::now(transfer, format!("approval_{}", decided.state), "RJCT");
    timeline_insert(&mut transaction, &[line.because(reason)]).await?;
    let told = Told { id: row.id, transfer, creditor_agent: kept.creditor_agent };
    let kind = format!("approval.{}", decided.state);
    let why = json!({
        "amount_minor_units": kept.amount.to_string(),
        "currency": kept.currency,
        "reason": reason,
        "refusal": refusal,
    });
    tell(&mut transaction, &told, (&kind, "REJECTED"), why).await?;
    act.detail = json!({
        "uetr": transfer.uetr.to_string(),
        "maker": row.maker_owner,
        "reason": reason,
        "refusal": refusal,
    });
    audit_append(&mut transaction, &act).await?;
    store::commit(transaction).await?;
    measure::reached(true, "REJECTED");
    app.tracking.changed(transfer);
    app.webhooks.wake();
    Ok(true)
}

/// Of what is told.
struct Told {
    id: Uuid,
    transfer: TransferId,
    creditor_agent: i64,
}

/// Tells every webhook that wants it, in the SQL transaction of what is told; no personal data.
async fn tell(
    connection: &mut Connection,
    told: &Told,
    (kind, status): (&str, &str),
    mut data: Value,
) -> Result<(), store::Error> {
    let uetr = told.transfer.uetr.to_string();
    let debtor_agent = told.transfer.debtor_agent.0;
    data["approval"] = json!(told.id);
    data["uetr"] = json!(uetr);
    data["status"] = json!(status);
    data["debtor_agent"] = json!(debtor_agent);
    data["creditor_agent"] = json!(told.creditor_agent);
    let lane = message::lane(u64::from(debtor_agent), &uetr);
    local_event_insert(connection, kind, &lane, &data).await
}

fn transfer_of(row: &ApprovalRow) -> Result<TransferId, Problem> {
    let uetr = Uetr::from_bytes(*row.uetr.as_bytes());
    let uetr = uetr.map_err(|_| Problem::new(Code::Internal, "the approval names no transfer"))?;
    Ok(TransferId { debtor_agent: participant(row.debtor_agent), uetr })
}

fn already(row: &ApprovalRow) -> Problem {
    let state = match row.state.as_str() {
        // Its time is over, and it is about to be ended.
        "open" => "expired",
        state => state,
    };
    Problem::new(Code::ApprovalDecided, format!("id: the approval is {state}"))
}

/// An approval that is not there.
#[must_use]
pub fn unknown() -> Problem {
    Problem::new(Code::ApprovalNotFound, "id: GET /v1/approvals lists what there is")
}
