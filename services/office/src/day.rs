//! A business day of a currency.

/// Minor units as a decimal, with a minus sign below zero.
#[must_use]
pub fn decimal(units: i128, exponent: u8) -> String {
    let digits = units.unsigned_abs().to_string();
    let decimals = usize::from(exponent);
    let digits = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let sign = if units < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
