//! What a day is computed from: what the day before left, the day's rows of schema `ledger`, and the custodian's word of
//! it.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, postgres::PgRow};
use time::Date;
use uuid::Uuid;

use super::{column, failed, ledger::at, parsed, participant, unreadable};
use crate::{
    day::{Account, Books, Carried, Leg, Participant, Sum},
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

/// The last closed day of a currency.
#[derive(Clone, Debug)]
pub(super) struct Former {
    pub(super) day: Date,
    pub(super) up_to: i64,
    report: String,
    digest: Vec<u8>,
}

impl Former {
    /// What it leaves to the next day; nothing if its report is not the one that was closed.
    pub(super) fn carried(&self, exponent: u8) -> Option<Carried> {
        let same = Sha256::digest(&self.report).as_slice() == self.digest;
        let report = serde_json::from_str(&self.report).ok().filter(|_| same)?;
        Carried::of(&report, exponent)
    }
}

pub(super) async fn former(
    connection: &mut PgConnection,
    currency: &str,
) -> Result<Option<Former>, Error> {
    let row = sqlx::query(
        "SELECT day, up_to, report, digest FROM office.days WHERE currency = $1 ORDER BY day DESC LIMIT 1",
    )
    .bind(currency)
    .fetch_optional(connection)
    .await
    .map_err(failed("read the day before"))?;
    let former = |row: &PgRow| {
        Ok(Former {
            day: column(row, "day")?,
            up_to: column(row, "up_to")?,
            report: column(row, "report")?,
            digest: column(row, "digest")?,
        })
    };
    row.as_ref().map(former).transpose()
}

/// A currency's decimals and custodian.
pub(super) async fn currency(
    connection: &mut PgConnection,
    currency: &str,
) -> Result<(u8, u32), Error> {
    let row = sqlx::query("SELECT exponent, custodian FROM ledger.currencies WHERE currency = $1")
        .bind(currency)
        .fetch_optional(connection)
        .await
        .map_err(failed("read the currency"))?;
    let missing = || Error::NotFound { what: "currency", id: currency.to_owned() };
    let row = row.ok_or_else(missing)?;
    let exponent: i16 = column(&row, "exponent")?;
    let exponent = u8::try_from(exponent).map_err(|_| unreadable("exponent"))?;
    Ok((exponent, participant(&row, "custodian")?))
}

/// A currency's books of one day: what the day before left, and what was reserved, posted and released since.
pub(super) async fn books(
    connection: &mut PgConnection,
    (currency, exponent, custodian): (&str, u8, u32),
    (after, up_to): (i64, i64),
    carried: &Carried,
) -> Result<Books, Error> {
    let sums = sums(connection, currency, (after, up_to)).await?;
    let (reserved, pending) = reserved(connection, currency, (after, up_to)).await?;
    let mut accounts = accounts(connection, currency).await?;
    for (id, account) in &mut accounts {
        let (balance, held) = carried.accounts.get(id).copied().unwrap_or_default();
        (account.opening, account.closing) = (balance, balance);
        account.reserved = held + reserved.get(id).copied().unwrap_or(0);
    }
    for sum in &sums {
        for (id, moved) in [(sum.debit_account, -sum.amount), (sum.credit_account, sum.amount)] {
            if let Some(account) = accounts.get_mut(&id) {
                account.closing += moved;
            }
        }
    }
    let pending = i128::from(carried.pending) + pending;
    Ok(Books {
        currency: currency.to_owned(),
        exponent,
        after,
        up_to,
        custodian,
        accounts,
        participants: participants(connection).await?,
        names: names(connection, currency).await?,
        sums,
        pending: u64::try_from(pending).map_err(|_| unreadable("pending_transfers"))?,
        ..Books::default()
    })
}

/// The accounts of a currency, without their balances.
async fn accounts(
    connection: &mut PgConnection,
    currency: &str,
) -> Result<BTreeMap<u64, Account>, Error> {
    let rows = sqlx::query(
        "SELECT account::text AS account, owner, custody FROM ledger.accounts WHERE currency = $1",
    )
    .bind(currency)
    .fetch_all(connection)
    .await
    .map_err(failed("read accounts"))?;
    let own = |row: &PgRow| {
        let (owner, custody) = (participant(row, "owner")?, column(row, "custody")?);
        Ok((parsed(row, "account")?, Account { owner, custody, ..Account::default() }))
    };
    rows.iter().map(own).collect()
}

/// What a day left reserved less what it posted or released of the days before: debits by account, and transfers. One record
/// decides all legs of a transfer, which bear the number of its submit.
async fn reserved(
    connection: &mut PgConnection,
    currency: &str,
    (after, up_to): (i64, i64),
) -> Result<(BTreeMap<u64, i128>, i128), Error> {
    let rows = sqlx::query(
        "WITH moved AS (
            SELECT debit_account, amount, CASE subject_kind WHEN 1 THEN sequence END AS begun, NULL::bigint AS ended
            FROM ledger.postings WHERE currency = $1 AND sequence > $2 AND sequence <= $3
                AND (decided_sequence = 0 OR decided_sequence > $3)
            UNION ALL
            SELECT debit_account, -amount, NULL, CASE subject_kind WHEN 1 THEN sequence END
            FROM ledger.postings WHERE currency = $1 AND decided_sequence > $2 AND decided_sequence <= $3
                AND sequence <= $2)
         SELECT debit_account::text AS account, sum(amount)::text AS amount, NULL::bigint AS pending
         FROM moved GROUP BY debit_account
         UNION ALL SELECT NULL, NULL, count(DISTINCT begun) - count(DISTINCT ended) FROM moved",
    )
    .bind(currency)
    .bind(after)
    .bind(up_to)
    .fetch_all(connection)
    .await
    .map_err(failed("sum what is reserved"))?;
    let (mut accounts, mut pending) = (BTreeMap::new(), 0);
    for row in &rows {
        if let Some(count) = column::<Option<i64>>(row, "pending")? {
            pending = i128::from(count);
        } else {
            accounts.insert(parsed(row, "account")?, parsed(row, "amount")?);
        }
    }
    Ok((accounts, pending))
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

/// What a day posted, by kind and accounts.
async fn sums(
    connection: &mut PgConnection,
    currency: &str,
    (after, up_to): (i64, i64),
) -> Result<Vec<Sum>, Error> {
    let rows = sqlx::query(
        "SELECT kind, debit_account::text AS debit_account, credit_account::text AS credit_account, count(*) AS legs,
            sum(amount)::text AS amount
         FROM ledger.postings
         WHERE currency = $1 AND state = 'posted' AND decided_sequence > $2 AND decided_sequence <= $3
         GROUP BY kind, ledger.postings.debit_account, ledger.postings.credit_account",
    )
    .bind(currency)
    .bind(after)
    .bind(up_to)
    .fetch_all(connection)
    .await
    .map_err(failed("sum the day's postings"))?;
    let own = |row: &PgRow| {
        let legs: i64 = column(row, "legs")?;
        Ok(Sum {
            kind: column(row, "kind")?,
            debit_account: parsed(row, "debit_account")?,
            credit_account: parsed(row, "credit_account")?,
            legs: usize::try_from(legs).map_err(|_| unreadable("legs"))?,
            amount: parsed(row, "amount")?,
        })
    };
    rows.iter().map(own).collect()
}

/// Each leg that a day posted, for its documents.
pub(super) async fn legs(
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
