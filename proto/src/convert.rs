//! The only code that turns wire messages into the field's words and back; it refuses what has no meaning there.
use ledger_proof::{
    codec::{DecodeError, Digest},
    item::RegisterQuote,
    record::{Part, RecordKind},
};
use ledger_types::{
    AccountId, ConfirmationStatus, CorridorId, Currency, ParticipantId, Rejection, StatusReason,
    Timestamp, TransferId, TransferState, Uetr, text::ParseError,
};

use crate::ledger as wire;

mod network;

pub use network::{CurrencyTerms, Network, Participant, PublicAccount};

/// A wire message that has no meaning in the field's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Error {
    /// The message's field.
    pub field: &'static str,
    /// What it must be.
    pub reason: String,
}

impl Error {
    fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::new(error.field, error.reason)
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::new("bytes", error.to_string())
    }
}

/// The outcome of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The record's number.
    pub sequence: u64,
    /// Why it was refused; `None` for done.
    pub rejection: Option<Rejection>,
    /// The transfer's state afterwards.
    pub state: Option<TransferState>,
    /// The reason given with the outcome.
    pub reason: Option<StatusReason>,
    /// The record of the first answer to the same item.
    pub first_sequence: Option<u64>,
}

/// The outcomes of one envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// In item order; one for a refused envelope.
    pub outcomes: Vec<Outcome>,
    /// Whether the envelope was refused as a whole.
    pub envelope_refused: bool,
    /// Replicated time of the entry.
    pub at: Timestamp,
    /// Whether these are the stored outcomes of the same bytes.
    pub resent: bool,
}

impl From<Outcome> for wire::Outcome {
    fn from(outcome: Outcome) -> Self {
        Self {
            sequence: outcome.sequence,
            rejection: outcome.rejection.map_or(0, |rejection| u32::from(rejection.number())),
            state: outcome.state.map_or(0, |state| u32::from(state.code())),
            reason: outcome.reason.map(|reason| reason.to_string()).unwrap_or_default(),
            first_sequence: outcome.first_sequence.unwrap_or(0),
        }
    }
}

impl TryFrom<wire::Outcome> for Outcome {
    type Error = Error;

    fn try_from(wire: wire::Outcome) -> Result<Self, Error> {
        Ok(Self {
            sequence: wire.sequence,
            rejection: rejection(wire.rejection)?,
            state: state(wire.state)?,
            reason: reason(&wire.reason)?,
            first_sequence: (wire.first_sequence != 0).then_some(wire.first_sequence),
        })
    }
}

impl From<Submitted> for wire::SubmitResponse {
    fn from(submitted: Submitted) -> Self {
        Self {
            outcomes: submitted.outcomes.into_iter().map(Into::into).collect(),
            envelope_refused: submitted.envelope_refused,
            at_micros: submitted.at.micros(),
            resent: submitted.resent,
        }
    }
}

impl TryFrom<wire::SubmitResponse> for Submitted {
    type Error = Error;

    fn try_from(wire: wire::SubmitResponse) -> Result<Self, Error> {
        Ok(Self {
            outcomes: wire.outcomes.into_iter().map(Outcome::try_from).collect::<Result<_, _>>()?,
            envelope_refused: wire.envelope_refused,
            at: Timestamp::from_micros(wire.at_micros),
            resent: wire.resent,
        })
    }
}

/// A transfer as the ledger answers for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Its identity.
    pub id: TransferId,
    /// Who decides on it.
    pub creditor_agent: ParticipantId,
    /// Its corridor.
    pub corridor: CorridorId,
    /// Where it stands.
    pub state: TransferState,
    /// Reason of a hold or an end.
    pub reason: Option<StatusReason>,
    /// Why the ledger refused the submit.
    pub rejection: Option<Rejection>,
    /// Interbank settlement amount, minor units.
    pub amount: u64,
    /// Its currency.
    pub currency: Currency,
    /// When it expires if nobody accepts.
    pub deadline: Timestamp,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When it settled or ended; zero while pending.
    pub decided_at: Timestamp,
    /// When its last confirmation was recorded; zero before.
    pub confirmed_at: Timestamp,
    /// The last confirmation.
    pub confirmation: Option<ConfirmationStatus>,
    /// The record of its submit.
    pub submit_sequence: u64,
    /// The record that settled or ended it; zero while pending.
    pub decided_sequence: u64,
    /// Until when the creditor agent holds it; zero when it does not.
    pub held_until: Timestamp,
    /// Sum of returns, minor units.
    pub returned: u64,
}

