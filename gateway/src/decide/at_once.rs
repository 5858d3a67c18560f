//! Transfers that are accepted in the SQL transaction that learns of them, since there is nothing to weigh; all others are attended to one by one.
use std::collections::HashMap;

use ledger_proof::item::{Accept, Item};
use ledger_types::{Money, PayoutMethod, ShortText, TransferId};
use services_runtime::trace::{Kind, Span, now_micros};

use super::is_scripted;
use crate::{
    Error,
    app::{App, to_send},
    banking::Customer,
    personal::Personal,
    screening::Verdict,
    sealing::random,
    settings::Decision,
    store::{
        Connection,
        keep::{Decide, decide},
        leaving::Sent,
        outbox::NewItem,
        transfers::New,
    },
};

/// Whether nothing but the account is left to be asked after: nobody decides by hand, and screening finds
/// nothing.
#[must_use]
pub fn plain(app: &App, new: &New, personal: &Personal) -> bool {
    app.decision == Decision::Automatic
        && app.banking.is_within()
        && new.return_of.is_none()
        && !is_scripted(app, new.settlement.0)
        && matches!(app.screening.screen(&personal.names()), Ok(Verdict::Clear))
}

/// What was accepted.
#[derive(Debug, Default)]
pub struct Accepted {
    /// On its way to the ledger.
    pub sent: HashMap<TransferId, Sent>,
    /// To be told once it is committed.
    pub spans: Vec<Span>,
}

/// Accepts those of some plain transfers whose creditor can be credited.
///
/// # Errors
/// When a statement fails, or the system gives no randomness.
pub async fn accept(
    app: &App,
    connection: &mut Connection,
    learned: &[(&New, Personal)],
) -> Result<Accepted, Error> {
    let creditors = learned.iter().filter_map(|(new, personal)| creditor(new, personal));
    let (transfers, customers): (Vec<TransferId>, Vec<Customer<'_>>) = creditors.unzip();
    if customers.is_empty() {
        return Ok(Accepted::default());
    }
    let begun = now_micros();
    let creditable = app.banking.creditable(connection, &customers).await.map_err(Error::Store)?;
    let (mut all, mut spans) = (Vec::new(), Vec::new());
    for (transfer, creditable) in transfers.into_iter().zip(creditable) {
        if creditable {
            let root = app.life(transfer);
            let span = Span::new(root.child(), "transfer.decide", Kind::Internal, begun);
            all.push(accepted(transfer, &span)?);
            spans.push((transfer, span.child_of(root)));
        }
    }
    let sent = decide(connection, all).await.map_err(Error::Store)?;
    spans.retain(|(transfer, _)| sent.contains_key(transfer));
    Ok(Accepted { sent, spans: spans.into_iter().map(|(_, span)| span).collect() })
}

fn creditor<'a>(new: &New, personal: &'a Personal) -> Option<(TransferId, Customer<'a>)> {
    let customer = Customer {
        account: personal.beneficiary.account.as_deref(),
        payout_method: new.payout_method.parse().unwrap_or(PayoutMethod::BankAccount),
        money: Money::new(new.settlement.0, new.settlement.1.parse().ok()?),
    };
    Some((new.transfer, customer))
}

fn accepted(transfer: TransferId, span: &Span) -> Result<Decide, Error> {
    let TransferId { debtor_agent, uetr } = transfer;
    let nonce = random().map_err(|_| Error::Randomness)?;
    let accept = Item::Accept(Accept { nonce, debtor_agent, uetr, reference: ShortText::EMPTY });
    let traceparent = span.context.sampled().then(|| span.context.traceparent());
    let item = NewItem { traceparent, ..to_send(transfer, &accept, b"") };
    Ok(Decide { word: "accept", item })
}
