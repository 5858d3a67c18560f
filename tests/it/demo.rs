//! The demonstration as a script runs it: its last line and what that line promises.
use std::process::Command;

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
    for (currency, sum) in figures["conservation"].as_object().unwrap() {
        assert_eq!(sum, "0", "{currency}");
    }
}
