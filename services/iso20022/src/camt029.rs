//! The resolution of an investigation, camt.029.001.09: the answer to a recall; it must never decide
//! what the answer is.

use crate::{
    amount::Amount,
    camt056::{Assignment, Camt056, Cancellation, Case},
    head::AppHdr,
    original::{OriginalPayment, ReasonInformation},
    pacs002::Original,
    pacs008::{WriteError, read, write},
    write as document,
    xml::Element,
};

/// The answer's name.
pub const CAMT_029: &str = "camt.029.001.09";

/// `RsltnOfInvstgtn`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Camt029 {
    pub assignment: Assignment,
    pub resolved_case: Option<Case>,
    /// `Sts/Conf`: CNCL, RJCR, PDCR or another of ExternalInvestigationExecutionConfirmation1Code.
    pub confirmation: Option<String>,
    pub answers: Vec<CancellationStatus>,
}

/// `TxInfAndSts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CancellationStatus {
    pub status_id: Option<String>,
    pub resolved_case: Option<Case>,
    pub original: OriginalPayment,
    /// `TxCxlSts`: ACCR, RJCR or PDCR.
    pub status: Option<String>,
    pub reasons: Vec<ReasonInformation>,
    /// `RsltnRltdInf`: the return that brings the money back.
    pub resolution: Option<Resolution>,
}

/// `RsltnRltdInf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The return's UETR.
    pub uetr: Option<String>,
    pub interbank_settlement_amount: Option<Amount>,
    pub interbank_settlement_date: Option<String>,
}

/// What a recall comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// CNCL and ACCR: nothing moved, or the money comes back by this return.
    Cancelled { returned_by: Option<Resolution> },
    /// RJCR, with a code of ExternalPaymentCancellationRejection1Code and words.
    Refused { reason: String, text: String },
    /// PDCR: not decided.
    Pending { text: String },
}

impl Camt029 {
    #[must_use]
    pub fn read(root: &Element) -> Self {
        let mut answers = Vec::new();
        for details in root.children_named("CxlDtls") {
            let group = details.child("OrgnlGrpInfAndSts");
            let of = |element| CancellationStatus::read(element, group);
            answers.extend(details.children_named("TxInfAndSts").map(of));
        }
        Self {
            assignment: Assignment::read(root),
            resolved_case: root.child("RslvdCase").map(Case::read),
            confirmation: root.text_at(&["Sts", "Conf"]),
            answers,
        }
    }

    /// What a pacs.002 about the answer itself names: whether it was taken.
    #[must_use]
    pub fn originals(&self) -> Vec<Original> {
        let sender = self.assignment.assigner.as_ref().and_then(|agent| agent.bic.clone());
        let told = |one: &CancellationStatus| Original {
            message_id: self.assignment.id.clone(),
            message_name: Some(CAMT_029.to_owned()),
            created_at: self.assignment.created_at.clone(),
            ..Original::of_payment(&one.original, sender.clone())
        };
        self.answers.iter().map(told).collect()
    }

    /// The answer to every transaction of a request. `id` and `created_at` are the answer's own.
    #[must_use]
    pub fn answer(request: &Camt056, id: &str, created_at: &str, answer: &Answer) -> Self {
        let (confirmation, status, reasons, resolution) = match answer {
            Answer::Cancelled { returned_by } => ("CNCL", "ACCR", vec![], returned_by.clone()),
            Answer::Refused { reason, text } => {
                ("RJCR", "RJCR", vec![ReasonInformation::of_code(reason, text)], None)
            }
            Answer::Pending { text } => {
                let words = crate::original::additional_information(text);
                let reason =
                    ReasonInformation { additional: words, ..ReasonInformation::default() };
                let told = !reason.additional.is_empty();
                ("PDCR", "PDCR", told.then_some(reason).into_iter().collect(), None)
            }
        };
        let about = |one: &Cancellation| CancellationStatus {
            status_id: one.cancellation_id.clone(),
            resolved_case: one.case.clone(),
            original: one.original.clone(),
            status: Some(status.to_owned()),
            reasons: reasons.clone(),
            resolution: resolution.clone(),
        };
        Self {
            assignment: request.assignment.answered(id, created_at),
            resolved_case: request.case.clone(),
            confirmation: Some(confirmation.to_owned()),
            answers: request.cancellations.iter().map(about).collect(),
        }
    }

    pub fn write(&self, header: Option<&AppHdr>) -> Result<String, WriteError> {
        document::document(CAMT_029, header, |out| {
            out.open("RsltnOfInvstgtn");
            self.assignment.write(out);
            if let Some(case) = &self.resolved_case {
                case.write(out, "RslvdCase");
            }
            out.open("Sts");
            out.leaf_if("Conf", self.confirmation.as_deref());
            out.close();
            out.group("CxlDtls", |out| self.answers.iter().for_each(|answer| answer.write(out)));
            out.close();
        })
    }
}

impl CancellationStatus {
    fn read(element: &Element, group: Option<&Element>) -> Self {
        Self {
            status_id: element.text_at(&["CxlStsId"]),
            resolved_case: element.child("RslvdCase").map(Case::read),
            original: OriginalPayment::read(element, group),
            status: element.text_at(&["TxCxlSts"]),
            reasons: element.children_named("CxlStsRsnInf").map(ReasonInformation::read).collect(),
            resolution: element.child("RsltnRltdInf").map(|related| Resolution {
                uetr: related.text_at(&["UETR"]),
                interbank_settlement_amount: read::amount(related, "IntrBkSttlmAmt"),
                interbank_settlement_date: related.text_at(&["IntrBkSttlmDt"]),
            }),
        }
    }

    fn write(&self, out: &mut document::Writer) {
        out.open("TxInfAndSts");
        out.leaf_if("CxlStsId", self.status_id.as_deref());
        if let Some(case) = &self.resolved_case {
            case.write(out, "RslvdCase");
        }
        self.original.write_ids(out);
        out.leaf_if("TxCxlSts", self.status.as_deref());
        self.reasons.iter().for_each(|reason| reason.write(out, "CxlStsRsnInf"));
        if let Some(related) = &self.resolution {
            out.group("RsltnRltdInf", |out| {
                out.leaf_if("UETR", related.uetr.as_deref());
                let amount = related.interbank_settlement_amount.as_ref();
                write::amount(out, "IntrBkSttlmAmt", amount);
                out.leaf_if("IntrBkSttlmDt", related.interbank_settlement_date.as_deref());
            });
        }
        self.original.write_settlement(out);
        out.close();
    }
}
