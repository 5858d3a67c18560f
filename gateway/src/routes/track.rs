//! Where the money is, for who holds the token: no login, no name but a masked one, no reason of an institution; as JSON, as a page and as events.
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
};
use ledger_proof::codec::Digest;
use ledger_types::ParticipantId;
use proto::convert::Network;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Query, Segment};
use crate::{
    app::App,
    clock::{self, rfc3339},
    problem::{Code, Problem},
    store::{self, approvals::AWAITING, quotes::QuoteRow, tracking::Usual, transfers::Row},
    tracking::{
        costs::{CostsView, ExchangeView, MidView, decimals, six_digits, spread},
        digest,
        page::{Institution, Tracked, USUAL_COUNT_MIN, no_page, page as shown, told},
        stage::{Holder, Stage, stage},
        words::{Language, Words, masked},
        zone::Place,
    },
    transfers::view::{AmountView, TimelineView, body, iso_status, line},
};

pub mod live;

/// A transfer as its sender may see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TrackView {
    /// Where it stands, for its sender.
    pub stage: Stage,
    /// Since when, RFC 3339.
    pub since: String,
    /// Who has the money.
    pub holder: Holder,
    /// AWAITING_APPROVAL, QUEUED, or the ledger's state.
    pub status: String,
    /// ISO status.
    pub iso_status: String,
    /// Another word whenever something happened.
    pub revision: String,
    /// What arrives.
    pub amount: AmountView,
    /// `bank_account`, `wallet` or `cash_pickup`.
    pub payout_method: String,
    /// The sender's institution; absent while the network is not heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debtor_agent: Option<String>,
    /// The institution that pays out; absent while the network is not heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creditor_agent: Option<String>,
    /// The first letter of each word of the creditor's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creditor: Option<String>,
    /// Fee, rate and spread; absent while it waits for approval, as it is priced anew then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs: Option<CostsView>,
    /// How long such transfers took; absent with fewer than 20 of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usual: Option<UsualView>,
    /// When 95 of 100 such transfers have arrived, while this one is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_by: Option<String>,
    /// When it expires unless it is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// When it became final on the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_final_at: Option<String>,
    /// When the creditor was credited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beneficiary_credited_at: Option<String>,
    /// What came back.
    pub returned: Vec<AmountView>,
    /// What happened, in order.
    pub timeline: Vec<TimelineView>,
}

/// What the corridor's latest transfers by the same payout method took, from the ledger's first record
/// to the credit; where cash is picked up, to the settlement.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct UsualView {
    /// Transfers counted, at most 1,000 of the last 90 days.
    pub count: i64,
    /// Half took at most so many milliseconds.
    pub p50_ms: i64,
    /// 95 of 100 took at most so many milliseconds.
    pub p95_ms: i64,
}

/// From where a link is opened.
#[derive(Clone, Copy, Debug)]
pub struct Address(IpAddr);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Ok(Self(connected.map_or(unknown, |ConnectInfo(address)| address.ip())))
    }
}

/// Which language is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    lang: Option<String>,
}

/// Track a transfer by its token.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/track/{token}", tag = "tracking", security(()),
    params(("token" = String, Path, description = "Tracking token")),
    responses((status = 200, description = "Where it stands", body = TrackView)))]
pub async fn json(
    State(app): State<App>,
    address: Address,
    Segment(token): Segment,
) -> Result<Response, Problem> {
    let tracked = tracked(&app, address, &token).await?;
    Ok((private(), Json(view(&app, &tracked))).into_response())
}

/// The same as a page, in the language of `?lang=` or of the browser.
pub async fn page(
    State(app): State<App>,
    address: Address,
    Segment(token): Segment,
    query: Result<Query<Asked>, Problem>,
    headers: HeaderMap,
) -> Response {
    let asked = query.map(|Query(asked)| asked).unwrap_or_default();
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = Language::choose(asked.lang.as_deref(), accepted);
    let days = app.tracking.lasts.whole_days();
    let now = OffsetDateTime::now_utc();
    let (status, html) = match tracked(&app, address, &token).await {
        Ok(tracked) => {
            let place = Place::of(&tracked.creditor_agent.country);
            let words = Words::new(language, place, now);
            (StatusCode::OK, shown(&tracked, &words, &token, days))
        }
        Err(problem) => {
            let words = Words::new(language, Place::of(""), now);
            let why = match problem.status {
                StatusCode::NOT_FOUND => "gone",
                StatusCode::TOO_MANY_REQUESTS => "slow",
                _ => "down",
            };
            (problem.status, no_page(&words, why, days))
        }
    };
    let Some(html) = html else {
        return Problem::new(Code::Internal, "the page could not be written").into_response();
    };
    let language = [
        (header::CONTENT_LANGUAGE, language.tag()),
        (header::VARY, "accept-language"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ];
    (status, private(), language, Html(html)).into_response()
}

/// The page's style.
pub async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("../../assets/track.css"))
}

