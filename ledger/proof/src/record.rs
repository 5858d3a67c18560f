//! Records: what every outcome is written as, hashed part by part; whom a part is shown to is the reader's rule.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use hmac::{Hmac, KeyInit, Mac};
use ledger_types::{
    AccountId, CaseId, ConfirmationStatus, CorridorId, Currency, KeyId, ParticipantId,
    PayoutMethod, Purpose, QuoteId, RecallAnswer, RequestId, ShortText, StatusReason, Timestamp,
    Uetr,
};
use sha2::Sha256;

use crate::{
    codec::{DecodeError, Digest, Field, Reader, layout},
    item::{ItemKind, Leg, Link},
    tree::{leaf_hash, sha256},
};

/// The version byte of a leaf.
pub const RECORD_VERSION: u8 = 1;

/// What a record is the outcome of. Codes below 128 are those of [`ItemKind`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RecordKind {
    /// An item's outcome.
    Item(ItemKind),
    /// The expiry of a pending transfer.
    Expiry,
    /// The end of an entry.
    Entry,
    /// The network's genesis, record 0.
    Genesis,
    /// The refusal of a whole envelope.
    EnvelopeRefusal,
}

impl RecordKind {
    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Item(kind) => kind.code(),
            Self::Expiry => 128,
            Self::Entry => 129,
            Self::Genesis => 130,
            Self::EnvelopeRefusal => 131,
        }
    }

    /// The kind of a stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            128 => Some(Self::Expiry),
            129 => Some(Self::Entry),
            130 => Some(Self::Genesis),
            131 => Some(Self::EnvelopeRefusal),
            _ => ItemKind::from_code(code).map(Self::Item),
        }
    }
}

/// The parts of a record, each hashed under its own salt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// Open to every party of the record.
    Shared = 0,
    /// The debtor agent's (the author's, where there is no transfer).
    Debtor = 1,
    /// The creditor agent's (the account owner's, where there is no transfer).
    Creditor = 2,
    /// The first liquidity bank's.
    Liquidity1 = 3,
    /// The second liquidity bank's.
    Liquidity2 = 4,
    /// The operator's.
    Operator = 5,
}

impl Part {
    /// Every part in the order of the leaf.
    pub const ALL: [Self; 6] = [
        Self::Shared,
        Self::Debtor,
        Self::Creditor,
        Self::Liquidity1,
        Self::Liquidity2,
        Self::Operator,
    ];

    /// Its place in the leaf, 0 to 5.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Shared => 0,
            Self::Debtor => 1,
            Self::Creditor => 2,
            Self::Liquidity1 => 3,
            Self::Liquidity2 => 4,
            Self::Operator => 5,
        }
    }

    /// The code in the salt's derivation, 0 to 5.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Shared => 0,
            Self::Debtor => 1,
            Self::Creditor => 2,
            Self::Liquidity1 => 3,
            Self::Liquidity2 => 4,
            Self::Operator => 5,
        }
    }
}

/// A record as history keeps it: the parts' bytes and the nonce that salts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Of what.
    pub kind: RecordKind,
    /// Its number, without gaps from 0.
    pub sequence: u64,
    /// The replicated time of its entry.
    pub at: Timestamp,
    /// The nonce of the signed item; `None` for genesis and entry records, which are unsalted.
    pub nonce: Option<Digest>,
    /// The parts' bytes; an empty part is absent.
    pub parts: [Vec<u8>; 6],
}

impl Record {
    /// A part's salt: HMAC-SHA-256(nonce, kind ‖ part); empty for unsalted records.
    #[must_use]
    pub fn salt(&self, part: Part) -> Option<Digest> {
        self.nonce.as_ref().map(|nonce| salt(nonce, self.kind, part))
    }

    /// The salts of the parts that are there, in the order of [`Part::ALL`].
    #[must_use]
    pub fn salts(&self) -> [Option<Digest>; 6] {
        let Some(keyed) = self.nonce.as_ref().and_then(keyed) else { return [None; 6] };
        Part::ALL.map(|part| {
            let absent = self.parts[part.index()].is_empty();
            (!absent).then(|| derived(keyed.clone(), self.kind, part))
        })
    }

    /// The digests of the parts under their [`salts`](Self::salts), in the order of [`Part::ALL`].
    #[must_use]
    pub fn digests(&self, salts: &[Option<Digest>; 6]) -> [Digest; 6] {
        Part::ALL.map(Part::index).map(|at| part_digest(salts[at].as_ref(), &self.parts[at]))
    }

