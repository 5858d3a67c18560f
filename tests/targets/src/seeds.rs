//! Seeds of the corpora, made by the project's own encoders and frozen vectors; all of it is made up.
use std::path::{Path, PathBuf};

use ledger_proof::{Entry, Field, ItemKind, Record, RecordKind};
use ledger_types::{
    ConfirmationStatus, CreditTransferStatus, ParticipantId, StatusReason, Timestamp, TransferId,
    TransferState, Uetr,
};
use prost::Message;
use proto::{convert, ledger as wire};
use serde_json::json;
use services_iso20022::{
    Amount, Inbound, Pacs008, Refusal,
    pacs002::{Statement, answer},
    pacs008::{Agent, CodeOrProprietary, CreditTransfer, GroupHeader, Instruction, Party},
};

use crate::{
    TARGETS, founding,
    world::{FUNDED, Pen},
};

const ITEMS: &str = include_str!("../../../ledger/proof/vectors/items.txt");
const PARTS: &str = include_str!("../../../ledger/proof/vectors/parts.txt");
const DETAILS: &str = include_str!("../../../ledger/proof/vectors/details.txt");
const CONTAINERS: &str = include_str!("../../../ledger/proof/vectors/containers.txt");

/// Where the corpora lie.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Every seed: target, name, bytes.
#[must_use]
pub fn all() -> Vec<(&'static str, String, Vec<u8>)> {
    TARGETS
        .iter()
        .flat_map(|target| {
            of(target.name).into_iter().map(|(name, bytes)| (target.name, name, bytes))
        })
        .collect()
}

fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let named = |rows: Vec<(&str, Vec<u8>)>| -> Vec<(String, Vec<u8>)> {
        rows.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
    };
    match target {
        "envelope" => {
            let mut rows = vectors(CONTAINERS, Some("envelope"));
            rows.extend(signed());
            rows
        }
        "item" => vectors(ITEMS, None),
        "record" => [vectors(PARTS, None), vectors(DETAILS, None), records()].concat(),
        "entry" => entries(),
        "container" => {
            let mut rows = vectors(CONTAINERS, None);
            rows.retain(|(name, _)| name != "envelope");
            rows.push(("founding".to_owned(), founding::genesis().to_bytes()));
            rows
        }
        "checkpoint" => named(vec![("plain", vec![7; 40]), ("bent", (0..120).collect())]),
        "words" => words(),
        "messages" => named(messages()),
        "xml" => named(xml()),
        "statement" => named(crate::statement::seeds()),
        "json" => named(bodies()),
        "machine" => named(vec![
            ("submits", vec![0, 0, 200, 9, 1, 1, 100, 5, 2, 1, 1, 0, 6, 0, 0, 60, 3, 0, 1, 1]),
            ("names-again", vec![1, 0, 5, 9, 1, 0, 5, 9, 4, 0, 0, 0, 7, 0, 0, 0, 5, 0, 0, 0]),
            ("expiry", vec![1, 0, 255, 3, 6, 0, 0, 255, 2, 0, 0, 0, 6, 0, 3, 1, 7, 0, 0, 0]),
        ]),
        _ => Vec::new(),
    }
}

/// The rows `name length hex` of a file of vectors.
fn vectors(text: &str, only: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        Some((name, hex::decode(words.last()?).ok()?))
    };
    let rows = text.lines().filter_map(row);
    rows.filter(|(name, _)| only.is_none_or(|only| only == name)).collect()
}

fn pen() -> Pen {
    let begun = Timestamp::from_micros(founding::FOUNDED_AT);
    Pen::new(1, FUNDED, begun, founding::Keys::default().signer())
}

/// What founds a network, as it was signed.
fn signed() -> Vec<(String, Vec<u8>)> {
    let envelopes = founding::founding(&mut pen());
    let rows = envelopes.into_iter().enumerate();
    rows.map(|(at, envelope)| (format!("founding-{at}"), envelope.bytes)).collect()
}

fn records() -> Vec<(String, Vec<u8>)> {
    let record = |kind, nonce| {
        let parts = std::array::from_fn(|at| vec![0xa5; at * 3]);
        let at = Timestamp::from_micros(founding::FOUNDED_AT);
        Record { kind, sequence: 7, at, nonce, parts }.to_bytes()
    };
    vec![
        ("salted".to_owned(), record(RecordKind::Item(ItemKind::Submit), Some([9; 32]))),
        ("unsalted".to_owned(), record(RecordKind::Entry, None)),
    ]
}

