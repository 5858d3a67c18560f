//! What needs no database: calendars, decimals, what a day carries over, batches.

use serde_json::json;
use services_matching::Cause;
use time::macros::{date, datetime};
use uuid::Uuid;

use crate::{
    Rules,
    breaks::stands_alone,
    calendar::Calendars,
    day::{Account, Books, Carried, Leg, Move, Sum, decimal, units},
    documents::{documents, names},
    error::DayRefusal,
    outcome::{self, Context, Part, State, Stored},
};

#[test]
fn decimals_are_exact() {
    let rows = [
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (12_345, 2, "123.45"),
        (7, 0, "7"),
        (1, 4, "0.0001"),
    ];
    for (units, exponent, text) in rows {
        assert_eq!(decimal(units, exponent), text);
    }
    assert_eq!(decimal(i128::MIN, 2).len(), 41);
    let read = |text, exponent| units(text, exponent);
    assert!(rows.iter().all(|(own, exponent, text)| read(text, *exponent) == Some(*own)));
    let wrong = [("1", 2), ("1.5", 2), ("1.500", 2), ("1.", 0), ("", 0), ("x.00", 2), ("1.-5", 2)];
    assert_eq!(wrong.map(|(text, exponent)| read(text, exponent)), [None; 7]);
}

#[test]
fn a_report_says_what_the_next_day_opens_with() {
    let account = |closing, reserved| Account { closing, reserved, ..Account::default() };
    let books = Books {
        currency: "HKD".to_owned(),
        exponent: 2,
        accounts: [(7, account(-1_250, 0)), (u64::MAX, account(1_250, 40))].into(),
        pending: 3,
        ..Books::default()
    };
    let report = books.report(&Rules::default());
    let carried = Carried::of(&report, 2).unwrap();
    assert_eq!(carried.accounts, [(7, (-1_250, 0)), (u64::MAX, (1_250, 40))].into());
    assert_eq!(carried.pending, 3);
    assert_eq!(Carried::of(&report, 3), None, "decimals of another currency");
    assert_eq!(Carried::of(&json!({ "balances": [] }), 2), None);
}

#[test]
fn documents_are_called_as_was_said_before_they_were_written() {
    let account = |owner, custody| Account { owner, custody, ..Account::default() };
    let leg = |record| Leg {
        record,
        leg: 0,
        kind: 1,
        debit_account: 101_344,
        credit_account: 102_344,
        amount: 5,
        uetr: Some(Uuid::from_u128(0x4000_8000_0000_0000_0007)),
        at: datetime!(2026-11-24 03:00 UTC),
    };
    let legs: Vec<Leg> = (0..801).map(leg).collect();
    let sum =
        Sum { kind: 1, debit_account: 101_344, credit_account: 102_344, legs: 801, amount: 4_005 };
    let accounts = [
        (7, account(1, true)),
        (101_344, account(101, false)),
        (102_344, account(102, false)),
        (103_344, account(103, false)),
    ];
    let books = Books {
        currency: "HKD".to_owned(),
        exponent: 2,
        day: Some(date!(2026 - 11 - 24)),
        number: 1,
        custodian: 1,
        accounts: accounts.into(),
        sums: vec![sum],
        ..Books::default()
    };
    let moves = [Move { account: 101_344, owner: 101, amount: 9, out: true }];
    for moves in [&moves[..], &[]] {
        let written = documents(&books, &legs, moves, datetime!(2026-11-24 11:00 UTC)).unwrap();
        let written: Vec<String> = written.into_iter().map(|own| own.name).collect();
        assert_eq!(written, names(&books, moves));
        assert_eq!(written.len(), 2 * 6 + 1 + 2 * moves.len());
    }
}

fn stored(movement: i64, ledger: bool, amount: u64, uetr: u128) -> Stored {
    Stored {
        movement,
        account: 1,
        ledger,
        amount,
        currency: "HKD".to_owned(),
        credit: false,
        value_date: date!(2026 - 11 - 24),
        uetr: (uetr > 0).then(|| Uuid::from_u128(uetr)),
        end_to_end_id: None,
        servicer_reference: None,
        party: None,
        batch: None,
        reversal: false,
        returns: None,
        charges: 0,
        parts: Vec::new(),
        state: State::Open,
        matched: None,
    }
}

#[test]
fn a_batch_that_is_not_the_sum_of_its_details_is_one_break() {
    // Two payments, each with a fee of the same UETR; the batch is of the payments alone.
    let mut book = vec![
        stored(1, true, 1_000, 1),
        stored(2, true, 15, 1),
        stored(3, true, 2_000, 2),
        stored(4, true, 15, 2),
        stored(5, false, 15, 1),
        stored(6, false, 15, 2),
        stored(7, false, 3_001, 0),
    ];
    let part = |uetr, amount| Part { uetr: Uuid::from_u128(uetr), amount };
    book[6].parts = vec![part(1, 1_000), part(2, 2_000)];
    let context = Context { covered: [(1, date!(2026 - 11 - 24))].into(), ..Context::default() };
    let changes = outcome::changes(&book, &[], &context);
    let [own] = changes.opened.as_slice() else { panic!("{changes:?}") };
    assert_eq!((own.cause, own.at_risk), (Cause::BatchSumDiffers, 1));
    assert_eq!(own.movements, [1, 3, 7]);
    let matched: Vec<_> = changes.matches.iter().map(|one| one.movements.clone()).collect();
    assert_eq!(matched, [[2, 5], [4, 6]]);
    // The servicer corrects its sum.
    book[6].amount = 3_000;
    let changes = outcome::changes(&book, &[], &context);
    assert!(changes.opened.is_empty() && changes.matches.len() == 3, "{changes:?}");
}

