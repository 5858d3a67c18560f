//! Prices against the ledger's own check, by table and by random terms.
use ledger_types::Rate;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::{Error, Fixed, Price, Terms, price};

fn terms(margin_bps: u32, payout_fee: u64) -> Terms {
    Terms { margin_bps, payout_fee, source_exponent: 2, destination_exponent: 2 }
}

#[test]
fn amounts_are_rounded_in_the_banks_favour() {
    let mid: Decimal = "8.10".parse().expect("valid");
    let parsed = |rate: &str| rate.parse::<Rate>().expect("valid");
    for (terms, fixed, source_amount, destination_amount, rate, customer_rate) in [
        (terms(0, 0), Fixed::Source(50_000), 50_000, 405_000, "8.1", "8.1"),
        (terms(50, 0), Fixed::Source(50_000), 50_000, 402_975, "8.0595", "8.0595"),
        (terms(50, 2_000), Fixed::Source(50_000), 50_000, 400_975, "8.0195", "8.0595"),
        (terms(0, 0), Fixed::Source(1), 1, 8, "8.1", "8.1"),
        (terms(0, 0), Fixed::Destination(1), 1, 1, "8.1", "8.1"),
        (terms(0, 0), Fixed::Destination(405_001), 50_001, 405_001, "8.1", "8.1"),
        (terms(50, 2_000), Fixed::Destination(400_975), 50_000, 400_975, "8.0195", "8.0595"),
    ] {
        let priced = price(mid, &terms, fixed).expect("valid");
        let [rate, customer_rate, mid_rate] = [rate, customer_rate, "8.1"].map(parsed);
        let expected = Price { source_amount, destination_amount, rate, customer_rate, mid_rate };
        assert_eq!(priced, expected, "{terms:?} {fixed:?}");
    }
}

#[test]
fn what_cannot_be_priced_is_refused() {
    let mid: Decimal = "8.10".parse().expect("valid");
    for (mid, terms, fixed, error) in [
        (mid, terms(0, 9), Fixed::Source(1), Error::AmountOutOfRange),
        (mid, terms(0, 8), Fixed::Source(1), Error::AmountOutOfRange),
        (mid, terms(0, 0), Fixed::Source(u64::MAX), Error::AmountOutOfRange),
        (mid, terms(0, 1), Fixed::Destination(u64::MAX), Error::AmountOutOfRange),
        (mid, terms(10_000, 0), Fixed::Source(1), Error::RateUnusable),
        (mid, terms(10_001, 0), Fixed::Source(1), Error::RateUnusable),
        (Decimal::ZERO, terms(0, 0), Fixed::Source(1), Error::RateUnusable),
        (-mid, terms(0, 0), Fixed::Source(1), Error::RateUnusable),
    ] {
        assert_eq!(price(mid, &terms, fixed), Err(error), "{mid} {terms:?} {fixed:?}");
    }
}

proptest! {
    #[test]
    fn every_price_passes_the_ledgers_check(
        digits in 1_i64..1_000_000_000,
        scale in 0_u32..9,
        margin_bps in 0_u32..500,
        payout_fee in prop_oneof![Just(0_u64), 0_u64..100_000],
        amount in prop_oneof![1_u64..1_000, 1_u64..1_000_000_000_000],
        destination_fixed in any::<bool>(),
        source_exponent in 0_u8..=4,
        destination_exponent in 0_u8..=4,
    ) {
        let terms = Terms { margin_bps, payout_fee, source_exponent, destination_exponent };
        let mid = Decimal::new(digits, scale);
        let fixed = match destination_fixed {
            true => Fixed::Destination(amount),
            false => Fixed::Source(amount),
        };
        if let Ok(priced) = price(mid, &terms, fixed) {
            let (source, destination) = (priced.source_amount, priced.destination_amount);
            let (from, to) = (source_exponent, destination_exponent);
            let passes = match fixed {
                Fixed::Source(_) => priced.rate.matches_destination(source, from, destination, to),
                Fixed::Destination(_) => priced.rate.matches_source(source, from, destination, to),
            };
            prop_assert!(passes, "{priced:?}");
            // A standing quote's rate gives the fee too.
            let given = destination + payout_fee;
            let rate = priced.customer_rate;
            let passes = match fixed {
                Fixed::Source(_) => rate.matches_destination(source, from, given, to),
                Fixed::Destination(_) => rate.matches_source(source, from, given, to),
            };
            prop_assert!(passes, "{priced:?}");
            // The bank never gives more than the mid rate is worth.
            let worth = Decimal::from(source).checked_mul(mid).expect("small enough");
            let given = Decimal::from(u128::from(destination) + u128::from(payout_fee));
            let shift = i64::from(source_exponent) - i64::from(destination_exponent);
            let ten = |power: i64| Decimal::from(10_u64.pow(u32::try_from(power.max(0)).expect("valid")));
            prop_assert!(given * ten(shift) <= worth * ten(-shift), "{priced:?}");
        }
    }
}
