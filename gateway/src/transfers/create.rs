//! From an order to a durable, signed submit: rules, screening, quote, reservation, sealing, in this order; nothing is sent that is not kept.
use std::time::Duration;

use arrayvec::ArrayVec;
use ledger_proof::{
    codec::Digest,
    item::{Item, Leg, Submit},
    operator::{SetCorridor, SetFeeSchedule},
};
use ledger_types::{
    AccountId, CorridorId, Currency, Money, ParticipantId, QuoteId, Rejection, Timestamp,
    TransferId,
};
use proto::convert::Network;
use serde_json::json;
use services_runtime::trace;
use tokio::sync::{OwnedMutexGuard, oneshot};
use uuid::Uuid;

use super::{
    Created,
    approve::{self, Approved},
    order::Order,
    pickup, refuse, reserve,
};
use crate::{
    app::{App, to_send},
    clock,
    directory::corridor_between,
    legs::{self, Hop, Plan},
    measure,
    personal::Personal,
    problem::{Code, Problem},
    quotes::{self, Asked, Fixed},
    screening::Verdict,
    sealing::{self, Sealed, random},
    store::{
        self,
        book::Movement,
        keep::Keep,
        leaving::Answer,
        outbox::{NewItem, outbox_insert},
        parties::{NewParty, party_replace, screening_insert},
        quotes::{QuoteRow, quote_keep, quote_return},
        transfers::{Line, New, Row, uuid},
    },
    tracking,
};

/// How long a caller waits before a durable transfer is answered with 202.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The ledger's deadline rules; ours only must not be earlier.
const DEADLINE_MARGIN_MICROS: u64 = 5_000_000;

/// What an order comes to under its corridor.
#[derive(Debug)]
pub struct Priced {
    pub(super) corridor: SetCorridor,
    fees: Option<SetFeeSchedule>,
    hops: Vec<Hop>,
    legs: ArrayVec<Leg, 8>,
    /// Its name at this gateway.
    quote: Option<Uuid>,
    /// What was asked for it and is not kept yet.
    fresh: Option<QuoteRow>,
    pub(super) source: Money,
    pub(super) destination: Money,
    pub(super) debtor_total: u64,
    /// Until when its quotes are good.
    pub submit_by: Option<Timestamp>,
}

/// A corridor and its fees.
pub type Terms = (SetCorridor, Option<SetFeeSchedule>);

/// An item that is ready to be kept, and the blob that goes with it.
#[derive(Debug)]
pub struct Draft {
    item: Item,
    blob: Option<Vec<u8>>,
    /// As it is sealed.
    personal: Personal,
}

/// Creates a transfer; a refusal is kept, so that GET shows it as RJCT.
///
/// # Errors
/// What refuses it, or why nothing was signed and kept.
pub async fn create(app: &App, order: &Order) -> Result<Created, Problem> {
    match attempt(app, order).await {
        Err(problem) if problem.lasting() && problem.uetr.is_none() => {
            let kept = refuse::keep(app, order, &problem).await?;
            // Else what a request that was cut off was keeping is kept now, and not refused.
            let problem = if kept { problem } else { Problem::refused(Rejection::UetrReused) };
            Err(problem.of(order.uetr))
        }
        other => other,
    }
}

async fn attempt(app: &App, order: &Order) -> Result<Created, Problem> {
    let turn = app.turns.take(order.uetr).await;
    // One that came meanwhile is found when this is kept; until then nothing outside is asked for it.
    let asks = order.quote.is_some() || app.banking.within().is_none();
    if (asks || !order.fresh)
        && !app.store.transfer_fetch(order.uetr, Some(app.me)).await?.is_empty()
    {
        return Err(Problem::refused(Rejection::UetrReused).of(order.uetr));
    }
    go_on(app, order, turn, None).await
}

/// Goes on with an order in its UETR's turn: a new one, or one that waited and is approved.
pub(super) async fn go_on(
    app: &App,
    order: &Order,
    turn: OwnedMutexGuard<()>,
    approved: Option<&Approved<'_>>,
) -> Result<Created, Problem> {
    let transfer = TransferId { debtor_agent: app.me, uetr: order.uetr };
    app.room()?;
    let network = app.directory.current(&app.ledger).await?;
    let terms = check(app, &network, order).await?;
    let priced = price(app, &network, order, terms).await?;
    match approved {
        None if approve::needed(app, &priced) => {
            return approve::park(app, transfer, order, &priced).await;
        }
        None => {}
        Some(approved) => approve::within(approved, &priced)?,
    }
    let aside = reserve::set_aside(app, order, &priced).await?;
    match sign_and_keep(app, &network, (order, &priced), (aside, approved)).await {
        Ok(sent) => {
            drop(turn);
            Ok(answer(app, transfer, sent).await?)
        }
        Err(problem) => reserve::kept_after_all(app, transfer, problem).await,
    }
}

