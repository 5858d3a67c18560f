//! What is wrong between two books, by cause. It must never say who is right.

use ledger_types::Currency;

use crate::movement::{Evidence, Movement, Rules};

/// Why something does not tie out; ten causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    MissingInStatement,
    MissingInLedger,
    AmountDiffers,
    CurrencyDiffers,
    Duplicated,
    WrongAccount,
    ValueDateDiffers,
    /// Reversed or returned, and the ledger knows of no return.
    Reversed,
    ChargesDeducted,
    BatchSumDiffers,
}

impl Cause {
    pub const ALL: [Self; 10] = [
        Self::MissingInStatement,
        Self::MissingInLedger,
        Self::AmountDiffers,
        Self::CurrencyDiffers,
        Self::Duplicated,
        Self::WrongAccount,
        Self::ValueDateDiffers,
        Self::Reversed,
        Self::ChargesDeducted,
        Self::BatchSumDiffers,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingInStatement => "MISSING_IN_STATEMENT",
            Self::MissingInLedger => "MISSING_IN_LEDGER",
            Self::AmountDiffers => "AMOUNT_DIFFERS",
            Self::CurrencyDiffers => "CURRENCY_DIFFERS",
            Self::Duplicated => "DUPLICATED",
            Self::WrongAccount => "WRONG_ACCOUNT",
            Self::ValueDateDiffers => "VALUE_DATE_DIFFERS",
            Self::Reversed => "REVERSED",
            Self::ChargesDeducted => "CHARGES_DEDUCTED",
            Self::BatchSumDiffers => "BATCH_SUM_DIFFERS",
        }
    }

    /// What happened, and what is proposed.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::MissingInStatement => {
                "the ledger has it, the statement has not: ask the servicer"
            }
            Self::MissingInLedger => {
                "the statement has it, the ledger has not: find its owner, then book it or send it back"
            }
            Self::AmountDiffers => "the amounts differ: ask which is right, correct the other",
            Self::CurrencyDiffers => "the currencies differ: ask which is right, correct the other",
            Self::Duplicated => "the statement has it twice: ask the servicer to reverse one",
            Self::WrongAccount => "it is on another account: ask the servicer to move it",
            Self::ValueDateDiffers => {
                "the value dates differ by more than is allowed: claim interest, or take the date"
            }
            Self::Reversed => {
                "it was reversed or returned, and the ledger knows no return: return it on the ledger"
            }
            Self::ChargesDeducted => "charges were taken off: book them, or claim them back",
            Self::BatchSumDiffers => "a batch is not the sum of its movements: ask for its details",
        }
    }
}

/// One break: movements by their places in the two books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    pub cause: Cause,
    pub left: Vec<usize>,
    pub right: Vec<usize>,
    pub currency: Currency,
    /// Minor units that are at risk: the whole, or what differs.
    pub at_risk: u64,
    /// Why the two are held for one movement, if there are two.
    pub evidence: Evidence,
}

/// What is wrong with two tellings of one movement; nothing if they agree. The gravest comes first.
pub(crate) fn cause(left: &Movement, right: &Movement, rules: &Rules) -> Option<(Cause, u64)> {
    let less = left.amount.saturating_sub(right.amount);
    let days = left.value_date.abs_diff(right.value_date);
    if left.currency != right.currency {
        Some((Cause::CurrencyDiffers, left.amount))
    } else if left.account != right.account {
        Some((Cause::WrongAccount, left.amount))
    } else if less > 0 && (less == right.charges || less <= rules.charges_max) {
        Some((Cause::ChargesDeducted, less))
    } else if left.amount != right.amount {
        Some((Cause::AmountDiffers, left.amount.abs_diff(right.amount)))
    } else if days > u32::from(rules.value_date_days) {
        Some((Cause::ValueDateDiffers, left.amount))
    } else {
        None
    }
}
