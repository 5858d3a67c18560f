//! Payee checks (after ISO 20022 acmt.023 and acmt.024): whether account or proxy and name belong together, asked of the creditor agent before money is sent; it keeps neither in the open.
use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use ledger_proof::codec::Digest;
use ledger_types::{ParticipantId, StatusReason};
use proto::payee::payee_check_client::PayeeCheckClient;
use sha2::Sha256;
use time::OffsetDateTime;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::{banking::Identified, security::rates::Rates, settings, tracking::words::masked};

pub mod answer;
pub mod ask;
pub mod names;
pub mod read;
pub mod reference;

use names::Likeness;

/// Separates this use of the sealing key from its others.
const LABEL: &[u8] = b"causeway payee v1";

/// Who is to be paid, as a sender names them.
#[derive(Clone, PartialEq, Eq)]
pub enum Payee {
    /// IBAN, account number, or a wallet's phone number.
    Account(String),
    /// A proxy: E.164.
    Phone(String),
    /// A proxy: an e-mail address.
    Email(String),
}

impl std::fmt::Debug for Payee {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Payee({}, ‹personal›)", self.word())
    }
}

impl Payee {
    /// `account`, `phone` or `email`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Phone(_) => "phone",
            Self::Email(_) => "email",
        }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Account(text) | Self::Phone(text) | Self::Email(text) => text,
        }
    }

    /// Whether it only leads to an account.
    #[must_use]
    pub const fn proxy(&self) -> bool {
        match self {
            Self::Account(_) => false,
            Self::Phone(_) | Self::Email(_) => true,
        }
    }
}

/// A question whose every field keeps its rule.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its name in both audit logs.
    pub id: Uuid,
    /// Who is asked.
    pub creditor_agent: ParticipantId,
    /// About whom.
    pub payee: Payee,
    /// As the sender typed it.
    pub name: Option<Name>,
}

/// A name, which is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(pub String);

impl std::fmt::Debug for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Name(‹personal›)")
    }
}

/// What a check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Account or proxy is there, and the name is its holder's.
    Match,
    /// The name is nearly its holder's.
    CloseMatch,
    /// The name is not its holder's, or there is no such account or proxy: nobody is told which.
    NoMatch,
    /// The proxy leads to an account, and there was no name to compare.
    Resolved,
    /// Nothing is known.
    NotPossible,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] =
        [Self::Match, Self::CloseMatch, Self::NoMatch, Self::Resolved, Self::NotPossible];

    /// Its word in REST, between gateways and in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::CloseMatch => "close_match",
            Self::NoMatch => "no_match",
            Self::Resolved => "resolved",
            Self::NotPossible => "not_possible",
        }
    }

    /// Reads its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// ISO 20022 ExternalPaymentTransactionStatus1Code for what a check of a payee found; none where
    /// no name was compared.
    #[must_use]
    pub const fn iso_status(self) -> Option<&'static str> {
        match self {
            Self::Match => Some("RCVC"),
            Self::CloseMatch => Some("RVMC"),
            Self::NoMatch => Some("RVNM"),
            Self::NotPossible => Some("RVNA"),
            Self::Resolved => None,
        }
    }

    /// Whether the answer tells who asks something that was not known before: such answers are
    /// counted. That an account is the one of a name is known by whoever names both.
    #[must_use]
    pub const fn teaches(self, proxy: bool) -> bool {
        match self {
            Self::Match => proxy,
            Self::CloseMatch | Self::NoMatch | Self::Resolved => true,
            Self::NotPossible => false,
        }
    }
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Told {
    /// What the check came to.
    pub outcome: Outcome,
    /// ISO 20022 reason of a `no_match` and of what was not possible.
    pub reason: Option<StatusReason>,
    /// The account's name; of a close match of an account alone.
    pub name: Option<String>,
    /// The name behind a proxy, masked; never of a `no_match`.
    pub masked_name: Option<String>,
    /// Stands for the account behind a proxy, and until when.
    pub reference: Option<(String, OffsetDateTime)>,
}

impl std::fmt::Debug for Told {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Told").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

impl Told {
    fn plain(outcome: Outcome, reason: Option<&[u8; 4]>) -> Self {
        let reason = reason.map(StatusReason::known);
        Self { outcome, reason, name: None, masked_name: None, reference: None }
    }

