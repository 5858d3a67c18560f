//! The customer credit transfer initiation, pain.001.001.09, row by row while it arrives: up to
//! 100,000 rows in the memory of one; it must never decide what becomes of a row.
//!
//! Totals can be compared only at the end, so a caller that acts on rows before keeps them undone
//! until `Rows::totals` agrees.

mod totals;

use std::io::BufRead;

use ledger_types::StatusReason;

pub use self::totals::Totals;
use crate::{
    amount::Amount,
    head::AppHdr,
    inbound,
    pacs008::{Agent, CreditTransfer, Party, read},
    shape::{self, Finding},
    verdict::{self, Refusal},
    xml::{
        self, Element,
        stream::{Part, Parts},
    },
};

/// The initiation's name.
pub const PAIN_001: &str = "pain.001.001.09";
/// The most rows of one message.
pub const ROWS_MAX: u32 = 100_000;
/// The most elements of a payment information beside its rows; its type has fifteen.
const PAYMENT_ELEMENTS_MAX: usize = 32;
const ROOT: &str = "CstmrCdtTrfInitn";

/// `GrpHdr`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    pub message_id: Option<String>,
    pub created_at: Option<String>,
    pub number_of_transactions: Option<String>,
    pub control_sum: Option<String>,
    pub initiating_party: Option<Party>,
    pub forwarding_agent: Option<Agent>,
}

/// `PmtInf` without its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payment {
    pub payment_information_id: Option<String>,
    /// `PmtMtd`: TRF, CHK or TRA.
    pub method: Option<String>,
    pub number_of_transactions: Option<String>,
    pub control_sum: Option<String>,
    /// `ReqdExctnDt`, a date or a date and time.
    pub requested_execution_date: Option<String>,
}

/// One `CdtTrfTxInf` with what its payment information and group say for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Its place in the message, from 1.
    pub number: u32,
    pub payment: Payment,
    /// As a pacs.008 would say it: the debtor stands in the payment information, the amount is
    /// `InstdAmt`.
    pub transfer: CreditTransfer,
    /// `EqvtAmt`: the amount in the debtor's currency, and the currency that is to arrive.
    pub equivalent_amount: Option<(Amount, String)>,
    /// Departures from the XSD, of the row and of its payment information.
    pub findings: Vec<Finding>,
}

/// A message that is being read.
#[derive(Debug)]
pub struct Rows<R> {
    parts: Parts<R>,
    app_hdr: Option<AppHdr>,
    group: Group,
    /// Departures from the XSD before the first row.
    findings: Vec<Finding>,
    payment: Option<Element>,
    payment_findings: Vec<Finding>,
    totals: Totals,
    ended: bool,
}

fn container(_open: &[String], name: &str) -> bool {
    // Whatever wraps header and document is a container too; within, only these are.
    !matches!(name, "AppHdr" | "GrpHdr" | "CdtTrfTxInf" | "SplmtryData") && !of_payment(name)
}

/// Elements of a payment information beside its rows.
fn of_payment(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "PmtInfId",
        "PmtMtd",
        "BtchBookg",
        "NbOfTxs",
        "CtrlSum",
        "PmtTpInf",
        "ReqdExctnDt",
        "PoolgAdjstmntDt",
        "Dbtr",
        "DbtrAcct",
        "DbtrAgt",
        "DbtrAgtAcct",
        "InstrForDbtrAgt",
        "UltmtDbtr",
        "ChrgBr",
        "ChrgsAcct",
        "ChrgsAcctAgt",
    ];
    NAMES.contains(&name)
}