impl From<Transfer> for wire::Transfer {
    fn from(transfer: Transfer) -> Self {
        Self {
            debtor_agent: transfer.id.debtor_agent.0,
            uetr: transfer.id.uetr.bytes().to_vec().into(),
            creditor_agent: transfer.creditor_agent.0,
            corridor: transfer.corridor.0,
            state: u32::from(transfer.state.code()),
            reason: transfer.reason.map(|reason| reason.to_string()).unwrap_or_default(),
            rejection: transfer.rejection.map_or(0, |rejection| u32::from(rejection.number())),
            amount: transfer.amount,
            currency: transfer.currency.to_string(),
            deadline_micros: transfer.deadline.micros(),
            submitted_at_micros: transfer.submitted_at.micros(),
            decided_at_micros: transfer.decided_at.micros(),
            confirmed_at_micros: transfer.confirmed_at.micros(),
            confirmation: transfer
                .confirmation
                .map(|status| status.as_str().to_owned())
                .unwrap_or_default(),
            submit_sequence: transfer.submit_sequence,
            decided_sequence: transfer.decided_sequence,
            held_until_micros: transfer.held_until.micros(),
            returned: transfer.returned,
        }
    }
}

impl TryFrom<wire::Transfer> for Transfer {
    type Error = Error;

    fn try_from(wire: wire::Transfer) -> Result<Self, Error> {
        Ok(Self {
            id: TransferId {
                debtor_agent: ParticipantId(wire.debtor_agent),
                uetr: uetr(&wire.uetr)?,
            },
            creditor_agent: ParticipantId(wire.creditor_agent),
            corridor: CorridorId(wire.corridor),
            state: state(wire.state)?.ok_or_else(|| Error::new("state", "is missing"))?,
            reason: reason(&wire.reason)?,
            rejection: rejection(wire.rejection)?,
            amount: wire.amount,
            currency: wire.currency.parse()?,
            deadline: Timestamp::from_micros(wire.deadline_micros),
            submitted_at: Timestamp::from_micros(wire.submitted_at_micros),
            decided_at: Timestamp::from_micros(wire.decided_at_micros),
            confirmed_at: Timestamp::from_micros(wire.confirmed_at_micros),
            confirmation: confirmation(&wire.confirmation)?,
            submit_sequence: wire.submit_sequence,
            decided_sequence: wire.decided_sequence,
            held_until: Timestamp::from_micros(wire.held_until_micros),
            returned: wire.returned,
        })
    }
}

/// An account's balances in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Its number.
    pub account: AccountId,
    /// Its owner.
    pub owner: ParticipantId,
    /// Its currency.
    pub currency: Currency,
    /// Reserved debits.
    pub debits_pending: u128,
    /// Posted debits.
    pub debits_posted: u128,
    /// Credits that wait for acceptance.
    pub credits_pending: u128,
    /// Posted credits.
    pub credits_posted: u128,
    /// How far debits may exceed credits.
    pub net_debit_cap: u64,
    /// Whether it is the contra account of its currency.
    pub custody: bool,
    /// Whether credits need no accept.
    pub standing_acceptance: bool,
}

impl Balance {
    /// What may still be debited: credits posted + cap − debits posted − debits pending.
    #[must_use]
    pub fn available(&self) -> u128 {
        self.credits_posted
            .saturating_add(u128::from(self.net_debit_cap))
            .saturating_sub(self.debits_posted.saturating_add(self.debits_pending))
    }
}