#[test]
fn days_are_those_of_the_place_where_money_lives() {
    let all = Calendars::load(None).unwrap();
    let hkd = all.get("HKD").unwrap();
    let holiday = |day| hkd.business(day).unwrap_err();
    assert_eq!(holiday(date!(2026 - 10 - 01)), DayRefusal::Holiday("National Day".to_owned()));
    assert_eq!(holiday(date!(2026 - 11 - 22)), DayRefusal::Holiday("Sunday".to_owned()));
    assert_eq!(holiday(date!(2028 - 01 - 04)), DayRefusal::CalendarMissing);
    // Lunar New Year and a weekend lie between.
    assert_eq!(hkd.former(date!(2026 - 02 - 20)), Some(date!(2026 - 02 - 16)));
    assert_eq!(hkd.cut_off(date!(2026 - 11 - 26)), Some(datetime!(2026-11-26 10:30 UTC)));
    let late = datetime!(2026-11-25 20:00 UTC);
    assert_eq!(all.day_of("HKD", late), date!(2026 - 11 - 26));
    assert_eq!(all.day_of("USD", late), date!(2026 - 11 - 25));
    // Daylight saving ends on 1 November 2026 in New York.
    let usd = all.get("USD").unwrap();
    assert_eq!(usd.cut_off(date!(2026 - 10 - 30)), Some(datetime!(2026-10-30 23:00 UTC)));
    assert_eq!(usd.cut_off(date!(2026 - 11 - 02)), Some(datetime!(2026-11-03 00:00 UTC)));
    assert!(!all.cut_off_passed("HKD", date!(2026 - 11 - 26), late));
    assert!(all.cut_off_passed("HKD", date!(2026 - 11 - 25), late));
    assert!(all.get("XAU").is_none());
}

#[test]
fn of_three_books_one_stands_alone() {
    let rows: [(&str, &[&str], Option<&str>); 6] = [
        ("journal", &["matched"], Some("journal")),
        ("participant", &["agreed", "matched"], Some("statement")),
        ("participant", &["broken"], Some("ledger")),
        ("custodian", &["matched", "closed"], None),
        ("custodian", &["awaited"], None),
        ("custodian", &[], None),
    ];
    for (leg, states, alone) in rows {
        assert_eq!(stands_alone(leg, states.iter().copied()), alone, "{leg} {states:?}");
    }
}

#[test]
fn every_built_in_calendar_names_its_source_and_its_holidays() {
    let all = Calendars::load(None).unwrap();
    // A currency, one of its holidays, the business day before it, where its money lives.
    let rows = [
        ("HKD", date!(2027 - 02 - 09), date!(2027 - 02 - 05), "Asia/Hong_Kong"),
        ("MYR", date!(2026 - 06 - 02), date!(2026 - 05 - 29), "Asia/Kuala_Lumpur"),
        ("PHP", date!(2026 - 12 - 31), date!(2026 - 12 - 29), "Asia/Manila"),
        ("PKR", date!(2026 - 05 - 28), date!(2026 - 05 - 25), "Asia/Karachi"),
        ("SGD", date!(2027 - 02 - 08), date!(2027 - 02 - 05), "Asia/Singapore"),
        ("USD", date!(2027 - 07 - 05), date!(2027 - 07 - 02), "America/New_York"),
    ];
    for (currency, holiday, former, zone) in rows {
        let own = all.get(currency).unwrap();
        assert!(own.source.len() > 40, "{currency}: {}", own.source);
        assert!(matches!(own.business(holiday), Err(DayRefusal::Holiday(_))), "{currency}");
        assert_eq!(own.former(holiday), Some(former), "{currency}");
        assert_eq!(own.time_zone(), zone, "{currency}");
    }
    assert_eq!(all.get("PKR").unwrap().clock(datetime!(2026-11-26 20:00:07 UTC)), "01:00:07");
    assert_eq!(
        all.get("PKR").unwrap().cut_off(date!(2026 - 11 - 26)),
        Some(datetime!(2026-11-26 12:00 UTC))
    );
}

#[test]
fn a_wrong_calendar_names_itself_and_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let text = include_str!("../calendars/HKD.toml").replace("Asia/Hong_Kong", "Asia/Nowhere");
    std::fs::write(folder.path().join("HKD.toml"), text).unwrap();
    let error = Calendars::load(Some(folder.path())).unwrap_err().to_string();
    assert!(error.contains("HKD.toml: time_zone: Asia/Nowhere is none"), "{error}");
}
