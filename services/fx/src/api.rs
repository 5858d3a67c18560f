//! The gRPC service `Quoting`: checks who asks and for what, prices, answers from a quote that stands on the ledger; it registers none itself.
use std::{sync::Arc, time::Duration};

use arc_swap::{ArcSwap, ArcSwapOption};
use ledger_proof::item::RegisterQuote;
use ledger_types::{ParticipantId, QuoteId, Rejection, ShortText, Timestamp, Uetr};
use proto::{
    client::RETRY_AFTER_KEY,
    convert::{Network, quote_response},
    fx::{
        ListPairsRequest, ListPairsResponse, Pair, RequestQuoteRequest, RequestQuoteResponse,
        quoting_server::Quoting,
    },
    trace::TRACEPARENT_KEY,
};
use services_runtime::{
    error::ErrorCode,
    tls::require_role,
    trace::{Kind, Span, Tracer},
};
use tonic::{Code, Request, Response, Status, metadata::MetadataValue};
use tracing::debug;

use crate::{
    client::{Error as RegisterError, Registry, Wanted, now, random},
    price::{self, Fixed, Price, Terms, price},
    rates::{Mid, RateTable},
    settings::Served,
    standing::{Offer, Use},
};

/// The metadata key that names a refusal's page in docs/errors.
pub const CODE_KEY: &str = "causeway-code";
/// The mid rate is missing or older than the bank allows.
pub const STALE_RATE: &str = "STALE_RATE";
/// The bank does not serve this pair in this corridor to this debtor agent.
pub const CORRIDOR_NOT_SERVED: &str = "CORRIDOR_NOT_SERVED";
/// The amount is outside what the bank serves.
pub const AMOUNT_OUT_OF_RANGE: &str = Rejection::AmountOutOfRange.code();

/// What the ledger needs to register the quotes under way.
const RETRY_AFTER_MS: u64 = 200;
/// The role of a participant's certificate.
const PARTICIPANT: &str = "participant";

/// What the service knows; rates and network are replaced while it serves.
#[derive(Debug)]
pub struct Bank {
    /// Its network id.
    pub participant: ParticipantId,
    /// What it serves.
    pub served: Vec<Served>,
    /// Mid rates as last read.
    pub rates: Arc<ArcSwap<RateTable>>,
    /// What quotes name as their source.
    pub mid_source: ShortText,
    /// Older mid rates are refused.
    pub max_age_micros: u64,
    /// The network as last read; `None` before the ledger answered.
    pub network: Arc<ArcSwapOption<Network>>,
    /// What stands on the ledger.
    pub registry: Registry,
    /// Sends spans.
    pub tracer: Tracer,
}

/// A question, checked and in the field's words.
struct Question<'a> {
    /// The place of what is served in the settings.
    place: usize,
    served: &'a Served,
    debtor_agent: ParticipantId,
    fixed: Fixed,
    last_hop: bool,
}

impl Question<'_> {
    const fn of(&self) -> Use {
        Use {
            served: self.place,
            debtor_agent: self.debtor_agent,
            destination_fixed: matches!(self.fixed, Fixed::Destination(_)),
            last_hop: self.last_hop,
        }
    }
}

#[tonic::async_trait]
impl Quoting for Bank {
    async fn request_quote(
        &self,
        request: Request<RequestQuoteRequest>,
    ) -> Result<Response<RequestQuoteResponse>, Status> {
        let begun = now();
        let from = request.metadata().get(TRACEPARENT_KEY).and_then(|value| value.to_str().ok());
        let (context, parent) = self.tracer.asked(from);
        let answer = self.answer(&request).await;
        let took = Duration::from_micros(now().micros_since(begun));
        metrics::histogram!("causeway_fx_quote_seconds").record(took);
        let refused = answer.is_err().then_some("no quote");
        let mut span = Span::new(context, "fx.quote", Kind::Server, begun.micros()).failed(refused);
        span.parent = parent;
        self.tracer.finish(span);
        match &answer {
            Ok(quote) => metrics::counter!(
                "causeway_fx_quotes_given_total",
                "source" => quote.source_currency.to_string(),
                "destination" => quote.destination_currency.to_string()
            )
            .increment(1),
            Err(status) => {
                metrics::counter!("causeway_fx_quotes_refused_total", "reason" => reason(status))
                    .increment(1);
            }
        }
        answer.map(|quote| Response::new(quote_response(self.participant, &quote)))
    }

