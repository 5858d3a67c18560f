//! Statements: taken in whole or kept out whole, the original beside them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use services_iso20022::{Decimal, statement::money};
use services_statements::{
    Balance, CreditDebit, Finding, Judged, Kind, Money, Page, Statement, Verdict,
    chain::{self, Key, Link},
    csv::ColumnMap,
    judge,
};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, postgres::PgRow};
use time::{Date, OffsetDateTime};

use super::{Act, Office, act, column, commit, failed, parsed_or_none, turn};
use crate::{
    actor::Actor,
    bridge::Leg,
    error::Error,
    take::{self, Collector, EntryRow},
};
use insert::{entries_insert, file_insert, movements_insert, refused_insert, statements_insert};

mod insert;

/// Rows of one INSERT.
const CHUNK: usize = 5_000;

/// What came of a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Imported {
    pub name: String,
    pub digest: String,
    /// `ok`, `findings` or `refused`.
    pub verdict: &'static str,
    pub format: Option<String>,
    /// Nothing when it was refused.
    pub file: Option<i64>,
    pub statements: Vec<i64>,
    pub entries: u64,
    /// `code`, `severity`, `at`, `text` each.
    pub findings: Vec<Value>,
    pub findings_count: u64,
}

/// A statement that was taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StatementRow {
    pub statement: i64,
    pub file: i64,
    pub file_name: String,
    pub digest: String,
    pub format: String,
    pub verdict: String,
    pub findings: Value,
    pub account: i64,
    pub identification: String,
    pub currency: String,
    #[serde(skip)]
    pub participant: u32,
    pub kind: String,
    pub id: String,
    pub sequence: Option<i64>,
    pub from_day: Option<String>,
    pub to_day: Option<String>,
    /// Decimals of the currency; below zero for a debit balance.
    pub opening: Option<String>,
    pub closing: Option<String>,
    pub arithmetic: String,
    pub entries: i64,
    pub imported_by: String,
    #[serde(with = "time::serde::rfc3339")]
    pub imported_at: OffsetDateTime,
}

/// A file that was kept out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RefusedRow {
    pub refused: i64,
    pub name: String,
    pub digest: String,
    pub size: i64,
    pub findings: Value,
    #[serde(with = "time::serde::rfc3339")]
    pub refused_at: OffsetDateTime,
    pub refused_by: String,
}

/// A finding of the office itself: it names what to do as the others do.
fn own_finding(code: &'static str, at: &str, text: String) -> Value {
    json!({ "code": code, "severity": "refuse", "at": at, "text": text })
}

fn shown(finding: &Finding) -> Value {
    json!({
        "code": finding.code.as_str(),
        "severity": finding.severity().as_str(),
        "at": finding.at,
        "text": finding.text,
    })
}

/// A key as text, which no two keys share.
fn key_text(key: &Key) -> String {
    match key {
        Key::File(digest) => digest.clone(),
        Key::Content(digest) => digest.clone(),
        Key::Statement { account, kind, id, sequence, page, created_at } => {
            json!([account, kind.as_str(), id, sequence, page, created_at]).to_string()
        }
    }
}

fn content_key(statement: &Statement) -> Option<String> {
    let keys = chain::keys("", std::slice::from_ref(statement));
    keys.iter().find(|key| matches!(key, Key::Content(_))).map(key_text)
}

/// A file that was judged, with what the office says of it.
struct Taken {
    judged: Judged,
    rows: Vec<EntryRow>,
    own: Vec<Value>,
}

impl Taken {
    fn refused(&self) -> bool {
        self.judged.verdict == Verdict::Refused || !self.own.is_empty()
    }

    fn findings(&self) -> Vec<Value> {
        self.judged.findings.iter().map(shown).chain(self.own.iter().cloned()).collect()
    }
}

