//! Reads schema `ledger` forward: each posted leg on a kept account becomes a movement, once, whenever it is posted.

use services_statements::CreditDebit;
use sqlx::{PgConnection, postgres::PgRow};
use time::{Date, Duration, OffsetDateTime};

use super::{Office, column, commit, failed, parsed};
use crate::{
    bridge::{self, LedgerMovement, Leg, Posting},
    error::Error,
};

/// Records of one SQL transaction.
const RECORDS_MAX: i64 = 20_000;

impl Office {
    /// Reads what the ledger's tables have beyond what was read; says how many movements are new.
    ///
    /// # Errors
    /// When the database does not answer, or schema `ledger` is not there.
    pub async fn ledger_read(&self) -> Result<u64, Error> {
        let mut new = 0;
        loop {
            let (added, more) = self.ledger_read_some().await?;
            new += added;
            if !more {
                return Ok(new);
            }
        }
    }

    /// The records that schema `ledger` holds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ledger_records(&self) -> Result<i64, Error> {
        let row = sqlx::query("SELECT next_sequence FROM ledger.cursor")
            .fetch_one(&self.pool)
            .await
            .map_err(failed("read the ledger's cursor"))?;
        column(&row, "next_sequence")
    }

    async fn ledger_read_some(&self) -> Result<(u64, bool), Error> {
        let mut transaction = self.begin().await?;
        // One picture of rows and cursor, though reconciliation goes on writing.
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .execute(&mut *transaction)
            .await
            .map_err(failed("read the ledger"))?;
        // Before the picture is taken, so that two readers go one after the other.
        sqlx::query("LOCK TABLE office.progress IN EXCLUSIVE MODE")
            .execute(&mut *transaction)
            .await
            .map_err(failed("take a turn"))?;
        let row = sqlx::query(
            "SELECT p.next_sequence AS from_sequence, c.next_sequence AS tip
             FROM office.progress p, ledger.cursor c",
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed("read progress"))?;
        let (from, tip): (i64, i64) = (column(&row, "from_sequence")?, column(&row, "tip")?);
        let to = tip.min(from.saturating_add(RECORDS_MAX));
        let postings = due(&mut transaction, from, to).await?;
        let accounts = self.kept(&mut transaction).await?;
        let mut movements = Vec::new();
        for posting in &postings {
            for own in &accounts {
                let (account, ledger_account) = (own.account, own.ledger_account);
                let told =
                    bridge::movement(posting, account, own.leg, ledger_account, &self.calendars);
                movements.extend(told.map(|told| (own.awaits(&told), told)));
            }
        }
        let added = insert(&mut transaction, &movements).await?;
        remember(&mut transaction, from, to).await?;
        commit(transaction).await?;
        if added > 0 {
            self.wake(from, to).await?;
        }
        Ok((added, to < tip))
    }

    /// A statement that was taken in meanwhile may cover what was put down as awaited.
    async fn wake(&self, from: i64, to: i64) -> Result<(), Error> {
        sqlx::query(
            "UPDATE office.movements m SET state = 'open'
             WHERE m.book = 'ledger' AND m.state = 'awaited' AND m.decided_sequence >= $1 AND m.decided_sequence < $2
                AND (m.value_date <= (SELECT max(s.to_day) FROM office.statements s JOIN office.accounts a USING (account)
                        WHERE s.account = m.account AND s.kind = a.compared)
                    OR EXISTS (SELECT FROM office.journal_answers r JOIN office.journals j USING (journal)
                        WHERE j.account = m.account AND j.day = m.value_date))",
        )
        .bind(from)
        .bind(to)
        .execute(&self.pool)
        .await
        .map_err(failed("wake movements"))?;
        Ok(())
    }

    async fn kept(&self, connection: &mut PgConnection) -> Result<Vec<Kept>, Error> {
        let rows = sqlx::query(
            "SELECT a.account, a.leg, a.ledger_account::text AS ledger_account,
                (SELECT max(s.to_day) FROM office.statements s
                    WHERE s.account = a.account AND s.kind = a.compared) AS covered,
                EXISTS (SELECT FROM office.movements m JOIN office.accounts b USING (account)
                    WHERE b.leg = a.leg AND b.participant = a.participant AND m.book = 'statement'
                        AND m.state IN ('open', 'awaited', 'broken'))
                    OR a.leg = 'journal' AND EXISTS (SELECT FROM office.movements m
                        WHERE m.account = a.account AND m.book = 'journal'
                            AND m.state IN ('open', 'awaited', 'broken')) AS told,
                ARRAY(SELECT DISTINCT j.day FROM office.journals j WHERE j.account = a.account) AS days
             FROM office.accounts a ORDER BY a.account",
        )
        .fetch_all(connection)
        .await
        .map_err(failed("list accounts"))?;
        let kept = |row: &PgRow| {
            let leg: String = column(row, "leg")?;
            Ok(Kept {
                account: column(row, "account")?,
                leg: Leg::of(&leg).ok_or_else(|| super::unreadable("leg"))?,
                ledger_account: parsed(row, "ledger_account")?,
                covered: column(row, "covered")?,
                told: column(row, "told")?,
                days: column(row, "days")?,
            })
        };
        rows.iter().map(kept).collect()
    }
}

/// A kept account.
struct Kept {
    account: i64,
    leg: Leg,
    ledger_account: u64,
    /// The last day that its statements cover.
    covered: Option<Date>,
    /// Whether a statement or journal of its book told something that is not matched.
    told: bool,
    /// The days of its journals.
    days: Vec<Date>,
}

