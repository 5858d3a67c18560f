//! A few of each fault on real clusters; `make chaos` has the whole.
use tests::chaos::{Family, Options, Report, possible, run};

/// One cluster under faults at a time: its clocks are the machine's.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn clean(family: Family, runs: u64) -> Report {
    let _turn = TURN.lock().await;
    services_runtime::tls::install_default_provider();
    let report =
        run(family, &Options { runs, seed: 5, planted: None, progress: |_| {} }).await.unwrap();
    assert_eq!(report.violations, [""; 0], "{report:?}");
    assert!(report.acknowledged > 0 && report.records > 0, "{report:?}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_kill() {
    clean(Family::Kill, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_pause() {
    clean(Family::Pause, 3).await;
}

/// The same where the machine has what it takes.
async fn clean_if_possible(family: Family, runs: u64) {
    match possible(family) {
        Ok(()) => drop(clean(family, runs).await),
        Err(why) => tests::skipped(&format!("{family:?}: {why:#}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_power() {
    clean_if_possible(Family::Power, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_partition() {
    clean_if_possible(Family::Partition, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_weather() {
    clean_if_possible(Family::Weather, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_storage() {
    clean_if_possible(Family::Storage, 14).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_clock() {
    clean_if_possible(Family::Clock, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_corrupt() {
    let report = clean(Family::Corrupt, 25).await;
    assert!(report.refused > 0, "no damage was noticed: {report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_crash() {
    clean(Family::Crash, 26).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_members() {
    let report = clean(Family::Members, 5).await;
    assert_eq!(report.refused, 1, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_reconciler() {
    clean(Family::Reconciler, 10).await;
}

/// The harness itself: a cursor that moves outside its transaction must be found.
#[tokio::test(flavor = "multi_thread")]
async fn faults_find_a_cursor_outside_its_transaction() {
    let _turn = TURN.lock().await;
    services_runtime::tls::install_default_provider();
    let options = Options { runs: 20, seed: 5, planted: Some("cursor-outside"), progress: |_| {} };
    let report = run(Family::Reconciler, &options).await.unwrap();
    assert!(!report.violations.is_empty(), "{report:?}");
    std::fs::remove_dir_all(&report.kept).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_upgrade() {
    let report = clean(Family::Upgrade, 12).await;
    assert_eq!(report.refused, 2, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_follower() {
    clean(Family::Follower, 3).await;
}
