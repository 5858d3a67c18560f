//! The payment cancellation request, camt.056.001.08: a recall; it must never say whether money can
//! still be had back.

use crate::{
    head::AppHdr,
    original::{OriginalPayment, ReasonInformation, party_agent, write_party_agent},
    pacs002::Original,
    pacs008::{Agent, WriteError, read, write},
    write as document,
    xml::Element,
};

/// The request's name.
pub const CAMT_056: &str = "camt.056.001.08";

/// `FIToFIPmtCxlReq`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Camt056 {
    pub assignment: Assignment,
    pub case: Option<Case>,
    pub cancellations: Vec<Cancellation>,
}

/// `Assgnmt`: who hands whom the matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    pub id: Option<String>,
    pub assigner: Option<Agent>,
    pub assignee: Option<Agent>,
    pub created_at: Option<String>,
}

/// `Case`: the matter itself, named by who opened it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Case {
    pub id: Option<String>,
    pub creator: Option<Agent>,
}

/// `TxInf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cancellation {
    pub cancellation_id: Option<String>,
    pub case: Option<Case>,
    pub original: OriginalPayment,
    pub assigner: Option<Agent>,
    pub assignee: Option<Agent>,
    pub reasons: Vec<ReasonInformation>,
}

impl Camt056 {
    #[must_use]
    pub fn read(root: &Element) -> Self {
        let mut cancellations = Vec::new();
        for underlying in root.children_named("Undrlyg") {
            let group = underlying.child("OrgnlGrpInfAndCxl");
            let of = |element| Cancellation::read(element, group);
            cancellations.extend(underlying.children_named("TxInf").map(of));
        }
        Self {
            assignment: Assignment::read(root),
            case: root.child("Case").map(Case::read),
            cancellations,
        }
    }

    pub fn write(&self, header: Option<&AppHdr>) -> Result<String, WriteError> {
        document::document(CAMT_056, header, |out| {
            out.open("FIToFIPmtCxlReq");
            self.assignment.write(out);
            if let Some(case) = &self.case {
                case.write(out, "Case");
            }
            out.open("CtrlData");
            out.leaf("NbOfTxs", &self.cancellations.len().to_string());
            out.close();
            out.open("Undrlyg");
            for cancellation in &self.cancellations {
                cancellation.write(out);
            }
            out.close();
            out.close();
        })
    }

    /// What a pacs.002 names that refuses the request itself: a format, not an answer to the recall.
    #[must_use]
    pub fn originals(&self) -> Vec<Original> {
        let sender = self.assignment.assigner.as_ref().and_then(|agent| agent.bic.clone());
        let asked = |one: &Cancellation| Original {
            message_id: self.assignment.id.clone(),
            message_name: Some(CAMT_056.to_owned()),
            created_at: self.assignment.created_at.clone(),
            ..Original::of_payment(&one.original, sender.clone())
        };
        self.cancellations.iter().map(asked).collect()
    }
}

impl Cancellation {
    fn read(element: &Element, group: Option<&Element>) -> Self {
        let mut reasons: Vec<ReasonInformation> =
            element.children_named("CxlRsnInf").map(ReasonInformation::read).collect();
        if let Some(group) = group.filter(|_| reasons.is_empty()) {
            reasons = group.children_named("CxlRsnInf").map(ReasonInformation::read).collect();
        }
        Self {
            cancellation_id: element.text_at(&["CxlId"]),
            case: element.child("Case").map(Case::read),
            original: OriginalPayment::read(element, group),
            assigner: element.child("Assgnr").map(read::agent),
            assignee: element.child("Assgne").map(read::agent),
            reasons,
        }
    }

    fn write(&self, out: &mut document::Writer) {
        out.open("TxInf");
        out.leaf_if("CxlId", self.cancellation_id.as_deref());
        if let Some(case) = &self.case {
            case.write(out, "Case");
        }
        self.original.write_ids(out);
        self.original.write_settlement(out);
        write::agent(out, "Assgnr", self.assigner.as_ref());
        write::agent(out, "Assgne", self.assignee.as_ref());
        self.reasons.iter().for_each(|reason| reason.write(out, "CxlRsnInf"));
        out.close();
    }
}

impl Assignment {
    pub(crate) fn read(root: &Element) -> Self {
        let at = |name| root.at(&["Assgnmt", name]);
        Self {
            id: root.text_at(&["Assgnmt", "Id"]),
            assigner: party_agent(at("Assgnr")),
            assignee: party_agent(at("Assgne")),
            created_at: root.text_at(&["Assgnmt", "CreDtTm"]),
        }
    }

    pub(crate) fn write(&self, out: &mut document::Writer) {
        out.open("Assgnmt");
        out.leaf_if("Id", self.id.as_deref());
        write_party_agent(out, "Assgnr", self.assigner.as_ref());
        write_party_agent(out, "Assgne", self.assignee.as_ref());
        out.leaf_if("CreDtTm", self.created_at.as_deref());
        out.close();
    }

    /// The way back: an answer goes from the assignee to the assigner.
    #[must_use]
    pub fn answered(&self, id: &str, created_at: &str) -> Self {
        Self {
            id: Some(id.to_owned()),
            assigner: self.assignee.clone(),
            assignee: self.assigner.clone(),
            created_at: Some(created_at.to_owned()),
        }
    }
}

impl Case {
    pub(crate) fn read(element: &Element) -> Self {
        let id = element.text_at(&["Id"]);
        Self { id, creator: party_agent(element.child("Cretr")) }
    }

    pub(crate) fn write(&self, out: &mut document::Writer, name: &'static str) {
        out.open(name);
        out.leaf_if("Id", self.id.as_deref());
        write_party_agent(out, "Cretr", self.creator.as_ref());
        out.close();
    }
}
