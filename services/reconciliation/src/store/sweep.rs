//! Reads the tables for a sweep: records in chunks, and everything else at one record, in one snapshot; it changes nothing and judges nothing.
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use ledger_proof::codec::Digest;
use proto::convert::RecordEvent;
use sqlx::{PgConnection, Postgres, Row, Transaction};

use super::{Cursor, Error, Store, cursor, stored, unsigned};
use crate::sweep::{
    CHUNK, FINDINGS_MAX, Finding, Tree,
    replay::Replay,
    root_of,
    table::{SMALL, Table},
};

/// How hard a sweep works.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Chunks of records that are read and hashed at one time.
    pub at_once: usize,
    /// The share of its time that it works, 1 to 100; it rests between chunks.
    pub percent: u32,
}

impl Pace {
    /// As fast as it goes.
    pub const FULL: Self = Self { at_once: 4, percent: 100 };

    /// How long to rest after so much work.
    #[must_use]
    pub fn rest(self, worked: Duration) -> Duration {
        let percent = self.percent.clamp(1, 100);
        worked * (100 - percent) / percent
    }

    /// The pace while a snapshot is open, which Postgres clears up nothing behind: half of the time at least, in
    /// pieces so short that others hardly wait for them.
    #[must_use]
    pub fn in_snapshot(self) -> Self {
        Self { percent: self.percent.max(50), ..self }
    }

    /// Rests after the work since `begun`, and begins anew.
    async fn pause(self, begun: &mut Instant) {
        let rest = self.rest(begun.elapsed());
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
        *begun = Instant::now();
    }
}

/// What a sweep of `ledger.records` made.
#[derive(Clone, Debug)]
pub struct Swept {
    /// The cursor as it was when the sweep began.
    pub cursor: Cursor,
    /// The tree over the records before it.
    pub tree: Tree,
    /// What is wrong by itself.
    pub findings: Vec<Finding>,
}

/// A chunk: its leaves, its root if it is full, and what is wrong in it.
type Hashed = (Vec<Digest>, Option<Digest>, Vec<Finding>);

impl Store {
    /// The cursor, without taking the right to write.
    ///
    /// # Errors
    /// When the database does not answer, or was never written to.
    pub async fn cursor(&self) -> Result<Cursor, Error> {
        let mut connection = self.pool.acquire().await.map_err(Error::statement("read cursor"))?;
        super::look(&mut connection).await
    }

    /// Hashes every stored record again. Records never change, so no snapshot is held: what is
    /// written meanwhile lies behind the cursor, and is the next sweep's.
    ///
    /// # Errors
    /// When the database does not answer, or answers what this version cannot read.
    pub async fn sweep_records(
        &self,
        pace: Pace,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Swept, Error> {
        let cursor = self.cursor().await?;
        let next = cursor.next_sequence;
        let (mut tree, mut findings) = (Tree::default(), Vec::new());
        let chunks = (0..next).step_by(usize::try_from(CHUNK).unwrap_or(usize::MAX));
        let chunks = chunks.map(|first| self.hashed(first, next.min(first + CHUNK)));
        let mut chunks = stream::iter(chunks).buffered(pace.at_once.max(1));
        let mut begun = Instant::now();
        while let Some((leaves, root, found)) = chunks.try_next().await? {
            tree.push(&leaves, root);
            findings.extend(found);
            progress(tree.frontier().size(), next);
            pace.pause(&mut begun).await;
        }
        findings.truncate(FINDINGS_MAX);
        drop(chunks);
        Ok(Swept { cursor, tree, findings })
    }

    async fn hashed(&self, first: u64, next: u64) -> Result<Hashed, Error> {
        let file = self.records_file(first, next).await?;
        let hashing = move || {
            let chunk = stored::chunk(first, next, &file)?;
            Ok((root_of(&chunk.leaves), chunk))
        };
        let hashed = tokio::task::spawn_blocking(hashing).await.map_err(|_| Error::Stopped)?;
        let (root, chunk) = hashed.map_err(Error::Copy)?;
        Ok((chunk.leaves, root, chunk.findings))
    }

    /// The columns that differ from records as the ledger tells them.
    ///
    /// # Errors
    /// When the database does not answer, or answers what this version cannot read.
    pub async fn differences(
        &self,
        first: u64,
        next: u64,
        told: Vec<RecordEvent>,
    ) -> Result<Vec<Finding>, Error> {
        let file = self.records_file(first, next).await?;
        let mut missing: BTreeMap<u64, RecordEvent> =
            told.into_iter().map(|event| (event.sequence, event)).collect();
        let mut findings = Vec::new();
        let finding = |sequence: u64, column, what| {
            let key = sequence.to_string();
            Finding { table: "records", key, column, what }
        };
        stored::each_record(&file, |row| {
            let sequence = u64::try_from(row.sequence).unwrap_or(u64::MAX);
            let columns = missing.remove(&sequence).map(|told| row.differences(&told));
            let columns = columns.into_iter().flatten();
            let what = "differs from the ledger's record";
            findings.extend(columns.map(|column| finding(sequence, column, what)));
        })
        .map_err(Error::Copy)?;
        findings.extend(missing.into_keys().map(|lost| finding(lost, "", "is missing")));
        Ok(findings)
    }

    /// Records as Postgres sends them.
    pub(super) async fn records_file(&self, first: u64, next: u64) -> Result<Vec<u8>, Error> {
        let mut connection = self.pool.acquire().await.map_err(Error::statement("read records"))?;
        let select = format!(
            "COPY (SELECT sequence, kind, at_micros, shared, debtor, creditor, liquidity_1,
                 liquidity_2, operator, salts, item
             FROM ledger.records WHERE sequence >= {first} AND sequence < {next}
             ORDER BY sequence) TO STDOUT (FORMAT binary)"
        );
        file(&mut connection, &select, "read records").await
    }

