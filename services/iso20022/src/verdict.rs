//! Whether a message can be taken, by refusals in a fixed order, each with its ISO 20022 reason; it
//! must never know who takes part or which currencies are served: its caller answers that.
//!
//! The order, kept by a test: 1 readable XML, 2 version, 3 shape, 4 precious metal, 5 settlement
//! method, 6 agents, 7 currency, 8 number of transactions, 9 UETR, 10 amounts, 11 accounts.

use ledger_types::{Bic, Currency, Iban, StatusReason};

use crate::{
    amount::{self, Amount},
    inbound::{Inbound, PACS_008},
    pacs008::{Account, AccountIdentification, Agent, CreditTransfer},
};

/// FF01 *file format incomplete or invalid*: no XML, another version, or not the XSD's shape.
pub const FORMAT: StatusReason = StatusReason::known(b"FF01");
/// AM03 *non processable currency outside of existing agreement*: a metal or a currency not served.
pub const CURRENCY_NOT_PROCESSABLE: StatusReason = StatusReason::known(b"AM03");
/// ED01 *correspondent bank not possible*. INDA, INGA and COVE each settle on an account that one
/// correspondent holds with another; this network has no such accounts, it clears (CLRG). AG03 is
/// about what the customer's account allows, CH16 names no cause, RC15 promises that an agreement
/// would help: none of them is as true.
pub const SETTLEMENT_METHOD: StatusReason = StatusReason::known(b"ED01");
/// RC01 *bank identifier code has an incorrect format*: fits the XSD, breaks ISO 9362.
pub const BIC_FORMAT: StatusReason = StatusReason::known(b"RC01");
/// RC06 *debtor BIC identifier is invalid or missing*: agents are named by BIC here.
pub const DEBTOR_AGENT_BIC: StatusReason = StatusReason::known(b"RC06");
/// RC07 *creditor BIC identifier is invalid or missing*.
pub const CREDITOR_AGENT_BIC: StatusReason = StatusReason::known(b"RC07");
/// DNOR *debtor bank is not registered under this BIC in the CSM*.
pub const DEBTOR_AGENT_UNKNOWN: StatusReason = StatusReason::known(b"DNOR");
/// CNOR *creditor bank is not registered under this BIC in the CSM*.
pub const CREDITOR_AGENT_UNKNOWN: StatusReason = StatusReason::known(b"CNOR");
/// AGNT *agent in the payment workflow is incorrect*: instructing or instructed agent.
pub const AGENT_INCORRECT: StatusReason = StatusReason::known(b"AGNT");
/// RC11 *intermediary agent is invalid or missing*: one that takes no part here.
pub const INTERMEDIARY_AGENT: StatusReason = StatusReason::known(b"RC11");
/// AM11 *transaction currency is invalid or missing*: no code of ISO 4217.
pub const CURRENCY_INVALID: StatusReason = StatusReason::known(b"AM11");
/// AM19 *number of transactions at the group level is invalid or missing*: not one.
pub const NUMBER_OF_TRANSACTIONS: StatusReason = StatusReason::known(b"AM19");
/// CH21 *mandatory element is missing*: the XSD lets UETR be absent, the network's identity of a
/// transfer does not. A receiver cannot make one up: the debtor agent must know it too.
pub const UETR_MISSING: StatusReason = StatusReason::known(b"CH21");
/// CH20 *number of decimal points not compatible with the currency*.
pub const DECIMALS: StatusReason = StatusReason::known(b"CH20");
/// AM01 *specified message amount is equal to zero*.
pub const AMOUNT_ZERO: StatusReason = StatusReason::known(b"AM01");
/// AM12 *amount is invalid or missing*: more than the ledger can hold.
pub const AMOUNT_INVALID: StatusReason = StatusReason::known(b"AM12");
/// AC02 *debtor account number invalid or missing*: check digits of the IBAN.
pub const DEBTOR_ACCOUNT: StatusReason = StatusReason::known(b"AC02");
/// AC03 *creditor account number invalid or missing*: check digits of the IBAN.
pub const CREDITOR_ACCOUNT: StatusReason = StatusReason::known(b"AC03");

/// Why a message is refused: the code and the words of a pacs.002.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {text}")]
pub struct Refusal {
    pub reason: StatusReason,
    /// Names the element, what is wrong and what to do; holds no personal data.
    pub text: String,
}