impl From<Balance> for wire::Balance {
    fn from(balance: Balance) -> Self {
        Self {
            account: balance.account.0,
            owner: balance.owner.0,
            currency: balance.currency.to_string(),
            debits_pending: balance.debits_pending.to_string(),
            debits_posted: balance.debits_posted.to_string(),
            credits_pending: balance.credits_pending.to_string(),
            credits_posted: balance.credits_posted.to_string(),
            net_debit_cap: balance.net_debit_cap,
            custody: balance.custody,
            standing_acceptance: balance.standing_acceptance,
        }
    }
}

impl TryFrom<wire::Balance> for Balance {
    type Error = Error;

    fn try_from(wire: wire::Balance) -> Result<Self, Error> {
        let units = |field, text: &str| {
            text.parse::<u128>().map_err(|_| Error::new(field, "must be decimal digits"))
        };
        Ok(Self {
            account: AccountId(wire.account),
            owner: ParticipantId(wire.owner),
            currency: wire.currency.parse()?,
            debits_pending: units("debits_pending", &wire.debits_pending)?,
            debits_posted: units("debits_posted", &wire.debits_posted)?,
            credits_pending: units("credits_pending", &wire.credits_pending)?,
            credits_posted: units("credits_posted", &wire.credits_posted)?,
            net_debit_cap: wire.net_debit_cap,
            custody: wire.custody,
            standing_acceptance: wire.standing_acceptance,
        })
    }
}

/// One event of a stream.
#[derive(Clone, Debug)]
pub enum Event {
    /// A record, its parts opened for the reader.
    Record(Box<RecordEvent>),
    /// Nothing happened; the stream is alive.
    Heartbeat {
        /// Records applied on the serving node.
        records: u64,
        /// Replicated time of the last.
        at: Timestamp,
        /// The reader's next own number.
        next_number: u64,
    },
}

/// A record as one reader may see it.
#[derive(Clone, Debug)]
pub struct RecordEvent {
    /// Its number.
    pub sequence: u64,
    /// Of what.
    pub kind: RecordKind,
    /// Replicated time.
    pub at: Timestamp,
    /// The reader's own number.
    pub number: u64,
    /// Parts opened for the reader: (part, salt, bytes).
    pub parts: Vec<(Part, Option<Digest>, bytes::Bytes)>,
    /// The six digests of the leaf.
    pub digests: [Digest; 6],
    /// Sealed data for the reader.
    pub blob: Option<bytes::Bytes>,
    /// The signed item, for the operator.
    pub item: Option<bytes::Bytes>,
}

impl RecordEvent {
    /// The bytes of a part, if it was opened.
    #[must_use]
    pub fn part(&self, wanted: Part) -> Option<&bytes::Bytes> {
        self.parts.iter().find(|(part, _, _)| *part == wanted).map(|(_, _, bytes)| bytes)
    }
}

impl From<RecordEvent> for wire::RecordEvent {
    fn from(event: RecordEvent) -> Self {
        // One piece of memory for all six.
        let all = bytes::Bytes::from(event.digests.concat());
        let digests = (0..event.digests.len()).map(|at| all.slice(32 * at..32 * (at + 1)));
        Self {
            sequence: event.sequence,
            kind: u32::from(event.kind.code()),
            at_micros: event.at.micros(),
            number: event.number,
            parts: event
                .parts
                .into_iter()
                .map(|(part, salt, bytes)| wire::OpenedPart {
                    part: u32::from(part.code()),
                    salt: salt.map(|salt| salt.to_vec()).unwrap_or_default().into(),
                    bytes,
                })
                .collect(),
            digests: digests.collect(),
            blob: event.blob.unwrap_or_default(),
            item: event.item.unwrap_or_default(),
        }
    }
}

impl TryFrom<wire::RecordEvent> for RecordEvent {
    type Error = Error;

