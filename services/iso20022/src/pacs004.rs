//! The payment return, pacs.004.001.09: money of a settled payment sent back; it must never judge
//! whether it may be.

use ledger_types::Uetr;

use crate::{
    amount::Amount,
    head::AppHdr,
    original::{self, OriginalPayment, ReasonInformation},
    pacs002::Original,
    pacs008::{Agent, Charge, GroupHeader, Party, WriteError, read, write},
    write as document,
    xml::Element,
};

/// The return's name.
pub const PACS_004: &str = "pacs.004.001.09";

/// `PmtRtr`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pacs004 {
    pub group_header: GroupHeader,
    pub returns: Vec<PaymentReturn>,
}

/// `TxInf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentReturn {
    /// `RtrId`. Here the return's own UETR without hyphens: this version has no element for it.
    pub return_id: Option<String>,
    pub original: OriginalPayment,
    /// `RtrdIntrBkSttlmAmt`: what moves back.
    pub returned_amount: Option<Amount>,
    pub interbank_settlement_date: Option<String>,
    pub returned_instructed_amount: Option<Amount>,
    pub exchange_rate: Option<String>,
    pub charge_bearer: Option<String>,
    pub charges: Vec<Charge>,
    pub clearing_system_reference: Option<String>,
    pub instructing_agent: Option<Agent>,
    pub instructed_agent: Option<Agent>,
    /// `RtrChain`: who pays back whom.
    pub chain: Option<ReturnChain>,
    pub reasons: Vec<ReasonInformation>,
}

/// `RtrChain`, seen from the return: its debtor is the original's creditor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReturnChain {
    pub debtor: Option<Party>,
    pub debtor_agent: Option<Agent>,
    pub creditor_agent: Option<Agent>,
    pub creditor: Option<Party>,
}

impl Pacs004 {
    #[must_use]
    pub fn read(root: &Element) -> Self {
        let group = root.child("OrgnlGrpInf");
        Self {
            group_header: root.child("GrpHdr").map(read::group_header).unwrap_or_default(),
            returns: root
                .children_named("TxInf")
                .map(|element| PaymentReturn::read(element, group))
                .collect(),
        }
    }

    pub fn write(&self, header: Option<&AppHdr>) -> Result<String, WriteError> {
        document::document(PACS_004, header, |out| {
            out.open("PmtRtr");
            write::group_header(out, &self.group_header, self.returns.len());
            self.returns.iter().for_each(|one| one.write(out));
            out.close();
        })
    }

    /// What a pacs.002 about this return names: the return's message, and the payment that it undoes.
    #[must_use]
    pub fn originals(&self) -> Vec<Original> {
        let header = &self.group_header;
        let about = |one: &PaymentReturn| {
            let sender = one.instructing_agent.as_ref().or(header.instructing_agent.as_ref());
            Original {
                message_id: header.message_id.clone(),
                message_name: Some(PACS_004.to_owned()),
                created_at: header.created_at.clone(),
                transaction_id: one.return_id.clone(),
                ..Original::of_payment(&one.original, sender.and_then(|agent| agent.bic.clone()))
            }
        };
        self.returns.iter().map(about).collect()
    }
}

impl PaymentReturn {
    fn read(element: &Element, group: Option<&Element>) -> Self {
        let text = |name| element.text_at(&[name]);
        Self {
            return_id: text("RtrId"),
            original: OriginalPayment::read(element, group),
            returned_amount: read::amount(element, "RtrdIntrBkSttlmAmt"),
            interbank_settlement_date: text("IntrBkSttlmDt"),
            returned_instructed_amount: read::amount(element, "RtrdInstdAmt"),
            exchange_rate: text("XchgRate"),
            charge_bearer: text("ChrgBr"),
            charges: element.children_named("ChrgsInf").map(read::charge).collect(),
            clearing_system_reference: text("ClrSysRef"),
            instructing_agent: element.child("InstgAgt").map(read::agent),
            instructed_agent: element.child("InstdAgt").map(read::agent),
            chain: element.child("RtrChain").map(|chain| ReturnChain {
                debtor: original::party(chain.child("Dbtr")),
                debtor_agent: chain.child("DbtrAgt").map(read::agent),
                creditor_agent: chain.child("CdtrAgt").map(read::agent),
                creditor: original::party(chain.child("Cdtr")),
            }),
            reasons: element.children_named("RtrRsnInf").map(ReasonInformation::read).collect(),
        }
    }

    fn write(&self, out: &mut document::Writer) {
        out.open("TxInf");
        out.leaf_if("RtrId", self.return_id.as_deref());
        self.original.write_ids(out);
        self.original.write_settlement(out);
        write::amount(out, "RtrdIntrBkSttlmAmt", self.returned_amount.as_ref());
        out.leaf_if("IntrBkSttlmDt", self.interbank_settlement_date.as_deref());
        write::amount(out, "RtrdInstdAmt", self.returned_instructed_amount.as_ref());
        out.leaf_if("XchgRate", self.exchange_rate.as_deref());
        out.leaf_if("ChrgBr", self.charge_bearer.as_deref());
        write::charges(out, &self.charges);
        out.leaf_if("ClrSysRef", self.clearing_system_reference.as_deref());
        write::agent(out, "InstgAgt", self.instructing_agent.as_ref());
        write::agent(out, "InstdAgt", self.instructed_agent.as_ref());
        if let Some(chain) = &self.chain {
            out.open("RtrChain");
            out.group("Dbtr", |out| write::party(out, "Pty", chain.debtor.as_ref()));
            write::agent(out, "DbtrAgt", chain.debtor_agent.as_ref());
            write::agent(out, "CdtrAgt", chain.creditor_agent.as_ref());
            out.group("Cdtr", |out| write::party(out, "Pty", chain.creditor.as_ref()));
            out.close();
        }
        self.reasons.iter().for_each(|reason| reason.write(out, "RtrRsnInf"));
        out.close();
    }

    /// The return's own UETR, if `RtrId` is one without hyphens.
    #[must_use]
    pub fn own_uetr(&self) -> Option<Uetr> {
        uetr_of_id(self.return_id.as_deref()?)
    }
}

/// A UETR from 32 hexadecimal digits, as identifiers of at most 35 characters can carry it.
#[must_use]
pub fn uetr_of_id(id: &str) -> Option<Uetr> {
    let id = id.trim();
    if id.len() != 32 || !id.is_ascii() {
        return None;
    }
    let parts = [id.get(..8)?, id.get(8..12)?, id.get(12..16)?, id.get(16..20)?, id.get(20..)?];
    parts.join("-").parse().ok()
}
