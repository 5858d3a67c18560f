//! The home of personal data, and what screening said of it; nothing here leaves by a log.
use ledger_types::TransferId;
use sqlx::FromRow;

use super::{
    Connection, Error, Json, Store,
    groups::{Group, in_order},
    statement::Statement,
    transfers::{Row, ids, uuid},
};
use crate::personal::Personal;

/// The personal data of a transfer, or why it could not be opened.
#[derive(Clone, Debug)]
pub struct NewParty {
    /// Whose.
    pub transfer: TransferId,
    /// Who and whom.
    pub personal: Option<Personal>,
    /// Why that is not there.
    pub sealed_error: Option<String>,
}

impl NewParty {
    /// Personal data that is in the open here.
    #[must_use]
    pub fn open(transfer: TransferId, personal: Personal) -> Self {
        Self { transfer, personal: Some(personal), sealed_error: None }
    }
}

/// Keeps the personal data of transfers.
///
/// # Errors
/// When the statement fails.
pub async fn party_insert(connection: &mut Connection, new: &[NewParty]) -> Result<(), Error> {
    if new.is_empty() {
        return Ok(());
    }
    let mut statement = Statement::default();
    party_part(&mut statement, new);
    statement.execute(connection).await?;
    Ok(())
}

/// The same as a part of a statement.
pub fn party_part(statement: &mut Statement, new: &[NewParty]) {
    let (agents, uetrs) = ids(new.iter().map(|party| party.transfer));
    statement
        .part(
            "party_made",
            "INSERT INTO party (debtor_agent, uetr, personal, sealed_error)
             SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::jsonb[], $4::text[])
             ON CONFLICT (debtor_agent, uetr) DO NOTHING",
        )
        .bind(agents)
        .bind(uetrs)
        .bind(new.iter().map(|party| party.personal.as_ref().map(Json)).collect::<Vec<_>>())
        .bind(new.iter().map(|party| party.sealed_error.as_deref()).collect::<Vec<_>>());
}

/// Keeps who and whom of a transfer that is known, as it is sealed now.
///
/// # Errors
/// When the statement fails.
pub async fn party_replace(
    connection: &mut Connection,
    transfer: TransferId,
    personal: &Personal,
) -> Result<(), Error> {
    sqlx::query("UPDATE party SET personal = $3 WHERE debtor_agent = $1 AND uetr = $2")
        .bind(i64::from(transfer.debtor_agent.0))
        .bind(uuid(transfer.uetr))
        .bind(Json(personal))
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps what screening said, for the inside.
///
/// # Errors
/// When the statement fails.
pub async fn screening_insert(
    connection: &mut Connection,
    transfer: TransferId,
    outcome: &str,
    detail: serde_json::Value,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO screening (debtor_agent, uetr, outcome, detail) VALUES ($1, $2, $3, $4)",
    )
    .bind(i64::from(transfer.debtor_agent.0))
    .bind(uuid(transfer.uetr))
    .bind(outcome)
    .bind(detail)
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct Payee {
    #[sqlx(flatten)]
    row: Row,
    personal: Json<Personal>,
}

/// Transfers with who is paid, of those of which it is known.
///
/// # Errors
/// When the statement fails.
pub async fn transfer_payees(
    connection: &mut Connection,
    transfers: Vec<TransferId>,
) -> Result<Vec<(Row, Personal)>, Error> {
    if transfers.is_empty() {
        return Ok(Vec::new());
    }
    let (agents, uetrs) = ids(transfers.into_iter());
    let rows: Vec<Payee> = sqlx::query_as(
        "SELECT t.*, p.personal FROM unnest($1::bigint[], $2::uuid[]) AS c (debtor_agent, uetr)
         JOIN transfer t ON t.debtor_agent = c.debtor_agent AND t.uetr = c.uetr
         JOIN party p ON p.debtor_agent = c.debtor_agent AND p.uetr = c.uetr
         WHERE p.personal IS NOT NULL",
    )
    .bind(agents)
    .bind(uetrs)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|payee| (payee.row, payee.personal.0)).collect())
}

impl Store {
    /// The personal data of a transfer; `None` if there is none or it could not be opened.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn party_fetch(&self, transfer: TransferId) -> Result<Option<Personal>, Error> {
        self.groups.parties.ask(transfer).await
    }
}

#[derive(Debug)]
pub(super) struct Fetching;

impl Group for Fetching {
    type Item = TransferId;
    type Answer = Option<Personal>;

    async fn run(
        connection: &mut Connection,
        items: &[TransferId],
    ) -> Result<Vec<Option<Personal>>, Error> {
        let (agents, uetrs) = ids(items.iter().copied());
        let rows: Vec<(i64, Option<Json<Personal>>)> = sqlx::query_as(
            "SELECT c.place, p.personal FROM unnest($1::bigint[], $2::uuid[]) WITH ORDINALITY
                AS c (debtor_agent, uetr, place)
             JOIN party p ON p.debtor_agent = c.debtor_agent AND p.uetr = c.uetr",
        )
        .bind(agents)
        .bind(uetrs)
        .fetch_all(connection)
        .await?;
        let found = in_order(items.len(), rows.into_iter());
        Ok(found.into_iter().map(|own| own.into_iter().flatten().next().map(|row| row.0)).collect())
    }
}