    /// Nothing is known, for a reason of ExternalStatusReason1Code.
    #[must_use]
    pub fn not_possible(reason: &[u8; 4]) -> Self {
        Self::plain(Outcome::NotPossible, Some(reason))
    }
}

/// AB08 *creditor agent is not online*.
pub const OFFLINE: &[u8; 4] = b"AB08";
/// AB09 *error at the creditor agent*.
pub const FAILED: &[u8; 4] = b"AB09";
/// AG03 *not supported*.
pub const UNSUPPORTED: &[u8; 4] = b"AG03";
/// BE01 *end customer is not consistent with associated account number*.
const INCONSISTENT: &[u8; 4] = b"BE01";
/// BE23 *proxy is unknown or invalid*.
const PROXY_INVALID: &[u8; 4] = b"BE23";

/// Compares; what is not there and what is another's get one answer.
#[must_use]
pub fn judge(payee: &Payee, name: Option<&Name>, identified: &Identified) -> Told {
    let held = match identified {
        Identified::NotSupported => return Told::not_possible(UNSUPPORTED),
        Identified::Unknown => "",
        Identified::Known { name, .. } => name,
    };
    let likeness = name.map(|name| names::compare(&name.0, held));
    let known = matches!(identified, Identified::Known { .. });
    let outcome = match (known, likeness) {
        (true, None) => Outcome::Resolved,
        (true, Some(Likeness::Same)) => Outcome::Match,
        (true, Some(Likeness::Close)) => Outcome::CloseMatch,
        (true, Some(Likeness::Other)) | (false, _) => {
            let reason = if payee.proxy() { PROXY_INVALID } else { INCONSISTENT };
            return Told::plain(Outcome::NoMatch, Some(reason));
        }
    };
    let mut told = Told::plain(outcome, None);
    if payee.proxy() {
        told.masked_name = Some(masked(held));
    } else if outcome == Outcome::CloseMatch {
        told.name = Some(held.to_owned());
    }
    told
}

/// What checks share.
pub struct Payees {
    /// Limits and times.
    pub settings: settings::Payee,
    peers: BTreeMap<ParticipantId, PayeeCheckClient<Channel>>,
    /// Checks a second of each API key.
    keys: Rates,
    /// Checks a second of each other gateway.
    others: Rates,
    key: Digest,
}

impl std::fmt::Debug for Payees {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Payees").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Payees {
    /// By the settings, to these gateways.
    #[must_use]
    pub fn new(
        settings: &settings::Payee,
        peers: BTreeMap<ParticipantId, PayeeCheckClient<Channel>>,
        sealing_key: &Digest,
    ) -> Self {
        Self {
            keys: Rates::new(settings.key_checks_per_s, settings.key_burst),
            others: Rates::new(settings.peer_checks_per_s, settings.peer_burst),
            settings: settings.clone(),
            peers,
            key: keyed(sealing_key, &[LABEL]),
        }
    }

    /// What of a text stands in this gateway's audit log: nobody without its key can try texts out.
    #[must_use]
    pub fn digest(&self, kind: &str, text: &str) -> String {
        let digest = keyed(&self.key, &[b"audit", kind.as_bytes(), &[0], text.as_bytes()]);
        hex::encode(digest.get(..16).unwrap_or_default())
    }
}

/// HMAC-SHA256 over some parts.
fn keyed(key: &Digest, parts: &[&[u8]]) -> Digest {
    // Short keys are filled up with zeros (RFC 2104).
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::{Name, Outcome, Payee, judge};
    use crate::banking::Identified;

    fn known() -> Identified {
        Identified::Known { account: "A1".to_owned(), name: "Bea Maria Testperson".to_owned() }
    }

    #[test]
    fn what_is_not_there_and_what_is_anothers_get_one_answer() {
        let (account, phone) =
            (Payee::Account("A1".to_owned()), Payee::Phone("+639170000001".to_owned()));
        for payee in [&account, &phone] {
            let other = Name("Carl Otherman".to_owned());
            let anothers = judge(payee, Some(&other), &known());
            assert_eq!(anothers.outcome, Outcome::NoMatch);
            assert_eq!(anothers, judge(payee, Some(&other), &Identified::Unknown), "{payee:?}");
            assert!(anothers.name.is_none() && anothers.masked_name.is_none());
        }
        let nobody = judge(&phone, None, &Identified::Unknown);
        assert_eq!(nobody.outcome, Outcome::NoMatch);
    }

    #[test]
    fn a_name_is_shown_by_a_close_match_of_an_account_alone() {
        let (account, phone) =
            (Payee::Account("A1".to_owned()), Payee::Phone("+639170000001".to_owned()));
        let close = Name("Bea Maria Testpersn".to_owned());
        let exact = Name("Bea Maria Testperson".to_owned());
        let told = judge(&account, Some(&close), &known());
        assert_eq!(
            (told.outcome, told.name.as_deref()),
            (Outcome::CloseMatch, Some("Bea Maria Testperson"))
        );
        assert_eq!(judge(&account, Some(&exact), &known()).name, None);
        for (name, outcome) in [
            (Some(&close), Outcome::CloseMatch),
            (Some(&exact), Outcome::Match),
            (None, Outcome::Resolved),
        ] {
            let told = judge(&phone, name, &known());
            assert_eq!((told.outcome, told.name), (outcome, None));
            assert_eq!(told.masked_name.as_deref(), Some("B••• M••• T•••"));
            assert!(outcome.teaches(true));
        }
        assert!(!Outcome::Match.teaches(false) && !Outcome::NotPossible.teaches(true));
    }
}
