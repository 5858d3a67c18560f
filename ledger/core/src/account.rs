//! An account of one participant in one currency: four running totals and what may be debited; it knows no transfer.
use alloc::vec::Vec;

use ledger_proof::{DecodeError, Field, Reader, item::Leg};
use ledger_types::{AccountId, Currency, ParticipantId, ShortText};

use crate::table::{Key, Row, Table};

/// An account. Amounts are minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its owner.
    pub owner: ParticipantId,
    /// Its currency.
    pub currency: Currency,
    /// The contra account of its currency, which debits without limit.
    pub custody: bool,
    /// Credits need no accept.
    pub standing_acceptance: bool,
    /// How far debits may exceed credits.
    pub net_debit_cap: u64,
    /// What secures the cap.
    pub collateral_reference: ShortText,
    /// Debits reserved.
    pub debits_pending: u128,
    /// Debits posted.
    pub debits_posted: u128,
    /// Credits reserved.
    pub credits_pending: u128,
    /// Credits posted.
    pub credits_posted: u128,
}

/// What happens to a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Movement {
    /// Nothing → pending.
    Reserve,
    /// Nothing → posted.
    Post,
    /// Pending → posted.
    PostPending,
    /// Pending → nothing.
    Void,
}

/// Sums over all accounts of a currency, which prove that none was made or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) debits_pending: u128,
    pub(crate) debits_posted: u128,
    pub(crate) credits_pending: u128,
    pub(crate) credits_posted: u128,
}

impl Account {
    pub(crate) fn new(owner: ParticipantId, currency: Currency) -> Self {
        Self {
            owner,
            currency,
            custody: false,
            standing_acceptance: false,
            net_debit_cap: 0,
            collateral_reference: ShortText::EMPTY,
            debits_pending: 0,
            debits_posted: 0,
            credits_pending: 0,
            credits_posted: 0,
        }
    }

    /// Whether `amount` more may be debited: debits ≤ credits posted + cap, but for custody.
    #[must_use]
    pub fn covers(&self, amount: u128) -> bool {
        self.custody
            || self.debits_pending + self.debits_posted + amount
                <= self.credits_posted + u128::from(self.net_debit_cap)
    }

    fn debit(&mut self, movement: Movement, amount: u128) {
        shift(movement, amount, &mut self.debits_pending, &mut self.debits_posted);
    }

    fn credit(&mut self, movement: Movement, amount: u128) {
        shift(movement, amount, &mut self.credits_pending, &mut self.credits_posted);
    }
}

/// Amounts are 64 bits and sums 128, so additions cannot overflow in 2⁶⁴ movements; subtractions
/// would panic by `overflow-checks` in every profile rather than lose money.
fn shift(movement: Movement, amount: u128, pending: &mut u128, posted: &mut u128) {
    match movement {
        Movement::Reserve => *pending += amount,
        Movement::Post => *posted = sum(*posted, amount),
        Movement::PostPending => {
            assert!(*pending >= amount, "posting more than is pending");
            *pending -= amount;
            *posted += amount;
        }
        Movement::Void => {
            assert!(*pending >= amount, "voiding more than is pending");
            *pending -= amount;
        }
    }
}

#[cfg(not(feature = "simulation"))]
const fn sum(posted: u128, amount: u128) -> u128 {
    posted + amount
}

/// The mistake that this ledger must never make, for a simulation that must find it.
#[cfg(feature = "simulation")]
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_arithmetic,
    reason = "a planted bug"
)]
fn sum(posted: u128, amount: u128) -> u128 {
    match FLOATING.load(core::sync::atomic::Ordering::Relaxed) {
        true => (posted as f64 + amount as f64) as u128,
        false => posted + amount,
    }
}

/// Plants sums in floating point.
#[cfg(feature = "simulation")]
pub static FLOATING: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

/// Moves one leg on both its accounts, and in its currency's sums as far as there is an account: if
/// one were missing, the sums would no longer agree.
pub(crate) fn move_leg(
    accounts: &mut Table<AccountId, Account>,
    totals: &mut Totals,
    leg: &Leg,
    movement: Movement,
) {
    let amount = u128::from(leg.amount);
    accounts.change(&leg.debit_account, |account| {
        account.debit(movement, amount);
        shift(movement, amount, &mut totals.debits_pending, &mut totals.debits_posted);
    });
    accounts.change(&leg.credit_account, |account| {
        account.credit(movement, amount);
        shift(movement, amount, &mut totals.credits_pending, &mut totals.credits_posted);
    });
}

impl Field for Account {
    fn put(&self, out: &mut Vec<u8>) {
        self.owner.put(out);
        self.currency.put(out);
        self.custody.put(out);
        self.standing_acceptance.put(out);
        self.net_debit_cap.put(out);
        self.debits_pending.put(out);
        self.debits_posted.put(out);
        self.credits_pending.put(out);
        self.credits_posted.put(out);
        self.collateral_reference.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut account = Self::new(reader.get()?, reader.get()?);
        account.custody = reader.get()?;
        account.standing_acceptance = reader.get()?;
        account.net_debit_cap = reader.get()?;
        account.debits_pending = reader.get()?;
        account.debits_posted = reader.get()?;
        account.credits_pending = reader.get()?;
        account.credits_posted = reader.get()?;
        account.collateral_reference = reader.get()?;
        Ok(account)
    }
}

impl Row for Account {}

impl Key for AccountId {
    const HOT: u8 = 0x02;
    const COLD: Option<u8> = None;
}

impl Field for Totals {
    fn put(&self, out: &mut Vec<u8>) {
        self.debits_pending.put(out);
        self.debits_posted.put(out);
        self.credits_pending.put(out);
        self.credits_posted.put(out);
    }

    fn get(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            debits_pending: reader.get()?,
            debits_posted: reader.get()?,
            credits_pending: reader.get()?,
            credits_posted: reader.get()?,
        })
    }
}
