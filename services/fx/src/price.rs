//! Turns a mid rate and a bank's terms into exact amounts; it reads no file, no clock and no ledger.
use ledger_types::Rate;
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};

/// Significant digits of a rate.
const RATE_DIGITS: u32 = 10;
/// Fewest decimals tried for a rate that a payout fee is priced into.
const ALL_IN_SCALE_MIN: u8 = 4;
/// The customer's rate is never rounded up: every rounding is in the bank's favour.
const CUSTOMER_RATE: RoundingStrategy = RoundingStrategy::ToZero;
/// The mid rate is information, rounded without bias.
const MID_RATE: RoundingStrategy = RoundingStrategy::MidpointNearestEven;
const BASIS_POINTS: u32 = 10_000;

/// What the bank charges and how the two currencies count.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Hundredths of a per cent taken off the mid rate.
    pub margin_bps: u32,
    /// Destination minor units paid to the creditor agent besides the destination amount.
    pub payout_fee: u64,
    /// Digits after the decimal point of the source currency.
    pub source_exponent: u8,
    /// Digits after the decimal point of the destination currency.
    pub destination_exponent: u8,
}

/// The side of the exchange that the caller fixed, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixed {
    /// What the debtor agent gives.
    Source(u64),
    /// What the creditor agent gets, without the payout fee.
    Destination(u64),
}

/// A price that passes the ledger's check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Minor units taken.
    pub source_amount: u64,
    /// Minor units given, without the payout fee.
    pub destination_amount: u64,
    /// Destination per source, all in.
    pub rate: Rate,
    /// Destination and payout fee per source: the same for every amount.
    pub customer_rate: Rate,
    /// Destination per source before margin and fee.
    pub mid_rate: Rate,
}

/// Why there is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The mid rate, less margin, is no positive rate of at most 12 decimals.
    #[error("rate is outside what a rate can state")]
    RateUnusable,
    /// One side would be nothing, or more than an amount can hold.
    #[error("amount is too small or too large at this rate")]
    AmountOutOfRange,
}

/// Prices one exchange. With a fixed source the destination is rounded down, with a fixed
/// destination the source is rounded up.
///
/// # Errors
/// When the rate or a resulting amount cannot be stated.
pub fn price(mid: Decimal, terms: &Terms, fixed: Fixed) -> Result<Price, Error> {
    let mid_rate = to_rate(mid, MID_RATE)?;
    let customer_rate = to_rate(less_margin(mid, terms.margin_bps)?, CUSTOMER_RATE)?;
    let (source_amount, destination_amount) = match fixed {
        Fixed::Source(source) => (source, destination_of(source, customer_rate, terms)?),
        Fixed::Destination(destination) => {
            (source_of(destination, customer_rate, terms)?, destination)
        }
    };
    if source_amount == 0 || destination_amount == 0 {
        return Err(Error::AmountOutOfRange);
    }
    let matches = |rate: &Rate| matches(*rate, fixed, source_amount, destination_amount, terms);
    let rate = if matches(&customer_rate) {
        customer_rate
    } else {
        (ALL_IN_SCALE_MIN..=Rate::SCALE_MAX)
            .filter_map(|scale| all_in(source_amount, destination_amount, scale, terms))
            .find(matches)
            .ok_or(Error::AmountOutOfRange)?
    };
    Ok(Price { source_amount, destination_amount, rate, customer_rate, mid_rate })
}

/// A decimal as a rate of ten significant digits.
///
/// # Errors
/// When it is not positive or needs more than 12 decimals to be so.
pub fn to_rate(value: Decimal, strategy: RoundingStrategy) -> Result<Rate, Error> {
    let rounded = value
        .round_sf_with_strategy(RATE_DIGITS, strategy)
        .ok_or(Error::RateUnusable)?
        .round_dp_with_strategy(u32::from(Rate::SCALE_MAX), strategy)
        .normalize();
    let mantissa = rounded.mantissa().to_u64().ok_or(Error::RateUnusable)?;
    let scale = u8::try_from(rounded.scale()).map_err(|_| Error::RateUnusable)?;
    Rate::new(mantissa, scale).map_err(|_| Error::RateUnusable)
}

/// The mid rate as an unbiased rate, for showing.
///
/// # Errors
/// As [`to_rate`].
pub fn mid_rate(mid: Decimal) -> Result<Rate, Error> {
    to_rate(mid, MID_RATE)
}

fn less_margin(mid: Decimal, margin_bps: u32) -> Result<Decimal, Error> {
    let kept = BASIS_POINTS.checked_sub(margin_bps).ok_or(Error::RateUnusable)?;
    mid.checked_mul(Decimal::from(kept))
        .and_then(|product| product.checked_div(Decimal::from(BASIS_POINTS)))
        .ok_or(Error::RateUnusable)
}

fn destination_of(source: u64, rate: Rate, terms: &Terms) -> Result<u64, Error> {
    rate.convert(source, terms.source_exponent, terms.destination_exponent)
        .and_then(|exact| exact.floor()?.checked_sub(terms.payout_fee))
        .ok_or(Error::AmountOutOfRange)
}

/// The smallest source amount that buys destination and payout fee.
fn source_of(destination: u64, rate: Rate, terms: &Terms) -> Result<u64, Error> {
    let units = || {
        let total = u128::from(destination.checked_add(terms.payout_fee)?);
        let one = rate.convert(1, terms.source_exponent, terms.destination_exponent)?;
        let scaled = total.checked_mul(one.denominator)?;
        u64::try_from(scaled.div_ceil(one.numerator)).ok()
    };
    units().ok_or(Error::AmountOutOfRange)
}

/// The rate that the two amounts make, cut to some decimals.
fn all_in(source: u64, destination: u64, scale: u8, terms: &Terms) -> Option<Rate> {
    let up = 10_u128.checked_pow(u32::from(scale.checked_add(terms.source_exponent)?))?;
    let down = 10_u128.checked_pow(u32::from(terms.destination_exponent))?;
    let numerator = u128::from(destination).checked_mul(up)?;
    let mantissa = numerator.checked_div(u128::from(source).checked_mul(down)?)?;
    Rate::new(u64::try_from(mantissa).ok()?, scale).ok()
}

/// The ledger's own check: to within one minor unit of the side that was not fixed.
fn matches(rate: Rate, fixed: Fixed, source: u64, destination: u64, terms: &Terms) -> bool {
    let (from, to) = (terms.source_exponent, terms.destination_exponent);
    match fixed {
        Fixed::Source(_) => rate.matches_destination(source, from, destination, to),
        Fixed::Destination(_) => rate.matches_source(source, from, destination, to),
    }
}

#[cfg(test)]
mod tests;
