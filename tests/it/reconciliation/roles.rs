//! What each role of the database may do, and that a participant's reaches no row of another, by any table or view.
use services_reconciliation::Store;
use sqlx::{PgPool, postgres::PgConnectOptions};
use tests::postgres::Postgres;

use super::{CREDITOR_AGENT, DEBTOR_AGENT, World, filled, live, records, set_up};

/// Relations with rows of somebody: which of them are of neither of two participants.
const OTHERS: [(&str, &str); 6] = [
    ("ledger.transfers", "debtor_agent <> $1 AND creditor_agent <> $1"),
    ("ledger.accounts", "owner <> $1"),
    ("ledger.balances", "account NOT IN (SELECT account FROM ledger.accounts WHERE owner = $1)"),
    (
        "ledger.postings",
        "debit_account NOT IN (SELECT account FROM ledger.accounts WHERE owner = $1)
         AND credit_account NOT IN (SELECT account FROM ledger.accounts WHERE owner = $1)",
    ),
    ("report.transfers", "debtor_agent <> $1 AND creditor_agent <> $1"),
    ("report.balances", "owner <> $1"),
];

struct Database {
    store: Store,
    url: String,
}

impl Database {
    async fn new(postgres: &Postgres) -> Self {
        let mut world = World::found();
        set_up(&mut world);
        live(&mut world);
        let url = postgres.database().await.unwrap();
        let store = filled(&url, &records(&world), 50).await;
        Self { store, url }
    }

