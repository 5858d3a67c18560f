//! How long a day takes from the ledger's rows and the custodian's files to its breaks, on the database of
//! CAUSEWAY_TEST_DATABASE_URL, which must be empty. Every planted fault is found with its cause and nothing else, or it ends.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench says what it saw, and ends where it cannot"
)]
use std::process::ExitCode;

#[path = "day/world.rs"]
mod world;

/// Transfers and planted faults, unless TRANSFERS and FAULTS say otherwise.
const TRANSFERS: u64 = 1_000_000;
const FAULTS: u64 = 1_000;

#[tokio::main]
async fn main() -> ExitCode {
    let Ok(url) = std::env::var("CAUSEWAY_TEST_DATABASE_URL") else {
        println!("CAUSEWAY_TEST_DATABASE_URL names no database: nothing is measured");
        return ExitCode::SUCCESS;
    };
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let mut migrator = sqlx::migrate!("../../migrations/ledger");
    migrator.create_schema("ledger");
    migrator.dangerous_set_table_name("ledger._migrations");
    migrator.run(&pool).await.unwrap();
    let (transfers, faults) = (number("TRANSFERS", TRANSFERS), number("FAULTS", FAULTS));
    let day = world::Day::begun(&url, transfers, faults, 1).await;
    for said in day.judged().await {
        println!("{said}");
    }
    ExitCode::SUCCESS
}
