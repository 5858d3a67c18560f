//! A few of each fault on real clusters; `make chaos` has the whole.
use tests::chaos::{Family, Options, Report, power_possible, run};

/// One cluster under faults at a time: its clocks are the machine's.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn clean(family: Family, runs: u64) -> Report {
    let _turn = TURN.lock().await;
    services_runtime::tls::install_default_provider();
    let report = run(family, &Options { runs, seed: 5, progress: |_| {} }).await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn faults_power() {
    if let Err(why) = power_possible() {
        return tests::skipped(&format!("power cuts need root, loop devices and XFS: {why:#}"));
    }
    clean(Family::Power, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_corrupt() {
    let report = clean(Family::Corrupt, 25).await;
    assert!(report.refused > 0, "no damage was noticed: {report:?}");
}
