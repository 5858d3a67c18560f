//! Whether a kept transfer is of the very same order: what may be answered as it stands, and what reuses a UETR.
use ledger_types::{Money, Rejection, TransferId};

use super::order::Order;
use crate::{
    app::App,
    personal::Personal,
    problem::{Code, Problem},
    store::transfers::Row,
};

/// What this UETR is already known by: the transfer if it has this content, else its refusal.
///
/// # Errors
/// When the store fails.
pub async fn known(app: &App, order: &Order) -> Result<Option<Result<Row, Problem>>, Problem> {
    let transfer = TransferId { debtor_agent: app.me, uetr: order.uetr };
    let rows = app.store.transfer_fetch(order.uetr, Some(app.me)).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let personal = app.store.party_fetch(transfer).await?;
    // The code of a cash pickup is made here, not given.
    let given = |kept: Personal| Personal { pickup: None, ..kept };
    let same =
        personal.is_some_and(|kept| given(kept) == order.personal) && same_terms(&row, order);
    let reused = || Problem::refused(Rejection::UetrReused).of(order.uetr);
    Ok(Some(if same { Ok(row) } else { Err(reused()) }))
}

/// Whether a kept transfer is of this order; the most that may be debited is no part of what moved.
fn same_terms(row: &Row, order: &Order) -> bool {
    let settlement = |money: Money| {
        row.settlement_amount() == money.minor_units && row.currency == money.currency.as_str()
    };
    let quote = |quote| row.quotes.first() == Some(&quote);
    row.creditor_agent == i64::from(order.creditor_agent.0)
        && row.payout_method == order.payout_method.as_str()
        && row.purpose == order.purpose.as_str()
        && order.settlement.is_none_or(settlement)
        && order.quote.is_none_or(quote)
}

/// The refusal of a transfer that was first answered with 202, or whose first answer was lost.
#[must_use]
pub fn refused(row: &Row) -> Option<Problem> {
    let code = row.refusal.as_deref()?;
    let problem = match Rejection::ALL.iter().find(|rejection| rejection.code() == code) {
        Some(rejection) => Problem::refused(*rejection),
        None => {
            let own = Code::ALL.iter().find(|own| own.name() == code)?;
            Problem::new(*own, "the first request was refused; make a new transfer")
        }
    };
    let problem = problem.of(row.transfer()?.uetr);
    Some(match row.record.and_then(|record| u64::try_from(record).ok()) {
        Some(record) => problem.recorded(record),
        None => problem,
    })
}
