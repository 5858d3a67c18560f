//! What is decided about an envelope before its items: resend, staleness, keys, threshold, all-or-nothing.
use alloc::vec::Vec;

use ledger_proof::{
    DecodeError, Digest, Field, Item, Part, Reader, RecordKind, envelope::VALIDITY_MICROS_MAX,
    operator::KeyKind, record::RefusalPart,
};
use ledger_types::{KeyId, ParticipantId, Rejection, RequestId, Timestamp, TransferId};

use crate::{
    command::Command,
    ledger::Ledger,
    output::{Answer, Outcome, Output},
    record::{Draft, Origin, Party, item_kind},
    table::{Key, Row},
    transfer::TransferKey,
};

/// (author, request id).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct RequestKey {
    pub(crate) author: ParticipantId,
    pub(crate) request: RequestId,
}

/// What is remembered of a request until it is stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestRow {
    pub(crate) digest: Digest,
    pub(crate) first_sequence: u64,
    pub(crate) count: u32,
    pub(crate) valid_until: Timestamp,
}

impl Ledger {
    /// Applies one envelope.
    pub(crate) fn apply_envelope(&mut self, command: &Command<'_>, out: &mut Output) {
        let header = &command.envelope.header;
        let key = RequestKey { author: header.author, request: header.request };
        let known = self.requests.get(&key);
        if let Some(row) = known.filter(|row| row.digest == command.digest) {
            let resent = Some((row.first_sequence, row.count));
            out.answers.push(Answer { resent, ..Answer::default() });
            return;
        }
        let reused = known.is_some();
        let first_sequence = self.next_sequence;
        let checked = if reused { Err(Rejection::RequestReused) } else { self.admits(command) };
        let answer = match checked {
            Err(rejection) => self.refuse_envelope(command, rejection, out),
            Ok(()) if header.all_or_nothing() => self.apply_together(command, out),
            Ok(()) => {
                let outcomes = self.apply_items(command, out);
                Answer { outcomes, ..Answer::default() }
            }
        };
        // Until then a resend could still be applied.
        if !reused && header.valid_until >= self.time {
            let row = RequestRow {
                digest: command.digest,
                first_sequence,
                count: u32::try_from(answer.outcomes.len()).unwrap_or(u32::MAX),
                valid_until: header.valid_until,
            };
            self.requests_stale.insert((row.valid_until, key));
            self.requests.set(key, Some(row));
        }
        out.answers.push(answer);
    }

    /// Forgets requests that can only be refused as stale.
    pub(crate) fn forget_stale_requests(&mut self) {
        while let Some((valid_until, key)) = self.requests_stale.first().copied() {
            if valid_until >= self.time {
                break;
            }
            self.requests_stale.remove(&(valid_until, key));
            self.requests.set(key, None);
        }
    }

    fn admits(&self, command: &Command<'_>) -> Result<(), Rejection> {
        let header = &command.envelope.header;
        if header.valid_until < self.time {
            return Err(Rejection::EnvelopeStale);
        }
        if header.valid_until > self.time.plus_micros(VALIDITY_MICROS_MAX) {
            return Err(Rejection::EnvelopeValidityTooLong);
        }
        let mut signers: Vec<KeyId> = Vec::new();
        for signature in &command.envelope.signatures {
            let active = self.keys.get(&signature.key).is_some_and(|key| {
                key.participant == header.author && !key.retired && key.kind == KeyKind::Signing
            });
            if !active {
                return Err(Rejection::KeyNotActive);
            }
            if !signers.contains(&signature.key) {
                signers.push(signature.key);
            }
        }
        let threshold = match header.author {
            ParticipantId::OPERATOR => usize::from(self.genesis.operator_threshold),
            _ => 1,
        };
        if signers.len() < threshold {
            return Err(Rejection::SignaturesTooFew);
        }
        Ok(())
    }

