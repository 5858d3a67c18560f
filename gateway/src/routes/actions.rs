//! Actions on transfers over HTTP, each repeatable: the same again gets the ledger's first answer.
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ledger_types::{ConfirmationStatus, Purpose, ShortText, StatusReason, TransferId, Uetr};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

use super::{
    Body, Query, Segment,
    caller::{Caller, Scope},
    idempotency::{Begun, Taken, begin},
    params::Whose,
};
use crate::{
    app::App,
    clock,
    directory::money,
    problem::Problem,
    sealing::random,
    store::transfers::Row,
    transfers::{
        Created,
        act::{Action, act, find},
        order::AmountBody,
        returns,
        view::{self, TransferView},
    },
};

/// Accept.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    /// Own reference, at most 35 characters.
    #[schema(pattern = "^[ -~]{0,35}$")]
    pub reference: Option<String>,
}

/// Hold for review.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    /// ISO reason, such as G002 or G003.
    #[schema(pattern = "^[A-Z0-9]{4}$")]
    pub reason: String,
    /// RFC 3339; not after the deadline.
    #[schema(format = DateTime)]
    pub until: String,
}

/// Reject or cancel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonBody {
    /// ISO reason, such as AC04 or CUST.
    #[schema(pattern = "^[A-Z0-9]{4}$")]
    pub reason: String,
}

/// Confirm.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmBody {
    /// ACCC, CPUC, ACWP or BLCK.
    #[schema(pattern = "^(ACCC|CPUC|ACWP|BLCK)$")]
    pub status: String,
    /// RFC 3339, by one's own books; now if absent.
    #[schema(format = DateTime)]
    pub confirmed_at: Option<String>,
    /// Own reference, at most 35 characters.
    #[schema(pattern = "^[ -~]{0,35}$")]
    pub reference: Option<String>,
}

/// Return money of a settled transfer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnBody {
    /// UUID version 4 of the return; made here if absent.
    #[schema(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    pub uetr: Option<String>,
    /// How much, in the original's settlement currency; all if absent.
    pub amount: Option<AmountBody>,
    /// ISO return reason, such as AC04 or FOCR.
    #[schema(pattern = "^[A-Z0-9]{4}$")]
    pub reason: String,
}

/// Accept an incoming transfer: it settles.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers/{uetr}/accept", tag = "actions",
    request_body = Option<AcceptBody>, params(("uetr" = String, Path, description = "UETR"), Whose),
    responses((status = 200, description = "Recorded", body = TransferView),
        (status = 202, description = "Durable here, not yet answered", body = TransferView)))]
pub async fn accept(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    Query(whose): Query<Whose>,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Decide)?;
    let body: AcceptBody = body.optional_json()?.unwrap_or_default();
    let action = Action::Accept { reference: reference(body.reference.as_deref())? };
    run(&app, &uetr, whose, &action).await
}

/// Hold an incoming transfer for review; its deadline stays.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers/{uetr}/hold", tag = "actions",
    request_body = HoldBody, params(("uetr" = String, Path, description = "UETR"), Whose),
    responses((status = 200, description = "Recorded", body = TransferView),
        (status = 202, description = "Durable here, not yet answered", body = TransferView)))]
pub async fn hold(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    Query(whose): Query<Whose>,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Decide)?;
    let body: HoldBody = body.json()?;
    let until = clock::from_calendar(moment("until", &body.until)?);
    run(&app, &uetr, whose, &Action::Hold { reason: reason(&body.reason)?, until }).await
}

/// Reject an incoming transfer.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers/{uetr}/reject", tag = "actions",
    request_body = ReasonBody, params(("uetr" = String, Path, description = "UETR"), Whose),
    responses((status = 200, description = "Recorded", body = TransferView),
        (status = 202, description = "Durable here, not yet answered", body = TransferView)))]
pub async fn reject(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    Query(whose): Query<Whose>,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Decide)?;
    let reason = reason(&body.json::<ReasonBody>()?.reason)?;
    run(&app, &uetr, whose, &Action::Reject { reason }).await
}

/// Confirm what became of a settled incoming transfer.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers/{uetr}/confirm", tag = "actions",
    request_body = ConfirmBody, params(("uetr" = String, Path, description = "UETR"), Whose),
    responses((status = 200, description = "Recorded", body = TransferView),
        (status = 202, description = "Durable here, not yet answered", body = TransferView)))]
