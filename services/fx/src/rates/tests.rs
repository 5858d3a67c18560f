//! The shapes of rate files that exist, and the real history when it lies beside the project.
use std::{path::Path, process::Command};

use ledger_types::Currency;
use rust_decimal::Decimal;
use time::macros::datetime;

use super::RateTable;

const HISTORY: &str = "Date,USD,JPY,CYP,RUB,HKD,PHP,\n\
    2026-10-30,1.1172,175.68,N/A,N/A,8.7652,71.143,\n\
    2026-10-29,1.113,175.92,N/A,N/A,8.733,71.052,\n";
const DAILY: &str =
    "Date, USD, JPY, HKD, PHP, \n30 October 2026, 1.1172, 175.68, 8.7652, 71.143, \n";
const EXTRA: &str = "currency,units_per_eur,date\nPKR,316.20,2026-10-28\n";

fn currency(code: &str) -> Currency {
    code.parse().expect("valid")
}

fn micros(at: time::OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000).expect("valid")
}

#[test]
fn the_newest_day_of_each_shape_is_read_and_crossed() {
    for text in [HISTORY, DAILY] {
        let mut table = RateTable::default();
        table.add(text).expect("valid");
        table.add(EXTRA).expect("valid");
        let day = micros(datetime!(2026-10-30 0:00 UTC));
        for (source, destination, rate, at) in [
            ("EUR", "HKD", "8.7652", day),
            ("HKD", "PHP", "8.1165290010496052571532879569", day),
            (
                "USD",
                "PKR",
                "283.02900107411385606874328679",
                micros(datetime!(2026-10-28 0:00 UTC)),
            ),
        ] {
            let mid = table.mid(currency(source), currency(destination)).expect("valid");
            let expected: Decimal = rate.parse().expect("valid");
            assert_eq!(mid.rate.round_dp(20), expected.round_dp(20), "{source}/{destination}");
            assert_eq!(mid.at.micros(), at, "{source}/{destination}");
        }
        assert_eq!(table.mid(currency("USD"), currency("RUB")), None);
        assert_eq!(table.mid(currency("EUR"), currency("EUR")), None);
    }
}

#[test]
fn bad_files_are_named() {
    for (text, message) in [
        ("when,USD\n", "header \"when\" must begin with Date or currency"),
        ("Date,USD\nyesterday,1.1\n", "date \"yesterday\" must be a day such as 2026-10-30"),
        ("Date,USD\n2026-10-30,-1\n", "USD \"-1\" must be a positive decimal or N/A"),
        ("Date,USD\n2026-10-30,0\n", "USD \"0\" must be a positive decimal or N/A"),
        ("currency,units_per_eur,date\nPK,3,2026-10-30\n", "currency \"PK\" must be a code"),
    ] {
        let error = RateTable::default().add(text).expect_err("refused").to_string();
        assert!(error.contains(message), "{error}");
    }
}

/// Unlike what a passing test prints, this is not kept from people.
fn skipped(why: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), format!("skipped: {why}\n").as_bytes())
        .expect("standard error takes a line");
}

#[test]
fn the_real_history_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let archive = root.join("shared/data/fx/eurofxref-hist.zip");
    if !archive.exists() {
        skipped("no shared/data/fx beside the project");
        return;
    }
    let Ok(unzipped) = Command::new("unzip").arg("-p").arg(&archive).output() else {
        skipped("unzip is not installed");
        return;
    };
    let text = String::from_utf8(unzipped.stdout).expect("valid");
    let mut table = RateTable::default();
    table.add(&text).expect("valid");
    assert!(table.len() >= 30, "{}", table.len());
    let mid = table.mid(currency("HKD"), currency("PHP")).expect("valid");
    assert_eq!(mid.at.micros(), micros(datetime!(2026-10-30 0:00 UTC)));
    assert_eq!(mid.rate.round_dp(6).to_string(), "8.116529");
}
