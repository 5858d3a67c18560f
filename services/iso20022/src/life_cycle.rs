//! Which instruction a body is, beyond a first credit transfer: returns, recalls, answers and
//! questions, each refused in the same order; it must never know the payment that they speak of.
//!
//! The order, kept by a test: 1 readable XML, 2 version, 3 shape, 4 number of transactions, 5 UETR,
//! 6 amounts.

use ledger_types::{Currency, StatusReason, Uetr};

use crate::{
    amount::{self, Amount},
    camt029::{CAMT_029, Camt029, CancellationStatus},
    camt056::{CAMT_056, Camt056, Cancellation},
    inbound::{Inbound, PACS_008},
    original::{OriginalPayment, ReasonInformation},
    pacs004::{PACS_004, Pacs004, PaymentReturn},
    pacs028::{PACS_028, Pacs028},
    verdict::{self, Refusal},
};

/// NARR *reason is provided as narrative information*.
const NARRATIVE: StatusReason = StatusReason::known(b"NARR");

/// An instruction as its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// A pacs.008: `verdict::verdict` judges it.
    CreditTransfer,
    Return(Pacs004),
    StatusRequest(Pacs028),
    Recall(Camt056),
    RecallAnswer(Camt029),
}

/// What a pacs.004 asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnFacts {
    /// The payment that is undone, in whole or in part.
    pub original_uetr: Uetr,
    /// The return's own UETR, if `RtrId` carries one.
    pub own_uetr: Option<Uetr>,
    /// What moves back, in the currency that the creditor agent got.
    pub amount: Amount,
    pub reason: StatusReason,
    pub text: String,
}

/// What a camt.056 asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecallFacts {
    pub original_uetr: Uetr,
    /// `Case/Id`, else `CxlId`, else the assignment's: how the asker names the matter.
    pub case_id: String,
    /// Of ExternalCancellationReason1Code.
    pub reason: StatusReason,
    pub text: String,
}

/// What a camt.029 answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecallAnswerFacts {
    pub original_uetr: Uetr,
    pub case_id: String,
    pub outcome: RecallOutcome,
    /// Of ExternalPaymentCancellationRejection1Code, if it was refused.
    pub reason: Option<StatusReason>,
    pub text: String,
    /// The return that brings the money back, if it names one.
    pub return_uetr: Option<Uetr>,
}

/// `TxCxlSts`, or `Sts/Conf` where that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecallOutcome {
    /// ACCR; CNCL.
    Accepted,
    /// RJCR.
    Refused,
    /// PDCR.
    Pending,
}

/// The instruction of a body, or why it is none that is spoken.
pub fn instruction(inbound: &Inbound) -> Result<Instruction, Refusal> {
    if inbound.message_name.as_deref() == Some(PACS_008) {
        return Ok(Instruction::CreditTransfer);
    }
    verdict::readable(inbound)?;
    let spoken = [PACS_008, PACS_004, PACS_028, CAMT_056, CAMT_029];
    verdict::version(inbound, &spoken)?;
    verdict::shape(inbound)?;
    let root = |message| inbound.root_of(message);
    if let Some(root) = root(PACS_004) {
        return Ok(Instruction::Return(Pacs004::read(root)));
    }
    if let Some(root) = root(PACS_028) {
        return Ok(Instruction::StatusRequest(Pacs028::read(root)));
    }
    if let Some(root) = root(CAMT_056) {
        return Ok(Instruction::Recall(Camt056::read(root)));
    }
    match root(CAMT_029) {
        Some(root) => Ok(Instruction::RecallAnswer(Camt029::read(root))),
        None => Err(refuse(verdict::FORMAT, "Document: holds no message")),
    }
}

impl ReturnFacts {
    /// The one return of a message.
    pub fn of(message: &Pacs004) -> Result<Self, Refusal> {
        let stated = message.group_header.number_of_transactions.as_deref();
        let one = only("TxInf", &message.returns)?;
        if stated.and_then(|text| text.parse::<u64>().ok()) != Some(1) {
            let text = "GrpHdr/NbOfTxs: send one transaction a message";
            return Err(refuse(verdict::NUMBER_OF_TRANSACTIONS, text));
        }
        let original_uetr = uetr("TxInf", &one.original)?;
        let amount = returned(one)?;
        Ok(Self {
            original_uetr,
            own_uetr: one.own_uetr(),
            amount,
            reason: reason(&one.reasons),
            text: ReasonInformation::words(&one.reasons),
        })
    }
}

