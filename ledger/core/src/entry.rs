//! Applying one entry: time, expiries, envelopes, the entry record, and the proof that no money was made; it reads no clock.
use alloc::vec::Vec;

use ledger_proof::{EntryRecord, Field, Genesis, Part, RecordKind, codec::Digest, tree::sha256};
use ledger_types::{Currency, Timestamp, TransferId, TransferState};

use crate::{
    account::{Account, Movement},
    command::Command,
    ledger::Ledger,
    output::Output,
    participant::{Key, Participant},
    record::{Draft, expiry_origin, only_shared},
    transfer::TransferKey,
};

/// The most expiries of one entry.
pub(crate) const EXPIRIES_MAX: usize = 8_190;

/// Replicated time between two checkpoint cuts.
pub(crate) const CHECKPOINT_MICROS: u64 = 100_000;

impl Ledger {
    /// The state that a genesis founds, with record 0.
    #[must_use]
    pub fn found(genesis: &Genesis) -> (Self, Output) {
        let mut ledger = Self::empty(genesis);
        let mut out = Output::default();
        for key in &genesis.operator_keys {
            ledger.found_key(ledger_types::ParticipantId::OPERATOR, *key);
        }
        for bank in &genesis.custodians {
            let row = Participant {
                country: bank.country,
                bic: bank.bic,
                lei: ledger_types::ShortText::EMPTY,
                clearing_member: ledger_types::ShortText::EMPTY,
                name: bank.name,
                suspended: false,
                records: 0,
            };
            ledger.participants.set(bank.participant, Some(row));
            ledger.found_key(bank.participant, bank.signing_key);
        }
        for row in &genesis.currencies {
            let mut account = Account::new(row.custodian, row.currency);
            account.custody = true;
            ledger.accounts.set(row.custody_account, Some(account));
        }
        let parts = only_shared(genesis.to_bytes());
        ledger.push_record(&mut out, RecordKind::Genesis, None, parts);
        (ledger, out)
    }

    /// Applies one entry: `stamp` is the proposer's clock, no commands make a tick. It cannot
    /// fail; every cold row named by [`Ledger::missing`] must have been loaded.
    ///
    /// # Panics
    /// When money was made or lost, or a cold row was not loaded: the node must stop.
    pub fn apply(&mut self, stamp: Timestamp, commands: &[Command<'_>], out: &mut Output) {
        self.time = self.time.max(stamp);
        self.meta_dirty = true;
        self.touched.clear();
        let first_sequence = self.next_sequence;
        self.expire_due(out);
        self.close_quotes();
        self.forget_stale_requests();
        for command in commands {
            self.apply_envelope(command, out);
        }
        if self.next_sequence > first_sequence {
            self.end_entry(first_sequence, out);
            self.tail_open = true;
        }
        if self.tail_open && self.time.micros_since(self.checkpoint_at) >= CHECKPOINT_MICROS {
            self.checkpoint_at = self.time;
            self.tail_open = false;
            out.checkpoint_cut = true;
        }
        self.assert_conserved();
    }

    /// The time at which a tick has something to do: the next deadline, or the end of an open
    /// checkpoint tail.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let deadline = self.due.first().map(|(deadline, _, _)| *deadline);
        let tail = self.checkpoint_at.plus_micros(CHECKPOINT_MICROS);
        match (deadline, self.tail_open) {
            (Some(deadline), true) => Some(deadline.min(tail)),
            (None, true) => Some(tail),
            (deadline, false) => deadline,
        }
    }

    fn found_key(&mut self, participant: ledger_types::ParticipantId, public_key: Digest) {
        let kind = ledger_proof::operator::KeyKind::Signing;
        let id = ledger_proof::signature::key_id(kind, &public_key);
        self.keys.set(id, Some(Key::new(participant, kind, public_key)));
    }

