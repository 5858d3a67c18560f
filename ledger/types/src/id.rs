//! Identifiers that this network assigns or its participants choose; never what they name.
use core::{fmt, str::FromStr};

use crate::{
    ParseError, Uetr,
    text::{hex, unhex},
    uetr::{hyphenated, parse_hyphenated},
};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                text.parse().map(Self).map_err(|_| ParseError::new("id", "must be a number"))
            }
        }
    };
}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $length]);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(&self.0, out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(&self.0, out)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                unhex(text)
                    .map(Self)
                    .ok_or(ParseError::new("id", concat!("must be ", $length, " bytes of hex")))
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                hyphenated(&self.0, out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                hyphenated(&self.0, out)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                parse_hyphenated(text)
                    .map(Self)
                    .ok_or(ParseError::new("id", "must be a UUID in lower case"))
            }
        }
    };
}

number_id!(
    /// A participant's network id, 1 to 2³² − 1; 0 is the operator.
    ParticipantId, u32
);
number_id!(
    /// An account's number, chosen by the operator at opening.
    AccountId, u64
);
number_id!(
    /// A corridor's number.
    CorridorId, u32
);
byte_id!(
    /// SHA-256 of the genesis file: which network a signature is for.
    NetworkId, 32
);
byte_id!(
    /// The first 8 bytes of SHA-256(key kind ‖ public key).
    KeyId, 8
);
uuid_id!(
    /// What the author of an envelope calls its request; unique per author until it is stale.
    RequestId
);
uuid_id!(
    /// What a liquidity bank calls one quote; unique per liquidity bank.
    QuoteId
);
uuid_id!(
    /// What a participant calls one withdrawal; unique per participant.
    WithdrawalId
);
uuid_id!(
    /// What a debtor agent calls one recall; unique per debtor agent.
    CaseId
);

impl ParticipantId {
    /// The network's operator.
    pub const OPERATOR: Self = Self(0);
}

/// Identity of a transfer: the debtor agent that submitted it, and its UETR.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId {
    /// The submitting participant.
    pub debtor_agent: ParticipantId,
    /// Its reference.
    pub uetr: Uetr,
}

impl fmt::Display for TransferId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.debtor_agent, self.uetr)
    }
}

impl fmt::Debug for TransferId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
