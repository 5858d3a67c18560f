//! A return: the creditor agent sends money of a settled transfer back, as a linked transfer of its own under its own quote.
use arrayvec::ArrayVec;
use ledger_proof::item::{Item, Link, Submit};
use ledger_types::{Currency, Money, PayoutMethod, Purpose, QuoteId, Rejection, TransferId, Uetr};
use services_runtime::trace;

use super::{
    Created,
    create::answer,
    reserve::{banking_failed, kept_after_all, reserve, set_aside_within},
};
use crate::{
    app::{App, enqueue},
    banking::Customer,
    clock,
    directory::decimal,
    legs::{self, Plan},
    measure,
    problem::{Code, Problem},
    quotes::{self, Asked, Fixed},
    sealing::random,
    store::{
        self,
        book::Movement,
        outbox::OutboxRow,
        quotes::{QuoteRow, quote_keep},
        transfers::{Line, New, Row, timeline_insert, transfer_insert},
    },
};

/// How long the return may wait in the outbox before the ledger refuses it.
const DEADLINE_MICROS: u64 = 60_000_000;
/// The field that names whose money is taken back.
const CREDITOR: &str = "creditor.account";

/// Returns an amount of an incoming transfer, in its settlement currency.
///
/// # Errors
/// When the transfer is not returnable by this gateway, or the ledger refuses.
pub async fn create(
    app: &App,
    (original, row): (TransferId, Row),
    amount: u64,
    reason: Purpose,
    uetr: Uetr,
) -> Result<Created, Problem> {
    returnable(&row)?;
    app.room()?;
    let network = app.directory.current(&app.ledger).await?;
    let corridor = u32::try_from(row.corridor).unwrap_or(0);
    let terms = network.corridor(ledger_types::CorridorId(corridor));
    let (terms, fees) = terms.ok_or_else(|| Problem::refused(Rejection::CorridorUnknown))?;
    // A return runs from the corridor's destination to its source.
    let (from, to) = (terms.destination_currency, terms.source_currency);
    let quote = if from == to {
        None
    } else {
        let fixed = Fixed::Source(amount);
        let asked = Asked { corridor: terms.corridor, source: from, destination: to, fixed };
        Some(quotes::quote_for(app, asked, uetr).await?)
    };
    let hops = quote.as_ref().map(quotes::hops).transpose()?.unwrap_or_default();
    let account = |owner, currency| {
        let unknown = || Problem::refused(Rejection::AccountUnknown);
        network.account(owner, currency).ok_or_else(unknown)
    };
    // No fee is taken of a return and none given back, payout fees included.
    let plain: Vec<_> = hops.iter().map(|hop| legs::Hop { payout_fee: 0, ..*hop }).collect();
    let plan = Plan {
        debtor_account: account(app.me, from)?,
        creditor_account: account(original.debtor_agent, to)?,
        currency: from,
        amount,
        hops: &plain,
        fees: &[],
    };
    let legs = legs::legs(&plan).map_err(|error| Problem::field("amount", &error.to_string()))?;
    let destination = hops.last().map_or(amount, |hop| hop.destination_amount);
    let item = Item::Return(Submit {
        nonce: random().map_err(|error| Problem::internal(&error))?,
        uetr,
        creditor_agent: original.debtor_agent,
        corridor: terms.corridor,
        single_phase: true,
        payout_method: row.payout_method.parse().unwrap_or(PayoutMethod::BankAccount),
        purpose: reason,
        deadline: clock::now().plus_micros(DEADLINE_MICROS),
        fee_schedule_version: fees.as_ref().map_or(0, |schedule| schedule.version),
        screening_policy_version: terms.screening_policy_version,
        blob_digest: [0; 32],
        commitment: [0; 32],
        quotes: hops.iter().map(|hop| hop.quote).collect::<ArrayVec<QuoteId, 2>>(),
        legs,
        links: [Link { uetr: original.uetr, amount }].into_iter().collect(),
        document_digests: ArrayVec::new(),
        sealed_for: ArrayVec::new(),
    });
    let transfer = TransferId { debtor_agent: app.me, uetr };
    // The original's too: cash is not paid out while it is being sent back.
    let turns = app.turns.take_all([original.uetr, uetr]).await;
    if !app.store.transfer_fetch(uetr, Some(app.me)).await?.is_empty() {
        return Err(Problem::refused(Rejection::UetrReused).of(uetr));
    }
    let facts = Facts { amount, from, destination, to, corridor, reason };
    let money = Money::new(amount, from);
    let aside = take_back(app, transfer, (original, &row), money).await?;
    let new = kept(transfer, original, &row, &facts, quote.as_ref());
    match keep(app, (&new, quote.as_slice()), &item, aside.as_ref()).await {
        Ok(sent) => {
            drop(turns);
            match answer(app, transfer, app.send(sent)).await {
                Err(problem) => Err(told_what_is_left(app, (original, &row), problem).await),
                done => done,
            }
        }
        Err(problem) => kept_after_all(app, transfer, problem).await,
    }
}

