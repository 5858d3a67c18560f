//! The debit and credit notification, camt.054.001.08, one entry for each credit; it must never be
//! taken for a statement: it holds no balance.

use crate::{
    amount::Amount,
    head::AppHdr,
    original::{party, party_agent},
    pacs008::{Account, Agent, CodeOrProprietary, Party, WriteError, read, write},
    write as document,
    xml::Element,
};

/// The notification's name.
pub const CAMT_054: &str = "camt.054.001.08";

/// `BkToCstmrDbtCdtNtfctn` with its notifications.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Camt054 {
    pub message_id: Option<String>,
    pub created_at: Option<String>,
    pub notifications: Vec<Notification>,
}

/// `Ntfctn`: what happened on one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notification {
    pub id: Option<String>,
    pub created_at: Option<String>,
    pub account: Account,
    pub owner: Option<Party>,
    pub servicer: Option<Agent>,
    pub entries: Vec<Entry>,
}

/// `Ntry` of one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub reference: Option<String>,
    pub amount: Option<Amount>,
    /// `CdtDbtInd`: CRDT or DBIT.
    pub credit_debit: Option<String>,
    /// `RvslInd`.
    pub reversal: Option<String>,
    /// `Sts`: BOOK, PDNG, INFO or FUTR.
    pub status: Option<CodeOrProprietary>,
    /// `BookgDt`, a date or a date and time.
    pub booked_at: Option<String>,
    pub value_date: Option<String>,
    pub servicer_reference: Option<String>,
    pub bank_transaction_code: Option<BankTransactionCode>,
    pub transactions: Vec<Transaction>,
}

/// `BkTxCd/Domn`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BankTransactionCode {
    pub domain: Option<String>,
    pub family: Option<String>,
    pub sub_family: Option<String>,
}

/// `TxDtls`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    pub message_id: Option<String>,
    pub servicer_reference: Option<String>,
    pub instruction_id: Option<String>,
    pub end_to_end_id: Option<String>,
    pub uetr: Option<String>,
    pub transaction_id: Option<String>,
    pub amount: Option<Amount>,
    pub credit_debit: Option<String>,
    /// `AmtDtls/InstdAmt/Amt`.
    pub instructed_amount: Option<Amount>,
    pub debtor: Option<Party>,
    pub debtor_account: Option<Account>,
    pub creditor: Option<Party>,
    pub creditor_account: Option<Account>,
    pub debtor_agent: Option<Agent>,
    pub creditor_agent: Option<Agent>,
    pub purpose: Option<CodeOrProprietary>,
    pub remittance_information: Vec<String>,
    pub interbank_settlement_date: Option<String>,
}

impl BankTransactionCode {
    /// A cross-border credit transfer received: PMNT, RCDT, XBCT.
    #[must_use]
    pub fn cross_border_credit() -> Self {
        let code = |text: &str| Some(text.to_owned());
        Self { domain: code("PMNT"), family: code("RCDT"), sub_family: code("XBCT") }
    }
}

impl Camt054 {
    #[must_use]
    pub fn read(root: &Element) -> Self {
        Self {
            message_id: root.text_at(&["GrpHdr", "MsgId"]),
            created_at: root.text_at(&["GrpHdr", "CreDtTm"]),
            notifications: root.children_named("Ntfctn").map(Notification::read).collect(),
        }
    }

    pub fn write(&self, header: Option<&AppHdr>) -> Result<String, WriteError> {
        document::document(CAMT_054, header, |out| {
            out.open("BkToCstmrDbtCdtNtfctn");
            out.open("GrpHdr");
            out.leaf_if("MsgId", self.message_id.as_deref());
            out.leaf_if("CreDtTm", self.created_at.as_deref());
            out.close();
            self.notifications.iter().for_each(|notification| notification.write(out));
            out.close();
        })
    }
}

impl Notification {
    fn read(element: &Element) -> Self {
        let account = element.child("Acct");
        Self {
            id: element.text_at(&["Id"]),
            created_at: element.text_at(&["CreDtTm"]),
            account: account.map(read::account).unwrap_or_default(),
            owner: account.and_then(|account| account.child("Ownr")).map(read::party),
            servicer: account.and_then(|account| account.child("Svcr")).map(read::agent),
            entries: element.children_named("Ntry").map(Entry::read).collect(),
        }
    }

    fn write(&self, out: &mut document::Writer) {
        out.open("Ntfctn");
        out.leaf_if("Id", self.id.as_deref());
        out.leaf_if("CreDtTm", self.created_at.as_deref());
        out.open("Acct");
        write::account_content(out, &self.account);
        write::party(out, "Ownr", self.owner.as_ref());
        write::agent(out, "Svcr", self.servicer.as_ref());
        out.close();
        self.entries.iter().for_each(|entry| entry.write(out));
        out.close();
    }
}

impl Entry {
    fn read(element: &Element) -> Self {
        let text = |path: &[&str]| element.text_at(path);
        let code = element.at(&["BkTxCd", "Domn"]).map(|domain| BankTransactionCode {
            domain: domain.text_at(&["Cd"]),
            family: domain.text_at(&["Fmly", "Cd"]),
            sub_family: domain.text_at(&["Fmly", "SubFmlyCd"]),
        });
        let details = element.children_named("NtryDtls");
        Self {
            reference: text(&["NtryRef"]),
            amount: read::amount(element, "Amt"),
            credit_debit: text(&["CdtDbtInd"]),
            reversal: text(&["RvslInd"]),
            status: read::code(element.child("Sts")),
            booked_at: day(element, "BookgDt"),
            value_date: day(element, "ValDt"),
            servicer_reference: text(&["AcctSvcrRef"]),
            bank_transaction_code: code,
            transactions: details
                .flat_map(|details| details.children_named("TxDtls"))
                .map(Transaction::read)
                .collect(),
        }
    }

