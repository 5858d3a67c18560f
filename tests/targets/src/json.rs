//! JSON bodies of the gateway: what is accepted keeps every rule that the OpenAPI document states.
use gateway::{
    routes::{
        actions::{AcceptBody, ConfirmBody, HoldBody, ReasonBody, ReturnBody},
        body,
        quotes::QuoteBody,
    },
    transfers::order::{self, OrderBody},
};
use ledger_types::{AccountId, NetworkId, ParticipantId};
use proto::convert::{CurrencyTerms, Network, Participant};
use serde_json::Value;

pub(crate) fn json(bytes: &[u8]) {
    accepted::<AcceptBody>(bytes);
    accepted::<ConfirmBody>(bytes);
    accepted::<HoldBody>(bytes);
    accepted::<ReasonBody>(bytes);
    accepted::<ReturnBody>(bytes);
    accepted::<QuoteBody>(bytes);
    let Ok(body) = body::json::<OrderBody>(bytes) else { return };
    let Ok(order) = order::read(body, &network()) else { return };
    for money in [order.instructed, order.settlement].into_iter().flatten() {
        assert!(money.minor_units > 0 && i64::try_from(money.minor_units).is_ok());
    }
    let personal = &order.personal;
    for person in [&personal.originator, &personal.beneficiary] {
        assert!(person.name.chars().count() <= 140 && !person.name.chars().any(char::is_control));
        assert!(person.address.len() <= order::ADDRESS_LINES_MAX);
    }
}

/// An accepted body is an object, and no other reading of the same bytes says otherwise.
fn accepted<T: serde::de::DeserializeOwned>(bytes: &[u8]) {
    if body::json::<T>(bytes).is_ok() {
        assert!(serde_json::from_slice::<Value>(bytes).is_ok_and(|body| body.is_object()));
    }
}

pub(crate) fn network() -> Network {
    let participant = |id, country: &str, bic: &str| Participant {
        id: ParticipantId(id),
        name: String::new(),
        country: country.parse().expect("a country"),
        bic: bic.to_owned(),
        lei: String::new(),
        clearing_member: String::new(),
        suspended: false,
        sealing_keys: Vec::new(),
        signing_keys: Vec::new(),
    };
    let currency = |code: &str, exponent| CurrencyTerms {
        currency: code.parse().expect("a currency"),
        exponent,
        custodian: ParticipantId(1),
        custody_account: AccountId(1),
    };
    Network {
        id: NetworkId([0; 32]),
        participants: vec![participant(11, "HK", "CWHKHKH0"), participant(12, "PH", "CWPHPHP0")],
        corridors: Vec::new(),
        currencies: vec![currency("HKD", 2), currency("JPY", 0), currency("BHD", 3)],
        accounts: Vec::new(),
    }
}
