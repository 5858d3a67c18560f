//! What a day is computed from, read of schema `ledger` up to one record, and the custodian's word of it.

use std::collections::BTreeMap;

use sqlx::{PgConnection, postgres::PgRow};
use time::Date;
use uuid::Uuid;

use super::{column, failed, ledger::at, parsed, parsed_or_none, participant};
use crate::{
    day::{Account, Books, Leg, Participant},
    error::Error,
};

/// The custodian's statement of a day.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) statement: i64,
    pub(super) closing: i128,
    pub(super) arithmetic: String,
}

/// The last statement whose closing balance is of a day, of the currency's custody account.
pub(super) async fn told(
    connection: &mut PgConnection,
    currency: &str,
    day: Date,
) -> Result<Option<Told>, Error> {
    let row = sqlx::query(
        "SELECT s.statement, s.closing::text AS closing, s.arithmetic
         FROM office.statements s JOIN office.accounts a USING (account)
         WHERE a.leg = 'custodian' AND a.currency = $1 AND s.kind = 'statement' AND s.to_day = $2
            AND s.closing IS NOT NULL AND coalesce(s.last_page, TRUE)
         ORDER BY s.statement DESC LIMIT 1",
    )
    .bind(currency)
    .bind(day)
    .fetch_optional(connection)
    .await
    .map_err(failed("read the custodian's statement"))?;
    let told = |row: &PgRow| {
        Ok(Told {
            statement: column(row, "statement")?,
            closing: parsed(row, "closing")?,
            arithmetic: column(row, "arithmetic")?,
        })
    };
    row.as_ref().map(told).transpose()
}

/// Everything of a currency up to a record.
pub(super) async fn books(
    connection: &mut PgConnection,
    currency: &str,
    (after, up_to): (i64, i64),
) -> Result<Books, Error> {
    let row = sqlx::query("SELECT exponent, custodian FROM ledger.currencies WHERE currency = $1")
        .bind(currency)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("read the currency"))?;
    let missing = || Error::NotFound { what: "currency", id: currency.to_owned() };
    let row = row.ok_or_else(missing)?;
    let exponent: i16 = column(&row, "exponent")?;
    Ok(Books {
        currency: currency.to_owned(),
        exponent: u8::try_from(exponent).map_err(|_| super::unreadable("exponent"))?,
        after,
        up_to,
        custodian: participant(&row, "custodian")?,
        accounts: accounts(connection, currency, (after, up_to)).await?,
        participants: participants(connection).await?,
        names: names(connection, currency).await?,
        legs: legs(connection, currency, (after, up_to)).await?,
        pending: pending(connection, currency, up_to).await?,
        ..Books::default()
    })
}

/// Balances follow from postings and the record that decided each, so that an earlier record gives that time's.
async fn accounts(
    connection: &mut PgConnection,
    currency: &str,
    (after, up_to): (i64, i64),
) -> Result<BTreeMap<u64, Account>, Error> {
    let rows = sqlx::query(
        "WITH own AS (
            SELECT debit_account, credit_account, amount,
                state = 'posted' AND decided_sequence <= $3 AS posted,
                state = 'posted' AND decided_sequence <= $2 AS before,
                state = 'pending' OR decided_sequence > $3 AS reserved
            FROM ledger.postings WHERE currency = $1 AND sequence <= $3),
         sums AS (
            SELECT debit_account AS account, -amount AS amount, posted, before, reserved FROM own
            UNION ALL SELECT credit_account, amount, posted, before, FALSE FROM own)
         SELECT a.account::text AS account, a.owner, a.custody,
            coalesce(sum(s.amount) FILTER (WHERE s.before), 0)::text AS opening,
            coalesce(sum(s.amount) FILTER (WHERE s.posted), 0)::text AS closing,
            coalesce(-sum(s.amount) FILTER (WHERE s.reserved), 0)::text AS reserved
         FROM ledger.accounts a LEFT JOIN sums s USING (account) WHERE a.currency = $1
         GROUP BY a.account ORDER BY a.account",
    )
    .bind(currency)
    .bind(after)
    .bind(up_to)
    .fetch_all(connection)
    .await
    .map_err(failed("sum balances"))?;
    let own = |row: &PgRow| {
        let account = Account {
            owner: participant(row, "owner")?,
            custody: column(row, "custody")?,
            opening: parsed(row, "opening")?,
            closing: parsed(row, "closing")?,
            reserved: parsed(row, "reserved")?,
        };
        Ok((parsed(row, "account")?, account))
    };
    rows.iter().map(own).collect()
}

async fn participants(connection: &mut PgConnection) -> Result<BTreeMap<u32, Participant>, Error> {
    let rows = sqlx::query("SELECT participant, name, bic, lei FROM ledger.participants")
        .fetch_all(connection)
        .await
        .map_err(failed("read participants"))?;
    let own = |row: &PgRow| {
        let own = Participant {
            name: column(row, "name")?,
            bic: column(row, "bic")?,
            lei: column(row, "lei")?,
        };
        Ok((participant(row, "participant")?, own))
    };
    rows.iter().map(own).collect()
}

async fn names(
    connection: &mut PgConnection,
    currency: &str,
) -> Result<BTreeMap<u64, String>, Error> {
    let rows = sqlx::query(
        "SELECT ledger_account::text AS account, identification FROM office.accounts WHERE currency = $1",
    )
    .bind(currency)
    .fetch_all(connection)
    .await
    .map_err(failed("read names of accounts"))?;
    rows.iter().map(|row| Ok((parsed(row, "account")?, column(row, "identification")?))).collect()
}

async fn legs(
    connection: &mut PgConnection,
    currency: &str,
    (after, up_to): (i64, i64),
) -> Result<Vec<Leg>, Error> {
    let rows = sqlx::query(
        "SELECT p.decided_sequence, p.leg, p.kind, p.debit_account::text AS debit_account,
            p.credit_account::text AS credit_account, p.amount::text AS amount,
            CASE WHEN p.subject_kind = 1 THEN encode(p.subject, 'hex')::uuid END AS uetr, r.at_micros
         FROM ledger.postings p JOIN ledger.records r ON r.sequence = p.decided_sequence
         WHERE p.currency = $1 AND p.state = 'posted' AND p.decided_sequence > $2 AND p.decided_sequence <= $3
         ORDER BY p.decided_sequence, p.leg",
    )
    .bind(currency)
    .bind(after)
    .bind(up_to)
    .fetch_all(connection)
    .await
    .map_err(failed("read the day's postings"))?;
    let own = |row: &PgRow| {
        Ok(Leg {
            record: column(row, "decided_sequence")?,
            leg: column(row, "leg")?,
            kind: column(row, "kind")?,
            debit_account: parsed(row, "debit_account")?,
            credit_account: parsed(row, "credit_account")?,
            amount: parsed(row, "amount")?,
            uetr: column::<Option<Uuid>>(row, "uetr")?,
            at: at(column(row, "at_micros")?),
        })
    };
    rows.iter().map(own).collect()
}

async fn pending(connection: &mut PgConnection, currency: &str, up_to: i64) -> Result<u64, Error> {
    let row = sqlx::query(
        "SELECT count(DISTINCT (subject_owner, subject))::text AS pending FROM ledger.postings
         WHERE currency = $1 AND subject_kind = 1 AND sequence <= $2
            AND (state = 'pending' OR decided_sequence > $2)",
    )
    .bind(currency)
    .bind(up_to)
    .fetch_one(connection)
    .await
    .map_err(failed("count pending transfers"))?;
    Ok(parsed_or_none(&row, "pending")?.unwrap_or(0))
}
