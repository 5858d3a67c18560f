//! Rows behind the overview: balances, what moved of late, the newest transfers, open breaks, how far the tables are.

use sqlx::{Row as _, postgres::PgRow};
use time::OffsetDateTime;

use super::{Error, Store, each, failed, moment, parsed, participant, query, small};

/// Accounts of one page.
const ACCOUNTS_MAX: i64 = 200;
/// Postings of each side of an account that tell its pace: so many, and on one page no more than so many of all accounts.
const POSTINGS_MAX: usize = 1_000;
const POSTINGS_MIN: usize = 50;
const POSTINGS_OF_SIDES_MAX: usize = 20_000;
/// Transfers that figures are made of.
pub const TRANSFERS_MAX: i64 = 10_000;

/// An account and its balance, minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiquidityRow {
    pub account: u64,
    pub owner: u32,
    pub name: String,
    pub suspended: bool,
    pub currency: String,
    pub exponent: u8,
    pub posted: i128,
    /// Debits that are reserved.
    pub reserved: i128,
    pub cap: i128,
}

impl LiquidityRow {
    /// What can still be reserved.
    #[must_use]
    pub const fn available(&self) -> i128 {
        self.posted + self.cap - self.reserved
    }
}

/// What moved on an account of late, and from when on it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedRow {
    pub account: u64,
    pub debits: i128,
    pub debits_since: Option<OffsetDateTime>,
    pub credits: i128,
    pub credits_since: Option<OffsetDateTime>,
}

/// A transfer's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceRow {
    pub corridor: i64,
    pub state: u8,
    pub submitted_micros: i64,
    pub decided_micros: i64,
    pub confirmed_micros: i64,
}

/// Open breaks of one age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeRow {
    /// Whole days since they were opened.
    pub days: i64,
    pub open: i64,
    pub overdue: i64,
}

/// The last entry that the tables hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TipRow {
    pub records: i64,
    pub at: Option<OffsetDateTime>,
}

/// What only one participant sees, or everything.
fn own_account(own: Option<u32>) -> &'static str {
    if own.is_some() { "a.owner = $1" } else { "$1::bigint IS NULL" }
}