    /// The books made again from the stored records, all tables compared at the same record.
    ///
    /// # Errors
    /// When the database does not answer, or answers what this version cannot read.
    pub async fn sweep_books(
        &self,
        pace: Pace,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(u64, Vec<Finding>), Error> {
        let mut snapshot = self.snapshot().await?;
        let row = sqlx::query("SELECT next_sequence, frontier, network, epoch FROM ledger.cursor")
            .fetch_one(&mut *snapshot)
            .await
            .map_err(Error::statement("read cursor"))?;
        let next = cursor(&row)?.next_sequence;
        let mut replay = Box::new(Replay::default());
        let mut first = 0;
        let mut begun = Instant::now();
        let mut read = Some(files(&mut snapshot, first, next).await?);
        while let Some(files) = read.take() {
            let after = next.min(first + CHUNK);
            let replaying = tokio::task::spawn_blocking(move || {
                replay.take(stored::stretch(&files)?);
                Ok(replay)
            });
            // The next is read while this one is replayed.
            if after < next {
                read = Some(self::files(&mut snapshot, after, next).await?);
            }
            let replayed = replaying.await.map_err(|_| Error::Stopped)?;
            replay = replayed.map_err(Error::Copy)?;
            first = after;
            progress(first, next);
            pace.in_snapshot().pause(&mut begun).await;
        }
        let tables = small(&mut snapshot).await?;
        let mut findings = beyond(&mut snapshot, next).await?;
        findings.extend(replay.finish(&tables));
        Ok((next, findings))
    }

    async fn snapshot(&self) -> Result<Transaction<'static, Postgres>, Error> {
        let failed = || Error::statement("begin");
        let mut transaction = self.pool.begin().await.map_err(failed())?;
        // One process only: another one hashes here at the same time.
        sqlx::raw_sql(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
             SET LOCAL max_parallel_workers_per_gather = 0",
        )
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
        Ok(transaction)
    }
}

/// The files of one stretch.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) records: Vec<u8>,
    pub(super) transfers: Vec<u8>,
    pub(super) postings: Vec<u8>,
    pub(super) entries: Table,
}

async fn files(connection: &mut PgConnection, first: u64, end: u64) -> Result<Files, Error> {
    let next = end.min(first + CHUNK);
    // The first and the last stretch reach to the ends of all numbers: no row hides outside.
    let from = if first == 0 { i64::MIN.to_string() } else { first.to_string() };
    let to = if next == end { i64::MAX.to_string() } else { next.to_string() };
    let records = format!(
        "COPY (SELECT sequence, kind, at_micros, shared, item FROM ledger.records
             WHERE sequence >= {first} AND sequence < {next} ORDER BY sequence)
         TO STDOUT (FORMAT binary)"
    );
    let transfers = format!(
        "COPY (SELECT debtor_agent, uetr, creditor_agent, corridor, state, rejection, reason,
                 amount, currency, returned, deadline_micros, held_until_micros, submit_sequence,
                 submitted_micros, decided_sequence, decided_micros, confirmed_sequence,
                 confirmed_micros, confirmation
             FROM ledger.transfers WHERE submit_sequence >= {from} AND submit_sequence < {to})
         TO STDOUT (FORMAT binary)"
    );
    let postings = format!(
        "COPY (SELECT sequence, leg, subject_kind, subject_owner, subject, kind, debit_account,
                 credit_account, currency, amount, state, decided_sequence
             FROM ledger.postings WHERE sequence >= {from} AND sequence < {to}
             ORDER BY sequence, leg) TO STDOUT (FORMAT binary)"
    );
    Ok(Files {
        records: file(connection, &records, "read records").await?,
        transfers: file(connection, &transfers, "read transfers").await?,
        postings: file(connection, &postings, "read postings").await?,
        entries: entries(connection, &from, &to).await?,
    })
}

