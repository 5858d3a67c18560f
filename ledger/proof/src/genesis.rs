//! The genesis: what a network is founded on, as canonical bytes; it starts nothing.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use ledger_types::{AccountId, Country, Currency, NetworkId, ParticipantId, ShortText, Timestamp};

use crate::{
    codec::{DecodeError, Digest, Field, layout},
    signature::verifying_key,
    tree::sha256,
};

layout! {
    /// A currency of the network.
    pub struct GenesisCurrency {
        /// Which.
        currency: Currency,
        /// Digits after the decimal point, 0 to 8; ISO 4217's where it states one.
        exponent: u8,
        /// Who holds its cash.
        custodian: ParticipantId,
        /// The contra account of all its balances.
        custody_account: AccountId,
    }

    /// A custodian bank, admitted by the genesis.
    pub struct Custodian {
        /// Its network id.
        participant: ParticipantId,
        /// Where it is licensed.
        country: Country,
        /// Its BIC.
        bic: ShortText,
        /// Its name for people.
        name: ShortText,
        /// Its first ed25519 key.
        signing_key: Digest,
    }

    /// A node's key for signing checkpoints.
    pub struct NodeKey {
        /// The node.
        node: u64,
        /// Its ed25519 key.
        public_key: Digest,
    }

    /// The network whose history this one continues.
    pub struct Predecessor {
        /// Its id.
        network: NetworkId,
        /// How many records it had.
        records: u64,
        /// Its root then.
        root: Digest,
        /// The digest of its state then.
        state_digest: Digest,
    }

    /// The founding statement; its SHA-256 is the network id.
    pub struct Genesis {
        /// 1.
        version: u16,
        /// When the network was founded; the time of record 0.
        founded_at: Timestamp,
        /// Name of the log (C2SP checkpoint origin), at most 35 characters.
        log_origin: ShortText,
        /// The rulebook's name.
        rulebook: ShortText,
        /// Its version.
        rulebook_version: ShortText,
        /// SHA-256 of its text.
        rulebook_digest: Digest,
        /// How many operator signatures a command needs (k).
        operator_threshold: u8,
        /// The operator's ed25519 keys (n).
        operator_keys: ArrayVec<Digest, 16>,
        /// Currencies, in code order.
        currencies: ArrayVec<GenesisCurrency, 32>,
        /// Custodians, in id order.
        custodians: ArrayVec<Custodian, 32>,
        /// Checkpoint keys of the nodes, in id order.
        node_keys: ArrayVec<NodeKey, 16>,
        /// Where a restored network comes from; none or one.
        predecessor: ArrayVec<Predecessor, 1>,
    }
}

impl Genesis {
    /// Reads a genesis file and checks what its founding rules demand.
    ///
    /// # Errors
    /// Names the field that breaks its rule.
    pub fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let genesis = Self::from_bytes(bytes)?;
        genesis.check().map(|()| genesis)
    }

    /// The network's id.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        NetworkId(sha256(&[&self.to_bytes()]))
    }

    fn check(&self) -> Result<(), DecodeError> {
        if self.version != 1 {
            return Err(DecodeError::invalid("version", "must be 1"));
        }
        let keys = self.operator_keys.len();
        if self.operator_threshold == 0 || usize::from(self.operator_threshold) > keys {
            return Err(DecodeError::invalid("operator_threshold", "must be 1 to the key count"));
        }
        if self.log_origin.as_bytes().is_empty() {
            return Err(DecodeError::invalid("log_origin", "must not be empty"));
        }
        self.check_currencies()?;
        self.check_custodians()?;
        self.check_keys()
    }

    fn check_currencies(&self) -> Result<(), DecodeError> {
        let rows = &self.currencies;
        if rows.is_empty() || !rows.is_sorted_by(|left, right| left.currency < right.currency) {
            return Err(DecodeError::invalid(
                "currencies",
                "must be given in code order, once each",
            ));
        }
        for (at, row) in rows.iter().enumerate() {
            if rows.iter().take(at).any(|other| other.custody_account == row.custody_account) {
                return Err(DecodeError::invalid("custody_account", "must serve one currency"));
            }
            if row.exponent > 8 || row.currency.exponent().is_some_and(|iso| iso != row.exponent) {
                return Err(DecodeError::invalid("exponent", "must be ISO 4217's, or at most 8"));
            }
            if !self.custodians.iter().any(|bank| bank.participant == row.custodian) {
                return Err(DecodeError::invalid("custodian", "must be one of the custodians"));
            }
        }
        Ok(())
    }

    fn check_custodians(&self) -> Result<(), DecodeError> {
        let banks = &self.custodians;
        if !banks.is_sorted_by(|left, right| left.participant < right.participant)
            || banks.first().is_some_and(|bank| bank.participant == ParticipantId::OPERATOR)
        {
            return Err(DecodeError::invalid("custodians", "must be given in id order, from 1"));
        }
        Ok(())
    }

    /// A key that signs for two could not say for whom; one of small order signs for anybody.
    fn check_keys(&self) -> Result<(), DecodeError> {
        let nodes = &self.node_keys;
        if !nodes.is_sorted_by(|left, right| left.node < right.node)
            || nodes.first().is_some_and(|node| node.node == 0)
        {
            return Err(DecodeError::invalid("node_keys", "must be given in id order, from 1"));
        }
        let operator = self.operator_keys.iter().map(|key| ("operator_keys", key));
        let custodians = self.custodians.iter().map(|bank| ("signing_key", &bank.signing_key));
        let nodes = nodes.iter().map(|node| ("public_key", &node.public_key));
        let mut known: Vec<&Digest> = Vec::new();
        for (field, key) in operator.chain(custodians).chain(nodes) {
            if verifying_key(key).is_none() {
                return Err(DecodeError::invalid(field, "must be an ed25519 key of full order"));
            }
            if known.contains(&key) {
                return Err(DecodeError::invalid(field, "must be of one holder only"));
            }
            known.push(key);
        }
        Ok(())
    }
}
