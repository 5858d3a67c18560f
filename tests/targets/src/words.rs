//! The field's words as people write them: what parses is printed so that it parses to the same.
use std::{fmt, str::FromStr};

use ledger_types::{
    Bic, Country, Currency, Iban, Lei, Money, ParticipantId, PayoutMethod, Purpose, QuoteId, Rate,
    ShortText, StatusReason, Uetr,
};

fn same_again<T: FromStr + fmt::Display + fmt::Debug + PartialEq>(text: &str) {
    if let Ok(word) = text.parse::<T>() {
        let shown = word.to_string();
        assert!(shown.parse::<T>().is_ok_and(|again| again == word), "{text:?} → {shown:?}");
    }
}

pub(crate) fn words(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    same_again::<Bic>(text);
    same_again::<Country>(text);
    same_again::<Currency>(text);
    same_again::<Iban>(text);
    same_again::<Lei>(text);
    same_again::<ParticipantId>(text);
    same_again::<Purpose>(text);
    same_again::<QuoteId>(text);
    same_again::<Rate>(text);
    same_again::<ShortText>(text);
    same_again::<StatusReason>(text);
    same_again::<Uetr>(text);
    if let Ok(method) = text.parse::<PayoutMethod>() {
        assert_eq!(method.as_str(), text);
    }
    amounts(text);
}

/// An amount is exact: whatever is read is printed with the currency's decimals and read again.
fn amounts(text: &str) {
    for (code, exponent) in [("JPY", 0), ("HKD", 2), ("BHD", 3), ("XAU", 8)] {
        let Ok(currency) = code.parse::<Currency>() else { continue };
        if let Ok(money) = Money::parse(text, currency, exponent) {
            let shown = money.decimal(exponent).to_string();
            assert_eq!(Money::parse(&shown, currency, exponent), Ok(money), "{text:?} → {shown:?}");
        }
    }
    if let Ok(decimal) = text.parse::<services_iso20022::Decimal>() {
        let shown = services_iso20022::decimal_text(decimal.digits, decimal.scale);
        assert_eq!(shown.parse(), Ok(decimal), "{text:?} → {shown:?}");
    }
}