async fn file(
    connection: &mut PgConnection,
    select: &str,
    name: &'static str,
) -> Result<Vec<u8>, Error> {
    let mut rows = connection.copy_out_raw(select).await.map_err(Error::statement(name))?;
    let mut file = Vec::new();
    while let Some(bytes) = rows.next().await {
        file.extend_from_slice(&bytes.map_err(Error::statement(name))?);
    }
    Ok(file)
}

async fn entries(connection: &mut PgConnection, from: &str, to: &str) -> Result<Table, Error> {
    let select = format!(
        "SELECT entry::text, first_sequence::text, last_sequence::text, at_micros::text,
             encode(accounts_digest, 'hex')
         FROM ledger.entries WHERE last_sequence >= {from} AND last_sequence < {to}"
    );
    table(connection, SMALL[0], select).await
}

async fn small(connection: &mut PgConnection) -> Result<Vec<Table>, Error> {
    const SELECTS: [&str; 6] = [
        "SELECT currency, exponent::text, custodian::text, custody_account::text
         FROM ledger.currencies",
        "SELECT participant::text, country, bic, lei, clearing_member, name, suspended::text
         FROM ledger.participants",
        "SELECT account::text, owner::text, currency, custody::text, standing_acceptance::text,
             net_debit_cap::text FROM ledger.accounts",
        "SELECT account::text, debits_pending::text, debits_posted::text, credits_pending::text,
             credits_posted::text FROM ledger.balances",
        "SELECT debtor_agent || ' ' || encode(recall_case, 'hex'), encode(uetr, 'hex'),
             creditor_agent::text, reason, amount::text, currency, sequence::text,
             recalled_micros::text, answer_by_micros::text, answer::text, answer_reason,
             answer_sequence::text, answered_micros::text, encode(return_uetr, 'hex')
         FROM ledger.recalls",
        "SELECT only_row::text, encode(network, 'hex') FROM ledger.cursor",
    ];
    let mut tables = Vec::with_capacity(SELECTS.len());
    for (select, shape) in SELECTS.into_iter().zip(&SMALL[1..]) {
        tables.push(table(connection, *shape, select.to_owned()).await?);
    }
    Ok(tables)
}

async fn table(
    connection: &mut PgConnection,
    (name, columns): (&'static str, &'static [&'static str]),
    select: String,
) -> Result<Table, Error> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(select))
        .fetch_all(connection)
        .await
        .map_err(Error::statement("read a table"))?;
    let mut table = Table::new(name, columns);
    for row in &rows {
        let cell = |at: usize| -> Result<String, Error> {
            row.try_get(at).map_err(|_| Error::Unreadable { column: name })
        };
        let cells = (1..=columns.len()).map(cell).collect::<Result<_, _>>()?;
        table.rows.insert(cell(0)?, cells);
    }
    Ok(table)
}

/// Records that no cursor counts.
async fn beyond(connection: &mut PgConnection, next: u64) -> Result<Vec<Finding>, Error> {
    let select = format!(
        "(SELECT sequence FROM ledger.records WHERE sequence < 0 ORDER BY sequence LIMIT 10)
         UNION ALL
         (SELECT sequence FROM ledger.records WHERE sequence >= {next}
          ORDER BY sequence LIMIT 10)"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(select))
        .fetch_all(connection)
        .await
        .map_err(Error::statement("read records"))?;
    let finding = |row| {
        let key = unsigned::<i64>(row, "sequence")?.to_string();
        let what = "lies outside of what the cursor counts";
        Ok(Finding { table: "records", key, column: "", what })
    };
    rows.iter().map(finding).collect()
}
