//! What the tables say about themselves, for whoever compares them with the ledger.
use std::collections::BTreeMap;

use ledger_types::TransferState;
use sqlx::PgPool;

use super::{Error, cursor, parsed, unsigned};

/// The tables at one point of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records written.
    pub records: u64,
    /// The RFC 6962 root over them, in lower-case hexadecimal.
    pub root_hex: String,
    /// Posted credits less posted debits over every account of a currency, custody included: "0".
    pub conservation: BTreeMap<String, String>,
    /// Transfers by state.
    pub states: BTreeMap<&'static str, u64>,
}

/// Reads a summary, all of it at the same record.
///
/// # Errors
/// When the database does not answer.
pub async fn summary(pool: &PgPool) -> Result<Summary, Error> {
    let mut transaction = pool.begin().await.map_err(Error::statement("begin"))?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .execute(&mut *transaction)
        .await
        .map_err(Error::statement("begin"))?;
    let row = sqlx::query("SELECT next_sequence, frontier, network, epoch FROM ledger.cursor")
        .fetch_one(&mut *transaction)
        .await
        .map_err(Error::statement("read cursor"))?;
    let cursor = cursor(&row)?;
    let rows = sqlx::query(
        "SELECT a.currency, SUM(b.credits_posted - b.debits_posted)::text AS net
         FROM ledger.balances b JOIN ledger.accounts a USING (account)
         GROUP BY a.currency",
    )
    .fetch_all(&mut *transaction)
    .await
    .map_err(Error::statement("sum balances"))?;
    let mut conservation = BTreeMap::new();
    for row in &rows {
        conservation.insert(parsed(row, "currency")?, parsed(row, "net")?);
    }
    let rows = sqlx::query(
        "SELECT state::bigint AS state, COUNT(*) AS transfers FROM ledger.transfers GROUP BY 1",
    )
    .fetch_all(&mut *transaction)
    .await
    .map_err(Error::statement("count transfers"))?;
    let mut states = BTreeMap::new();
    for row in &rows {
        let state = TransferState::from_code(unsigned(row, "state")?);
        let state = state.ok_or(Error::Unreadable { column: "state" })?;
        states.insert(state.as_str(), unsigned(row, "transfers")?);
    }
    Ok(Summary {
        records: cursor.next_sequence,
        root_hex: hex::encode(cursor.frontier.root()),
        conservation,
        states,
    })
}
