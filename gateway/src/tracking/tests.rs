//! Words, stages, costs and limits of tracking, without a network.
use std::{collections::BTreeSet, net::IpAddr};

use fluent_bundle::FluentResource;
use rust_decimal::Decimal;
use time::macros::datetime;

use super::{
    Tracking,
    costs::{decimals, six_digits, spread},
    stage::Stage,
    token,
    words::{Language, Words, grouped, masked},
    zone::Place,
};
use crate::{settings, store::quotes::StoredHop};

fn hop(mid_rate: &str) -> StoredHop {
    StoredHop {
        quote: uuid::Uuid::nil(),
        liquidity_bank: 201,
        source_account: 1,
        destination_account: 2,
        source_currency: "HKD".to_owned(),
        destination_currency: "PHP".to_owned(),
        source_amount: 0,
        destination_amount: 0,
        payout_fee: 0,
        rate: String::new(),
        mid_rate: mid_rate.to_owned(),
        mid_source: "TEST".to_owned(),
        mid_at_micros: 0,
        submit_by_micros: 0,
        hold_until_micros: 0,
        fee_schedule_version: 1,
    }
}

fn names(text: &str) -> BTreeSet<&str> {
    let starts = |line: &&str| line.starts_with(|first: char| first.is_ascii_lowercase());
    text.lines().filter(starts).filter_map(|line| line.split_once(" =")).map(|row| row.0).collect()
}

#[test]
fn every_language_has_every_message_and_is_read_without_an_error() {
    let files = [
        include_str!("../../locales/en.ftl"),
        include_str!("../../locales/zh-Hant.ftl"),
        include_str!("../../locales/fil.ftl"),
        include_str!("../../locales/ms.ftl"),
        include_str!("../../locales/ur.ftl"),
    ];
    let english = names(files[0]);
    assert!(english.len() > 80);
    for text in files {
        assert!(FluentResource::try_new(text.to_owned()).is_ok());
        assert_eq!(names(text), english);
    }
    for stage in Stage::ALL {
        for name in [format!("answer-{}", stage.name()), format!("next-{}", stage.name())] {
            assert!(english.contains(name.as_str()), "{name}");
        }
    }
}

#[test]
fn the_language_is_what_is_asked_for_then_what_the_browser_prefers() {
    let choose = Language::choose;
    assert_eq!(choose(None, None), Language::English);
    assert_eq!(choose(Some("ur"), Some("ms")), Language::Urdu);
    assert_eq!(choose(Some("xx"), Some("de, tl-PH;q=0.7, en;q=0.4")), Language::Filipino);
    assert_eq!(choose(None, Some("en;q=0.4, zh-HK;q=0.9")), Language::TraditionalChinese);
    assert_eq!(choose(None, Some("ms;q=0, fil")), Language::Filipino);
    assert_eq!(choose(None, Some(";;,=q\u{fffd}")), Language::English);
}

#[test]
fn times_are_told_where_the_money_arrives() {
    let now = datetime!(2026-11-26 06:30 UTC);
    let words = Words::new(Language::English, Place::of("PH"), now);
    let plain = |text: String| text.replace(['\u{2068}', '\u{2069}'], "");
    assert_eq!(plain(words.moment(datetime!(2026-11-26 06:03 UTC))), "at 14:03 Manila time");
    // The 26th in Manila begins on the 25th in UTC.
    assert_eq!(plain(words.when(datetime!(2026-11-25 16:00 UTC))), "00:00 Manila time");
    let before = plain(words.when(datetime!(2026-11-25 15:59 UTC)));
    assert_eq!(before, "25 November 2026, 23:59 Manila time");
    let elsewhere = Words::new(Language::Malay, Place::of("BR"), now);
    assert!(plain(elsewhere.when(now)).contains("UTC"));
}