    fn expire_due(&mut self, out: &mut Output) {
        let time = self.time;
        let due: Vec<TransferId> = self
            .due
            .iter()
            .take_while(|(deadline, _, _)| *deadline <= time)
            .take(EXPIRIES_MAX)
            .map(|(_, _, id)| *id)
            .collect();
        for id in due {
            self.expire(id, out);
        }
    }

    fn expire(&mut self, id: TransferId, out: &mut Output) {
        let Some(mut row) = self.transfers.get(&TransferKey(id)).cloned() else { return };
        self.move_legs(&row.legs.clone(), Movement::Void);
        let mut draft = Draft::between(id.debtor_agent, row.creditor_agent);
        draft.subject = id.uetr.bytes();
        draft.state = Some(TransferState::Expired);
        draft.reason = Some(ledger_types::Rejection::TransferExpired.reason());
        draft.corridor = row.corridor;
        (draft.amount, draft.currency) = (row.amount, row.currency);
        draft.deadline = row.deadline;
        let draft = self.with_parties(draft, &row);
        let origin = expiry_origin(row.nonce, row.item_hash);
        row.reason = draft.reason;
        let outcome = self.record(out, &origin, draft);
        row.decide(TransferState::Expired, self.time, outcome.sequence);
        self.transfer_set(id, Some(row));
    }

    /// Adds debtor agent, creditor agent and liquidity banks of a pending transfer's legs.
    pub(crate) fn with_parties(&self, draft: Draft, row: &crate::transfer::Transfer) -> Draft {
        let (debtor_agent, creditor_agent) = (draft.debtor_agent, draft.creditor_agent);
        let mut draft =
            draft.party(Part::Debtor, debtor_agent).party(Part::Creditor, creditor_agent);
        let banks = row.legs.iter().filter_map(|leg| self.owner(leg.debit_account));
        let mut free = [Part::Liquidity1, Part::Liquidity2].into_iter();
        let mut seen = arrayvec::ArrayVec::<_, 2>::new();
        for bank in banks {
            if bank != debtor_agent && bank != creditor_agent && !seen.contains(&bank) {
                let Some(part) = free.next() else { break };
                seen.push(bank);
                draft = draft.party(part, bank);
            }
        }
        draft
    }

    fn end_entry(&mut self, first_sequence: u64, out: &mut Output) {
        self.entries += 1;
        let record = EntryRecord {
            entry: self.entries,
            first_sequence,
            last_sequence: self.next_sequence,
            accounts_digest: self.touched_digest(),
            previous_digest: self.previous_entry_digest,
        };
        let bytes = record.to_bytes();
        self.previous_entry_digest = sha256(&[&bytes]);
        self.push_record(out, RecordKind::Entry, None, only_shared(bytes));
    }

    fn touched_digest(&mut self) -> Digest {
        self.touched.sort_unstable();
        self.touched.dedup();
        let mut bytes = Vec::with_capacity(self.touched.len() * 128);
        for id in &self.touched {
            if let Some(account) = self.accounts.get(id) {
                id.put(&mut bytes);
                account.put(&mut bytes);
            }
        }
        sha256(&[&bytes])
    }

    fn assert_conserved(&self) {
        for (currency, totals) in &self.totals {
            let pending = totals.debits_pending == totals.credits_pending;
            let posted = totals.debits_posted == totals.credits_posted;
            assert!(pending && posted, "{currency} was made or lost: {totals:?}");
        }
    }

    /// Sums of every account by currency, to be compared with the running totals in tests.
    #[must_use]
    pub fn sums(&self) -> Vec<(Currency, u128, u128)> {
        let mut sums = alloc::collections::BTreeMap::<Currency, (u128, u128)>::new();
        for (_, account) in self.accounts.iter() {
            let sum = sums.entry(account.currency).or_default();
            sum.0 += account.debits_posted;
            sum.1 += account.credits_posted;
        }
        sums.into_iter().map(|(currency, (debits, credits))| (currency, debits, credits)).collect()
    }
}