    async fn list_pairs(
        &self,
        request: Request<ListPairsRequest>,
    ) -> Result<Response<ListPairsResponse>, Status> {
        let caller = caller(&request)?;
        let rates = self.rates.load();
        let open = self.served.iter().filter(|served| served.debtor_agents.contains(&caller));
        let pairs = open.filter_map(|served| {
            let mid = rates.mid(served.source_currency, served.destination_currency)?;
            Some(Pair {
                corridor: served.corridor.0,
                source_currency: served.source_currency.to_string(),
                destination_currency: served.destination_currency.to_string(),
                mid_rate: price::mid_rate(mid.rate).ok()?.to_string(),
                mid_at_micros: mid.at.micros(),
            })
        });
        Ok(Response::new(ListPairsResponse { pairs: pairs.collect() }))
    }
}

impl Bank {
    /// The terms of one use: those that stand, with the amounts asked for and the rate that they make.
    async fn answer(
        &self,
        request: &Request<RequestQuoteRequest>,
    ) -> Result<RegisterQuote, Status> {
        let question = self.question(caller(request)?, request.get_ref())?;
        let (offer, terms, priced) = self.price(&question, now())?;
        let wanted = Wanted {
            of: question.of(),
            offer,
            source_amount: priced.source_amount,
            stands_micros: question.served.stands_micros,
        };
        let make = |now| self.standing(&question, &offer, &terms, now);
        let standing = self.registry.draw(&wanted, make).await.map_err(unregistered)?;
        let Price { source_amount, destination_amount, rate, .. } = priced;
        Ok(RegisterQuote { source_amount, destination_amount, rate, ..standing })
    }