/// Everything that can be said before a price is known; screening is done here.
///
/// # Errors
/// What refuses the order.
pub async fn check(app: &App, network: &Network, order: &Order) -> Result<Terms, Problem> {
    if order.creditor_agent == app.me {
        return Err(Problem::field("creditor_agent", "must be another participant"));
    }
    let transfer = TransferId { debtor_agent: app.me, uetr: order.uetr };
    let (corridor, fees) = corridor(app, network, order)?;
    check_terms(&corridor, order)?;
    if !corridor.institutional {
        screen(app, transfer, order).await?;
    }
    Ok((corridor, fees))
}

impl Priced {
    /// What core banking sets aside.
    #[must_use]
    pub fn reserved(&self) -> u64 {
        if self.corridor.institutional { 0 } else { self.debtor_total }
    }
}

fn corridor(app: &App, network: &Network, order: &Order) -> Result<Terms, Problem> {
    let unknown = || Problem::refused(Rejection::CorridorUnknown);
    let id = match (order.corridor, order.instructed, order.settlement) {
        (Some(number), _, _) => CorridorId(number),
        (None, Some(from), Some(to)) => {
            let pair = (from.currency, to.currency);
            corridor_between(network, app.me, order.creditor_agent, pair).ok_or_else(unknown)?
        }
        (None, from, to) => one_sided(
            network,
            (app.me, order.creditor_agent),
            (from.map(|money| money.currency), to.map(|money| money.currency)),
        )
        .ok_or_else(unknown)?,
    };
    network.corridor(id).cloned().ok_or_else(unknown)
}

/// The first corridor between two countries whose known currency fits.
#[must_use]
pub fn one_sided(
    network: &Network,
    (from, to): (ParticipantId, ParticipantId),
    (source, destination): (Option<Currency>, Option<Currency>),
) -> Option<CorridorId> {
    let currencies = |terms: &SetCorridor| (terms.source_currency, terms.destination_currency);
    let mut fits: Vec<_> = network
        .corridors
        .iter()
        .map(|(terms, _)| terms)
        .filter(|terms| source.is_none_or(|wanted| wanted == terms.source_currency))
        .filter(|terms| destination.is_none_or(|wanted| wanted == terms.destination_currency))
        .filter(|terms| !terms.institutional)
        .filter_map(|terms| corridor_between(network, from, to, currencies(terms)))
        .collect();
    fits.sort_unstable();
    fits.first().copied()
}

fn check_terms(corridor: &SetCorridor, order: &Order) -> Result<(), Problem> {
    if !corridor.purposes.is_empty() && !corridor.purposes.contains(&order.purpose) {
        return Err(Problem::refused(Rejection::PurposeNotAllowed));
    }
    let method = order.payout_method.bit();
    if !corridor.institutional && corridor.payout_methods & method == 0 {
        return Err(Problem::refused(Rejection::PayoutMethodNotAllowed));
    }
    let wrong = |money: Option<Money>, currency| money.is_some_and(|own| own.currency != currency);
    if wrong(order.instructed, corridor.source_currency)
        || wrong(order.settlement, corridor.destination_currency)
    {
        return Err(Problem::refused(Rejection::CurrencyMismatch));
    }
    match order.instructed.filter(|_| order.settlement.is_none()) {
        Some(source) => check_amount(corridor, order, source.minor_units),
        None => Ok(()),
    }
}

/// Limits and travel rules, which depend on the source amount.
fn check_amount(corridor: &SetCorridor, order: &Order, source: u64) -> Result<(), Problem> {
    if source < corridor.amount_min {
        return Err(Problem::refused(Rejection::AmountBelowMinimum));
    }
    if source > corridor.amount_max {
        return Err(Problem::refused(Rejection::AmountAboveMaximum));
    }
    let rules = corridor.travel_rules.iter().filter(|rule| source >= rule.from_amount);
    let required = rules.fold(0, |fields, rule| fields | rule.fields);
    let missing = order.personal.missing(required);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        Code::TravelRuleIncomplete,
        format!("{}: the corridor requires it for this amount; add it", missing.join(", ")),
    ))
}

