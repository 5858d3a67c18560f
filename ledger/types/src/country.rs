//! A country of ISO 3166-1; nothing about its rules.
use core::{fmt, str::FromStr};

use crate::{ParseError, iso3166::ALPHA_2};

/// An officially assigned alpha-2 code of ISO 3166-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Takes two bytes that are an assigned code.
    ///
    /// # Errors
    /// When the code is not assigned.
    pub fn from_bytes(code: [u8; 2]) -> Result<Self, ParseError> {
        ALPHA_2
            .binary_search(&code)
            .map(|_| Self(code))
            .map_err(|_| ParseError::new("country", "not an ISO 3166-1 alpha-2 code"))
    }

    /// Every assigned code, sorted.
    pub fn all() -> impl Iterator<Item = Self> {
        ALPHA_2.iter().map(|code| Self(*code))
    }

    /// The two letters.
    #[must_use]
    pub fn bytes(self) -> [u8; 2] {
        self.0
    }

    /// The two letters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("ZZ")
    }
}

impl FromStr for Country {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let code = <[u8; 2]>::try_from(text.as_bytes())
            .map_err(|_| ParseError::new("country", "must be two letters"))?;
        Self::from_bytes(code)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
