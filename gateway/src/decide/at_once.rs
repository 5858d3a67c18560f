//! What is done in the SQL transaction that learns of it: plain transfers are accepted, and the store's own book is moved; whatever has to be weighed or asked elsewhere is attended to one by one.
use std::collections::{HashMap, HashSet};

use ledger_proof::item::{Accept, Item};
use ledger_types::{Money, PayoutMethod, ShortText, TransferId};
use services_runtime::trace::{Kind, Span, now_micros};

use super::{confirmed, credited, customer, is_scripted};
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
        book::End,
        changes::{Change, Changed},
        keep::{Booked, Decide, booked, decide},
        leaving::Sent,
        outbox::NewItem,
        parties::transfer_payees,
        transfers::New,
    },
};

/// Whether nothing but the account is left to be asked after: nobody decides by hand, and screening finds
/// nothing.
#[must_use]
pub fn plain(app: &App, new: &New, personal: &Personal) -> bool {
    app.decision == Decision::Automatic
        && app.banking.within().is_some()
        && new.return_of.is_none()
        && !is_scripted(app, new.settlement.0)
        && matches!(app.screening.screen(&personal.names()), Ok(Verdict::Clear))
}

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    /// Of which transfers.
    pub of: HashSet<TransferId>,
    /// On its way to the ledger.
    pub sent: Vec<Sent>,
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
) -> Result<Done, Error> {
    let Some(book) = app.banking.within() else { return Ok(Done::default()) };
    let creditors = learned.iter().filter_map(|(new, personal)| creditor(new, personal));
    let (transfers, customers): (Vec<TransferId>, Vec<Customer<'_>>) = creditors.unzip();
    if customers.is_empty() {
        return Ok(Done::default());
    }
    let begun = now_micros();
    let creditable = book.creditable(connection, &customers).await.map_err(Error::Store)?;
    let (mut all, mut spans) = (Vec::new(), HashMap::new());
    for (transfer, creditable) in transfers.into_iter().zip(creditable) {
        if creditable {
            let span = span(app, transfer, "transfer.decide", begun);
            let item = within(&span, accepted(transfer)?);
            all.push(Decide { word: "accept", item });
            spans.insert(transfer, span);
        }
    }
    let sent = decide(connection, all).await.map_err(Error::Store)?;
    spans.retain(|transfer, _| sent.contains_key(transfer));
    Ok(Done {
        of: sent.keys().copied().collect(),
        sent: sent.into_values().collect(),
        spans: spans.into_values().collect(),
    })
}

/// Whether what is left of a transfer that changed is done where that is learned: what is set aside for one of
/// ours is taken or given back, and of one to us that came to nothing nothing is moved.
#[must_use]
pub fn books(app: &App, incoming: bool, change: &Change) -> bool {
    let over = ends(change) || (settles(change) && !incoming);
    over && app.banking.within().is_some()
}

/// Moves the money of transfers that came to their end, where that is the store's own book's, and tells of
/// credits. Money that comes back or waits for who picks it up is left to be attended to.
///
/// # Errors
/// When a statement fails, or the system gives no randomness.
pub async fn book(
    app: &App,
    connection: &mut Connection,
    changes: &[Changed],
) -> Result<Done, Error> {
    let Some(book) = app.banking.within() else { return Ok(Done::default()) };
    let begun = now_micros();
    let over = changes.iter().filter(|own| books(app, !own.outgoing, &own.change));
    let over: Vec<&Changed> = over.collect();
    let ended: Vec<(TransferId, End)> = over.iter().filter_map(|own| end(own)).collect();
    let settled = changes.iter().filter(|own| !own.outgoing && settles(&own.change));
    let settled = settled.map(|own| own.transfer).collect();
    let payees = transfer_payees(connection, settled).await.map_err(Error::Store)?;
    let credits = payees.iter().filter_map(|(row, personal)| {
        let account = row.return_of.is_none() && row.payout_method != CASH;
        Some((row.transfer().filter(|_| account)?, customer(row, personal)?))
    });
    let credits: Vec<(TransferId, Customer<'_>)> = credits.collect();
    let done = book.book(connection, &ended, &credits).await.map_err(Error::Store)?;
    let mut of: Vec<TransferId> = over.into_iter().map(|own| own.transfer).collect();
    let mut spans: Vec<Span> = of.iter().map(|id| span(app, *id, "transfer.book", begun)).collect();
    let mut all = Vec::with_capacity(credits.len());
    for ((transfer, _), done) in credits.into_iter().zip(done) {
        let span = span(app, transfer, "transfer.book", begun);
        let nonce = random().map_err(|_| Error::Randomness)?;
        let item = within(&span, confirmed(transfer, credited(transfer, done), nonce));
        all.push(Booked { transfer, item: Some(item) });
        of.push(transfer);
        spans.push(span);
    }
    let sent = booked(connection, &all).await.map_err(Error::Store)?;
    Ok(Done { of: of.into_iter().collect(), sent: sent.into_values().collect(), spans })
}

/// Whose creditor has no account.
const CASH: &str = PayoutMethod::CashPickup.as_str();

const fn settles(change: &Change) -> bool {
    matches!(change, Change::Settled)
}

const fn ends(change: &Change) -> bool {
    matches!(change, Change::Ended { .. })
}

/// What becomes of the money that is set aside for a transfer of ours.
fn end(changed: &Changed) -> Option<(TransferId, End)> {
    let end = if settles(&changed.change) { End::Captured } else { End::Released };
    changed.outgoing.then_some((changed.transfer, end))
}

fn span(app: &App, transfer: TransferId, name: &'static str, begun: u64) -> Span {
    let root = app.life(transfer);
    Span::new(root.child(), name, Kind::Internal, begun).child_of(root)
}

/// An item that is sent within a span.
fn within(span: &Span, item: NewItem) -> NewItem {
    let traceparent = span.context.sampled().then(|| span.context.traceparent());
    NewItem { traceparent, ..item }
}

fn creditor<'a>(new: &New, personal: &'a Personal) -> Option<(TransferId, Customer<'a>)> {
    let customer = Customer {
        account: personal.beneficiary.account.as_deref(),
        payout_method: new.payout_method.parse().unwrap_or(PayoutMethod::BankAccount),
        money: Money::new(new.settlement.0, new.settlement.1.parse().ok()?),
    };
    Some((new.transfer, customer))
}

fn accepted(transfer: TransferId) -> Result<NewItem, Error> {
    let TransferId { debtor_agent, uetr } = transfer;
    let nonce = random().map_err(|_| Error::Randomness)?;
    let accept = Item::Accept(Accept { nonce, debtor_agent, uetr, reference: ShortText::EMPTY });
    Ok(to_send(transfer, &accept, b""))
}
