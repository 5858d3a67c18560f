//! What is said to core banking over HTTP and what its answers mean: whatever is not the protocol's word is unknown, never a no; it does no I/O.
use ledger_types::{StatusReason, TransferId};
use serde::{Deserialize, Serialize};

use super::{Customer, Identified};
use crate::payee::Payee;

/// What core banking is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Set money aside.
    Reserve,
    /// Take what was set aside.
    Capture,
    /// Give it back.
    Release,
    /// Say whether a creditor can be credited.
    Check,
    /// Credit a creditor.
    Credit,
    /// Say whose account it is that somebody names.
    Identify,
}

impl Operation {
    /// Its word in paths, keys and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Check => "check",
            Self::Credit => "credit",
            Self::Identify => "identify",
        }
    }

    /// Reads its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Reserve, Self::Capture, Self::Release, Self::Check, Self::Credit];
        all.into_iter().find(|operation| operation.as_str() == word)
    }

    /// Whether a bank may say no: what is set aside is taken or given back, whatever happened since.
    #[must_use]
    pub const fn refusable(self) -> bool {
        matches!(self, Self::Reserve | Self::Check | Self::Credit | Self::Identify)
    }
}

/// The key of an operation: the same whenever it is asked, and of no other.
#[must_use]
pub fn key(transfer: TransferId, operation: Operation, round: i16) -> String {
    let TransferId { debtor_agent, uetr } = transfer;
    format!("{}_{uetr}_{}_{round}", debtor_agent.0, operation.as_str())
}

/// The body of a call.
#[derive(Serialize)]
struct Asked<'a> {
    key: &'a str,
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    debtor_agent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uetr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payout_method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_minor_units: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
}

/// The body of a call about a customer; a check concerns no transfer.
#[must_use]
pub fn of_customer(
    key: &str,
    operation: Operation,
    transfer: Option<TransferId>,
    customer: Customer<'_>,
) -> Vec<u8> {
    body(&Asked {
        key,
        operation: operation.as_str(),
        debtor_agent: transfer.map(|transfer| transfer.debtor_agent.0),
        uetr: transfer.map(|transfer| transfer.uetr.to_string()),
        reservation: None,
        account: customer.account,
        payout_method: Some(customer.payout_method.as_str()),
        amount_minor_units: Some(customer.money.minor_units.to_string()),
        currency: Some(customer.money.currency.to_string()),
    })
}

/// The body of a call about a reservation.
#[must_use]
pub fn of_reservation(
    key: &str,
    operation: Operation,
    transfer: TransferId,
    reservation: &str,
) -> Vec<u8> {
    body(&Asked {
        key,
        operation: operation.as_str(),
        debtor_agent: Some(transfer.debtor_agent.0),
        uetr: Some(transfer.uetr.to_string()),
        reservation: Some(reservation),
        account: None,
        payout_method: None,
        amount_minor_units: None,
        currency: None,
    })
}

/// The body of the question whose account it is that a sender names: `account`, `phone` or `email`.
#[must_use]
pub fn of_payee(key: &str, payee: &Payee) -> Vec<u8> {
    let operation = Operation::Identify.as_str();
    let body =
        serde_json::json!({ "key": key, "operation": operation, payee.word(): payee.text() });
    body.to_string().into_bytes()
}

/// What the bank says of a payee, in an answer that is done.
#[derive(Deserialize)]
struct Holder {
    account: String,
    name: String,
}

/// Account and name of an answer that is done; none if it lacks either.
#[must_use]
pub fn holder(body: &[u8]) -> Option<Identified> {
    let Holder { account, name } = serde_json::from_slice(body).ok()?;
    Some(Identified::Known { account, name }).filter(|known| match known {
        Identified::Known { account, name } => !account.is_empty() && !name.trim().is_empty(),
        Identified::Unknown | Identified::NotSupported => false,
    })
}

fn body(asked: &Asked<'_>) -> Vec<u8> {
    // Strings and a number are always JSON.
    serde_json::to_vec(asked).unwrap_or_default()
}

/// What an answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is done.
    Done,
    /// It is not done and never will be under this key.
    Refused(StatusReason),
    /// The key was never seen.
    NeverSeen,
    /// Nothing is known; why.
    Unknown(&'static str),
    /// The call was not made: the bank does not answer others.
    Spared,
}

#[derive(Deserialize)]
struct Said {
    key: String,
    status: String,
    reason: Option<String>,
}

/// What an answer to a call or, with `looked`, to a question after a key means.
#[must_use]
pub fn read(http: u16, body: &[u8], key: &str, looked: bool) -> Word {
    if http != 200 && !(looked && http == 404) {
        return Word::Unknown("an HTTP status out of protocol");
    }
    let Ok(said) = serde_json::from_slice::<Said>(body) else {
        return Word::Unknown("an answer that is not the protocol's JSON");
    };
    if said.key != key {
        return Word::Unknown("an answer about another key");
    }
    let reason = said.reason.as_deref().and_then(|reason| reason.parse().ok());
    match (http, said.status.as_str(), reason) {
        (200, "done", _) => Word::Done,
        (200, "refused", Some(reason)) => Word::Refused(reason),
        (404, "unknown", _) => Word::NeverSeen,
        (_, _, _) => Word::Unknown("a status out of protocol, or a refusal without ISO reason"),
    }
}

#[cfg(test)]
mod tests {
    use ledger_types::StatusReason;

    use super::{Word, read};

    #[test]
    fn only_the_protocols_words_are_taken_for_an_answer() {
        let said = |status: &str| format!(r#"{{"key":"k","status":{status},"also":1}}"#);
        let unknown = |word| matches!(word, Word::Unknown(_));
        assert_eq!(read(200, said(r#""done""#).as_bytes(), "k", false), Word::Done);
        let refused = said(r#""refused","reason":"AM04""#);
        let reason = StatusReason::known(b"AM04");
        assert_eq!(read(200, refused.as_bytes(), "k", true), Word::Refused(reason));
        let never = said(r#""unknown""#);
        assert_eq!(read(404, never.as_bytes(), "k", true), Word::NeverSeen);
        assert!(unknown(read(404, never.as_bytes(), "k", false)), "a POST is never unknown");
        assert!(unknown(read(404, b"<html>", "k", true)), "a proxy knows no keys");
        assert!(unknown(read(200, never.as_bytes(), "k", true)));
        for status in [r#""refused""#, r#""refused","reason":"no""#, r#""pending""#, "7"] {
            assert!(unknown(read(200, said(status).as_bytes(), "k", false)), "{status}");
        }
        let other = said(r#""done""#);
        assert!(unknown(read(200, other.as_bytes(), "other", false)));
        for http in [201, 302, 400, 409, 429, 500] {
            assert!(unknown(read(http, other.as_bytes(), "k", false)), "{http}");
        }
        assert!(unknown(read(200, b"{\"key\":\"k\",\"status\":\"do", "k", false)));
    }
}
