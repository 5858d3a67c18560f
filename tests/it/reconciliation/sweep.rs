//! A sweep finds one changed byte in any column of any table, names it, and finds nothing where nothing was changed.
use services_reconciliation::{Report, Store, store::Pace};
use sqlx::PgPool;
use tests::postgres::Postgres;

use super::{World, filled, live, records, set_up};

pub(crate) async fn swept(store: &Store) -> Report {
    services_reconciliation::sweep(store, None, Pace::FULL, |_, _, _| {}).await.unwrap()
}

/// Changes rows as somebody would who owns the server: no trigger and no constraint stops it.
async fn tamper(pool: &PgPool, statement: &str) -> u64 {
    let mut connection = pool.acquire().await.unwrap();
    let own = format!("SET session_replication_role = replica; {statement}");
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(own)).execute(&mut *connection).await;
    sqlx::raw_sql("RESET session_replication_role").execute(&mut *connection).await.unwrap();
    done.unwrap_or_else(|error| panic!("{statement}: {error}")).rows_affected()
}

/// Lets values in that the tables refuse.
async fn without_checks(pool: &PgPool) {
    tamper(
        pool,
        "DO $$ DECLARE own RECORD; BEGIN
             FOR own IN SELECT conrelid::regclass AS of_table, conname FROM pg_constraint
                 WHERE connamespace = 'ledger'::regnamespace AND contype IN ('c', 'f')
             LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', own.of_table, own.conname);
             END LOOP; END $$",
    )
    .await;
}

async fn world(postgres: &Postgres) -> Store {
    let mut world = World::found();
    set_up(&mut world);
    live(&mut world);
    filled(&postgres.database().await.unwrap(), &records(&world), 16).await
}

/// One row of a table, one column, changed and put back.
async fn found(
    store: &Store,
    (table, column): (&str, &str),
    (change, back): (&str, &str),
    row: &str,
) {
    let update = |value: &str| format!("UPDATE ledger.{table} SET {column} = {value} WHERE {row}");
    let changed = tamper(store.pool(), &update(change)).await;
    assert_eq!(changed, 1, "{table}.{column}: one row where {row}");
    let report = swept(store).await;
    assert!(!report.ties_out && !report.findings.is_empty(), "{table}.{column} was changed unseen");
    if table != "records" {
        let named = report.findings.iter().any(|finding| finding.table == table);
        assert!(named, "{table}.{column}: {:?}", report.findings);
    }
    assert_eq!(tamper(store.pool(), &update(back)).await, 1);
}

#[tokio::test]
async fn one_changed_byte_in_any_column_of_the_records_is_found() {
    let postgres = Postgres::shared().unwrap();
    let store = world(&postgres).await;
    let report = swept(&store).await;
    assert!(report.ties_out, "{:?}", report.findings);
    assert!(report.books_ms.is_some() && report.records > 40, "{report:?}");
    without_checks(store.pool()).await;
    for column in ["kind", "at_micros"] {
        let change = (&*format!("{column} + 1"), &*format!("{column} - 1"));
        found(&store, ("records", column), change, "sequence = 12").await;
    }
    let mut parts = 0;
    for column in ["shared", "debtor", "creditor", "operator", "salts", "item"] {
        let select = format!("SELECT min(sequence) FROM ledger.records WHERE length({column}) > 0");
        let row: Option<i64> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(select)).fetch_one(store.pool()).await.unwrap();
        let Some(row) = row else { continue };
        parts += 1;
        let flip = format!("set_byte({column}, 0, get_byte({column}, 0) # 1)");
        found(&store, ("records", column), (&flip, &flip), &format!("sequence = {row}")).await;
    }
    assert!(parts >= 5, "{parts} columns have bytes");
    // Where a record has nothing, nothing may stand: no leaf covers it.
    let absent: i64 = sqlx::query_scalar(
        "SELECT min(sequence) FROM ledger.records WHERE liquidity_1 IS NULL AND length(salts) = 192",
    )
    .fetch_one(store.pool())
    .await
    .unwrap();
    let absent = format!("sequence = {absent}");
    for (column, change, back) in [
        ("liquidity_1", "'\\x00'", "NULL"),
        ("liquidity_1", "''", "NULL"),
        ("salts", "set_byte(salts, 100, 1)", "set_byte(salts, 100, 0)"),
    ] {
        found(&store, ("records", column), (change, back), &absent).await;
    }
    found(&store, ("records", "item"), ("'\\x00'", "NULL"), "sequence = 0").await;
    tamper(store.pool(), "UPDATE ledger.records SET sequence = 100000 WHERE sequence = 9").await;
    let report = swept(&store).await;
    let lost = |finding: &services_reconciliation::sweep::Finding| finding.key == "9";
    assert!(report.findings.iter().any(lost), "{:?}", report.findings);
    tamper(store.pool(), "UPDATE ledger.records SET sequence = 9 WHERE sequence = 100000").await;
    let report = swept(&store).await;
    assert!(report.ties_out, "{:?}", report.findings);
}

