//! `make rates` against local copies of what it fetches: its files are those that a quoting service reads.
use std::{fs, path::Path, process::Command};

use services_fx::rates::RateTable;

const HMRC: &str =
    "Country/Territories,Currency,Currency Code,Currency Units per £1,Start Date,End Date
Eurozone,Euro,EUR,1.15,01/11/2026,30/11/2026
Pakistan,Rupee,\"PKR\",\"368\",01/11/2026,30/11/2026
";

#[test]
fn fetched_rates_are_readable_by_a_quoting_service() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let ecb = root.join("../shared/data/fx/eurofxref-hist.zip");
    let Ok(ecb) = ecb.canonicalize() else {
        tests::skipped("the European Central Bank's history is not beside the project");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let hmrc = folder.path().join("hmrc.csv");
    fs::write(&hmrc, HMRC).unwrap();
    let run = |hmrc: &Path| {
        let mut command = Command::new(root.join("deploy/rates.sh"));
        command.arg(folder.path().join("rates"));
        command.env("ECB_URL", format!("file://{}", ecb.display()));
        command.env("HMRC_URL", format!("file://{}", hmrc.display()));
        command.output().unwrap()
    };
    let done = run(&hmrc);
    assert!(done.status.success(), "{done:?}");
    let files = ["eurofxref.csv", "pkr.csv"].map(|name| folder.path().join("rates").join(name));
    let table = RateTable::read(&files).unwrap();
    for (from, to) in [("HKD", "PHP"), ("MYR", "USD"), ("USD", "PKR")] {
        assert!(table.mid(from.parse().unwrap(), to.parse().unwrap()).is_some(), "{from} {to}");
    }
    let rupee = table.mid("EUR".parse().unwrap(), "PKR".parse().unwrap()).unwrap();
    assert_eq!(rupee.rate.to_string(), "320.0000");
    let missing = run(&folder.path().join("absent.csv"));
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
}
