//! Each kind of record has its type, and a body tells nothing beyond the shared part.
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{TYPES, body, id, planned};
use crate::store::events::EventRow;

const UETR: &str = "8a562c67-ca16-48ba-b074-65581be6f001";

fn event(kind: &str, state: Value, refusal: Value) -> EventRow {
    let data = json!({
        "kind": kind, "state": state, "refusal": refusal, "reason": "", "debtor_agent": 101,
        "creditor_agent": 102, "corridor": 1, "subject": UETR, "amount_minor_units": "50000",
        "currency": "HKD", "debtor_name": "EXAMPLE",
    });
    EventRow { number: 7, sequence: 70, at: OffsetDateTime::UNIX_EPOCH, data }
}

#[test]
fn every_record_has_its_type_and_lane() {
    for (kind, state, refusal, expected) in [
        ("Submit", json!("PENDING"), Value::Null, "transfer.pending"),
        ("Submit", json!("SETTLED"), Value::Null, "transfer.settled"),
        ("Submit", json!("REJECTED"), json!("AMOUNT_BELOW_MINIMUM"), "transfer.rejected"),
        ("Return", json!("SETTLED"), Value::Null, "transfer.settled"),
        ("Accept", json!("SETTLED"), Value::Null, "transfer.settled"),
        ("Accept", json!("EXPIRED"), json!("TRANSFER_NOT_PENDING"), "transfer.action_refused"),
        ("Hold", json!("PENDING"), Value::Null, "transfer.held"),
        ("Reject", json!("REJECTED"), Value::Null, "transfer.rejected"),
        ("Confirm", json!("CREDITED"), Value::Null, "transfer.credited"),
        ("Confirm", json!("SETTLED"), Value::Null, "transfer.confirmed"),
        ("Cancel", json!("CANCELLED"), Value::Null, "transfer.cancelled"),
        ("Expiry", json!("EXPIRED"), Value::Null, "transfer.expired"),
        ("Recall", json!("CREDITED"), Value::Null, "transfer.recalled"),
        ("Recall", json!("SETTLED"), json!("RECALL_OPEN"), "transfer.action_refused"),
        ("AnswerRecall", json!("SETTLED"), Value::Null, "transfer.recall_answered"),
        ("Resolve", json!("BURNED"), Value::Null, "transfer.burned"),
    ] {
        let planned = planned(&event(kind, state, refusal));
        assert_eq!(planned.r#type, expected, "{kind}");
        assert_eq!(planned.lane, format!("101:{UETR}"));
        assert!(TYPES.contains(&expected));
    }
    let other = planned(&event("SetCorridor", Value::Null, Value::Null));
    assert_eq!((other.r#type.as_str(), other.lane.as_str()), ("ledger.record", "#7"));
}

#[test]
fn a_body_tells_the_shared_part_alone() {
    let told = body(&event("Accept", json!("SETTLED"), Value::Null));
    let told: Value = serde_json::from_slice(&told).unwrap();
    let expected = json!({
        "type": "transfer.settled",
        "timestamp": "1970-01-01T00:00:00Z",
        "data": {
            "number": 7, "record": 70, "uetr": UETR, "status": "SETTLED", "kind": "Accept",
            "debtor_agent": 101, "creditor_agent": 102, "corridor": 1,
            "amount_minor_units": "50000", "currency": "HKD",
        },
    });
    assert_eq!(told, expected);
    assert_eq!(id(ledger_types::ParticipantId(101), 7), "evt_101_7");
}
