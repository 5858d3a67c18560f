//! Recalls, answers and enquiries over HTTP, each repeatable: the same again gets the ledger's first answer.
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use ledger_types::{CaseId, StatusReason, Uetr};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    Body, Query, Segment,
    actions::{moment, named},
    caller::{Caller, Scope},
    params::{Queue, Whose, limited},
};
use crate::{
    app::App,
    clock::{self, rfc3339},
    directory::money,
    problem::Problem,
    store::{cases::Row, transfers},
    transfers::{
        act::find,
        order::AmountBody,
        recalls::{self, Ask, RECALL_REASONS, REJECT_REASONS, Reply, Told},
        view::{AmountView, body},
    },
};

/// Ask for money of a settled transfer back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecallBody {
    /// A UUID of your own; the same with the same content gets the first answer.
    #[schema(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
    pub case: String,
    /// ISO cancellation reason.
    #[schema(pattern = "^(AC03|AGNT|AM09|COVR|CURR|CUST|CUTA|DUPL|FRAD|SVNR|TECH|UPAY)$")]
    pub reason: String,
    /// How much, in the settlement currency; all if absent.
    pub amount: Option<AmountBody>,
    /// RFC 3339, at most 30 days ahead; in 10 days if absent.
    #[schema(format = DateTime)]
    pub answer_by: Option<String>,
}

/// Whether a recall brings the money back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerWord {
    /// It does, by the return named.
    Accepted,
    /// It does not.
    Rejected,
    /// A later answer is promised.
    Pending,
}

/// The return to be sent at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnNow {
    /// How much, in the settlement currency; what was asked back if absent.
    pub amount: Option<AmountBody>,
}

/// Answer a recall.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    /// What the answer is.
    pub answer: AnswerWord,
    /// ISO reason: of a rejection required, of an accept the return reason (FOCR if absent).
    #[schema(pattern = "^[A-Z0-9]{4}$")]
    pub reason: Option<String>,
    /// UUID version 4 of the return that an accept sends, sent or will send.
    #[schema(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    pub return_uetr: Option<String>,
    /// Sends the return at once, before the accept.
    #[serde(rename = "return")]
    pub return_now: Option<ReturnNow>,
    /// RFC 3339, at most 30 days ahead: by when a pending answer is followed by another.
    #[schema(format = DateTime)]
    pub promised_at: Option<String>,
}

/// A recall and its last answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecallView {
    /// Network id of who asks.
    pub debtor_agent: i64,
    /// The transfer.
    pub uetr: String,
    /// What the debtor agent calls it.
    pub case: String,
    /// Network id of who answers.
    pub creditor_agent: i64,
    /// `outgoing` if this gateway asked, else `incoming`.
    pub direction: &'static str,
    /// open, pending, accepted or rejected.
    pub status: String,
    /// ISO cancellation reason.
    pub reason: String,
    /// How much is asked back.
    pub amount: AmountView,
    /// RFC 3339.
    pub recalled_at: String,
    /// By when an answer is due.
    pub answer_by: String,
    /// Whether it is late.
    pub overdue: bool,
    /// The ledger's record of the recall.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<i64>,
    /// ISO reason of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_reason: Option<String>,
    /// When it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
    /// The ledger's record of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_record: Option<i64>,
    /// The return that an accept named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_uetr: Option<String>,
}

/// How a transfer stands on the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnquiryView {
    /// Network id of who submitted it.
    pub debtor_agent: u32,
    /// The transfer.
    pub uetr: String,
    /// When the ledger was asked, RFC 3339.
    pub asked_at: String,
    /// The ledger's state.
    pub status: &'static str,
    /// ExternalPaymentTransactionStatus1Code; CANC for a cancellation.
    pub iso_status: &'static str,
    /// ISO reason of a hold or an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How much of it was returned, in the settlement currency.
    pub returned: AmountView,
    /// The record of its submit.
    pub submit_record: u64,
    /// The record that settled or ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_record: Option<u64>,
}

