//! Reads camt.052, camt.053 and camt.054 of any version as a stream of items, in the memory of one
//! entry and at most a hundred of its details. It must never judge what it reads: it says what can't
//! be read, and where the message departs from its XSD if that is kept here.

use std::{collections::VecDeque, io::BufRead};

use super::{
    Balance, Batch, Code, CreditDebit, DETAILS_MAX, Detail, Entry, EntryStatus, Finding, Head,
    Item, Kind, Page, Sum,
    element::{self, Place, truth},
};
use crate::{
    inbound::{self, CHECKED},
    shape,
    xml::{
        self, Element,
        stream::{Part, Parts},
    },
};

/// The most elements of an entry beside its details; its type has fifteen.
const ENTRY_ELEMENTS_MAX: usize = 64;
/// Versions whose element names this reader was written by.
const VERSIONS: std::ops::RangeInclusive<u32> = 1..=14;

/// Where the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Outside,
    Document,
    Message,
    Statement,
    Entry,
    Details,
}

/// A message that is being read.
#[derive(Debug)]
pub struct Reader<R> {
    parts: Parts<R>,
    level: Level,
    queue: VecDeque<Item>,
    /// What the application header says that the message is.
    header: Option<String>,
    /// The message that the document's namespace names.
    format: Option<String>,
    kind: Kind,
    root: &'static str,
    /// Whether the message's XSD is kept here.
    checked: bool,
    message_id: Option<String>,
    message_page: Option<Page>,
    statements: u64,
    open: Option<Open>,
    ended: bool,
}

/// A statement that is being read.
#[derive(Debug, Default)]
struct Open {
    head: Head,
    told: bool,
    path: String,
    entries: u64,
    entry: Option<Draft>,
}

/// An entry that is being read.
#[derive(Debug, Default)]
struct Draft {
    path: String,
    /// Its elements, except details.
    element: Element,
    batches: Vec<Batch>,
    /// The batch that details belong to.
    batch: Option<Batch>,
    details: Vec<Detail>,
    details_count: u64,
}

fn container(open: &[String], name: &str) -> bool {
    let Some(at) = open.iter().position(|own| own == "Document") else { return name != "AppHdr" };
    match open.len() - at {
        1 => true,
        2 => matches!(name, "Rpt" | "Stmt" | "Ntfctn"),
        3 => name == "Ntry",
        4 => name == "NtryDtls",
        _ => false,
    }
}

impl<R: BufRead> Reader<R> {
    #[must_use]
    pub fn new(source: R) -> Self {
        Self {
            parts: Parts::new(source, container),
            level: Level::Outside,
            queue: VecDeque::new(),
            header: None,
            format: None,
            kind: Kind::Statement,
            root: "",
            checked: false,
            message_id: None,
            message_page: None,
            statements: 0,
            open: None,
            ended: false,
        }
    }

    /// The message's name once it is known, e.g. `camt.053.001.08`.
    #[must_use]
    pub fn format(&self) -> Option<&str> {
        self.format.as_deref()
    }

