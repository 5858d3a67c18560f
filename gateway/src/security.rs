//! Who may do what and how much of it: limits of a key, amounts that need a second pair of eyes, the audit log's chain; it asks no database.
use ledger_types::{Currency, Money};

use crate::{Error, settings};

pub mod audit;
pub mod failures;
pub mod rates;
pub mod signature;
pub mod token;

/// The owner of a key that was made without one. It is nobody's second pair of eyes.
pub const UNNAMED: &str = "unnamed";
/// The longest owner of a key.
const OWNER_CHARS_MAX: usize = 70;

/// What every request shares.
#[derive(Debug)]
pub struct Security {
    /// Requests a second, by key.
    pub rates: rates::Rates,
    /// Sign-ins that failed and are not in the audit log yet.
    pub failures: failures::Failures,
    limits: Vec<Money>,
    /// How long a transfer waits for approval.
    pub approval_expires_after_s: u32,
}

impl Security {
    /// Takes the settings.
    ///
    /// # Errors
    /// When a limit's currency is none.
    pub fn new(settings: &settings::Security) -> Result<Self, Error> {
        let limit = |row: &settings::ApprovalLimit| {
            let currency: Currency = row.currency.parse().map_err(|_| Error::ApprovalLimit)?;
            Ok(Money::new(row.amount, currency))
        };
        Ok(Self {
            rates: rates::Rates::new(settings.requests_per_s, settings.burst),
            failures: failures::Failures::default(),
            limits: settings.approval.limits.iter().map(limit).collect::<Result<_, Error>>()?,
            approval_expires_after_s: settings.approval.expires_after_s,
        })
    }

    /// Whether an amount is above the participant's own limit of its currency; a currency without
    /// a limit has none.
    #[must_use]
    pub fn needs_approval(&self, money: Money) -> bool {
        let mut own = self.limits.iter().filter(|limit| limit.currency == money.currency);
        own.any(|limit| money.minor_units > limit.minor_units)
    }
}

/// Checks the name of a key's owner: visible ASCII and single spaces within.
#[must_use]
pub fn owner(text: &str) -> Option<&str> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let trimmed = text.trim() == text && !text.contains("  ");
    (visible && trimmed && (1..=OWNER_CHARS_MAX).contains(&text.len())).then_some(text)
}

/// Whether two owners are two people: both named, and not the same but for case.
#[must_use]
pub fn two_people(one: &str, other: &str) -> bool {
    one != UNNAMED && other != UNNAMED && !one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use ledger_types::Money;

    use super::{Security, UNNAMED, owner, two_people};
    use crate::settings;

    #[test]
    fn only_what_exceeds_its_own_currency_needs_approval() {
        let limit = |currency: &str, amount| settings::ApprovalLimit {
            currency: currency.to_owned(),
            amount,
        };
        let mut settings = settings::Security::default();
        settings.approval.limits = vec![limit("HKD", 1_000)];
        let security = Security::new(&settings).unwrap();
        for (amount, currency, needs) in
            [(1_000, "HKD", false), (1_001, "HKD", true), (u64::MAX, "PHP", false)]
        {
            let money = Money::new(amount, currency.parse().unwrap());
            assert_eq!(security.needs_approval(money), needs, "{amount} {currency}");
        }
        settings.approval.limits = vec![limit("HK", 1)];
        assert!(Security::new(&settings).is_err());
    }

    #[test]
    fn four_eyes_are_of_two_named_people() {
        for (one, other, two) in [
            ("ada", "bea", true),
            ("ada", "Ada", false),
            ("ada", UNNAMED, false),
            (UNNAMED, "bea", false),
        ] {
            assert_eq!(two_people(one, other), two, "{one} {other}");
        }
        for (text, good) in [
            ("ada", true),
            ("Ada B.", true),
            (" ada", false),
            ("a  b", false),
            ("", false),
            ("ä", false),
        ] {
            assert_eq!(owner(text).is_some(), good, "{text}");
        }
    }
}