/// Ask for money of a settled outgoing transfer back.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers/{uetr}/recall", tag = "recalls",
    request_body = RecallBody, params(("uetr" = String, Path, description = "UETR")),
    responses((status = 200, description = "Recorded", body = RecallView),
        (status = 202, description = "Durable here, not yet answered")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Send)?;
    let body: RecallBody = body.json()?;
    let found = find(&app, &uetr, Some(app.me.0)).await?;
    let all = found.1.settlement_amount();
    let answer_by = body.answer_by.as_deref().map(|text| moment("answer_by", text)).transpose()?;
    let ask = Ask {
        case: body.case.parse().map_err(named("case"))?,
        reason: listed("reason", &body.reason, RECALL_REASONS)?,
        amount: amount(&app, body.amount.as_ref(), &found.1.currency).await?.unwrap_or(all),
        answer_by: answer_by.map(clock::from_calendar),
    };
    let told = recalls::recall(&app, found, &ask).await?;
    Ok(respond(&app, told))
}

/// Get a transfer's recalls, oldest first.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/transfers/{uetr}/recalls", tag = "recalls",
    params(("uetr" = String, Path, description = "UETR"), Whose),
    responses((status = 200, description = "Its recalls", body = [RecallView])))]
pub async fn of_transfer(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    Query(whose): Query<Whose>,
) -> Result<Json<Vec<RecallView>>, Problem> {
    caller.may(Scope::Read)?;
    let (transfer, _) = find(&app, &uetr, whose.debtor_agent).await?;
    let rows = app.store.recall_of(transfer).await?;
    Ok(Json(rows.iter().map(|row| shown(&app, row)).collect()))
}

/// List recalls of both directions, what is due first first.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(get, path = "/v1/recalls", tag = "recalls", params(Queue),
    responses((status = 200, description = "The recalls", body = [RecallView])))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(queue): Query<Queue>,
) -> Result<Json<Vec<RecallView>>, Problem> {
    caller.may(Scope::Read)?;
    let limit = limited(queue.limit, 100, 500)?;
    let rows = app.store.recall_list(queue.open.unwrap_or(false), limit).await?;
    Ok(Json(rows.iter().map(|row| shown(&app, row)).collect()))
}

/// Answer a recall of an incoming transfer; an accept may send the return at once.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers/{uetr}/recalls/{case}/answer", tag = "recalls",
    request_body = AnswerBody,
    params(("uetr" = String, Path, description = "UETR"),
        ("case" = String, Path, description = "The recall's case"), Whose),
    responses((status = 200, description = "Recorded", body = RecallView),
        (status = 202, description = "Durable here, not yet answered")))]
pub async fn answer(
    State(app): State<App>,
    caller: Caller,
    path: Result<axum::extract::Path<(String, String)>, axum::extract::rejection::PathRejection>,
    Query(whose): Query<Whose>,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Decide)?;
    let path = path.map_err(|_| Problem::field("path", "must be UTF-8"))?;
    let axum::extract::Path((uetr, case)) = path;
    let case: CaseId = case.parse().map_err(named("case"))?;
    let body: AnswerBody = body.json()?;
    let found = find(&app, &uetr, whose.debtor_agent).await?;
    let reply = reply(&app, &body, (&found.1, found.0.debtor_agent, case)).await?;
    let told = recalls::reply(&app, found, case, &reply).await?;
    Ok(respond(&app, told))
}

async fn reply(
    app: &App,
    body: &AnswerBody,
    (row, debtor_agent, case): (&transfers::Row, ledger_types::ParticipantId, CaseId),
) -> Result<Reply, Problem> {
    let only = |field, given: bool, word| match given {
        true => Err(Problem::field(field, &format!("belongs to {word} only; leave it out"))),
        false => Ok(()),
    };
    if body.answer != AnswerWord::Accepted {
        only("return_uetr", body.return_uetr.is_some(), "accepted")?;
        only("return", body.return_now.is_some(), "accepted")?;
    }
    if body.answer != AnswerWord::Pending {
        only("promised_at", body.promised_at.is_some(), "pending")?;
    }
    match body.answer {
        AnswerWord::Accepted => {
            let missing = || Problem::field("return_uetr", "must name the return of an accept");
            let text = body.return_uetr.as_deref().ok_or_else(missing)?;
            let return_uetr: Uetr = text.parse().map_err(named("return_uetr"))?;
            let reason = body.reason.as_deref().unwrap_or("FOCR");
            let return_now = match &body.return_now {
                None => None,
                Some(now) => match amount(app, now.amount.as_ref(), &row.currency).await? {
                    Some(amount) => Some(amount),
                    None => asked(app, debtor_agent, case).await?,
                },
            };
            let reason = reason.parse().map_err(named("reason"))?;
            Ok(Reply::Accepted { return_uetr, reason, return_now })
        }
        AnswerWord::Rejected => {
            let reason = body.reason.as_deref().unwrap_or_default();
            Ok(Reply::Rejected(listed("reason", reason, REJECT_REASONS)?))
        }
        AnswerWord::Pending => {
            only("reason", body.reason.is_some(), "accepted and rejected")?;
            let missing = || Problem::field("promised_at", "must say by when another answer comes");
            let text = body.promised_at.as_deref().ok_or_else(missing)?;
            Ok(Reply::Pending(clock::from_calendar(moment("promised_at", text)?)))
        }
    }
}

