//! Movements as people read them: those of a break, and what the ledger told of one account.

use sqlx::{PgConnection, postgres::PgRow};
use time::Date;
use uuid::Uuid;

use super::{Office, breaks::as_text, column, failed, parsed};
use crate::{actor::Actor, error::Error};

/// A movement as one book tells it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MovementRow {
    pub movement: i64,
    /// `ledger`, `statement` or `journal`.
    pub book: String,
    /// Of the ledger: the record that posted it.
    pub record: Option<i64>,
    /// Of a statement.
    pub statement: Option<i64>,
    pub entry: Option<i64>,
    #[serde(serialize_with = "as_text")]
    pub amount: u64,
    pub currency: String,
    pub credit_debit: String,
    #[serde(serialize_with = "as_text")]
    pub value_date: Date,
    pub uetr: Option<Uuid>,
    pub end_to_end_id: Option<String>,
    pub servicer_reference: Option<String>,
    pub party: Option<String>,
    pub state: String,
}

/// What the book of another leg says of something that the ledger booked in a break.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ElsewhereRow {
    pub leg: String,
    pub identification: String,
    /// `matched` and `agreed` are as the ledger has it, `broken` and `closed` are not; others do not tell yet.
    pub state: String,
}

const COLUMNS: &str = "m.movement, m.book, m.decided_sequence, e.statement, m.entry, m.amount::text AS amount, m.currency,
    m.credit_debit, m.value_date, m.uetr, m.end_to_end_id, m.servicer_reference, m.party, m.state";

fn movement(row: &PgRow) -> Result<MovementRow, Error> {
    Ok(MovementRow {
        movement: column(row, "movement")?,
        book: column(row, "book")?,
        record: column(row, "decided_sequence")?,
        statement: column(row, "statement")?,
        entry: column(row, "entry")?,
        amount: parsed(row, "amount")?,
        currency: column(row, "currency")?,
        credit_debit: column(row, "credit_debit")?,
        value_date: column(row, "value_date")?,
        uetr: column(row, "uetr")?,
        end_to_end_id: column(row, "end_to_end_id")?,
        servicer_reference: column(row, "servicer_reference")?,
        party: column(row, "party")?,
        state: column(row, "state")?,
    })
}

pub(super) async fn of_break(
    connection: &mut PgConnection,
    id: i64,
) -> Result<Vec<MovementRow>, Error> {
    let text = format!(
        "SELECT {COLUMNS} FROM office.break_movements b JOIN office.movements m USING (movement)
            LEFT JOIN office.entries e ON e.entry = m.entry
         WHERE b.break = $1 ORDER BY m.book, m.movement"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(id)
        .fetch_all(connection)
        .await
        .map_err(failed("read a break's movements"))?;
    rows.iter().map(movement).collect()
}

/// The same postings in the books of other legs, as far as the actor sees those.
pub(super) async fn elsewhere(
    connection: &mut PgConnection,
    actor: &Actor,
    id: i64,
) -> Result<Vec<ElsewhereRow>, Error> {
    let rows = sqlx::query(
        "SELECT a.leg, a.identification, m.state FROM office.break_movements b
            JOIN office.movements l ON l.movement = b.movement AND l.book = 'ledger'
            JOIN office.accounts a ON a.account <> l.account
            JOIN office.movements m ON m.account = a.account AND m.sequence = l.sequence AND m.leg = l.leg
         WHERE b.break = $1 AND ($2::bigint IS NULL OR a.participant = $2) ORDER BY a.leg, a.identification, m.movement",
    )
    .bind(id)
    .bind(actor.participant().map(i64::from))
    .fetch_all(connection)
    .await
    .map_err(failed("read a break's other legs"))?;
    let own = |row: &PgRow| {
        Ok(ElsewhereRow {
            leg: column(row, "leg")?,
            identification: column(row, "identification")?,
            state: column(row, "state")?,
        })
    };
    rows.iter().map(own).collect()
}

impl Office {
    /// What the ledger told of a kept account, in its order.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the account is another participant's.
    pub async fn ledger_movements(
        &self,
        actor: &Actor,
        account: i64,
    ) -> Result<Vec<MovementRow>, Error> {
        let kept = self.accounts(actor).await?;
        if !kept.iter().any(|row| row.account == account) {
            return Err(Error::NotFound { what: "account", id: account.to_string() });
        }
        let text = format!(
            "SELECT {COLUMNS} FROM office.movements m LEFT JOIN office.entries e ON e.entry = m.entry
             WHERE m.account = $1 AND m.book = 'ledger' ORDER BY m.movement"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(account)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("read an account's movements"))?;
        rows.iter().map(movement).collect()
    }
}
