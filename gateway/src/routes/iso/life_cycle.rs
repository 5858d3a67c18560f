//! Returns, questions and recalls as messages: each does what its REST resource does; whether it may is decided there.
use axum::response::Response;
use ledger_types::{ParticipantId, Purpose, Rejection, StatusReason, TransferId, Uetr};
use proto::convert::Network;
use services_iso20022::{
    AppHdr, Refusal,
    camt029::{Answer, CAMT_029, Camt029},
    camt056::Camt056,
    life_cycle::{RecallFacts, ReturnFacts, status_requests},
    pacs002::write_each,
    pacs004::Pacs004,
    pacs028::Pacs028,
};
use time::OffsetDateTime;

use super::{Report, message_id, own_bic, plain, recalls, refusal, xml};
use crate::{
    app::App,
    clock::rfc3339,
    directory::money,
    names,
    problem::{Code, Problem},
    store::transfers::Row,
    transfers::{
        Created,
        act::{Action, act, find},
        order::agent,
        returns,
    },
};

/// NOOR *no original transaction received*, of ExternalPaymentCancellationRejection1Code.
const NO_ORIGINAL: &str = "NOOR";
/// AM19 *number of transactions at group level is invalid or missing*.
const NUMBER_OF_TRANSACTIONS: StatusReason = StatusReason::known(b"AM19");
/// Payments of one question.
const ASKED_MAX: usize = 100;

/// A pacs.004: money of an incoming transfer goes back.
pub(super) async fn returned(
    app: &App,
    network: &Network,
    message: &Pacs004,
) -> Result<Report, Problem> {
    match ReturnFacts::of(message) {
        Err(refusal) => Ok(Report::refused(refusal)),
        Ok(facts) => Report::of_result(make_return(app, network, message, &facts).await),
    }
}

async fn make_return(
    app: &App,
    network: &Network,
    message: &Pacs004,
    facts: &ReturnFacts,
) -> Result<Row, Problem> {
    let debtor_agent = debtor_agent(network, message);
    let found = find(app, &facts.original_uetr.to_string(), debtor_agent.map(|id| id.0)).await?;
    let name = "RtrdIntrBkSttlmAmt";
    let amount = money(network, name, &plain(&facts.amount), &facts.amount.currency)?;
    if amount.currency.as_str() != found.1.currency {
        return Err(Problem::refused(Rejection::CurrencyMismatch));
    }
    let reason: Purpose = facts
        .reason
        .as_str()
        .parse()
        .map_err(|error: ledger_types::ParseError| Problem::field("RtrRsnInf", error.reason))?;
    let own = facts.own_uetr.unwrap_or_else(|| derived(app.me, message, facts));
    let asked = Asked { original: found.0.uetr, amount: amount.minor_units, reason };
    if let Some(known) = known(app, own, &asked).await? {
        return known;
    }
    match returns::create(app, found, asked.amount, reason, own).await {
        Ok(Created::Recorded(row) | Created::Durable(row)) => Ok(*row),
        // The same message may have come twice at once: the first is then the answer to both.
        Err(problem) if problem.reused() => known(app, own, &asked).await?.unwrap_or(Err(problem)),
        Err(problem) => Err(problem),
    }
}

/// What makes two messages the same return.
struct Asked {
    original: Uetr,
    amount: u64,
    reason: Purpose,
}

/// What this UETR is already known by: the return if it has this content, else its refusal.
async fn known(
    app: &App,
    own: Uetr,
    asked: &Asked,
) -> Result<Option<Result<Row, Problem>>, Problem> {
    let rows = app.store.transfer_fetch(own, Some(app.me)).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let original = row.return_of.is_some_and(|uetr| *uetr.as_bytes() == asked.original.bytes());
    let amount = row.instructed_amount.and_then(|amount| u64::try_from(amount).ok());
    let same = original && amount == Some(asked.amount) && row.purpose == asked.reason.as_str();
    let reused = || Problem::refused(Rejection::UetrReused).of(own);
    Ok(Some(if same { Ok(row) } else { Err(reused()) }))
}

/// Who gets the money back, if the message names it: two debtor agents may have used one UETR.
fn debtor_agent(network: &Network, message: &Pacs004) -> Option<ParticipantId> {
    let one = message.returns.first()?;
    let chain = one.chain.as_ref().and_then(|chain| chain.creditor_agent.as_ref());
    let header = message.group_header.instructed_agent.as_ref();
    let named = chain.or(one.instructed_agent.as_ref()).or(header)?;
    agent(network, named.bic.as_deref()?)
}

/// A UETR that the same message gets each time it comes: `RtrId` has none in it.
fn derived(me: ParticipantId, message: &Pacs004, facts: &ReturnFacts) -> Uetr {
    let message_id = message.group_header.message_id.as_deref().unwrap_or_default();
    let return_id = message.returns.first().and_then(|one| one.return_id.as_deref());
    let (me, original) = (me.0.to_be_bytes(), facts.original_uetr.bytes());
    let ids = [message_id.as_bytes(), return_id.unwrap_or_default().as_bytes()];
    names::uetr(b"causeway return of a message\0", &[&me, &original, ids[0], &[0], ids[1], &[0]])
}

