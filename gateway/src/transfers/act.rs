//! What either agent does about a transfer by REST: accept, hold, reject, confirm, cancel; the ledger decides whether it may.
use ledger_proof::item::{Accept, Cancel, Confirm, Hold, Item, Reject};
use ledger_types::{
    ConfirmationStatus, ParticipantId, Rejection, ShortText, StatusReason, Timestamp, TransferId,
    Uetr,
};

use super::{
    Created,
    create::{answer, fetch},
    pickup,
};
use crate::{
    app::{App, enqueue},
    clock,
    problem::{Code, Problem},
    sealing::random,
    store::{
        self,
        transfers::{Row, transfer_decide},
    },
};

/// An action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// By the creditor agent.
    Accept {
        /// Its own reference.
        reference: ShortText,
    },
    /// By the creditor agent.
    Hold {
        /// Why.
        reason: StatusReason,
        /// Until when.
        until: Timestamp,
    },
    /// By the creditor agent.
    Reject {
        /// Why.
        reason: StatusReason,
    },
    /// By the creditor agent.
    Confirm {
        /// What became of the money.
        status: ConfirmationStatus,
        /// When by its own books; now when absent.
        at: Option<Timestamp>,
        /// Its own reference.
        reference: ShortText,
    },
    /// By the debtor agent.
    Cancel {
        /// Why.
        reason: StatusReason,
    },
}

impl Action {
    /// What the caller asked, the same each time it asks the same.
    fn asked(&self) -> String {
        match self {
            Self::Accept { reference } => reference.to_string(),
            Self::Hold { until, .. } => until.micros().to_string(),
            Self::Reject { reason } | Self::Cancel { reason } => reason.to_string(),
            Self::Confirm { status, .. } => status.as_str().to_owned(),
        }
    }

    const fn decision(&self) -> Option<&'static str> {
        match self {
            Self::Accept { .. } => Some("accept"),
            Self::Hold { .. } => Some("hold"),
            Self::Reject { .. } => Some("reject"),
            Self::Confirm { .. } | Self::Cancel { .. } => None,
        }
    }

    fn item(&self, nonce: [u8; 32], transfer: TransferId) -> Item {
        let (debtor_agent, uetr) = (transfer.debtor_agent, transfer.uetr);
        match *self {
            Self::Accept { reference } => {
                Item::Accept(Accept { nonce, debtor_agent, uetr, reference })
            }
            Self::Hold { reason, until } => {
                Item::Hold(Hold { nonce, debtor_agent, uetr, reason, until })
            }
            Self::Reject { reason } => Item::Reject(Reject { nonce, debtor_agent, uetr, reason }),
            Self::Confirm { status, at, reference } => Item::Confirm(Confirm {
                nonce,
                debtor_agent,
                uetr,
                status,
                confirmed_at: at.unwrap_or_else(clock::now),
                reference,
            }),
            Self::Cancel { reason } => Item::Cancel(Cancel { nonce, uetr, reason }),
        }
    }
}

/// The transfer of a UETR, of one debtor agent if two used it.
///
/// # Errors
/// When there is none, or more than one.
pub async fn find(
    app: &App,
    uetr: &str,
    debtor_agent: Option<u32>,
) -> Result<(TransferId, Row), Problem> {
    let uetr: Uetr = uetr
        .parse()
        .map_err(|error: ledger_types::ParseError| Problem::field("uetr", error.reason))?;
    let rows = app.store.transfer_fetch(uetr, debtor_agent.map(ParticipantId)).await?;
    let mut rows = rows.into_iter();
    match (rows.next(), rows.next()) {
        (None, _) => Err(Problem::new(Code::TransferNotFound, "uetr: this gateway knows it not")),
        (Some(_), Some(_)) => {
            let detail = "uetr: two debtor agents used it; add debtor_agent to the query";
            Err(Problem::new(Code::UetrAmbiguous, detail))
        }
        (Some(row), None) => {
            let debtor_agent = store::transfers::participant(row.debtor_agent);
            Ok((TransferId { debtor_agent, uetr }, row))
        }
    }
}

/// Signs an action, keeps it, sends it and waits for the ledger's word.
///
/// # Errors
/// When this gateway is not the party that may, or the ledger refuses.
pub async fn act(
    app: &App,
    (transfer, row): (TransferId, Row),
    action: &Action,
) -> Result<Created, Problem> {
    let mine = match action {
        Action::Cancel { .. } => row.outgoing,
        Action::Accept { .. }
        | Action::Hold { .. }
        | Action::Reject { .. }
        | Action::Confirm { .. } => !row.outgoing,
    };
    if !mine {
        return Err(Problem::refused(Rejection::NotParty));
    }
    if row.record.is_none() {
        return Err(Problem::refused(Rejection::StateForbids));
    }
    app.room()?;
    let nonce = random().map_err(|error| Problem::internal(&error))?;
    let item = action.item(nonce, transfer);
    let mut transaction = app.store.begin().await?;
    if let Some(decision) = action.decision() {
        // Whether it is too late is for the ledger to say; a repeat gets its first answer there.
        let _first = transfer_decide(&mut transaction, &[(transfer, decision)]).await?;
    }
    if matches!(action, Action::Confirm { status: ConfirmationStatus::PickedUp, .. }) {
        pickup::by_hand(&mut transaction, transfer).await?;
    }
    let sent = enqueue(&mut transaction, transfer, &item, action.asked().as_bytes()).await?;
    store::commit(transaction).await?;
    match answer(app, transfer, app.send(sent)).await? {
        Created::Recorded(_) => Ok(Created::Recorded(Box::new(fetch(app, transfer).await?))),
        durable @ Created::Durable(_) => Ok(durable),
    }
}
