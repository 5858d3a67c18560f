//! Several batches open at one time: they end in order or not at all, whoever takes over and whatever fails among them.
use std::time::Duration;

use services_reconciliation::{
    Store,
    record::{Content, Record},
    store::{Error, Pace, Writer},
};
use sqlx::{Connection, PgConnection};
use tests::postgres::Postgres;

use super::{World, batches, live, records, set_up};

/// Far longer than laying a few rows takes.
const LAID: Duration = Duration::from_millis(300);

async fn world(postgres: &Postgres) -> (World, Vec<Record>, String, Store) {
    let mut world = World::found();
    set_up(&mut world);
    live(&mut world);
    let records = records(&world);
    let url = postgres.database().await.unwrap();
    let store = Store::new(&url).unwrap();
    store.migrate().await.unwrap();
    (world, records, url, store)
}

/// Holds the cursor, so that batches are laid and none ends.
async fn held(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT FROM ledger.cursor FOR UPDATE")
        .execute(&mut connection)
        .await
        .unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_laid_while_those_before_them_end() {
    let postgres = Postgres::shared().unwrap();
    let (world, records, url, store) = world(&postgres).await;
    let claimed = store.claim(None).await.unwrap();
    // The first batch opens the accounts that the later ones move money of.
    let opened = records.len() / 3;
    let mut writer = Writer::new(store.clone(), claimed.clone());
    let mut holder = held(&url).await;
    for batch in batches(&records, opened + 1) {
        assert!(writer.takes());
        writer.write(batch).await.unwrap();
    }
    tokio::time::timeout(LAID, writer.written()).await.unwrap_err();
    assert_eq!(store.cursor().await.unwrap(), claimed, "nothing ends out of turn");
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    let first = writer.written().await.unwrap();
    assert_eq!(first.batch.records().len(), opened + 1);
    assert!(writer.rest().await.iter().all(Result::is_ok));
    assert_eq!(writer.cursor().frontier.root(), world.root());
    assert_eq!(store.balances().await.unwrap().0, world.balances());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_comes_to_rest_before_the_next_claim() {
    let postgres = Postgres::shared().unwrap();
    let (world, records, _, store) = world(&postgres).await;
    let mut cursor = store.claim(None).await.unwrap();
    // Broken off after each batch, as by a node that goes away.
    for round in 0..records.len() {
        let from = usize::try_from(cursor.next_sequence).unwrap();
        let mut writer = Writer::new(store.clone(), cursor);
        for batch in batches(&records[from..], 2).take(round % 4) {
            writer.write(batch).await.unwrap();
        }
        assert!(writer.rest().await.iter().all(Result::is_ok));
        let written = writer.cursor().clone();
        cursor = store.claim(Some(written.epoch)).await.unwrap();
        assert_eq!(cursor, written);
    }
    assert_eq!(cursor.frontier.root(), world.root());
    assert_eq!(store.balances().await.unwrap().0, world.balances());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_at_any_moment_leaves_nothing_behind() {
    let postgres = Postgres::shared().unwrap();
    let (world, records, url, store) = world(&postgres).await;
    let claimed = store.claim(None).await.unwrap();
    for round in 0..30 {
        let mut holder = held(&url).await;
        let mut writer = Writer::new(store.clone(), claimed.clone());
        for batch in batches(&records, records.len() / 3 + 1) {
            writer.write(batch).await.unwrap();
        }
        // Between a COPY's last row and its answer, most often.
        tokio::time::sleep(Duration::from_millis(5 * round)).await;
        drop(writer);
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
        assert_eq!(store.claim(Some(claimed.epoch)).await.unwrap(), claimed, "round {round}");
    }
    let written = store.write(&claimed, &records).await.unwrap();
    for round in 0..100 {
        let sweep = store.sweep_records(Pace::FULL, |_, _| ());
        let sweep = tokio::time::timeout(Duration::from_micros(50 * round), sweep).await;
        assert!(sweep.is_err() || sweep.unwrap().is_ok(), "round {round}");
        assert_eq!(store.claim(Some(claimed.epoch)).await.unwrap(), written, "round {round}");
    }
    assert_eq!(store.balances().await.unwrap().0, world.balances());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_over_finds_nothing_of_what_was_open() {
    let postgres = Postgres::shared().unwrap();
    let (world, records, url, store) = world(&postgres).await;
    let cursor = store.claim(None).await.unwrap();
    let (first, rest) = records.split_at(records.len() / 2);
    let cursor = store.write(&cursor, first).await.unwrap();
    let mut former = Writer::new(store.clone(), cursor);
    let mut holder = held(&url).await;
    for batch in batches(rest, rest.len() / 3 + 1) {
        former.write(batch).await.unwrap();
    }
    tokio::time::timeout(LAID, former.written()).await.unwrap_err();
    // Another takes over, and lays the same rows while those of the former are still there.
    let taken = "UPDATE ledger.cursor SET epoch = epoch + 1; COMMIT";
    sqlx::raw_sql(taken).execute(&mut holder).await.unwrap();
    let other = Store::new(&url).unwrap();
    let cursor = other.cursor().await.unwrap();
    let next = other.write(&cursor, rest);
    let (fenced, next) = tokio::join!(former.written(), next);
    let fenced = fenced.unwrap_err();
    assert!(matches!(fenced, Error::Fenced { .. }), "{fenced}");
    assert_eq!(next.unwrap().frontier.root(), world.root());
    assert_eq!(store.balances().await.unwrap().0, world.balances());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_meets_the_rows_of_another_that_took_over_says_so() {
    let postgres = Postgres::shared().unwrap();
    let (_, records, url, store) = world(&postgres).await;
    let cursor = store.claim(None).await.unwrap();
    let (first, rest) = records.split_at(records.len() / 2);
    let cursor = store.write(&cursor, first).await.unwrap();
    // Begun before another took over, and laid after it has written.
    let mut former = Writer::new(store.clone(), cursor.clone());
    let mut holder = PgConnection::connect(&url).await.unwrap();
    let lock = "BEGIN; LOCK TABLE ledger.records IN EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut holder).await.unwrap();
    for batch in batches(rest, rest.len()) {
        former.write(batch).await.unwrap();
    }
    tokio::time::timeout(LAID, former.written()).await.unwrap_err();
    let row = "INSERT INTO ledger.records SELECT $1, kind, at_micros, shared, debtor, creditor,
        liquidity_1, liquidity_2, operator, salts, item FROM ledger.records WHERE sequence = 0";
    let sequence = i64::try_from(rest[0].sequence).unwrap();
    sqlx::query(row).bind(sequence).execute(&mut holder).await.unwrap();
    let taken = "UPDATE ledger.cursor SET epoch = epoch + 1; COMMIT";
    sqlx::raw_sql(taken).execute(&mut holder).await.unwrap();
    let failure = former.written().await.unwrap_err();
    assert!(matches!(failure, Error::Statement { .. }) && !failure.transient(), "{failure}");
    let fenced = store.or_fenced(failure, &cursor).await;
    assert!(matches!(fenced, Error::Fenced { .. }), "{fenced}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_batch_that_fails_nothing_is_written() {
    let postgres = Postgres::shared().unwrap();
    let (world, records, _, store) = world(&postgres).await;
    let claimed = store.claim(None).await.unwrap();
    let third = records.len() / 3 + 1;
    // A row that the second batch makes is there already.
    let stray = "INSERT INTO ledger.entries VALUES ($1, 0, 0, 0, decode(repeat('00', 32), 'hex'))";
    let entries = records[third..2 * third].iter().filter_map(|record| match &record.content {
        Content::Entry(entry) => Some(entry.entry),
        Content::Genesis(_) | Content::Outcome { .. } | Content::EnvelopeRefusal => None,
    });
    let entry = i64::try_from(entries.last().unwrap()).unwrap();
    sqlx::query(stray).bind(entry).execute(store.pool()).await.unwrap();
    let mut writer = Writer::new(store.clone(), claimed);
    for batch in batches(&records, third) {
        writer.write(batch).await.unwrap();
    }
    let first = writer.written().await.unwrap().cursor;
    let failure = writer.written().await.unwrap_err();
    assert!(!failure.transient(), "{failure}");
    writer.written().await.unwrap_err();
    drop(writer);
    assert_eq!(store.claim(Some(first.epoch)).await.unwrap(), first);
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger.records")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(u64::try_from(count).unwrap(), first.next_sequence);
    let undone = "SET session_replication_role = replica; DELETE FROM ledger.entries WHERE first_sequence = 0
        AND accounts_digest = decode(repeat('00', 32), 'hex'); RESET session_replication_role";
    sqlx::raw_sql(undone).execute(store.pool()).await.unwrap();
    let rest = usize::try_from(first.next_sequence).unwrap();
    store.write(&first, &records[rest..]).await.unwrap();
    assert_eq!(store.balances().await.unwrap().0, world.balances());
}
