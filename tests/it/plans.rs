//! What services read in Postgres for each remittance, from empty tables on: rows are found by their keys, so it does not grow with the tables.
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use reqwest::Method;
use services_cli::{
    demo::{network::Running, postgres::Postgres},
    wallet::{Seen, Wallet},
};
use sqlx::{FromRow, PgPool};
use tests::{fresh_uetr, say};

use crate::batches::{order, send};

/// So many that a scan of one table would show: half of them on average.
const REMITTANCES: usize = 1_200;
const AT_ONCE: usize = 12;
const PATIENCE: Duration = Duration::from_secs(60);
/// Rows that may be read in one table for each remittance; a look at a batch counts.
const READ_MAX: i64 = 20;
/// Connections tell what they read once a second at most.
const TOLD_AFTER: Duration = Duration::from_secs(3);

#[derive(Debug, FromRow)]
struct Reads {
    table: String,
    rows: i64,
}

async fn reads(pool: &PgPool) -> BTreeMap<String, i64> {
    let rows: Vec<Reads> = sqlx::query_as(
        r#"SELECT schemaname || '.' || relname AS "table",
            seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_user_tables"#,
    )
    .fetch_all(pool)
    .await
    .unwrap();
    rows.into_iter().map(|own| (own.table, own.rows)).collect()
}

/// A sweep reads all rows again and again: here it rests. A wallet may ask as often as it likes.
fn settings(network: &Path) -> anyhow::Result<()> {
    let change = |file: &str, key: &str, value: toml::Value| -> anyhow::Result<()> {
        let file = network.join(file);
        let mut settings: toml::Table = fs::read_to_string(&file)?.parse()?;
        settings.insert(key.to_owned(), value);
        Ok(fs::write(&file, toml::to_string(&settings)?)?)
    };
    let rest = 3_600_000.into();
    change("reconciliation/reconciliation.toml", "sweep_pause_ms", rest)?;
    let often = toml::Table::from_iter(
        ["requests_per_s", "burst"].map(|of| (of.to_owned(), 100_000.into())),
    );
    change("participants/HK/gateway.toml", "security", often.into())
}

async fn created(wallet: &Wallet, number: usize) -> String {
    let mut order = order(number);
    order["uetr"] = fresh_uetr().into();
    let (status, body) = wallet.create(&order, PATIENCE).await.unwrap();
    assert!(status.is_success(), "{status}: {body}");
    body["uetr"].as_str().unwrap().to_owned()
}

/// What was read since `before`, for each remittance; says so.
async fn judge(pool: &PgPool, before: &BTreeMap<String, i64>, how: &str) {
    tokio::time::sleep(TOLD_AFTER).await;
    let mut over = Vec::new();
    for (table, rows) in reads(pool).await {
        let rows = rows - before.get(&table).copied().unwrap_or(0);
        let each = rows / i64::try_from(REMITTANCES).unwrap();
        if each > 0 {
            say(&format!("{how}: {each} rows of {table} read for each remittance"));
        }
        if each > READ_MAX {
            over.push(table);
        }
    }
    assert!(over.is_empty(), "{how}: more than {READ_MAX} rows for each remittance: {over:?}");
}

async fn one_by_one(wallet: &Wallet) {
    let all = stream::iter(0..REMITTANCES).map(|number| created(wallet, number));
    let all: Vec<String> = all.buffer_unordered(AT_ONCE).collect().await;
    for uetr in all {
        let seen = wallet.follow(&uetr, PATIENCE, Seen::ended).await;
        assert_eq!(seen.status, "CREDITED", "{}", seen.body);
    }
}

async fn as_a_batch(wallet: &Wallet) {
    let rows: String = (0..REMITTANCES).map(|number| format!("{}\n", order(number))).collect();
    let sent = send(wallet, "best_effort", &fresh_uetr(), "application/x-ndjson", &rows).await;
    let (status, batch) = sent;
    assert_eq!(status, 202, "{batch}");
    let path = format!("/v1/batches/{}", batch["id"].as_str().unwrap());
    let end = Instant::now() + PATIENCE;
    loop {
        // Each look counts all rows.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (_, seen) = wallet.send(Method::GET, &path, None, None).await.unwrap();
        if seen["counts"]["CREDITED"] == REMITTANCES {
            return;
        }
        assert!(Instant::now() < end, "not in time: {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reads_more_as_tables_grow() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let mut running = Running::start(Some(url), settings).await.unwrap();
    let wallet = running.wallet("HK").unwrap();
    let before = reads(&pool).await;
    one_by_one(&wallet).await;
    running.reconciled().await.unwrap();
    judge(&pool, &before, "one by one").await;
    let before = reads(&pool).await;
    as_a_batch(&wallet).await;
    running.reconciled().await.unwrap();
    judge(&pool, &before, "as a batch").await;
    running.stop();
}