    pub(crate) fn write(&self, out: &mut document::Writer) {
        out.open("Ntry");
        out.leaf_if("NtryRef", self.reference.as_deref());
        write::amount(out, "Amt", self.amount.as_ref());
        out.leaf_if("CdtDbtInd", self.credit_debit.as_deref());
        out.leaf_if("RvslInd", self.reversal.as_deref());
        write::code(out, "Sts", self.status.as_ref());
        write_day(out, "BookgDt", self.booked_at.as_deref());
        write_day(out, "ValDt", self.value_date.as_deref());
        out.leaf_if("AcctSvcrRef", self.servicer_reference.as_deref());
        out.open("BkTxCd");
        if let Some(code) = &self.bank_transaction_code {
            out.open("Domn");
            out.leaf_if("Cd", code.domain.as_deref());
            out.group("Fmly", |out| {
                out.leaf_if("Cd", code.family.as_deref());
                out.leaf_if("SubFmlyCd", code.sub_family.as_deref());
            });
            out.close();
        }
        out.close();
        out.group("NtryDtls", |out| self.transactions.iter().for_each(|one| one.write(out)));
        out.close();
    }
}

impl Transaction {
    fn read(element: &Element) -> Self {
        let reference = |name| element.text_at(&["Refs", name]);
        let related = |name| element.at(&["RltdPties", name]);
        let agent = |name| element.at(&["RltdAgts", name]).map(read::agent);
        Self {
            message_id: reference("MsgId"),
            servicer_reference: reference("AcctSvcrRef"),
            instruction_id: reference("InstrId"),
            end_to_end_id: reference("EndToEndId"),
            uetr: reference("UETR"),
            transaction_id: reference("TxId"),
            amount: read::amount(element, "Amt"),
            credit_debit: element.text_at(&["CdtDbtInd"]),
            instructed_amount: element
                .at(&["AmtDtls", "InstdAmt"])
                .and_then(|details| read::amount(details, "Amt")),
            debtor: party(related("Dbtr")),
            debtor_account: related("DbtrAcct").map(read::account),
            creditor: party(related("Cdtr")),
            creditor_account: related("CdtrAcct").map(read::account),
            debtor_agent: agent("DbtrAgt").or_else(|| party_agent(related("Dbtr"))),
            creditor_agent: agent("CdtrAgt"),
            purpose: read::code(element.child("Purp")),
            remittance_information: element
                .child("RmtInf")
                .map(|information| read::texts(information, "Ustrd"))
                .unwrap_or_default(),
            interbank_settlement_date: element.text_at(&["RltdDts", "IntrBkSttlmDt"]),
        }
    }

    fn write(&self, out: &mut document::Writer) {
        out.open("TxDtls");
        out.group("Refs", |out| {
            out.leaf_if("MsgId", self.message_id.as_deref());
            out.leaf_if("AcctSvcrRef", self.servicer_reference.as_deref());
            out.leaf_if("InstrId", self.instruction_id.as_deref());
            out.leaf_if("EndToEndId", self.end_to_end_id.as_deref());
            out.leaf_if("UETR", self.uetr.as_deref());
            out.leaf_if("TxId", self.transaction_id.as_deref());
        });
        write::amount(out, "Amt", self.amount.as_ref());
        out.leaf_if("CdtDbtInd", self.credit_debit.as_deref());
        out.group("AmtDtls", |out| {
            out.group("InstdAmt", |out| write::amount(out, "Amt", self.instructed_amount.as_ref()));
        });
        out.group("RltdPties", |out| {
            out.group("Dbtr", |out| write::party(out, "Pty", self.debtor.as_ref()));
            write::account(out, "DbtrAcct", self.debtor_account.as_ref());
            out.group("Cdtr", |out| write::party(out, "Pty", self.creditor.as_ref()));
            write::account(out, "CdtrAcct", self.creditor_account.as_ref());
        });
        out.group("RltdAgts", |out| {
            write::agent(out, "DbtrAgt", self.debtor_agent.as_ref());
            write::agent(out, "CdtrAgt", self.creditor_agent.as_ref());
        });
        write::code(out, "Purp", self.purpose.as_ref());
        out.group("RmtInf", |out| {
            self.remittance_information.iter().for_each(|text| out.leaf("Ustrd", text));
        });
        out.group("RltdDts", |out| {
            out.leaf_if("IntrBkSttlmDt", self.interbank_settlement_date.as_deref());
        });
        out.close();
    }
}

/// The text of a choice of `Dt` and `DtTm`.
fn day(element: &Element, name: &str) -> Option<String> {
    element.text_at(&[name, "Dt"]).or_else(|| element.text_at(&[name, "DtTm"]))
}

pub(crate) fn write_day(out: &mut document::Writer, name: &'static str, text: Option<&str>) {
    out.group(name, |out| {
        let kind = if text.is_some_and(|text| text.contains('T')) { "DtTm" } else { "Dt" };
        out.leaf_if(kind, text);
    });
}