/// A pacs.028: where each of these payments is.
pub(super) async fn asked(
    app: &App,
    network: &Network,
    message: &Pacs028,
    header: bool,
) -> Result<Result<Response, Refusal>, Problem> {
    let uetrs = match status_requests(message) {
        Ok(uetrs) => uetrs,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if uetrs.len() > ASKED_MAX {
        let text = format!("TxInf: ask about at most {ASKED_MAX} payments a message");
        return Ok(Err(Refusal { reason: NUMBER_OF_TRANSACTIONS, text }));
    }
    let mut reports = Vec::new();
    for (uetr, original) in uetrs.into_iter().zip(message.originals()) {
        let report = match find(app, &uetr.to_string(), None).await {
            Err(problem) if problem.status.is_server_error() => return Err(problem),
            // AG09: the payment that is asked about was never received.
            Err(problem) => Report::refused(refusal(&problem)),
            Ok((_, row)) => Report::of(&row),
        };
        reports.push((original, report.statement(app, network)?));
    }
    let text = write_each(&reports, header).map_err(|error| Problem::internal(&error))?;
    Ok(Ok(xml(text.unwrap_or_default())))
}

/// A camt.056: before it is accepted a transfer is cancelled, and settled money is asked back; what
/// never moved needs no recall.
pub(super) async fn recalled(
    app: &App,
    network: &Network,
    message: &Camt056,
    header: bool,
) -> Result<Result<Response, Refusal>, Problem> {
    let facts = match RecallFacts::of(message) {
        Ok(facts) => facts,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let answer = match outgoing(app, facts.original_uetr).await? {
        None => Answer::Refused {
            reason: NO_ORIGINAL.to_owned(),
            text: "this participant sent no such payment".to_owned(),
        },
        Some(found) => match cancelled(app, found.clone(), facts.reason).await? {
            Some(answer) => answer,
            None => match recalls::asked(app, found, &facts).await {
                Ok(answer) => answer,
                Err(problem) if problem.status.is_server_error() => return Err(problem),
                Err(problem) => return Ok(Err(refusal(&problem))),
            },
        },
    };
    let now = rfc3339(OffsetDateTime::now_utc());
    let id = message_id()?;
    let resolution = Camt029::answer(message, &id, &now, &answer);
    let asker = message.assignment.assigner.as_ref().and_then(|agent| agent.bic.clone());
    let own = header.then(|| AppHdr {
        from_bic: own_bic(app, network),
        to_bic: asker,
        business_message_id: Some(id),
        message_definition_id: Some(CAMT_029.to_owned()),
        business_service: None,
        created_at: Some(now),
    });
    let text = resolution.write(own.as_ref()).map_err(|error| Problem::internal(&error))?;
    Ok(Ok(xml(text)))
}

/// The transfer that others know by this UETR and that came to this gateway.
pub(super) async fn incoming(app: &App, uetr: Uetr) -> Result<(TransferId, Row), Problem> {
    let rows = app.store.transfer_fetch(uetr, None).await?;
    let mut came = rows.into_iter().filter(|row| !row.outgoing);
    let missing = || Problem::new(Code::TransferNotFound, "OrgnlUETR: no such payment came here");
    let row = came.next().ok_or_else(missing)?;
    if came.next().is_some() {
        return Err(Problem::new(Code::UetrAmbiguous, "OrgnlUETR: two debtor agents used it"));
    }
    Ok((row.transfer().ok_or_else(missing)?, row))
}

async fn outgoing(app: &App, uetr: Uetr) -> Result<Option<(TransferId, Row)>, Problem> {
    let rows = app.store.transfer_fetch(uetr, Some(app.me)).await?;
    let transfer = TransferId { debtor_agent: app.me, uetr };
    Ok(rows.into_iter().next().map(|row| (transfer, row)))
}

/// How a recall ends without the creditor agent; nothing if the money has settled.
async fn cancelled(
    app: &App,
    (transfer, row): (TransferId, Row),
    reason: StatusReason,
) -> Result<Option<Answer>, Problem> {
    let nothing_moved = Answer::Cancelled { returned_by: None };
    match row.status.as_str() {
        "SETTLED" | "CREDITED" => return Ok(None),
        "QUEUED" | "AWAITING_APPROVAL" => {
            let text = "it has not been sent, or is not answered yet: ask again".to_owned();
            return Ok(Some(Answer::Pending { text }));
        }
        "PENDING" => {}
        _ended => return Ok(Some(nothing_moved)),
    }
    match act(app, (transfer, row), &Action::Cancel { reason }).await {
        Ok(Created::Recorded(_)) => Ok(Some(nothing_moved)),
        Ok(Created::Durable(_)) => {
            let text = "the cancellation waits for the ledger's answer".to_owned();
            Ok(Some(Answer::Pending { text }))
        }
        Err(problem) if problem.status.is_server_error() || problem.is(Code::RequestInProgress) => {
            Err(problem)
        }
        // Accepted in the meantime, or ended: it is looked at once more.
        Err(problem) => match outgoing(app, transfer.uetr).await? {
            Some((_, now)) if matches!(now.status.as_str(), "SETTLED" | "CREDITED") => Ok(None),
            Some((_, now)) if now.status != "PENDING" => Ok(Some(nothing_moved)),
            Some(_) | None => Err(problem),
        },
    }
}
