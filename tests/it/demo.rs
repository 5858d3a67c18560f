//! The demonstration as a script runs it: its last line and what that line promises, the back office's day too.
use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use services_cli::demo::processes::binary;

#[test]
fn demo_once_keeps_its_promises() {
    let output = Command::new(binary().unwrap())
        .args(["demo", "--once", "--json", "--transfers", "40"])
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let figures: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    let count = |name: &str| figures[name].as_u64().unwrap();
    let ends = ["settled", "rejected", "expired", "cancelled"].map(count);
    assert_eq!(ends.iter().sum::<u64>(), 40, "{figures:#}");
    for name in ["expired", "cancelled", "screened_out", "returned"] {
        assert!(count(name) >= 2, "{name}: {figures:#}");
    }
    assert_eq!((count("lost"), count("duplicates")), (0, 0), "{figures:#}");
    assert_eq!(count("ledger_records"), count("reconciled_records"), "{figures:#}");
    assert!(figures["roots_equal"] == true && figures["leader_killed"] == true, "{figures:#}");
    let office = &figures["office"];
    let planted = serde_json::json!({
        "AMOUNT_DIFFERS": 1, "DUPLICATED": 1, "MISSING_IN_LEDGER": 1, "MISSING_IN_STATEMENT": 1,
    });
    for currency in ["HKD", "PHP"] {
        assert_eq!(office["planted"][currency], planted, "{office:#}");
        assert_eq!(office["found"][currency], planted, "{office:#}");
    }
    let (closed, open) = (&office["closed"], &office["open"]);
    assert_eq!(
        (&closed["currency"], &closed["day"]),
        (&"HKD".into(), &office["day"]),
        "{office:#}"
    );
    let documents = closed["documents"].as_array().unwrap();
    for name in ["camt.053-101-101344-1.xml", "camt.054-101-101344-1.xml", "pacs.009-surplus.xml"] {
        assert!(documents.contains(&name.into()), "{documents:?}");
    }
    let open = (&open["currency"], &open["code"], &open["breaks"]);
    assert_eq!(open, (&"PHP".into(), &"BALANCE_MISMATCH".into(), &4.into()), "{office:#}");
    for words in ["HKD: closed up to record", "PHP: open: BALANCE_MISMATCH", "DUPLICATED, PHP"] {
        assert!(said.contains(words), "{words} is missing: {said}");
    }
    for (currency, sum) in figures["conservation"].as_object().unwrap() {
        assert_eq!(sum, "0", "{currency}");
    }
}

#[test]
fn a_bench_that_is_told_to_end_leaves_nothing_behind() {
    // The private Postgres gives its folder to another user.
    let scratch = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let mut bench = Command::new(binary().unwrap())
        .args(["bench", "--workload", "remittances", "--rate", "1", "--seconds", "600"])
        .env("TMPDIR", scratch.path())
        .env_remove("CAUSEWAY_TEST_DATABASE_URL")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    // Postgres, and the nodes of a network.
    let runs = || processes_of(scratch.path()) >= 4;
    while !runs() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let started = (runs(), folders(scratch.path()));
    // Judged only when it is ended: a test that fails leaves nothing either.
    kill(Pid::from_raw(i32::try_from(bench.id()).unwrap()), Signal::SIGTERM).unwrap();
    let ended = bench.wait().unwrap();
    assert_eq!(started, (true, 2), "Postgres and a network");
    assert_eq!(ended.code(), Some(1), "it was not done");
    assert_eq!((folders(scratch.path()), processes_of(scratch.path())), (0, 0));
}

/// Folders of servers that were started.
fn folders(scratch: &std::path::Path) -> usize {
    fs::read_dir(scratch).unwrap().count()
}

/// Processes whose command names something in the folder.
fn processes_of(scratch: &std::path::Path) -> usize {
    let folder = scratch.to_str().unwrap();
    let commands = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("cmdline")).ok());
    commands.filter(|command| command.contains(folder)).count()
}
