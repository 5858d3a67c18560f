//! Amounts of statements: exact decimals with their currency, and sums of them that never round. It
//! must never hold a float.

use std::fmt;

use ledger_types::Currency;

use crate::amount::Decimal;

/// `CdtDbtInd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CreditDebit {
    Credit,
    Debit,
}

impl CreditDebit {
    /// Reads CRDT and DBIT.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        match code {
            "CRDT" => Some(Self::Credit),
            "DBIT" => Some(Self::Debit),
            _ => None,
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credit => "CRDT",
            Self::Debit => "DBIT",
        }
    }

    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Credit => Self::Debit,
            Self::Debit => Self::Credit,
        }
    }
}

/// An unsigned amount of a currency, exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// ISO 4217, active or historic; upper case.
    pub currency: String,
    pub value: Decimal,
}

impl Money {
    /// In minor units; nothing if it has more decimals than its currency, or no currency of list one.
    #[must_use]
    pub fn minor_units(&self) -> Option<u64> {
        self.value.minor_units(exponent(&self.currency)?).ok()
    }

    /// Whether it has more decimals than its currency has.
    #[must_use]
    pub fn too_fine(&self) -> bool {
        exponent(&self.currency).is_some_and(|exponent| self.value.scale > exponent)
    }

    /// The decimal alone, with the decimals of its currency.
    #[must_use]
    pub fn decimal_text(&self) -> String {
        Sum::signed(self.value, CreditDebit::Credit).text(&self.currency)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.decimal_text(), self.currency)
    }
}

/// The decimals of a currency of ISO 4217 list one.
#[must_use]
pub fn exponent(currency: &str) -> Option<u8> {
    currency.parse::<Currency>().ok()?.exponent()
}

/// Whether ISO 4217 list one has the currency.
#[must_use]
pub fn listed(currency: &str) -> bool {
    currency.parse::<Currency>().is_ok()
}

/// An exact signed decimal: `units` divided by ten to the power of `scale`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    units: i128,
    scale: u8,
}

impl Sum {
    pub const ZERO: Self = Self { units: 0, scale: 0 };

    /// Credits are positive.
    #[must_use]
    pub fn signed(value: Decimal, side: CreditDebit) -> Self {
        let units = i128::from(value.digits);
        let units = if side == CreditDebit::Credit { units } else { -units };
        Self { units, scale: value.scale }
    }

    /// The two together; nothing beyond what 128 bits hold.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let (left, right, scale) = aligned(self, other)?;
        Some(Self { units: left.checked_add(right)?, scale })
    }

    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated())
    }

    #[must_use]
    pub const fn negated(self) -> Self {
        // Units come from 64 bits and checked sums, so they are never the least of 128 bits.
        Self { units: self.units.wrapping_neg(), scale: self.scale }
    }

    /// Its size as an amount of a currency, and its side; nothing beyond 18 digits.
    #[must_use]
    pub fn money(self, currency: &str) -> Option<(Money, CreditDebit)> {
        let (mut units, mut scale) = (self.units.unsigned_abs(), self.scale);
        while scale > 0 && units.is_multiple_of(10) {
            (units, scale) = (units / 10, scale - 1);
        }
        let digits = u64::try_from(units).ok().filter(|digits| *digits < 10_u64.pow(18))?;
        let value = Decimal { digits, scale };
        Some((Money { currency: currency.to_owned(), value }, self.side()))
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.units == 0
    }

    #[must_use]
    pub const fn side(self) -> CreditDebit {
        if self.units < 0 { CreditDebit::Debit } else { CreditDebit::Credit }
    }

    /// A decimal with at least the currency's decimals, and a minus sign below zero.
    #[must_use]
    pub fn text(self, currency: &str) -> String {
        let (mut units, mut scale) = (self.units.unsigned_abs(), self.scale);
        let least = exponent(currency).unwrap_or(0);
        while scale > least && units.is_multiple_of(10) {
            (units, scale) = (units / 10, scale - 1);
        }
        let zeros = usize::from(least.saturating_sub(scale));
        let decimals = usize::from(scale) + zeros;
        let digits = format!("{units}{}", "0".repeat(zeros));
        let digits = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let sign = if self.units < 0 { "-" } else { "" };
        if fraction.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        // What can't be brought to one scale within 128 bits is not equal either.
        aligned(*self, *other).is_some_and(|(left, right, _)| left == right)
    }
}

impl Eq for Sum {}

fn aligned(left: Sum, right: Sum) -> Option<(i128, i128, u8)> {
    let scale = left.scale.max(right.scale);
    let raised = |sum: Sum| {
        let factor = 10_i128.checked_pow(u32::from(scale - sum.scale))?;
        sum.units.checked_mul(factor)
    };
    Some((raised(left)?, raised(right)?, scale))
}
