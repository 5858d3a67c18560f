//! Recalls, their answers and enquiries: builds what is signed and says how a case stands; the ledger decides whether it may.
use ledger_proof::item::{AnswerRecall, Item, Recall};
use ledger_types::{
    CaseId, Purpose, RecallAnswer, Rejection, StatusReason, Timestamp, TransferId, Uetr,
};
use proto::{client::Error as LedgerError, convert};
use uuid::Uuid;

use super::{Created, create::answer, returns};
use crate::{
    app::{App, enqueue},
    clock,
    problem::{Code, Problem},
    sealing::random,
    store::{
        self,
        cases::{self, Asked, Said, recall_answer, recall_insert},
        transfers::{Line, Row, timeline_insert},
    },
};

/// The code set of a recall's reason.
pub const RECALL_REASONS: &str = "ExternalCancellationReason1Code";

/// The code set of the reason of an answer that rejects.
pub const REJECT_REASONS: &str = "ExternalPaymentCancellationRejection1Code";

/// How long the creditor agent has to answer where the debtor agent names no time: 10 days.
const ANSWER_MICROS: u64 = 10 * 24 * 3_600 * 1_000_000;

/// A recall as asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// A UUID of the debtor agent's own.
    pub case: CaseId,
    /// Of [`RECALL_REASONS`].
    pub reason: StatusReason,
    /// Minor units of the settlement currency.
    pub amount: u64,
    /// By when an answer is expected; in 10 days if absent.
    pub answer_by: Option<Timestamp>,
}

/// An answer as given.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// The money comes back by a return, sent here at once if an amount is named.
    Accepted {
        /// The return's reference.
        return_uetr: Uetr,
        /// The return's reason.
        reason: StatusReason,
        /// Minor units to return now.
        return_now: Option<u64>,
    },
    /// It does not; of [`REJECT_REASONS`].
    Rejected(StatusReason),
    /// Later.
    Pending(Timestamp),
}

impl Reply {
    const fn answer(&self) -> RecallAnswer {
        match self {
            Self::Accepted { .. } => RecallAnswer::Accepted,
            Self::Rejected(_) => RecallAnswer::Rejected,
            Self::Pending(_) => RecallAnswer::Pending,
        }
    }

    const fn reason(&self) -> StatusReason {
        match self {
            Self::Accepted { reason, .. } | Self::Rejected(reason) => *reason,
            Self::Pending(_) => StatusReason::known(b"NARR"),
        }
    }
}

/// Whether the ledger has answered, and the case if this gateway has it already.
pub type Told = (bool, Option<cases::Row>);

/// Asks for money of an outgoing transfer back. The same again gets the ledger's first answer.
///
/// # Errors
/// When this gateway is not the debtor agent, or the ledger refuses.
pub async fn recall(
    app: &App,
    (transfer, row): (TransferId, Row),
    ask: &Ask,
) -> Result<Told, Problem> {
    if !row.outgoing {
        return Err(Problem::refused(Rejection::NotParty));
    }
    if row.record.is_none() {
        return Err(Problem::refused(Rejection::RecallTooEarly).of(transfer.uetr));
    }
    app.room()?;
    let answer_by = ask.answer_by.unwrap_or_else(|| clock::now().plus_micros(ANSWER_MICROS));
    let item = Item::Recall(Recall {
        nonce: random().map_err(|error| Problem::internal(&error))?,
        uetr: transfer.uetr,
        case: ask.case,
        reason: ask.reason,
        amount: ask.amount,
        answer_by,
    });
    // What the caller asked, not what was filled in for it.
    let given = ask.answer_by.map(Timestamp::micros);
    let asked = format!("{} {} {} {given:?}", ask.case, ask.reason, ask.amount);
    let mut transaction = app.store.begin().await?;
    let sent = enqueue(&mut transaction, transfer, &item, asked.as_bytes()).await?;
    store::commit(transaction).await?;
    let recorded = matches!(answer(app, transfer, app.send(sent)).await?, Created::Recorded(_));
    let case = Uuid::from_bytes(ask.case.0);
    if recorded {
        let asked = Asked {
            transfer,
            creditor_agent: store::transfers::participant(row.creditor_agent),
            case,
            outgoing: true,
            reason: ask.reason.as_str(),
            amount: ask.amount,
            currency: &row.currency,
            answer_by,
        };
        // The record may come later than the outcome.
        let mut transaction = app.store.begin().await?;
        recall_insert(&mut transaction, &asked, clock::now(), None).await?;
        store::commit(transaction).await?;
    }
    Ok((recorded, app.store.recall_fetch(transfer.debtor_agent, case).await?))
}

