//! Asks liquidity banks for firm quotes: one hop when a bank serves the pair, else two through a bridge currency; it prices nothing itself.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::store::Json;
use ledger_types::{AccountId, CorridorId, Currency, ParticipantId, QuoteId, Timestamp, Uetr};
use proto::fx::{
    ListPairsRequest, Pair, RequestQuoteRequest, RequestQuoteResponse,
    quoting_client::QuotingClient,
};
use proto::trace::TRACEPARENT_KEY;
use services_runtime::trace;
use tokio::sync::Mutex;
use tonic::{Code as GrpcCode, Status, transport::Channel};
use uuid::Uuid;

use crate::{
    app::App,
    clock,
    legs::Hop,
    measure,
    problem::{Code, Problem},
    sealing::random,
    store::{
        quotes::{QuoteRow, StoredHop},
        transfers::uuid,
    },
};

/// Metadata in which a quoting service names its refusal.
const CODE_KEY: &str = "causeway-code";

/// Which side of a quote is fixed, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixed {
    /// What the debtor is debited.
    Source(u64),
    /// What the creditor agent gets.
    Destination(u64),
}

/// What a quote is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// In which corridor.
    pub corridor: CorridorId,
    /// The currency debited.
    pub source: Currency,
    /// The currency credited.
    pub destination: Currency,
    /// The side that is fixed.
    pub fixed: Fixed,
}

/// How long a bank's list of pairs is good; whether it quotes one is said by the quote.
const PAIRS_KEPT: Duration = Duration::from_secs(1);

/// The quoting service of a liquidity bank.
#[derive(Debug)]
pub struct Quoter {
    bank: ParticipantId,
    client: QuotingClient<Channel>,
    pairs: Mutex<Option<(Instant, Arc<[Pair]>)>>,
}

impl Quoter {
    /// Of a bank, over a channel to it.
    #[must_use]
    pub fn new(bank: ParticipantId, channel: Channel) -> Self {
        Self { bank, client: QuotingClient::new(channel), pairs: Mutex::default() }
    }

    /// What it serves, asked at most once in a while; all who want to know wait for one answer.
    async fn pairs(&self) -> Result<Arc<[Pair]>, Status> {
        let mut known = self.pairs.lock().await;
        if let Some((at, pairs)) = &*known
            && at.elapsed() < PAIRS_KEPT
        {
            return Ok(Arc::clone(pairs));
        }
        let answer = self.client.clone().list_pairs(ListPairsRequest {}).await?;
        let pairs: Arc<[Pair]> = answer.into_inner().pairs.into();
        *known = Some((Instant::now(), Arc::clone(&pairs)));
        Ok(pairs)
    }
}

/// One bank's offer to change one currency into another.
#[derive(Clone, Debug)]
struct Served {
    quoter: Arc<Quoter>,
    pair: Pair,
}

/// The best quote that any chain gives, kept in the store for whoever names it first.
///
/// # Errors
/// When no bank quotes, with the last bank's reason.
pub async fn quote(app: &App, asked: Asked) -> Result<QuoteRow, Problem> {
    let row = ask(app, asked, None).await?;
    app.store.quote_insert(row.clone()).await?;
    Ok(row)
}

/// The same for one transfer, which is kept with its quote.
///
/// # Errors
/// When there is none.
pub async fn quote_for(app: &App, asked: Asked, uetr: Uetr) -> Result<QuoteRow, Problem> {
    ask(app, asked, Some(uuid(uetr))).await
}

async fn ask(app: &App, asked: Asked, used_by: Option<Uuid>) -> Result<QuoteRow, Problem> {
    let served = served(app, asked.corridor).await?;
    let mut best: Option<QuoteRow> = None;
    let mut failure = None;
    for chain in chains(&served, asked) {
        match chain_quote(app, &chain, asked).await {
            Ok(row) if best.as_ref().is_none_or(|best| better(&row, best, asked.fixed)) => {
                best = Some(row);
            }
            Ok(_) => {}
            Err(problem) => failure = Some(problem),
        }
    }
    let none = || Problem::new(Code::QuoteUnavailable, "no liquidity bank serves this pair");
    let best = best.ok_or_else(|| failure.unwrap_or_else(none))?;
    Ok(QuoteRow { used_by, ..best })
}

