//! The items participants sign, one layout each; whether one is allowed is the core's word, not this file's.
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use ledger_types::{
    AccountId, CaseId, ConfirmationStatus, CorridorId, Currency, KeyId, ParticipantId,
    PayoutMethod, Purpose, QuoteId, Rate, RecallAnswer, ShortText, StatusReason, Timestamp, Uetr,
    WithdrawalId,
};

use crate::{
    codec::{DecodeError, Digest, Field, Reader, layout},
    operator::{
        AddKey, Admit, OpenAccount, RetireKey, SetCap, SetCorridor, SetFeeSchedule,
        SetScreeningPolicy, Suspend,
    },
};

/// The version byte that every item starts with.
pub const ITEM_VERSION: u8 = 1;

/// The longest item, in bytes.
pub const ITEM_LENGTH_MAX: usize = 1_024;

/// What kind of item an envelope carries. Numbers are fixed for life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum ItemKind {
    /// Submit a transfer.
    Submit = 1,
    /// Accept a transfer.
    Accept = 2,
    /// Hold a transfer for review.
    Hold = 3,
    /// Reject a transfer.
    Reject = 4,
    /// Confirm what became of a settled transfer.
    Confirm = 5,
    /// Cancel a pending transfer.
    Cancel = 6,
    /// Return money of a settled transfer.
    Return = 7,
    /// Ask for money of a settled transfer back.
    Recall = 8,
    /// Answer a recall.
    AnswerRecall = 9,
    /// Learn a transfer's outcome, or close its identity for ever.
    Resolve = 10,
    /// Register a quote.
    RegisterQuote = 11,
    /// Fund an account.
    Fund = 12,
    /// Request a withdrawal.
    Withdraw = 13,
    /// Reserved: attest.
    Attest = 14,
    /// The custodian paid a withdrawal out.
    WithdrawPaid = 15,
    /// The custodian could not pay it out.
    WithdrawFailed = 16,
    /// Admit a participant.
    Admit = 32,
    /// Suspend or resume a participant.
    Suspend = 33,
    /// Add a key.
    AddKey = 34,
    /// Retire a key.
    RetireKey = 35,
    /// Open an account.
    OpenAccount = 36,
    /// Set a net debit cap.
    SetCap = 37,
    /// Set a corridor.
    SetCorridor = 38,
    /// Set a fee schedule.
    SetFeeSchedule = 39,
    /// Set a screening policy.
    SetScreeningPolicy = 40,
    /// Reserved: close a business day.
    CloseDay = 41,
    /// Reserved: adjust.
    Adjust = 42,
}

impl ItemKind {
    /// Every kind that this version accepts.
    pub const ACCEPTED: [Self; 24] = [
        Self::Submit,
        Self::Accept,
        Self::Hold,
        Self::Reject,
        Self::Confirm,
        Self::Cancel,
        Self::Return,
        Self::Recall,
        Self::AnswerRecall,
        Self::Resolve,
        Self::RegisterQuote,
        Self::Fund,
        Self::Withdraw,
        Self::WithdrawPaid,
        Self::WithdrawFailed,
        Self::Admit,
        Self::Suspend,
        Self::AddKey,
        Self::RetireKey,
        Self::OpenAccount,
        Self::SetCap,
        Self::SetCorridor,
        Self::SetFeeSchedule,
        Self::SetScreeningPolicy,
    ];

    /// The code in the header, in each item and in its record.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "a fieldless enum's own discriminant")]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind of a code; `None` for a reserved or unknown one.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ACCEPTED.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether only the operator's keys may sign it.
    #[must_use]
    pub const fn operator(self) -> bool {
        self.code() >= 32
    }
}

/// What a leg moves money for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LegKind {
    /// The transferred amount itself.
    Principal,
    /// A fee of the fee schedule.
    Fee,
    /// The payout partner's fee priced into a quote.
    PayoutFee,
}

impl Field for LegKind {
    fn put(&self, out: &mut Vec<u8>) {
        let code: u8 = match self {
            Self::Principal => 1,
            Self::Fee => 2,
            Self::PayoutFee => 3,
        };
        code.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.get::<u8>()? {
            1 => Ok(Self::Principal),
            2 => Ok(Self::Fee),
            3 => Ok(Self::PayoutFee),
            _ => Err(DecodeError::invalid("leg kind", "must be 1, 2 or 3")),
        }
    }
}