impl Office {
    /// Takes a file in: all of its statements, or nothing of it. What is refused is kept out, with the findings why;
    /// the same file or the same statement twice is refused and names the first. `map` names a saved column map.
    ///
    /// # Errors
    /// When the actor may not, the map is not there, or the database does not answer; a refusal is no error.
    pub async fn statement_import(
        &self,
        actor: &Actor,
        name: &str,
        bytes: Vec<u8>,
        map: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Imported, Error> {
        actor.may_act()?;
        if counted_len(&bytes) > self.rules.file_bytes_max {
            let reason =
                format!("has over {} bytes: send smaller files", self.rules.file_bytes_max);
            return Err(Error::Invalid { field: "file", reason });
        }
        let map = match map {
            Some(name) => Some(self.map(name).await?),
            None => None,
        };
        let (mut taken, bytes) = judged(bytes, map).await?;
        let mut transaction = self.begin().await?;
        // Copies and chains are judged against what is there: one file at a time.
        turn(&mut transaction, "statements").await?;
        duplicates(&mut transaction, &mut taken.judged).await?;
        let accounts = self.statement_accounts(actor, &mut taken).await?;
        if !taken.refused() {
            chained(&mut transaction, &mut taken.judged, &accounts).await?;
        }
        let mut imported = Imported {
            name: name.to_owned(),
            digest: taken.judged.digest.clone(),
            verdict: if taken.refused() { "refused" } else { taken.judged.verdict.as_str() },
            format: taken.judged.format.clone(),
            file: None,
            statements: Vec::new(),
            entries: taken.judged.entries(),
            findings: taken.findings(),
            findings_count: taken.judged.findings_count + counted_len(&taken.own),
        };
        let digest = Sha256::digest(&bytes);
        let (verb, id) = if taken.refused() {
            refused_insert(&mut transaction, &imported, &digest, bytes.len(), (actor, now)).await?;
            ("refuse", imported.digest.clone())
        } else {
            let file =
                file_insert(&mut transaction, &imported, &digest, &bytes, (actor, now)).await?;
            imported.file = Some(file);
            imported.statements =
                statements_insert(&mut transaction, file, &taken.judged, &accounts).await?;
            entries_insert(&mut transaction, &imported.statements, &taken.rows).await?;
            movements_insert(&mut transaction, file).await?;
            ("import", file.to_string())
        };
        let detail =
            json!({ "name": name, "digest": imported.digest, "verdict": imported.verdict });
        act(&mut transaction, Act { verb, subject: "file", id, detail, actor, now }).await?;
        commit(transaction).await?;
        Ok(imported)
    }

    /// The kept account of each statement; what has none refuses the file.
    async fn statement_accounts(
        &self,
        actor: &Actor,
        taken: &mut Taken,
    ) -> Result<BTreeMap<(String, String), i64>, Error> {
        let kept = self.accounts(actor).await?;
        let own =
            |row: super::AccountRow| ((row.own.identification, row.own.currency), row.account);
        // A journal comes by digests, never as a statement.
        let kept = kept.into_iter().filter(|row| row.own.leg != Leg::Journal);
        let known: BTreeMap<_, _> = kept.map(own).collect();
        for statement in &taken.judged.statements {
            let (id, currency) = name_of(statement);
            if !known.contains_key(&(id.clone(), currency.clone())) {
                let text = format!(
                    "account {id} in {currency} is not kept here: add it to the office's accounts"
                );
                taken.own.push(own_finding("ACCOUNT_UNKNOWN", &statement.path(), text));
            }
        }
        Ok(known)
    }

    /// Statements, newest first; of one account if it is named.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn statement_list(
        &self,
        actor: &Actor,
        account: Option<i64>,
        limit: i64,
    ) -> Result<Vec<StatementRow>, Error> {
        self.statement_rows("($1::bigint IS NULL OR s.account = $1)", account, actor, limit).await
    }