impl Kept {
    /// What neither statement nor journal can have told yet waits without being compared.
    fn awaits(&self, movement: &LedgerMovement) -> bool {
        !self.told
            && !self.days.contains(&movement.value_date)
            && self.covered.is_none_or(|until| movement.value_date > until)
    }
}

/// Legs posted by records of a range, and those read before that were only reserved then.
async fn due(connection: &mut PgConnection, from: i64, to: i64) -> Result<Vec<Posting>, Error> {
    let rows = sqlx::query(
        "WITH due AS (
            SELECT * FROM ledger.postings WHERE sequence >= $1 AND sequence < $2 AND state = 'posted'
            UNION SELECT p.* FROM office.reserved r JOIN ledger.postings p USING (sequence, leg)
                WHERE p.state = 'posted')
         SELECT p.sequence, p.leg, p.decided_sequence, p.subject_kind, p.subject, p.currency,
            p.debit_account::text AS debit_account, p.credit_account::text AS credit_account,
            p.amount::text AS amount, d.at_micros, m.item, d.item AS decided_item,
            coalesce(po.name, '') AS debit_owner, coalesce(co.name, '') AS credit_owner
         FROM due p JOIN ledger.records m ON m.sequence = p.sequence
            JOIN ledger.records d ON d.sequence = p.decided_sequence
            JOIN ledger.accounts pa ON pa.account = p.debit_account
            JOIN ledger.accounts ca ON ca.account = p.credit_account
            LEFT JOIN ledger.participants po ON po.participant = pa.owner
            LEFT JOIN ledger.participants co ON co.participant = ca.owner
         WHERE EXISTS (SELECT FROM office.accounts a
            WHERE a.ledger_account IN (p.debit_account, p.credit_account))
         ORDER BY p.decided_sequence, p.leg",
    )
    .bind(from)
    .bind(to)
    .fetch_all(connection)
    .await
    .map_err(failed("read the ledger's postings"))?;
    rows.iter().map(posting).collect()
}

fn posting(row: &PgRow) -> Result<Posting, Error> {
    Ok(Posting {
        sequence: column(row, "sequence")?,
        leg: column(row, "leg")?,
        decided_sequence: column(row, "decided_sequence")?,
        subject_kind: column(row, "subject_kind")?,
        subject: column(row, "subject")?,
        debit_account: parsed(row, "debit_account")?,
        credit_account: parsed(row, "credit_account")?,
        currency: column(row, "currency")?,
        amount: parsed(row, "amount")?,
        decided_at: at(column(row, "at_micros")?),
        item: column(row, "item")?,
        decided_item: column(row, "decided_item")?,
        debit_owner: column(row, "debit_owner")?,
        credit_owner: column(row, "credit_owner")?,
    })
}

/// A time that the ledger wrote as microseconds.
pub(super) fn at(micros: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::microseconds(micros))
}

async fn insert(
    connection: &mut PgConnection,
    rows: &[(bool, LedgerMovement)],
) -> Result<u64, Error> {
    let side = |row: &LedgerMovement| match row.credit_debit {
        CreditDebit::Credit => "CRDT",
        CreditDebit::Debit => "DBIT",
    };
    let done = sqlx::query(
        "INSERT INTO office.movements (account, book, sequence, leg, decided_sequence, amount, currency, credit_debit,
            value_date, uetr, servicer_reference, party, returns, reversal, state)
         SELECT account, 'ledger', sequence, leg, decided_sequence, amount::numeric, currency, credit_debit, value_date,
            uetr, servicer_reference, party, returns, FALSE, state
         FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
            $8::date[], $9::uuid[], $10::text[], $11::text[], $12::uuid[], $13::text[])
            AS t (account, sequence, leg, decided_sequence, amount, currency, credit_debit, value_date, uetr,
                servicer_reference, party, returns, state)
         ON CONFLICT (account, sequence, leg) DO NOTHING",
    )
    .bind(rows.iter().map(|(_, row)| row.account).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.sequence).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.leg).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.decided_sequence).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.amount.to_string()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.currency.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| side(row)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.value_date).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.uetr).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.servicer_reference.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.party.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.returns).collect::<Vec<_>>())
    .bind(rows.iter().map(|(awaits, _)| if *awaits { "awaited" } else { "open" }).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(failed("keep the ledger's movements"))?;
    Ok(done.rows_affected())
}

/// Legs that are reserved are looked at again; those that were decided are not.
async fn remember(connection: &mut PgConnection, from: i64, to: i64) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO office.reserved (sequence, leg)
         SELECT sequence, leg FROM ledger.postings WHERE sequence >= $1 AND sequence < $2 AND state = 'pending'
         ON CONFLICT DO NOTHING",
    )
    .bind(from)
    .bind(to)
    .execute(&mut *connection)
    .await
    .map_err(failed("remember reserved legs"))?;
    sqlx::query(
        "DELETE FROM office.reserved r USING ledger.postings p
         WHERE p.sequence = r.sequence AND p.leg = r.leg AND p.state <> 'pending'",
    )
    .execute(&mut *connection)
    .await
    .map_err(failed("forget decided legs"))?;
    sqlx::query("UPDATE office.progress SET next_sequence = $1")
        .bind(to)
        .execute(connection)
        .await
        .map_err(failed("keep progress"))?;
    Ok(())
}