/// A refusal that says how much may be returned yet, where that is what is wrong.
async fn told_what_is_left(
    app: &App,
    (original, row): (TransferId, &Row),
    mut problem: Problem,
) -> Problem {
    if problem.code != Rejection::ReturnExceedsOriginal.code() {
        return problem;
    }
    match app.ledger.transfer(original).await {
        Ok(found) => {
            let left = row.settlement_amount().saturating_sub(found.returned);
            let network = app.directory.fresh();
            let left = decimal(network.as_deref(), left, &row.currency);
            problem.detail = format!(
                "amount: {left} {} of the original may be returned yet; ask for no more, with a \
                 new uetr",
                row.currency
            );
        }
        // The refusal stands without.
        Err(error) => tracing::warn!(%error, "transfer not read"),
    }
    problem
}

/// Sets aside what the creditor was credited with; nothing of cash and of transfers between
/// institutions, which never reached an account.
async fn take_back(
    app: &App,
    transfer: TransferId,
    (original, row): (TransferId, &Row),
    money: Money,
) -> Result<Option<Movement>, Problem> {
    let credited = app.banking.credited(original).await;
    if !credited.map_err(|error| banking_failed(&error))? {
        return Ok(None);
    }
    let Some(personal) = app.store.party_fetch(original).await? else { return Ok(None) };
    let account = personal.beneficiary.account.as_deref();
    let payout_method = row.payout_method.parse().unwrap_or(PayoutMethod::BankAccount);
    let creditor = Customer { account, payout_method, money };
    reserve(app, transfer, creditor, CREDITOR).await
}

async fn keep(
    app: &App,
    (new, quotes): (&New, &[QuoteRow]),
    item: &Item,
    aside: Option<&Movement>,
) -> Result<OutboxRow, Problem> {
    let transfer = new.transfer;
    let mut transaction = app.store.begin().await?;
    if transfer_insert(&mut transaction, std::slice::from_ref(new)).await?.is_empty() {
        return Err(Problem::refused(Rejection::UetrReused).of(transfer.uetr));
    }
    set_aside_within(&mut transaction, transfer, aside, CREDITOR).await?;
    quote_keep(&mut transaction, quotes).await?;
    timeline_insert(&mut transaction, &[Line::now(transfer, "received", "ACTC")]).await?;
    let sent = enqueue(&mut transaction, transfer, item, b"").await?;
    store::commit(transaction).await?;
    measure::reached(true, new.status);
    Ok(sent)
}

/// What a return is kept with.
struct Facts {
    amount: u64,
    from: Currency,
    destination: u64,
    to: Currency,
    corridor: u32,
    reason: Purpose,
}

fn returnable(row: &Row) -> Result<(), Problem> {
    if row.outgoing {
        return Err(Problem::refused(Rejection::NotParty));
    }
    if row.settled_at.is_none() || row.return_of.is_some() {
        return Err(Problem::refused(Rejection::OriginalNotReturnable));
    }
    if !row.booked {
        let detail = "uetr: the transfer is being credited; return it when that is done";
        return Err(Problem::new(Code::RequestInProgress, detail));
    }
    Ok(())
}

fn kept(
    transfer: TransferId,
    original: TransferId,
    row: &Row,
    facts: &Facts,
    quote: Option<&QuoteRow>,
) -> New {
    New {
        transfer,
        creditor_agent: original.debtor_agent,
        outgoing: true,
        return_of: Some(original.uetr),
        corridor: facts.corridor,
        status: "QUEUED",
        reason: None,
        refusal: None,
        instructed: Some((facts.amount, facts.from.to_string())),
        settlement: (facts.destination, facts.to.to_string()),
        reserved_amount: 0,
        payout_method: "bank_account",
        purpose: facts.reason.to_string(),
        end_to_end_id: row.end_to_end_id.clone(),
        quotes: quote.map(|row| row.id).into_iter().collect(),
        tracking_sha256: None,
        traceparent: trace::kept(),
    }
}
