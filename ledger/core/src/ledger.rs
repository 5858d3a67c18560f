//! The state as one value: its tables and the sets derived from them; commands live in their own files.
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use ledger_proof::{
    Digest, Genesis,
    operator::{SetCorridor, SetFeeSchedule, SetScreeningPolicy},
};
use ledger_types::{
    AccountId, CorridorId, Currency, KeyId, NetworkId, ParticipantId, QuoteId, Timestamp,
    TransferId, TransferState,
};

use crate::{
    account::{Account, Totals},
    cash::{FundKey, FundRow, Withdrawal, WithdrawalKey},
    envelope::{RequestKey, RequestRow},
    participant::{Key, Participant},
    quote::Quote,
    recall::{CaseKey, Recall, RecalledKey, RecalledRow},
    table::Table,
    transfer::{Transfer, TransferKey},
};

/// The replicated state. Equal entries applied to equal states give equal states and outputs.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) genesis: Genesis,
    pub(crate) network: NetworkId,
    pub(crate) time: Timestamp,
    pub(crate) next_sequence: u64,
    pub(crate) entries: u64,
    pub(crate) previous_entry_digest: Digest,
    pub(crate) checkpoint_at: Timestamp,
    pub(crate) tail_open: bool,
    pub(crate) totals: BTreeMap<Currency, Totals>,
    pub(crate) accounts: Table<AccountId, Account>,
    pub(crate) participants: Table<ParticipantId, Participant>,
    pub(crate) keys: Table<KeyId, Key>,
    pub(crate) requests: Table<RequestKey, RequestRow>,
    pub(crate) transfers: Table<TransferKey, Transfer>,
    pub(crate) quotes: Table<QuoteId, Quote>,
    pub(crate) recalls: Table<CaseKey, Recall>,
    /// The last recall of each transfer.
    pub(crate) recalled: Table<RecalledKey, RecalledRow>,
    pub(crate) fundings: Table<FundKey, FundRow>,
    pub(crate) withdrawals: Table<WithdrawalKey, Withdrawal>,
    pub(crate) corridors: Table<CorridorId, SetCorridor>,
    pub(crate) fee_schedules: Table<crate::rows::FeeKey, SetFeeSchedule>,
    pub(crate) screening_policies: Table<crate::rows::PolicyKey, SetScreeningPolicy>,
    /// Pending transfers by deadline: derived from `transfers`.
    pub(crate) due: BTreeSet<(Timestamp, u64, TransferId)>,
    /// Open quotes by `submit_by`: derived from `quotes`.
    pub(crate) quotes_open: BTreeSet<(Timestamp, QuoteId)>,
    /// How many open quotes a debtor agent has in a corridor: derived from `quotes`.
    pub(crate) quotes_count: BTreeMap<(ParticipantId, CorridorId), u32>,
    /// Remembered requests by `valid_until`: derived from `requests`.
    pub(crate) requests_stale: BTreeSet<(Timestamp, RequestKey)>,
    /// Accounts changed in the current entry.
    pub(crate) touched: Vec<AccountId>,
    pub(crate) meta_dirty: bool,
}

impl Ledger {
    pub(crate) fn empty(genesis: &Genesis) -> Self {
        let network = genesis.network();
        Self {
            genesis: genesis.clone(),
            network,
            time: genesis.founded_at,
            next_sequence: 0,
            entries: 0,
            previous_entry_digest: network.0,
            checkpoint_at: genesis.founded_at,
            tail_open: false,
            totals: BTreeMap::new(),
            accounts: Table::new(),
            participants: Table::new(),
            keys: Table::new(),
            requests: Table::new(),
            transfers: Table::new(),
            quotes: Table::new(),
            recalls: Table::new(),
            recalled: Table::new(),
            fundings: Table::new(),
            withdrawals: Table::new(),
            corridors: Table::new(),
            fee_schedules: Table::new(),
            screening_policies: Table::new(),
            due: BTreeSet::new(),
            quotes_open: BTreeSet::new(),
            quotes_count: BTreeMap::new(),
            requests_stale: BTreeSet::new(),
            touched: Vec::new(),
            meta_dirty: true,
        }
    }

    /// Writes a transfer and keeps `due` in step.
    pub(crate) fn transfer_set(&mut self, id: TransferId, new: Option<Transfer>) {
        let pending = |row: &Transfer| row.state == TransferState::Pending;
        if let Some(old) = self.transfers.peek(&TransferKey(id)).filter(|row| pending(row)) {
            self.due.remove(&(old.deadline, old.submit_sequence, id));
        }
        if let Some(new) = new.as_ref().filter(|row| pending(row)) {
            self.due.insert((new.deadline, new.submit_sequence, id));
        }
        self.transfers.set(TransferKey(id), new);
    }

    /// Writes a quote and keeps the open quotes in step.
    pub(crate) fn quote_set(&mut self, id: QuoteId, new: Option<Quote>) {
        if let Some(old) = self.quotes.peek(&id).filter(|row| !row.closed) {
            self.quotes_open.remove(&(old.terms.submit_by, id));
            let key = (old.terms.debtor_agent, old.terms.corridor);
            let count = self.quotes_count.entry(key).or_default();
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.quotes_count.remove(&key);
            }
        }
        if let Some(new) = new.as_ref().filter(|row| !row.closed) {
            self.quotes_open.insert((new.terms.submit_by, id));
            let key = (new.terms.debtor_agent, new.terms.corridor);
            *self.quotes_count.entry(key).or_default() += 1;
        }
        self.quotes.set(id, new);
    }

    /// Digits after the decimal point of a currency of this network.
    pub(crate) fn exponent(&self, currency: Currency) -> Option<u8> {
        let row = self.genesis.currencies.iter().find(|row| row.currency == currency);
        row.map(|row| row.exponent)
    }

    /// Whether a participant has an active sealing key among these.
    pub(crate) fn sealed_for(&self, participant: ParticipantId, keys: &[KeyId]) -> bool {
        keys.iter().any(|id| {
            self.keys.get(id).is_some_and(|key| {
                key.participant == participant
                    && !key.retired
                    && key.kind == ledger_proof::operator::KeyKind::Sealing
            })
        })
    }
}