fn entries() -> Vec<(String, Vec<u8>)> {
    let envelopes = founding::founding(&mut pen());
    let (stamp, blob) = (Timestamp::from_micros(founding::FOUNDED_AT), [3_u8; 40]);
    let slices: Vec<&[u8]> = envelopes.iter().map(|envelope| envelope.bytes.as_slice()).collect();
    let put = |entry: Entry<'_>| {
        let mut out = Vec::new();
        entry.put(&mut out);
        out
    };
    let tick = Entry { stamp, envelopes: Vec::new(), blobs: Vec::new() };
    let full = Entry { stamp, envelopes: slices, blobs: vec![&blob] };
    vec![("tick".to_owned(), put(tick)), ("full".to_owned(), put(full))]
}

fn words() -> Vec<(String, Vec<u8>)> {
    let words = [
        "CWHKHKH0",
        "CWHKHKH0XXX",
        "GB29 NWBK 6016 1331 9268 19",
        "PK36SCBL0000001123456702",
        "500.00",
        "0.5",
        "+00012.3400",
        "8.0758",
        "18446744073709551615",
        "HKD",
        "HK",
        "GIFT",
        "8a562c67-ca16-48ba-b074-65581be6f011",
        "cash_pickup",
    ];
    words
        .iter()
        .enumerate()
        .map(|(at, word)| (format!("{at:02}"), word.as_bytes().to_vec()))
        .collect()
}

/// A message behind the byte that says of which kind it is.
fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let of = |kind: u8, bytes: Vec<u8>| [vec![kind], bytes].concat();
    let outcome = convert::Outcome {
        sequence: 9,
        rejection: None,
        state: Some(TransferState::Settled),
        reason: Some(StatusReason::known(b"AC04")),
        first_sequence: Some(3),
    };
    let at = Timestamp::from_micros(founding::FOUNDED_AT);
    let submitted =
        convert::Submitted { outcomes: vec![outcome], envelope_refused: false, at, resent: true };
    let debtor_agent = ParticipantId(11);
    let transfer = convert::Transfer {
        id: TransferId { debtor_agent, uetr: Uetr::from_random([5; 16]) },
        creditor_agent: ParticipantId(12),
        corridor: ledger_types::CorridorId(1),
        state: TransferState::Credited,
        reason: None,
        rejection: None,
        amount: 50_000,
        currency: crate::world::currency(),
        deadline: at,
        submitted_at: at,
        decided_at: at,
        confirmed_at: at,
        confirmation: Some(ConfirmationStatus::Credited),
        submit_sequence: 4,
        decided_sequence: 5,
        held_until: Timestamp::ZERO,
        returned: 0,
    };
    let balance = convert::Balance {
        account: crate::world::account(debtor_agent, 0),
        owner: debtor_agent,
        currency: crate::world::currency(),
        debits_pending: 1,
        debits_posted: 2,
        credits_pending: 3,
        credits_posted: u128::from(u64::MAX),
        net_debit_cap: 4,
        custody: false,
        standing_acceptance: true,
    };
    let asked = wire::GetTransferRequest {
        debtor_agent: 11,
        uetr: Uetr::from_random([5; 16]).bytes().to_vec().into(),
    };
    vec![
        ("outcome", of(0, wire::Outcome::from(outcome).encode_to_vec())),
        ("submitted", of(1, wire::SubmitResponse::from(submitted).encode_to_vec())),
        ("transfer", of(2, wire::Transfer::from(transfer).encode_to_vec())),
        ("balance", of(3, wire::Balance::from(balance).encode_to_vec())),
        ("record", of(4, record_event().encode_to_vec())),
        ("network", of(5, wire::GetNetworkResponse::from(crate::json::network()).encode_to_vec())),
        ("event", of(6, event().encode_to_vec())),
        ("asked", of(7, asked.encode_to_vec())),
    ]
}

fn record_event() -> wire::RecordEvent {
    let part = wire::OpenedPart { part: 0, salt: vec![1; 32].into(), bytes: vec![2; 40].into() };
    wire::RecordEvent {
        sequence: 9,
        kind: u32::from(RecordKind::Item(ItemKind::Submit).code()),
        at_micros: founding::FOUNDED_AT,
        number: 2,
        parts: vec![part],
        digests: vec![vec![3; 32].into(); 6],
        ..wire::RecordEvent::default()
    }
}

fn event() -> wire::Event {
    wire::Event { event: Some(wire::event::Event::Record(record_event())) }
}

