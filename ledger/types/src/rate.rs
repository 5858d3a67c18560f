//! An exchange rate as mantissa and scale, and exact integer conversion; it quotes nothing.
use core::{fmt, str::FromStr};

use crate::ParseError;

/// Units of the destination currency for one unit of the source currency, both in major units:
/// `mantissa × 10⁻ˢᶜᵃˡᵉ`. 8.07580 is mantissa 807,580 and scale 5.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// The digits, 1 to 2⁶⁴ − 1.
    pub mantissa: u64,
    /// Digits after the decimal point, 0 to 12.
    pub scale: u8,
}

/// An exact quotient of two integers, for comparing without rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    /// The numerator.
    pub numerator: u128,
    /// The denominator, never 0.
    pub denominator: u128,
}

impl Rate {
    /// The largest scale.
    pub const SCALE_MAX: u8 = 12;

    /// A positive rate.
    ///
    /// # Errors
    /// When the mantissa is 0 or the scale over 12.
    pub const fn new(mantissa: u64, scale: u8) -> Result<Self, ParseError> {
        if mantissa == 0 || scale > Self::SCALE_MAX {
            return Err(ParseError::new("rate", "must be positive with at most 12 decimals"));
        }
        Ok(Self { mantissa, scale })
    }

    /// Source minor units × rate, as an exact fraction of destination minor units; `None` when
    /// the product exceeds 128 bits.
    #[must_use]
    pub fn convert(
        self,
        source_minor_units: u64,
        source_exponent: u8,
        destination_exponent: u8,
    ) -> Option<Fraction> {
        let product = u128::from(source_minor_units).checked_mul(u128::from(self.mantissa))?;
        let up = power_of_ten(destination_exponent)?;
        let down = power_of_ten(self.scale.checked_add(source_exponent)?)?;
        Some(Fraction { numerator: product.checked_mul(up)?, denominator: down })
    }

    /// Whether a destination amount is the converted source amount to within one minor unit of
    /// the destination.
    #[must_use]
    pub fn matches_destination(
        self,
        source: u64,
        source_exponent: u8,
        destination: u64,
        destination_exponent: u8,
    ) -> bool {
        self.convert(source, source_exponent, destination_exponent)
            .and_then(|exact| {
                let scaled = u128::from(destination).checked_mul(exact.denominator)?;
                Some(scaled.abs_diff(exact.numerator) <= exact.denominator)
            })
            .unwrap_or(false)
    }

    /// Whether a source amount, converted, is the destination amount to within what one minor
    /// unit of the source is worth.
    #[must_use]
    pub fn matches_source(
        self,
        source: u64,
        source_exponent: u8,
        destination: u64,
        destination_exponent: u8,
    ) -> bool {
        let check = || {
            let exact = self.convert(source, source_exponent, destination_exponent)?;
            let one = self.convert(1, source_exponent, destination_exponent)?;
            let scaled = u128::from(destination).checked_mul(exact.denominator)?;
            Some(scaled.abs_diff(exact.numerator) <= one.numerator)
        };
        check().unwrap_or(false)
    }
}

impl Fraction {
    /// The largest integer not above it; `None` when over 64 bits.
    #[must_use]
    pub fn floor(self) -> Option<u64> {
        u64::try_from(self.numerator / self.denominator).ok()
    }

    /// The smallest integer not below it; `None` when over 64 bits.
    #[must_use]
    pub fn ceil(self) -> Option<u64> {
        u64::try_from(self.numerator.div_ceil(self.denominator)).ok()
    }
}

impl FromStr for Rate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let bad = ParseError::new("rate", "must be a positive decimal such as 8.0758");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let mut mantissa: u64 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            let value = digit.checked_sub(b'0').filter(|value| *value < 10).ok_or(bad)?;
            mantissa = mantissa
                .checked_mul(10)
                .and_then(|units| units.checked_add(u64::from(value)))
                .ok_or(bad)?;
        }
        let scale = u8::try_from(fraction.len()).map_err(|_| bad)?;
        Self::new(mantissa, scale)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = power_of_ten(self.scale).unwrap_or(1);
        let mantissa = u128::from(self.mantissa);
        if self.scale == 0 {
            return write!(out, "{mantissa}");
        }
        let width = usize::from(self.scale);
        write!(out, "{}.{:0width$}", mantissa / unit, mantissa % unit)
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

fn power_of_ten(exponent: u8) -> Option<u128> {
    10_u128.checked_pow(u32::from(exponent))
}
