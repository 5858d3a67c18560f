//! A movement of money as any of the books tells it, and what two tellings have in common. It must
//! never know which book it comes from.

use ledger_types::Currency;

/// `CdtDbtInd`, seen from the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    Credit,
    Debit,
}

/// One movement. References that are placeholders (NOTPROVIDED, NONREF) are left out by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The caller's number of the account.
    pub account: u32,
    pub currency: Currency,
    /// Minor units.
    pub amount: u64,
    pub side: Side,
    /// Days since any fixed day.
    pub value_date: i32,
    pub uetr: Option<u128>,
    pub end_to_end_id: Option<String>,
    /// `AcctSvcrRef`.
    pub servicer_reference: Option<String>,
    /// The other party's name, upper case, letters and digits alone.
    pub party: Option<String>,
    /// The batch that it is booked with; on a statement, of an entry that stands for a whole batch.
    pub batch: Option<String>,
    /// `RvslInd`, or a return.
    pub reversal: bool,
    /// The UETR of the transfer that this one returns.
    pub returns: Option<u128>,
    /// Charges that this telling says were taken off, minor units.
    pub charges: u64,
}

/// What is still the same, and how far is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Days by which value dates of movements with one reference may differ.
    pub value_date_days: u16,
    /// Days by which value dates of movements without a reference may differ.
    pub search_days: u16,
    /// The largest difference that counts as a charge, minor units.
    pub charges_max: u64,
    /// The last day that the other book covers; what is due later is awaited, not missing.
    pub until: Option<i32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { value_date_days: 0, search_days: 2, charges_max: 0, until: None }
    }
}

/// One thing that two tellings have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Uetr,
    EndToEndId,
    ServicerReference,
    Batch,
    Amount,
    ValueDate,
    Account,
    Party,
}

impl Reason {
    const ALL: [Self; 8] = [
        Self::Uetr,
        Self::EndToEndId,
        Self::ServicerReference,
        Self::Batch,
        Self::Amount,
        Self::ValueDate,
        Self::Account,
        Self::Party,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uetr => "same UETR",
            Self::EndToEndId => "same end-to-end id",
            Self::ServicerReference => "same servicer's reference",
            Self::Batch => "same batch",
            Self::Amount => "same amount and currency",
            Self::ValueDate => "same value date",
            Self::Account => "same account",
            Self::Party => "same party",
        }
    }

    /// What it counts: a UETR alone weighs more than everything that can be chance.
    #[must_use]
    pub const fn points(self) -> u16 {
        match self {
            Self::Uetr => 50,
            Self::EndToEndId | Self::ServicerReference => 30,
            Self::Batch => 25,
            Self::Amount => 20,
            Self::ValueDate | Self::Account => 10,
            Self::Party => 15,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Why two tellings are held for one movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evidence(u8);

impl Evidence {
    /// What the two have in common.
    #[must_use]
    pub fn of(left: &Movement, right: &Movement) -> Self {
        let same = |reason: Reason| match reason {
            Reason::Uetr => {
                left.uetr.is_some() && left.uetr == right.uetr
                    || left.returns.is_some() && left.returns == right.uetr
            }
            Reason::EndToEndId => equal(&left.end_to_end_id, &right.end_to_end_id),
            Reason::ServicerReference => equal(&left.servicer_reference, &right.servicer_reference),
            Reason::Batch => equal(&left.batch, &right.batch),
            Reason::Amount => left.amount == right.amount && left.currency == right.currency,
            Reason::ValueDate => left.value_date == right.value_date,
            Reason::Account => left.account == right.account,
            Reason::Party => equal(&left.party, &right.party),
        };
        Self(Reason::ALL.into_iter().filter(|one| same(*one)).fold(0, |all, one| all | one.bit()))
    }

    /// Of many movements that one entry stands for: what the last and every other have in common.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub const fn has(self, reason: Reason) -> bool {
        self.0 & reason.bit() != 0
    }

    pub(crate) const fn with(self, reason: Reason) -> Self {
        Self(self.0 | reason.bit())
    }

    /// Each reason with its points.
    #[must_use]
    pub fn explained(self) -> Vec<(Reason, u16)> {
        let own = Reason::ALL.into_iter().filter(|reason| self.has(*reason));
        own.map(|reason| (reason, reason.points())).collect()
    }

    /// The sum of the points, at most 100.
    #[must_use]
    pub fn score(self) -> u16 {
        let points = Reason::ALL.into_iter().filter(|reason| self.has(*reason));
        points.map(Reason::points).sum::<u16>().min(100)
    }
}

fn equal(left: &Option<String>, right: &Option<String>) -> bool {
    left.is_some() && left == right
}

/// Whether two tellings contradict each other in a reference that both have, or in direction.
pub(crate) fn contradict(left: &Movement, right: &Movement) -> bool {
    let uetr = left.uetr.zip(right.uetr).is_some_and(|(own, other)| own != other)
        && left.returns.is_none_or(|returned| right.uetr != Some(returned));
    let ids = left.end_to_end_id.as_ref().zip(right.end_to_end_id.as_ref());
    let same_uetr = left.uetr.is_some() && left.uetr == right.uetr;
    left.side != right.side || uetr || !same_uetr && ids.is_some_and(|(own, other)| own != other)
}
