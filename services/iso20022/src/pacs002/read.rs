//! Takes a pacs.002 from its elements: what others answer about what this side sent; it must never
//! fail or check.

use crate::{
    original::{OriginalPayment, ReasonInformation},
    pacs008::read,
    xml::Element,
};

/// `FIToFIPmtStsRpt`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pacs002 {
    pub message_id: Option<String>,
    pub created_at: Option<String>,
    /// `OrgnlGrpInfAndSts/GrpSts` of each group that is answered as a whole.
    pub groups: Vec<GroupStatus>,
    pub transactions: Vec<TransactionStatus>,
}

/// `OrgnlGrpInfAndSts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupStatus {
    pub message_id: Option<String>,
    pub message_name: Option<String>,
    pub status: Option<String>,
    pub reasons: Vec<ReasonInformation>,
}

/// `TxInfAndSts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransactionStatus {
    pub status_id: Option<String>,
    pub original: OriginalPayment,
    /// `TxSts`, e.g. ACSP.
    pub status: Option<String>,
    pub reasons: Vec<ReasonInformation>,
    pub accepted_at: Option<String>,
    pub clearing_system_reference: Option<String>,
    pub instructing_agent_bic: Option<String>,
    pub instructed_agent_bic: Option<String>,
}

impl Pacs002 {
    #[must_use]
    pub fn read(root: &Element) -> Self {
        let bic = |element: &Element, name| {
            element.child(name).map(read::agent).and_then(|agent| agent.bic)
        };
        let reasons = |element: &Element| {
            element.children_named("StsRsnInf").map(ReasonInformation::read).collect()
        };
        let group = |element: &Element| GroupStatus {
            message_id: element.text_at(&["OrgnlMsgId"]),
            message_name: element.text_at(&["OrgnlMsgNmId"]),
            status: element.text_at(&["GrpSts"]),
            reasons: reasons(element),
        };
        let only_group = root.child("OrgnlGrpInfAndSts");
        let transaction = |element: &Element| TransactionStatus {
            status_id: element.text_at(&["StsId"]),
            original: OriginalPayment::read(element, only_group),
            status: element.text_at(&["TxSts"]),
            reasons: reasons(element),
            accepted_at: element.text_at(&["AccptncDtTm"]),
            clearing_system_reference: element.text_at(&["ClrSysRef"]),
            instructing_agent_bic: bic(element, "InstgAgt"),
            instructed_agent_bic: bic(element, "InstdAgt"),
        };
        Self {
            message_id: root.text_at(&["GrpHdr", "MsgId"]),
            created_at: root.text_at(&["GrpHdr", "CreDtTm"]),
            groups: root.children_named("OrgnlGrpInfAndSts").map(group).collect(),
            transactions: root.children_named("TxInfAndSts").map(transaction).collect(),
        }
    }
}
