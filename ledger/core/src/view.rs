//! Reading the state: accounts, participants, keys, corridors, transfers; it changes nothing.
use alloc::vec::Vec;

use ed25519_dalek::VerifyingKey;
use ledger_proof::{
    DecodeError, Field, Genesis,
    operator::{SetCorridor, SetFeeSchedule},
};
use ledger_types::{AccountId, KeyId, NetworkId, ParticipantId, TransferId};

use crate::{
    account::Account,
    ledger::Ledger,
    participant::{Key, Participant},
    rows::FeeKey,
    table::Key as _,
    transfer::{Transfer, TransferKey},
};

impl Ledger {
    /// The genesis.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The network's id.
    #[must_use]
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// A participant's signing key, active or retired.
    #[must_use]
    pub fn verifying_key(&self, participant: ParticipantId, key: KeyId) -> Option<&VerifyingKey> {
        let key = self.keys.get(&key).filter(|key| key.participant == participant)?;
        key.verifying.as_ref()
    }

    /// Every account with its number, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        self.accounts.iter().map(|(id, account)| (*id, account))
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// Every participant with its id, in no order.
    pub fn participants(&self) -> impl Iterator<Item = (ParticipantId, &Participant)> {
        self.participants.iter().map(|(id, row)| (*id, row))
    }

    /// Every key with its id, in no order.
    pub fn keys(&self) -> impl Iterator<Item = (KeyId, &Key)> {
        self.keys.iter().map(|(id, key)| (*id, key))
    }

    /// How many keys there are.
    #[must_use]
    pub fn keys_count(&self) -> usize {
        self.keys.iter().count()
    }

    /// Every corridor with the fee schedule in force, in no order.
    pub fn corridors(&self) -> impl Iterator<Item = (&SetCorridor, Option<&SetFeeSchedule>)> {
        self.corridors.iter().map(|(id, row)| (row, self.fee_schedules.get(&FeeKey(*id))))
    }

    /// A transfer, if its row is in memory: every pending one is.
    #[must_use]
    pub fn transfer(&self, id: &TransferId) -> Option<&Transfer> {
        self.transfers.peek(&TransferKey(*id))
    }

    /// The key under which a transfer that is not in memory is stored.
    #[must_use]
    pub fn transfer_key(id: &TransferId) -> Vec<u8> {
        TransferKey(*id).row_key(TransferKey::COLD.unwrap_or(TransferKey::HOT))
    }

    /// A transfer of a stored row.
    ///
    /// # Errors
    /// When the bytes are no row of this version.
    pub fn decode_transfer(row: &[u8]) -> Result<Transfer, DecodeError> {
        Transfer::from_bytes(row)
    }
}