    /// The next item; nothing after the last.
    ///
    /// # Errors
    /// A finding of severity refuse: there is no honest reading, and nothing follows.
    pub fn next_item(&mut self) -> Result<Option<Item>, Finding> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                return Ok(Some(item));
            }
            if self.ended {
                return Ok(None);
            }
            let part = self.parts.next().map_err(|error| self.refused(&error))?;
            match part {
                None => {
                    self.ended = true;
                    if self.statements == 0 {
                        return Err(Finding::new(Code::NotAStatement, ""));
                    }
                }
                Some(Part::Opened(element)) => self.opened(element)?,
                Some(Part::Closed(_)) => self.closed()?,
                Some(Part::Whole(element)) => self.whole(element)?,
            }
        }
    }

    fn opened(&mut self, element: Element) -> Result<(), Finding> {
        match self.level {
            Level::Outside if element.name == "Document" => {
                self.format = inbound::standard_name(&element);
                self.level = Level::Document;
            }
            Level::Outside => {}
            Level::Document => self.message(&element.name)?,
            Level::Message => self.statement(),
            Level::Statement => self.entry_opened(&element.name),
            Level::Entry => self.level = Level::Details,
            Level::Details => {}
        }
        Ok(())
    }

    fn closed(&mut self) -> Result<(), Finding> {
        match self.level {
            Level::Outside => {}
            Level::Document => self.level = Level::Outside,
            Level::Message => self.level = Level::Document,
            Level::Statement => {
                self.level = Level::Message;
                self.statement_closed()?;
            }
            Level::Entry => {
                self.level = Level::Statement;
                self.entry_closed()?;
            }
            Level::Details => {
                self.level = Level::Entry;
                if let Some(draft) = self.draft() {
                    let batch = draft.batch.take();
                    draft.batches.extend(batch);
                }
            }
        }
        Ok(())
    }

    fn whole(&mut self, element: Element) -> Result<(), Finding> {
        match (self.level, element.name.as_str()) {
            (Level::Outside, "AppHdr") => self.header = element.text_at(&["MsgDefIdr"]),
            (Level::Outside, "Document") => {
                return Err(Finding::new(Code::NotAStatement, "Document"));
            }
            (Level::Outside, _) => {}
            (Level::Document, name) => self.message(name)?,
            (Level::Message, "GrpHdr") => self.group_header(&element),
            (Level::Message, "Rpt" | "Stmt" | "Ntfctn") => {
                self.statement();
                self.level = Level::Message;
                self.statement_closed()?;
            }
            (Level::Message, "SplmtryData") => {}
            (Level::Message, name) => {
                let at = format!("{}/{name}", self.root);
                self.queue.push_back(Item::Finding(Finding::new(Code::FieldUnknown, at)));
            }
            (Level::Statement, "Ntry") => {
                self.entry_opened(&element.name);
                self.level = Level::Statement;
                self.entry_closed()?;
            }
            (Level::Statement, _) => self.statement_part(&element)?,
            (Level::Entry | Level::Details, "TxDtls") => self.detail(&element),
            (Level::Entry | Level::Details, "Btch") => self.batch(&element),
            (Level::Entry, "NtryDtls") | (Level::Details, _) => {}
            (Level::Entry, _) => return self.entry_part(element),
        }
        Ok(())
    }

    /// The message's own element says what it is; its namespace, which version.
    fn message(&mut self, name: &str) -> Result<(), Finding> {
        // Version 01 put its number behind the name.
        let plain = name.strip_suffix("V01").unwrap_or(name);
        let (root, kind, prefix) = match plain {
            "BkToCstmrAcctRpt" => ("BkToCstmrAcctRpt", Kind::Report, "camt.052.001."),
            "BkToCstmrStmt" => ("BkToCstmrStmt", Kind::Statement, "camt.053.001."),
            "BkToCstmrDbtCdtNtfctn" => {
                ("BkToCstmrDbtCdtNtfctn", Kind::Notification, "camt.054.001.")
            }
            _ => return Err(Finding::new(Code::NotAStatement, format!("Document/{plain}"))),
        };
        self.level = Level::Message;
        (self.root, self.kind) = (root, kind);
        let format = self.format.get_or_insert_with(|| prefix.trim_end_matches('.').to_owned());
        let version = format.strip_prefix(prefix).and_then(|version| version.parse().ok());
        self.checked = CHECKED.contains(&format.as_str()) && format.starts_with(prefix);
        if !version.is_some_and(|version| VERSIONS.contains(&version)) {
            self.queue.push_back(Item::Finding(Finding::new(Code::Version, "Document")));
        }
        if self.header.as_deref().is_some_and(|header| Some(header) != self.format.as_deref()) {
            let finding = Finding::new(Code::HeaderDiffers, "AppHdr/MsgDefIdr");
            self.queue.push_back(Item::Finding(finding));
        }
        Ok(())
    }

    fn group_header(&mut self, element: &Element) {
        let at = format!("{}/GrpHdr", self.root);
        self.check(element, "GroupHeader81", &at);
        self.message_id = element.text_at(&["MsgId"]);
        self.message_page = self.placed(&at, |place| {
            element.child("MsgPgntn").and_then(|pagination| place.page(pagination))
        });
    }

    fn statement(&mut self) {
        self.level = Level::Statement;
        self.statements += 1;
        let head = Head {
            kind: self.kind,
            format: self.format.clone().unwrap_or_default(),
            number: self.statements,
            message_id: self.message_id.clone(),
            page: self.message_page,
            ..Head::default()
        };
        let name = match self.kind {
            Kind::Report => "Rpt",
            Kind::Statement => "Stmt",
            Kind::Notification => "Ntfctn",
        };
        let path = format!("{name}[{}]", self.statements);
        self.open = Some(Open { head, path, ..Open::default() });
    }

    /// An element of a statement beside its entries.
    fn statement_part(&mut self, element: &Element) -> Result<(), Finding> {
        let path = self.open.as_ref().map(|open| open.path.clone()).unwrap_or_default();
        let at = format!("{path}/{}", element.name);
        match element.name.as_str() {
            "Bal" => {
                self.tell();
                self.check(element, "CashBalance8", &at);
                return self.balance(element, &at);
            }
            "TxsSummry" => {
                self.tell();
                self.check(element, "TotalTransactions6", &at);
                let summary = self.placed(&at, |place| place.summary(element));
                self.queue.push_back(Item::Summary(summary));
                return Ok(());
            }
            "Acct" => self.check(element, "CashAccount39", &at),
            "StmtPgntn" | "RptPgntn" | "NtfctnPgntn" => self.check(element, "Pagination1", &at),
            _ => {}
        }
        let mut findings = Vec::new();
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        let mut place = Place { at: &path, findings: &mut findings };
        let known = open.head.take(element, &mut place);
        if !known {
            findings.push(Finding::new(Code::FieldUnknown, at));
        } else if open.told && !element.name.starts_with("Addtl") {
            findings.push(Finding::new(Code::ElementOutOfOrder, at));
        }
        self.queue.extend(findings.into_iter().map(Item::Finding));
        Ok(())
    }

    fn balance(&mut self, element: &Element, at: &str) -> Result<(), Finding> {
        let mut findings = Vec::new();
        let mut place = Place { at, findings: &mut findings };
        let kind = element.at(&["Tp", "CdOrPrtry"]).or_else(|| element.child("Tp"));
        let kind = element::code(kind).unwrap_or_default();
        let side = element.text_at(&["CdtDbtInd"]).as_deref().and_then(CreditDebit::of);
        let read = place.money(element.child("Amt"), "Amt").zip(side);
        let date = place.date(element, "Dt");
        self.queue.extend(findings.into_iter().map(Item::Finding));
        let Some((amount, credit_debit)) = read else {
            let booked = matches!(kind.as_str(), "OPBD" | "CLBD" | "PRCD" | "ITBD");
            let code = if booked { Code::AmountUnreadable } else { Code::BalanceUnreadable };
            let finding = Finding::new(code, at);
            if booked {
                return Err(finding);
            }
            self.queue.push_back(Item::Finding(finding));
            return Ok(());
        };
        let sub_kind = element.at(&["Tp", "SubTp"]);
        let sub_kind = element::code(sub_kind);
        self.queue.push_back(Item::Balance(Balance { kind, sub_kind, amount, credit_debit, date }));
        Ok(())
    }

    fn statement_closed(&mut self) -> Result<(), Finding> {
        self.tell();
        let Some(open) = self.open.take() else { return Ok(()) };
        if open.head.account.id.is_none() {
            return Err(Finding::new(Code::AccountMissing, format!("{}/Acct", open.path)));
        }
        self.queue.push_back(Item::Closed(Box::new(open.head)));
        Ok(())
    }

    /// The head as it is known, before the first thing that hangs on it.
    fn tell(&mut self) {
        if let Some(open) = self.open.as_mut().filter(|open| !open.told) {
            open.told = true;
            self.queue.push_back(Item::Opened(Box::new(open.head.clone())));
        }
    }

    fn draft(&mut self) -> Option<&mut Draft> {
        self.open.as_mut()?.entry.as_mut()
    }

    fn entry_opened(&mut self, name: &str) {
        self.level = Level::Entry;
        self.tell();
        if let Some(open) = self.open.as_mut() {
            open.entries += 1;
            let path = format!("{}/Ntry[{}]", open.path, open.entries);
            let element = Element { name: name.to_owned(), ..Element::default() };
            open.entry = Some(Draft { path, element, ..Draft::default() });
        }
    }

    fn entry_part(&mut self, element: Element) -> Result<(), Finding> {
        let Some(draft) = self.draft() else { return Ok(()) };
        if draft.element.children.len() >= ENTRY_ELEMENTS_MAX {
            return Err(Finding::new(Code::TooLarge, draft.path.clone()));
        }
        // What belongs together has one namespace, so that the shape can be checked.
        draft.element.namespace.clone_from(&element.namespace);
        draft.element.children.push(element);
        Ok(())
    }

    fn batch(&mut self, element: &Element) {
        let at = self.draft().map(|draft| draft.path.clone()).unwrap_or_default();
        self.check(element, "BatchInformation2", &format!("{at}/NtryDtls/Btch"));
        let batch = self.placed(&format!("{at}/NtryDtls"), |place| place.batch(element));
        let within = self.level == Level::Details;
        if let Some(draft) = self.draft() {
            // Version 01 had no container around batch and details.
            let former = draft.batch.replace(batch);
            draft.batches.extend(former);
            if !within {
                let only = draft.batch.take();
                draft.batches.extend(only);
            }
        }
    }

    fn detail(&mut self, element: &Element) {
        let Some(draft) = self.draft() else { return };
        let at = format!("{}/NtryDtls/TxDtls[{}]", draft.path, draft.details_count + 1);
        self.check(element, "EntryTransaction10", &at);
        let detail = self.placed(&at, |place| place.detail(element));
        let Some(open) = self.open.as_mut() else { return };
        let (number, Some(draft)) = (open.entries, open.entry.as_mut()) else { return };
        draft.details_count += 1;
        // The entry's direction stands before its details, whatever the version.
        let own = draft.element.text_at(&["CdtDbtInd"]).as_deref().and_then(CreditDebit::of);
        if let Some(batch) = draft.batch.as_mut() {
            batch.listed += 1;
            batch.listed_sum = batch.listed_sum.and_then(|sum| with(sum, &detail, batch, own));
        }
        if draft.details.len() >= DETAILS_MAX {
            let details = std::mem::take(&mut draft.details);
            self.queue.push_back(Item::Details { entry: number, details });
        }
        if let Some(draft) = self.draft() {
            draft.details.push(detail);
        }
    }

    fn entry_closed(&mut self) -> Result<(), Finding> {
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        let (number, kind, Some(draft)) = (open.entries, open.head.kind, open.entry.take()) else {
            return Ok(());
        };
        let Draft { path, element, batches, details, details_count, .. } = draft;
        self.check(&element, "ReportEntry10", &path);
        let mut findings = Vec::new();
        let mut place = Place { at: &path, findings: &mut findings };
        let side = element.text_at(&["CdtDbtInd"]).as_deref().and_then(CreditDebit::of);
        let read = place.money(element.child("Amt"), "Amt").zip(side);
        let status = element::code(element.child("Sts"));
        let (booking_date, value_date) =
            (place.date(&element, "BookgDt"), place.date(&element, "ValDt"));
        let amounts = element.at(&["AmtDtls", "InstdAmt", "Amt"]);
        let instructed_amount = place.money(amounts, "AmtDtls/InstdAmt/Amt");
        let charges = place.charges(&element);
        let Some((amount, credit_debit)) = read else {
            return Err(Finding::new(Code::AmountUnreadable, path));
        };
        let read_status = status.as_deref().map_or(EntryStatus::Booked, EntryStatus::of);
        findings.extend(status_finding(status.as_deref(), kind, &path));
        if booking_date.is_none() && value_date.is_none() && kind == Kind::Statement {
            findings.push(Finding::new(Code::DateMissing, &path));
        }
        self.queue.extend(findings.into_iter().map(Item::Finding));
        self.queue.push_back(Item::Entry(Box::new(Entry {
            number,
            reference: element.text_at(&["NtryRef"]),
            amount,
            credit_debit,
            reversal: element.text_at(&["RvslInd"]).is_some_and(truth),
            status: read_status,
            booking_date,
            value_date,
            servicer_reference: element.text_at(&["AcctSvcrRef"]),
            bank_transaction_code: element::bank_transaction_code(&element),
            instructed_amount,
            exchange: element::exchange(&element),
            charges,
            batches,
            details_count,
            details,
            additional_information: element.text_at(&["AddtlNtryInf"]),
        })));
        Ok(())
    }

    /// Reads with a place for findings, and keeps them.
    fn placed<T>(&mut self, at: &str, read: impl FnOnce(&mut Place<'_>) -> T) -> T {
        let mut findings = Vec::new();
        let value = read(&mut Place { at, findings: &mut findings });
        self.queue.extend(findings.into_iter().map(Item::Finding));
        value
    }

    /// Departures from the XSD, where it is kept here.
    fn check(&mut self, element: &Element, type_name: &str, at: &str) {
        if self.checked {
            for found in shape::check_part(element, type_name, &[]) {
                let at = if found.path.is_empty() {
                    at.to_owned()
                } else {
                    format!("{at}/{}", found.path)
                };
                self.queue.push_back(Item::Finding(Finding::with(Code::Xsd, at, found.text)));
            }
        }
    }

    fn refused(&self, error: &xml::Error) -> Finding {
        let at = self.open.as_ref().map(|open| {
            open.entry.as_ref().map_or_else(|| open.path.clone(), |entry| entry.path.clone())
        });
        let code = match error {
            xml::Error::NotUtf8(_) | xml::Error::Encoding => Code::EncodingUnknown,
            xml::Error::DocumentType | xml::Error::Entity => Code::DocumentType,
            xml::Error::TooLarge(_)
            | xml::Error::TooDeep
            | xml::Error::TooManyElements
            | xml::Error::AttributesTooLong
            | xml::Error::PartTooLarge => Code::TooLarge,
            xml::Error::Unclosed | xml::Error::Broken(_) => Code::Truncated,
            // What was begun at the end of the file and not finished is a syntax error.
            xml::Error::Syntax { source: quick_xml::Error::Syntax(_), .. } => Code::Truncated,
            xml::Error::Syntax { source: quick_xml::Error::Encoding(_), .. } => {
                Code::EncodingUnknown
            }
            xml::Error::TextOutside | xml::Error::Empty if self.statements == 0 => {
                Code::NotAStatement
            }
            xml::Error::Syntax { .. }
            | xml::Error::TextOutside
            | xml::Error::Empty
            | xml::Error::Character => Code::Malformed,
        };
        Finding::with(code, at.unwrap_or_default(), error.to_string())
    }
}

