//! What a transfer costs its sender: the fee beside the amount, and how far the quote's rate lies from the mid rate it was made from. It rounds for people and moves no money.
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{store::quotes::StoredHop, transfers::view::AmountView};

/// Costs of one transfer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CostsView {
    /// Taken beside the amount.
    pub fee: AmountView,
    /// What the sender is debited in all.
    pub total_debited: AmountView,
    /// What the amount was changed at; absent within one currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeView>,
}

/// A change of currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExchangeView {
    /// What is changed.
    pub source: AmountView,
    /// Units of the currency that arrives for one of the currency debited, six digits.
    pub rate: String,
    /// The mid rate behind the quote; absent when this gateway does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mid: Option<MidView>,
}

/// How the rate lies to the market's middle.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MidView {
    /// Units of the currency that arrives for one of the currency debited, six digits.
    pub rate: String,
    /// Where the liquidity bank takes it from.
    pub source: String,
    /// Of when, RFC 3339.
    pub at: String,
    /// What the difference to the mid rate costs, within the source amount; below 0 if it gains.
    pub spread: AmountView,
    /// The same in per cent of the source amount, two decimals.
    pub spread_percent: String,
}

/// The mid rate of a chain of quotes, and what an amount loses to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Destination per source.
    pub mid_rate: Decimal,
    /// In the source currency, not rounded.
    pub amount: Decimal,
    /// Of the source amount, not rounded.
    pub percent: Decimal,
}

/// What source and destination, in units, lose against the mid rates of the hops; none when a mid
/// rate is not known.
#[must_use]
pub fn spread(source: Decimal, destination: Decimal, hops: &[StoredHop]) -> Option<Spread> {
    let mut mid_rate = Decimal::ONE;
    for hop in hops {
        let mid: Decimal = hop.mid_rate.parse().ok()?;
        mid_rate = mid_rate.checked_mul(mid)?;
    }
    if hops.is_empty() || mid_rate <= Decimal::ZERO || source <= Decimal::ZERO {
        return None;
    }
    let amount = source.checked_sub(destination.checked_div(mid_rate)?)?;
    let percent = amount.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(source)?;
    Some(Spread { mid_rate, amount, percent })
}

/// A rate to six significant digits.
#[must_use]
pub fn six_digits(rate: Decimal) -> String {
    let rounded = rate.round_sf_with_strategy(6, RoundingStrategy::MidpointAwayFromZero);
    rounded.unwrap_or(rate).normalize().to_string()
}

/// With exactly so many decimals, half up.
#[must_use]
pub fn decimals(value: Decimal, places: u32) -> String {
    let rounded = value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    let places = usize::try_from(places).unwrap_or_default();
    let text = format!("{rounded:.places$}");
    // What rounds to nothing is neither above nor below.
    if rounded.is_zero() { text.trim_start_matches('-').to_owned() } else { text }
}