impl<R: BufRead> Rows<R> {
    /// Reads up to the group header. Refused is what is no pain.001.001.09 (FF01).
    pub fn open(source: R) -> Result<Self, Refusal> {
        let mut rows = Self {
            parts: Parts::new(source, container),
            app_hdr: None,
            group: Group::default(),
            findings: Vec::new(),
            payment: None,
            payment_findings: Vec::new(),
            totals: Totals::default(),
            ended: false,
        };
        let mut message = None;
        loop {
            match rows.part()? {
                None => return Err(refusal("Document: no ISO 20022 message found")),
                Some(Part::Whole(element)) if element.name == "AppHdr" => rows.header(&element),
                Some(Part::Whole(element)) if element.name == "GrpHdr" && message.is_some() => {
                    rows.group_header(&element);
                    return Ok(rows);
                }
                Some(Part::Opened(element)) if element.name == "Document" => {
                    message = Some(rows.document(&element)?);
                }
                Some(Part::Opened(element)) if message.is_some() && element.name != ROOT => {
                    return Err(refusal("CstmrCdtTrfInitn/GrpHdr: is missing: it comes first"));
                }
                Some(Part::Whole(_)) if message.is_some() => {
                    return Err(refusal("CstmrCdtTrfInitn/GrpHdr: is missing: it comes first"));
                }
                Some(Part::Opened(_) | Part::Whole(_) | Part::Closed(_)) => {}
            }
        }
    }

    #[must_use]
    pub fn app_hdr(&self) -> Option<&AppHdr> {
        self.app_hdr.as_ref()
    }

    #[must_use]
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Departures from the XSD in header and group header.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The next row; nothing after the last. Refused is a body that cannot be read on.
    pub fn next_row(&mut self) -> Result<Option<Row>, Refusal> {
        while !self.ended {
            match self.part()? {
                None => self.ended = true,
                Some(Part::Opened(element)) if element.name == "PmtInf" => {
                    self.payment = Some(element);
                    self.payment_findings.clear();
                    self.totals.payment_opened();
                }
                Some(Part::Opened(element)) => {
                    let path = format!("{ROOT}/{}", element.name);
                    return Err(refusal(&format!("{path}: is not expected here: leave it out")));
                }
                Some(Part::Closed(name)) if name == "PmtInf" => {
                    let payment = self.payment.take().map(|element| payment(&element));
                    self.totals.payment_closed(&payment.unwrap_or_default());
                }
                Some(Part::Closed(_)) => {}
                Some(Part::Whole(element)) if element.name == "CdtTrfTxInf" => {
                    return self.row(element).map(Some);
                }
                Some(Part::Whole(element)) => self.keep(element)?,
            }
        }
        Ok(None)
    }

