//! Fills an empty database with the days of a network that never was. Rows of schema `ledger` are made by SQL and not of
//! records: no sweep would pass over them.
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use services_office::{Office, Rules};
use sqlx::{Connection, PgConnection, Row};

/// Transfers of one SQL transaction.
const PIECE: i64 = 500_000;
/// How long a transfer is allowed to take here: the last ones are stamped with the time at which all will be there.
const MICROS: i64 = 150;
const MINUTE: i64 = 60_000_000;

/// Makes sure that the database holds so many transfers.
pub(crate) async fn filled(url: &str, transfers: i64) {
    let office = Office::new(url, Rules::default()).unwrap();
    let mut migrator = sqlx::migrate!("../../migrations/ledger");
    migrator.create_schema("ledger");
    migrator.dangerous_set_table_name("ledger._migrations");
    migrator.run(office.pool()).await.unwrap();
    office.migrate().await.unwrap();
    let mut connection = PgConnection::connect(url).await.unwrap();
    let connection = &mut connection;
    let held = sqlx::query(
        "SELECT to_regnamespace('bench') IS NOT NULL AS made,
            (SELECT count(*) FROM (SELECT FROM ledger.records LIMIT 1) one) AS records",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    if held.get("made") {
        return;
    }
    assert_eq!(held.get::<i64, _>("records"), 0, "the database holds a ledger: name an empty one");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let ends = i64::try_from(now.as_micros()).unwrap() + transfers * MICROS;
    set(connection, "transfers", transfers).await;
    set(connection, "end", (ends / MINUTE + 1) * MINUTE).await;
    let begun = Instant::now();
    run(connection, &[include_str!("founding.sql"), include_str!("unindexed.sql")]).await;
    let mut from = 0;
    while from < transfers {
        let to = transfers.min(from + PIECE);
        set(connection, "from", from).await;
        set(connection, "to", to).await;
        run(connection, &[include_str!("transfers.sql")]).await;
        println!("{to} transfers after {:.0?}", begun.elapsed());
        from = to;
    }
    run(connection, &[include_str!("indexed.sql"), include_str!("balances.sql")]).await;
    run(connection, &[include_str!("office.sql")]).await;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut *connection).await.unwrap();
    println!("filled after {:.0?}", begun.elapsed());
}

async fn set(connection: &mut PgConnection, name: &str, value: i64) {
    sqlx::query("SELECT set_config('bench.' || $1, $2, FALSE)")
        .bind(name)
        .bind(value.to_string())
        .execute(connection)
        .await
        .unwrap();
}

async fn run(connection: &mut PgConnection, files: &[&'static str]) {
    let mut transaction = connection.begin().await.unwrap();
    for file in files {
        sqlx::raw_sql(*file).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
}