#[test]
fn lengths_of_time_are_rounded_up_to_a_sensible_unit() {
    let words = Words::new(Language::English, Place::of("PH"), datetime!(2026-01-01 0:00 UTC));
    let plain = |ms| words.duration(ms).replace(['\u{2068}', '\u{2069}'], "");
    let told = [0, 3_001, 99_000, 120_000, 6_000_001, 172_800_000].map(plain);
    assert_eq!(told, ["1 second", "4 seconds", "99 seconds", "2 minutes", "2 hours", "2 days"]);
}

#[test]
fn numbers_and_names_are_for_people() {
    assert_eq!(grouped("1234567.00"), "1,234,567.00");
    assert_eq!(grouped("-123"), "\u{2212}123");
    assert_eq!(grouped("1000"), "1,000");
    assert_eq!(masked("Bea  Testperson"), "B••• T•••");
    assert_eq!(masked("陳 大文"), "陳••• 大•••");
    assert_eq!(masked(" "), "");
}

#[test]
fn the_spread_is_what_the_amount_loses_against_mid() {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    // 100 HKD at 7.5 is 750 PHP, 92.59 HKD at the mid rate of 8.1.
    let one = spread(decimal("100.00"), decimal("750.00"), &[hop("8.1")]).unwrap();
    assert_eq!(decimals(one.amount, 2), "7.41");
    assert_eq!(decimals(one.percent, 2), "7.41");
    let chain = spread(decimal("10"), decimal("600"), &[hop("0.25"), hop("280")]).unwrap();
    assert_eq!(
        (six_digits(chain.mid_rate), decimals(chain.amount, 2)),
        ("70".into(), "1.43".into())
    );
    let gain = spread(decimal("100.00"), decimal("811.00"), &[hop("8.1")]).unwrap();
    assert_eq!(decimals(gain.amount, 2), "-0.12");
    assert_eq!(decimals(decimal("-0.001"), 2), "0.00");
    assert_eq!(six_digits(decimal("7.54139999")), "7.5414");
    for unknown in ["", "0", "no rate"] {
        assert_eq!(spread(decimal("100"), decimal("750"), &[hop(unknown)]), None);
    }
    assert_eq!(spread(decimal("100"), decimal("750"), &[]), None);
}

#[test]
fn an_address_that_guesses_is_stopped_and_others_are_not() {
    let tracking = Tracking::new(&settings::Tracking::default());
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let (guesser, other) = (address("2001:db8::1"), address("2001:db8:0:1::1"));
    let mut guesses = 0;
    while tracking.may_ask(guesser) {
        tracking.missed(guesser);
        guesses += 1;
        assert!(guesses < 20, "nobody stops it");
    }
    assert!(guesses >= 5, "a few mistakes are forgiven");
    assert!(!tracking.may_ask(address("2001:db8::2")), "its network is as one");
    assert!(tracking.may_ask(other));
    let page_views = (0..100).filter(|_| tracking.may_ask(other)).count();
    assert!(page_views >= 100, "who holds a link may look often");
}

#[test]
fn readers_of_events_are_few_per_token_and_in_all() {
    let settings =
        settings::Tracking { readers_max: 3, token_readers_max: 2, ..Default::default() };
    let tracking = Tracking::new(&settings);
    let first = [tracking.reader([1; 32]), tracking.reader([1; 32])];
    assert!(first.iter().all(Option::is_some) && tracking.reader([1; 32]).is_none());
    let second = tracking.reader([2; 32]);
    assert!(second.is_some() && tracking.reader([3; 32]).is_none());
    drop(first);
    assert!(tracking.reader([3; 32]).is_some(), "who left makes room");
}

#[test]
fn a_token_is_160_bits_of_a_secret() {
    let transfer = |last| ledger_types::TransferId {
        debtor_agent: ledger_types::ParticipantId(101),
        uetr: format!("8a562c67-ca16-48ba-b074-65581be6f00{last}").parse().unwrap(),
    };
    let tokens =
        [token(&[7; 32], transfer(1)), token(&[7; 32], transfer(2)), token(&[8; 32], transfer(1))];
    assert!(tokens.iter().all(|token| token.len() == 40));
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), 3);
}
