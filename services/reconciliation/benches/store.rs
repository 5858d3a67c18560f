//! How fast records become rows, and rows are swept, on the Postgres of CAUSEWAY_TEST_DATABASE_URL, beside what COPY alone does there.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "a bench says what it saw, and ends where it cannot"
)]
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use services_reconciliation::{
    Store,
    record::Record,
    store::{Batch, Pace, Writer},
};
use sqlx::PgConnection;

#[path = "store/world.rs"]
mod world;

/// Transfers and records of a batch, unless TRANSFERS and BATCH say otherwise.
const TRANSFERS: u64 = 50_000;
const BATCH: u64 = 16_384;

#[tokio::main]
async fn main() {
    let Ok(url) = std::env::var("CAUSEWAY_TEST_DATABASE_URL") else {
        println!("CAUSEWAY_TEST_DATABASE_URL names no server: nothing is measured");
        return;
    };
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let batch = usize::try_from(number("BATCH", BATCH)).unwrap();
    let world = world::World::of(number("TRANSFERS", TRANSFERS));
    let records = world.events.len();
    let begun = Instant::now();
    let events = world.events;
    let mut batches = Vec::new();
    for events in events.chunks(batch) {
        let read = events.iter().cloned().map(Record::read);
        batches.push(Batch::new(read.collect::<Result<_, _>>().unwrap()));
    }
    said("records read, checked, encoded", records, begun.elapsed());

    let store = Store::new(&url).unwrap();
    store.migrate().await.unwrap();
    let begun = Instant::now();
    let writer = Writer::new(store.clone(), store.claim(None).await.unwrap());
    writer.write_all(batches).await.unwrap();
    let written = begun.elapsed();
    said("records written, with all that follows", records, written);
    let copied = copied(&store).await;
    said("the same bytes by COPY, no index, no rule", records, copied);
    println!("ratio {:.2}", copied.as_secs_f64() / written.as_secs_f64());

    for at_once in [1, 2, 4] {
        let begun = Instant::now();
        let pace = Pace { at_once, percent: 100 };
        let swept = store.sweep_records(pace, |_, _| {}).await.unwrap();
        assert_eq!(swept.findings, []);
        assert_eq!(swept.cursor.frontier.root(), swept.tree.frontier().root());
        said(&format!("records swept, {at_once} chunks at once"), records, begun.elapsed());
    }
    let begun = Instant::now();
    let (_, findings) = store.sweep_books(Pace::FULL, |_, _| {}).await.unwrap();
    assert_eq!(findings, []);
    said("records replayed, all tables compared", records, begun.elapsed());
}

/// What the server takes to write the rows of the three large tables into bare ones.
async fn copied(store: &Store) -> Duration {
    let mut connection = store.pool().acquire().await.unwrap();
    let connection: &mut PgConnection = &mut connection;
    let mut files = Vec::new();
    for table in ["records", "transfers", "postings"] {
        let create = format!(
            "DROP TABLE IF EXISTS public.bare_{table};
             CREATE TABLE public.bare_{table} (LIKE ledger.{table})"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut *connection).await.unwrap();
        files.push((table, file(connection, table).await));
    }
    let begun = Instant::now();
    for (table, file) in files {
        let statement = format!("COPY public.bare_{table} FROM STDIN (FORMAT binary)");
        let mut copy = connection.copy_in_raw(&statement).await.unwrap();
        for piece in file.chunks(1 << 18) {
            copy.send(piece).await.unwrap();
        }
        copy.finish().await.unwrap();
    }
    begun.elapsed()
}

async fn file(connection: &mut PgConnection, table: &str) -> Vec<u8> {
    let select = format!("COPY ledger.{table} TO STDOUT (FORMAT binary)");
    let mut rows = connection.copy_out_raw(&select).await.unwrap();
    let mut file = Vec::new();
    while let Some(bytes) = rows.next().await {
        file.extend_from_slice(&bytes.unwrap());
    }
    file
}

fn said(what: &str, records: usize, time: Duration) {
    let rate = records as f64 / time.as_secs_f64();
    println!("{rate:>10.0}/s  {what} ({records} in {:.2} s)", time.as_secs_f64());
}
