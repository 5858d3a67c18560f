//! What an account servicer tells of an account, in one model for every format: reports (camt.052,
//! MT942), statements (camt.053, MT940) and notifications (camt.054). It must never know a database
//! nor judge what it holds: it is read as a stream, in the memory of one entry.
//!
//! Names are ISO 20022's own (`AccountStatement9`, `ReportEntry10`, `EntryTransaction10`).

pub mod camt;
mod element;
pub mod finding;
pub mod money;

pub use camt::Reader;
pub use finding::{Code, Finding, Severity};
pub use money::{CreditDebit, Money, Sum};

/// The most details that an entry itself carries; those before come in [`Item::Details`].
pub const DETAILS_MAX: usize = 100;

/// What kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// Intraday: camt.052, MT942.
    Report,
    /// Of a closed day or period: camt.053, MT940.
    #[default]
    Statement,
    /// Of single movements: camt.054.
    Notification,
}

impl Kind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Statement => "statement",
            Self::Notification => "notification",
        }
    }
}

/// One part of what is read, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A statement begins; its head as far as it is known.
    Opened(Box<Head>),
    Balance(Balance),
    Summary(Summary),
    /// Details of the entry that follows, in pieces of [`DETAILS_MAX`], if it has more of them.
    Details {
        /// The entry's number.
        entry: u64,
        details: Vec<Detail>,
    },
    Entry(Box<Entry>),
    /// Something is wrong, and reading goes on.
    Finding(Finding),
    /// The statement ends; its whole head.
    Closed(Box<Head>),
}

/// What a statement says once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    pub kind: Kind,
    /// `camt.053.001.08`, `MT940`, `CSV`.
    pub format: String,
    /// Its place in the file, from 1.
    pub number: u64,
    /// `GrpHdr/MsgId`.
    pub message_id: Option<String>,
    /// `Id`; field 20.
    pub id: Option<String>,
    /// `ElctrncSeqNb`; the first part of field 28C.
    pub electronic_sequence: Option<u64>,
    /// `LglSeqNb`.
    pub legal_sequence: Option<u64>,
    /// `StmtPgntn`; the second part of field 28C.
    pub page: Option<Page>,
    pub created_at: Option<String>,
    /// `FrToDt`.
    pub from: Option<String>,
    pub to: Option<String>,
    /// `CpyDplctInd`: CODU, COPY or DUPL.
    pub copy_duplicate: Option<String>,
    pub account: Account,
    /// `AddtlStmtInf`; the last field 86.
    pub additional_information: Option<String>,
}

impl Head {
    /// The number that grows by one from statement to statement.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.electronic_sequence.or(self.legal_sequence)
    }
}

/// `Pagination1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Page {
    pub number: u64,
    pub last: bool,
}

impl Page {
    /// Whether the statement is this page and no other.
    #[must_use]
    pub const fn whole(self) -> bool {
        self.number <= 1 && self.last
    }
}

/// `CashAccount`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// IBAN or other identification.
    pub id: Option<String>,
    pub currency: Option<String>,
    pub name: Option<String>,
    pub owner: Option<String>,
    /// The servicer's BIC, member id or name.
    pub servicer: Option<String>,
}

/// `CashBalance`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// ExternalBalanceType1Code such as OPBD, or the servicer's own.
    pub kind: String,
    /// `SubTp`, e.g. INTM: of a page.
    pub sub_kind: Option<String>,
    pub amount: Money,
    pub credit_debit: CreditDebit,
    pub date: Option<String>,
}

impl Balance {
    /// Whether it is a page's, not a period's.
    #[must_use]
    pub fn intermediate(&self) -> bool {
        self.sub_kind.as_deref() == Some("INTM")
    }

    /// Credits count up, debits down.
    #[must_use]
    pub fn signed(&self) -> Sum {
        Sum::signed(self.amount.value, self.credit_debit)
    }
}

/// `TotalTransactions`: what the servicer counted. Sums name no currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub entries: Total,
    pub credits: Total,
    pub debits: Total,
    /// `TtlNetNtry`.
    pub net: Option<Sum>,
}

/// `NumberAndSumOfTransactions`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Total {
    pub number: Option<u64>,
    pub sum: Option<Sum>,
}

/// `Sts` of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EntryStatus {
    /// BOOK: it is in the booked balance.
    #[default]
    Booked,
    /// PDNG.
    Pending,
    /// INFO.
    Information,
    /// FUTR, or the servicer's own.
    Other(String),
}

impl EntryStatus {
    /// Reads ExternalEntryStatus1Code.
    #[must_use]
    pub fn of(code: &str) -> Self {
        match code {
            "BOOK" => Self::Booked,
            "PDNG" => Self::Pending,
            "INFO" => Self::Information,
            other => Self::Other(other.to_owned()),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Booked => "BOOK",
            Self::Pending => "PDNG",
            Self::Information => "INFO",
            Self::Other(code) => code,
        }
    }
}

