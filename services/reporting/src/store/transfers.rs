//! Transfers in pages, newest first, and one of them with everything that belongs to it.

use sqlx::{Row as _, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Store, each, failed, moment, parsed, participant, query, small, uuid};

/// Rows that one page looks through for those that fit; beyond it the page says so and can be gone on with.
pub const SCANNED_MAX: i64 = 10_000;
const LEGS_MAX: i64 = 100;
const RECALLS_MAX: i64 = 50;
/// Transfers that one end-to-end reference may name.
const NAMED_MAX: i64 = 100;

/// Which transfers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub uetr: Option<Uuid>,
    pub end_to_end_id: Option<String>,
    pub state: Option<u8>,
    /// Debtor or creditor agent.
    pub participant: Option<u32>,
    pub currency: Option<String>,
    /// Minor units; needs a currency.
    pub amount: Option<u64>,
    /// Records of the day that is asked for: from, and before.
    pub records: Option<(i64, i64)>,
    /// Older than this record; for pages.
    pub before: Option<i64>,
    pub limit: i64,
}

/// A transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRow {
    pub debtor_agent: u32,
    pub uetr: Uuid,
    pub creditor_agent: u32,
    pub corridor: i64,
    pub state: u8,
    pub reason: String,
    pub rejection: i32,
    pub amount: u64,
    pub currency: String,
    pub exponent: u8,
    pub returned: u64,
    pub deadline: Option<OffsetDateTime>,
    pub held_until: Option<OffsetDateTime>,
    pub submit_sequence: i64,
    pub submitted_at: Option<OffsetDateTime>,
    pub decided_sequence: i64,
    pub decided_at: Option<OffsetDateTime>,
    pub confirmed_sequence: i64,
    pub confirmed_at: Option<OffsetDateTime>,
    pub confirmation: String,
}

/// A page, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub rows: Vec<TransferRow>,
    /// Give it as `before` for what follows.
    pub next: Option<i64>,
    /// The page ends because it looked through enough, not because it is full.
    pub looked_enough: bool,
}

/// A leg and the records that reserved and decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegRow {
    pub sequence: i64,
    pub kind: u8,
    pub debit_account: u64,
    pub debit_owner: u32,
    pub credit_account: u64,
    pub credit_owner: u32,
    pub currency: String,
    pub exponent: u8,
    pub amount: u64,
    pub state: String,
    pub decided_sequence: i64,
}

/// A recall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecallRow {
    pub sequence: i64,
    pub at: Option<OffsetDateTime>,
    pub reason: String,
    pub answer: u8,
    pub answer_reason: String,
    pub answer_sequence: i64,
    pub answered_at: Option<OffsetDateTime>,
}

/// What a search looks at; the rest is read of what it found.
const COLUMNS: &str =
    "submit_sequence, debtor_agent, creditor_agent, uetr, state, currency, amount";

const SHOWN: &str = "t.debtor_agent, t.uetr, t.creditor_agent, t.corridor, t.state, t.reason, t.rejection,
    t.amount::text AS amount, t.currency, c.exponent, t.returned::text AS returned,
    t.deadline_micros::text AS deadline, t.held_until_micros::text AS held_until, t.submit_sequence,
    t.submitted_micros, t.decided_sequence, t.decided_micros, t.confirmed_sequence, t.confirmed_micros, t.confirmation";

fn transfer(row: &PgRow) -> Result<TransferRow, sqlx::Error> {
    let at = |name: &str| Ok::<_, sqlx::Error>(moment(row.try_get(name)?));
    let wide = |name: &str| -> Result<Option<OffsetDateTime>, sqlx::Error> {
        let micros: u64 = parsed(row, name)?;
        Ok(i64::try_from(micros).ok().and_then(moment))
    };
    Ok(TransferRow {
        debtor_agent: participant(row, "debtor_agent")?,
        uetr: uuid(row, "uetr")?,
        creditor_agent: participant(row, "creditor_agent")?,
        corridor: row.try_get("corridor")?,
        state: small(row, "state")?,
        reason: row.try_get("reason")?,
        rejection: row.try_get("rejection")?,
        amount: parsed(row, "amount")?,
        currency: row.try_get("currency")?,
        exponent: small(row, "exponent")?,
        returned: parsed(row, "returned")?,
        deadline: wide("deadline")?,
        held_until: wide("held_until")?,
        submit_sequence: row.try_get("submit_sequence")?,
        submitted_at: at("submitted_micros")?,
        decided_sequence: row.try_get("decided_sequence")?,
        decided_at: at("decided_micros")?,
        confirmed_sequence: row.try_get("confirmed_sequence")?,
        confirmed_at: at("confirmed_micros")?,
        confirmation: row.try_get("confirmation")?,
    })
}

