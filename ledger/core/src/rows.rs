//! The state as rows: which cold rows a command needs, what changed, and the state rebuilt from them; it opens no store.
use alloc::{collections::BTreeMap, vec::Vec};

use ledger_proof::{
    DecodeError, Field, Genesis, Item, Reader,
    item::Submit,
    operator::{SetCorridor, SetFeeSchedule, SetScreeningPolicy},
};
use ledger_types::{
    AccountId, CaseId, CorridorId, Currency, KeyId, ParticipantId, QuoteId, Timestamp, TransferId,
};

use crate::{
    account::Totals,
    cash::{FundKey, WithdrawalKey},
    command::Command,
    envelope::RequestKey,
    ledger::Ledger,
    recall::{CaseKey, RecalledKey},
    returns::original,
    table::{Key, Row},
    transfer::TransferKey,
};

/// The key of the one row of scalars.
const META: u8 = 0x01;

/// A fee schedule's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct FeeKey(pub(crate) CorridorId);

/// A screening policy's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct PolicyKey(pub(crate) u32);

impl Ledger {
    /// Adds to `keys` the cold rows that applying `commands` will look at and that are not in
    /// memory. Each must be given to [`Ledger::load`] before [`Ledger::apply`].
    pub fn missing(&self, commands: &[Command<'_>], keys: &mut Vec<Vec<u8>>) {
        for command in commands {
            let author = command.envelope.header.author;
            for item in &command.items {
                self.missing_for(author, item, keys);
            }
        }
    }

    fn missing_for(&self, author: ParticipantId, item: &Item, keys: &mut Vec<Vec<u8>>) {
        let mut transfer = |debtor_agent, uetr| {
            let key = TransferKey(TransferId { debtor_agent, uetr });
            if !self.transfers.knows(&key) {
                keys.push(cold(&key));
            }
        };
        match item {
            Item::Submit(item) => {
                transfer(author, item.uetr);
                self.missing_quotes(item, keys);
            }
            Item::Return(item) => {
                transfer(author, item.uetr);
                if let Some(id) = original(item) {
                    transfer(id.debtor_agent, id.uetr);
                }
                self.missing_quotes(item, keys);
            }
            Item::Accept(item) => transfer(item.debtor_agent, item.uetr),
            Item::Hold(item) => transfer(item.debtor_agent, item.uetr),
            Item::Reject(item) => transfer(item.debtor_agent, item.uetr),
            Item::Confirm(item) => transfer(item.debtor_agent, item.uetr),
            Item::Cancel(item) => transfer(author, item.uetr),
            Item::Resolve(item) => transfer(author, item.uetr),
            Item::Recall(item) => {
                let id = TransferId { debtor_agent: author, uetr: item.uetr };
                transfer(author, item.uetr);
                self.missing_recall(id, item.case, keys);
            }
            Item::AnswerRecall(item) => {
                let id = TransferId { debtor_agent: item.debtor_agent, uetr: item.uetr };
                transfer(item.debtor_agent, item.uetr);
                self.missing_recall(id, item.case, keys);
            }
            Item::RegisterQuote(item) => self.missing_quote(&item.quote, keys),
            Item::Fund(item) => {
                let key = FundKey::of(author, item);
                if !self.fundings.knows(&key) {
                    keys.push(cold(&key));
                }
            }
            Item::Withdraw(item) => {
                self.missing_withdrawal(author, item.withdrawal, keys);
            }
            Item::WithdrawPaid(item) => self.missing_withdrawal(item.owner, item.withdrawal, keys),
            Item::WithdrawFailed(item) => {
                self.missing_withdrawal(item.owner, item.withdrawal, keys);
            }
            Item::Admit(_)
            | Item::Suspend(_)
            | Item::AddKey(_)
            | Item::RetireKey(_)
            | Item::OpenAccount(_)
            | Item::SetCap(_)
            | Item::SetCorridor(_)
            | Item::SetFeeSchedule(_)
            | Item::SetScreeningPolicy(_) => {}
        }
    }

    fn missing_quotes(&self, item: &Submit, keys: &mut Vec<Vec<u8>>) {
        for quote in &item.quotes {
            self.missing_quote(quote, keys);
        }
    }

    fn missing_quote(&self, quote: &QuoteId, keys: &mut Vec<Vec<u8>>) {
        if !self.quotes.knows(quote) {
            keys.push(cold(quote));
        }
    }

    fn missing_withdrawal(
        &self,
        owner: ParticipantId,
        withdrawal: ledger_types::WithdrawalId,
        keys: &mut Vec<Vec<u8>>,
    ) {
        let key = WithdrawalKey { owner, withdrawal };
        if !self.withdrawals.knows(&key) {
            keys.push(cold(&key));
        }
    }

    fn missing_recall(&self, id: TransferId, case: CaseId, keys: &mut Vec<Vec<u8>>) {
        let key = CaseKey { debtor_agent: id.debtor_agent, case };
        if !self.recalls.knows(&key) {
            keys.push(cold(&key));
        }
        if !self.recalled.knows(&RecalledKey(id)) {
            keys.push(cold(&RecalledKey(id)));
        }
    }

    /// Takes one row read from the store, or that there is none.
    ///
    /// # Errors
    /// When the bytes are no row of this version.
    pub fn load(&mut self, key: &[u8], row: Option<&[u8]>) -> Result<(), DecodeError> {
        let unknown = DecodeError::invalid("row", "has an unknown prefix");
        let (prefix, rest) = key.split_first().ok_or(DecodeError::Short)?;
        match *prefix {
            META => row.map_or(Ok(()), |row| self.load_meta(row)),
            AccountId::HOT => self.accounts.load(rest, row),
            ParticipantId::HOT => self.participants.load(rest, row),
            KeyId::HOT => self.keys.load(rest, row),
            TransferKey::HOT | 0x85 => self.transfers.load(rest, row),
            QuoteId::HOT | 0x86 => self.quotes.load(rest, row),
            RequestKey::HOT => self.requests.load(rest, row),
            0x88 => self.fundings.load(rest, row),
            0x89 => self.withdrawals.load(rest, row),
            0x8d => self.recalls.load(rest, row),
            0x8e => self.recalled.load(rest, row),
            CorridorId::HOT => self.corridors.load(rest, row),
            FeeKey::HOT => self.fee_schedules.load(rest, row),
            PolicyKey::HOT => self.screening_policies.load(rest, row),
            _ => Err(unknown),
        }
    }

    /// Rebuilds the state from the rows whose key starts below 0x80.
    ///
    /// # Errors
    /// When a row is not of this version.
    pub fn restore<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        genesis: &Genesis,
        rows: impl Iterator<Item = (K, V)>,
    ) -> Result<Self, DecodeError> {
        let mut ledger = Self::empty(genesis);
        for (key, row) in rows {
            ledger.load(key.as_ref(), Some(row.as_ref()))?;
        }
        ledger.derive();
        ledger.meta_dirty = false;
        if !ledger.sums_agree() {
            return Err(DecodeError::invalid("totals", "must be the sums of the accounts"));
        }
        Ok(ledger)
    }