    /// One statement.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn statement_fetch(
        &self,
        actor: &Actor,
        statement: i64,
    ) -> Result<StatementRow, Error> {
        let rows = self.statement_rows("s.statement = $1", Some(statement), actor, 1).await?;
        let missing = || Error::NotFound { what: "statement", id: statement.to_string() };
        rows.into_iter().next().ok_or_else(missing)
    }

    async fn statement_rows(
        &self,
        condition: &'static str,
        value: Option<i64>,
        actor: &Actor,
        limit: i64,
    ) -> Result<Vec<StatementRow>, Error> {
        let text = format!(
            "SELECT s.statement, s.file, f.name, f.digest, f.format, f.verdict, f.findings, s.account,
                a.identification, a.currency, a.participant, s.kind, s.id, s.sequence, s.from_day, s.to_day,
                s.opening::text AS opening, s.closing::text AS closing, s.arithmetic, s.entries, f.imported_at,
                f.imported_by
             FROM office.statements s JOIN office.files f USING (file) JOIN office.accounts a USING (account)
             WHERE {condition} AND ($2::bigint IS NULL OR a.participant = $2)
             ORDER BY s.statement DESC LIMIT $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(value)
            .bind(actor.participant().map(i64::from))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("list statements"))?;
        rows.iter().map(statement_row).collect()
    }

    /// The original of a statement's file, byte for byte, and its name.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn statement_original(
        &self,
        actor: &Actor,
        statement: i64,
    ) -> Result<(String, Vec<u8>), Error> {
        let own = self.statement_fetch(actor, statement).await?;
        let row = sqlx::query("SELECT name, bytes FROM office.files WHERE file = $1")
            .bind(own.file)
            .fetch_one(&self.pool)
            .await
            .map_err(failed("read file"))?;
        Ok((column(&row, "name")?, column(&row, "bytes")?))
    }

    /// Files that were kept out, newest first. They belong to nobody, so that only the network's own people see them.
    ///
    /// # Errors
    /// When the actor works for one participant.
    pub async fn refused_list(&self, actor: &Actor, limit: i64) -> Result<Vec<RefusedRow>, Error> {
        if actor.participant().is_some() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "SELECT refused, name, digest, size, findings, refused_at, refused_by FROM office.refused_files
             ORDER BY refused DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(failed("list refused files"))?;
        let refused = |row: &PgRow| {
            Ok(RefusedRow {
                refused: column(row, "refused")?,
                name: column(row, "name")?,
                digest: hex::encode(column::<Vec<u8>>(row, "digest")?),
                size: column(row, "size")?,
                findings: column(row, "findings")?,
                refused_at: column(row, "refused_at")?,
                refused_by: column(row, "refused_by")?,
            })
        };
        rows.iter().map(refused).collect()
    }
}

fn counted_len<T>(all: &[T]) -> u64 {
    u64::try_from(all.len()).unwrap_or(u64::MAX)
}

/// Judging a large file takes seconds, which no other task may wait for.
async fn judged(bytes: Vec<u8>, map: Option<ColumnMap>) -> Result<(Taken, Vec<u8>), Error> {
    let task = tokio::task::spawn_blocking(move || {
        let mut collector = Collector::default();
        let judged = judge(bytes.as_slice(), map.as_ref(), &mut |item| collector.take(item));
        (Taken { judged, rows: collector.rows, own: Vec::new() }, bytes)
    });
    let failed =
        |_| Error::Invalid { field: "file", reason: "judging it failed: report this".to_owned() };
    task.await.map_err(failed)
}

fn name_of(statement: &Statement) -> (String, String) {
    let id = statement.head.account.id.clone().unwrap_or_default();
    (id, statement.currency.clone().unwrap_or_default())
}

/// Copies of what was taken before; each finding names the first.
async fn duplicates(connection: &mut PgConnection, judged: &mut Judged) -> Result<(), Error> {
    let keys = chain::keys(&judged.digest, &judged.statements);
    let texts: Vec<String> = keys.iter().map(key_text).collect();
    let rows = sqlx::query(
        "SELECT encode(f.digest, 'hex') AS key, f.name, f.file AS first FROM office.files f
             WHERE f.digest = decode($1, 'hex')
         UNION ALL SELECT s.identity, f.name, s.statement FROM office.statements s JOIN office.files f USING (file)
             WHERE s.identity = ANY($2)
         UNION ALL SELECT s.content, f.name, s.statement FROM office.statements s JOIN office.files f USING (file)
             WHERE s.content = ANY($2)",
    )
    .bind(&judged.digest)
    .bind(&texts)
    .fetch_all(connection)
    .await
    .map_err(failed("look for copies"))?;
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for row in &rows {
        let (name, first): (String, i64) = (column(row, "name")?, column(row, "first")?);
        known.insert(column(row, "key")?, format!("number {first} of {name}"));
    }
    let found = chain::duplicates(&judged.digest, &judged.statements, &|key| {
        known.contains_key(&key_text(key))
    });
    let first = |finding: &Finding| {
        let of = judged.statements.iter().find(|one| one.path() == finding.at);
        let keys = match of {
            Some(statement) => chain::keys("", std::slice::from_ref(statement)),
            None => vec![Key::File(judged.digest.clone())],
        };
        keys.iter().find_map(|key| known.get(&key_text(key))).cloned().unwrap_or_default()
    };
    let named = found.iter().map(|finding| {
        let text = format!("{}; the first is {}", finding.text, first(finding));
        Finding { text, ..finding.clone() }
    });
    let named: Vec<Finding> = named.collect();
    judged.add(named);
    Ok(())
}