/// Answers a recall of an incoming transfer, after sending the return that an accept brings along:
/// where the ledger refuses that, nothing was promised.
///
/// # Errors
/// When this gateway is not the creditor agent, knows no such recall, or the ledger refuses.
pub async fn reply(
    app: &App,
    (transfer, row): (TransferId, Row),
    case: CaseId,
    reply: &Reply,
) -> Result<Told, Problem> {
    if row.outgoing {
        return Err(Problem::refused(Rejection::NotParty));
    }
    let name = Uuid::from_bytes(case.0);
    let known = app.store.recall_fetch(transfer.debtor_agent, name).await?;
    let known = known.filter(|known| known.uetr == row.uetr);
    let known = known.ok_or_else(|| Problem::refused(Rejection::CaseUnknown))?;
    app.room()?;
    if let Reply::Accepted { return_uetr, reason, return_now: Some(amount) } = *reply {
        send_back(app, (transfer, row), &known, (return_uetr, reason, amount)).await?;
    }
    let (returns, promised_at) = match *reply {
        Reply::Accepted { return_uetr, .. } => (Some(return_uetr), Timestamp::ZERO),
        Reply::Rejected(_) => (None, Timestamp::ZERO),
        Reply::Pending(until) => (None, until),
    };
    let item = Item::AnswerRecall(AnswerRecall {
        nonce: random().map_err(|error| Problem::internal(&error))?,
        debtor_agent: transfer.debtor_agent,
        uetr: transfer.uetr,
        case,
        answer: reply.answer(),
        reason: reply.reason(),
        returns: returns.into_iter().collect(),
        promised_at,
    });
    let (word, reason) = (reply.answer().word(), reply.reason());
    let asked = format!("{case} {word} {reason} {returns:?} {}", promised_at.micros());
    let mut transaction = app.store.begin().await?;
    let sent = enqueue(&mut transaction, transfer, &item, asked.as_bytes()).await?;
    store::commit(transaction).await?;
    let recorded = matches!(answer(app, transfer, app.send(sent)).await?, Created::Recorded(_));
    if recorded {
        let said = Said {
            debtor_agent: transfer.debtor_agent,
            case: name,
            answer: reply.answer(),
            reason: reason.as_str(),
            returns,
            promised_at,
        };
        let mut transaction = app.store.begin().await?;
        recall_answer(&mut transaction, &said, clock::now(), None).await?;
        store::commit(transaction).await?;
    }
    Ok((recorded, app.store.recall_fetch(transfer.debtor_agent, name).await?))
}

/// Sends the return of an accept, once: a repeat finds it.
async fn send_back(
    app: &App,
    (transfer, row): (TransferId, Row),
    known: &cases::Row,
    (uetr, reason, amount): (Uetr, StatusReason, u64),
) -> Result<(), Problem> {
    let sent = app.store.transfer_fetch(uetr, Some(app.me)).await?.into_iter().next();
    if let Some(sent) = sent {
        return match (sent.return_of == Some(row.uetr), &sent.refusal) {
            (true, None) => Ok(()),
            (true, Some(_)) | (false, _) => Err(Problem::refused(Rejection::UetrReused).of(uetr)),
        };
    }
    if !known.open() {
        return Err(Problem::refused(Rejection::AnswerReused));
    }
    let reason = Purpose::from_bytes(reason.bytes())
        .map_err(|error| Problem::field("reason", error.reason))?;
    returns::create(app, (transfer, row), amount, reason, uetr).await.map(drop)
}

/// Asks the ledger how a transfer stands, and notes that on the own timeline.
///
/// # Errors
/// When the ledger does not answer, or knows no such transfer.
pub async fn investigate(app: &App, transfer: TransferId) -> Result<convert::Transfer, Problem> {
    let found = app.ledger.transfer(transfer).await.map_err(|error| {
        if matches!(error, LedgerError::NotFound(_)) {
            let detail = "uetr: the ledger knows it not; it may be on its way";
            return Problem::new(Code::TransferNotFound, detail);
        }
        tracing::warn!(%error, "transfer not read");
        Problem::new(Code::LedgerUnavailable, "no node of the ledger answers; try again")
    })?;
    let status = status(&found);
    let mut transaction = app.store.begin().await?;
    timeline_insert(&mut transaction, &[Line::now(transfer, "enquiry", status)]).await?;
    store::commit(transaction).await?;
    Ok(found)
}

/// The ISO status of a transfer as the ledger states it.
#[must_use]
pub fn status(transfer: &convert::Transfer) -> &'static str {
    use ledger_types::CreditTransferStatus;
    let confirmed = transfer.confirmation.map(CreditTransferStatus::Confirmed);
    confirmed.unwrap_or_else(|| transfer.state.into()).as_str()
}