    /// The leaf data: version ‖ kind ‖ sequence ‖ time ‖ six digests (210 bytes).
    #[must_use]
    pub fn leaf_data(&self) -> Vec<u8> {
        leaf_data(self.kind, self.sequence, self.at, &self.digests(&self.salts()))
    }

    /// The RFC 6962 leaf hash of the record.
    #[must_use]
    pub fn leaf_hash(&self) -> Digest {
        leaf_hash(&self.leaf_data())
    }
}

fn leaf_data(kind: RecordKind, sequence: u64, at: Timestamp, digests: &[Digest; 6]) -> Vec<u8> {
    let mut out = Vec::with_capacity(210);
    RECORD_VERSION.put(&mut out);
    kind.code().put(&mut out);
    sequence.put(&mut out);
    at.put(&mut out);
    digests.iter().for_each(|digest| digest.put(&mut out));
    out
}

/// The RFC 6962 leaf hash of a record whose parts are known by their digests, in the order of [`Part::ALL`].
#[must_use]
pub fn leaf_of(kind: RecordKind, sequence: u64, at: Timestamp, digests: &[Digest; 6]) -> Digest {
    leaf_hash(&leaf_data(kind, sequence, at, digests))
}

/// Derives a part's salt.
#[must_use]
pub fn salt(nonce: &Digest, kind: RecordKind, part: Part) -> Digest {
    keyed(nonce).map(|keyed| derived(keyed, kind, part)).unwrap_or_default()
}

/// What all salts of one nonce begin with; HMAC takes a key of any length, so this cannot fail for 32 bytes.
fn keyed(nonce: &Digest) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(nonce).ok()
}

fn derived(keyed: Hmac<Sha256>, kind: RecordKind, part: Part) -> Digest {
    keyed.chain_update([kind.code(), part.code()]).finalize().into_bytes().into()
}

/// SHA-256(salt ‖ bytes); 32 zero bytes for an absent part.
#[must_use]
pub fn part_digest(salt: Option<&Digest>, bytes: &[u8]) -> Digest {
    match (bytes.is_empty(), salt) {
        (true, _) => [0; 32],
        (false, Some(salt)) => sha256(&[salt, bytes]),
        (false, None) => sha256(&[bytes]),
    }
}

impl Field for Record {
    fn put(&self, out: &mut Vec<u8>) {
        self.kind.code().put(out);
        self.sequence.put(out);
        self.at.put(out);
        self.nonce.is_some().put(out);
        if let Some(nonce) = &self.nonce {
            nonce.put(out);
        }
        for part in &self.parts {
            u16::try_from(part.len()).unwrap_or(u16::MAX).put(out);
            out.extend_from_slice(part);
        }
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = RecordKind::from_code(reader.get()?)
            .ok_or(DecodeError::invalid("record kind", "is unknown"))?;
        let (sequence, at) = (reader.get()?, reader.get()?);
        let nonce = if reader.get::<bool>()? { Some(reader.get()?) } else { None };
        let mut parts = <[Vec<u8>; 6]>::default();
        for part in &mut parts {
            let length: u16 = reader.get()?;
            *part = reader.take(usize::from(length))?.to_vec();
        }
        Ok(Self { kind, sequence, at, nonce, parts })
    }
}