fn xml() -> Vec<(&'static str, Vec<u8>)> {
    let message = message();
    let transfer = message.write(None).unwrap_or_default();
    let inbound = services_iso20022::read(transfer.as_bytes());
    let laughs: &[u8] = b"<!DOCTYPE a [<!ENTITY l \"lol\"><!ENTITY m \"&l;&l;&l;\">]><a>&m;</a>";
    vec![
        ("pacs008", transfer.into_bytes()),
        ("pacs002", report(&inbound).into_bytes()),
        ("laughs", laughs.to_vec()),
        ("deep", ["<a>".repeat(70), "</a>".repeat(70)].concat().into_bytes()),
    ]
}

fn report(inbound: &Inbound) -> String {
    let refusal = Refusal { reason: StatusReason::known(b"AC04"), text: "closed".to_owned() };
    let statement = Statement {
        message_id: "ANSWER-1".to_owned(),
        created_at: "2026-11-23T02:15:31Z".to_owned(),
        status: CreditTransferStatus::Rejected,
        reasons: vec![refusal],
        accepted_at: None,
        clearing_system_reference: None,
        instructing_agent_bic: Some("CWPHPHM0".to_owned()),
    };
    answer(inbound, &statement).unwrap_or_default()
}

fn message() -> Pacs008 {
    let some = |text: &str| Some(text.to_owned());
    let party = |name: &str| Some(Party { name: some(name), ..Party::default() });
    let group_header = GroupHeader {
        message_id: some("MSG-1"),
        created_at: some("2026-11-23T10:15:30.250+08:00"),
        number_of_transactions: some("1"),
        settlement_method: some("CLRG"),
        ..GroupHeader::default()
    };
    let quote = Instruction {
        code: None,
        information: some("/QUOTE/3f0b7f52-6f0e-4d5e-9c7a-0d6a1c2b3e4f"),
    };
    let transfer = CreditTransfer {
        end_to_end_id: some("E2E <&> 1"),
        uetr: some("8a562c67-ca16-48ba-b074-65581be6f011"),
        interbank_settlement_amount: Some(Amount::from_minor_units("PHP", 403_790, 2)),
        interbank_settlement_date: some("2026-11-23"),
        instructed_amount: Some(Amount::from_minor_units("HKD", 50_000, 2)),
        charge_bearer: some("SHAR"),
        debtor: party("Example Debtor"),
        debtor_agent: Some(Agent::of_bic("CWHKHKH0")),
        creditor_agent: Some(Agent::of_bic("CWPHPHM0")),
        creditor: party("Example Creditor"),
        instructions_for_next_agent: vec![quote],
        purpose: Some(CodeOrProprietary::Code("FAMI".to_owned())),
        remittance_information: vec!["For the family – November".to_owned()],
        ..CreditTransfer::default()
    };
    Pacs008 { group_header, credit_transfers: vec![transfer] }
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let amount = json!({ "amount": "500.00", "currency": "HKD" });
    let person = json!({ "name": "Ada Testperson", "account": "+85290000001" });
    let lived = json!({
        "name": "Bea Testperson",
        "address": ["1 Test Street", "Hong Kong"],
        "country": "HK",
        "date_of_birth": "1990-02-28",
    });
    let order = json!({
        "uetr": "8a562c67-ca16-48ba-b074-65581be6f011",
        "creditor_agent": "CWPHPHP0",
        "interbank_settlement_amount": amount,
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": person,
        "creditor": lived,
        "remittance_information": "Thank you",
    });
    let rows = [
        ("order", order),
        ("quote", json!({ "corridor": 1, "source_amount": amount })),
        ("return", json!({ "reason": "FOCR", "amount": amount })),
        ("confirm", json!({ "status": "ACCC", "confirmed_at": "2026-11-23T02:15:31Z" })),
        ("hold", json!({ "reason": "G002", "until": "2026-11-23T02:15:31+08:00" })),
        ("list", json!(["500.00", "HKD"])),
    ];
    let mut bodies: Vec<_> =
        rows.into_iter().map(|(name, body)| (name, body.to_string().into_bytes())).collect();
    bodies.push(("twice", b"{\"reason\":\"AC04\",\"reason\":\"CUST\"}".to_vec()));
    bodies.push(("deep", "[".repeat(200).into_bytes()));
    bodies.push(("huge", b"{\"corridor\":1e400,\"reason\":99999999999999999999999}".to_vec()));
    bodies
}