    fn refuse_envelope(
        &mut self,
        command: &Command<'_>,
        rejection: Rejection,
        out: &mut Output,
    ) -> Answer {
        let header = &command.envelope.header;
        let part = RefusalPart {
            outcome: rejection.number(),
            author: header.author,
            request: header.request,
            envelope_digest: command.digest,
        };
        let sequence = self.next_sequence;
        let mut parts = <[Vec<u8>; 6]>::default();
        parts[Part::Shared.index()] = part.to_bytes();
        let author = Party::plain(Part::Debtor, header.author);
        self.number_parties(out, [author].into_iter().collect(), &mut parts);
        // Salted by the first item's nonce: an envelope has at least one item.
        let nonce = command.items.first().map(|item| *item.nonce());
        self.push_record(out, RecordKind::EnvelopeRefusal, nonce, parts);
        let outcome = Outcome {
            sequence,
            rejection: Some(rejection),
            state: None,
            reason: Some(rejection.reason()),
            first_sequence: None,
        };
        Answer { refused_whole: true, resent: None, outcomes: alloc::vec![outcome] }
    }

    fn apply_items(&mut self, command: &Command<'_>, out: &mut Output) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(command.items.len());
        for (at, item) in command.items.iter().enumerate() {
            let origin = origin(command, at, item);
            outcomes.push(self.apply_item(item, &origin, out));
        }
        outcomes
    }

    /// Applies every item, or refuses every item if one is refused.
    fn apply_together(&mut self, command: &Command<'_>, out: &mut Output) -> Answer {
        let before = (self.next_sequence, out.records.len(), out.numbers.len());
        let (totals, touched) = (self.totals.clone(), self.touched.len());
        self.journals_begin();
        let outcomes = self.apply_items(command, out);
        let Some(culprit) = outcomes.iter().position(|outcome| outcome.rejection.is_some()) else {
            self.journals_forget();
            return Answer { outcomes, ..Answer::default() };
        };
        let rejection = outcomes.get(culprit).and_then(|outcome| outcome.rejection);
        self.journals_undo();
        (self.next_sequence, self.totals) = (before.0, totals);
        out.records.truncate(before.1);
        out.numbers.truncate(before.2);
        self.touched.truncate(touched);
        let outcomes = command.items.iter().enumerate().map(|(at, item)| {
            let rejection = rejection.filter(|_| at == culprit);
            let rejection = rejection.unwrap_or(Rejection::RefusedWithOthers);
            self.refuse_together(item, &origin(command, at, item), rejection, out)
        });
        Answer { outcomes: outcomes.collect(), ..Answer::default() }
    }

    /// Refuses one item of several that stand or fall together. A transfer's identity is used up
    /// by it, as by any refusal.
    fn refuse_together(
        &mut self,
        item: &Item,
        origin: &Origin,
        rejection: Rejection,
        out: &mut Output,
    ) -> Outcome {
        let (debtor_agent, subject) = named(item, origin.author);
        let mut known = None;
        if let Item::Submit(submit) | Item::Return(submit) = item {
            let id = TransferId { debtor_agent, uetr: submit.uetr };
            known = self.transfers.get(&TransferKey(id)).map(|row| row.submit_sequence);
            if known.is_none() {
                let outcome = self.book(id, submit, origin, Err(rejection), out);
                let returns = matches!(item, Item::Return(_));
                self.transfers.change(&TransferKey(id), |row| row.return_of_another = returns);
                return outcome;
            }
        }
        let mut draft = Draft::between(debtor_agent, ParticipantId::OPERATOR);
        draft.first_sequence = known;
        draft.subject = subject;
        draft.rejection = Some(rejection);
        let draft = draft.party(Part::Debtor, origin.author);
        self.record(out, origin, draft)
    }