/// The first refusal of a message in the fixed order. The caller says which agents take part and
/// which currencies it serves.
pub fn verdict(
    inbound: &Inbound,
    agent_known: &dyn Fn(&Bic) -> bool,
    currency_served: &dyn Fn(Currency) -> bool,
) -> Result<(), Refusal> {
    readable(inbound)?;
    version(inbound, &[PACS_008])?;
    shape(inbound)?;
    let transfers = &inbound.message.credit_transfers;
    transfers.iter().try_for_each(precious_metal)?;
    settlement_method(inbound)?;
    transfers.iter().try_for_each(|transfer| agents(inbound, transfer, agent_known))?;
    transfers.iter().try_for_each(|transfer| currencies(transfer, currency_served))?;
    number_of_transactions(inbound)?;
    transfers.iter().try_for_each(uetr)?;
    transfers.iter().try_for_each(amounts)?;
    transfers.iter().try_for_each(accounts)
}

fn refuse(reason: StatusReason, text: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal { reason, text: text.into() })
}

pub(crate) fn readable(inbound: &Inbound) -> Result<(), Refusal> {
    match &inbound.unreadable {
        Some(error) => refuse(FORMAT, error.to_string()),
        None => Ok(()),
    }
}

/// Whether the document is of one of these messages, and the header of the same.
pub(crate) fn version(inbound: &Inbound, spoken: &[&str]) -> Result<(), Refusal> {
    let speak = format!("send Document in the namespace of {}", spoken.join(" or "));
    let Some(named) = inbound.message_name.as_deref() else {
        return refuse(FORMAT, format!("Document: no ISO 20022 message found: {speak}"));
    };
    if !spoken.contains(&named) {
        return refuse(FORMAT, format!("Document: message or version not spoken: {speak}"));
    }
    let stated =
        inbound.app_hdr.as_ref().and_then(|header| header.message_definition_id.as_deref());
    if stated.is_some_and(|stated| stated != named) {
        return refuse(FORMAT, "AppHdr/MsgDefIdr: names another message than Document is");
    }
    Ok(())
}

pub(crate) fn shape(inbound: &Inbound) -> Result<(), Refusal> {
    inbound.findings.first().map_or(Ok(()), |finding| refuse(FORMAT, finding.to_string()))
}

fn precious_metal(transfer: &CreditTransfer) -> Result<(), Refusal> {
    let currency = transfer.interbank_settlement_amount.as_ref().map(|a| a.currency.as_str());
    if currency.and_then(|text| text.parse::<Currency>().ok()).is_some_and(Currency::precious_metal)
    {
        return refuse(
            CURRENCY_NOT_PROCESSABLE,
            "IntrBkSttlmAmt/@Ccy: a precious metal does not settle here: use a currency",
        );
    }
    Ok(())
}

fn settlement_method(inbound: &Inbound) -> Result<(), Refusal> {
    if inbound.message.group_header.settlement_method.as_deref() == Some("CLRG") {
        return Ok(());
    }
    refuse(
        SETTLEMENT_METHOD,
        "GrpHdr/SttlmInf/SttlmMtd: no correspondent accounts here: settle by CLRG",
    )
}

fn agents(
    inbound: &Inbound,
    transfer: &CreditTransfer,
    known: &dyn Fn(&Bic) -> bool,
) -> Result<(), Refusal> {
    let header = &inbound.message.group_header;
    let debtor_agent = transfer.debtor_agent.as_ref();
    let creditor_agent = transfer.creditor_agent.as_ref();
    agent("DbtrAgt", debtor_agent, (DEBTOR_AGENT_BIC, DEBTOR_AGENT_UNKNOWN), known)?;
    agent("CdtrAgt", creditor_agent, (CREDITOR_AGENT_BIC, CREDITOR_AGENT_UNKNOWN), known)?;
    let instructing = transfer.instructing_agent.as_ref().or(header.instructing_agent.as_ref());
    let instructed = transfer.instructed_agent.as_ref().or(header.instructed_agent.as_ref());
    for (name, found) in [("InstgAgt", instructing), ("InstdAgt", instructed)] {
        if found.is_some() {
            agent(name, found, (AGENT_INCORRECT, AGENT_INCORRECT), known)?;
        }
    }
    transfer.intermediary_agents.iter().try_for_each(|found| {
        agent("IntrmyAgt", Some(found), (INTERMEDIARY_AGENT, INTERMEDIARY_AGENT), known)
    })
}

