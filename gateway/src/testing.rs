//! What unit tests share: a network of two currencies, all fictional; it holds no test.
use ledger_types::{AccountId, NetworkId, ParticipantId};
use proto::convert::{CurrencyTerms, Network, Participant};

/// A network of these participants, each with its BIC or none.
pub(crate) fn network(participants: &[(u32, &str)]) -> Network {
    let participant = |(id, bic): &(u32, &str)| Participant {
        id: ParticipantId(*id),
        name: String::new(),
        country: "PH".parse().unwrap(),
        bic: (*bic).to_owned(),
        lei: String::new(),
        clearing_member: String::new(),
        suspended: false,
        sealing_keys: vec![],
        signing_keys: vec![],
    };
    let currency = |code: &str| CurrencyTerms {
        currency: code.parse().unwrap(),
        exponent: 2,
        custodian: ParticipantId(1),
        custody_account: AccountId(1),
    };
    Network {
        id: NetworkId([0; 32]),
        participants: participants.iter().map(participant).collect(),
        corridors: vec![],
        currencies: vec![currency("HKD"), currency("PHP")],
        accounts: vec![],
    }
}
