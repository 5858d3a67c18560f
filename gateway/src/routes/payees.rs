//! Payee checks over HTTP: does this account or proxy belong to this name; the answer shows no account, and no name but as far as the check's rules let it.
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use ledger_types::Rejection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Body,
    caller::{Caller, Scope},
};
use crate::{
    app::App,
    clock::rfc3339,
    payee::{Question, Told, ask, read},
    problem::Problem,
    sealing::random,
    transfers::order::agent,
};

/// Who is to be paid: exactly one of account, phone and email.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "creditor_agent": "CWWAPHM0", "phone": "+639170000001", "name": "Bea Testperson",
}))]
pub struct PayeeCheckBody {
    /// Network id or BIC of the institution that would pay out.
    pub creditor_agent: String,
    /// IBAN, account number, or a wallet's phone number.
    #[schema(min_length = 1, max_length = 34, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub account: Option<String>,
    /// A proxy: E.164 (ISO 20022 proxy type TELE).
    #[schema(pattern = "^\\+[1-9][0-9]{6,14}$")]
    pub phone: Option<String>,
    /// A proxy: an e-mail address (ISO 20022 proxy type EMAL).
    #[schema(max_length = 254, pattern = "^[!-?A-~]{1,64}@[!-?A-~]{1,189}$")]
    pub email: Option<String>,
    /// As the sender typed it; required with an account.
    #[schema(max_length = 140, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub name: Option<String>,
}

impl std::fmt::Debug for PayeeCheckBody {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("PayeeCheckBody(‹personal›)")
    }
}

/// What the check came to.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "5a2ad8e4-7f5a-4f0e-9d86-0d3a4d2c9b10", "result": "match", "iso_status": "RCVC",
    "masked_name": "B••• T•••", "account_reference": "payee-0011223344556677889900112233",
    "expires_at": "2026-01-02T03:34:05Z",
}))]
pub struct PayeeCheckView {
    /// Its name in both sides' audit logs.
    pub id: String,
    /// `match`, `close_match`, `no_match`, `resolved` (a proxy without a name to compare) or
    /// `not_possible`.
    pub result: &'static str,
    /// ExternalPaymentTransactionStatus1Code: RCVC, RVMC, RVNM or RVNA; none of `resolved`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iso_status: Option<&'static str>,
    /// ExternalStatusReason1Code of `no_match` (BE01, BE23) and `not_possible` (AB08, AB09, AG03).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The account's name; of a close match of an account alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name behind a proxy, masked; never of `no_match`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked_name: Option<String>,
    /// Give it as `creditor.account` of a transfer to the same creditor agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_reference: Option<String>,
    /// RFC 3339: until when the ledger has to take that transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl std::fmt::Debug for PayeeCheckView {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("PayeeCheckView").field("result", &self.result).finish_non_exhaustive()
    }
}

/// Check an account or proxy and a name before money is sent.
///
/// # Errors
/// Every problem has its page in docs/errors.
#[utoipa::path(post, path = "/v1/payee-checks", tag = "payees", request_body = PayeeCheckBody,
    responses((status = 200, description = "What the creditor agent says", body = PayeeCheckView)))]
pub async fn check(
    State(app): State<App>,
    caller: Caller,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(Scope::Send)?;
    let question = question(&app, body.json()?).await?;
    let asker = caller.clone();
    // An answer that nobody waits for any more stands in the audit log all the same.
    let work = async move {
        match ask::ask(&app, &asker, &question).await {
            Ok(told) => Ok(Json(view(question.id, told)).into_response()),
            Err(refused) => {
                let mut response = refused.problem.into_response();
                if let Some(wait_s) = refused.wait_s {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
                }
                Ok(response)
            }
        }
    };
    caller.to_the_end(work).await
}

async fn question(app: &App, body: PayeeCheckBody) -> Result<Question, Problem> {
    let payee = read::payee(body.account, body.phone, body.email)?;
    let name = read::name(&payee, body.name)?;
    let network = app.directory.current(&app.ledger).await?;
    let creditor_agent = agent(&network, &body.creditor_agent)
        .ok_or_else(|| Problem::refused(Rejection::CreditorAgentUnknown))?;
    if creditor_agent == app.me {
        return Err(Problem::field("creditor_agent", "must be another participant"));
    }
    let id = Uuid::from_bytes(random().map_err(|error| Problem::internal(&error))?);
    Ok(Question { id, creditor_agent, payee, name })
}

fn view(id: Uuid, told: Told) -> PayeeCheckView {
    let expires_at = told.reference.as_ref().map(|(_, at)| rfc3339(*at));
    PayeeCheckView {
        id: id.to_string(),
        result: told.outcome.as_str(),
        iso_status: told.outcome.iso_status(),
        reason: told.reason.map(|reason| reason.to_string()),
        name: told.name,
        masked_name: told.masked_name,
        account_reference: told.reference.map(|(text, _)| text),
        expires_at,
    }
}