    /// Whether the running sums are those of the accounts.
    fn sums_agree(&self) -> bool {
        let mut sums = BTreeMap::<Currency, Totals>::new();
        for (_, account) in self.accounts.iter() {
            let sum = sums.entry(account.currency).or_default();
            sum.debits_pending += account.debits_pending;
            sum.debits_posted += account.debits_posted;
            sum.credits_pending += account.credits_pending;
            sum.credits_posted += account.credits_posted;
        }
        let of =
            |from: &BTreeMap<_, Totals>, currency| from.get(currency).copied().unwrap_or_default();
        let mut currencies = sums.keys().chain(self.totals.keys());
        currencies.all(|currency| of(&sums, currency) == of(&self.totals, currency))
    }

    /// Hands every row changed since the last call to `sink`: (key, row or removal).
    pub fn drain_dirty(&mut self, mut sink: impl FnMut(&[u8], Option<&[u8]>)) {
        if self.meta_dirty {
            let mut meta = Vec::new();
            self.put_meta(&mut meta);
            sink(&[META], Some(&meta));
            self.meta_dirty = false;
        }
        self.accounts.drain(&mut sink);
        self.participants.drain(&mut sink);
        self.keys.drain(&mut sink);
        self.transfers.drain(&mut sink);
        self.quotes.drain(&mut sink);
        self.requests.drain(&mut sink);
        self.recalls.drain(&mut sink);
        self.recalled.drain(&mut sink);
        self.fundings.drain(&mut sink);
        self.withdrawals.drain(&mut sink);
        self.corridors.drain(&mut sink);
        self.fee_schedules.drain(&mut sink);
        self.screening_policies.drain(&mut sink);
    }

    /// Forgets rows that were drained and need not be in memory. Call it once they are written.
    pub fn evict(&mut self) {
        self.transfers.evict();
        self.quotes.evict();
        self.recalls.evict();
        self.recalled.evict();
        self.fundings.evict();
        self.withdrawals.evict();
        self.requests.evict();
    }