    fn try_from(wire: wire::RecordEvent) -> Result<Self, Error> {
        let kind = u8::try_from(wire.kind).ok().and_then(RecordKind::from_code);
        let mut parts = Vec::new();
        for opened in wire.parts {
            let part = Part::ALL
                .into_iter()
                .find(|part| u32::from(part.code()) == opened.part)
                .ok_or_else(|| Error::new("part", "must be 0 to 5"))?;
            let salt = match opened.salt.is_empty() {
                true => None,
                false => Some(digest("salt", &opened.salt)?),
            };
            parts.push((part, salt, opened.bytes));
        }
        let digests: Vec<Digest> =
            wire.digests.iter().map(|bytes| digest("digest", bytes)).collect::<Result<_, _>>()?;
        let present = |bytes: bytes::Bytes| (!bytes.is_empty()).then_some(bytes);
        Ok(Self {
            sequence: wire.sequence,
            kind: kind.ok_or_else(|| Error::new("kind", "is unknown to this version"))?,
            at: Timestamp::from_micros(wire.at_micros),
            number: wire.number,
            parts,
            digests: digests.try_into().map_err(|_| Error::new("digests", "must be six"))?,
            blob: present(wire.blob),
            item: present(wire.item),
        })
    }
}

impl TryFrom<wire::Event> for Event {
    type Error = Error;

    fn try_from(wire: wire::Event) -> Result<Self, Error> {
        match wire.event {
            Some(wire::event::Event::Record(record)) => {
                RecordEvent::try_from(record).map(Box::new).map(Self::Record)
            }
            Some(wire::event::Event::Heartbeat(beat)) => Ok(Self::Heartbeat {
                records: beat.records,
                at: Timestamp::from_micros(beat.at_micros),
                next_number: beat.next_number,
            }),
            None => Err(Error::new("event", "is missing")),
        }
    }
}

/// A firm quote as the fx service answers it.
#[must_use]
pub fn quote_response(
    liquidity_bank: ParticipantId,
    quote: &RegisterQuote,
) -> crate::fx::RequestQuoteResponse {
    crate::fx::RequestQuoteResponse {
        quote_id: quote.quote.0.to_vec().into(),
        liquidity_bank: liquidity_bank.0,
        source_account: quote.source_account.0,
        destination_account: quote.destination_account.0,
        source_amount: quote.source_amount,
        destination_amount: quote.destination_amount,
        payout_fee: quote.payout_fee,
        rate: quote.rate.to_string(),
        mid_rate: quote.mid_rate.to_string(),
        mid_source: quote.mid_source.to_string(),
        mid_at_micros: quote.mid_at.micros(),
        submit_by_micros: quote.submit_by.micros(),
        hold_until_micros: quote.hold_until.micros(),
        fee_schedule_version: quote.fee_schedule_version,
    }
}

/// Thirty-two bytes.
///
/// # Errors
/// When there are more or fewer.
pub fn digest(field: &'static str, bytes: &[u8]) -> Result<Digest, Error> {
    bytes.try_into().map_err(|_| Error::new(field, "must be 32 bytes"))
}

/// Sixteen bytes of a UUID version 4.
///
/// # Errors
/// When they are none.
pub fn uetr(bytes: &[u8]) -> Result<Uetr, Error> {
    let bytes = bytes.try_into().map_err(|_| Error::new("uetr", "must be 16 bytes"))?;
    Ok(Uetr::from_bytes(bytes)?)
}

fn rejection(number: u32) -> Result<Option<Rejection>, Error> {
    if number == 0 {
        return Ok(None);
    }
    u16::try_from(number)
        .ok()
        .and_then(Rejection::from_number)
        .map(Some)
        .ok_or_else(|| Error::new("rejection", "is unknown to this version"))
}

fn state(code: u32) -> Result<Option<TransferState>, Error> {
    if code == 0 {
        return Ok(None);
    }
    u8::try_from(code)
        .ok()
        .and_then(TransferState::from_code)
        .map(Some)
        .ok_or_else(|| Error::new("state", "must be 0 to 7"))
}

fn reason(text: &str) -> Result<Option<StatusReason>, Error> {
    if text.is_empty() { Ok(None) } else { Ok(Some(text.parse()?)) }
}

fn confirmation(text: &str) -> Result<Option<ConfirmationStatus>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    ConfirmationStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == text)
        .map(Some)
        .ok_or_else(|| Error::new("confirmation", "must be ACCC, CPUC, ACWP or BLCK"))
}
