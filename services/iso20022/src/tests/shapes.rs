//! Values against their facets, amounts against their exponents, shapes against xmllint; it knows
//! no refusal.

use super::{message, shared_data, spoil};
use crate::{
    amount::{Amount, Error, decimal_text},
    inbound::read,
};

#[test]
fn values_are_checked_like_the_schema_checks_them() {
    let whole = message().write(None).expect("the fixture is good");
    // (element, value, valid)
    let cases: &[(&str, &str, bool)] = &[
        ("UETR", "8A562C67-CA16-48BA-B074-65581BE6F011", false),
        ("UETR", "8a562c67-ca16-18ba-b074-65581be6f011", false),
        ("UETR", "8a562c67-ca16-48ba-c074-65581be6f011", false),
        ("CreDtTm", "2026-02-29T10:15:30Z", false),
        ("CreDtTm", "2024-02-29T10:15:30", true),
        ("CreDtTm", "2026-11-23T24:00:00Z", true),
        ("CreDtTm", "2026-11-23T24:00:01Z", false),
        ("CreDtTm", "2026-11-23T10:60:00Z", false),
        ("CreDtTm", "2026-11-23T10:15:30.Z", false),
        ("CreDtTm", "2026-11-23T10:15:30+14:01", false),
        ("CreDtTm", "2026-11-23", false),
        ("IntrBkSttlmDt", "2026-11-31", false),
        ("IntrBkSttlmDt", " 2026-11-30+08:00 ", true),
        ("XchgRate", "1234567890.1", true),
        ("XchgRate", "1234567890.12", false),
        ("XchgRate", "-1.0", true),
        ("ChrgBr", "OUR", false),
        ("ChrgBr", " SHAR", false),
        ("EndToEndId", "", false),
        ("EndToEndId", "ééééééééééééééééééééééééééééééééééé", true),
        ("NbOfTxs", "1234567890123456", false),
        ("MobNb", "85250000000", false),
        ("CtryOfRes", "hk", false),
        ("Nm", "<Nm>deeper</Nm>", false),
    ];
    for (element, value, valid) in cases {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let start = whole.find(&open).expect("the fixture is good") + open.len();
        let end = start + whole[start..].find(&close).expect("the fixture is good");
        let body = format!("{}{value}{}", &whole[..start], &whole[end..]);
        let findings = read(body.as_bytes()).findings;
        assert_eq!(findings.is_empty(), *valid, "{element} {value}: {findings:?}");
        if let Some(finding) = findings.first() {
            assert!(finding.path.ends_with(element), "{finding}");
        }
    }
    let amounts: &[(&str, bool)] = &[
        ("Ccy=\"PHP\">123456789012345678", true),
        ("Ccy=\"PHP\">1234567890123456789", false),
        ("Ccy=\"PHP\">1.123450", true),
        ("Ccy=\"PHP\">1.123456", false),
        ("Ccy=\"PHP\">-1", false),
        ("Ccy=\"PHP\">-0.0", true),
        ("Ccy=\"PHP\">1e3", false),
        ("Ccy=\"PHP\">", false),
        ("Ccy=\"php\">1", false),
        (">1", false),
        ("Ccy=\"PHP\" Cur=\"PHP\">1", false),
    ];
    for (amount, valid) in amounts {
        let body = whole.replace("Ccy=\"PHP\">4037.90", amount);
        assert_ne!(body, whole, "{amount}");
        assert_eq!(read(body.as_bytes()).findings.is_empty(), *valid, "{amount}");
    }
}

#[test]
fn amounts_become_minor_units_exactly_or_not_at_all() {
    let cases: &[(&str, u8, Result<u64, Error>)] = &[
        ("4037.90", 2, Ok(403_790)),
        ("4037.9", 2, Ok(403_790)),
        ("500", 2, Ok(50_000)),
        ("500", 0, Ok(500)),
        ("500.000", 0, Ok(500)),
        ("0.005", 3, Ok(5)),
        (".5", 2, Ok(50)),
        ("0", 2, Ok(0)),
        ("4037.901", 2, Err(Error::TooManyDecimals(2))),
        ("1.5", 0, Err(Error::TooManyDecimals(0))),
        ("999999999999999999", 4, Err(Error::TooLarge)),
        ("1234567890123456789", 0, Err(Error::Malformed)),
        ("", 2, Err(Error::Malformed)),
        (".", 2, Err(Error::Malformed)),
        ("-1", 2, Err(Error::Malformed)),
        ("1,5", 2, Err(Error::Malformed)),
        ("1.5.5", 2, Err(Error::Malformed)),
    ];
    for (value, exponent, expected) in cases {
        let amount = Amount { currency: "HKD".to_owned(), value: (*value).to_owned() };
        assert_eq!(amount.minor_units(*exponent), *expected, "{value}");
    }
    for (units, exponent, text) in
        [(403_790, 2, "4037.90"), (5, 2, "0.05"), (5, 0, "5"), (5, 3, "0.005"), (0, 2, "0.00")]
    {
        assert_eq!(decimal_text(units, exponent), text);
    }
}

#[test]
fn the_shape_agrees_with_xmllint_about_every_spoiled_element() {
    let Some(shared) = shared_data() else { return };
    let own = message().write(None).expect("the fixture is good");
    spoil(&shared, &own, "pacs.008.001.08", 1);
    let file = shared.join("samples-open/cbpr/y2026_pacs.008.max.xml");
    if let Ok(sample) = std::fs::read_to_string(file) {
        spoil(&shared, &sample, "pacs.008.001.08", 29);
    }
}