layout! {
    /// One movement within a transfer: 28 bytes.
    pub struct Leg {
        /// Why.
        kind: LegKind,
        /// In which currency.
        currency: Currency,
        /// The account debited.
        debit_account: AccountId,
        /// The account credited.
        credit_account: AccountId,
        /// Minor units, at least 1.
        amount: u64,
    }

    /// A transfer that this one refers to: 24 bytes.
    pub struct Link {
        /// Its UETR; its debtor agent is the linking item's `creditor_agent`.
        uetr: Uetr,
        /// How much of it is meant, in minor units of the linked transfer's settlement currency.
        amount: u64,
    }

    /// A transfer, or (as [`Item::Return`]) the return of one.
    pub struct Submit {
        /// 32 random bytes from which the salts of this item's record are derived.
        nonce: Digest,
        /// The transfer's reference.
        uetr: Uetr,
        /// Who shall accept it.
        creditor_agent: ParticipantId,
        /// Under which corridor's rules.
        corridor: CorridorId,
        /// Settle at once, on standing acceptance.
        single_phase: bool,
        /// How the creditor is paid.
        payout_method: PayoutMethod,
        /// Why the debtor pays; in a return, the reason as an ISO return reason code.
        purpose: Purpose,
        /// The item's own deadline; the ledger may set an earlier one.
        deadline: Timestamp,
        /// The fee schedule that the legs were made by.
        fee_schedule_version: u32,
        /// The screening policy that the debtor agent followed.
        screening_policy_version: u32,
        /// SHA-256 of the sealed blob, zero when there is none.
        blob_digest: Digest,
        /// Commitment to the sealed personal data, zero when there is none.
        commitment: Digest,
        /// Quotes used, in the order of the chain.
        quotes: ArrayVec<QuoteId, 2>,
        /// Movements: principal legs in order, then fees.
        legs: ArrayVec<Leg, 8>,
        /// Linked transfers; in a return, the original first.
        links: ArrayVec<Link, 4>,
        /// Digests of documents held elsewhere.
        document_digests: ArrayVec<Digest, 4>,
        /// Keys that the blob's data key is wrapped for.
        sealed_for: ArrayVec<KeyId, 4>,
    }

    /// The creditor agent accepts.
    pub struct Accept {
        /// Salt source.
        nonce: Digest,
        /// Whose transfer.
        debtor_agent: ParticipantId,
        /// Which transfer.
        uetr: Uetr,
        /// The creditor agent's own reference.
        reference: ShortText,
    }

    /// The creditor agent reviews; the deadline stays.
    pub struct Hold {
        /// Salt source.
        nonce: Digest,
        /// Whose transfer.
        debtor_agent: ParticipantId,
        /// Which transfer.
        uetr: Uetr,
        /// Why.
        reason: StatusReason,
        /// Until when it expects to decide; never later than the deadline.
        until: Timestamp,
    }

    /// The creditor agent refuses.
    pub struct Reject {
        /// Salt source.
        nonce: Digest,
        /// Whose transfer.
        debtor_agent: ParticipantId,
        /// Which transfer.
        uetr: Uetr,
        /// Why.
        reason: StatusReason,
    }

    /// The creditor agent says what became of a settled transfer.
    pub struct Confirm {
        /// Salt source.
        nonce: Digest,
        /// Whose transfer.
        debtor_agent: ParticipantId,
        /// Which transfer.
        uetr: Uetr,
        /// What.
        status: ConfirmationStatus,
        /// When, by the creditor agent's own books.
        confirmed_at: Timestamp,
        /// The creditor agent's own reference.
        reference: ShortText,
    }

    /// The debtor agent withdraws before acceptance.
    pub struct Cancel {
        /// Salt source.
        nonce: Digest,
        /// Which of the author's transfers.
        uetr: Uetr,
        /// Why.
        reason: StatusReason,
    }

    /// The debtor agent asks for money of a settled transfer back; no money moves.
    pub struct Recall {
        /// Salt source.
        nonce: Digest,
        /// Which of the author's transfers.
        uetr: Uetr,
        /// What the author calls this recall.
        case: CaseId,
        /// Why, as an ISO cancellation reason code.
        reason: StatusReason,
        /// How much is asked back, in minor units of the transfer's settlement currency.
        amount: u64,
        /// By when an answer is expected.
        answer_by: Timestamp,
    }

    /// The creditor agent answers a recall; no money moves.
    pub struct AnswerRecall {
        /// Salt source.
        nonce: Digest,
        /// Whose transfer.
        debtor_agent: ParticipantId,
        /// Which transfer.
        uetr: Uetr,
        /// Which recall of it.
        case: CaseId,
        /// What the answer is.
        answer: RecallAnswer,
        /// Why, as an ISO code of a camt.029; in one that accepts, the return reason.
        reason: StatusReason,
        /// The return by which the money comes back: one when accepted, else none.
        returns: ArrayVec<Uetr, 1>,
        /// By when a pending answer is followed by another, else 0.
        promised_at: Timestamp,
    }

    /// The debtor agent asks for an outcome, closing the identity if there is none.
    pub struct Resolve {
        /// Salt source.
        nonce: Digest,
        /// Which of the author's transfers.
        uetr: Uetr,
    }

    /// A liquidity bank's firm quote.
    pub struct RegisterQuote {
        /// Salt source.
        nonce: Digest,
        /// Its name.
        quote: QuoteId,
        /// Who may use it.
        debtor_agent: ParticipantId,
        /// In which corridor.
        corridor: CorridorId,
        /// False: the source amount is fixed; true: the destination amount.
        destination_fixed: bool,
        /// False: one exact use; true: any uses by rate until `source_amount` is drawn.
        reusable: bool,
        /// Where the bank takes the source currency.
        source_account: AccountId,
        /// Where the bank gives the destination currency.
        destination_account: AccountId,
        /// The currency taken.
        source_currency: Currency,
        /// The currency given.
        destination_currency: Currency,
        /// Exact amount taken, or the most when reusable; minor units.
        source_amount: u64,
        /// Exact amount given; 0 when reusable; minor units.
        destination_amount: u64,
        /// Destination per source.
        rate: Rate,
        /// Extra destination minor units that the bank pays the creditor agent per use.
        payout_fee: u64,
        /// The mid rate that it was made from.
        mid_rate: Rate,
        /// Where the mid rate comes from.
        mid_source: ShortText,
        /// Of when.
        mid_at: Timestamp,
        /// The last time of a submit using it.
        submit_by: Timestamp,
        /// Until when it binds a reserved transfer.
        hold_until: Timestamp,
        /// The fee schedule shown with it.
        fee_schedule_version: u32,
    }

    /// The custodian received cash for a participant.
    pub struct Fund {
        /// Salt source.
        nonce: Digest,
        /// The account credited.
        account: AccountId,
        /// In which currency.
        currency: Currency,
        /// Minor units, at least 1.
        amount: u64,
        /// Booking day of the custodian, as yyyymmdd.
        value_date: u32,
        /// The custodian's reference; with custodian and value date unique for ever.
        bank_reference: ShortText,
    }

    /// The owner asks for cash back; reserves it.
    pub struct Withdraw {
        /// Salt source.
        nonce: Digest,
        /// Its name.
        withdrawal: WithdrawalId,
        /// The account debited.
        account: AccountId,
        /// In which currency.
        currency: Currency,
        /// Minor units, at least 1.
        amount: u64,
    }

    /// The custodian paid a withdrawal out; posts it.
    pub struct WithdrawPaid {
        /// Salt source.
        nonce: Digest,
        /// Whose.
        owner: ParticipantId,
        /// Which.
        withdrawal: WithdrawalId,
        /// The custodian's reference.
        bank_reference: ShortText,
    }

    /// The custodian could not pay it out; releases it.
    pub struct WithdrawFailed {
        /// Salt source.
        nonce: Digest,
        /// Whose.
        owner: ParticipantId,
        /// Which.
        withdrawal: WithdrawalId,
        /// Why.
        reason: StatusReason,
    }
}

