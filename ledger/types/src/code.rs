//! Status and reason words of ISO 20022 external code sets and of this network; it maps, never decides.
use core::{fmt, str::FromStr};

use crate::ParseError;

macro_rules! four_letter_code {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 4]);

        impl $name {
            /// A code known when the program is built.
            #[must_use]
            pub const fn known(code: &[u8; 4]) -> Self {
                Self(*code)
            }

            /// Takes four upper-case letters or digits.
            ///
            /// # Errors
            /// When a byte is another.
            pub fn from_bytes(code: [u8; 4]) -> Result<Self, ParseError> {
                let valid = code.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
                valid
                    .then_some(Self(code))
                    .ok_or(ParseError::new($field, "must be four upper-case letters or digits"))
            }

            /// The four bytes.
            #[must_use]
            pub const fn bytes(self) -> [u8; 4] {
                self.0
            }

            /// The four letters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                core::str::from_utf8(&self.0).unwrap_or("NARR")
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                <[u8; 4]>::try_from(text.as_bytes())
                    .map_err(|_| ParseError::new($field, "must be four letters or digits"))
                    .and_then(Self::from_bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }
    };
}

four_letter_code!(
    /// A code of ExternalStatusReason1Code (or ExternalReturnReason1Code in a return).
    StatusReason, "reason"
);
four_letter_code!(
    /// A code of ExternalPurpose1Code; whether a corridor allows it is the corridor's word.
    Purpose, "purpose"
);

/// Where a transfer stands on the ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum TransferState {
    /// Every leg is reserved; the creditor agent has yet to decide.
    Pending = 1,
    /// Every leg is posted: final.
    Settled = 2,
    /// The creditor was credited, or picked the cash up.
    Credited = 3,
    /// Refused, by the ledger or the creditor agent.
    Rejected = 4,
    /// Nobody accepted in time.
    Expired = 5,
    /// Withdrawn by the debtor agent before acceptance.
    Cancelled = 6,
    /// `resolve` found nothing and closed the identity for ever.
    Burned = 7,
}

impl TransferState {
    /// Every state, in the order of its code.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Settled,
        Self::Credited,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
        Self::Burned,
    ];

    /// The state of a stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The stored code, 1 to 7.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Pending => 1,
            Self::Settled => 2,
            Self::Credited => 3,
            Self::Rejected => 4,
            Self::Expired => 5,
            Self::Cancelled => 6,
            Self::Burned => 7,
        }
    }

    /// The word of the API, upper case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Settled => "SETTLED",
            Self::Credited => "CREDITED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
            Self::Burned => "BURNED",
        }
    }
}

/// The creditor agent's word after settlement (ExternalPaymentTransactionStatus1Code).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum ConfirmationStatus {
    /// ACCC: credited to the creditor's account.
    Credited = 1,
    /// CPUC: cash picked up by the creditor.
    PickedUp = 2,
    /// ACWP: accepted without posting; one more confirmation may follow.
    AcceptedWithoutPosting = 3,
    /// BLCK: blocked, neither posted nor returned.
    Blocked = 4,
}

impl ConfirmationStatus {
    /// Every status, in the order of its code.
    pub const ALL: [Self; 4] =
        [Self::Credited, Self::PickedUp, Self::AcceptedWithoutPosting, Self::Blocked];

    /// The status of a stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    /// The stored code, 1 to 4.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Credited => 1,
            Self::PickedUp => 2,
            Self::AcceptedWithoutPosting => 3,
            Self::Blocked => 4,
        }
    }

    /// The ISO code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credited => "ACCC",
            Self::PickedUp => "CPUC",
            Self::AcceptedWithoutPosting => "ACWP",
            Self::Blocked => "BLCK",
        }
    }
}

/// The creditor agent's answer to a recall, as a camt.029 states it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum RecallAnswer {
    /// CNCL: the money comes back by the return that the answer names.
    Accepted = 1,
    /// RJCR: it does not.
    Rejected = 2,
    /// PDCR: a later answer is promised.
    Pending = 3,
}

impl RecallAnswer {
    /// Every answer, in the order of its code.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Rejected, Self::Pending];

    /// The answer of a stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|answer| answer.code() == code)
    }

    /// The stored code, 1 to 3.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Accepted => 1,
            Self::Rejected => 2,
            Self::Pending => 3,
        }
    }

    /// The code of ExternalInvestigationExecutionConfirmation1Code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "CNCL",
            Self::Rejected => "RJCR",
            Self::Pending => "PDCR",
        }
    }

    /// The word of the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Pending => "pending",
        }
    }
}

/// A transaction status as a pacs.002 or the API states it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CreditTransferStatus {
    /// RCVD: received.
    Received,
    /// ACTC: authentication, syntax and semantics are valid.
    AcceptedTechnical,
    /// PDNG: parked.
    Pending,
    /// ACSP: settlement in process.
    SettlementInProcess,
    /// ACSC: settlement completed.
    SettlementCompleted,
    /// A confirmation: ACCC, CPUC, ACWP or BLCK.
    Confirmed(ConfirmationStatus),
    /// RJCT: rejected.
    Rejected,
    /// CANC: cancelled.
    Cancelled,
}

impl CreditTransferStatus {
    /// The code of ExternalPaymentTransactionStatus1Code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "RCVD",
            Self::AcceptedTechnical => "ACTC",
            Self::Pending => "PDNG",
            Self::SettlementInProcess => "ACSP",
            Self::SettlementCompleted => "ACSC",
            Self::Confirmed(status) => status.as_str(),
            Self::Rejected => "RJCT",
            Self::Cancelled => "CANC",
        }
    }
}

impl From<TransferState> for CreditTransferStatus {
    fn from(state: TransferState) -> Self {
        match state {
            TransferState::Pending => Self::SettlementInProcess,
            TransferState::Settled => Self::SettlementCompleted,
            TransferState::Credited => Self::Confirmed(ConfirmationStatus::Credited),
            TransferState::Rejected | TransferState::Expired | TransferState::Burned => {
                Self::Rejected
            }
            TransferState::Cancelled => Self::Cancelled,
        }
    }
}

/// How the creditor gets the money.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum PayoutMethod {
    /// Credit to a bank account, by IBAN or by a number under a scheme.
    BankAccount = 1,
    /// Credit to a wallet, by phone number.
    Wallet = 2,
    /// Cash at a counter.
    CashPickup = 3,
}

impl PayoutMethod {
    /// Every method, in the order of its code.
    pub const ALL: [Self; 3] = [Self::BankAccount, Self::Wallet, Self::CashPickup];

    /// The method of a stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.code() == code)
    }

    /// The stored code, 1 to 3.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::BankAccount => 1,
            Self::Wallet => 2,
            Self::CashPickup => 3,
        }
    }

    /// Its bit in a corridor's set of methods.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << (self.code() - 1)
    }

    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BankAccount => "bank_account",
            Self::Wallet => "wallet",
            Self::CashPickup => "cash_pickup",
        }
    }
}

impl FromStr for PayoutMethod {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or(ParseError::new("payout_method", "must be bank_account, wallet or cash_pickup"))
    }
}
