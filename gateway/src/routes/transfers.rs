//! Transfers over HTTP: create, get, list, timeline; it shows no name and no account.
use axum::{Json, extract::State, http::HeaderMap, response::Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Body, Query, Segment,
    caller::{Caller, Scope},
    idempotency::{Begun, Taken, begin_later},
    params::{Page, TransferStatus, Whose, counted, limited, next},
};
use crate::{
    app::App,
    problem::Problem,
    transfers::{
        act::find,
        create as creation,
        order::{Maker, Order, OrderBody, read},
        view::{self, TimelineView, TransferView},
    },
};

/// A page of transfers.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransferPage {
    /// Oldest first.
    pub transfers: Vec<TransferView>,
    /// Give it back for what follows; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<i64>,
}

/// Create a transfer.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers", tag = "transfers", request_body = OrderBody,
    params(("Idempotency-Key" = String, Header, description = "A value of your own, kept 24 hours")),
    responses(
        (status = 201, description = "The ledger took it", body = TransferView),
        (status = 202, description = "Durable here: not yet answered, or waiting for approval",
            body = TransferView),
    ))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Send)?;
    let order = given(&app, &body).await;
    let (name, request) =
        (order.as_ref().ok().map(|order| order.uetr), ("/v1/transfers", &*body.0));
    let mut taken = match begin_later(&app, &caller, &headers, request, name).await? {
        Begun::Repeat(response) => return Ok(*response),
        Begun::First(taken) => taken,
    };
    let maker = caller.maker();
    let work = async move {
        match named(&app, order, &mut taken, maker).await {
            Ok(order) => taken.transfer(&app, creation::create(&app, &order).await).await,
            Err(problem) => taken.problem(&app, problem).await,
        }
    };
    caller.to_the_end(work).await
}

/// The order that a body holds.
async fn given(app: &App, body: &Body) -> Result<Order, Problem> {
    let network = app.directory.current(&app.ledger).await?;
    read(body.json()?, &network)
}

/// The same under the name that its key has.
async fn named(
    app: &App,
    order: Result<Order, Problem>,
    taken: &mut Taken,
    maker: Maker,
) -> Result<Order, Problem> {
    let mut order = order?;
    order.uetr = taken.name(app, order.uetr).await?;
    order.maker = Some(maker);
    order.key = taken.to_keep(order.uetr);
    order.fresh = taken.fresh(order.uetr);
    Ok(order)
}

/// List transfers, oldest first.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/transfers", tag = "transfers", params(Page),
    responses((status = 200, description = "A page", body = TransferPage)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Result<Json<TransferPage>, Problem> {
    caller.may(Scope::Read)?;
    let limit = limited(page.limit, 100, 500)?;
    let after = counted("cursor", page.cursor)?;
    let status = page.status.map(TransferStatus::as_str);
    let rows = app.store.transfer_list(after, status, limit).await?;
    let next_cursor = next(&rows, limit, |row| row.id);
    let transfers = rows.iter().map(|row| view::transfer(&app, row)).collect();
    Ok(Json(TransferPage { transfers, next_cursor }))
}

/// Get a transfer.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/transfers/{uetr}", tag = "transfers",
    params(("uetr" = String, Path, description = "UETR"), Whose),
    responses((status = 200, description = "The transfer", body = TransferView)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    Query(whose): Query<Whose>,
) -> Result<Json<TransferView>, Problem> {
    caller.may(Scope::Read)?;
    let (_, row) = find(&app, &uetr, whose.debtor_agent).await?;
    Ok(Json(view::transfer(&app, &row)))
}

/// Get a transfer's timeline.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/transfers/{uetr}/timeline", tag = "transfers",
    params(("uetr" = String, Path, description = "UETR"), Whose),
    responses((status = 200, description = "What happened, in order", body = [TimelineView])))]
pub async fn timeline(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    Query(whose): Query<Whose>,
) -> Result<Json<Vec<TimelineView>>, Problem> {
    caller.may(Scope::Read)?;
    let (_, row) = find(&app, &uetr, whose.debtor_agent).await?;
    let lines = app.store.timeline_fetch(&row).await?;
    let trace_id = row.transfer().map(|transfer| app.trace_id(transfer));
    Ok(Json(lines.into_iter().map(|line| view::line(line, trace_id.as_deref())).collect()))
}