#[tokio::test]
async fn one_changed_value_in_any_other_table_is_found() {
    let postgres = Postgres::shared().unwrap();
    let store = world(&postgres).await;
    without_checks(store.pool()).await;
    let select = "SELECT c.table_name::text, c.column_name::text, c.data_type::text
        FROM information_schema.columns c
        WHERE c.table_schema = 'ledger' AND c.table_name IN ('entries', 'currencies', 'participants',
            'accounts', 'balances', 'transfers', 'postings')
        ORDER BY 1, 2";
    let columns: Vec<(String, String, String)> =
        sqlx::query_as(select).fetch_all(store.pool()).await.unwrap();
    assert!(columns.len() > 55, "{} columns", columns.len());
    for (table, column, sort) in &columns {
        let (change, back) = match sort.as_str() {
            "bytea" => {
                let flip = format!("set_byte({column}, 0, get_byte({column}, 0) # 1)");
                (flip.clone(), flip)
            }
            "boolean" => (format!("NOT {column}"), format!("NOT {column}")),
            // Somewhere else in the alphabet; and back.
            "text" => (format!("'Q' || {column}"), format!("substr({column}, 2)")),
            _ => (format!("{column} + 1"), format!("{column} - 1")),
        };
        // The row stays the same one while its own columns change.
        let row = format!(
            "ctid = (SELECT ctid FROM ledger.{table} ORDER BY xmin::text::bigint DESC, ctid DESC LIMIT 1)"
        );
        found(&store, (table, column), (&change, &back), &row).await;
    }
    for (lose, table) in [
        ("DELETE FROM ledger.transfers WHERE state = 3", "transfers"),
        ("DELETE FROM ledger.postings WHERE leg = 0 AND state = 'released'", "postings"),
        ("DELETE FROM ledger.entries WHERE entry = 4", "entries"),
    ] {
        let store = world(&postgres).await;
        assert!(tamper(store.pool(), lose).await > 0, "{lose}");
        let report = swept(&store).await;
        assert!(report.findings.iter().any(|row| row.table == table), "{lose}: {report:?}");
    }
    let store = world(&postgres).await;
    tamper(
        store.pool(),
        "INSERT INTO ledger.transfers SELECT 99, uetr, creditor_agent, corridor, state, rejection, reason,
             amount, currency, returned, deadline_micros, held_until_micros, 900000, submitted_micros,
             900000, decided_micros, 0, 0, '' FROM ledger.transfers WHERE state = 2 LIMIT 1",
    )
    .await;
    let report = swept(&store).await;
    let invented = report.findings.iter().find(|row| row.what == "follows from no record");
    assert!(invented.is_some_and(|row| row.key.starts_with("99 ")), "{report:?}");
}

#[tokio::test]
async fn cursor_and_recalls_are_compared_too() {
    let postgres = Postgres::shared().unwrap();
    let store = world(&postgres).await;
    let flip = "set_byte(network, 3, get_byte(network, 3) # 4)";
    found(&store, ("cursor", "network"), (flip, flip), "TRUE").await;
    let flip = "set_byte(frontier, 20, get_byte(frontier, 20) # 4)";
    found(&store, ("cursor", "frontier"), (flip, flip), "TRUE").await;
    tamper(
        store.pool(),
        "INSERT INTO ledger.recalls (debtor_agent, recall_case, uetr, creditor_agent, reason, amount,
             currency, sequence, recalled_micros, answer_by_micros)
         SELECT debtor_agent, uetr, uetr, creditor_agent, 'DUPL', 1, 'HKD', 3, 1, 1
         FROM ledger.transfers LIMIT 1",
    )
    .await;
    let report = swept(&store).await;
    assert!(report.findings.iter().any(|row| row.table == "recalls"), "{report:?}");
}
