//! Cash pickup over HTTP: the code for the sender's wallet, and paying out for the till; the code is in no log and no URL.
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Body, Query, Segment,
    caller::{Caller, Scope},
    idempotency::{Begun, begin},
    params::Whose,
};
use crate::{
    app::App,
    problem::Problem,
    transfers::{
        act::find,
        pickup,
        view::{self, TransferView},
    },
};

/// What the creditor presents.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "code": "7KQ2-M9XT-0ABC-4DEF" }))]
pub struct PickupBody {
    /// 16 letters and digits; small letters, spaces and hyphens do not matter.
    #[schema(max_length = 64)]
    pub code: String,
}

impl std::fmt::Debug for PickupBody {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("PickupBody(‹secret›)")
    }
}

/// A code for the sender.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "code": "7KQ2-M9XT-0ABC-4DEF", "shown": 1 }))]
pub struct PickupCodeView {
    /// For the sender alone, who gives it to the creditor.
    pub code: String,
    /// How often it was shown, this time included.
    pub shown: i64,
}

impl std::fmt::Debug for PickupCodeView {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("PickupCodeView(‹secret›)")
    }
}

/// Get the code of an outgoing cash pickup, for its sender.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/transfers/{uetr}/pickup-code", tag = "transfers",
    params(("uetr" = String, Path, description = "UETR")),
    responses((status = 200, description = "The code", body = PickupCodeView)))]
pub async fn code(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
) -> Result<Response, Problem> {
    caller.may(Scope::Send)?;
    let found = find(&app, &uetr, Some(app.me.0)).await?;
    let (code, shown) = pickup::show(&app, caller.key, found).await?;
    let view = axum::Json(PickupCodeView { code, shown });
    Ok((StatusCode::OK, [(header::CACHE_CONTROL, "no-store")], view).into_response())
}

/// Pay out an incoming cash pickup against its code.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers/{uetr}/pickup", tag = "actions",
    request_body = PickupBody,
    params(("uetr" = String, Path, description = "UETR"), Whose,
        ("Idempotency-Key" = String, Header, description = "A value of your own")),
    responses((status = 201, description = "Pay the creditor, once", body = TransferView)))]
pub async fn pay(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    Query(whose): Query<Whose>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Decide)?;
    let path = format!("/v1/transfers/{uetr}/pickup");
    let taken = match begin(&app, &caller, &headers, (&path, &body.0)).await? {
        Begun::Repeat(response) => return Ok(*response),
        Begun::First(taken) => taken,
    };
    let work = async move {
        let paid = async {
            let given: PickupBody = body.json()?;
            let (transfer, _) = find(&app, &uetr, whose.debtor_agent).await?;
            let row = pickup::pay(&app, taken.key(), transfer, &given.code).await?;
            let shown = serde_json::to_value(view::transfer(&app, &row));
            shown.map_err(|error| Problem::internal(&error))
        };
        match paid.await {
            Ok(value) => taken.value(&app, value).await,
            Err(problem) => taken.problem(&app, problem).await,
        }
    };
    caller.to_the_end(work).await
}