impl Store {
    /// Accounts with their balances, without custody accounts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn liquidity(&self, own: Option<u32>) -> Result<Vec<LiquidityRow>, Error> {
        let text = format!(
            "SELECT a.account::text AS account, a.owner, coalesce(p.name, '') AS name,
                coalesce(p.suspended, FALSE) AS suspended, a.currency, c.exponent,
                (b.credits_posted - b.debits_posted)::text AS posted, b.debits_pending::text AS reserved,
                a.net_debit_cap::text AS cap
             FROM ledger.accounts a JOIN ledger.balances b USING (account) JOIN ledger.currencies c USING (currency)
                LEFT JOIN ledger.participants p ON p.participant = a.owner
             WHERE NOT a.custody AND {} ORDER BY a.currency, a.owner, a.account LIMIT {ACCOUNTS_MAX}",
            own_account(own)
        );
        let rows = query(text).bind(own.map(i64::from)).fetch_all(&self.pool).await;
        each(rows, "read balances", |row| {
            Ok(LiquidityRow {
                account: parsed(row, "account")?,
                owner: participant(row, "owner")?,
                name: row.try_get("name")?,
                suspended: row.try_get("suspended")?,
                currency: row.try_get("currency")?,
                exponent: small(row, "exponent")?,
                posted: parsed(row, "posted")?,
                reserved: parsed(row, "reserved")?,
                cap: parsed(row, "cap")?,
            })
        })
    }

    /// What was posted on accounts from a record on: of each side the newest postings, and since when if there were
    /// more of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn moved(&self, accounts: &[u64], from: i64) -> Result<Vec<MovedRow>, Error> {
        let most = POSTINGS_OF_SIDES_MAX / accounts.len().max(1);
        let most = most.clamp(POSTINGS_MIN, POSTINGS_MAX);
        let side = |column: &str| {
            format!(
                "(SELECT coalesce(sum(s.amount), 0)::text AS moved,
                    CASE WHEN count(*) = {most} THEN (SELECT r.at_micros FROM ledger.records r
                        WHERE r.sequence = min(s.sequence)) END AS since
                 FROM (SELECT p.amount, p.sequence FROM ledger.postings p WHERE p.{column} = a.account
                    AND p.sequence >= $2 AND p.state = 'posted' ORDER BY p.sequence DESC LIMIT {most}) s)"
            )
        };
        let text = format!(
            "SELECT a.account::text AS account, d.moved AS debits, d.since AS debits_since, c.moved AS credits,
                c.since AS credits_since
             FROM (SELECT unnest($1::text[])::numeric AS account) a
                CROSS JOIN LATERAL {} d CROSS JOIN LATERAL {} c",
            side("debit_account"),
            side("credit_account")
        );
        let names: Vec<String> = accounts.iter().map(u64::to_string).collect();
        let rows = query(text).bind(names).bind(from).fetch_all(&self.pool).await;
        each(rows, "read what moved", |row| {
            let since = |name: &str| -> Result<Option<OffsetDateTime>, sqlx::Error> {
                Ok(row.try_get::<Option<i64>, _>(name)?.and_then(moment))
            };
            Ok(MovedRow {
                account: parsed(row, "account")?,
                debits: parsed(row, "debits")?,
                debits_since: since("debits_since")?,
                credits: parsed(row, "credits")?,
                credits_since: since("credits_since")?,
            })
        })
    }

    /// The newest transfers from a record on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pace(&self, own: Option<u32>, from: i64) -> Result<Vec<PaceRow>, Error> {
        let newest = |which: &str| {
            format!(
                "(SELECT corridor, state, submitted_micros, decided_micros, confirmed_micros, submit_sequence
                  FROM ledger.transfers WHERE {which} AND submit_sequence >= $2
                  ORDER BY submit_sequence DESC LIMIT {TRANSFERS_MAX})"
            )
        };
        let found = match own {
            None => newest("$1::bigint IS NULL"),
            Some(_) => {
                let received = newest("creditor_agent = $1 AND debtor_agent <> $1");
                format!("({} UNION ALL {received})", newest("debtor_agent = $1"))
            }
        };
        let text =
            format!("SELECT * FROM {found} t ORDER BY submit_sequence DESC LIMIT {TRANSFERS_MAX}");
        let rows = query(text).bind(own.map(i64::from)).bind(from).fetch_all(&self.pool).await;
        each(rows, "read the newest transfers", |row| {
            Ok(PaceRow {
                corridor: row.try_get("corridor")?,
                state: small(row, "state")?,
                submitted_micros: row.try_get("submitted_micros")?,
                decided_micros: row.try_get("decided_micros")?,
                confirmed_micros: row.try_get("confirmed_micros")?,
            })
        })
    }

    /// How many breaks are open, by age.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ages(&self, own: Option<u32>, now: OffsetDateTime) -> Result<Vec<AgeRow>, Error> {
        let own_break = if own.is_some() {
            "b.account IN (SELECT account FROM office.accounts WHERE participant = $1)"
        } else {
            "$1::bigint IS NULL"
        };
        let text = format!(
            "SELECT floor(extract(epoch FROM $2 - b.opened_at) / 86400)::bigint AS days, count(*) AS open,
                count(*) FILTER (WHERE b.due_at < $2) AS overdue
             FROM office.breaks b WHERE b.state <> 'closed' AND {own_break} GROUP BY 1"
        );
        let rows = query(text).bind(own.map(i64::from)).bind(now).fetch_all(&self.pool).await;
        each(rows, "count open breaks", |row: &PgRow| {
            Ok(AgeRow {
                days: row.try_get("days")?,
                open: row.try_get("open")?,
                overdue: row.try_get("overdue")?,
            })
        })
    }

    /// How far the tables are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tip(&self) -> Result<TipRow, Error> {
        let read = failed("read the cursor");
        let row = sqlx::query(
            "SELECT next_sequence, (SELECT at_micros FROM ledger.entries ORDER BY entry DESC LIMIT 1) AS at_micros
             FROM ledger.cursor",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(&read)?;
        let at: Option<i64> = row.try_get("at_micros").map_err(&read)?;
        let records = row.try_get("next_sequence").map_err(read)?;
        Ok(TipRow { records, at: at.and_then(moment) })
    }
}
