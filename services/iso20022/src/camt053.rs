//! The bank to customer statement, camt.053.001.08, as it is written; read it by `statement`. It must never compute a
//! balance.

use crate::{
    amount::Amount,
    camt054::{Entry, write_day},
    head::AppHdr,
    pacs008::{Account, Agent, Party, WriteError, write},
    write as document,
};

/// The statement's name.
pub const CAMT_053: &str = "camt.053.001.08";

/// `BkToCstmrStmt` with one statement, or one page of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Camt053 {
    pub message_id: String,
    pub created_at: String,
    pub statement: Statement,
}

/// `Stmt`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    pub id: String,
    /// `StmtPgntn`: the page's number, and whether it is the last.
    pub page: Option<(u32, bool)>,
    /// `ElctrncSeqNb`.
    pub sequence: Option<u64>,
    /// `FrToDt`, times.
    pub from: String,
    pub to: String,
    pub account: Account,
    pub owner: Option<Party>,
    pub servicer: Option<Agent>,
    pub balances: Vec<Balance>,
    pub summary: Option<Summary>,
    pub entries: Vec<Entry>,
}

/// `Bal`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// ExternalBalanceType1Code: OPBD, CLBD.
    pub kind: String,
    pub amount: Amount,
    /// CRDT or DBIT.
    pub credit_debit: String,
    pub date: String,
}

/// `TxsSummry`: numbers and sums of all entries, of credits and of debits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub credits: (u64, String),
    pub debits: (u64, String),
}

impl Camt053 {
    /// Writes it.
    ///
    /// # Errors
    /// When it departs from its XSD, naming where.
    pub fn write(&self, header: Option<&AppHdr>) -> Result<String, WriteError> {
        document::document(CAMT_053, header, |out| {
            out.open("BkToCstmrStmt");
            out.open("GrpHdr");
            out.leaf("MsgId", &self.message_id);
            out.leaf("CreDtTm", &self.created_at);
            out.close();
            self.statement.write(&self.created_at, out);
            out.close();
        })
    }
}

impl Statement {
    fn write(&self, created_at: &str, out: &mut document::Writer) {
        out.open("Stmt");
        out.leaf("Id", &self.id);
        if let Some((number, last)) = self.page {
            out.open("StmtPgntn");
            out.leaf("PgNb", &number.to_string());
            out.leaf("LastPgInd", if last { "true" } else { "false" });
            out.close();
        }
        out.leaf_if("ElctrncSeqNb", self.sequence.map(|number| number.to_string()).as_deref());
        out.leaf("CreDtTm", created_at);
        out.open("FrToDt");
        out.leaf("FrDtTm", &self.from);
        out.leaf("ToDtTm", &self.to);
        out.close();
        out.open("Acct");
        write::account_content(out, &self.account);
        write::party(out, "Ownr", self.owner.as_ref());
        write::agent(out, "Svcr", self.servicer.as_ref());
        out.close();
        for balance in &self.balances {
            out.open("Bal");
            out.open("Tp");
            out.open("CdOrPrtry");
            out.leaf("Cd", &balance.kind);
            out.close();
            out.close();
            write::amount(out, "Amt", Some(&balance.amount));
            out.leaf("CdtDbtInd", &balance.credit_debit);
            write_day(out, "Dt", Some(&balance.date));
            out.close();
        }
        if let Some(summary) = &self.summary {
            summary.write(out);
        }
        self.entries.iter().for_each(|entry| entry.write(out));
        out.close();
    }
}

impl Summary {
    fn write(&self, out: &mut document::Writer) {
        out.open("TxsSummry");
        out.open("TtlNtries");
        out.leaf("NbOfNtries", &(self.credits.0 + self.debits.0).to_string());
        out.close();
        for (name, (number, sum)) in
            [("TtlCdtNtries", &self.credits), ("TtlDbtNtries", &self.debits)]
        {
            out.open(name);
            out.leaf("NbOfNtries", &number.to_string());
            out.leaf("Sum", sum);
            out.close();
        }
        out.close();
    }
}