    /// What was counted. After the last row its `refusals` say where the message's totals differ.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What differs between the group header and the rows: AM19, AM10; and within payments: AM20, AM10.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        self.totals.refusals(&self.group)
    }

    fn part(&mut self) -> Result<Option<Part>, Refusal> {
        self.parts.next().map_err(|error: xml::Error| refusal(&error.to_string()))
    }

    fn header(&mut self, element: &Element) {
        self.app_hdr = Some(AppHdr::read(element));
        if inbound::standard_name(element).as_deref() == Some(inbound::HEAD_001) {
            self.findings.extend(shape::check_header(element));
        }
    }

    fn document(&self, element: &Element) -> Result<String, Refusal> {
        let found = inbound::standard_name(element).unwrap_or_default();
        if found != PAIN_001 {
            let speak = format!("send Document in the namespace of {PAIN_001}");
            return Err(refusal(&format!("Document: message or version not spoken: {speak}")));
        }
        let stated = self.app_hdr.as_ref().and_then(|own| own.message_definition_id.as_deref());
        if stated.is_some_and(|stated| stated != PAIN_001) {
            return Err(refusal("AppHdr/MsgDefIdr: names another message than Document is"));
        }
        Ok(found)
    }

    fn group_header(&mut self, element: &Element) {
        let path = [ROOT, "GrpHdr"];
        self.findings.extend(shape::check_part(element, "GroupHeader85", &path));
        self.group = Group {
            message_id: element.text_at(&["MsgId"]),
            created_at: element.text_at(&["CreDtTm"]),
            number_of_transactions: element.text_at(&["NbOfTxs"]),
            control_sum: element.text_at(&["CtrlSum"]),
            initiating_party: element.child("InitgPty").map(read::party),
            forwarding_agent: element.child("FwdgAgt").map(read::agent),
        };
    }

    /// Keeps what a payment information says for all its rows.
    fn keep(&mut self, element: Element) -> Result<(), Refusal> {
        match &mut self.payment {
            Some(payment) if payment.children.len() < PAYMENT_ELEMENTS_MAX => {
                payment.children.push(element);
                Ok(())
            }
            Some(_) => Err(refusal("CstmrCdtTrfInitn/PmtInf: has too many elements")),
            None if element.name == "SplmtryData" => Ok(()),
            None => {
                let path = format!("{ROOT}/{}", element.name);
                Err(refusal(&format!("{path}: is not expected here: leave it out")))
            }
        }
    }

    fn row(&mut self, element: Element) -> Result<Row, Refusal> {
        let Some(payment_element) = &mut self.payment else {
            return Err(refusal("CdtTrfTxInf: stands outside PmtInf"));
        };
        if self.totals.rows >= ROWS_MAX {
            let text = format!("PmtInf/CdtTrfTxInf: send at most {ROWS_MAX} rows a message");
            return Err(Refusal { reason: verdict::NUMBER_OF_TRANSACTIONS, text });
        }
        let path = [ROOT, "PmtInf", "CdtTrfTxInf"];
        let mut findings = shape::check_part(&element, "CreditTransferTransaction34", &path);
        if self.totals.rows_of_payment == 0 {
            // With its first row the payment information can be held against its own type.
            let (path, row_path) = ([ROOT, "PmtInf"], path.join("/"));
            payment_element.children.push(element);
            let found = shape::check_part(payment_element, "PaymentInstruction30", &path);
            let own = found.into_iter().filter(|finding| !finding.path.starts_with(&row_path));
            self.payment_findings = own.collect();
            let Some(element) = payment_element.children.pop() else {
                return Err(refusal("CdtTrfTxInf: is missing"));
            };
            findings.extend(self.payment_findings.iter().cloned());
            return Ok(self.taken(&element, findings));
        }
        findings.extend(self.payment_findings.iter().cloned());
        Ok(self.taken(&element, findings))
    }

    fn taken(&mut self, element: &Element, findings: Vec<Finding>) -> Row {
        let empty = Element::default();
        let of_all = self.payment.as_ref().unwrap_or(&empty);
        let amount = element.child("Amt");
        let equivalent = amount.and_then(|amount| amount.child("EqvtAmt"));
        let mut transfer = read::credit_transfer(element);
        transfer.instructed_amount = amount.and_then(|amount| read::amount(amount, "InstdAmt"));
        transfer.debtor = of_all.child("Dbtr").map(read::party);
        transfer.debtor_account = of_all.child("DbtrAcct").map(read::account);
        transfer.debtor_agent = of_all.child("DbtrAgt").map(read::agent);
        transfer.initiating_party = self.group.initiating_party.clone();
        if transfer.ultimate_debtor.is_none() {
            transfer.ultimate_debtor = of_all.child("UltmtDbtr").map(read::party);
        }
        if transfer.charge_bearer.is_none() {
            transfer.charge_bearer = of_all.text_at(&["ChrgBr"]);
        }
        if element.child("PmtTpInf").is_none() {
            transfer.payment_type =
                of_all.child("PmtTpInf").map(read::payment_type).unwrap_or_default();
        }
        let equivalent_amount = equivalent.and_then(|equivalent| {
            let currency = equivalent.text_at(&["CcyOfTrf"]).unwrap_or_default();
            Some((read::amount(equivalent, "Amt")?, currency))
        });
        let counted = transfer.instructed_amount.as_ref();
        let counted = counted.or(equivalent_amount.as_ref().map(|(amount, _)| amount));
        self.totals.row(counted);
        let payment = payment(of_all);
        Row { number: self.totals.rows, payment, transfer, equivalent_amount, findings }
    }
}

fn payment(element: &Element) -> Payment {
    let date = element.text_at(&["ReqdExctnDt", "Dt"]);
    Payment {
        payment_information_id: element.text_at(&["PmtInfId"]),
        method: element.text_at(&["PmtMtd"]),
        number_of_transactions: element.text_at(&["NbOfTxs"]),
        control_sum: element.text_at(&["CtrlSum"]),
        requested_execution_date: date.or_else(|| element.text_at(&["ReqdExctnDt", "DtTm"])),
    }
}

fn refusal(text: &str) -> Refusal {
    const FORMAT: StatusReason = verdict::FORMAT;
    Refusal { reason: FORMAT, text: text.to_owned() }
}
