//! The one binary encoding: big-endian fields in written order, lists behind a count; it knows no message.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use ledger_types::{
    AccountId, Bic, CaseId, ConfirmationStatus, CorridorId, Country, Currency, KeyId, NetworkId,
    ParticipantId, PayoutMethod, Purpose, QuoteId, Rate, RecallAnswer, RequestId, ShortText,
    StatusReason, Timestamp, TransferState, Uetr, WithdrawalId,
};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Why bytes are not what they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the field.
    #[error("ends too early")]
    Short,
    /// Bytes are left after the last field.
    #[error("has bytes left over")]
    Trailing,
    /// A field holds a value outside its rule.
    #[error("{field} {reason}")]
    Invalid {
        /// The field's name.
        field: &'static str,
        /// Its rule.
        reason: &'static str,
    },
}

impl DecodeError {
    /// A field and the rule it breaks.
    #[must_use]
    pub const fn invalid(field: &'static str, reason: &'static str) -> Self {
        Self::Invalid { field, reason }
    }
}

impl From<ledger_types::text::ParseError> for DecodeError {
    fn from(error: ledger_types::text::ParseError) -> Self {
        Self::Invalid { field: error.field, reason: error.reason }
    }
}

/// Reads fields from the front of a byte string.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes the next `length` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Reads one field.
    ///
    /// # Errors
    /// As the field's own rule says.
    pub fn get<T: Field>(&mut self) -> Result<T, DecodeError> {
        T::get(self)
    }

    /// What has not been read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When bytes are left over.
    pub const fn end(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}

/// A value with exactly one encoding.
pub trait Field: Sized {
    /// Appends the encoding.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads it back.
    ///
    /// # Errors
    /// When the bytes are too short or break the field's rule.
    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The encoding on its own.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.put(&mut out);
        out
    }

    /// Reads the encoding and nothing after it.
    ///
    /// # Errors
    /// As [`Field::get`], and when bytes are left over.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let value = Self::get(&mut reader)?;
        reader.end().map(|()| value)
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Field for $integer {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let bytes = reader.take(size_of::<Self>())?;
                Ok(Self::from_be_bytes(bytes.try_into().map_err(|_| DecodeError::Short)?))
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, u128);

impl<const N: usize> Field for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.take(N)?.try_into().map_err(|_| DecodeError::Short)
    }
}

impl<T: Field, const N: usize> Field for ArrayVec<T, N> {
    fn put(&self, out: &mut Vec<u8>) {
        let count = u8::try_from(self.len()).unwrap_or(u8::MAX);
        count.put(out);
        self.iter().for_each(|element| element.put(out));
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count: u8 = reader.get()?;
        let mut list = Self::new();
        for _ in 0..count {
            list.try_push(reader.get()?)
                .map_err(|_| DecodeError::invalid("count", "exceeds the list's bound"))?;
        }
        Ok(list)
    }
}

impl Field for bool {
    fn put(&self, out: &mut Vec<u8>) {
        u8::from(*self).put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.get::<u8>()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::invalid("flag", "must be 0 or 1")),
        }
    }
}

impl Field for ShortText {
    fn put(&self, out: &mut Vec<u8>) {
        let bytes = self.as_bytes();
        u8::try_from(bytes.len()).unwrap_or(u8::MAX).put(out);
        out.extend_from_slice(bytes);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length: u8 = reader.get()?;
        Ok(Self::new(reader.take(usize::from(length))?)?)
    }
}

macro_rules! tuple_fields {
    ($($name:ident),*) => {$(
        impl Field for $name {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }

            fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.get().map(Self)
            }
        }
    )*};
}
tuple_fields!(
    ParticipantId,
    AccountId,
    CorridorId,
    NetworkId,
    KeyId,
    RequestId,
    QuoteId,
    WithdrawalId,
    CaseId
);

macro_rules! byte_fields {
    ($($name:ident),*) => {$(
        impl Field for $name {
            fn put(&self, out: &mut Vec<u8>) {
                self.bytes().put(out);
            }

            fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self::from_bytes(reader.get()?)?)
            }
        }
    )*};
}
byte_fields!(Currency, Country, Uetr, StatusReason, Purpose);

macro_rules! code_fields {
    ($($name:ident: $rule:literal),*) => {$(
        impl Field for $name {
            fn put(&self, out: &mut Vec<u8>) {
                self.code().put(out);
            }

            fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Self::from_code(reader.get()?)
                    .ok_or(DecodeError::invalid(stringify!($name), $rule))
            }
        }
    )*};
}
code_fields!(
    TransferState: "must be 1 to 7",
    ConfirmationStatus: "must be 1 to 4",
    PayoutMethod: "must be 1 to 3",
    RecallAnswer: "must be 1 to 3"
);

impl Field for Timestamp {
    fn put(&self, out: &mut Vec<u8>) {
        self.micros().put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.get().map(Self::from_micros)
    }
}

impl Field for Rate {
    fn put(&self, out: &mut Vec<u8>) {
        self.mantissa.put(out);
        self.scale.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(reader.get()?, reader.get()?)?)
    }
}

impl Field for Bic {
    fn put(&self, out: &mut Vec<u8>) {
        self.bytes().put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes: [u8; 11] = reader.get()?;
        let text = core::str::from_utf8(&bytes)
            .map_err(|_| DecodeError::invalid("bic", "must be ASCII"))?;
        Ok(text.parse()?)
    }
}

/// A struct whose encoding is its fields in the order written.
macro_rules! layout {
    ($($(#[$doc:meta])* pub struct $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $kind:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)*
        }

        impl $crate::codec::Field for $name {
            fn put(&self, out: &mut alloc::vec::Vec<u8>) {
                $($crate::codec::Field::put(&self.$field, out);)*
            }

            fn get(
                reader: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self { $($field: reader.get()?,)* })
            }
        }
    )*};
}
pub(crate) use layout;