fn returned(one: &PaymentReturn) -> Result<Amount, Refusal> {
    const NAME: &str = "TxInf/RtrdIntrBkSttlmAmt";
    let missing = || refuse(verdict::AMOUNT_INVALID, format!("{NAME}: is missing"));
    let amount = one.returned_amount.clone().ok_or_else(missing)?;
    let currency: Currency = amount
        .currency
        .parse()
        .map_err(|error| refuse(verdict::CURRENCY_INVALID, format!("{NAME}/@Ccy: {error}")))?;
    if currency.precious_metal() {
        let text = format!("{NAME}/@Ccy: a precious metal does not settle here: use a currency");
        return Err(refuse(verdict::CURRENCY_NOT_PROCESSABLE, text));
    }
    match amount.minor_units(currency.exponent().unwrap_or(0)) {
        Ok(0) => Err(refuse(verdict::AMOUNT_ZERO, format!("{NAME}: is zero: send an amount"))),
        Ok(_) => Ok(amount),
        Err(error @ amount::Error::TooManyDecimals(_)) => {
            Err(refuse(verdict::DECIMALS, format!("{NAME}: {error}")))
        }
        Err(error @ (amount::Error::TooLarge | amount::Error::Malformed)) => {
            Err(refuse(verdict::AMOUNT_INVALID, format!("{NAME}: {error}")))
        }
    }
}

impl RecallFacts {
    /// The one recall of a message.
    pub fn of(message: &Camt056) -> Result<Self, Refusal> {
        let one: &Cancellation = only("Undrlyg/TxInf", &message.cancellations)?;
        let case = one.case.as_ref().or(message.case.as_ref());
        let case_id = case.and_then(|case| case.id.clone());
        let case_id = case_id.or_else(|| one.cancellation_id.clone());
        Ok(Self {
            original_uetr: uetr("Undrlyg/TxInf", &one.original)?,
            case_id: case_id.or_else(|| message.assignment.id.clone()).unwrap_or_default(),
            reason: reason(&one.reasons),
            text: ReasonInformation::words(&one.reasons),
        })
    }
}

impl RecallAnswerFacts {
    /// The one answer of a message.
    pub fn of(message: &Camt029) -> Result<Self, Refusal> {
        let one: &CancellationStatus = only("CxlDtls/TxInfAndSts", &message.answers)?;
        let status = one.status.as_deref().or(message.confirmation.as_deref());
        let outcome = match status {
            Some("ACCR" | "CNCL") => RecallOutcome::Accepted,
            Some("RJCR") => RecallOutcome::Refused,
            Some("PDCR") => RecallOutcome::Pending,
            Some(_) | None => {
                let text = "CxlDtls/TxInfAndSts/TxCxlSts: must be one of ACCR RJCR PDCR";
                return Err(refuse(verdict::FORMAT, text));
            }
        };
        let case = one.resolved_case.as_ref().or(message.resolved_case.as_ref());
        let case_id = case.and_then(|case| case.id.clone()).or_else(|| one.status_id.clone());
        let resolution = one.resolution.as_ref();
        Ok(Self {
            original_uetr: uetr("CxlDtls/TxInfAndSts", &one.original)?,
            case_id: case_id.unwrap_or_default(),
            outcome,
            reason: ReasonInformation::first_code(&one.reasons).and_then(|code| code.parse().ok()),
            text: ReasonInformation::words(&one.reasons),
            return_uetr: resolution
                .and_then(|resolution| resolution.uetr.as_deref())
                .and_then(|text| text.parse().ok()),
        })
    }
}

/// The UETRs that a status request asks about, each with its place.
pub fn status_requests(message: &Pacs028) -> Result<Vec<Uetr>, Refusal> {
    if message.requests.is_empty() {
        return Err(refuse(verdict::FORMAT, "TxInf: is missing: name the payment"));
    }
    message.requests.iter().map(|request| uetr("TxInf", &request.original)).collect()
}

fn only<'a, T>(name: &str, all: &'a [T]) -> Result<&'a T, Refusal> {
    match all {
        [one] => Ok(one),
        _ => {
            let text = format!("{name}: send one transaction a message");
            Err(refuse(verdict::NUMBER_OF_TRANSACTIONS, text))
        }
    }
}

fn uetr(name: &str, original: &OriginalPayment) -> Result<Uetr, Refusal> {
    let missing = || {
        let text = format!("{name}/OrgnlUETR: is missing: name the payment by its UETR");
        refuse(verdict::UETR_MISSING, text)
    };
    let text = original.uetr.as_deref().ok_or_else(missing)?;
    text.parse().map_err(|error| refuse(verdict::FORMAT, format!("{name}/OrgnlUETR: {error}")))
}

/// The first code given; a proprietary one, too long for a reason here, counts as narrative.
fn reason(reasons: &[ReasonInformation]) -> StatusReason {
    let code = ReasonInformation::first_code(reasons);
    code.and_then(|code| code.parse().ok()).unwrap_or(NARRATIVE)
}

fn refuse(reason: StatusReason, text: impl Into<String>) -> Refusal {
    Refusal { reason, text: text.into() }
}