async fn asked(
    app: &App,
    debtor_agent: ledger_types::ParticipantId,
    case: CaseId,
) -> Result<Option<u64>, Problem> {
    let row = app.store.recall_fetch(debtor_agent, uuid::Uuid::from_bytes(case.0)).await?;
    Ok(row.and_then(|row| u64::try_from(row.amount).ok()))
}

/// Ask the ledger how a transfer stands now; the enquiry stands on this gateway's timeline.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/transfers/{uetr}/investigate", tag = "recalls",
    params(("uetr" = String, Path, description = "UETR"), Whose),
    responses((status = 200, description = "How it stands", body = EnquiryView)))]
pub async fn investigate(
    State(app): State<App>,
    caller: Caller,
    Segment(uetr): Segment,
    Query(whose): Query<Whose>,
) -> Result<Json<EnquiryView>, Problem> {
    caller.may(Scope::Send)?;
    let (transfer, _) = find(&app, &uetr, whose.debtor_agent).await?;
    let asked_at = rfc3339(OffsetDateTime::now_utc());
    let found = recalls::investigate(&app, transfer).await?;
    let network = app.directory.fresh();
    let returned = i64::try_from(found.returned).unwrap_or(i64::MAX);
    Ok(Json(EnquiryView {
        debtor_agent: transfer.debtor_agent.0,
        uetr: transfer.uetr.to_string(),
        asked_at,
        status: found.state.as_str(),
        iso_status: recalls::status(&found),
        reason: found.reason.map(|reason| reason.to_string()),
        returned: body(network.as_deref(), returned, found.currency.as_str()),
        submit_record: found.submit_sequence,
        decided_record: (found.decided_sequence != 0).then_some(found.decided_sequence),
    }))
}

/// An amount given, which must be in the settlement currency.
async fn amount(
    app: &App,
    given: Option<&AmountBody>,
    currency: &str,
) -> Result<Option<u64>, Problem> {
    let Some(given) = given else { return Ok(None) };
    let network = app.directory.current(&app.ledger).await?;
    let given = money(&network, "amount", &given.amount, &given.currency)?;
    match given.currency.as_str() == currency {
        true => Ok(Some(given.minor_units)),
        false => Err(Problem::refused(ledger_types::Rejection::CurrencyMismatch)),
    }
}

/// A code of one of ISO's external code sets.
fn listed(field: &'static str, text: &str, set: &str) -> Result<StatusReason, Problem> {
    let rule = || {
        let all = services_iso20022::codes::all(set).join(", ");
        Problem::field(field, &format!("must be of {set}: {all}"))
    };
    match services_iso20022::codes::known(set, text) {
        Some(true) => text.parse().map_err(named(field)),
        Some(false) | None => Err(rule()),
    }
}

fn respond(app: &App, (recorded, row): Told) -> Response {
    let status = if recorded { StatusCode::OK } else { StatusCode::ACCEPTED };
    match row {
        Some(row) => (status, Json(shown(app, &row))).into_response(),
        None => status.into_response(),
    }
}

fn shown(app: &App, row: &Row) -> RecallView {
    let network = app.directory.fresh();
    RecallView {
        debtor_agent: row.debtor_agent,
        uetr: row.uetr.to_string(),
        case: row.recall_case.to_string(),
        creditor_agent: row.creditor_agent,
        direction: if row.outgoing { "outgoing" } else { "incoming" },
        status: row.status.clone(),
        reason: row.reason.clone(),
        amount: body(network.as_deref(), row.amount, &row.currency),
        recalled_at: rfc3339(row.recalled_at),
        answer_by: rfc3339(row.answer_by),
        overdue: row.overdue(OffsetDateTime::now_utc()),
        record: row.record,
        answer_reason: row.answer_reason.clone(),
        answered_at: row.answered_at.map(rfc3339),
        answer_record: row.answer_record,
        return_uetr: row.return_uetr.map(|uetr| uetr.to_string()),
    }
}