impl Head {
    /// Takes an element of a statement; false if it is none of its.
    fn take(&mut self, element: &Element, place: &mut Place<'_>) -> bool {
        let text = || element.text_at(&[]);
        match element.name.as_str() {
            "Id" => self.id = text(),
            "StmtPgntn" | "RptPgntn" | "NtfctnPgntn" => {
                self.page = place.page(element).or(self.page);
            }
            "ElctrncSeqNb" => self.electronic_sequence = place.number(text(), "ElctrncSeqNb"),
            "LglSeqNb" => self.legal_sequence = place.number(text(), "LglSeqNb"),
            "CreDtTm" => self.created_at = text(),
            "FrToDt" => {
                self.from = element.text_at(&["FrDtTm"]).or_else(|| element.text_at(&["FrDt"]));
                self.to = element.text_at(&["ToDtTm"]).or_else(|| element.text_at(&["ToDt"]));
            }
            "CpyDplctInd" => self.copy_duplicate = text(),
            "Acct" => self.account = element::account(element),
            "AddtlStmtInf" | "AddtlRptInf" | "AddtlNtfctnInf" => {
                self.additional_information = text();
            }
            "RptgSeq" | "RptgSrc" | "RltdAcct" | "Intrst" => {}
            _ => return false,
        }
        true
    }
}

/// The sum with one more detail, in the direction of the entry; nothing if it says no amount of the
/// total's currency.
fn with(sum: Sum, detail: &Detail, batch: &Batch, own: Option<CreditDebit>) -> Option<Sum> {
    let amount = detail.amount.as_ref()?;
    let total = batch.total.as_ref();
    if total.is_some_and(|total| total.currency != amount.currency) {
        return None;
    }
    let against = detail.credit_debit.zip(own).is_some_and(|(side, own)| side != own);
    let side = if against { CreditDebit::Debit } else { CreditDebit::Credit };
    sum.plus(Sum::signed(amount.value, side))
}

/// A status that is missing, or that keeps the entry of a closed period out of its balance.
fn status_finding(status: Option<&str>, kind: Kind, path: &str) -> Option<Finding> {
    let at = || format!("{path}/Sts");
    match status {
        None => Some(Finding::new(Code::StatusMissing, at())),
        Some("BOOK") => None,
        Some("PDNG" | "INFO" | "FUTR") if kind != Kind::Statement => None,
        Some(_) => Some(Finding::new(Code::StatusUnexpected, at())),
    }
}
