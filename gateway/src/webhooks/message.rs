//! An event as a webhook tells it: its type, its place in an order, its body; all of it comes from the record's shared part, which holds no personal data.
use ledger_types::{ParticipantId, TransferId};
use serde_json::{Map, json};

use crate::{
    clock::rfc3339,
    store::{events::EventRow, webhooks::Planned},
};

#[cfg(test)]
mod tests;

/// Every type an endpoint may ask for.
pub const TYPES: [&str; 18] = [
    "transfer.pending",
    "transfer.held",
    "transfer.settled",
    "transfer.credited",
    "transfer.confirmed",
    "transfer.rejected",
    "transfer.expired",
    "transfer.cancelled",
    "transfer.burned",
    "transfer.recalled",
    "transfer.recall_answered",
    "transfer.action_refused",
    "ledger.record",
    "approval.requested",
    "approval.approved",
    "approval.rejected",
    "approval.expired",
    "approval.refused",
];

/// Kinds of records about one transfer.
const ABOUT_TRANSFERS: [&str; 11] = [
    "Submit",
    "Return",
    "Accept",
    "Hold",
    "Reject",
    "Confirm",
    "Cancel",
    "Resolve",
    "Expiry",
    "Recall",
    "AnswerRecall",
];

/// What is told of an event.
const TOLD: [&str; 6] =
    ["kind", "refusal", "debtor_agent", "creditor_agent", "corridor", "amount_minor_units"];

/// The `webhook-id`: the same whenever the event is sent, replayed or not.
#[must_use]
pub fn id(me: ParticipantId, number: i64) -> String {
    format!("evt_{}_{number}", me.0)
}

/// The `webhook-id` of one of this gateway's own events.
#[must_use]
pub fn local_id(me: ParticipantId, number: i64) -> String {
    format!("own_{}_{number}", me.0)
}

/// The body of one of this gateway's own events, which holds no personal data either.
#[must_use]
pub fn local_body(r#type: &str, event: &EventRow) -> Vec<u8> {
    let at = rfc3339(event.at);
    let body = json!({ "type": r#type, "timestamp": at, "data": event.data });
    body.to_string().into_bytes()
}

/// Its type, and the lane within which the order is kept.
#[must_use]
pub fn planned(event: &EventRow) -> Planned {
    let lane = match transfer(event) {
        Some((agent, uetr)) => lane(agent, uetr),
        None => format!("#{}", event.number),
    };
    Planned { number: event.number, r#type: kind(event).to_owned(), lane }
}

/// The message's body.
#[must_use]
pub fn body(event: &EventRow) -> Vec<u8> {
    let mut data = Map::new();
    data.insert("number".to_owned(), json!(event.number));
    data.insert("record".to_owned(), json!(event.sequence));
    if let Some((_, uetr)) = transfer(event) {
        data.insert("uetr".to_owned(), json!(uetr));
    }
    let state = &event.data["state"];
    if !state.is_null() {
        data.insert("status".to_owned(), state.clone());
    }
    for name in TOLD.into_iter().chain(["currency", "reason"]) {
        let value = &event.data[name];
        if !value.is_null() && value != "" {
            data.insert(name.to_owned(), value.clone());
        }
    }
    let body = json!({ "type": kind(event), "timestamp": rfc3339(event.at), "data": data });
    body.to_string().into_bytes()
}

/// The transfer that an event is about.
#[must_use]
pub fn about(event: &EventRow) -> Option<TransferId> {
    let (agent, uetr) = transfer(event)?;
    let debtor_agent = ParticipantId(u32::try_from(agent).ok()?);
    Some(TransferId { debtor_agent, uetr: uetr.parse().ok()? })
}

/// Within which a transfer's events keep their order.
#[must_use]
pub fn lane(debtor_agent: u64, uetr: &str) -> String {
    format!("{debtor_agent}:{uetr}")
}

fn transfer(event: &EventRow) -> Option<(u64, &str)> {
    let kind = event.data["kind"].as_str()?;
    let agent = event.data["debtor_agent"].as_u64()?;
    let uetr = event.data["subject"].as_str()?;
    ABOUT_TRANSFERS.contains(&kind).then_some((agent, uetr))
}

fn kind(event: &EventRow) -> &'static str {
    if transfer(event).is_none() {
        return "ledger.record";
    }
    let word = |name: &str| event.data[name].as_str().unwrap_or_default();
    let submits = matches!(word("kind"), "Submit" | "Return");
    match (word("kind"), word("state"), !word("refusal").is_empty()) {
        (_, "REJECTED", true) if submits => "transfer.rejected",
        (_, _, true) => "transfer.action_refused",
        ("Hold", _, _) => "transfer.held",
        // Whatever the transfer's own state is: it moves no money.
        ("Recall", _, _) => "transfer.recalled",
        ("AnswerRecall", _, _) => "transfer.recall_answered",
        (_, "CREDITED", _) => "transfer.credited",
        ("Confirm", _, _) => "transfer.confirmed",
        (_, "PENDING", _) => "transfer.pending",
        (_, "SETTLED", _) => "transfer.settled",
        (_, "REJECTED", _) => "transfer.rejected",
        (_, "EXPIRED", _) => "transfer.expired",
        (_, "CANCELLED", _) => "transfer.cancelled",
        (_, "BURNED", _) => "transfer.burned",
        (_, _, _) => "ledger.record",
    }
}
