//! The financial institution credit transfer, pacs.009.001.08, as a custodian is instructed by it; it must never
//! decide how much is moved.

use crate::{
    amount::Amount,
    head::AppHdr,
    pacs008::{Account, Agent, GroupHeader, WriteError, write},
    write as document,
};

/// The message's name.
pub const PACS_009: &str = "pacs.009.001.08";

/// `FICdtTrf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pacs009 {
    pub group_header: GroupHeader,
    pub credit_transfers: Vec<CreditTransfer>,
}

/// `CdtTrfTxInf`: cash from one institution to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreditTransfer {
    pub instruction_id: String,
    pub end_to_end_id: String,
    pub uetr: String,
    pub amount: Amount,
    pub interbank_settlement_date: String,
    pub debtor: Agent,
    pub debtor_account: Option<Account>,
    pub creditor_agent: Option<Agent>,
    pub creditor: Agent,
    pub creditor_account: Option<Account>,
    /// `RmtInf/Ustrd`.
    pub remittance_information: Option<String>,
}

impl Pacs009 {
    /// Writes it.
    ///
    /// # Errors
    /// When it departs from its XSD, naming where.
    pub fn write(&self, header: Option<&AppHdr>) -> Result<String, WriteError> {
        document::document(PACS_009, header, |out| {
            out.open("FICdtTrf");
            write::group_header(out, &self.group_header, self.credit_transfers.len());
            self.credit_transfers.iter().for_each(|transfer| transfer.write(out));
            out.close();
        })
    }
}

impl CreditTransfer {
    fn write(&self, out: &mut document::Writer) {
        out.open("CdtTrfTxInf");
        out.open("PmtId");
        out.leaf("InstrId", &self.instruction_id);
        out.leaf("EndToEndId", &self.end_to_end_id);
        out.leaf("UETR", &self.uetr);
        out.close();
        write::amount(out, "IntrBkSttlmAmt", Some(&self.amount));
        out.leaf("IntrBkSttlmDt", &self.interbank_settlement_date);
        write::agent(out, "Dbtr", Some(&self.debtor));
        write::account(out, "DbtrAcct", self.debtor_account.as_ref());
        write::agent(out, "CdtrAgt", self.creditor_agent.as_ref());
        write::agent(out, "Cdtr", Some(&self.creditor));
        write::account(out, "CdtrAcct", self.creditor_account.as_ref());
        out.group("RmtInf", |out| out.leaf_if("Ustrd", self.remittance_information.as_deref()));
        out.close();
    }
}