pub async fn confirm(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    Query(whose): Query<Whose>,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Decide)?;
    let body: ConfirmBody = body.json()?;
    let status = ConfirmationStatus::ALL.into_iter().find(|own| own.as_str() == body.status);
    let rule = "must be ACCC, CPUC, ACWP or BLCK";
    let status = status.ok_or_else(|| Problem::field("status", rule))?;
    let at = body.confirmed_at.as_deref().map(|text| moment("confirmed_at", text)).transpose()?;
    let action = Action::Confirm {
        status,
        at: at.map(clock::from_calendar),
        reference: reference(body.reference.as_deref())?,
    };
    run(&app, &uetr, whose, &action).await
}

/// Cancel an outgoing transfer that is not accepted yet.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers/{uetr}/cancel", tag = "actions",
    request_body = Option<ReasonBody>, params(("uetr" = String, Path, description = "UETR")),
    responses((status = 200, description = "Recorded", body = TransferView),
        (status = 202, description = "Durable here, not yet answered", body = TransferView)))]
pub async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Send)?;
    let reason = match body.optional_json::<ReasonBody>()? {
        None => StatusReason::known(b"CUST"),
        Some(given) => reason(&given.reason)?,
    };
    let whose = Whose { debtor_agent: Some(app.me.0) };
    run(&app, &uetr, whose, &Action::Cancel { reason }).await
}

/// Return money of a settled incoming transfer, as a transfer of its own.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers/{uetr}/return", tag = "actions",
    request_body = ReturnBody,
    params(("uetr" = String, Path, description = "UETR of the original"), Whose,
        ("Idempotency-Key" = String, Header, description = "A value of your own")),
    responses((status = 201, description = "The ledger took it", body = TransferView),
        (status = 202, description = "Durable here, not yet answered", body = TransferView)))]
pub async fn return_(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    Query(whose): Query<Whose>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Decide)?;
    let path = format!("/v1/transfers/{uetr}/return");
    let mut taken = match begin(&app, &caller, &headers, (&path, &body.0)).await? {
        Begun::Repeat(response) => return Ok(*response),
        Begun::First(taken) => taken,
    };
    let work = async move {
        match returned(&app, (&uetr, whose), &body, &mut taken).await {
            Ok((found, amount, reason, own)) => {
                let created = returns::create(&app, found, amount, reason, own).await;
                taken.transfer(&app, created).await
            }
            Err(problem) => taken.problem(&app, problem).await,
        }
    };
    caller.to_the_end(work).await
}

/// What a body asks to return, how much, why, and the name that its key has.
async fn returned(
    app: &App,
    (uetr, whose): (&str, Whose),
    body: &Body,
    taken: &mut Taken,
) -> Result<((TransferId, Row), u64, Purpose, Uetr), Problem> {
    let body: ReturnBody = body.json()?;
    let found = find(app, uetr, whose.debtor_agent).await?;
    let network = app.directory.current(&app.ledger).await?;
    let given = body.amount.as_ref();
    let amount =
        given.map(|own| money(&network, "amount", &own.amount, &own.currency)).transpose()?;
    if amount.is_some_and(|own| own.currency.as_str() != found.1.currency) {
        return Err(Problem::refused(ledger_types::Rejection::CurrencyMismatch));
    }
    let amount = amount.map_or(found.1.settlement_amount(), |own| own.minor_units);
    let reason: Purpose = body.reason.parse().map_err(named("reason"))?;
    let own: Uetr = match &body.uetr {
        Some(text) => text.parse().map_err(named("uetr"))?,
        None => Uetr::from_random(random().map_err(|error| Problem::internal(&error))?),
    };
    let own = taken.name(app, own).await?;
    Ok((found, amount, reason, own))
}

async fn run(app: &App, uetr: &str, whose: Whose, action: &Action) -> Result<Response, Problem> {
    let found = find(app, uetr, whose.debtor_agent).await?;
    let (status, row) = match act(app, found, action).await? {
        Created::Recorded(row) => (StatusCode::OK, row),
        Created::Durable(row) => (StatusCode::ACCEPTED, row),
    };
    Ok((status, Json(view::transfer(app, &row))).into_response())
}

fn reason(text: &str) -> Result<StatusReason, Problem> {
    text.parse().map_err(named("reason"))
}

fn reference(text: Option<&str>) -> Result<ShortText, Problem> {
    text.unwrap_or("").parse().map_err(named("reference"))
}

pub(super) fn moment(name: &'static str, text: &str) -> Result<OffsetDateTime, Problem> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| Problem::field(name, "must be RFC 3339"))
}

pub(super) fn named(name: &'static str) -> impl Fn(ledger_types::ParseError) -> Problem {
    move |error| Problem::field(name, error.reason)
}