/// The rows that one index gives for a filter, newest first, bounded; what else is asked is looked up in them.
fn looked(own: Option<u32>, filter: &Filter, named: bool) -> String {
    let newest = |which: &str| {
        format!(
            "(SELECT {COLUMNS} FROM ledger.transfers WHERE {which}
                AND submit_sequence >= $7 AND submit_sequence < $8 ORDER BY submit_sequence DESC LIMIT $10)"
        )
    };
    let both = |agent: &str| {
        let received = newest(&format!("creditor_agent = {agent} AND debtor_agent <> {agent}"));
        let sent = newest(&format!("debtor_agent = {agent}"));
        format!(
            "(SELECT * FROM ({sent} UNION ALL {received}) b ORDER BY submit_sequence DESC LIMIT $10)"
        )
    };
    match (own, filter.participant) {
        _ if named => newest("uetr = ANY($9)"),
        (Some(_), _) => both("$1"),
        (None, Some(_)) => both("$4"),
        // An exact amount names few transfers; it always comes with its currency.
        (None, None) if filter.amount.is_some() => newest("currency = $5 AND amount = $6::numeric"),
        (None, None) if filter.state.is_some() => newest("state = $3"),
        (None, None) => newest("TRUE"),
    }
}

/// Whether an index gives what is asked and nothing else, so that no more rows are looked at than are shown.
const fn exact(own: Option<u32>, filter: &Filter, named: bool) -> bool {
    let asked = [
        own.is_some() || filter.participant.is_some(),
        filter.state.is_some(),
        filter.amount.is_some(),
        filter.currency.is_some() && filter.amount.is_none(),
    ];
    // Of two participants one is looked for among the other's.
    let both = own.is_some() && filter.participant.is_some();
    !named
        && !both
        && matches!(
            asked,
            [false, false, false, false]
                | [true, false, false, false]
                | [false, true, false, false]
                | [false, false, true, false]
        )
}

