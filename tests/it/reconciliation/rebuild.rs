//! Schema ledger made anew is the same to the last byte; whatever breaks it off changes nothing, and office is never touched.
use services_office::{Office, Rules};
use services_reconciliation::{Source, Store, rebuild};
use sqlx::PgPool;
use tests::postgres::Postgres;

use super::{World, dump, filled, live, records, set_up, sweep::swept};

async fn world(postgres: &Postgres) -> (Store, World) {
    let mut world = World::found();
    set_up(&mut world);
    live(&mut world);
    let url = postgres.database().await.unwrap();
    let store = filled(&url, &records(&world), 9).await;
    let office = Office::new(&url, Rules::default()).unwrap();
    office.migrate().await.unwrap();
    (store, world)
}

/// Every row of schema office with its place on disk: what was written again would lie elsewhere.
async fn office(pool: &PgPool) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'office' ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let select = format!(
            "SELECT '{table} ' || 'office.{table}'::regclass::oid || coalesce(string_agg(
                 r.ctid::text || r.xmin::text || r::text, E'\\n' ORDER BY r.ctid), '') FROM office.{table} r"
        );
        let rows: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_one(pool).await.unwrap();
        all.push_str(&rows);
    }
    all
}

#[tokio::test]
async fn a_rebuild_gives_equal_bytes_and_leaves_the_office_alone() {
    let postgres = Postgres::shared().unwrap();
    let (store, world) = world(&postgres).await;
    sqlx::query("INSERT INTO ledger.database_users VALUES ('somebody', 10)")
        .execute(store.pool())
        .await
        .unwrap();
    let (before, beside) = (dump(&store).await, office(store.pool()).await);
    let held = store.claim(None).await.unwrap().epoch;
    let rebuilt = rebuild(&store, Source::Columns, |_, _| {}).await.unwrap();
    assert!(rebuilt.iter().all(|table| table.equal()), "{rebuilt:?}");
    assert_eq!(rebuilt.iter().find(|row| row.table == "transfers").unwrap().rows_after, 10);
    assert_eq!(dump(&store).await, before);
    assert_eq!(office(store.pool()).await, beside);
    assert!(swept(&store).await.ties_out);
    assert_eq!(store.balances().await.unwrap().0, world.balances());
    let kept: i64 = sqlx::query_scalar("SELECT participant FROM ledger.database_users")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(kept, 10);
    // Who wrote before must claim again.
    assert!(store.claim(Some(held)).await.is_err());
    let again = rebuild(&store, Source::Columns, |_, _| {}).await.unwrap();
    assert!(again.iter().all(|table| table.equal()), "{again:?}");
}

#[tokio::test]
async fn a_rebuild_mends_what_was_changed() {
    let postgres = Postgres::shared().unwrap();
    let (store, _) = world(&postgres).await;
    let before = dump(&store).await;
    sqlx::raw_sql(
        "ALTER TABLE ledger.transfers DISABLE TRIGGER USER;
         UPDATE ledger.transfers SET amount = amount + 1 WHERE state = 3;
         ALTER TABLE ledger.transfers ENABLE TRIGGER USER",
    )
    .execute(store.pool())
    .await
    .unwrap();
    assert!(!swept(&store).await.ties_out);
    let rebuilt = rebuild(&store, Source::Columns, |_, _| {}).await.unwrap();
    let differ: Vec<&str> =
        rebuilt.iter().filter(|row| !row.equal()).map(|row| row.table).collect();
    assert_eq!(differ, ["transfers"]);
    assert_eq!(dump(&store).await, before);
    assert!(swept(&store).await.ties_out);
}

#[tokio::test]
async fn a_rebuild_that_is_broken_off_has_changed_nothing() {
    let postgres = Postgres::start().unwrap();
    let (store, _) = world(&postgres).await;
    let before = dump(&store).await;
    // Records that do not come.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.send(store.stored_batch(0, 20).await.unwrap()).await.unwrap();
    drop(sender);
    let broken = store.rebuild((40, [0; 32]), receiver, |_, _| {}).await.unwrap_err();
    assert!(broken.to_string().contains("too soon"), "{broken}");
    assert_eq!(dump(&store).await, before);
    // Records of another ledger.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.send(store.stored_batch(0, 20).await.unwrap()).await.unwrap();
    let broken = store.rebuild((20, [7; 32]), receiver, |_, _| {}).await.unwrap_err();
    assert!(broken.to_string().contains("another root"), "{broken}");
    assert_eq!(dump(&store).await, before);
    // A view of somebody stands on a table.
    sqlx::raw_sql("CREATE VIEW public.mine AS SELECT count(*) FROM ledger.transfers")
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(store.rebuild_plan().await.unwrap().obstacles, ["mine"]);
    assert!(rebuild(&store, Source::Columns, |_, _| {}).await.is_err());
    sqlx::raw_sql("DROP VIEW public.mine").execute(store.pool()).await.unwrap();
    if !postgres.private() {
        return;
    }
    // The server dies in the middle: half of the records were written.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.send(store.stored_batch(0, 20).await.unwrap()).await.unwrap();
    let (half, mut halves) = tokio::sync::mpsc::unbounded_channel();
    let building = store.clone();
    let building = tokio::spawn(async move {
        let said = |done, _| half.send(done).unwrap();
        building.rebuild((40, [0; 32]), receiver, said).await
    });
    assert_eq!(halves.recv().await, Some(20));
    postgres.crash().unwrap();
    drop(sender);
    assert!(building.await.unwrap().is_err());
    postgres.resume().unwrap();
    assert_eq!(dump(&store).await, before);
    let rebuilt = rebuild(&store, Source::Columns, |_, _| {}).await.unwrap();
    assert!(rebuilt.iter().all(|table| table.equal()), "{rebuilt:?}");
    assert_eq!(dump(&store).await, before);
}
