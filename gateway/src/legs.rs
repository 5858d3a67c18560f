//! The legs of a transfer, exactly as the ledger recomputes them; pure integers, no account is asked.
use arrayvec::ArrayVec;
use ledger_proof::{
    item::{Leg, LegKind},
    operator::{Fee, FeePayer},
};
use ledger_types::{AccountId, Currency, QuoteId};

#[cfg(test)]
mod tests;

/// One firm quote of a chain, as its liquidity bank stated it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Its name on the ledger.
    pub quote: QuoteId,
    /// Where the bank takes the source currency.
    pub source_account: AccountId,
    /// Where the bank gives the destination currency.
    pub destination_account: AccountId,
    /// What it takes.
    pub source_currency: Currency,
    /// What it gives.
    pub destination_currency: Currency,
    /// Minor units taken.
    pub source_amount: u64,
    /// Minor units given.
    pub destination_amount: u64,
    /// Extra destination minor units for the creditor agent.
    pub payout_fee: u64,
}

/// What the legs are made from.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The debtor agent's account, in the source currency.
    pub debtor_account: AccountId,
    /// The creditor agent's account, in the destination currency.
    pub creditor_account: AccountId,
    /// The currency and amount moved when there is no quote.
    pub currency: Currency,
    /// Minor units moved when there is no quote.
    pub amount: u64,
    /// Quotes in the order of the chain; none within one currency.
    pub hops: &'a [Hop],
    /// The corridor's fees in the order of its schedule.
    pub fees: &'a [Fee],
}

/// Why a plan has no legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The chain is longer than two quotes or its amounts do not meet.
    #[error("quotes: they do not form a chain; ask for a new quote")]
    Chain,
    /// More legs than an item holds.
    #[error("legs: more than eight; the fee schedule is too long")]
    TooMany,
}

/// The legs: principal in order of the chain, then fees by the schedule, then payout fees.
///
/// # Errors
/// When the quotes do not meet or the legs are too many.
pub fn legs(plan: &Plan<'_>) -> Result<ArrayVec<Leg, 8>, Error> {
    let mut legs = ArrayVec::new();
    for leg in principal(plan)? {
        legs.try_push(leg).map_err(|_| Error::TooMany)?;
    }
    let (first, last) = match (legs.first().cloned(), legs.last().cloned()) {
        (Some(first), Some(last)) => (first, last),
        (None | Some(_), None) | (None, Some(_)) => return Err(Error::Chain),
    };
    for fee in plan.fees {
        let (payer, base) = match fee.payer {
            FeePayer::DebtorAgent => (plan.debtor_account, &first),
            FeePayer::CreditorAgent => (plan.creditor_account, &last),
        };
        let amount = fee_amount(fee, base.amount);
        push(&mut legs, LegKind::Fee, base.currency, (payer, fee.payee_account), amount)?;
    }
    for hop in plan.hops {
        let accounts = (hop.destination_account, plan.creditor_account);
        let currency = hop.destination_currency;
        push(&mut legs, LegKind::PayoutFee, currency, accounts, hop.payout_fee)?;
    }
    Ok(legs)
}

/// A fee: flat + basis points rounded half up, within its bounds.
#[must_use]
pub fn fee_amount(fee: &Fee, principal: u64) -> u64 {
    let product = u128::from(principal) * u128::from(fee.basis_points);
    let share = (product + 5_000) / 10_000;
    let amount = share + u128::from(fee.flat);
    let bounded = amount.max(u128::from(fee.amount_min)).min(u128::from(fee.amount_max));
    u64::try_from(bounded).unwrap_or(u64::MAX)
}

/// What the debtor agent pays beside the principal, in the source currency.
#[must_use]
pub fn debtor_fees(legs: &[Leg], debtor_account: AccountId) -> u64 {
    let own = legs.iter().filter(|leg| leg.kind == LegKind::Fee);
    own.filter(|leg| leg.debit_account == debtor_account).map(|leg| leg.amount).sum()
}

fn principal(plan: &Plan<'_>) -> Result<Vec<Leg>, Error> {
    let leg = |currency, debit_account, credit_account, amount| Leg {
        kind: LegKind::Principal,
        currency,
        debit_account,
        credit_account,
        amount,
    };
    let (from, to) = (plan.debtor_account, plan.creditor_account);
    match plan.hops {
        [] => Ok(vec![leg(plan.currency, from, to, plan.amount)]),
        [one] => Ok(vec![
            leg(one.source_currency, from, one.source_account, one.source_amount),
            leg(one.destination_currency, one.destination_account, to, one.destination_amount),
        ]),
        [one, two] => {
            let meet = one.destination_currency == two.source_currency
                && one.destination_amount == two.source_amount;
            let middle = (one.destination_account, two.source_account);
            meet.then(|| {
                vec![
                    leg(one.source_currency, from, one.source_account, one.source_amount),
                    leg(two.source_currency, middle.0, middle.1, two.source_amount),
                    leg(
                        two.destination_currency,
                        two.destination_account,
                        to,
                        two.destination_amount,
                    ),
                ]
            })
            .ok_or(Error::Chain)
        }
        [_, _, _, ..] => Err(Error::Chain),
    }
}

/// A leg that moves nothing is left out, as the ledger expects.
fn push(
    legs: &mut ArrayVec<Leg, 8>,
    kind: LegKind,
    currency: Currency,
    (debit_account, credit_account): (AccountId, AccountId),
    amount: u64,
) -> Result<(), Error> {
    if amount == 0 {
        return Ok(());
    }
    let leg = Leg { kind, currency, debit_account, credit_account, amount };
    legs.try_push(leg).map_err(|_| Error::TooMany)
}
