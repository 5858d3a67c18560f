//! The fees a schedule demands of a transfer's principal legs, as legs; it books nothing.
use arrayvec::ArrayVec;
use ledger_proof::{
    item::{Leg, LegKind},
    operator::{Fee, FeePayer, SetFeeSchedule},
};

/// Basis points in one whole.
const WHOLE: u128 = 10_000;

/// The fee legs that a schedule demands, in its order; a fee of 0 makes no leg.
pub(crate) fn fee_legs(schedule: &SetFeeSchedule, first: &Leg, last: &Leg) -> ArrayVec<Leg, 4> {
    schedule
        .fees
        .iter()
        .map(|fee| {
            let (account, principal) = match fee.payer {
                FeePayer::DebtorAgent => (first.debit_account, first),
                FeePayer::CreditorAgent => (last.credit_account, last),
            };
            Leg {
                kind: LegKind::Fee,
                currency: principal.currency,
                debit_account: account,
                credit_account: fee.payee_account,
                amount: fee_amount(fee, principal.amount),
            }
        })
        .filter(|leg| leg.amount > 0)
        .collect()
}

/// Flat + basis points of the principal rounded half up, within the fee's bounds.
pub(crate) fn fee_amount(fee: &Fee, principal: u64) -> u64 {
    let share = (u128::from(principal) * u128::from(fee.basis_points) + WHOLE / 2) / WHOLE;
    let sum = u128::from(fee.flat) + share;
    u64::try_from(sum).unwrap_or(u64::MAX).clamp(fee.amount_min, fee.amount_max)
}
