//! The debtor agent's side of a payee check: counts the key's, asks the creditor agent's gateway in time, writes down what came; silence is never taken for a no.
use std::time::Duration;

use ledger_types::Timestamp;
use proto::{
    client::RETRY_AFTER_KEY,
    payee::{VerifyRequest, VerifyResponse, verify_request::Payee as Wire},
};
use serde_json::Value;
use tonic::{Code as Grpc, Status};

use super::{
    FAILED, OFFLINE, Outcome, Payee, Question, Told, UNSUPPORTED,
    answer::{detail, seconds_of_today_left},
    reference,
};
use crate::{
    app::App,
    clock, measure,
    problem::{Code, Problem},
    routes::caller::Caller,
};

/// The longest name that is passed on.
const NAME_CHARS_MAX: usize = 140;

/// A refusal, and after how many seconds another try makes sense, where that is known.
#[derive(Debug)]
pub struct Refused {
    /// What is told.
    pub problem: Problem,
    /// For `Retry-After`.
    pub wait_s: Option<u64>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, wait_s: None }
    }
}

impl From<crate::store::Error> for Refused {
    fn from(error: crate::store::Error) -> Self {
        Problem::from(error).into()
    }
}

/// Asks, for one API key.
///
/// # Errors
/// When too much was asked, or the answer could not be written down.
pub async fn ask(app: &App, caller: &Caller, question: &Question) -> Result<Told, Refused> {
    let standing = app.payees.keys.request(caller.key);
    if standing.exceeded {
        let detail = "authorization: the key asks for payees faster than it may; go on slower";
        let problem = Problem::new(Code::RateLimitExceeded, detail);
        return Err(Refused { problem, wait_s: Some(standing.wait_s) });
    }
    let asker = format!("key {}", caller.key);
    let max = app.payees.settings.key_answers_a_day;
    if !app.store.payee_answer_take(&asker, max).await? {
        if app.store.payee_limit_note(&asker).await? {
            let entry = caller.actor().entry("payee.limited", caller.key, Value::Null);
            app.store.audit_append(&entry).await?;
        }
        let detail = "authorization: the key's payee checks of this day are used up";
        return Err(too_many(detail, seconds_of_today_left()));
    }
    let told = asked(app, question).await;
    let teaches = told.as_ref().is_ok_and(|told| told.outcome.teaches(question.payee.proxy()));
    if !teaches {
        app.store.payee_answer_give_back(&asker).await?;
    }
    let word = told.as_ref().map_or("refused", |told| told.outcome.as_str());
    measure::payee_check(true, word);
    let mut said = match &told {
        Ok(told) => detail(app, question, told),
        Err(_) => serde_json::json!({ "by": question.payee.word(), "result": "refused" }),
    };
    said["creditor_agent"] = question.creditor_agent.0.into();
    let entry = caller.actor().entry("payee.checked", question.id, said);
    app.store.audit_append(&entry).await?;
    told
}

async fn asked(app: &App, question: &Question) -> Result<Told, Refused> {
    let Some(peer) = app.payees.peers.get(&question.creditor_agent) else {
        // Nobody told this gateway where the other one answers.
        return Ok(Told::not_possible(UNSUPPORTED));
    };
    let wire = VerifyRequest {
        check_id: question.id.as_bytes().to_vec().into(),
        creditor_agent: question.creditor_agent.0,
        payee: Some(match question.payee.clone() {
            Payee::Account(text) => Wire::Account(text),
            Payee::Phone(text) => Wire::Phone(text),
            Payee::Email(text) => Wire::Email(text),
        }),
        name: question.name.as_ref().map(|name| name.0.clone()).unwrap_or_default(),
    };
    let patience = Duration::from_millis(app.payees.settings.timeout_ms);
    let mut peer = peer.clone();
    match tokio::time::timeout(patience, peer.verify(wire)).await {
        Ok(Ok(response)) => Ok(heard(question, response.into_inner())),
        Ok(Err(status)) => unanswered(question, &status),
        Err(_) => {
            tracing::warn!(creditor_agent = %question.creditor_agent, "no payee check in time");
            Ok(Told::not_possible(OFFLINE))
        }
    }
}

/// What the other gateway says, as far as it is in the agreed words; of the rest nothing is passed on.
fn heard(question: &Question, said: VerifyResponse) -> Told {
    let Some(outcome) = Outcome::parse(&said.result) else { return Told::not_possible(FAILED) };
    let text = |text: String| {
        let fits = !text.is_empty() && text.chars().count() <= NAME_CHARS_MAX;
        Some(text).filter(|text| fits && !text.chars().any(char::is_control))
    };
    let known = !matches!(outcome, Outcome::NoMatch | Outcome::NotPossible);
    let proxy = question.payee.proxy();
    let close = outcome == Outcome::CloseMatch && !proxy;
    let reference =
        Some(said.account_reference).filter(|text| known && proxy && reference::is(text));
    let expires_at = Timestamp::from_micros(said.expires_at_micros);
    Told {
        outcome,
        reason: said.reason.parse().ok().filter(|_| !known),
        name: text(said.name).filter(|_| close),
        masked_name: text(said.masked_name).filter(|_| known && proxy),
        reference: reference.map(|text| (text, clock::calendar_or_epoch(expires_at))),
    }
}

/// A gateway that does not answer, or can't, has said nothing about the payee.
fn unanswered(question: &Question, status: &Status) -> Result<Told, Refused> {
    tracing::warn!(
        creditor_agent = %question.creditor_agent, code = ?status.code(), "no payee check"
    );
    if status.code() == Grpc::ResourceExhausted {
        let wait = status.metadata().get(RETRY_AFTER_KEY).and_then(|value| value.to_str().ok());
        let wait_ms: u64 = wait.and_then(|text| text.parse().ok()).unwrap_or(1_000);
        let detail = "creditor_agent: it answers no more payee checks of this participant now";
        return Err(too_many(detail, wait_ms.div_ceil(1_000)));
    }
    let offline = [Grpc::Unavailable, Grpc::DeadlineExceeded, Grpc::Cancelled, Grpc::Unknown];
    let reason = if offline.contains(&status.code()) { OFFLINE } else { FAILED };
    Ok(Told::not_possible(reason))
}

fn too_many(detail: &str, wait_s: u64) -> Refused {
    Refused { problem: Problem::new(Code::TooManyRequests, detail), wait_s: Some(wait_s.max(1)) }
}