/// `reasons`: without a BIC, with one that takes no part.
fn agent(
    name: &str,
    agent: Option<&Agent>,
    reasons: (StatusReason, StatusReason),
    known: &dyn Fn(&Bic) -> bool,
) -> Result<(), Refusal> {
    let Some(bic) = agent.and_then(|agent| agent.bic.as_deref()) else {
        return refuse(reasons.0, format!("{name}/FinInstnId/BICFI: is missing: name the BIC"));
    };
    match bic.parse::<Bic>() {
        Err(error) => refuse(BIC_FORMAT, format!("{name}/FinInstnId/BICFI: {error}")),
        Ok(bic) if known(&bic) => Ok(()),
        Ok(_) => refuse(reasons.1, format!("{name}/FinInstnId/BICFI: takes no part here")),
    }
}

fn currencies(transfer: &CreditTransfer, served: &dyn Fn(Currency) -> bool) -> Result<(), Refusal> {
    for (name, amount) in amounts_of(transfer) {
        match amount.currency.parse::<Currency>() {
            Err(error) => return refuse(CURRENCY_INVALID, format!("{name}/@Ccy: {error}")),
            Ok(currency) if served(currency) => {}
            Ok(_) => {
                return refuse(
                    CURRENCY_NOT_PROCESSABLE,
                    format!("{name}/@Ccy: is not served here: use a corridor's currency"),
                );
            }
        }
    }
    Ok(())
}

fn amounts_of(transfer: &CreditTransfer) -> impl Iterator<Item = (&'static str, &Amount)> {
    let settlement = transfer.interbank_settlement_amount.as_ref();
    let instructed = transfer.instructed_amount.as_ref();
    [("IntrBkSttlmAmt", settlement), ("InstdAmt", instructed)]
        .into_iter()
        .filter_map(|(name, amount)| Some((name, amount?)))
}

fn number_of_transactions(inbound: &Inbound) -> Result<(), Refusal> {
    let stated = inbound.message.group_header.number_of_transactions.as_deref();
    let stated = stated.and_then(|text| text.parse::<u64>().ok());
    if stated == Some(1) && inbound.message.credit_transfers.len() == 1 {
        return Ok(());
    }
    refuse(NUMBER_OF_TRANSACTIONS, "GrpHdr/NbOfTxs: send one transaction a message")
}

fn uetr(transfer: &CreditTransfer) -> Result<(), Refusal> {
    match transfer.uetr {
        Some(_) => Ok(()),
        None => refuse(UETR_MISSING, "PmtId/UETR: is missing: the debtor agent chooses a UUIDv4"),
    }
}

fn amounts(transfer: &CreditTransfer) -> Result<(), Refusal> {
    for (name, amount) in amounts_of(transfer) {
        let exponent = amount.currency.parse::<Currency>().ok().and_then(Currency::exponent);
        match amount.minor_units(exponent.unwrap_or(0)) {
            Ok(0) => return refuse(AMOUNT_ZERO, format!("{name}: is zero: send an amount")),
            Ok(_) => {}
            Err(error @ amount::Error::TooManyDecimals(_)) => {
                return refuse(DECIMALS, format!("{name}: {error}"));
            }
            Err(error @ (amount::Error::TooLarge | amount::Error::Malformed)) => {
                return refuse(AMOUNT_INVALID, format!("{name}: {error}"));
            }
        }
    }
    Ok(())
}

fn accounts(transfer: &CreditTransfer) -> Result<(), Refusal> {
    account("DbtrAcct", transfer.debtor_account.as_ref(), DEBTOR_ACCOUNT)?;
    account("CdtrAcct", transfer.creditor_account.as_ref(), CREDITOR_ACCOUNT)
}

/// Check digits of an IBAN; whether an account is needed, a corridor decides.
fn account(name: &str, account: Option<&Account>, reason: StatusReason) -> Result<(), Refusal> {
    match account.and_then(|account| account.identification.as_ref()) {
        Some(AccountIdentification::Iban(iban)) => match iban.parse::<Iban>() {
            Ok(_) => Ok(()),
            Err(error) => refuse(reason, format!("{name}/Id/IBAN: {error}")),
        },
        Some(AccountIdentification::Other(_)) | None => Ok(()),
    }
}