/// A hit and a failure look alike outside: the reason must not tip anybody off.
async fn screen(app: &App, transfer: TransferId, order: &Order) -> Result<(), Problem> {
    let (outcome, detail) = match app.screening.screen(&order.personal.names()) {
        Ok(Verdict::Clear) => return Ok(()),
        Ok(Verdict::Hits(hits)) => ("hit", json!(hits)),
        Err(failure) => ("unavailable", json!({ "failure": failure.0 })),
    };
    let mut transaction = app.store.begin().await?;
    screening_insert(&mut transaction, transfer, outcome, detail).await?;
    store::commit(transaction).await?;
    measure::screened(true, outcome);
    Err(Problem::new(Code::ScreeningRefused, "the transfer can't be sent"))
}

/// Quotes an order unless it names a quote, and reckons what is debited.
///
/// # Errors
/// What refuses it, or why there is no quote.
pub async fn price(
    app: &App,
    network: &Network,
    order: &Order,
    (corridor, fees): Terms,
) -> Result<Priced, Problem> {
    let quote = quote(app, order, &corridor).await?;
    let hops = quote.as_ref().map(quotes::hops).transpose()?.unwrap_or_default();
    let (from, to) = (corridor.source_currency, corridor.destination_currency);
    let plain = order.settlement.or(order.instructed).map_or(0, |money| money.minor_units);
    let account = |owner, currency| -> Result<AccountId, Problem> {
        let unknown = || Problem::refused(Rejection::AccountUnknown);
        network.account(owner, currency).ok_or_else(unknown)
    };
    let plan = Plan {
        debtor_account: account(app.me, from)?,
        creditor_account: account(order.creditor_agent, to)?,
        currency: from,
        amount: plain,
        hops: &hops,
        fees: fees.as_ref().map_or(&[], |schedule| schedule.fees.as_slice()),
    };
    let legs = legs::legs(&plan).map_err(|error| Problem::field("quote", &error.to_string()))?;
    let source = hops.first().map_or(plain, |hop| hop.source_amount);
    let destination = hops.last().map_or(plain, |hop| hop.destination_amount);
    check_amount(&corridor, order, source)?;
    let debtor_total = source.saturating_add(legs::debtor_fees(&legs, plan.debtor_account));
    let most = order.instructed.filter(|_| order.settlement.is_some());
    if most.is_some_and(|most| debtor_total > most.minor_units) {
        let detail = "instructed_amount: the settlement amount and its fees cost more; raise it \
            or quote anew";
        return Err(Problem::new(Code::DebitLimitExceeded, detail));
    }
    Ok(Priced {
        submit_by: quote.as_ref().map(|row| clock::from_calendar(row.submit_by)),
        quote: quote.as_ref().map(|row| row.id),
        fresh: quote.filter(|_| order.quote.is_none()),
        debtor_total,
        source: Money::new(source, from),
        destination: Money::new(destination, to),
        corridor,
        fees,
        hops,
        legs,
    })
}

/// The quote named in the order if it fits, else a new one; none within one currency.
async fn quote(
    app: &App,
    order: &Order,
    corridor: &SetCorridor,
) -> Result<Option<QuoteRow>, Problem> {
    let Some(id) = order.quote else {
        if corridor.source_currency == corridor.destination_currency {
            return Ok(None);
        }
        let fixed = match (order.settlement, order.instructed) {
            (Some(settlement), _) => Fixed::Destination(settlement.minor_units),
            (None, Some(instructed)) => Fixed::Source(instructed.minor_units),
            (None, None) => return Err(Problem::field("instructed_amount", "must be given")),
        };
        let asked = Asked {
            corridor: corridor.corridor,
            source: corridor.source_currency,
            destination: corridor.destination_currency,
            fixed,
        };
        return quotes::quote_for(app, asked, order.uetr).await.map(Some);
    };
    let unknown = || Problem::new(Code::QuoteNotFound, "quote: ask this gateway for a new one");
    let row = app.store.quote_fetch(id).await?.ok_or_else(unknown)?;
    if row.corridor != i64::from(corridor.corridor.0) {
        return Err(Problem::refused(Rejection::QuoteNotYours));
    }
    if clock::from_calendar(row.submit_by) < clock::now() {
        return Err(Problem::refused(Rejection::QuoteExpired));
    }
    let differs = |own: i64, given: Option<Money>| {
        given.is_some_and(|money| i64::try_from(money.minor_units) != Ok(own))
    };
    let exact = order.instructed.filter(|_| order.settlement.is_none());
    if differs(row.destination_amount, order.settlement) || differs(row.source_amount, exact) {
        return Err(Problem::refused(Rejection::QuoteAmountMismatch));
    }
    // The ledger knows the price and how much there is of it in all: one use each is our promise.
    if !app.store.quote_take(id, uuid(order.uetr)).await? {
        return Err(Problem::refused(Rejection::QuoteOverdrawn));
    }
    Ok(Some(row))
}