layout! {
    /// The shared part of every item's record.
    pub struct SharedPart {
        /// 0 for done, else the number of the refusal (docs/format.md).
        outcome: u16,
        /// The state of the transfer afterwards, 0 where there is none.
        state: u8,
        /// Reason given with the outcome, `NARR` for none.
        reason: StatusReason,
        /// Who signed.
        author: ParticipantId,
        /// In which request.
        request: RequestId,
        /// At which place in it.
        item: u16,
        /// RFC 6962 leaf hash of the item's bytes.
        item_hash: Digest,
        /// The transfer's debtor agent (the author, where there is no transfer).
        debtor_agent: ParticipantId,
        /// UETR, quote, withdrawal or zero: the name of what it is about.
        subject: [u8; 16],
        /// The transfer's creditor agent (the account owner, where there is no transfer).
        creditor_agent: ParticipantId,
        /// The corridor, 0 for none.
        corridor: CorridorId,
        /// Interbank settlement amount in minor units, 0 for none.
        amount: u64,
        /// Its currency, `XXX` for none.
        currency: Currency,
        /// Deadline of a pending transfer; `until` of a hold; `confirmed_at` of a confirmation.
        deadline: Timestamp,
        /// The record of the first answer, where this one repeats or names it; 0 otherwise.
        first_sequence: u64,
        /// Linked transfers.
        links: ArrayVec<Link, 4>,
        /// What else the kind of item says openly (docs/format.md, "Detail").
        detail: Detail,
    }

    /// The part of one party to a record.
    pub struct PartyPart {
        /// Whose.
        participant: ParticipantId,
        /// That participant's own gapless number of this record, from 1.
        number: u64,
        /// Movements on its accounts; reserved, posted or released as the state says.
        legs: ArrayVec<Leg, 8>,
        /// What else only it sees (docs/format.md, "Detail").
        detail: Detail,
    }

    /// Shared detail of a submit or return.
    pub struct SubmitDetail {
        /// Whether it settled without accept.
        single_phase: bool,
        /// How the creditor is paid.
        payout_method: PayoutMethod,
        /// Why the debtor pays; in a return, the return reason.
        purpose: Purpose,
        /// Commitment to the sealed personal data.
        commitment: Digest,
        /// SHA-256 of the sealed blob.
        blob_digest: Digest,
        /// Keys that it is sealed for.
        sealed_for: ArrayVec<KeyId, 4>,
        /// Digests of documents held elsewhere.
        document_digests: ArrayVec<Digest, 4>,
    }

    /// The debtor agent's detail of a submit or return.
    pub struct DebtorDetail {
        /// Amount of the first principal leg, minor units.
        instructed_amount: u64,
        /// Its currency.
        instructed_currency: Currency,
        /// Quotes used.
        quotes: ArrayVec<QuoteId, 2>,
    }

    /// A liquidity bank's detail of a submit or return.
    pub struct LiquidityDetail {
        /// Its quote.
        quote: QuoteId,
    }

    /// Shared detail of a confirmation.
    pub struct ConfirmDetail {
        /// What became of the money.
        status: ConfirmationStatus,
        /// The creditor agent's own reference.
        reference: ShortText,
    }

    /// Shared detail of an accept.
    pub struct AcceptDetail {
        /// The creditor agent's own reference.
        reference: ShortText,
    }

    /// Shared detail of a recall.
    pub struct RecallDetail {
        /// What the debtor agent calls it.
        case: CaseId,
    }

    /// Shared detail of an answer to a recall.
    pub struct AnswerRecallDetail {
        /// Which recall.
        case: CaseId,
        /// What the answer is.
        answer: RecallAnswer,
        /// The return by which the money comes back: one when accepted, else none.
        returns: ArrayVec<Uetr, 1>,
    }

    /// Shared detail of a funding.
    pub struct FundDetail {
        /// The account credited.
        account: AccountId,
        /// Booking day, yyyymmdd.
        value_date: u32,
        /// The custodian's reference.
        bank_reference: ShortText,
    }

    /// Shared detail of a withdrawal's request.
    pub struct WithdrawDetail {
        /// The account debited.
        account: AccountId,
    }

    /// Shared detail of a paid withdrawal.
    pub struct PaidDetail {
        /// The custodian's reference.
        bank_reference: ShortText,
    }

    /// The shared part of a refused envelope's record.
    pub struct RefusalPart {
        /// The number of the refusal.
        outcome: u16,
        /// Who signed.
        author: ParticipantId,
        /// In which request.
        request: RequestId,
        /// SHA-256 of the header.
        envelope_digest: Digest,
    }

    /// The shared part of the record that ends an entry.
    pub struct EntryRecord {
        /// The entry's number, without gaps from 1.
        entry: u64,
        /// First record of the entry.
        first_sequence: u64,
        /// This record.
        last_sequence: u64,
        /// SHA-256 over the touched accounts' rows, in account order.
        accounts_digest: Digest,
        /// SHA-256 of the previous entry record's bytes; the network id for the first.
        previous_digest: Digest,
    }
}

/// Bytes whose meaning the record's kind fixes, at most 1,024.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Detail(pub Vec<u8>);

impl Field for Detail {
    fn put(&self, out: &mut Vec<u8>) {
        u16::try_from(self.0.len()).unwrap_or(u16::MAX).put(out);
        out.extend_from_slice(&self.0);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length: u16 = reader.get()?;
        reader.take(usize::from(length)).map(|bytes| Self(bytes.to_vec()))
    }
}