    /// A login role of its own in a group; roles are the server's, so its name is the database's too.
    async fn login(&self, group: &str, name: &str) -> (PgPool, String) {
        let may = if group == "causeway_ledger_writer" { "BYPASSRLS" } else { "" };
        let (_, database) = self.url.rsplit_once('/').unwrap();
        let role = format!("{name}_{database}");
        let create = format!("CREATE ROLE {role} LOGIN {may} IN ROLE {group}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(self.store.pool()).await.unwrap();
        let options: PgConnectOptions = self.url.parse().unwrap();
        (PgPool::connect_with(options.username(&role)).await.unwrap(), role)
    }

    async fn member(&self, participant: u32, name: &str) -> PgPool {
        let (pool, role) = self.login("causeway_participant", name).await;
        sqlx::query("INSERT INTO ledger.database_users VALUES ($1::name, $2)")
            .bind(role)
            .bind(i64::from(participant))
            .execute(self.store.pool())
            .await
            .unwrap();
        pool
    }
}

async fn count(pool: &PgPool, relation: &str, of: &str, participant: u32) -> i64 {
    let select = format!("SELECT count(*) FROM {relation} WHERE {of}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(select))
        .bind(i64::from(participant))
        .fetch_one(pool)
        .await
        .unwrap_or_else(|error| panic!("{relation}: {error}"))
}

async fn refused(pool: &PgPool, statement: &str) {
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(pool).await;
    let error = done.err().unwrap_or_else(|| panic!("{statement} was not refused"));
    let code =
        error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
}

#[tokio::test]
async fn a_participant_reaches_no_row_of_another() {
    let postgres = Postgres::shared().unwrap();
    let database = Database::new(&postgres).await;
    let debtor = database.member(DEBTOR_AGENT.0, "debtor").await;
    let creditor = database.member(CREDITOR_AGENT.0, "creditor").await;
    let stranger = database.member(4_000, "stranger").await;
    let (nobody, _) = database.login("causeway_participant", "nobody").await;
    let whole = "$1::bigint IS NOT NULL";
    for (relation, others) in OTHERS {
        for (pool, me) in [(&debtor, DEBTOR_AGENT.0), (&creditor, CREDITOR_AGENT.0)] {
            assert_eq!(count(pool, relation, others, me).await, 0, "{relation}");
            let own = format!("NOT ({others})");
            let all = count(database.store.pool(), relation, &own, me).await;
            assert!(all > 0, "{relation}: the participant has rows");
            assert_eq!(count(pool, relation, whole, me).await, all, "{relation}");
        }
        for pool in [&stranger, &nobody] {
            assert_eq!(count(pool, relation, whole, 1).await, 0, "{relation}");
        }
    }
    for relation in ["report.corridor_days", "report.fees"] {
        assert_eq!(count(&stranger, relation, whole, 1).await, 0, "{relation}");
    }
    assert!(count(&debtor, "report.corridor_days", whole, 1).await > 0);
    for pool in [&debtor, &stranger] {
        for statement in [
            "SELECT * FROM ledger.records",
            "SELECT * FROM ledger.entries",
            "SELECT * FROM ledger.cursor",
            "SELECT * FROM ledger.database_users",
            "INSERT INTO ledger.database_users VALUES (session_user, 10)",
            "UPDATE ledger.transfers SET reason = 'NARR'",
            "DELETE FROM ledger.postings",
            "CREATE TABLE ledger.mine (x INT)",
            "ALTER TABLE ledger.transfers DISABLE ROW LEVEL SECURITY",
            "SET SESSION AUTHORIZATION causeway",
        ] {
            refused(pool, statement).await;
        }
    }
    // Settings of a session say nothing about who it is.
    let set = "SET causeway.participant = '10'";
    sqlx::raw_sql(set).execute(&stranger).await.unwrap();
    assert_eq!(count(&stranger, "ledger.transfers", whole, 1).await, 0);
}

#[tokio::test]
async fn readers_read_and_writers_move_rows_only_forward() {
    let postgres = Postgres::shared().unwrap();
    let database = Database::new(&postgres).await;
    let (reader, _) = database.login("causeway_reader", "reader").await;
    for relation in
        ["report.transfers", "report.corridor_days", "report.balances", "ledger.postings"]
    {
        let seen = count(&reader, relation, "$1::bigint IS NOT NULL", 1).await;
        assert!(seen > 0, "{relation}");
    }
    let amount: String =
        sqlx::query_scalar("SELECT amount::text FROM report.transfers WHERE state = 'credited'")
            .fetch_one(&reader)
            .await
            .unwrap();
    assert_eq!(amount, "10.00");
    for statement in [
        "SELECT * FROM ledger.records",
        "UPDATE ledger.transfers SET reason = 'NARR'",
        "INSERT INTO ledger.entries VALUES (99, 1, 1, 1, '')",
        "DELETE FROM ledger.balances",
        "TRUNCATE ledger.postings",
    ] {
        refused(&reader, statement).await;
    }
    let (writer, role) = database.login("causeway_ledger_writer", "writer").await;
    for statement in [
        "DELETE FROM ledger.records",
        "TRUNCATE ledger.transfers",
        "UPDATE ledger.records SET kind = 1",
        "UPDATE ledger.transfers SET amount = 1",
        "UPDATE ledger.postings SET amount = 1",
        "DROP TABLE ledger.postings",
        "ALTER TABLE ledger.records DISABLE TRIGGER ALL",
    ] {
        refused(&writer, statement).await;
    }
    // It writes as the service does: the next records of the same ledger.
    let (base, _) = database.url.split_once("//").unwrap();
    let (_, rest) = database.url.split_once('@').unwrap();
    let writing = Store::new(&format!("{base}//{role}@{rest}")).unwrap();
    writing.migrate().await.unwrap();
    let cursor = writing.claim(None).await.unwrap();
    let mut world = World::found();
    set_up(&mut world);
    live(&mut world);
    let written = usize::try_from(cursor.next_sequence).unwrap();
    world.now = world.now.plus_micros(120_000_000);
    world.apply(&[]);
    let records = records(&world);
    assert!(records.len() > written);
    let next = writing.write(&cursor, &records[written..]).await.unwrap();
    assert_eq!(next.frontier.root(), world.root());
}

#[tokio::test]
async fn wrong_rows_are_refused_whoever_writes_them() {
    let postgres = Postgres::shared().unwrap();
    let database = Database::new(&postgres).await;
    for (statement, why) in [
        ("UPDATE ledger.entries SET at_micros = 1", "refused"),
        ("DELETE FROM ledger.entries", "refused"),
        ("DELETE FROM ledger.transfers", "refused"),
        ("TRUNCATE ledger.postings", "refused"),
        ("DELETE FROM ledger.accounts", "refused"),
        ("UPDATE ledger.transfers SET amount = 5 WHERE state = 2", "refused"),
        ("UPDATE ledger.transfers SET state = 2 WHERE state = 4", "refused"),
        (
            "UPDATE ledger.transfers SET decided_sequence = decided_sequence + 1 WHERE state = 2",
            "refused",
        ),
        ("UPDATE ledger.postings SET amount = 5", "refused"),
        ("UPDATE ledger.postings SET state = 'released' WHERE state = 'posted'", "refused"),
        ("UPDATE ledger.transfers SET state = 2 WHERE state = 1", "transfers_decided"),
        ("UPDATE ledger.transfers SET state = 3 WHERE state = 2", "transfers_confirmed"),
        ("UPDATE ledger.transfers SET returned = amount + 1 WHERE state = 2", "transfers_returned"),
        (
            "UPDATE ledger.transfers SET state = 2, decided_sequence = 999999, decided_micros = 1 WHERE state = 1",
            "names record 999999",
        ),
        ("UPDATE ledger.postings SET state = 'posted' WHERE state = 'pending'", "postings_decided"),
        (
            "INSERT INTO ledger.postings VALUES (3, 7, 3, 1, '', 4, 1, 1001, 'PHP', 5, 'posted', 3)",
            "account",
        ),
        (
            "INSERT INTO ledger.postings VALUES (3, 7, 3, 1, '', 4, 1, 77, 'HKD', 5, 'posted', 3)",
            "account",
        ),
        (
            "INSERT INTO ledger.postings VALUES (3, 7, 3, 1, '', 4, 1, 1, 'HKD', 5, 'posted', 3)",
            "postings_accounts",
        ),
        (
            "INSERT INTO ledger.postings VALUES (9999, 0, 3, 1, '', 4, 1, 1001, 'HKD', 5, 'posted', 9999)",
            "names record",
        ),
        (
            "INSERT INTO ledger.accounts VALUES (88, 10, 'XXX', FALSE, FALSE, 0)",
            "accounts_currency",
        ),
        ("UPDATE ledger.balances SET debits_posted = -1", "balances_debits_posted"),
        (
            "INSERT INTO ledger.records (sequence, kind, at_micros, salts) VALUES (-1, 1, 1, '')",
            "records_sequence",
        ),
    ] {
        let done = sqlx::raw_sql(statement).execute(database.store.pool()).await;
        let error = done.err().unwrap_or_else(|| panic!("{statement} was not refused"));
        assert!(error.to_string().contains(why), "{statement}: {error}");
    }
}
