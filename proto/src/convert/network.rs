//! The network as its participants may know it, on the wire and in the field's words; it names no transfer.
use ledger_proof::{
    codec::{Digest, Field},
    operator::{SetCorridor, SetFeeSchedule},
};
use ledger_types::{AccountId, CorridorId, Country, Currency, NetworkId, ParticipantId};

use super::{Error, digest};
use crate::ledger as wire;

/// What every participant may know of the network.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// Who takes part.
    pub participants: Vec<Participant>,
    /// Corridors with the fee schedule in force.
    pub corridors: Vec<(SetCorridor, Option<SetFeeSchedule>)>,
    /// Currencies with exponent and custodian.
    pub currencies: Vec<CurrencyTerms>,
    /// Accounts by which participants are paid.
    pub accounts: Vec<PublicAccount>,
}

/// A participant as others may know it.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Network id.
    pub id: ParticipantId,
    /// For people.
    pub name: String,
    /// Where it is licensed.
    pub country: Country,
    /// Empty if it has none.
    pub bic: String,
    /// Empty if it has none.
    pub lei: String,
    /// Empty if it has none.
    pub clearing_member: String,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Active X25519 keys.
    pub sealing_keys: Vec<Digest>,
    /// Active ed25519 keys.
    pub signing_keys: Vec<Digest>,
}

/// A currency of the network.
#[derive(Clone, Copy, Debug)]
pub struct CurrencyTerms {
    /// Which.
    pub currency: Currency,
    /// Digits after the decimal point.
    pub exponent: u8,
    /// Who holds its cash.
    pub custodian: ParticipantId,
    /// The contra account.
    pub custody_account: AccountId,
}

/// An account by which its owner is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicAccount {
    /// Its number.
    pub account: AccountId,
    /// Its owner.
    pub owner: ParticipantId,
    /// Its currency.
    pub currency: Currency,
    /// Whether credits need no accept.
    pub standing_acceptance: bool,
}

impl Network {
    /// A participant by id.
    #[must_use]
    pub fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.id == id)
    }

    /// A corridor and its fee schedule by id.
    #[must_use]
    pub fn corridor(&self, id: CorridorId) -> Option<&(SetCorridor, Option<SetFeeSchedule>)> {
        self.corridors.iter().find(|(terms, _)| terms.corridor == id)
    }

    /// The digits after the decimal point of a currency of this network.
    #[must_use]
    pub fn exponent(&self, currency: Currency) -> Option<u8> {
        self.currencies.iter().find(|row| row.currency == currency).map(|row| row.exponent)
    }

    /// A participant's lowest-numbered account in a currency, custody accounts left out.
    #[must_use]
    pub fn account(&self, owner: ParticipantId, currency: Currency) -> Option<AccountId> {
        self.accounts
            .iter()
            .filter(|row| row.owner == owner && row.currency == currency)
            .filter(|row| !self.currencies.iter().any(|own| own.custody_account == row.account))
            .map(|row| row.account)
            .min()
    }
}

impl From<Network> for wire::GetNetworkResponse {
    fn from(network: Network) -> Self {
        Self {
            network_id: network.id.0.to_vec().into(),
            participants: network.participants.into_iter().map(Into::into).collect(),
            corridors: network
                .corridors
                .into_iter()
                .map(|(terms, fees)| wire::Corridor {
                    terms: terms.to_bytes().into(),
                    fee_schedule: fees.map(|fees| fees.to_bytes()).unwrap_or_default().into(),
                })
                .collect(),
            currencies: network
                .currencies
                .into_iter()
                .map(|row| wire::Currency {
                    code: row.currency.to_string(),
                    exponent: u32::from(row.exponent),
                    custodian: row.custodian.0,
                    custody_account: row.custody_account.0,
                })
                .collect(),
            accounts: network
                .accounts
                .into_iter()
                .map(|row| wire::PublicAccount {
                    account: row.account.0,
                    owner: row.owner.0,
                    currency: row.currency.to_string(),
                    standing_acceptance: row.standing_acceptance,
                })
                .collect(),
        }
    }
}

impl From<Participant> for wire::Participant {
    fn from(participant: Participant) -> Self {
        let keys = |keys: Vec<Digest>| keys.iter().map(|key| key.to_vec().into()).collect();
        Self {
            id: participant.id.0,
            name: participant.name,
            country: participant.country.to_string(),
            bic: participant.bic,
            lei: participant.lei,
            clearing_member: participant.clearing_member,
            suspended: participant.suspended,
            sealing_keys: keys(participant.sealing_keys),
            signing_keys: keys(participant.signing_keys),
        }
    }
}

impl TryFrom<wire::Participant> for Participant {
    type Error = Error;

    fn try_from(wire: wire::Participant) -> Result<Self, Error> {
        let keys = |keys: Vec<bytes::Bytes>| {
            keys.iter().map(|key| digest("key", key)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            id: ParticipantId(wire.id),
            name: wire.name,
            country: wire.country.parse()?,
            bic: wire.bic,
            lei: wire.lei,
            clearing_member: wire.clearing_member,
            suspended: wire.suspended,
            sealing_keys: keys(wire.sealing_keys)?,
            signing_keys: keys(wire.signing_keys)?,
        })
    }
}

impl TryFrom<wire::GetNetworkResponse> for Network {
    type Error = Error;

    fn try_from(wire: wire::GetNetworkResponse) -> Result<Self, Error> {
        let mut corridors = Vec::new();
        for row in wire.corridors {
            let fees = match row.fee_schedule.is_empty() {
                true => None,
                false => Some(SetFeeSchedule::from_bytes(&row.fee_schedule)?),
            };
            corridors.push((SetCorridor::from_bytes(&row.terms)?, fees));
        }
        let mut currencies = Vec::new();
        for row in wire.currencies {
            currencies.push(CurrencyTerms {
                currency: row.code.parse()?,
                exponent: u8::try_from(row.exponent)
                    .map_err(|_| Error::new("exponent", "must be below 256"))?,
                custodian: ParticipantId(row.custodian),
                custody_account: AccountId(row.custody_account),
            });
        }
        let mut accounts = Vec::new();
        for row in wire.accounts {
            accounts.push(PublicAccount {
                account: AccountId(row.account),
                owner: ParticipantId(row.owner),
                currency: row.currency.parse()?,
                standing_acceptance: row.standing_acceptance,
            });
        }
        let participants = wire.participants.into_iter().map(Participant::try_from);
        Ok(Self {
            id: NetworkId(digest("network_id", &wire.network_id)?),
            participants: participants.collect::<Result<_, _>>()?,
            corridors,
            currencies,
            accounts,
        })
    }
}