    fn derive(&mut self) {
        let pending = self.transfers.iter().filter(|(_, row)| row.hot());
        self.due = pending.map(|(key, row)| (row.deadline, row.submit_sequence, key.0)).collect();
        for (id, quote) in self.quotes.iter().filter(|(_, quote)| !quote.closed) {
            self.quotes_open.insert((quote.terms.submit_by, *id));
            let key = (quote.terms.debtor_agent, quote.terms.corridor);
            *self.quotes_count.entry(key).or_default() += 1;
        }
        self.requests_stale =
            self.requests.iter().map(|(key, row)| (row.valid_until, *key)).collect();
    }

    fn put_meta(&self, out: &mut Vec<u8>) {
        1_u8.put(out);
        self.network.put(out);
        self.time.put(out);
        self.next_sequence.put(out);
        self.entries.put(out);
        self.previous_entry_digest.put(out);
        self.checkpoint_at.put(out);
        self.tail_open.put(out);
        u32::try_from(self.totals.len()).unwrap_or(u32::MAX).put(out);
        for (currency, totals) in &self.totals {
            currency.put(out);
            totals.put(out);
        }
    }

    fn load_meta(&mut self, row: &[u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::new(row);
        if reader.get::<u8>()? != 1 {
            return Err(DecodeError::invalid("state version", "must be 1"));
        }
        if reader.get::<ledger_types::NetworkId>()? != self.network {
            return Err(DecodeError::invalid("network", "is not that of the genesis"));
        }
        self.time = reader.get()?;
        self.next_sequence = reader.get()?;
        self.entries = reader.get()?;
        self.previous_entry_digest = reader.get()?;
        self.checkpoint_at = reader.get()?;
        self.tail_open = reader.get()?;
        for _ in 0..reader.get::<u32>()? {
            let (currency, totals): (Currency, Totals) = (reader.get()?, reader.get()?);
            self.totals.insert(currency, totals);
        }
        reader.end()
    }

    /// Every table begins to remember what is overwritten.
    pub(crate) fn journals_begin(&mut self) {
        self.accounts.journal_begin();
        self.participants.journal_begin();
        self.keys.journal_begin();
        self.transfers.journal_begin();
        self.quotes.journal_begin();
        self.recalls.journal_begin();
        self.recalled.journal_begin();
        self.fundings.journal_begin();
        self.withdrawals.journal_begin();
        self.corridors.journal_begin();
        self.fee_schedules.journal_begin();
        self.screening_policies.journal_begin();
    }

    /// Every table forgets what was overwritten.
    pub(crate) fn journals_forget(&mut self) {
        self.accounts.journal_end();
        self.participants.journal_end();
        self.keys.journal_end();
        self.transfers.journal_end();
        self.quotes.journal_end();
        self.recalls.journal_end();
        self.recalled.journal_end();
        self.fundings.journal_end();
        self.withdrawals.journal_end();
        self.corridors.journal_end();
        self.fee_schedules.journal_end();
        self.screening_policies.journal_end();
    }

    /// Every table goes back to where the journals began.
    pub(crate) fn journals_undo(&mut self) {
        for (key, old) in self.transfers.journal_end() {
            self.transfer_set(key.0, old);
        }
        for (key, old) in self.quotes.journal_end() {
            self.quote_set(key, old);
        }
        undo(&mut self.accounts);
        undo(&mut self.participants);
        undo(&mut self.keys);
        undo(&mut self.recalls);
        undo(&mut self.recalled);
        undo(&mut self.fundings);
        undo(&mut self.withdrawals);
        undo(&mut self.corridors);
        undo(&mut self.fee_schedules);
        undo(&mut self.screening_policies);
    }

    /// The ledger's replicated time.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// How many records there are: the next record's number.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.next_sequence
    }

    /// How many entries made records.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }
}

fn undo<K: Key, V: Row>(table: &mut crate::table::Table<K, V>) {
    for (key, old) in table.journal_end() {
        table.set(key, old);
    }
}

fn cold<K: Key>(key: &K) -> Vec<u8> {
    key.row_key(K::COLD.unwrap_or(K::HOT))
}

impl Field for FeeKey {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.get().map(Self)
    }
}

impl Field for PolicyKey {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.get().map(Self)
    }
}

impl Row for SetCorridor {}
impl Row for SetFeeSchedule {}
impl Row for SetScreeningPolicy {}

impl Key for CorridorId {
    const HOT: u8 = 0x0a;
    const COLD: Option<u8> = None;
}

impl Key for FeeKey {
    const HOT: u8 = 0x0b;
    const COLD: Option<u8> = None;
}

impl Key for PolicyKey {
    const HOT: u8 = 0x0c;
    const COLD: Option<u8> = None;
}
