//! Identifiers of financial institutions: BIC (ISO 9362) and LEI (ISO 17442); not who is admitted.
use core::{fmt, str::FromStr};

use crate::{Country, ParseError};

/// A business identifier code of ISO 9362. Held as eleven characters: eight are the head office,
/// equal to the same with branch `XXX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bic([u8; 11]);

impl Bic {
    /// The eleven characters.
    #[must_use]
    pub fn bytes(self) -> [u8; 11] {
        self.0
    }

    /// Eight characters for a head office, else eleven.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let shown = if self.0.ends_with(b"XXX") { self.0.get(..8) } else { self.0.get(..) };
        shown.and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

impl FromStr for Bic {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut bytes = *b"XXXXXXXXXXX";
        let given = text.as_bytes();
        if given.len() != 8 && given.len() != 11 {
            return Err(ParseError::new("bic", "must be 8 or 11 characters (ISO 9362)"));
        }
        for (slot, byte) in bytes.iter_mut().zip(given) {
            *slot = *byte;
        }
        let alphanumeric =
            bytes.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !alphanumeric {
            return Err(ParseError::new("bic", "must be upper-case letters and digits (ISO 9362)"));
        }
        let country = [bytes[4], bytes[5]];
        // XK is user-assigned for Kosovo and used in real codes.
        if Country::from_bytes(country).is_err() && country != *b"XK" {
            return Err(ParseError::new(
                "bic",
                "characters 5 and 6 must be a country (ISO 3166-1)",
            ));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Bic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Bic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A legal entity identifier of ISO 17442, check digits valid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lei([u8; 20]);

impl Lei {
    /// The twenty characters.
    #[must_use]
    pub fn bytes(self) -> [u8; 20] {
        self.0
    }

    /// The twenty characters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl FromStr for Lei {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let bytes = <[u8; 20]>::try_from(text.as_bytes())
            .map_err(|_| ParseError::new("lei", "must be 20 characters (ISO 17442)"))?;
        match mod_97(bytes.iter().copied()) {
            Some(1) => Ok(Self(bytes)),
            Some(_) => Err(ParseError::new("lei", "check digits are wrong (ISO 17442)")),
            None => Err(ParseError::new("lei", "must be upper-case letters and digits")),
        }
    }
}

impl fmt::Display for Lei {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Lei {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The remainder of ISO/IEC 7064 mod 97-10, letters counting from A = 10; `None` on another byte.
pub(crate) fn mod_97(bytes: impl Iterator<Item = u8>) -> Option<u32> {
    let mut remainder: u32 = 0;
    for byte in bytes {
        remainder = match byte {
            b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
            b'A'..=b'Z' => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
            _ => return None,
        };
    }
    Some(remainder)
}
