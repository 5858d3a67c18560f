//! Tables of valid and refused words; vectors from the standards' own examples.
use alloc::{format, string::ToString};

use crate::{Bic, Country, Currency, Iban, Lei, Money, Rate, ShortText, TransferState, Uetr};

fn currency(code: &str) -> Currency {
    code.parse().expect("a listed currency")
}

#[test]
fn currencies_have_the_exponents_of_list_one() {
    for (code, exponent, number) in [
        ("HKD", Some(2), 344),
        ("JPY", Some(0), 392),
        ("KWD", Some(3), 414),
        ("CLF", Some(4), 990),
        ("XAU", None, 959),
        ("PKR", Some(2), 586),
    ] {
        assert_eq!((currency(code).exponent(), currency(code).number()), (exponent, number));
    }
    for code in ["HRK", "hkd", "HK", "ZZZ", ""] {
        assert!(code.parse::<Currency>().is_err(), "{code}");
    }
    assert!(currency("XAU").precious_metal() && !currency("USD").precious_metal());
}

#[test]
fn amounts_parse_exactly_or_not_at_all() {
    let hkd = currency("HKD");
    for (text, exponent, units) in [
        ("500.00", 2, Some(50_000)),
        ("500", 2, Some(50_000)),
        ("0.05", 2, Some(5)),
        ("7", 0, Some(7)),
        ("184467440737095516.15", 2, Some(u64::MAX)),
        ("184467440737095516.16", 2, None),
        ("1.005", 2, None),
        ("1.", 2, None),
        (".5", 2, None),
        ("-1", 2, None),
        ("1e3", 2, None),
        ("", 2, None),
    ] {
        let parsed = Money::parse(text, hkd, exponent).ok().map(|money| money.minor_units);
        assert_eq!(parsed, units, "{text}");
    }
    assert_eq!(Money::new(403_790, hkd).decimal(2).to_string(), "4037.90");
    assert_eq!(Money::new(5, hkd).decimal(2).to_string(), "0.05");
    assert_eq!(Money::new(5, hkd).decimal(0).to_string(), "5");
}

#[test]
fn identifiers_keep_their_standards() {
    for iban in [
        "GB29NWBK60161331926819",
        "PK36SCBL0000001123456702",
        "AE07 0331 2345 6789 0123 456",
        "DE89370400440532013000",
        "SA0380000000608010167519",
    ] {
        assert!(iban.parse::<Iban>().is_ok(), "{iban}");
    }
    for iban in ["PK37SCBL0000001123456702", "PK36SCBL000000112345670", "HK", "ZZ00ABCDEFGHIJKLMN"]
    {
        assert!(iban.parse::<Iban>().is_err(), "{iban}");
    }
    let office: Bic = "CWHKHKH0".parse().expect("a well-formed code");
    assert_eq!(office, "CWHKHKH0XXX".parse().expect("the same office"));
    assert_eq!(office.to_string(), "CWHKHKH0");
    for bic in ["CWHKHKH", "CWHKZZH0", "cwhkhkh0", "CWHKHKH0XX"] {
        assert!(bic.parse::<Bic>().is_err(), "{bic}");
    }
    assert!("5493001KJTIIGC8Y1R12".parse::<Lei>().is_ok());
    assert!("5493001KJTIIGC8Y1R13".parse::<Lei>().is_err());
    let uetr = "8a562c67-ca16-48ba-b074-65581be6f001";
    assert_eq!(uetr.parse::<Uetr>().expect("version 4").to_string(), uetr);
    for bad in ["8A562C67-CA16-48BA-B074-65581BE6F001", "8a562c67-ca16-18ba-b074-65581be6f001", ""]
    {
        assert!(bad.parse::<Uetr>().is_err(), "{bad}");
    }
    assert!("PH".parse::<Country>().is_ok() && "XX".parse::<Country>().is_err());
    assert!(ShortText::new(&[b'a'; 36]).is_err() && ShortText::new(b"a\n").is_err());
}

#[test]
fn an_account_number_is_never_debug_printed() {
    let iban: Iban = "PK36SCBL0000001123456702".parse().expect("valid");
    assert_eq!(format!("{iban:?}"), "PK…");
}

#[test]
fn rates_convert_exactly() {
    let rate: Rate = "8.0758".parse().expect("a rate");
    assert_eq!(rate.to_string(), "8.0758");
    let exact = rate.convert(50_000, 2, 2).expect("in range");
    assert_eq!((exact.floor(), exact.ceil()), (Some(403_790), Some(403_790)));
    for (destination, matches) in
        [(403_789, true), (403_790, true), (403_791, true), (403_788, false), (403_792, false)]
    {
        assert_eq!(rate.matches_destination(50_000, 2, destination, 2), matches, "{destination}");
    }
    for (source, matches) in [(49_999, true), (50_001, true), (49_998, false), (50_002, false)] {
        assert_eq!(rate.matches_source(source, 2, 403_790, 2), matches, "{source}");
    }
    assert!("0".parse::<Rate>().is_err() && "1.0000000000001".parse::<Rate>().is_err());
    assert!(!rate.matches_destination(u64::MAX, 0, 1, 12), "overflow is no match");
}

#[test]
fn states_keep_their_codes() {
    for (code, state) in (1..=7).zip(TransferState::ALL) {
        assert_eq!((state.code(), TransferState::from_code(code)), (code, Some(state)));
    }
    assert_eq!(TransferState::from_code(8), None);
}
