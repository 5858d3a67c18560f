//! What records say of recalls: the case and a line of the transfer's timeline; it never moves money or answers.
use ledger_proof::{
    codec::Field,
    item::ItemKind,
    record::{AnswerRecallDetail, RecallDetail, RecordKind, SharedPart},
};
use ledger_types::TransferId;
use proto::convert::RecordEvent;
use uuid::Uuid;

use crate::{
    Error,
    app::App,
    store::{
        Connection,
        cases::{Asked, Said, recall_answer, recall_insert},
        transfers::{Line, timeline_insert},
    },
};

/// Keeps what a record says of a recall; one that was refused or repeats another says nothing new.
pub(super) async fn follow(
    app: &App,
    connection: &mut Connection,
    event: &RecordEvent,
    (shared, transfer): (&SharedPart, TransferId),
) -> Result<(), Error> {
    if shared.outcome != 0 || shared.first_sequence != 0 {
        return Ok(());
    }
    let unreadable = |source| Error::Record { sequence: event.sequence, source };
    let record = Some(event.sequence);
    let reason = shared.reason.as_str();
    let word = match event.kind {
        RecordKind::Item(ItemKind::Recall) => {
            let detail = RecallDetail::from_bytes(&shared.detail.0).map_err(unreadable)?;
            let asked = Asked {
                transfer,
                creditor_agent: shared.creditor_agent,
                case: Uuid::from_bytes(detail.case.0),
                outgoing: transfer.debtor_agent == app.me,
                reason,
                amount: shared.amount,
                currency: shared.currency.as_str(),
                answer_by: shared.deadline,
            };
            recall_insert(connection, &asked, event.at, record).await.map_err(Error::Store)?;
            ("recalled", "PDCR")
        }
        RecordKind::Item(ItemKind::AnswerRecall) => {
            let detail = AnswerRecallDetail::from_bytes(&shared.detail.0).map_err(unreadable)?;
            let said = Said {
                debtor_agent: transfer.debtor_agent,
                case: Uuid::from_bytes(detail.case.0),
                answer: detail.answer,
                reason,
                returns: detail.returns.first().copied(),
                promised_at: shared.deadline,
            };
            recall_answer(connection, &said, event.at, record).await.map_err(Error::Store)?;
            ("recall_answered", detail.answer.as_str())
        }
        RecordKind::Item(_)
        | RecordKind::Expiry
        | RecordKind::Entry
        | RecordKind::Genesis
        | RecordKind::EnvelopeRefusal => return Ok(()),
    };
    let line = Line {
        transfer,
        at: event.at,
        event: word.0.into(),
        iso_status: word.1,
        reason: Some(reason.to_owned()),
        record: i64::try_from(event.sequence).ok(),
    };
    timeline_insert(connection, &[line]).await.map_err(Error::Store)
}
