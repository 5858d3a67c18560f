//! A currency of ISO 4217 and its minor-unit exponent; never an amount.
use core::{fmt, str::FromStr};

use crate::{ParseError, iso4217::LIST_ONE};

/// An alphabetic currency code of ISO 4217, three upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// ISO 4217's code XXX, for transactions without a currency.
    pub const NONE: Self = Self(*b"XXX");

    /// Takes three bytes that stand in ISO 4217 list one.
    ///
    /// # Errors
    /// When the code is not listed.
    pub fn from_bytes(code: [u8; 3]) -> Result<Self, ParseError> {
        LIST_ONE
            .binary_search_by(|row| row.0.cmp(&code))
            .map(|_| Self(code))
            .map_err(|_| ParseError::new("currency", "not a code of ISO 4217 list one"))
    }

    /// The three letters.
    #[must_use]
    pub fn bytes(self) -> [u8; 3] {
        self.0
    }

    /// The three letters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Digits after the decimal point (ISO 4217 "minor unit"); `None` where the list says N.A.,
    /// as for XAU: a network's genesis then fixes one.
    #[must_use]
    pub fn exponent(self) -> Option<u8> {
        self.row().and_then(|row| row.2)
    }

    /// The three-digit numeric code of ISO 4217.
    #[must_use]
    pub fn number(self) -> u16 {
        self.row().map_or(999, |row| row.1)
    }

    /// Whether this is a precious metal (XAG, XAU, XPD, XPT), which customer payments may not use.
    #[must_use]
    pub fn precious_metal(self) -> bool {
        matches!(&self.0, b"XAG" | b"XAU" | b"XPD" | b"XPT")
    }

    fn row(self) -> Option<&'static ([u8; 3], u16, Option<u8>)> {
        LIST_ONE.binary_search_by(|row| row.0.cmp(&self.0)).ok().and_then(|at| LIST_ONE.get(at))
    }
}

impl FromStr for Currency {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let code = <[u8; 3]>::try_from(text.as_bytes())
            .map_err(|_| ParseError::new("currency", "must be three letters"))?;
        Self::from_bytes(code)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
