//! The items only the operator's k of n keys sign: admission, keys, accounts, caps, corridors, fees.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use ledger_types::{
    AccountId, CorridorId, Country, Currency, KeyId, ParticipantId, Purpose, ShortText,
};

use crate::codec::{DecodeError, Digest, Field, Reader, layout};

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyKind {
    /// ed25519: signs envelopes.
    Signing,
    /// X25519: opens sealed personal data.
    Sealing,
}

impl Field for KeyKind {
    fn put(&self, out: &mut Vec<u8>) {
        let code: u8 = match self {
            Self::Signing => 1,
            Self::Sealing => 2,
        };
        code.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.get::<u8>()? {
            1 => Ok(Self::Signing),
            2 => Ok(Self::Sealing),
            _ => Err(DecodeError::invalid("key kind", "must be 1 or 2")),
        }
    }
}

/// Who pays a fee.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FeePayer {
    /// The debtor agent, from the account of its first leg, in the source currency.
    DebtorAgent,
    /// The creditor agent, from the account of the last leg, in the destination currency.
    CreditorAgent,
}

impl Field for FeePayer {
    fn put(&self, out: &mut Vec<u8>) {
        let code: u8 = match self {
            Self::DebtorAgent => 1,
            Self::CreditorAgent => 2,
        };
        code.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.get::<u8>()? {
            1 => Ok(Self::DebtorAgent),
            2 => Ok(Self::CreditorAgent),
            _ => Err(DecodeError::invalid("fee payer", "must be 1 or 2")),
        }
    }
}

/// Personal data that a corridor may require, as bits of `TravelRule::fields`.
pub mod travel_field {
    /// The debtor's name.
    pub const DEBTOR_NAME: u32 = 1;
    /// The debtor's account number.
    pub const DEBTOR_ACCOUNT: u32 = 1 << 1;
    /// The debtor's postal address.
    pub const DEBTOR_ADDRESS: u32 = 1 << 2;
    /// The debtor's date and place of birth.
    pub const DEBTOR_BIRTH: u32 = 1 << 3;
    /// The debtor's identity document or customer identification.
    pub const DEBTOR_IDENTIFICATION: u32 = 1 << 4;
    /// The creditor's name.
    pub const CREDITOR_NAME: u32 = 1 << 5;
    /// The creditor's account number, or phone number for a wallet.
    pub const CREDITOR_ACCOUNT: u32 = 1 << 6;
    /// The creditor's postal address.
    pub const CREDITOR_ADDRESS: u32 = 1 << 7;
    /// How debtor and creditor are related.
    pub const RELATIONSHIP: u32 = 1 << 8;
    /// Where the money comes from.
    pub const SOURCE_OF_FUNDS: u32 = 1 << 9;

    /// Every field's word and bit.
    pub const ALL: [(&str, u32); 10] = [
        ("debtor_name", DEBTOR_NAME),
        ("debtor_account", DEBTOR_ACCOUNT),
        ("debtor_address", DEBTOR_ADDRESS),
        ("debtor_birth", DEBTOR_BIRTH),
        ("debtor_identification", DEBTOR_IDENTIFICATION),
        ("creditor_name", CREDITOR_NAME),
        ("creditor_account", CREDITOR_ACCOUNT),
        ("creditor_address", CREDITOR_ADDRESS),
        ("relationship", RELATIONSHIP),
        ("source_of_funds", SOURCE_OF_FUNDS),
    ];
}