/// Gives back the quote that an order names, if it took it, where no transfer of its UETR is sent at it: within
/// what decides that, or in the UETR's turn.
///
/// # Errors
/// When the statement fails.
pub async fn return_quote(
    connection: &mut store::Connection,
    order: &Order,
) -> Result<(), store::Error> {
    match order.quote {
        Some(id) => quote_return(connection, id, uuid(order.uetr)).await,
        None => Ok(()),
    }
}

/// The personal data, sealed for both agents and the corridor's regulator.
fn seal(
    app: &App,
    network: &Network,
    (order, personal): (&Order, &Personal),
    corridor: &SetCorridor,
) -> Result<Option<Sealed>, Problem> {
    if corridor.institutional {
        return Ok(None);
    }
    let readers = [order.creditor_agent, app.me, corridor.regulator];
    let mut keys: Vec<Digest> = Vec::new();
    for reader in readers.into_iter().filter(|reader| *reader != ParticipantId::OPERATOR) {
        let own = network.participant(reader).and_then(|row| row.sealing_keys.first());
        let own = own.ok_or_else(|| Problem::refused(Rejection::SealingKeyMissing))?;
        if !keys.contains(own) {
            keys.push(*own);
        }
    }
    let plaintext = serde_json::to_vec(personal).map_err(|error| Problem::internal(&error))?;
    match sealing::seal(&plaintext, &keys) {
        Ok(sealed) => Ok(Some(sealed)),
        Err(sealing::Error::TooLarge) => {
            let detail = "debtor, creditor: shorten addresses and texts to fit 4 KiB";
            Err(Problem::new(Code::SealedDataTooLarge, detail))
        }
        Err(error) => Err(Problem::internal(&error)),
    }
}

