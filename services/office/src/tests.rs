//! What needs no database: calendars, tables to be edited, decimals.

use time::macros::{date, datetime};

use crate::{calendar::Calendars, day::decimal, error::DayRefusal};

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
}

#[test]
fn days_are_those_of_the_place_where_money_lives() {
    let all = Calendars::load(None).unwrap();
    let hkd = all.get("HKD").unwrap();
    let holiday = |day| hkd.business(day).unwrap_err();
    assert_eq!(holiday(date!(2026 - 10 - 01)), DayRefusal::Holiday("National Day".to_owned()));
    assert_eq!(holiday(date!(2026 - 11 - 22)), DayRefusal::Holiday("Sunday".to_owned()));
    assert_eq!(holiday(date!(2027 - 01 - 04)), DayRefusal::CalendarMissing);
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
fn a_wrong_calendar_names_itself_and_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let text = include_str!("../calendars/HKD.toml").replace("Asia/Hong_Kong", "Asia/Nowhere");
    std::fs::write(folder.path().join("HKD.toml"), text).unwrap();
    let error = Calendars::load(Some(folder.path())).unwrap_err().to_string();
    assert!(error.contains("HKD.toml: time_zone: Asia/Nowhere is none"), "{error}");
}
