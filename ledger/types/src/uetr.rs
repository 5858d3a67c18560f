//! The unique end-to-end transaction reference of ISO 20022; not whose transfer it names.
use core::{fmt, str::FromStr};

use crate::ParseError;

/// A UETR: a UUID version 4 (RFC 9562), printed in lower case, unchanged through the whole chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uetr([u8; 16]);

impl Uetr {
    /// Takes sixteen bytes with version 4 and the RFC variant.
    ///
    /// # Errors
    /// When version or variant differ.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, ParseError> {
        if bytes[6] >> 4 != 4 || bytes[8] >> 6 != 0b10 {
            return Err(ParseError::new("uetr", "must be a UUID version 4"));
        }
        Ok(Self(bytes))
    }

    /// Makes a UETR of sixteen random bytes by setting version and variant.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// The sixteen bytes.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl FromStr for Uetr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_hyphenated(text)
            .ok_or(ParseError::new("uetr", "must be a UUID version 4 in lower case"))
            .and_then(Self::from_bytes)
    }
}

impl fmt::Display for Uetr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        hyphenated(&self.0, out)
    }
}

impl fmt::Debug for Uetr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        hyphenated(&self.0, out)
    }
}

/// Sixteen bytes of lower-case `8-4-4-4-12` hexadecimal.
pub(crate) fn parse_hyphenated(text: &str) -> Option<[u8; 16]> {
    let mut digits = [0_u8; 32];
    let mut used = 0;
    if text.len() != 36 {
        return None;
    }
    for (at, byte) in text.bytes().enumerate() {
        match (at, byte) {
            (8 | 13 | 18 | 23, b'-') => {}
            (8 | 13 | 18 | 23, _) => return None,
            (_, b'0'..=b'9' | b'a'..=b'f') => {
                *digits.get_mut(used)? = byte;
                used += 1;
            }
            _ => return None,
        }
    }
    crate::text::unhex(core::str::from_utf8(&digits).ok()?)
}

/// Prints sixteen bytes as lower-case `8-4-4-4-12` hexadecimal.
pub(crate) fn hyphenated(bytes: &[u8; 16], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.write_str("-")?;
        }
        write!(out, "{byte:02x}")?;
    }
    Ok(())
}
