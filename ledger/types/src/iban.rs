//! An international bank account number (ISO 13616); not whether the account exists.
use alloc::string::String;
use core::{fmt, str::FromStr};

use crate::{Country, ParseError, agent::mod_97, text::compact};

/// An IBAN in electronic form: a country, two check digits and the national number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iban(String);

/// Registered lengths for the countries of this network's corridors and the commonest others
/// (IBAN registry, release 101); elsewhere the check digits and 15 to 34 characters decide.
const LENGTHS: &[(&str, usize)] =
    &[("AE", 23), ("DE", 22), ("FR", 27), ("GB", 22), ("PK", 24), ("SA", 24)];

impl Iban {
    /// The characters without spaces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The two letters it starts with.
    #[must_use]
    pub fn country(&self) -> Option<Country> {
        self.0.get(..2).and_then(|code| code.parse().ok())
    }
}

impl FromStr for Iban {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let number = compact(text);
        if !(15..=34).contains(&number.len()) || !number.is_ascii() {
            return Err(ParseError::new("iban", "must be 15 to 34 characters (ISO 13616)"));
        }
        let (head, tail) = number.split_at(4);
        let country = head.get(..2).unwrap_or("");
        if country.parse::<Country>().is_err() {
            return Err(ParseError::new("iban", "must start with a country (ISO 3166-1)"));
        }
        if LENGTHS.iter().any(|(code, length)| *code == country && *length != number.len()) {
            return Err(ParseError::new("iban", "has the wrong length for its country"));
        }
        match mod_97(tail.bytes().chain(head.bytes())) {
            Some(1) => Ok(Self(number)),
            _ => Err(ParseError::new("iban", "check digits are wrong (ISO 13616, mod 97)")),
        }
    }
}

impl fmt::Display for Iban {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Iban {
    /// An account number is personal data: only its country is shown.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}…", self.0.get(..2).unwrap_or(""))
    }
}
