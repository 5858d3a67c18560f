//! The payment status request, pacs.028.001.03: where is this payment; it must never know the answer.

use crate::{
    head::AppHdr,
    original::OriginalPayment,
    pacs002::Original,
    pacs008::{Agent, WriteError, read, write},
    write as document,
    xml::Element,
};

/// The request's name.
pub const PACS_028: &str = "pacs.028.001.03";

/// `FIToFIPmtStsReq`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pacs028 {
    pub message_id: Option<String>,
    pub created_at: Option<String>,
    pub instructing_agent: Option<Agent>,
    pub instructed_agent: Option<Agent>,
    pub requests: Vec<StatusRequest>,
}

/// `TxInf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusRequest {
    pub request_id: Option<String>,
    pub original: OriginalPayment,
    pub instructing_agent: Option<Agent>,
    pub instructed_agent: Option<Agent>,
}

impl Pacs028 {
    #[must_use]
    pub fn read(root: &Element) -> Self {
        let group = root.child("OrgnlGrpInf");
        let header = root.child("GrpHdr");
        let agent = |name| header.and_then(|header| header.child(name)).map(read::agent);
        Self {
            message_id: root.text_at(&["GrpHdr", "MsgId"]),
            created_at: root.text_at(&["GrpHdr", "CreDtTm"]),
            instructing_agent: agent("InstgAgt"),
            instructed_agent: agent("InstdAgt"),
            requests: root
                .children_named("TxInf")
                .map(|element| StatusRequest {
                    request_id: element.text_at(&["StsReqId"]),
                    original: OriginalPayment::read(element, group),
                    instructing_agent: element.child("InstgAgt").map(read::agent),
                    instructed_agent: element.child("InstdAgt").map(read::agent),
                })
                .collect(),
        }
    }

    pub fn write(&self, header: Option<&AppHdr>) -> Result<String, WriteError> {
        document::document(PACS_028, header, |out| {
            out.open("FIToFIPmtStsReq");
            out.open("GrpHdr");
            out.leaf_if("MsgId", self.message_id.as_deref());
            out.leaf_if("CreDtTm", self.created_at.as_deref());
            write::agent(out, "InstgAgt", self.instructing_agent.as_ref());
            write::agent(out, "InstdAgt", self.instructed_agent.as_ref());
            out.close();
            for request in &self.requests {
                out.open("TxInf");
                out.leaf_if("StsReqId", request.request_id.as_deref());
                request.original.write_ids(out);
                write::agent(out, "InstgAgt", request.instructing_agent.as_ref());
                write::agent(out, "InstdAgt", request.instructed_agent.as_ref());
                out.close();
            }
            out.close();
        })
    }

    /// Whom each answer is about and goes to: a pacs.002 speaks of the payment, not of the question.
    #[must_use]
    pub fn originals(&self) -> Vec<Original> {
        let asked = |request: &StatusRequest| {
            let asker = request.instructing_agent.as_ref().or(self.instructing_agent.as_ref());
            Original::of_payment(&request.original, asker.and_then(|agent| agent.bic.clone()))
        };
        self.requests.iter().map(asked).collect()
    }
}
