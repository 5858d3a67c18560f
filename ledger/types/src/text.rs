//! Bounded text and the error of parsing any word of this crate; no word of its own.
use alloc::string::String;
use core::fmt;

/// Why a text is not the word it claims to be: which field, and what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ParseError {
    /// The field's name.
    pub field: &'static str,
    /// What is wrong, as a rule that the value must keep.
    pub reason: &'static str,
}

impl ParseError {
    /// Names the field and the rule it breaks.
    #[must_use]
    pub const fn new(field: &'static str, reason: &'static str) -> Self {
        Self { field, reason }
    }
}

/// Printable ASCII of at most 35 characters (ISO 20022 Max35Text as this network allows it),
/// possibly empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortText {
    length: u8,
    bytes: [u8; Self::LENGTH_MAX],
}

impl ShortText {
    /// The longest text, in bytes.
    pub const LENGTH_MAX: usize = 35;

    /// The empty text.
    pub const EMPTY: Self = Self { length: 0, bytes: [0; Self::LENGTH_MAX] };

    /// Takes at most 35 printable ASCII bytes.
    ///
    /// # Errors
    /// When it is longer or holds another byte.
    pub fn new(text: &[u8]) -> Result<Self, ParseError> {
        if !text.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            return Err(ParseError::new("text", "must be printable ASCII"));
        }
        let mut bytes = [0; Self::LENGTH_MAX];
        let length = u8::try_from(text.len())
            .map_err(|_| ParseError::new("text", "must be at most 35 characters"))?;
        bytes
            .get_mut(..text.len())
            .ok_or(ParseError::new("text", "must be at most 35 characters"))?
            .copy_from_slice(text);
        Ok(Self { length, bytes })
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("")
    }
}

impl core::str::FromStr for ShortText {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::new(text.as_bytes())
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.as_str())
    }
}

/// Lower-case hexadecimal of some bytes.
pub(crate) fn hex(bytes: &[u8], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

/// Reads lower- or upper-case hexadecimal of exactly `N` bytes.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Upper-cases and removes spaces, as people write identifiers.
pub(crate) fn compact(text: &str) -> String {
    text.chars().filter(|letter| *letter != ' ').map(|letter| letter.to_ascii_uppercase()).collect()
}