    fn apply_item(&mut self, item: &Item, origin: &Origin, out: &mut Output) -> Outcome {
        match item {
            Item::Submit(item) => self.submit(item, origin, out),
            Item::Return(item) => self.return_(item, origin, out),
            Item::Accept(item) => self.accept(item, origin, out),
            Item::Hold(item) => self.hold(item, origin, out),
            Item::Reject(item) => self.reject(item, origin, out),
            Item::Confirm(item) => self.confirm(item, origin, out),
            Item::Cancel(item) => self.cancel(item, origin, out),
            Item::Recall(item) => self.recall(item, origin, out),
            Item::AnswerRecall(item) => self.answer_recall(item, origin, out),
            Item::Resolve(item) => self.resolve(item, origin, out),
            Item::RegisterQuote(item) => self.register_quote(item, origin, out),
            Item::Fund(item) => self.fund(item, origin, out),
            Item::Withdraw(item) => self.withdraw(item, origin, out),
            Item::WithdrawPaid(item) => self.withdraw_paid(item, origin, out),
            Item::WithdrawFailed(item) => self.withdraw_failed(item, origin, out),
            Item::Admit(_)
            | Item::Suspend(_)
            | Item::AddKey(_)
            | Item::RetireKey(_)
            | Item::OpenAccount(_)
            | Item::SetCap(_)
            | Item::SetCorridor(_)
            | Item::SetFeeSchedule(_)
            | Item::SetScreeningPolicy(_) => {
                let result = self.administer(item);
                self.plain(out, origin, result)
            }
        }
    }
}

/// The debtor agent and the name of what an item is about, as its record states them.
fn named(item: &Item, author: ParticipantId) -> (ParticipantId, [u8; 16]) {
    match item {
        Item::Submit(item) | Item::Return(item) => (author, item.uetr.bytes()),
        Item::Accept(item) => (item.debtor_agent, item.uetr.bytes()),
        Item::Hold(item) => (item.debtor_agent, item.uetr.bytes()),
        Item::Reject(item) => (item.debtor_agent, item.uetr.bytes()),
        Item::Confirm(item) => (item.debtor_agent, item.uetr.bytes()),
        Item::Cancel(item) => (author, item.uetr.bytes()),
        Item::Recall(item) => (author, item.uetr.bytes()),
        Item::AnswerRecall(item) => (item.debtor_agent, item.uetr.bytes()),
        Item::Resolve(item) => (author, item.uetr.bytes()),
        Item::RegisterQuote(item) => (item.debtor_agent, item.quote.0),
        Item::Withdraw(item) => (author, item.withdrawal.0),
        Item::WithdrawPaid(item) => (author, item.withdrawal.0),
        Item::WithdrawFailed(item) => (author, item.withdrawal.0),
        Item::Fund(_)
        | Item::Admit(_)
        | Item::Suspend(_)
        | Item::AddKey(_)
        | Item::RetireKey(_)
        | Item::OpenAccount(_)
        | Item::SetCap(_)
        | Item::SetCorridor(_)
        | Item::SetFeeSchedule(_)
        | Item::SetScreeningPolicy(_) => (author, [0; 16]),
    }
}

fn origin(command: &Command<'_>, at: usize, item: &Item) -> Origin {
    let header = &command.envelope.header;
    Origin {
        author: header.author,
        request: header.request,
        item: u16::try_from(at).unwrap_or(u16::MAX),
        item_hash: command.item_hashes.get(at).copied().unwrap_or_default(),
        nonce: *item.nonce(),
        kind: item_kind(item.kind()),
    }
}

impl Field for RequestKey {
    fn put(&self, out: &mut Vec<u8>) {
        self.author.put(out);
        self.request.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { author: reader.get()?, request: reader.get()? })
    }
}

impl Field for RequestRow {
    fn put(&self, out: &mut Vec<u8>) {
        self.digest.put(out);
        self.first_sequence.put(out);
        self.count.put(out);
        self.valid_until.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            digest: reader.get()?,
            first_sequence: reader.get()?,
            count: reader.get()?,
            valid_until: reader.get()?,
        })
    }
}

impl Row for RequestRow {}

impl Key for RequestKey {
    const HOT: u8 = 0x07;
    const COLD: Option<u8> = None;
}