macro_rules! items {
    ($($kind:ident($body:ident)),* $(,)?) => {
        /// One signed item.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Item {
            $(
                #[doc = concat!("An item of kind `", stringify!($kind), "`.")]
                $kind($body),
            )*
        }

        impl Item {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> ItemKind {
                match self { $(Self::$kind(_) => ItemKind::$kind,)* }
            }

            /// The 32 random bytes that its record's salts are derived from.
            #[must_use]
            pub const fn nonce(&self) -> &Digest {
                match self { $(Self::$kind(body) => &body.nonce,)* }
            }
        }

        impl Field for Item {
            fn put(&self, out: &mut Vec<u8>) {
                ITEM_VERSION.put(out);
                self.kind().code().put(out);
                match self { $(Self::$kind(body) => body.put(out),)* }
            }

            fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                if reader.get::<u8>()? != ITEM_VERSION {
                    return Err(DecodeError::invalid("item version", "must be 1"));
                }
                match ItemKind::from_code(reader.get()?) {
                    $(Some(ItemKind::$kind) => reader.get().map(Self::$kind),)*
                    Some(
                        ItemKind::Attest | ItemKind::CloseDay | ItemKind::Adjust,
                    )
                    | None => Err(DecodeError::invalid("item kind", "is reserved or unknown")),
                }
            }
        }
    };
}

items!(
    Submit(Submit),
    Accept(Accept),
    Hold(Hold),
    Reject(Reject),
    Confirm(Confirm),
    Cancel(Cancel),
    Return(Submit),
    Recall(Recall),
    AnswerRecall(AnswerRecall),
    Resolve(Resolve),
    RegisterQuote(RegisterQuote),
    Fund(Fund),
    Withdraw(Withdraw),
    WithdrawPaid(WithdrawPaid),
    WithdrawFailed(WithdrawFailed),
    Admit(Admit),
    Suspend(Suspend),
    AddKey(AddKey),
    RetireKey(RetireKey),
    OpenAccount(OpenAccount),
    SetCap(SetCap),
    SetCorridor(SetCorridor),
    SetFeeSchedule(SetFeeSchedule),
    SetScreeningPolicy(SetScreeningPolicy),
);
