//! Recalls of settled money as messages: a camt.056 asks, a camt.029 answers, each as its REST resource does; what may be asked is decided there.
use std::time::Duration;

use ledger_types::{CaseId, StatusReason, Timestamp, TransferId};
use services_iso20022::{
    camt029::{Answer, Camt029, Resolution},
    life_cycle::{RecallAnswerFacts, RecallFacts, RecallOutcome},
};
use uuid::Uuid;

use super::{Report, life_cycle::incoming};
use crate::{
    app::App,
    clock, names,
    problem::{Code, Problem},
    store::{cases, transfers::Row},
    transfers::recalls::{self, Ask, Reply},
};

/// FOCR *following cancellation request*, of ExternalReturnReason1Code.
const FOLLOWING_RECALL: StatusReason = StatusReason::known(b"FOCR");
/// ARDT *already returned*, of ExternalPaymentCancellationRejection1Code.
const RETURNED: &str = "ARDT";
/// A pending answer says no time; so long the case is left to whoever decides.
const PENDING_FOR: Duration = Duration::from_secs(5 * 24 * 3_600);

/// A recall of money that has settled: the first time it is put to the creditor agent, and each
/// further time it tells how that stands.
pub(super) async fn asked(
    app: &App,
    found: (TransferId, Row),
    facts: &RecallFacts,
) -> Result<Answer, Problem> {
    let case = case(found.0, &facts.case_id);
    let known = app.store.recall_fetch(found.0.debtor_agent, Uuid::from_bytes(case.0)).await?;
    let row = match known {
        Some(row) => Some(row),
        None => {
            let amount = left(app, &found).await?;
            if amount == 0 {
                let text = "all of it has been returned".to_owned();
                return Ok(Answer::Refused { reason: RETURNED.to_owned(), text });
            }
            let ask = Ask { case, reason: facts.reason, amount, answer_by: None };
            recalls::recall(app, found, &ask).await?.1
        }
    };
    Ok(row.map_or_else(|| pending("the recall waits for the ledger's answer"), |row| told(&row)))
}

/// What of a settled transfer has not come back.
async fn left(app: &App, (transfer, row): &(TransferId, Row)) -> Result<u64, Problem> {
    let found = app.ledger.transfer(*transfer).await.map_err(|error| {
        tracing::warn!(%error, "transfer not read");
        Problem::new(Code::LedgerUnavailable, "no node of the ledger answers; try again")
    })?;
    Ok(row.settlement_amount().saturating_sub(found.returned))
}

fn told(row: &cases::Row) -> Answer {
    match row.status.as_str() {
        "accepted" => {
            let uetr = row.return_uetr.map(|uetr| uetr.to_string());
            Answer::Cancelled { returned_by: Some(Resolution { uetr, ..Resolution::default() }) }
        }
        "rejected" => Answer::Refused {
            reason: row.answer_reason.clone().unwrap_or_else(|| "NARR".to_owned()),
            text: format!("case {}", row.recall_case),
        },
        _open => {
            let by = clock::rfc3339(row.answer_by);
            pending(&format!("case {}: the creditor agent answers by {by}", row.recall_case))
        }
    }
}

fn pending(text: &str) -> Answer {
    Answer::Pending { text: text.to_owned() }
}

/// The message's name of the matter if it is a UUID, else one that it gets each time it comes.
fn case(transfer: TransferId, id: &str) -> CaseId {
    if let Ok(case) = id.parse() {
        return case;
    }
    let (agent, uetr) = (transfer.debtor_agent.0.to_be_bytes(), transfer.uetr.bytes());
    let name = names::uetr(b"causeway recall of a message\0", &[&agent, &uetr, id.as_bytes()]);
    CaseId(name.bytes())
}

/// A camt.029: the creditor agent's answer to a recall of an incoming transfer. One that accepts
/// and names no return sends all that was asked back at once.
pub(super) async fn answered(app: &App, message: &Camt029) -> Result<Report, Problem> {
    match RecallAnswerFacts::of(message) {
        Err(refusal) => Ok(Report::refused(refusal)),
        Ok(facts) => Report::of_result(answer(app, &facts).await),
    }
}

async fn answer(app: &App, facts: &RecallAnswerFacts) -> Result<Row, Problem> {
    let (transfer, row) = incoming(app, facts.original_uetr).await?;
    let of_transfer = app.store.recall_of(transfer).await?;
    let known = of_transfer
        .iter()
        .find(|known| facts.case_id.parse() == Ok(CaseId(*known.recall_case.as_bytes())))
        .or_else(|| of_transfer.iter().find(|known| known.open()));
    let known = known.ok_or_else(|| {
        Problem::new(Code::TransferNotFound, "RslvdCase: nobody asked this payment back")
    })?;
    let reply = reply(transfer, known, facts);
    let case = CaseId(*known.recall_case.as_bytes());
    recalls::reply(app, (transfer, row.clone()), case, &reply).await?;
    Ok(row)
}

fn reply(transfer: TransferId, known: &cases::Row, facts: &RecallAnswerFacts) -> Reply {
    match facts.outcome {
        RecallOutcome::Accepted => {
            let asked = u64::try_from(known.amount).ok();
            let agent = transfer.debtor_agent.0.to_be_bytes();
            let parts: [&[u8]; 2] = [&agent, known.recall_case.as_bytes()];
            let own = || names::uetr(b"causeway return of a recall\0", &parts);
            Reply::Accepted {
                return_uetr: facts.return_uetr.unwrap_or_else(own),
                reason: FOLLOWING_RECALL,
                return_now: asked.filter(|_| facts.return_uetr.is_none()),
            }
        }
        RecallOutcome::Refused => {
            Reply::Rejected(facts.reason.unwrap_or(StatusReason::known(b"NARR")))
        }
        RecallOutcome::Pending => {
            let micros = u64::try_from(PENDING_FOR.as_micros()).unwrap_or_default();
            let due = clock::from_calendar(known.answer_by);
            let soonest: Timestamp = clock::now().plus_micros(micros);
            Reply::Pending(due.max(soonest))
        }
    }
}
