//! The field's words: money, currency, rate and the identifiers of ISO 20022; knows no ledger, no wire and no clock.
#![no_std]

extern crate alloc;

pub mod agent;
pub mod code;
pub mod country;
pub mod currency;
pub mod iban;
pub mod id;
mod iso3166;
mod iso4217;
pub mod money;
pub mod rate;
pub mod rejection;
pub mod text;
pub mod timestamp;
pub mod uetr;

pub use agent::{Bic, Lei};
pub use code::{
    ConfirmationStatus, CreditTransferStatus, PayoutMethod, Purpose, RecallAnswer, StatusReason,
    TransferState,
};
pub use country::Country;
pub use currency::Currency;
pub use iban::Iban;
pub use id::{
    AccountId, CaseId, CorridorId, KeyId, NetworkId, ParticipantId, QuoteId, RequestId, TransferId,
    WithdrawalId,
};
pub use money::Money;
pub use rate::Rate;
pub use rejection::Rejection;
pub use text::{ParseError, ShortText};
pub use timestamp::Timestamp;
pub use uetr::Uetr;

#[cfg(test)]
mod tests;
