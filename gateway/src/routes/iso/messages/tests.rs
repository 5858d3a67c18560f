//! A kept transfer as each of its messages: valid by the crate's own shapes, complete, and silent where nothing is kept.
use proto::convert::Network;
use services_iso20022::{
    camt054::CAMT_054, life_cycle::ReturnFacts, pacs004::PACS_004, pacs004::Pacs004, read,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{PACS_008, Told, pieces};
use crate::{
    personal::{Person, Personal},
    store::transfers::Row,
    testing,
};

const UETR: &str = "8a562c67-ca16-48ba-b074-65581be6f001";
const ORIGINAL: &str = "8a562c67-ca16-48ba-b074-65581be6f002";

fn network() -> Network {
    testing::network(&[(101, "CWHKHKH0"), (102, "")])
}

fn row() -> Row {
    let now = OffsetDateTime::UNIX_EPOCH;
    Row {
        id: 1,
        debtor_agent: 101,
        uetr: UETR.parse().unwrap(),
        creditor_agent: 102,
        outgoing: false,
        return_of: None,
        corridor: 1,
        status: "CREDITED".to_owned(),
        reason: None,
        refusal: None,
        record: Some(42),
        instructed_amount: Some(50_000),
        instructed_currency: Some("HKD".to_owned()),
        amount: 403_790,
        currency: "PHP".to_owned(),
        reserved_amount: 0,
        payout_method: "wallet".to_owned(),
        purpose: "GIFT".to_owned(),
        end_to_end_id: Some("E2E-1".to_owned()),
        quotes: vec![],
        deadline: None,
        held_until: None,
        hold_reason: None,
        created_at: now,
        submitted_at: Some(now),
        settled_at: Some(now),
        ended_at: None,
        confirmation: Some("ACCC".to_owned()),
        confirmed_at: Some(now),
        credited_at: Some(now),
        decision: None,
        booked: true,
        tracking_sha256: None,
    }
}

fn personal() -> Personal {
    let person = |name: &str, account: &str| Person {
        name: name.to_owned(),
        account: Some(account.to_owned()),
        address: vec!["1 Example Road".to_owned(), "x".repeat(70)],
        country: Some("HK".to_owned()),
        date_of_birth: Some("1990-02-28".to_owned()),
        place_of_birth: Some("Cebu".to_owned()),
        national_identifier: Some("P0000000X".to_owned()),
        customer_identification: None,
    };
    Personal {
        originator: person("Ada Testperson", "GB82WEST12345698765432"),
        beneficiary: person("Bea Testperson", "+639000000001"),
        relationship: Some("a relationship of more than 35 characters".to_owned()),
        remittance_information: Some("謝謝 <&> ".repeat(40)),
        ..Personal::default()
    }
}

#[test]
fn a_transfer_is_told_as_it_is_kept() {
    let (network, row, personal) = (network(), row(), personal());
    let told = Told { network: &network, row: &row, personal: &personal };
    let text = told.pacs008().write(None).unwrap();
    let inbound = read(text.as_bytes());
    assert_eq!((inbound.findings.len(), inbound.message_name.as_deref()), (0, Some(PACS_008)));
    let transfer = &inbound.message.credit_transfers[0];
    assert_eq!(transfer.uetr.as_deref(), Some(UETR));
    assert_eq!(transfer.instructed_amount.as_ref().unwrap().value, "500.00");
    assert_eq!(transfer.remittance_text().split_whitespace().count(), 80);
    assert_eq!(transfer.regulatory_text("RELATIONSHIP").unwrap().replace(' ', "").len(), 35);
    let agent = transfer.creditor_agent.as_ref().unwrap();
    assert_eq!(agent.clearing_system_member_id.as_deref(), Some("102"), "it has no BIC");
    for told in ["Ada Testperson", "GB82WEST12345698765432", "+639000000001", "P0000000X"] {
        assert!(text.contains(told), "{told}: {text}");
    }

    let note = told.camt054().unwrap().write(None).unwrap();
    let inbound = read(note.as_bytes());
    assert!(inbound.root_of(CAMT_054).is_some() && inbound.findings.is_empty(), "{note}");
    assert!(note.contains("<Amt Ccy=\"PHP\">4037.90</Amt>"), "{note}");
    let again = told.camt054().unwrap().write(None).unwrap();
    assert_eq!(note, again, "asked twice it is one message, its id included");
    let other = Row { uetr: Uuid::from_u128(7), ..row.clone() };
    let other = Told { row: &other, ..told }.camt054().unwrap();
    assert_ne!(other.message_id, told.camt054().unwrap().message_id, "each credit has its own");
}

#[test]
fn a_return_is_told_as_a_return_and_names_what_it_returns() {
    let (network, personal) = (network(), Personal::default());
    let return_of = Some(ORIGINAL.parse::<Uuid>().unwrap());
    let row = Row { return_of, purpose: "CUST".to_owned(), ..row() };
    let told = Told { network: &network, row: &row, personal: &personal };
    let text = told.pacs004().write(None).unwrap();
    let inbound = read(text.as_bytes());
    let message = Pacs004::read(inbound.root_of(PACS_004).unwrap());
    let facts = ReturnFacts::of(&message).unwrap();
    assert_eq!(facts.original_uetr.to_string(), ORIGINAL);
    assert_eq!(facts.own_uetr.unwrap().to_string(), UETR);
    assert_eq!((facts.reason.as_str(), facts.amount.value.as_str()), ("CUST", "4037.90"));
    assert_eq!(told.camt054(), None, "no credit of a customer");
}

#[test]
fn nothing_is_notified_before_it_is_credited_to_an_account() {
    let (network, personal) = (network(), personal());
    let cash = Personal { beneficiary: Person::default(), ..self::personal() };
    let waiting = Row { credited_at: None, ..row() };
    let outgoing = Row { outgoing: true, ..row() };
    for (row, personal) in [(&waiting, &personal), (&outgoing, &personal), (&row(), &cash)] {
        let told = Told { network: &network, row, personal };
        assert_eq!(told.camt054(), None);
    }
}

#[test]
fn texts_are_cut_between_characters() {
    assert_eq!(pieces("", 3), Vec::<String>::new());
    assert_eq!(pieces("謝謝你a b", 3), ["謝謝你", "a b"]);
}
