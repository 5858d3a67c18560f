//! Quotes over HTTP: what a transfer would cost, firm until `submit_by`.
use axum::{extract::State, http::HeaderMap, response::Response};
use ledger_types::{CorridorId, Currency, StatusReason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Body,
    caller::{Caller, Scope},
    idempotency::{Begun, begin},
};
use crate::{
    app::App,
    clock::rfc3339,
    directory::{corridor_between, money},
    legs,
    problem::Problem,
    quotes::{self, Asked, Fixed},
    store::quotes::QuoteRow,
    transfers::{
        order::{AmountBody, agent},
        view::{AmountView, body as shown},
    },
};

/// What is asked: exactly one amount.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteBody {
    /// Corridor number; or give `creditor_agent` and both currencies.
    #[serde(default, deserialize_with = "super::body::whole")]
    #[schema(minimum = 0, maximum = 4_294_967_295_u32)]
    pub corridor: Option<u32>,
    /// Network id or BIC.
    pub creditor_agent: Option<String>,
    /// Fixes what the debtor is debited.
    pub source_amount: Option<AmountBody>,
    /// Fixes what the creditor agent gets.
    pub destination_amount: Option<AmountBody>,
    /// The other side's currency, where no corridor is given.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub other_currency: Option<String>,
}

/// One hop of a quote.
#[derive(Debug, Serialize, ToSchema)]
pub struct HopView {
    /// The name on the ledger of the bank's quote, on which other answers may draw too.
    pub quote: String,
    /// Who is bound by it.
    pub liquidity_bank: u32,
    /// What the bank takes.
    pub source_amount: AmountView,
    /// What it gives.
    pub destination_amount: AmountView,
    /// Destination per source.
    pub rate: String,
    /// The mid rate behind it.
    pub mid_rate: String,
    /// Where that comes from.
    pub mid_source: String,
}

/// A firm quote.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuoteView {
    /// Give it with a transfer.
    pub id: String,
    /// Corridor number.
    pub corridor: i64,
    /// What the debtor is debited, without fees.
    pub source_amount: AmountView,
    /// What the creditor agent gets.
    pub destination_amount: AmountView,
    /// What the network's fees add to the debit.
    pub debtor_fees: AmountView,
    /// One hop, or two through a bridge currency.
    pub hops: Vec<HopView>,
    /// RFC 3339: the last time of a submit.
    pub submit_by: String,
}

/// Ask for a firm quote.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/quotes", tag = "quotes", request_body = QuoteBody,
    params(("Idempotency-Key" = String, Header, description = "A value of your own, kept 24 hours")),
    responses((status = 201, description = "Firm until submit_by", body = QuoteView)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Send)?;
    let taken = match begin(&app, &caller, &headers, ("/v1/quotes", &body.0)).await? {
        Begun::Repeat(response) => return Ok(*response),
        Begun::First(taken) => taken,
    };
    match quoted(&app, &body).await {
        Ok(value) => taken.value(&app, value).await,
        Err(problem) => taken.problem(&app, problem).await,
    }
}

async fn quoted(app: &App, body: &Body) -> Result<serde_json::Value, Problem> {
    let body: QuoteBody = body.json()?;
    let network = app.directory.current(&app.ledger).await?;
    let one = |reason| Problem::field("source_amount", reason);
    let (fixed, money, source_given) = match (&body.source_amount, &body.destination_amount) {
        (Some(own), None) => {
            let money = money(&network, "source_amount", &own.amount, &own.currency)?;
            (Fixed::Source(money.minor_units), money, true)
        }
        (None, Some(own)) => {
            let money = money(&network, "destination_amount", &own.amount, &own.currency)?;
            (Fixed::Destination(money.minor_units), money, false)
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(one("give exactly one of source_amount and destination_amount"));
        }
    };
    let other = body.other_currency.as_deref().map(|text| currency(&network, text)).transpose()?;
    let unknown = || Problem::refused(ledger_types::Rejection::CorridorUnknown);
    let corridor = match body.corridor {
        Some(number) => CorridorId(number),
        None => {
            let creditor_agent = body.creditor_agent.as_deref().unwrap_or_default();
            let to = agent(&network, creditor_agent).ok_or_else(unknown)?;
            let missing = || Problem::field("other_currency", "give it where no corridor is given");
            let other = other.ok_or_else(missing)?;
            let pair = if source_given { (money.currency, other) } else { (other, money.currency) };
            corridor_between(&network, app.me, to, pair).ok_or_else(unknown)?
        }
    };
    let (terms, fees) = network.corridor(corridor).ok_or_else(unknown)?;
    let (source, destination) = (terms.source_currency, terms.destination_currency);
    if money.currency != if source_given { source } else { destination } {
        return Err(Problem::refused(ledger_types::Rejection::CurrencyMismatch));
    }
    let row = quotes::quote(app, Asked { corridor, source, destination, fixed }).await?;
    let principal = u64::try_from(row.source_amount).unwrap_or(0);
    let own = |fee: &&ledger_proof::operator::Fee| {
        fee.payer == ledger_proof::operator::FeePayer::DebtorAgent
    };
    let schedule = fees.as_ref().map_or(&[][..], |schedule| schedule.fees.as_slice());
    let total: u64 = schedule.iter().filter(own).map(|fee| legs::fee_amount(fee, principal)).sum();
    let view = view(&network, &row, total);
    serde_json::to_value(view).map_err(|error| Problem::internal(&error))
}

/// A currency of this network.
fn currency(network: &proto::convert::Network, text: &str) -> Result<Currency, Problem> {
    let known = text.parse().ok().filter(|code| network.exponent(*code).is_some());
    let reason = "the currency is not one of this network";
    known.ok_or_else(|| {
        Problem::field("other_currency", reason).because(StatusReason::known(b"AM03"))
    })
}

fn view(network: &proto::convert::Network, row: &QuoteRow, debtor_fees: u64) -> QuoteView {
    let amount = |units: u64, currency: &str| {
        shown(Some(network), i64::try_from(units).unwrap_or(0), currency)
    };
    let hops = row.hops.iter().map(|hop| HopView {
        quote: hop.quote.to_string(),
        liquidity_bank: hop.liquidity_bank,
        source_amount: amount(hop.source_amount, &hop.source_currency),
        destination_amount: amount(hop.destination_amount, &hop.destination_currency),
        rate: hop.rate.clone(),
        mid_rate: hop.mid_rate.clone(),
        mid_source: hop.mid_source.clone(),
    });
    QuoteView {
        id: row.id.to_string(),
        corridor: row.corridor,
        source_amount: shown(Some(network), row.source_amount, &row.source_currency),
        destination_amount: shown(Some(network), row.destination_amount, &row.destination_currency),
        debtor_fees: amount(debtor_fees, &row.source_currency),
        hops: hops.collect(),
        submit_by: rfc3339(row.submit_by),
    }
}
