//! A generated day through the office's own tables: every planted fault is found with its cause, and nothing else. docs/matching.md has
//! the command for a whole million.
use services_cli::demo::postgres::Postgres;
use tests::say;

#[path = "../../../services/office/benches/day/world.rs"]
mod world;

#[tokio::test(flavor = "multi_thread")]
async fn planted_faults_of_a_day_of_20_000_transfers_are_found_and_nothing_else() {
    let postgres = Postgres::shared().unwrap();
    let url = postgres.database().await.unwrap();
    services_reconciliation::Store::new(&url).unwrap().migrate().await.unwrap();
    let said = world::Day::begun(&url, 20_000, 200, 7).await.judged().await;
    said.iter().for_each(|line| say(line));
}