/// Every pair that some bank serves in the corridor.
async fn served(app: &App, corridor: CorridorId) -> Result<Vec<Served>, Problem> {
    let mut served = Vec::new();
    let mut answers = app.fx.is_empty();
    for quoter in &app.fx {
        match quoter.pairs().await {
            Ok(pairs) => {
                answers = true;
                let own = pairs.iter().filter(|pair| pair.corridor == corridor.0).cloned();
                served.extend(own.map(|pair| Served { quoter: Arc::clone(quoter), pair }));
            }
            Err(status) => tracing::warn!(bank = %quoter.bank, code = ?status.code(), "no pairs"),
        }
    }
    if answers {
        return Ok(served);
    }
    Err(Problem::new(Code::LedgerUnavailable, "no quoting service answers; try again"))
}

/// Direct pairs if there are any, else pairs that meet in a bridge currency.
fn chains(served: &[Served], asked: Asked) -> Vec<Vec<Served>> {
    let (source, destination) = (asked.source.as_str(), asked.destination.as_str());
    let direct: Vec<_> = served
        .iter()
        .filter(|row| {
            row.pair.source_currency == source && row.pair.destination_currency == destination
        })
        .map(|row| vec![row.clone()])
        .collect();
    if !direct.is_empty() {
        return direct;
    }
    let mut crossed = Vec::new();
    for one in served.iter().filter(|row| row.pair.source_currency == source) {
        for two in served.iter().filter(|row| row.pair.destination_currency == destination) {
            if one.pair.destination_currency == two.pair.source_currency {
                crossed.push(vec![one.clone(), two.clone()]);
            }
        }
    }
    crossed
}

/// Quotes along a chain, from its fixed end.
async fn chain_quote(app: &App, chain: &[Served], asked: Asked) -> Result<QuoteRow, Problem> {
    let mut hops = Vec::with_capacity(chain.len());
    match asked.fixed {
        Fixed::Source(mut amount) => {
            for (at, row) in chain.iter().enumerate() {
                let last = at + 1 == chain.len();
                let hop = hop(app, row, asked.corridor, Fixed::Source(amount), last).await?;
                amount = hop.destination_amount;
                hops.push(hop);
            }
        }
        Fixed::Destination(mut amount) => {
            for (at, row) in chain.iter().enumerate().rev() {
                let last = at + 1 == chain.len();
                let hop = hop(app, row, asked.corridor, Fixed::Destination(amount), last).await?;
                amount = hop.source_amount;
                hops.insert(0, hop);
            }
        }
    }
    let (Some(first), Some(last)) = (hops.first(), hops.last()) else {
        return Err(Problem::new(Code::QuoteUnavailable, "no liquidity bank serves this pair"));
    };
    let range = |units: u64| {
        i64::try_from(units).map_err(|_| Problem::field("amount", "exceeds the range"))
    };
    let submit_by = hops.iter().map(|hop| hop.submit_by_micros).min().unwrap_or(0);
    Ok(QuoteRow {
        id: Uuid::from_bytes(random().map_err(|error| Problem::internal(&error))?),
        corridor: i64::from(asked.corridor.0),
        source_currency: asked.source.to_string(),
        source_amount: range(first.source_amount)?,
        destination_currency: asked.destination.to_string(),
        destination_amount: range(last.destination_amount)?,
        submit_by: clock::calendar_or_epoch(Timestamp::from_micros(submit_by)),
        hops: Json(hops),
        used_by: None,
    })
}

