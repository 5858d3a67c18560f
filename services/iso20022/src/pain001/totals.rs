//! Counts rows and sums amounts whatever their currencies, as control sums do; it must never round.

use ledger_types::StatusReason;

use super::{Group, Payment};
use crate::{
    amount::{Amount, Decimal},
    verdict::{self, Refusal},
};

/// AM10 *sum of instructed amounts does not equal the control sum*.
const CONTROL_SUM: StatusReason = StatusReason::known(b"AM10");
/// AM20 *number of transactions at the payment information level is invalid*.
const NUMBER_IN_PAYMENT: StatusReason = StatusReason::known(b"AM20");
/// Amounts have at most five decimals (ISO 20022, ActiveOrHistoricCurrencyAndAmount).
const SCALE: u8 = 5;
/// Differences kept of one message.
const DIFFERENCES_MAX: usize = 64;

/// What was read so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub rows: u32,
    /// The payment information that is being read, from 1.
    payments: u32,
    /// Its rows.
    pub(super) rows_of_payment: u32,
    sum: Sum,
    sum_of_payment: Sum,
    differences: Vec<Refusal>,
}

/// A sum in units of 10⁻⁵; nothing once an amount could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sum(Option<u128>);

impl Default for Sum {
    fn default() -> Self {
        Self(Some(0))
    }
}

impl Sum {
    fn add(&mut self, amount: Option<&Amount>) {
        let units = amount.and_then(|amount| amount.decimal().ok()).and_then(units);
        self.0 = self.0.zip(units).and_then(|(sum, units)| sum.checked_add(units));
    }

    fn is(self, stated: &str) -> bool {
        let stated = stated.parse::<Decimal>().ok().and_then(units);
        self.0.is_some() && self.0 == stated
    }
}

fn units(decimal: Decimal) -> Option<u128> {
    let zeros = SCALE.checked_sub(decimal.scale)?;
    u128::from(decimal.digits).checked_mul(10_u128.checked_pow(u32::from(zeros))?)
}

impl Totals {
    pub(super) fn row(&mut self, amount: Option<&Amount>) {
        self.rows += 1;
        self.rows_of_payment += 1;
        self.sum.add(amount);
        self.sum_of_payment.add(amount);
    }

    pub(super) fn payment_opened(&mut self) {
        self.payments = self.payments.saturating_add(1);
        self.rows_of_payment = 0;
        self.sum_of_payment = Sum::default();
    }

    pub(super) fn payment_closed(&mut self, payment: &Payment) {
        let at = self.payments;
        let stated = payment.number_of_transactions.as_deref();
        if self.rows_of_payment == 0 {
            let text = format!("PmtInf[{at}]/CdtTrfTxInf: is missing: send a row");
            self.differ(verdict::FORMAT, text);
        }
        if stated.is_some_and(|stated| !number_is(stated, self.rows_of_payment)) {
            let text = format!("PmtInf[{at}]/NbOfTxs: is not the number of its rows");
            self.differ(NUMBER_IN_PAYMENT, text);
        }
        let stated = payment.control_sum.as_deref();
        if stated.is_some_and(|stated| !self.sum_of_payment.is(stated)) {
            let text = format!("PmtInf[{at}]/CtrlSum: is not the sum of its amounts");
            self.differ(CONTROL_SUM, text);
        }
    }

    fn differ(&mut self, reason: StatusReason, text: String) {
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(Refusal { reason, text });
        }
    }

    pub(super) fn refusals(&self, group: &Group) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let stated = group.number_of_transactions.as_deref().unwrap_or_default();
        if !number_is(stated, self.rows) {
            let text = "GrpHdr/NbOfTxs: is not the number of rows".to_owned();
            refusals.push(Refusal { reason: verdict::NUMBER_OF_TRANSACTIONS, text });
        }
        if group.control_sum.as_deref().is_some_and(|stated| !self.sum.is(stated)) {
            let text = "GrpHdr/CtrlSum: is not the sum of all amounts".to_owned();
            refusals.push(Refusal { reason: CONTROL_SUM, text });
        }
        refusals.extend(self.differences.iter().cloned());
        refusals
    }
}

fn number_is(stated: &str, counted: u32) -> bool {
    stated.trim().parse::<u64>().is_ok_and(|stated| stated == u64::from(counted))
}
