//! Transfers that wait for a second pair of eyes over HTTP: list, look, approve, reject; who and whom is shown to who decides alone.
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Body, Query, Segment,
    caller::{Caller, Scope},
    params::{ApprovalPageOf, ApprovalState, counted, limited},
};
use crate::{
    app::App,
    clock::rfc3339,
    directory::money,
    personal::Person,
    problem::Problem,
    store::{
        approvals::ApprovalRow,
        transfers::{Row, participant},
    },
    transfers::{
        Created,
        approve::{self, unknown},
        order::AmountBody,
        view::{self as transfer_view, AmountView, TransferView},
    },
};
use ledger_types::{StatusReason, TransferId, Uetr};

/// How a transfer is approved.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "debit_max": { "amount": "1000.00", "currency": "HKD" } }))]
pub struct ApproveBody {
    /// The most that may be debited at the new price, fees included; absent: what the maker allows.
    pub debit_max: Option<AmountBody>,
}

/// Why a transfer is not approved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "DS0H" }))]
pub struct ApprovalRejectBody {
    /// ISO 20022 external status reason code.
    #[schema(pattern = "^[A-Z0-9]{4}$")]
    pub reason: String,
}

/// A transfer that waits, or how it went on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovalView {
    /// Its id.
    pub id: String,
    /// `open`, `approved`, `rejected`, `expired`; `refused` when it was approved and then refused.
    pub state: String,
    /// Who made the transfer; who approves it is another.
    pub maker: String,
    /// What the debtor would have been debited when it was parked, fees included. The price is
    /// asked anew on approval.
    pub debit_amount: AmountView,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; until when it waits.
    pub expires_at: String,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// ISO reason of an end without approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Name of the refusal: a page of docs/errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The transfer as it stands.
    pub transfer: TransferView,
    /// Who pays; only where one approval is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debtor: Option<Person>,
    /// Who is paid; only where one approval is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creditor: Option<Person>,
}

/// A page of approvals.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovalPage {
    /// Oldest first.
    pub approvals: Vec<ApprovalView>,
    /// Give it back for what follows; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<i64>,
}

/// List approvals, oldest first.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/approvals", tag = "approvals", params(ApprovalPageOf),
    responses((status = 200, description = "A page", body = ApprovalPage)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<ApprovalPageOf>,
) -> Result<Json<ApprovalPage>, Problem> {
    caller.may(Scope::Approve)?;
    let limit = limited(page.limit, 100, 500)?;
    let after = counted("cursor", page.cursor)?;
    let state = page.state.map(ApprovalState::as_str);
    let rows = app.store.approval_list(after, state, limit).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next_cursor = rows.last().filter(|_| full).map(|(row, _)| row.place);
    let approvals = rows.into_iter().map(|(row, transfer)| view(&app, row, &transfer)).collect();
    Ok(Json(ApprovalPage { approvals, next_cursor }))
}

/// One approval, with who pays and who is paid.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/approvals/{id}", tag = "approvals", params(("id" = String, Path)),
    responses((status = 200, description = "The approval", body = ApprovalView)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
) -> Result<Json<ApprovalView>, Problem> {
    caller.may(Scope::Approve)?;
    let row = app.store.approval_fetch(parsed(&id)?).await?.ok_or_else(unknown)?;
    let personal = match Uetr::from_bytes(*row.uetr.as_bytes()) {
        Ok(uetr) => {
            let transfer = TransferId { debtor_agent: participant(row.debtor_agent), uetr };
            app.store.party_fetch(transfer).await?
        }
        Err(_) => None,
    };
    let mut shown = whole(&app, row).await?;
    if let Some(personal) = personal {
        shown.debtor = Some(personal.originator);
        shown.creditor = Some(personal.beneficiary);
    }
    Ok(Json(shown))
}

/// Approves a transfer: it is priced anew, and sent. The same again gets the transfer as it stands.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/approvals/{id}/approve", tag = "approvals",
    params(("id" = String, Path)), request_body = Option<ApproveBody>,
    responses(
        (status = 201, description = "The ledger took it", body = TransferView),
        (status = 202, description = "Durable here, not yet answered", body = TransferView),
    ))]
pub async fn approve(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Approve)?;
    let asked: ApproveBody = body.optional_json()?.unwrap_or_default();
    let (id, by) = (parsed(&id)?, caller.maker());
    let work = async move {
        let most = match &asked.debit_max {
            Some(most) => {
                let network = app.directory.current(&app.ledger).await?;
                Some(money(&network, "debit_max", &most.amount, &most.currency)?)
            }
            None => None,
        };
        let (status, row) = match approve::approve(&app, id, &by, most).await? {
            Created::Recorded(row) => (StatusCode::CREATED, row),
            Created::Durable(row) => (StatusCode::ACCEPTED, row),
        };
        Ok((status, Json(transfer_view::transfer(&app, &row))).into_response())
    };
    caller.to_the_end(work).await
}

/// Says no to a transfer that waits; nothing was reserved, signed or sent.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/approvals/{id}/reject", tag = "approvals",
    params(("id" = String, Path)), request_body = ApprovalRejectBody,
    responses((status = 200, description = "It has ended", body = ApprovalView)))]
pub async fn reject(
    State(app): State<App>,
    caller: Caller,
    id: Segment,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Approve)?;
    let asked: ApprovalRejectBody = body.json()?;
    let reason: StatusReason = asked
        .reason
        .parse()
        .map_err(|error: ledger_types::ParseError| Problem::field("reason", error.reason))?;
    let (id, by) = (parsed(&id)?, caller.maker());
    let work = async move {
        let row = approve::reject(&app, id, &by, reason).await?;
        Ok(Json(whole(&app, row).await?).into_response())
    };
    caller.to_the_end(work).await
}

fn parsed(id: &Segment) -> Result<Uuid, Problem> {
    Uuid::parse_str(&id.0).map_err(|_| unknown())
}

async fn whole(app: &App, row: ApprovalRow) -> Result<ApprovalView, Problem> {
    let transfer = app.store.approval_transfer(&row).await?.ok_or_else(unknown)?;
    Ok(view(app, row, &transfer))
}

fn view(app: &App, row: ApprovalRow, transfer: &Row) -> ApprovalView {
    let network = app.directory.fresh();
    ApprovalView {
        id: row.id.to_string(),
        state: row.state,
        maker: row.maker_owner,
        debit_amount: transfer_view::body(
            network.as_deref(),
            row.debit_amount,
            &row.debit_currency,
        ),
        created_at: rfc3339(row.created_at),
        expires_at: rfc3339(row.expires_at),
        decided_at: row.decided_at.map(rfc3339),
        decided_by: row.decided_owner,
        reason: row.reason,
        refusal: row.refusal,
        transfer: transfer_view::transfer(app, transfer),
        debtor: None,
        creditor: None,
    }
}