/// The first statement of each account against the last that was taken before it.
async fn chained(
    connection: &mut PgConnection,
    judged: &mut Judged,
    accounts: &BTreeMap<(String, String), i64>,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for statement in judged.statements.iter().filter(|one| one.head.kind == Kind::Statement) {
        let name = name_of(statement);
        let Some(account) = accounts.get(&name).filter(|_| seen.insert(name.clone())) else {
            continue;
        };
        let (_, to) = take::days(statement);
        let row = sqlx::query(
            "SELECT sequence, page, last_page, to_day, opening::text AS opening, closing::text AS closing
             FROM office.statements
             WHERE account = $1 AND kind = 'statement' AND (to_day <= $2 OR $2 IS NULL)
             ORDER BY to_day DESC NULLS LAST, statement DESC LIMIT 1",
        )
        .bind(account)
        .bind(to)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("read the chain of days"))?;
        if let Some(row) = row {
            let former = former(&row, &name)?;
            findings.extend(chain::follows(&former, &Link::of(statement), &statement.path()));
        }
    }
    judged.add(findings);
    Ok(())
}

fn former(row: &PgRow, (account, currency): &(String, String)) -> Result<Link, Error> {
    let date: Option<Date> = column(row, "to_day")?;
    let balance = |name| -> Result<Option<Balance>, Error> {
        let units: Option<i128> = parsed_or_none(row, name)?;
        Ok(units.and_then(|units| {
            let digits = u64::try_from(units.unsigned_abs()).ok()?;
            let value = Decimal { digits, scale: money::exponent(currency)? };
            let credit_debit = if units < 0 { CreditDebit::Debit } else { CreditDebit::Credit };
            Some(Balance {
                kind: "CLBD".to_owned(),
                sub_kind: None,
                amount: Money { currency: currency.clone(), value },
                credit_debit,
                date: date.map(|date| date.to_string()),
            })
        }))
    };
    let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    let page = number(column(row, "page")?);
    let last = column::<Option<bool>>(row, "last_page")?.unwrap_or(true);
    Ok(Link {
        account: account.clone(),
        currency: currency.clone(),
        sequence: number(column(row, "sequence")?),
        page: page.map(|number| Page { number, last }),
        opening: balance("opening")?,
        closing: balance("closing")?,
    })
}

fn statement_row(row: &PgRow) -> Result<StatementRow, Error> {
    let currency: String = column(row, "currency")?;
    let exponent = money::exponent(&currency).unwrap_or(0);
    let balance = |name| -> Result<Option<String>, Error> {
        Ok(parsed_or_none(row, name)?.map(|units| crate::day::decimal(units, exponent)))
    };
    let day = |name| column::<Option<Date>>(row, name).map(|day| day.map(|day| day.to_string()));
    Ok(StatementRow {
        statement: column(row, "statement")?,
        file: column(row, "file")?,
        file_name: column(row, "name")?,
        digest: hex::encode(column::<Vec<u8>>(row, "digest")?),
        format: column(row, "format")?,
        verdict: column(row, "verdict")?,
        findings: column(row, "findings")?,
        account: column(row, "account")?,
        identification: column(row, "identification")?,
        participant: super::participant(row, "participant")?,
        kind: column(row, "kind")?,
        id: column(row, "id")?,
        sequence: column(row, "sequence")?,
        from_day: day("from_day")?,
        to_day: day("to_day")?,
        opening: balance("opening")?,
        closing: balance("closing")?,
        arithmetic: column(row, "arithmetic")?,
        entries: column(row, "entries")?,
        imported_by: column(row, "imported_by")?,
        imported_at: column(row, "imported_at")?,
        currency,
    })
}