async fn sign_and_keep(
    app: &App,
    network: &Network,
    (order, priced): (&Order, &Priced),
    (aside, approved): (Option<Movement>, Option<&Approved<'_>>),
) -> Result<oneshot::Receiver<Answer>, Problem> {
    let draft = draft(app, network, order, priced)?;
    let answer = match approved {
        Some(approved) => release(app, (order, priced), (draft, aside), approved).await?,
        None => {
            let keep = to_keep(app, (order, priced), (draft, aside));
            let kept = app.store.transfer_keep(keep).await?;
            let kept = kept.map_err(|reason| reserve::refused(reserve::DEBTOR, reason))?;
            kept.ok_or_else(|| Problem::refused(Rejection::UetrReused).of(order.uetr))?.answer
        }
    };
    measure::reached(true, "QUEUED");
    app.tracking.changed(TransferId { debtor_agent: app.me, uetr: order.uetr });
    Ok(answer)
}

/// The item of an order, its personal data sealed.
///
/// # Errors
/// When it cannot be sealed.
pub fn draft(
    app: &App,
    network: &Network,
    order: &Order,
    priced: &Priced,
) -> Result<Draft, Problem> {
    let corridor = &priced.corridor;
    let transfer = TransferId { debtor_agent: app.me, uetr: order.uetr };
    let personal = pickup::sealed(app, transfer, order.payout_method, &order.personal)?;
    let sealed = seal(app, network, (order, &personal), corridor)?;
    let item = Item::Submit(Submit {
        nonce: random().map_err(|error| Problem::internal(&error))?,
        uetr: order.uetr,
        creditor_agent: order.creditor_agent,
        corridor: corridor.corridor,
        single_phase: corridor.institutional,
        payout_method: order.payout_method,
        purpose: order.purpose,
        deadline: clock::now().plus_micros(corridor.hold_micros + DEADLINE_MARGIN_MICROS),
        fee_schedule_version: priced.fees.as_ref().map_or(0, |schedule| schedule.version),
        screening_policy_version: corridor.screening_policy_version,
        blob_digest: sealed.as_ref().map_or([0; 32], |sealed| sealed.blob_digest),
        commitment: sealed.as_ref().map_or([0; 32], |sealed| sealed.commitment),
        quotes: priced.hops.iter().map(|hop| hop.quote).collect::<ArrayVec<QuoteId, 2>>(),
        legs: priced.legs.clone(),
        links: ArrayVec::new(),
        document_digests: ArrayVec::new(),
        sealed_for: sealed.as_ref().map(|sealed| sealed.sealed_for.clone()).unwrap_or_default(),
    });
    Ok(Draft { item, blob: sealed.map(|sealed| sealed.blob), personal })
}

/// A new transfer with all that is kept of it.
#[must_use]
pub fn to_keep(
    app: &App,
    (order, priced): (&Order, &Priced),
    (draft, set_aside): (Draft, Option<Movement>),
) -> Keep {
    let transfer = TransferId { debtor_agent: app.me, uetr: order.uetr };
    Keep {
        new: new_row(app, transfer, order, priced),
        key: order.key.clone(),
        quote: priced.fresh.clone(),
        set_aside,
        party: NewParty::open(transfer, draft.personal),
        line: Line::now(transfer, "received", "ACTC"),
        item: NewItem { blob: draft.blob, ..to_send(transfer, &draft.item, b"") },
    }
}

/// Keeps the item of a transfer that waited, in the SQL transaction that ends its approval.
async fn release(
    app: &App,
    (order, priced): (&Order, &Priced),
    (draft, aside): (Draft, Option<Movement>),
    approved: &Approved<'_>,
) -> Result<oneshot::Receiver<Answer>, Problem> {
    let transfer = TransferId { debtor_agent: app.me, uetr: order.uetr };
    let new = new_row(app, transfer, order, priced);
    let mut transaction = app.store.begin().await?;
    approve::released(app, &mut transaction, &new, approved).await?;
    let of = aside.as_ref();
    reserve::set_aside_within(&mut transaction, transfer, of, reserve::DEBTOR).await?;
    quote_keep(&mut transaction, priced.fresh.as_slice()).await?;
    // A cash pickup has its code's digest only now that it is sealed.
    party_replace(&mut transaction, transfer, &draft.personal).await?;
    let item = NewItem { blob: draft.blob, ..to_send(transfer, &draft.item, b"") };
    let mut rows = outbox_insert(&mut transaction, &[item]).await?;
    store::commit(transaction).await?;
    let row = rows.pop().ok_or(store::Error::Unanswered)?;
    Ok(app.send(row))
}

pub(super) fn new_row(app: &App, transfer: TransferId, order: &Order, priced: &Priced) -> New {
    let token = tracking::token(&app.sealing_key, transfer);
    New {
        transfer,
        creditor_agent: order.creditor_agent,
        outgoing: true,
        return_of: None,
        corridor: priced.corridor.corridor.0,
        status: "QUEUED",
        reason: None,
        refusal: None,
        instructed: Some((priced.source.minor_units, priced.source.currency.to_string())),
        settlement: (priced.destination.minor_units, priced.destination.currency.to_string()),
        reserved_amount: priced.reserved(),
        payout_method: order.payout_method.as_str(),
        purpose: order.purpose.to_string(),
        end_to_end_id: order.personal.end_to_end_id.clone(),
        quotes: priced.quote.into_iter().collect(),
        tracking_sha256: Some(tracking::digest(&token).to_vec()),
        traceparent: trace::kept(),
    }
}

/// Waits for the ledger's word, but not for ever: what is durable is answered.
pub(super) async fn answer(
    app: &App,
    transfer: TransferId,
    sent: oneshot::Receiver<Answer>,
) -> Result<Created, Problem> {
    let answer = tokio::time::timeout(PATIENCE, sent).await;
    let row = fetch(app, transfer).await?;
    match answer {
        Ok(Ok(Answer::Outcome(outcome))) => match outcome.rejection {
            Some(rejection) => {
                Err(Problem::refused(rejection).of(transfer.uetr).recorded(outcome.sequence))
            }
            None if row.status == "BURNED" => {
                Err(Problem::refused(Rejection::TransferBurned).of(transfer.uetr))
            }
            None => Ok(Created::Recorded(Box::new(row))),
        },
        Ok(Ok(Answer::NotTaken(why))) => {
            Err(Problem::new(Code::LedgerRefusedRequest, why).of(transfer.uetr))
        }
        Ok(Err(_)) | Err(_) => Ok(Created::Durable(Box::new(row))),
    }
}

pub(super) async fn fetch(app: &App, transfer: TransferId) -> Result<Row, Problem> {
    let rows = app.store.transfer_fetch(transfer.uetr, Some(transfer.debtor_agent)).await?;
    let missing = || Problem::new(Code::TransferNotFound, "uetr: this gateway knows it not");
    rows.into_iter().next().ok_or_else(missing)
}
