//! Keeps what this gateway refused before the ledger, so that the refusal stays the answer; it signs nothing.
use ledger_types::TransferId;
use services_runtime::trace;

use super::{create::return_quote, order::Order};
use crate::{
    app::App,
    measure,
    problem::Problem,
    store::{
        self,
        keys::key_insert,
        parties::{NewParty, party_insert},
        transfers::{Line, New, timeline_insert, transfer_insert},
    },
};

/// Inserts the transfer as REJECTED; false when its identity is taken.
///
/// # Errors
/// When the store fails.
pub async fn keep(app: &App, order: &Order, problem: &Problem) -> Result<bool, Problem> {
    let transfer = TransferId { debtor_agent: app.me, uetr: order.uetr };
    let shown = order.settlement.or(order.instructed);
    let new = New {
        transfer,
        creditor_agent: order.creditor_agent,
        outgoing: true,
        return_of: None,
        corridor: order.corridor.unwrap_or(0),
        status: "REJECTED",
        reason: Some(problem.reason.to_string()),
        refusal: Some(problem.code.to_owned()),
        instructed: order.instructed.map(|own| (own.minor_units, own.currency.to_string())),
        settlement: (
            shown.map_or(0, |money| money.minor_units),
            shown.map_or_else(|| "XXX".to_owned(), |money| money.currency.to_string()),
        ),
        reserved_amount: 0,
        payout_method: order.payout_method.as_str(),
        purpose: order.purpose.to_string(),
        end_to_end_id: order.personal.end_to_end_id.clone(),
        quotes: order.quote.into_iter().collect(),
        tracking_sha256: None,
        traceparent: trace::kept(),
    };
    let mut transaction = app.store.begin().await?;
    if transfer_insert(&mut transaction, std::slice::from_ref(&new)).await?.is_empty() {
        return Ok(false);
    }
    key_insert(&mut transaction, order.key.as_ref()).await?;
    let party = NewParty::open(transfer, order.personal.clone());
    party_insert(&mut transaction, &[party]).await?;
    return_quote(&mut transaction, order).await?;
    let line = Line::now(transfer, "rejected", "RJCT").because(problem.reason.as_str());
    timeline_insert(&mut transaction, &[line]).await?;
    store::commit(transaction).await?;
    measure::reached(true, new.status);
    Ok(true)
}