async fn hop(
    app: &App,
    served: &Served,
    corridor: CorridorId,
    fixed: Fixed,
    last_hop: bool,
) -> Result<StoredHop, Problem> {
    let (source_amount, destination_amount) = match fixed {
        Fixed::Source(amount) => (amount, 0),
        Fixed::Destination(amount) => (0, amount),
    };
    let pair = &served.pair;
    let request = RequestQuoteRequest {
        debtor_agent: app.me.0,
        corridor: corridor.0,
        source_currency: pair.source_currency.clone(),
        destination_currency: pair.destination_currency.clone(),
        source_amount,
        destination_amount,
        last_hop,
    };
    let mut request = tonic::Request::new(request);
    if let Some(span) = trace::kept().and_then(|span| span.parse().ok()) {
        request.metadata_mut().insert(TRACEPARENT_KEY, span);
    }
    let response = served.quoter.client.clone().request_quote(request).await;
    measure::quoted(response.is_ok());
    let response = response.map_err(|status| refused(&status))?.into_inner();
    stored(pair, response)
}

fn stored(pair: &Pair, response: RequestQuoteResponse) -> Result<StoredHop, Problem> {
    let quote = Uuid::from_slice(&response.quote_id).map_err(|error| Problem::internal(&error))?;
    Ok(StoredHop {
        quote,
        liquidity_bank: response.liquidity_bank,
        source_account: response.source_account,
        destination_account: response.destination_account,
        source_currency: pair.source_currency.clone(),
        destination_currency: pair.destination_currency.clone(),
        source_amount: response.source_amount,
        destination_amount: response.destination_amount,
        payout_fee: response.payout_fee,
        rate: response.rate,
        mid_rate: response.mid_rate,
        mid_source: response.mid_source,
        mid_at_micros: response.mid_at_micros,
        submit_by_micros: response.submit_by_micros,
        hold_until_micros: response.hold_until_micros,
        fee_schedule_version: response.fee_schedule_version,
    })
}

/// A bank's refusal keeps its name; a bank that does not answer is a 503.
fn refused(status: &Status) -> Problem {
    let code = status.metadata().get(CODE_KEY).and_then(|value| value.to_str().ok());
    if let Some(code) = code {
        return Problem::new(
            Code::QuoteUnavailable,
            format!("the liquidity bank refuses ({code}): {}", status.message()),
        );
    }
    match status.code() {
        GrpcCode::InvalidArgument | GrpcCode::FailedPrecondition => {
            Problem::new(Code::QuoteUnavailable, status.message())
        }
        GrpcCode::Ok
        | GrpcCode::Cancelled
        | GrpcCode::Unknown
        | GrpcCode::DeadlineExceeded
        | GrpcCode::NotFound
        | GrpcCode::AlreadyExists
        | GrpcCode::PermissionDenied
        | GrpcCode::ResourceExhausted
        | GrpcCode::Aborted
        | GrpcCode::OutOfRange
        | GrpcCode::Unimplemented
        | GrpcCode::Internal
        | GrpcCode::Unavailable
        | GrpcCode::DataLoss
        | GrpcCode::Unauthenticated => {
            tracing::warn!(code = ?status.code(), "quoting service failed");
            Problem::new(Code::LedgerUnavailable, "the quoting service does not answer; try again")
        }
    }
}

/// More for the creditor, or less for the debtor.
fn better(row: &QuoteRow, best: &QuoteRow, fixed: Fixed) -> bool {
    match fixed {
        Fixed::Source(_) => row.destination_amount > best.destination_amount,
        Fixed::Destination(_) => row.source_amount < best.source_amount,
    }
}

/// The hops of a stored quote, for making legs.
///
/// # Errors
/// When the row holds no currency of ISO 4217.
pub fn hops(row: &QuoteRow) -> Result<Vec<Hop>, Problem> {
    let read = |hop: &StoredHop| {
        Ok(Hop {
            quote: QuoteId(*hop.quote.as_bytes()),
            source_account: AccountId(hop.source_account),
            destination_account: AccountId(hop.destination_account),
            source_currency: hop.source_currency.parse()?,
            destination_currency: hop.destination_currency.parse()?,
            source_amount: hop.source_amount,
            destination_amount: hop.destination_amount,
            payout_fee: hop.payout_fee,
        })
    };
    let hops: Result<Vec<Hop>, ledger_types::ParseError> = row.hops.iter().map(read).collect();
    hops.map_err(|error| Problem::internal(&error))
}
