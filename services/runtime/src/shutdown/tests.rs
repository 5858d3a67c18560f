//! Tests that a failing or panicking task ends the process and a finished one doesn't.

use std::io;
use std::time::Duration;

use super::{Outcome, Shutdown};

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_error_ends_the_process() {
    let shutdown = Shutdown::new();
    shutdown.spawn("broken", async { Err(io::Error::other("disk gone")) });
    assert_eq!(shutdown.wait(GRACE).await, Outcome::Failed);
}

#[tokio::test]
async fn a_panic_ends_the_process() {
    let shutdown = Shutdown::new();
    shutdown.spawn("panicking", async {
        assert!(shutdown_is_impossible(), "bug");
        Ok::<_, io::Error>(())
    });
    assert_eq!(shutdown.wait(GRACE).await, Outcome::Failed);
}

fn shutdown_is_impossible() -> bool {
    std::hint::black_box(false)
}

#[tokio::test]
async fn a_cancelled_process_ends_clean_and_a_stuck_task_is_overdue() {
    let shutdown = Shutdown::new();
    shutdown.spawn("done", async { Ok::<_, io::Error>(()) });
    assert!(!shutdown.token().is_cancelled());
    shutdown.cancel();
    assert_eq!(shutdown.wait(GRACE).await, Outcome::Clean);

    let shutdown = Shutdown::new();
    shutdown.spawn("stuck", std::future::pending::<io::Result<()>>());
    shutdown.cancel();
    assert_eq!(shutdown.wait(Duration::ZERO).await, Outcome::Overdue);
}
