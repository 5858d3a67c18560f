//! A running network's tables against its own nodes: the very record and column are named, by the command and by the service itself.
use std::{process::Command, time::Duration};

use serde_json::{Value, json};
use services_cli::{
    demo::{
        network::Running,
        postgres::Postgres,
        processes::{Service, binary},
    },
    ports,
};
use services_reconciliation::Store;
use sqlx::{Connection, PgConnection, PgPool};

use crate::office::network::transfer;

const PATIENCE: Duration = Duration::from_secs(40);

/// Runs a command of reconciliation; gives its exit status and its JSON.
fn causeway(running: &Running, words: &[&str]) -> (Option<i32>, Value) {
    let config = running.folder.path.join("reconciliation/reconciliation.toml");
    let mut command = Command::new(binary().unwrap());
    command.args(["--json", "reconciliation"]).args(words).arg("--config").arg(config);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = text.lines().last().unwrap_or_else(|| panic!("{words:?} said nothing: {said}"));
    (output.status.code(), serde_json::from_str(last).unwrap())
}

/// The settings of the network's reconciliation.
fn settings(running: &Running) -> toml::Table {
    let config = running.folder.path.join("reconciliation/reconciliation.toml");
    std::fs::read_to_string(config).unwrap().parse().unwrap()
}

/// Waits until reconciliation's own sweep says so on its health page.
async fn health(running: &Running, holds: bool, detail: &str) {
    let listen = settings(running)["health_listen"].as_str().unwrap().to_owned();
    condition(&listen, "sweep", holds, detail).await;
}

/// Waits until a condition is said so on a health page; gives all of them.
async fn condition(listen: &str, name: &str, holds: bool, detail: &str) -> Vec<Value> {
    let page = format!("http://{listen}/readyz");
    let client = services_runtime::tls::http_builder().build().unwrap();
    let mut last = Value::Null;
    let waited = async {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        loop {
            looks.tick().await;
            let Ok(answer) = client.get(&page).send().await else { continue };
            last = answer.json().await.unwrap_or_default();
            let checks = last["checks"].as_array().cloned().unwrap_or_default();
            let found = checks.iter().find(|check| check["name"] == name);
            if found.is_some_and(|check| {
                check["holds"] == holds && check["detail"].as_str().unwrap_or("").contains(detail)
            }) {
                return checks;
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waited).await;
    waited.unwrap_or_else(|_| panic!("{name} is {holds} {detail:?}: {last}"))
}

async fn tamper(pool: &PgPool, table: &str, set: &str, row: &str) {
    let statement = format!(
        "ALTER TABLE ledger.{table} DISABLE TRIGGER USER;
         UPDATE ledger.{table} SET {set} WHERE {row};
         ALTER TABLE ledger.{table} ENABLE TRIGGER USER"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_network_ties_out_and_names_what_was_changed() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let mut running = Running::start(Some(url), |_| Ok(())).await.unwrap();
    transfer(&running).await;
    let (status, report) = causeway(&running, &["sweep"]);
    assert_eq!((status, &report["ties_out"]), (Some(0), &json!(true)), "{report}");
    assert_eq!(report["nodes"], json!([1, 2, 3]), "{report}");
    health(&running, true, "records").await;

    let flip = "debtor = set_byte(debtor, 5, get_byte(debtor, 5) # 1)";
    let row: i64 =
        sqlx::query_scalar("SELECT max(sequence) FROM ledger.records WHERE length(debtor) > 5")
            .fetch_one(&pool)
            .await
            .unwrap();
    let of = format!("sequence = {row}");
    tamper(&pool, "records", flip, &of).await;
    let (status, report) = causeway(&running, &["sweep"]);
    assert_eq!(status, Some(1), "{report}");
    let findings = report["findings"].as_array().unwrap();
    let named = |finding: &Value| {
        finding["key"] == row.to_string().as_str() && finding["column"] == "debtor"
    };
    assert!(findings.iter().any(named), "{report}");
    health(&running, false, "differ").await;
    let (status, plan) = causeway(&running, &["rebuild"]);
    assert_eq!((status, &plan["done"]), (Some(0), &json!(false)), "{plan}");
    tamper(&pool, "records", flip, &of).await;
    health(&running, true, "records").await;

    tamper(&pool, "balances", "credits_posted = credits_posted + 1", "TRUE").await;
    health(&running, false, "balances").await;
    let (status, done) = causeway(&running, &["rebuild", "--yes"]);
    assert_eq!((status, &done["done"]), (Some(0), &json!(true)), "{done}");
    let differ: Vec<&Value> = done["tables"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["sha256_before"] != row["sha256_after"])
        .map(|row| &row["table"])
        .collect();
    assert_eq!(differ, [&json!("balances")], "{done}");
    let (status, report) = causeway(&running, &["sweep"]);
    assert_eq!((status, &report["ties_out"]), (Some(0), &json!(true)), "{report}");
    running.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_starts_far_behind_says_so_and_sweeps_later() {
    let postgres = Postgres::shared().unwrap();
    let mut running =
        Running::start(Some(postgres.database().await.unwrap()), |_| Ok(())).await.unwrap();
    transfer(&running).await;

    // A second reconciliation, with tables of its own, which somebody keeps it from writing.
    let url = postgres.database().await.unwrap();
    Store::new(&url).unwrap().migrate().await.unwrap();
    let mut holder = PgConnection::connect(&url).await.unwrap();
    let held = "BEGIN; LOCK TABLE ledger.records IN EXCLUSIVE MODE";
    sqlx::raw_sql(held).execute(&mut holder).await.unwrap();
    let listen = format!("127.0.0.1:{}", ports::free().unwrap());
    let mut settings = settings(&running);
    settings.insert("database_url".to_owned(), url.into());
    settings.insert("health_listen".to_owned(), listen.clone().into());
    settings.insert("lag_records_max".to_owned(), 5.into());
    settings.insert("batch_records_max".to_owned(), 5.into());
    let folder = running.folder.path.join("reconciliation");
    let config = folder.join("behind.toml");
    std::fs::write(&config, toml::to_string(&settings).unwrap()).unwrap();
    let mut behind = Service::start("reconciliation", "behind", &config, &folder).unwrap();
    let checks = condition(&listen, "lag", false, " records").await;
    let swept = checks.iter().find(|check| check["name"] == "sweep").unwrap();
    assert_eq!(swept["detail"], "not swept yet");

    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    condition(&listen, "lag", true, "0 records").await;
    condition(&listen, "sweep", true, " records").await;
    behind.kill().unwrap();
    running.stop();
}
