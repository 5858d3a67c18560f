//! Participants and their keys as rows of the state; who may do what is each command's word.
use alloc::vec::Vec;

use ed25519_dalek::VerifyingKey;
use ledger_proof::{
    DecodeError, Digest, Field, Reader,
    operator::{Admit, KeyKind},
    signature::verifying_key,
};
use ledger_types::{Country, KeyId, ParticipantId, ShortText};

use crate::table::{Key as TableKey, Row};

/// A participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Where it is licensed.
    pub country: Country,
    /// Its BIC, or empty.
    pub bic: ShortText,
    /// Its LEI, or empty.
    pub lei: ShortText,
    /// Its clearing system member id, or empty.
    pub clearing_member: ShortText,
    /// Its name for people.
    pub name: ShortText,
    /// No new submit either way.
    pub suspended: bool,
    /// Records it is party to so far: its next own number is one more.
    pub records: u64,
}

impl Participant {
    pub(crate) fn admitted(admit: &Admit) -> Self {
        Self {
            country: admit.country,
            bic: admit.bic,
            lei: admit.lei,
            clearing_member: admit.clearing_member,
            name: admit.name,
            suspended: false,
            records: 0,
        }
    }
}

/// A public key of a participant, active or retired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whose.
    pub participant: ParticipantId,
    /// For what.
    pub kind: KeyKind,
    /// The key.
    pub public_key: Digest,
    /// Retired for ever.
    pub retired: bool,
    /// The key ready for verifying, if it is a signing key.
    pub verifying: Option<VerifyingKey>,
}

impl Key {
    pub(crate) fn new(participant: ParticipantId, kind: KeyKind, public_key: Digest) -> Self {
        let verifying = match kind {
            KeyKind::Signing => verifying_key(&public_key),
            KeyKind::Sealing => None,
        };
        Self { participant, kind, public_key, retired: false, verifying }
    }
}

impl Field for Participant {
    fn put(&self, out: &mut Vec<u8>) {
        self.country.put(out);
        self.suspended.put(out);
        self.records.put(out);
        self.bic.put(out);
        self.lei.put(out);
        self.clearing_member.put(out);
        self.name.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            country: reader.get()?,
            suspended: reader.get()?,
            records: reader.get()?,
            bic: reader.get()?,
            lei: reader.get()?,
            clearing_member: reader.get()?,
            name: reader.get()?,
        })
    }
}

impl Field for Key {
    fn put(&self, out: &mut Vec<u8>) {
        self.participant.put(out);
        self.kind.put(out);
        self.public_key.put(out);
        self.retired.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut key = Self::new(reader.get()?, reader.get()?, reader.get()?);
        key.retired = reader.get()?;
        Ok(key)
    }
}

impl Row for Participant {}
impl Row for Key {}

impl TableKey for ParticipantId {
    const HOT: u8 = 0x03;
    const COLD: Option<u8> = None;
}

impl TableKey for KeyId {
    const HOT: u8 = 0x04;
    const COLD: Option<u8> = None;
}
