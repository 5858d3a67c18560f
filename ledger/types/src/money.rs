//! An amount of one currency in whole minor units; no float, no rounding.
use core::fmt;

use crate::{Currency, ParseError};

/// A non-negative amount: `minor_units` of `currency`, so 500.00 HKD is 50,000.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units, 0 to 2⁶⁴ − 1.
    pub minor_units: u64,
    /// Which currency.
    pub currency: Currency,
}

impl Money {
    /// An amount of a currency.
    #[must_use]
    pub const fn new(minor_units: u64, currency: Currency) -> Self {
        Self { minor_units, currency }
    }

    /// Reads a decimal such as `500.00` or `500` with at most `exponent` decimals.
    ///
    /// # Errors
    /// When it is no plain decimal, has more decimals than the currency, or exceeds the range.
    pub fn parse(text: &str, currency: Currency, exponent: u8) -> Result<Self, ParseError> {
        let bad = ParseError::new("amount", "must be a plain decimal such as 500.00");
        let range = ParseError::new("amount", "exceeds the range of an amount");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let fraction_bad = text.contains('.') && fraction.is_empty();
        if whole.is_empty() || fraction_bad || !plain(whole) || !plain(fraction) {
            return Err(bad);
        }
        if fraction.len() > usize::from(exponent) {
            return Err(ParseError::new("amount", "has more decimals than its currency allows"));
        }
        let padding = usize::from(exponent) - fraction.len();
        let mut minor_units: u64 = 0;
        let digits = whole.bytes().chain(fraction.bytes());
        for digit in digits.chain(core::iter::repeat_n(b'0', padding)) {
            minor_units = minor_units
                .checked_mul(10)
                .and_then(|units| units.checked_add(u64::from(digit - b'0')))
                .ok_or(range)?;
        }
        Ok(Self { minor_units, currency })
    }

    /// Prints the amount with exactly `exponent` decimals, without the currency.
    #[must_use]
    pub fn decimal(self, exponent: u8) -> Decimal {
        Decimal { minor_units: self.minor_units, exponent }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.minor_units, self.currency)
    }
}

/// Displays minor units as a decimal.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    minor_units: u64,
    exponent: u8,
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(unit) = 10_u64.checked_pow(u32::from(self.exponent)).filter(|unit| *unit > 1)
        else {
            return write!(out, "{}", self.minor_units);
        };
        let (whole, fraction) = (self.minor_units / unit, self.minor_units % unit);
        write!(out, "{whole}.{fraction:0width$}", width = usize::from(self.exponent))
    }
}
