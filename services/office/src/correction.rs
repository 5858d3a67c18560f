//! What a person proposes to do about a break, and the item that somebody else must sign if money moves. It must
//! never sign, nor hold a key.

use ledger_proof::{
    Field, Item,
    item::{Fund, WithdrawFailed, WithdrawPaid},
};
use ledger_types::{AccountId, Currency, ParticipantId, ShortText, StatusReason, WithdrawalId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::Error;

/// The kinds of corrections. Those that move money are items of the ledger; item kind 42, adjust, is reserved there and
/// not accepted yet, so that a correction is one of the movements that the ledger has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The custodian signs a funding that the ledger lacks.
    Fund,
    /// The custodian signs that a withdrawal was paid.
    WithdrawPaid,
    /// The custodian signs that a withdrawal was not paid.
    WithdrawFailed,
    /// The creditor agent returns a transfer.
    Return,
    /// The servicer is asked to correct its book.
    AskServicer,
    /// The difference is borne.
    WriteOff,
    /// Both tellings stand.
    Accept,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Fund,
        Self::WithdrawPaid,
        Self::WithdrawFailed,
        Self::Return,
        Self::AskServicer,
        Self::WriteOff,
        Self::Accept,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fund => "fund",
            Self::WithdrawPaid => "withdraw_paid",
            Self::WithdrawFailed => "withdraw_failed",
            Self::Return => "return",
            Self::AskServicer => "ask_servicer",
            Self::WriteOff => "write_off",
            Self::Accept => "accept",
        }
    }

    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let word = word.trim().replace('-', "_");
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether it is an item of the ledger.
    #[must_use]
    pub const fn moves_money(self) -> bool {
        matches!(self, Self::Fund | Self::WithdrawPaid | Self::WithdrawFailed | Self::Return)
    }
}

/// What the proposer says beyond the break itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// `fund`: the ledger account to be credited.
    pub account: Option<u64>,
    /// `withdraw_paid`, `withdraw_failed`: whose withdrawal, and which.
    pub owner: Option<u32>,
    pub withdrawal: Option<Uuid>,
    /// `withdraw_failed`: an ISO 20022 reason.
    pub reason: Option<String>,
    /// `return`: the return's own UETR, once a gateway has made it.
    pub uetr: Option<Uuid>,
}

/// What the break says.
#[derive(Clone, Debug)]
pub struct Facts {
    pub currency: String,
    /// The statement's amount, else the ledger's; minor units.
    pub amount: u64,
    /// yyyymmdd.
    pub value_date: u32,
    pub servicer_reference: Option<String>,
    pub uetr: Option<Uuid>,
}

/// A draft: what it says for people, and the bytes to be signed.
#[derive(Clone, Debug)]
pub struct Draft {
    pub shown: Value,
    pub item: Option<Vec<u8>>,
}

/// Drafts a correction.
///
/// # Errors
/// [`Error::Invalid`] naming what the proposal lacks.
pub fn draft(kind: Kind, facts: &Facts, proposal: &Proposal) -> Result<Draft, Error> {
    let lacks = |field: &'static str| Error::Invalid {
        field,
        reason: "this correction needs it".to_owned(),
    };
    let reference = || -> Result<ShortText, Error> {
        let text = facts.servicer_reference.as_deref().ok_or(Error::Invalid {
            field: "servicer_reference",
            reason:
                "the statement's entry has none, so that the ledger could not tell it from another"
                    .to_owned(),
        })?;
        text.parse().map_err(|_| Error::Invalid {
            field: "servicer_reference",
            reason: "is longer than the ledger takes".to_owned(),
        })
    };
    let owner = proposal.owner.ok_or_else(|| lacks("owner"));
    let withdrawal = proposal.withdrawal.ok_or_else(|| lacks("withdrawal"));
    let item = match kind {
        Kind::Fund => Some(Item::Fund(Fund {
            nonce: nonce()?,
            account: AccountId(proposal.account.ok_or_else(|| lacks("account"))?),
            currency: currency(&facts.currency)?,
            amount: facts.amount,
            value_date: facts.value_date,
            bank_reference: reference()?,
        })),
        Kind::WithdrawPaid => Some(Item::WithdrawPaid(WithdrawPaid {
            nonce: nonce()?,
            owner: ParticipantId(owner?),
            withdrawal: WithdrawalId(withdrawal?.into_bytes()),
            bank_reference: reference()?,
        })),
        Kind::WithdrawFailed => {
            let text = proposal.reason.as_deref().ok_or_else(|| lacks("reason"))?;
            let reason: StatusReason = text.parse().map_err(|_| Error::Invalid {
                field: "reason",
                reason: format!("{text} is no reason of ISO 20022 (ExternalStatusReason1Code)"),
            })?;
            let (owner, withdrawal) =
                (ParticipantId(owner?), WithdrawalId(withdrawal?.into_bytes()));
            Some(Item::WithdrawFailed(WithdrawFailed {
                nonce: nonce()?,
                owner,
                withdrawal,
                reason,
            }))
        }
        Kind::Return if facts.uetr.is_none() => return Err(lacks("uetr of the original")),
        Kind::Return | Kind::AskServicer | Kind::WriteOff | Kind::Accept => None,
    };
    let shown = json!({
        "kind": kind.as_str(),
        "currency": facts.currency,
        "amount_minor_units": facts.amount.to_string(),
        "value_date": facts.value_date,
        "servicer_reference": facts.servicer_reference,
        "original_uetr": facts.uetr,
        "account": proposal.account.map(|account| account.to_string()),
        "owner": proposal.owner,
        "withdrawal": proposal.withdrawal,
        "reason": proposal.reason,
        "return_uetr": proposal.uetr,
        "signed_by": signer(kind),
    });
    Ok(Draft { shown, item: item.map(|item| item.to_bytes()) })
}

/// Who must sign it.
const fn signer(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Fund | Kind::WithdrawPaid | Kind::WithdrawFailed => Some("custodian"),
        Kind::Return => Some("creditor agent, by POST /v1/transfers/{uetr}/return of its gateway"),
        Kind::AskServicer | Kind::WriteOff | Kind::Accept => None,
    }
}

fn currency(text: &str) -> Result<Currency, Error> {
    text.parse().map_err(|_| Error::Invalid {
        field: "currency",
        reason: format!("{text} is none of ISO 4217"),
    })
}

fn nonce() -> Result<[u8; 32], Error> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(|_| Error::Invalid {
        field: "nonce",
        reason: "the system gives no randomness".to_owned(),
    })?;
    Ok(nonce)
}

/// What an item is about, as schema `ledger` names it: the kind of subject, and its name.
#[must_use]
pub fn subject(item: &[u8]) -> Option<(i16, Vec<u8>)> {
    let item = Item::from_bytes(item).ok()?;
    if let Item::Fund(body) = &item {
        let day = body.value_date.to_be_bytes();
        return Some((3, [day.as_slice(), body.bank_reference.as_bytes()].concat()));
    }
    if let Item::WithdrawPaid(body) = &item {
        return Some((2, body.withdrawal.0.to_vec()));
    }
    if let Item::WithdrawFailed(body) = &item {
        return Some((2, body.withdrawal.0.to_vec()));
    }
    None
}

/// The transfer that a signed item returns.
#[must_use]
pub fn returns(item: &[u8]) -> Option<Uuid> {
    let Ok(Item::Return(body)) = Item::from_bytes(item) else { return None };
    body.links.first().map(|link| Uuid::from_bytes(link.uetr.bytes()))
}