impl Store {
    /// Transfers that an actor sees, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn transfers(&self, own: Option<u32>, filter: &Filter) -> Result<Found, Error> {
        let mut named: Option<Vec<Vec<u8>>> =
            filter.uetr.map(|uetr| vec![uetr.into_bytes().into()]);
        if let (None, Some(reference)) = (&named, &filter.end_to_end_id) {
            named = Some(self.named(reference).await?);
        }
        let text = format!(
            "WITH looked AS MATERIALIZED {},
             found AS (SELECT submit_sequence FROM looked
                WHERE ($1::bigint IS NULL OR debtor_agent = $1 OR creditor_agent = $1)
                    AND ($3::smallint IS NULL OR state = $3)
                    AND ($4::bigint IS NULL OR debtor_agent = $4 OR creditor_agent = $4)
                    AND ($5::text IS NULL OR currency = $5)
                    AND ($6::text IS NULL OR amount = $6::numeric)
                    AND ($9::bytea[] IS NULL OR uetr = ANY($9))
                ORDER BY submit_sequence DESC LIMIT $2)
             SELECT {SHOWN}, (SELECT CASE WHEN count(*) >= $10 THEN min(submit_sequence) END FROM looked) AS last
             FROM (SELECT) one LEFT JOIN (found JOIN ledger.transfers t USING (submit_sequence)
                LEFT JOIN ledger.currencies c ON c.currency = t.currency) ON TRUE
             ORDER BY t.submit_sequence DESC",
            looked(own, filter, named.is_some())
        );
        let (from, to) = filter.records.unwrap_or((0, i64::MAX));
        let exact = exact(own, filter, named.is_some());
        let read = failed("search transfers");
        let rows = query(text)
            .bind(own.map(i64::from))
            .bind(filter.limit)
            .bind(filter.state.map(i16::from))
            .bind(filter.participant.map(i64::from))
            .bind(&filter.currency)
            .bind(filter.amount.map(|amount| amount.to_string()))
            .bind(from)
            .bind(filter.before.unwrap_or(i64::MAX).min(to))
            .bind(named)
            .bind(if exact { filter.limit } else { SCANNED_MAX })
            .fetch_all(&self.pool)
            .await
            .map_err(&read)?;
        let last: Option<i64> = match rows.first() {
            Some(row) => row.try_get("last").map_err(&read)?,
            None => None,
        };
        let there = rows.iter().filter(|row| {
            row.try_get::<Option<i64>, _>("submit_sequence").is_ok_and(|own| own.is_some())
        });
        let rows = there.map(transfer).collect::<Result<Vec<_>, _>>().map_err(read)?;
        let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= filter.limit;
        let next = if full { rows.last().map(|row| row.submit_sequence) } else { last };
        Ok(Found { next, looked_enough: !full && last.is_some(), rows })
    }

    /// The UETRs that statements tell of under an end-to-end reference.
    async fn named(&self, reference: &str) -> Result<Vec<Vec<u8>>, Error> {
        let rows = sqlx::query(
            "SELECT DISTINCT uetr FROM (SELECT uetr FROM office.movements WHERE end_to_end_id = $1 LIMIT 1000) m
             WHERE uetr IS NOT NULL LIMIT $2",
        )
        .bind(reference)
        .bind(NAMED_MAX)
        .fetch_all(&self.pool)
        .await;
        each(rows, "find an end-to-end reference", |row| {
            Ok(row.try_get::<Uuid, _>("uetr")?.into_bytes().into())
        })
    }

    /// One transfer, if the actor sees it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn transfer(
        &self,
        own: Option<u32>,
        debtor_agent: u32,
        uetr: Uuid,
    ) -> Result<Option<TransferRow>, Error> {
        let text = format!(
            "SELECT {SHOWN} FROM ledger.transfers t JOIN ledger.currencies c USING (currency)
             WHERE t.debtor_agent = $1 AND t.uetr = $2
                AND ($3::bigint IS NULL OR t.debtor_agent = $3 OR t.creditor_agent = $3)"
        );
        let rows = query(text)
            .bind(i64::from(debtor_agent))
            .bind(uetr.as_bytes().as_slice())
            .bind(own.map(i64::from))
            .fetch_all(&self.pool)
            .await;
        Ok(each(rows, "read a transfer", transfer)?.pop())
    }

    /// Its legs, which bear the number of its submit; a participant sees those on its own accounts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn legs(&self, own: Option<u32>, row: &TransferRow) -> Result<Vec<LegRow>, Error> {
        let rows = sqlx::query(
            "SELECT p.sequence, p.kind, p.debit_account::text AS debit_account, d.owner AS debit_owner,
                p.credit_account::text AS credit_account, k.owner AS credit_owner, p.currency, c.exponent,
                p.amount::text AS amount, p.state, p.decided_sequence
             FROM ledger.postings p JOIN ledger.accounts d ON d.account = p.debit_account
                JOIN ledger.accounts k ON k.account = p.credit_account JOIN ledger.currencies c ON c.currency = p.currency
             WHERE p.sequence = $1 AND p.subject_kind = 1 AND p.subject = $2
                AND ($3::bigint IS NULL OR d.owner = $3 OR k.owner = $3)
             ORDER BY p.sequence, p.leg LIMIT $4",
        )
        .bind(row.submit_sequence)
        .bind(row.uetr.as_bytes().as_slice())
        .bind(own.map(i64::from))
        .bind(LEGS_MAX)
        .fetch_all(&self.pool)
        .await;
        each(rows, "read legs", |row| {
            Ok(LegRow {
                sequence: row.try_get("sequence")?,
                kind: small(row, "kind")?,
                debit_account: parsed(row, "debit_account")?,
                debit_owner: participant(row, "debit_owner")?,
                credit_account: parsed(row, "credit_account")?,
                credit_owner: participant(row, "credit_owner")?,
                currency: row.try_get("currency")?,
                exponent: small(row, "exponent")?,
                amount: parsed(row, "amount")?,
                state: row.try_get("state")?,
                decided_sequence: row.try_get("decided_sequence")?,
            })
        })
    }

    /// Its recalls.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recalls(&self, row: &TransferRow) -> Result<Vec<RecallRow>, Error> {
        let rows = sqlx::query(
            "SELECT sequence, recalled_micros, reason, answer, answer_reason, answer_sequence, answered_micros
             FROM ledger.recalls WHERE debtor_agent = $1 AND uetr = $2 ORDER BY sequence LIMIT $3",
        )
        .bind(i64::from(row.debtor_agent))
        .bind(row.uetr.as_bytes().as_slice())
        .bind(RECALLS_MAX)
        .fetch_all(&self.pool)
        .await;
        each(rows, "read recalls", |row| {
            Ok(RecallRow {
                sequence: row.try_get("sequence")?,
                at: moment(row.try_get("recalled_micros")?),
                reason: row.try_get("reason")?,
                answer: small(row, "answer")?,
                answer_reason: row.try_get("answer_reason")?,
                answer_sequence: row.try_get("answer_sequence")?,
                answered_at: moment(row.try_get("answered_micros")?),
            })
        })
    }
}
