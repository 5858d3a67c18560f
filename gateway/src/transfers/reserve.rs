//! A customer's money set aside before a transfer is kept, and given back if it is not; it prices nothing and keeps nothing.
use ledger_types::{Money, StatusReason, TransferId};

use super::{
    Created,
    create::{Priced, fetch},
    order::Order,
};
use crate::{
    app::App,
    banking::{self, Customer, Reserved},
    problem::{Code, Problem},
    store::{
        self,
        approvals::AWAITING,
        book::{self, Movement},
    },
};

/// The field that names whose money is set aside.
pub const DEBTOR: &str = "debtor.account";

/// Sets the debtor's money aside, in the UETR's turn; whoever succeeds must keep a transfer, with what
/// the book is to set aside for it, or release it.
///
/// # Errors
/// What core banking says.
pub async fn set_aside(
    app: &App,
    order: &Order,
    priced: &Priced,
) -> Result<Option<Movement>, Problem> {
    if priced.reserved() == 0 {
        return Ok(None);
    }
    let transfer = TransferId { debtor_agent: app.me, uetr: order.uetr };
    let money = Money::new(priced.reserved(), priced.source.currency);
    let account = order.personal.originator.account.as_deref();
    let debtor = Customer { account, payout_method: order.payout_method, money };
    reserve(app, transfer, debtor, DEBTOR).await
}

/// Sets a customer's money aside, in the UETR's turn; whoever succeeds must keep a transfer, with what
/// the book is to set aside for it, or release it.
pub(super) async fn reserve(
    app: &App,
    transfer: TransferId,
    customer: Customer<'_>,
    field: &str,
) -> Result<Option<Movement>, Problem> {
    let mut reserved = app.banking.reserve(transfer, customer).await;
    if matches!(reserved, Ok(Reserved::Before)) {
        // Left by a request that was cut off before it kept a transfer, perhaps at another price.
        let kept = match fetch(app, transfer).await {
            Ok(row) => row.status != AWAITING,
            Err(missing) => !missing.is(Code::TransferNotFound),
        };
        if !kept {
            let _repeatable = app.banking.release(transfer).await;
            reserved = app.banking.reserve(transfer, customer).await;
        }
    }
    match reserved {
        Ok(Reserved::Now) => Ok(None),
        Ok(Reserved::WithTransfer(of)) => Ok(Some(of)),
        Ok(Reserved::Before) => {
            let detail = "uetr: a request with it is under way; ask for the transfer, or try again";
            Err(Problem::new(Code::RequestInProgress, detail))
        }
        Err(banking::Error::Refused(reason)) => Err(refused(field, reason)),
        Err(error @ banking::Error::Unavailable(_)) => Err(banking_failed(&error)),
    }
}

/// An account that can't be debited.
#[must_use]
pub fn refused(field: &str, reason: StatusReason) -> Problem {
    let detail = format!("{field}: it can't be debited with this amount");
    Problem::new(Code::AccountRefused, detail).because(reason)
}

/// Sets aside within an SQL transaction that is one transfer's, if the book is to.
///
/// # Errors
/// As [`refused`], or when the store fails.
pub(super) async fn set_aside_within(
    connection: &mut store::Connection,
    transfer: TransferId,
    of: Option<&Movement>,
    field: &str,
) -> Result<(), Problem> {
    let asked: Vec<_> = of.map(|of| (transfer, of)).into_iter().collect();
    let done = book::set_aside_apart(connection, &asked).await?;
    done.into_iter().collect::<Result<(), StatusReason>>().map_err(|why| refused(field, why))
}

pub(super) fn banking_failed(error: &banking::Error) -> Problem {
    tracing::warn!(cause = services_runtime::error::chain(error), "core banking failed");
    Problem::new(Code::StoreUnavailable, "core banking does not answer; try again")
}

/// After a failure to keep: a commit whose answer was lost may have kept the transfer, which then
/// is durable. A reservation without a transfer would never be released.
pub(super) async fn kept_after_all(
    app: &App,
    transfer: TransferId,
    problem: Problem,
) -> Result<Created, Problem> {
    match fetch(app, transfer).await {
        // Another request's, under the same UETR.
        Ok(row) if row.status != AWAITING && problem.lasting() => Err(problem),
        Ok(row) if row.status != AWAITING => Ok(Created::Durable(Box::new(row))),
        // It waits for approval as before.
        Ok(_) => {
            let _repeatable = app.banking.release(transfer).await;
            Err(problem)
        }
        Err(missing) => {
            if missing.is(Code::TransferNotFound) {
                let _repeatable = app.banking.release(transfer).await;
            }
            Err(problem)
        }
    }
}
