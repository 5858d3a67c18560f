//! Bodies that mean harm or nothing: each must be refused in bounded time and still answered; a
//! good message has no place here.

use ledger_types::CreditTransferStatus;
use proptest::prelude::*;

use super::{assert_valid, message, statement};
use crate::{
    check::{Verdict, check},
    inbound::read,
    life_cycle::instruction,
    pacs002::{PACS_002, answer},
    pain001::Rows,
    policy::Profile,
    verdict::{self, verdict},
    xml,
};

fn refused(body: &[u8]) -> String {
    let inbound = read(body);
    let refusal = verdict(&inbound, &|_| true, &|_| true).expect_err("hostile bodies are refused");
    assert_eq!(refusal.reason, verdict::FORMAT);
    let words = refusal.text.clone();
    let rejected = statement(CreditTransferStatus::Rejected, vec![refusal]);
    let report = answer(&inbound, &rejected).expect("garbage gets an answer too");
    assert_valid(&report, PACS_002, &words);
    words
}

#[test]
fn hostile_bodies_are_refused_with_their_reason() {
    let laughs = "<!DOCTYPE a [<!ENTITY l \"lol\"><!ENTITY m \"&l;&l;&l;&l;&l;&l;\">]><a>&m;</a>";
    let deep = "<a>".repeat(65) + &"</a>".repeat(65);
    let many = format!("<a>{}</a>", "<b/>".repeat(xml::ELEMENTS_MAX));
    let attributes = format!("<a {}/>", "b=\"\" ".repeat(1_000));
    let namespaces =
        (0..65).fold("<a".to_owned(), |body, n| body + &format!(" xmlns:n{n}=\"u\"")) + "/>";
    let large = vec![b' '; xml::BODY_BYTES_MAX + 1];
    let cases: &[(&[u8], &str)] = &[
        (laughs.as_bytes(), "document type declaration"),
        (b"<a>&lol;</a>", "entity"),
        (b"<a b='&lol;'/>", "not well-formed"),
        (deep.as_bytes(), "deeper than 64"),
        (many.as_bytes(), "more than 20000 elements"),
        (attributes.as_bytes(), "bytes of attributes"),
        (namespaces.as_bytes(), "not well-formed"),
        (&large, "at most 1048576"),
        (b"<a>\xff\xfe</a>", "not UTF-8 from byte 3"),
        (b"<?xml version='1.0' encoding='UTF-16'?><a/>", "encoding"),
        (b"<a>&#1;</a>", "character"),
        (b"<a>\x01</a>", "character"),
        (b"<a>&#xD800;</a>", "not well-formed"),
        (b"<a></b>", "not well-formed"),
        (b"<a>", "not closed"),
        (b"", "no element"),
        (b"hello", "outside every element"),
        (b"<a/>", "no ISO 20022 message"),
        (b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08'/>", "is missing"),
    ];
    for (body, words) in cases {
        let refused = refused(body);
        assert!(refused.contains(words), "{words}: {refused}");
    }
}

/// Nineteen thousand transactions, and as many instructions in one: refused and answered, in time.
#[test]
fn messages_of_too_many_parts_are_refused_and_answered() {
    let of = |name: &str, root: &str, inside: String| {
        let space = format!("urn:iso:std:iso:20022:tech:xsd:{name}");
        format!("<Document xmlns=\"{space}\"><{root}>{inside}</{root}></Document>")
    };
    let codes = "<InstrForCdtrAgt><Cd>PHOB</Cd></InstrForCdtrAgt>".repeat(9_000);
    let lines = "<AdrLine>somewhere</AdrLine>".repeat(18_000);
    let address = format!("<Dbtr><PstlAdr><TwnNm>some</TwnNm>{lines}</PstlAdr></Dbtr>");
    let cases = [
        of("pacs.008.001.08", "FIToFICstmrCdtTrf", "<CdtTrfTxInf/>".repeat(19_000)),
        of("pacs.008.001.08", "FIToFICstmrCdtTrf", format!("<CdtTrfTxInf>{codes}</CdtTrfTxInf>")),
        of("pacs.008.001.08", "FIToFICstmrCdtTrf", format!("<CdtTrfTxInf>{address}</CdtTrfTxInf>")),
        of("pacs.004.001.09", "PmtRtr", "<TxInf/>".repeat(19_000)),
        of("pacs.028.001.03", "FIToFIPmtStsReq", "<TxInf/>".repeat(19_000)),
        of("camt.056.001.08", "FIToFIPmtCxlReq", "<Undrlyg><TxInf/></Undrlyg>".repeat(9_000)),
        of("camt.029.001.09", "RsltnOfInvstgtn", "<CxlDtls/>".repeat(19_000)),
    ];
    for body in &cases {
        let inbound = read(body.as_bytes());
        let refusal = match instruction(&inbound) {
            Err(refusal) => refusal,
            Ok(_) => verdict(&inbound, &|_| true, &|_| true).expect_err("it is refused"),
        };
        assert_eq!(refusal.reason, verdict::FORMAT);
        let rejected = statement(CreditTransferStatus::Rejected, vec![refusal]);
        let report = answer(&inbound, &rejected).expect("it is answered");
        assert!(report.matches("<TxInfAndSts>").count() <= 100);
        for profile in Profile::ALL {
            let checked = check(body.as_bytes(), profile);
            assert_eq!(checked.verdict, Verdict::Refused);
            assert!(checked.findings.len() <= 200, "{} findings", checked.findings.len());
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let inbound = read(&body);
        prop_assert!(verdict(&inbound, &|_| true, &|_| true).is_err());
        prop_assert!(instruction(&inbound).is_err());
        prop_assert!(Rows::open(body.as_slice()).is_err());
        prop_assert_eq!(check(&body, Profile::Current).verdict, Verdict::Refused);
    }

    #[test]
    fn no_damage_to_a_message_breaks_its_answer(
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        put in "[<>/&;#x0-9A-Za-z\"' ]{0,12}",
    ) {
        let whole = message().write(None).expect("the fixture fits").into_bytes();
        let start = at.index(whole.len());
        let end = whole.len().min(start + length);
        let mut body = whole;
        body.splice(start..end, put.bytes());
        let inbound = read(&body);
        if let Err(refusal) = verdict(&inbound, &|_| true, &|_| true) {
            let rejected = statement(CreditTransferStatus::Rejected, vec![refusal]);
            prop_assert!(answer(&inbound, &rejected).is_ok());
        }
    }
}
