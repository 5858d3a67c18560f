//! What may be drawn on a standing quote, and when another is due.
use ledger_proof::item::RegisterQuote;
use ledger_types::{
    AccountId, CorridorId, Currency, ParticipantId, QuoteId, Rate, ShortText, Timestamp,
};

use super::{Offer, Standing};

const SECOND: u64 = 1_000_000;

fn rate(text: &str) -> Rate {
    text.parse().expect("a rate")
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * SECOND)
}

fn offer() -> Offer {
    let (rate, mid_rate) = (rate("8.0595"), rate("8.1"));
    Offer { rate, mid_rate, mid_at: at(1), fee_schedule_version: 3 }
}

/// For 1,000 minor units, made at 100 s, for 10 s.
fn standing() -> Standing {
    let currency = |text: &str| text.parse::<Currency>().expect("a currency");
    let Offer { rate, mid_rate, mid_at, fee_schedule_version } = offer();
    let quote = RegisterQuote {
        nonce: [1; 32],
        quote: QuoteId([2; 16]),
        debtor_agent: ParticipantId(101),
        corridor: CorridorId(1),
        destination_fixed: false,
        reusable: true,
        source_account: AccountId(1),
        destination_account: AccountId(2),
        source_currency: currency("HKD"),
        destination_currency: currency("PHP"),
        source_amount: 1_000,
        destination_amount: 0,
        rate,
        payout_fee: 0,
        mid_rate,
        mid_source: "fictional".parse::<ShortText>().expect("short"),
        mid_at,
        submit_by: at(140),
        hold_until: at(160),
        fee_schedule_version,
    };
    Standing::new(quote, at(100), 10 * SECOND)
}

#[test]
fn no_more_is_drawn_than_there_is() {
    let mut standing = standing();
    for (amount, drawn) in [(600, true), (401, false), (400, true), (1, false)] {
        assert_eq!(standing.draw(&offer(), amount, at(101)).is_some(), drawn, "{amount}");
    }
}

#[test]
fn another_price_needs_another_quote() {
    let mut standing = standing();
    for other in [
        Offer { rate: rate("8.0594"), ..offer() },
        Offer { mid_rate: rate("8.2"), ..offer() },
        Offer { mid_at: at(2), ..offer() },
        Offer { fee_schedule_version: 4, ..offer() },
    ] {
        assert_eq!(standing.draw(&other, 1, at(101)), None, "{other:?}");
    }
    assert!(standing.draw(&offer(), 1_000, at(101)).is_some(), "none of it was drawn");
}

#[test]
fn it_stands_until_its_time_and_another_is_due_before() {
    let mut standing = standing();
    for (second, due, drawn) in [(104, false, true), (105, true, true), (109, true, true)] {
        assert_eq!(standing.due(at(second)), due, "{second}");
        assert_eq!(standing.draw(&offer(), 1, at(second)).is_some(), drawn, "{second}");
    }
    assert_eq!(standing.draw(&offer(), 1, at(110)), None);
}

#[test]
fn another_is_due_when_half_of_it_is_drawn() {
    let mut standing = standing();
    let due = [(500, false), (1, true)].map(|(amount, due)| {
        assert!(standing.draw(&offer(), amount, at(101)).is_some());
        standing.due(at(101)) == due
    });
    assert_eq!(due, [true, true]);
}