/// `ReportEntry`: one movement of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the statement, from 1.
    pub number: u64,
    /// `NtryRef`.
    pub reference: Option<String>,
    pub amount: Money,
    /// What happens to this account now; for a reversal too (`RvslInd`, ISO 20022).
    pub credit_debit: CreditDebit,
    /// `RvslInd`: it undoes an entry of the other direction.
    pub reversal: bool,
    pub status: EntryStatus,
    pub booking_date: Option<String>,
    pub value_date: Option<String>,
    /// `AcctSvcrRef`; the last part of field 61.
    pub servicer_reference: Option<String>,
    pub bank_transaction_code: BankTransactionCode,
    /// `AmtDtls`: what was instructed, and the exchange.
    pub instructed_amount: Option<Money>,
    pub exchange: Option<Exchange>,
    pub charges: Charges,
    /// `NtryDtls`, those that say what they hold.
    pub batches: Vec<Batch>,
    /// How many details it has.
    pub details_count: u64,
    /// The last of them, at most [`DETAILS_MAX`].
    pub details: Vec<Detail>,
    /// `AddtlNtryInf`; field 86.
    pub additional_information: Option<String>,
}

impl Entry {
    /// Credits count up, debits down.
    #[must_use]
    pub fn signed(&self) -> Sum {
        Sum::signed(self.amount.value, self.credit_debit)
    }
}

/// `BankTransactionCodeStructure4`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BankTransactionCode {
    pub domain: Option<String>,
    pub family: Option<String>,
    pub sub_family: Option<String>,
    pub proprietary: Option<String>,
    pub issuer: Option<String>,
}

/// `CurrencyExchange`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    pub source_currency: Option<String>,
    pub target_currency: Option<String>,
    pub unit_currency: Option<String>,
    pub rate: Option<String>,
}

/// `Charges`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Charges {
    /// `TtlChrgsAndTaxAmt`.
    pub total: Option<Money>,
    pub records: Vec<Charge>,
}

/// `ChargesRecord`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub amount: Money,
    pub credit_debit: Option<CreditDebit>,
    /// `ChrgInclInd`: it is within the amount.
    pub included: Option<bool>,
}

impl Charges {
    /// What was charged in a currency: the total, or the sum of the records.
    #[must_use]
    pub fn sum(&self, currency: &str) -> Sum {
        let total = self.total.iter().map(|total| (total, CreditDebit::Credit));
        let total = total.filter(|(total, _)| total.currency == currency);
        let records = self.records.iter().filter(|record| record.amount.currency == currency);
        // A charge that is credited is given back.
        let records = records.map(|record| {
            let back = record.credit_debit == Some(CreditDebit::Credit);
            (&record.amount, if back { CreditDebit::Debit } else { CreditDebit::Credit })
        });
        let parts: Vec<_> = if self.total.is_some() { total.collect() } else { records.collect() };
        parts.into_iter().fold(Sum::ZERO, |sum, (amount, side)| {
            sum.plus(Sum::signed(amount.value, side)).unwrap_or(sum)
        })
    }
}

/// `BatchInformation` and what stands beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub message_id: Option<String>,
    pub payment_information_id: Option<String>,
    pub number_of_transactions: Option<u64>,
    pub total: Option<Money>,
    pub credit_debit: Option<CreditDebit>,
    /// How many details it has here.
    pub listed: u64,
    /// Their sum in the direction of the entry; nothing if one has no amount of the total's currency.
    pub listed_sum: Option<Sum>,
}

/// `EntryTransaction`: one payment of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    pub references: References,
    /// `Amt`, before it existed `AmtDtls/TxAmt`.
    pub amount: Option<Money>,
    pub credit_debit: Option<CreditDebit>,
    pub instructed_amount: Option<Money>,
    pub exchange: Option<Exchange>,
    pub charges: Charges,
    pub bank_transaction_code: BankTransactionCode,
    pub parties: Parties,
    pub purpose: Option<String>,
    /// `RmtInf/Ustrd`.
    pub remittance_information: Vec<String>,
    /// `RmtInf/Strd/CdtrRefInf/Ref`.
    pub creditor_references: Vec<String>,
    /// `RtrInf/Rsn`.
    pub return_reason: Option<String>,
    /// `AddtlTxInf`.
    pub additional_information: Option<String>,
}

/// `TransactionReferences`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    pub message_id: Option<String>,
    pub servicer_reference: Option<String>,
    pub payment_information_id: Option<String>,
    pub instruction_id: Option<String>,
    pub end_to_end_id: Option<String>,
    pub uetr: Option<String>,
    pub transaction_id: Option<String>,
    pub mandate_id: Option<String>,
    pub cheque_number: Option<String>,
    pub clearing_system_reference: Option<String>,
    /// `Prtry`: kind and reference.
    pub proprietary: Vec<(String, String)>,
}

/// `RltdPties` and `RltdAgts`: names, account numbers, and an agent's BIC, member id or name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parties {
    pub debtor: Option<String>,
    pub debtor_account: Option<String>,
    pub debtor_agent: Option<String>,
    pub ultimate_debtor: Option<String>,
    pub creditor: Option<String>,
    pub creditor_account: Option<String>,
    pub creditor_agent: Option<String>,
    pub ultimate_creditor: Option<String>,
}