/// What keeps the page as it stands.
pub async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../../assets/track.js"))
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}

/// What is behind a link is kept by nobody, told to no other site and found by no search.
fn private() -> [(HeaderName, HeaderValue); 4] {
    [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow")),
    ]
}

fn view(app: &App, tracked: &Tracked) -> TrackView {
    let row = &tracked.row;
    let at = |time: Option<OffsetDateTime>| time.map(rfc3339);
    let named =
        |institution: &Institution| Some(institution.name.clone()).filter(|n| !n.is_empty());
    let network = app.directory.fresh();
    TrackView {
        stage: tracked.stage,
        since: rfc3339(tracked.since),
        holder: tracked.holder(),
        status: row.status.clone(),
        iso_status: iso_status(row).to_owned(),
        revision: tracked.revision(),
        amount: body(network.as_deref(), row.amount, &row.currency),
        payout_method: row.payout_method.clone(),
        debtor_agent: named(&tracked.debtor_agent),
        creditor_agent: named(&tracked.creditor_agent),
        creditor: tracked.creditor.clone(),
        costs: tracked.costs.clone(),
        usual: tracked.usual.map(|Usual { count, p50_ms, p95_ms }| UsualView {
            count,
            p50_ms,
            p95_ms,
        }),
        expected_by: at(tracked.expected_by()),
        deadline: at(row.deadline),
        ledger_final_at: at(row.settled_at),
        beneficiary_credited_at: at(row.credited_at),
        returned: tracked
            .returns
            .iter()
            .filter(|(back, _)| back.settled_at.is_some())
            .map(|(_, amount)| amount.clone())
            .collect(),
        timeline: tracked.lines.iter().cloned().map(|row| line(row, None)).collect(),
    }
}

/// What a token opens, unless its address asks too much.
async fn tracked(app: &App, Address(address): Address, token: &str) -> Result<Tracked, Problem> {
    if !app.tracking.may_ask(address) {
        let detail =
            "the address: too many requests, or of tokens that name nothing; wait a minute";
        return Err(Problem::new(Code::TooManyRequests, detail));
    }
    match opened(app, &digest(token)).await? {
        Some(tracked) => Ok(tracked),
        None => {
            app.tracking.missed(address);
            let detail = "token: there is no such transfer, or its link has ended";
            Err(Problem::new(Code::TransferNotFound, detail))
        }
    }
}

/// What a token's digest opens; none if there is no such transfer or its link has ended.
async fn opened(app: &App, digest: &Digest) -> Result<Option<Tracked>, Problem> {
    let Some(row) = app.store.transfer_tracked(digest).await? else { return Ok(None) };
    let returns = returns(app, &row).await?;
    let now = OffsetDateTime::now_utc();
    if ended(&row, &returns).is_some_and(|at| now - at > app.tracking.lasts) {
        return Ok(None);
    }
    let recalls = match row.transfer() {
        Some(transfer) => app.store.recall_of(transfer).await?,
        None => Vec::new(),
    };
    let mut lines = app.store.timeline_fetch(&row).await?;
    lines.retain(told);
    // Why an institution refused, holds or asks back is not for the sender's link.
    lines.iter_mut().for_each(|line| line.reason = None);
    let (stage, since) = stage(&row, &returns, &recalls);
    let network = app.directory.fresh();
    let network = network.as_deref();
    let amount = |row: &Row| body(network, row.amount, &row.currency);
    Ok(Some(Tracked {
        amount: amount(&row),
        returns: returns.into_iter().map(|back| (back.clone(), amount(&back))).collect(),
        lines,
        stage,
        since,
        debtor_agent: institution(network, row.debtor_agent),
        creditor_agent: institution(network, row.creditor_agent),
        creditor: creditor(app, &row).await?,
        costs: costs(app, network, &row).await?,
        usual: usual(app, &row).await?,
        now,
        row,
    }))
}