layout! {
    /// Admits a participant, or changes its attributes.
    pub struct Admit {
        /// Salt source.
        nonce: Digest,
        /// The network id given, at least 1.
        participant: ParticipantId,
        /// Where it is licensed.
        country: Country,
        /// Its BIC (8 or 11 characters), empty if it has none.
        bic: ShortText,
        /// Its LEI, empty if it has none.
        lei: ShortText,
        /// Its clearing system member id, empty if it has none.
        clearing_member: ShortText,
        /// Its name for people.
        name: ShortText,
    }

    /// Suspends or resumes a participant.
    pub struct Suspend {
        /// Salt source.
        nonce: Digest,
        /// Which.
        participant: ParticipantId,
        /// True suspends, false resumes.
        suspended: bool,
    }

    /// Adds a key of a participant.
    pub struct AddKey {
        /// Salt source.
        nonce: Digest,
        /// Whose.
        participant: ParticipantId,
        /// For what.
        kind: KeyKind,
        /// The public key.
        public_key: Digest,
    }

    /// Retires a key of a participant, for ever.
    pub struct RetireKey {
        /// Salt source.
        nonce: Digest,
        /// Whose.
        participant: ParticipantId,
        /// Which.
        key: KeyId,
    }

    /// Opens an account of a participant in a currency.
    pub struct OpenAccount {
        /// Salt source.
        nonce: Digest,
        /// Its number.
        account: AccountId,
        /// Its owner.
        owner: ParticipantId,
        /// Its currency, one of the genesis.
        currency: Currency,
        /// Whether credits need no accept (institution to institution only).
        standing_acceptance: bool,
    }

    /// Sets how far an account's net debits may exceed its credits.
    pub struct SetCap {
        /// Salt source.
        nonce: Digest,
        /// Which account.
        account: AccountId,
        /// Minor units; over 0 only with a collateral reference.
        net_debit_cap: u64,
        /// What secures it.
        collateral_reference: ShortText,
    }

    /// From an amount on, which personal data must be sealed.
    pub struct TravelRule {
        /// Minor units of the source currency at and above which the rule holds.
        from_amount: u64,
        /// Bits of [`travel_field`].
        fields: u32,
    }

    /// Sets a corridor's rules.
    pub struct SetCorridor {
        /// Salt source.
        nonce: Digest,
        /// Which.
        corridor: CorridorId,
        /// Raised by one at each change, starting at 1.
        version: u32,
        /// Institution to institution: single-phase settlement allowed, no personal data.
        institutional: bool,
        /// Where the money comes from.
        source_country: Country,
        /// Where it goes.
        destination_country: Country,
        /// The currency debited.
        source_currency: Currency,
        /// The currency credited.
        destination_currency: Currency,
        /// Least source amount, minor units.
        amount_min: u64,
        /// Greatest source amount, minor units.
        amount_max: u64,
        /// How long a transfer may stay pending, microseconds.
        hold_micros: u64,
        /// How soon after settlement a confirmation is owed, microseconds.
        credit_sla_micros: u64,
        /// How many open quotes a debtor agent may have.
        open_quotes_max: u32,
        /// Bits of `PayoutMethod::bit`.
        payout_methods: u8,
        /// The screening policy to cite.
        screening_policy_version: u32,
        /// Liquidity banks allowed; empty allows none.
        liquidity_banks: ArrayVec<ParticipantId, 8>,
        /// Purposes allowed; empty allows every code.
        purposes: ArrayVec<Purpose, 32>,
        /// Personal data required by amount.
        travel_rules: ArrayVec<TravelRule, 4>,
        /// A participant (regulator) that personal data must be sealed for too; 0 for none.
        regulator: ParticipantId,
    }

    /// One fee of a schedule: flat + basis points of the payer's principal leg, within bounds.
    pub struct Fee {
        /// Who pays.
        payer: FeePayer,
        /// The account that gets it, in the payer's currency.
        payee_account: AccountId,
        /// Minor units.
        flat: u64,
        /// Hundredths of a per cent, rounded half up.
        basis_points: u32,
        /// Least, minor units.
        amount_min: u64,
        /// Greatest, minor units.
        amount_max: u64,
    }

    /// Sets a corridor's fees.
    pub struct SetFeeSchedule {
        /// Salt source.
        nonce: Digest,
        /// Which corridor.
        corridor: CorridorId,
        /// Raised by one at each change, starting at 1.
        version: u32,
        /// The fees, in the order of their legs.
        fees: ArrayVec<Fee, 4>,
    }

    /// Records which screening policy is in force.
    pub struct SetScreeningPolicy {
        /// Salt source.
        nonce: Digest,
        /// Raised by one at each change, starting at 1.
        version: u32,
        /// SHA-256 of its text.
        digest: Digest,
    }
}
