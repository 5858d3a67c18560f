//! Decimal amounts as messages write them, and their exact conversion to minor units; it must never
//! round and never hold a float.

/// Why an amount is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("amount is no unsigned decimal of at most 18 digits: write it like 1234.56")]
    Malformed,
    /// ISO 20022 reason CH20.
    #[error("amount has more decimals than its currency has: write at most {0}")]
    TooManyDecimals(u8),
    #[error("amount exceeds what 64 bits of minor units hold: send a smaller one")]
    TooLarge,
}

/// A decimal: `digits` divided by ten to the power of `scale`. Zeros at the end of the fraction are
/// dropped, as in the value space of xs:decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    pub digits: u64,
    pub scale: u8,
}

/// An amount and its currency as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amount {
    pub currency: String,
    pub value: String,
}

impl Amount {
    /// The amount of this many minor units.
    #[must_use]
    pub fn from_minor_units(currency: &str, units: u64, exponent: u8) -> Self {
        Self { currency: currency.to_owned(), value: decimal_text(units, exponent) }
    }

    /// Its value as digits and scale.
    pub fn decimal(&self) -> Result<Decimal, Error> {
        self.value.parse()
    }

    /// Its value in minor units of a currency with this exponent (ISO 4217).
    pub fn minor_units(&self, exponent: u8) -> Result<u64, Error> {
        self.decimal()?.minor_units(exponent)
    }
}

impl Decimal {
    /// The value in units of ten to the power of minus `exponent`; exact or refused.
    pub fn minor_units(self, exponent: u8) -> Result<u64, Error> {
        let zeros = exponent.checked_sub(self.scale).ok_or(Error::TooManyDecimals(exponent))?;
        10_u64
            .checked_pow(u32::from(zeros))
            .and_then(|factor| self.digits.checked_mul(factor))
            .ok_or(Error::TooLarge)
    }
}

impl std::str::FromStr for Decimal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let text = text.strip_prefix('+').unwrap_or(text);
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !numeric(whole) || !numeric(fraction) {
            return Err(Error::Malformed);
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let scale = u8::try_from(fraction.len()).map_err(|_| Error::Malformed)?;
        if whole.len() + fraction.len() > 18 {
            return Err(Error::Malformed);
        }
        let digits = whole
            .bytes()
            .chain(fraction.bytes())
            .fold(0_u64, |digits, byte| digits * 10 + u64::from(byte - b'0'));
        Ok(Self { digits, scale })
    }
}

/// Minor units as the decimal that a message writes: 403790 at exponent 2 is `4037.90`.
#[must_use]
pub fn decimal_text(units: u64, exponent: u8) -> String {
    let decimals = usize::from(exponent);
    let digits = format!("{units:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}