/// Transfers of the creditor agent that bring money of this one back.
async fn returns(app: &App, row: &Row) -> Result<Vec<Row>, store::Error> {
    let mut returns = app.store.transfer_returns(row.uetr).await?;
    returns.retain(|back| back.debtor_agent == row.creditor_agent);
    Ok(returns)
}

/// When the last of a transfer happened, if it has ended.
fn ended(row: &Row, returns: &[Row]) -> Option<OffsetDateTime> {
    let own = row.ended_at.or(row.credited_at).or(row.confirmed_at)?;
    let back = returns.iter().filter_map(|back| back.credited_at.or(back.settled_at));
    back.chain([own]).max()
}

fn institution(network: Option<&Network>, id: i64) -> Institution {
    let id = u32::try_from(id).map(ParticipantId).ok();
    let found = network.zip(id).and_then(|(network, id)| network.participant(id));
    let shown = found.map(|participant| Institution {
        name: participant.name.clone(),
        country: participant.country.to_string(),
    });
    shown.unwrap_or_default()
}

async fn creditor(app: &App, row: &Row) -> Result<Option<String>, store::Error> {
    let Some(transfer) = row.transfer() else { return Ok(None) };
    let personal = app.store.party_fetch(transfer).await?;
    Ok(personal.map(|known| masked(&known.beneficiary.name)).filter(|name| !name.is_empty()))
}

/// The corridor's history, unless it is too short to say anything.
async fn usual(app: &App, row: &Row) -> Result<Option<Usual>, store::Error> {
    let usual = match app.tracking.usual(row.corridor, &row.payout_method) {
        Some(usual) => usual,
        None => {
            let usual = app.store.usual_fetch(row.corridor, &row.payout_method).await?;
            app.tracking.keep_usual(row.corridor, &row.payout_method, usual);
            usual
        }
    };
    Ok(usual.filter(|usual| usual.count >= USUAL_COUNT_MIN))
}

async fn costs(
    app: &App,
    network: Option<&Network>,
    row: &Row,
) -> Result<Option<CostsView>, store::Error> {
    if row.status == AWAITING {
        // It is priced anew when it is approved.
        return Ok(None);
    }
    let (Some(source), Some(currency)) = (row.instructed_amount, &row.instructed_currency) else {
        return Ok(None);
    };
    let shown = |minor_units| body(network, minor_units, currency);
    let fee = row.reserved_amount.saturating_sub(source).max(0);
    let mut quote = None;
    // One that was approved has the quote that its order named before the one it was priced by.
    for id in row.quotes.iter().rev() {
        quote = app.store.quote_fetch(*id).await?;
        if quote.is_some() {
            break;
        }
    }
    let exchanged = *currency != row.currency;
    let destination = body(network, row.amount, &row.currency);
    let exchange = exchanged.then(|| exchange(shown(source), &destination, quote)).flatten();
    let total_debited = shown(source.saturating_add(fee));
    Ok(Some(CostsView { fee: shown(fee), total_debited, exchange }))
}

fn exchange(
    source: AmountView,
    destination: &AmountView,
    quote: Option<QuoteRow>,
) -> Option<ExchangeView> {
    let taken = Decimal::from_str(&source.amount).ok()?;
    let given = Decimal::from_str(&destination.amount).ok()?;
    let rate = six_digits(given.checked_div(taken)?);
    let hops = quote.map(|quote| quote.hops.0).unwrap_or_default();
    let mid = spread(taken, given, &hops).map(|spread| MidView {
        rate: six_digits(spread.mid_rate),
        source: hops.first().map(|hop| hop.mid_source.clone()).unwrap_or_default(),
        at: hops.iter().map(|hop| hop.mid_at_micros).min().map(at).unwrap_or_default(),
        spread: AmountView {
            amount: decimals(spread.amount, taken.scale()),
            currency: source.currency.clone(),
        },
        spread_percent: decimals(spread.percent, 2),
    });
    Some(ExchangeView { source, rate, mid })
}

fn at(micros: u64) -> String {
    rfc3339(clock::calendar_or_epoch(ledger_types::Timestamp::from_micros(micros)))
}
