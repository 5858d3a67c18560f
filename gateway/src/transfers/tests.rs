//! The validation table: each bad field is named with its rule; never a real person.
use ledger_types::ParticipantId;
use proto::convert::Network;
use serde_json::{Value, json};

use super::order::{OrderBody, read};
use crate::testing;

fn network() -> Network {
    testing::network(&[(12, "CWPHPHP0")])
}

fn order() -> Value {
    json!({
        "uetr": "8a562c67-ca16-48ba-b074-65581be6f001",
        "creditor_agent": "CWPHPHP0XXX",
        "instructed_amount": { "amount": "500.00", "currency": "HKD" },
        "payout_method": "wallet",
        "purpose": "GIFT",
        "debtor": { "name": "EXAMPLE DEBTOR", "account": "100200300" },
        "creditor": { "name": "EXAMPLE CREDITOR", "account": "+639170000000" },
    })
}

#[test]
fn every_bad_field_is_named_with_its_reason() {
    let long = "x".repeat(200);
    let cases: [(&str, Value, &str, &str); 17] = [
        ("/uetr", json!("8A562C67-CA16-48BA-B074-65581BE6F001"), "uetr", "FF01"),
        ("/uetr", json!("8a562c67-ca16-18ba-b074-65581be6f001"), "uetr", "FF01"),
        ("/creditor_agent", json!("CWXXXX00"), "", "CNOR"),
        ("/creditor_agent", json!("99"), "", "CNOR"),
        ("/instructed_amount/amount", json!("500.001"), "instructed_amount", "FF01"),
        ("/instructed_amount/amount", json!("0.00"), "instructed_amount", "AM01"),
        ("/instructed_amount/amount", json!("-1"), "instructed_amount", "FF01"),
        ("/instructed_amount/amount", json!("99999999999999999999"), "instructed_amount", "FF01"),
        ("/instructed_amount/currency", json!("USD"), "instructed_amount", "AM03"),
        ("/instructed_amount/currency", json!("hkd"), "instructed_amount", "FF01"),
        ("/payout_method", json!("pigeon"), "payout_method", "FF01"),
        ("/purpose", json!("gift"), "purpose", "FF07"),
        ("/debtor/name", json!(long), "debtor.name", "FF01"),
        ("/debtor/account", json!("GB29NWBK60161331926818"), "debtor.account", "AC01"),
        ("/debtor", json!({"name": "A", "country": "ZZ"}), "debtor.country", "BE10"),
        (
            "/debtor",
            json!({"name": "A", "date_of_birth": "1.1.90"}),
            "debtor.date_of_birth",
            "FF01",
        ),
        ("/creditor/name", json!("a\u{7}b"), "creditor.name", "FF01"),
    ];
    for (path, value, field, reason) in cases {
        let mut body = order();
        *body.pointer_mut(path).unwrap() = value.clone();
        let body: OrderBody = serde_json::from_value(body).unwrap();
        let problem = read(body, &network()).unwrap_err();
        assert!(problem.detail.starts_with(field), "{path} {value}: {}", problem.detail);
        assert_eq!(problem.reason.as_str(), reason, "{path} {value}: {}", problem.detail);
    }
    let body: OrderBody = serde_json::from_value(order()).unwrap();
    let order = read(body, &network()).unwrap();
    assert_eq!(order.instructed.unwrap().minor_units, 50_000);
    assert_eq!(order.creditor_agent, ParticipantId(12));
}
