//! A hundred thousand records: a report of before them is made again to the byte, and one changed byte among them is found soon.
use std::time::{Duration, Instant};

use services_office::{Office, Rules};
use services_reconciliation::{
    Report, Store,
    record::Record,
    store::{Batch, Cursor, Pace, Writer},
};
use services_reports::{Asked, Kind, Made, Reports, Signer, write::Format};
use tests::{postgres::Postgres, say};

#[path = "../../../services/reconciliation/benches/store/world.rs"]
mod world;

/// Their records are over 108,000.
const TRANSFERS: u64 = 27_000;
/// Records before the first report.
const FIRST: usize = 8_000;
const LATER: usize = 100_000;
const BATCH: usize = 8_192;

async fn written(store: &Store, cursor: Cursor, events: &[proto::convert::RecordEvent]) -> Cursor {
    let batches = events.chunks(BATCH).map(|events| {
        let read = events.iter().cloned().map(Record::read);
        Batch::new(read.collect::<Result<_, _>>().unwrap())
    });
    Writer::new(store.clone(), cursor).write_all(batches).await.unwrap()
}

/// Every report in every format, of the first records and acts.
async fn reports(url: &str, records: usize) -> Vec<(String, Vec<u8>)> {
    let reports = Reports::new(url).unwrap();
    let signer = Signer::new("causeway", &[7; 32]).unwrap();
    let mut files = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.of_gateway()) {
        let covered = kind == Kind::Covered;
        let asked = Asked {
            zone: "Asia/Manila".to_owned(),
            currency: covered.then(|| "PHP".to_owned()),
            above: covered.then_some(399_999),
            records: Some(u64::try_from(records).unwrap()),
            acts: Some(0),
            ..Asked::all(kind)
        };
        let (table, position) = reports.make(&asked).await.unwrap();
        assert!(!table.rows.is_empty() || !kind.of_days(), "{kind:?} says something");
        let made = Made::new(&asked, (&table, position), &Format::ALL, &signer).unwrap();
        files.extend(made.files);
    }
    files
}

async fn swept(store: &Store, pace: Pace) -> (Report, Duration) {
    let begun = Instant::now();
    let report = services_reconciliation::sweep(store, None, pace, |_, _, _| {}).await.unwrap();
    (report, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_hundred_thousand_records_reports_are_the_same_and_one_byte_is_found() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let store = Store::new(&url).unwrap();
    store.migrate().await.unwrap();
    Office::new(&url, Rules::default()).unwrap().migrate().await.unwrap();
    let cursor = store.claim(None).await.unwrap();
    let events = world::World::of(TRANSFERS).events;
    let (first, later) = events.split_at(FIRST);
    assert!(later.len() >= LATER);
    let cursor = written(&store, cursor, first).await;
    let before = reports(&url, FIRST).await;
    written(&store, cursor, later).await;
    assert!(reports(&url, FIRST).await == before, "the same bytes after {} records", later.len());
    assert!(reports(&url, events.len()).await != before, "and others of later records");

    let background = Pace { at_once: 1, percent: 25 };
    for (table, column, row) in [
        ("records", "item", "sequence = 50007"),
        ("records", "salts", "sequence = 50007"),
        (
            "transfers",
            "uetr",
            "submit_sequence = (SELECT max(submit_sequence) FROM ledger.transfers)",
        ),
    ] {
        let flip = format!(
            "SET session_replication_role = replica;
             UPDATE ledger.{table} SET {column} = set_byte({column}, 3, get_byte({column}, 3) # 1) WHERE {row};
             RESET session_replication_role"
        );
        let turn = || sqlx::raw_sql(sqlx::AssertSqlSafe(flip.clone())).execute(store.pool());
        turn().await.unwrap();
        for pace in [Pace::FULL, background] {
            let (report, took) = swept(&store, pace).await;
            let named = report
                .findings
                .iter()
                .any(|finding| finding.table == table || finding.table == "cursor");
            assert!(!report.ties_out && named, "{table}.{column}: {:?}", report.findings);
            say(&format!("{table}.{column}: found in {took:.1?} at {pace:?}"));
        }
        turn().await.unwrap();
    }
    let (report, _) = swept(&store, Pace::FULL).await;
    assert!(report.ties_out && report.records == events.len() as u64, "{:?}", report.findings);
}