    fn question(
        &self,
        caller: ParticipantId,
        request: &RequestQuoteRequest,
    ) -> Result<Question<'_>, Status> {
        if request.debtor_agent != caller.0 {
            return Err(Status::permission_denied(
                "debtor_agent: must be the participant of the caller's certificate",
            ));
        }
        let fixed = match (request.source_amount, request.destination_amount) {
            (source @ 1.., 0) => Fixed::Source(source),
            (0, destination @ 1..) => Fixed::Destination(destination),
            (0, 0) | (1.., 1..) => {
                return Err(Status::invalid_argument(
                    "source_amount, destination_amount: exactly one must be over 0",
                ));
            }
        };
        let served = self.served.iter().enumerate().find(|(_, served)| {
            served.corridor.0 == request.corridor
                && served.source_currency.as_str() == request.source_currency
                && served.destination_currency.as_str() == request.destination_currency
                && served.debtor_agents.contains(&caller)
        });
        let not_served = "this bank does not serve the pair in this corridor to this debtor agent";
        let (place, served) = served.ok_or_else(|| refused(CORRIDOR_NOT_SERVED, not_served))?;
        Ok(Question { place, served, debtor_agent: caller, fixed, last_hop: request.last_hop })
    }

    /// What the bank offers now, on which terms, and what that makes of the amount asked for.
    fn price(
        &self,
        question: &Question<'_>,
        now: Timestamp,
    ) -> Result<(Offer, Terms, Price), Status> {
        let served = question.served;
        let network = self.network.load_full();
        let network = network.ok_or_else(|| unregistered(RegisterError::NetworkUnknown))?;
        let mid = self.fresh_mid(served, now)?;
        let exponent = |currency| {
            let missing = || refused(CORRIDOR_NOT_SERVED, "the network lacks this currency");
            network.exponent(currency).ok_or_else(missing)
        };
        let terms = Terms {
            margin_bps: served.margin_bps,
            payout_fee: if question.last_hop { served.payout_fee } else { 0 },
            source_exponent: exponent(served.source_currency)?,
            destination_exponent: exponent(served.destination_currency)?,
        };
        let priced = price(mid.rate, &terms, question.fixed)
            .map_err(|error| refused(AMOUNT_OUT_OF_RANGE, &error.to_string()))?;
        if !served.amounts.contains(&priced.source_amount) {
            let (least, most) = (served.amounts.start(), served.amounts.end());
            let range = format!("source_amount must be {least} to {most} minor units");
            return Err(refused(AMOUNT_OUT_OF_RANGE, &range));
        }
        let fees = network.corridor(served.corridor).and_then(|(_, fees)| fees.as_ref());
        let offer = Offer {
            rate: priced.customer_rate,
            mid_rate: priced.mid_rate,
            mid_at: mid.at,
            fee_schedule_version: fees.map_or(0, |fees| fees.version),
        };
        Ok((offer, terms, priced))
    }

    /// The quote that is to stand at an offer.
    fn standing(
        &self,
        question: &Question<'_>,
        offer: &Offer,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<RegisterQuote, RegisterError> {
        let served = question.served;
        let last = now.plus_micros(served.stands_micros);
        Ok(RegisterQuote {
            nonce: random()?,
            quote: QuoteId(Uetr::from_random(random()?).bytes()),
            debtor_agent: question.debtor_agent,
            corridor: served.corridor,
            destination_fixed: question.of().destination_fixed,
            reusable: true,
            source_account: served.source_account,
            destination_account: served.destination_account,
            source_currency: served.source_currency,
            destination_currency: served.destination_currency,
            source_amount: served.standing_amount,
            destination_amount: 0,
            rate: offer.rate,
            payout_fee: terms.payout_fee,
            mid_rate: offer.mid_rate,
            mid_source: self.mid_source,
            mid_at: offer.mid_at,
            // Whoever asks last has as long as was promised.
            submit_by: last.plus_micros(served.submit_for_micros),
            hold_until: last.plus_micros(served.hold_for_micros),
            fee_schedule_version: offer.fee_schedule_version,
        })
    }

    fn fresh_mid(&self, served: &Served, now: Timestamp) -> Result<Mid, Status> {
        let mid = self.rates.load().mid(served.source_currency, served.destination_currency);
        mid.filter(|mid| mid.age_micros(now) <= self.max_age_micros)
            .ok_or_else(|| refused(STALE_RATE, "the mid rate is missing or too old"))
    }
}

/// The participant that the caller's certificate names.
fn caller<T>(request: &Request<T>) -> Result<ParticipantId, Status> {
    let identity = require_role(request, &[PARTICIPANT])?;
    identity
        .id
        .parse()
        .map_err(|_| Status::unauthenticated("the certificate's participant id must be a number"))
}

fn refused(code: &'static str, reason: &str) -> Status {
    let mut status = Status::failed_precondition(reason);
    status.metadata_mut().insert(CODE_KEY, MetadataValue::from_static(code));
    status
}

/// A refusal's code, or the name of the failure.
fn reason(status: &Status) -> String {
    let code = status.metadata().get(CODE_KEY).and_then(|code| code.to_str().ok());
    let failure = ErrorCode::ALL.into_iter().find(|code| code.to_grpc() == status.code());
    code.unwrap_or_else(|| failure.unwrap_or(ErrorCode::Internal).name()).to_owned()
}

fn unregistered(failure: RegisterError) -> Status {
    let code = match &failure {
        RegisterError::Refused(rejection) => return refused(rejection.code(), rejection.meaning()),
        RegisterError::Ledger(_) | RegisterError::NetworkUnknown | RegisterError::Ending => {
            Code::Unavailable
        }
        RegisterError::Full => Code::ResourceExhausted,
        RegisterError::Randomness(_) => Code::Internal,
    };
    debug!(error = services_runtime::error::chain(&failure), "quote not registered");
    let mut status = Status::new(code, failure.to_string());
    if code == Code::ResourceExhausted {
        status.metadata_mut().insert(RETRY_AFTER_KEY, MetadataValue::from(RETRY_AFTER_MS));
    }
    status
}
