//! The rows that follow from records: what is booked, on what subject, in which state; they compute nothing.
use ledger_types::{
    AccountId, ConfirmationStatus, CorridorId, Currency, ParticipantId, StatusReason, Timestamp,
    TransferState,
};

/// What a posting belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Of which sort.
    pub kind: SubjectKind,
    /// Whose: debtor agent, account owner or custodian.
    pub owner: ParticipantId,
    /// UETR, withdrawal id, or value date and bank reference.
    pub id: Vec<u8>,
}

/// The sorts of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectKind {
    /// A transfer or return.
    Transfer,
    /// A withdrawal.
    Withdrawal,
    /// A funding.
    Funding,
}

impl SubjectKind {
    /// The stored code.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Transfer => 1,
            Self::Withdrawal => 2,
            Self::Funding => 3,
        }
    }

    /// The kind of a stored code.
    #[must_use]
    pub const fn from_code(code: i16) -> Option<Self> {
        match code {
            1 => Some(Self::Transfer),
            2 => Some(Self::Withdrawal),
            3 => Some(Self::Funding),
            _ => None,
        }
    }
}

/// Whether a posting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostingState {
    /// Reserved.
    Pending,
    /// Final.
    Posted,
    /// Given back.
    Released,
}

impl PostingState {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Posted => "posted",
            Self::Released => "released",
        }
    }
}

/// One movement between two accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The record that made it.
    pub sequence: u64,
    /// Its place among that record's legs.
    pub leg: i16,
    /// 1 principal, 2 fee, 3 payout fee, 4 funding, 5 withdrawal.
    pub kind: i16,
    /// The account debited.
    pub debit_account: AccountId,
    /// The account credited.
    pub credit_account: AccountId,
    /// In which currency.
    pub currency: Currency,
    /// Minor units.
    pub amount: u64,
    /// Whether it counts.
    pub state: PostingState,
    /// The record that decided it; 0 while pending.
    pub decided_sequence: u64,
}

/// A transfer as its last record left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who accepts it.
    pub creditor_agent: ParticipantId,
    /// Its corridor.
    pub corridor: CorridorId,
    /// Where it stands.
    pub state: TransferState,
    /// Number of the refusal, 0 for none.
    pub rejection: u16,
    /// Reason of a hold or an end; `NARR` for none.
    pub reason: StatusReason,
    /// Interbank settlement amount, minor units.
    pub amount: u64,
    /// Its currency.
    pub currency: Currency,
    /// Sum of its returns, minor units.
    pub returned: u64,
    /// When it expires if nobody accepts.
    pub deadline: Timestamp,
    /// Until when it is held; zero when it is not.
    pub held_until: Timestamp,
    /// The record of its submit.
    pub submit_sequence: u64,
    /// Of when.
    pub submitted_at: Timestamp,
    /// The record that settled or ended it; 0 while pending.
    pub decided_sequence: u64,
    /// Of when.
    pub decided_at: Timestamp,
    /// The record of its last confirmation; 0 before.
    pub confirmed_sequence: u64,
    /// Of when.
    pub confirmed_at: Timestamp,
    /// The last confirmation.
    pub confirmation: Option<ConfirmationStatus>,
}

/// A change of an account's four balances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Of reserved debits.
    pub debits_pending: i128,
    /// Of posted debits.
    pub debits_posted: i128,
    /// Of reserved credits.
    pub credits_pending: i128,
    /// Of posted credits.
    pub credits_posted: i128,
}

/// An account as opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its owner.
    pub owner: ParticipantId,
    /// Its currency.
    pub currency: Currency,
    /// Whether it is the contra account of its currency.
    pub custody: bool,
    /// Whether credits need no accept.
    pub standing_acceptance: bool,
}
