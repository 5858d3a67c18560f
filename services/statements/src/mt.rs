//! Reads MT940 and MT942 (SWIFT category 9) as a stream of items, with or without the blocks of
//! FIN, several messages one after the other, in the memory of one entry. It must never guess money.
//!
//! Fields and their meaning are those of the SWIFT User Handbook, Category 9; they are read into the
//! elements of camt.053 that correspond to them.

mod details;
mod field;

use std::{collections::VecDeque, io::BufRead};

use services_iso20022::statement::{
    Balance, Code, Entry, Finding, Head, Item, Kind, Page, Summary, Total,
};

use crate::text::Lines;

/// The longest field read; field 86 has six lines of 65 characters.
const FIELD_BYTES_MAX: usize = 8 * 1024;

/// Whether a file that begins so is one of these messages.
#[must_use]
pub fn looks_like(prefix: &[u8]) -> bool {
    let start = prefix.trim_ascii_start();
    let start = start.strip_prefix(b"\x01").unwrap_or(start);
    if start.starts_with(b"{1:") || start.starts_with(b"{4:") {
        return true;
    }
    let mut lines = prefix.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.any(|line| line.starts_with(b":20:") || line.starts_with(b":25:"))
}

/// A field that is being put together.
#[derive(Debug, Default)]
struct Field {
    tag: String,
    value: String,
    line: u64,
}

/// Messages that are being read.
#[derive(Debug)]
pub struct Messages<R> {
    lines: Lines<R>,
    queue: VecDeque<Item>,
    field: Option<Field>,
    open: Option<Open>,
    /// What blocks 1 and 2 said of the next message.
    kind: Option<Kind>,
    servicer: Option<String>,
    /// Whether a block 4 is open, which `-}` closes.
    block: bool,
    format: Option<&'static str>,
    statements: u64,
    ended: bool,
}

/// A statement that is being read.
#[derive(Debug, Default)]
struct Open {
    head: Head,
    kind: Option<Kind>,
    told: bool,
    line: u64,
    currency: Option<String>,
    entries: u64,
    entry: Option<Entry>,
    /// Fields 90D and 90C.
    summary: Option<Summary>,
    closed: bool,
}

impl Open {
    fn kind(&self) -> Kind {
        self.kind.unwrap_or(Kind::Statement)
    }
}

impl<R: BufRead> Messages<R> {
    #[must_use]
    pub fn new(source: R) -> Self {
        Self {
            lines: Lines::new(source),
            queue: VecDeque::new(),
            field: None,
            open: None,
            kind: None,
            servicer: None,
            block: false,
            format: None,
            statements: 0,
            ended: false,
        }
    }

    /// MT940 or MT942, once it is known.
    #[must_use]
    pub fn format(&self) -> Option<&str> {
        self.format
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
            match self.lines.next()? {
                Some((number, line)) => self.line(number, &line)?,
                None => self.end()?,
            }
        }
    }

    fn end(&mut self) -> Result<(), Finding> {
        self.ended = true;
        if self.block {
            return Err(Finding::new(Code::Truncated, ""));
        }
        self.message_end()?;
        if self.statements == 0 { Err(Finding::new(Code::NotAStatement, "")) } else { Ok(()) }
    }

    fn line(&mut self, number: u64, line: &str) -> Result<(), Finding> {
        let line = line.trim_matches(['\u{1}', '\u{3}', '$']).trim_end();
        if let Some(rest) = line.strip_prefix("-}") {
            self.block = false;
            self.message_end()?;
            return self.blocks(number, rest);
        }
        if line == "-" {
            self.block = false;
            return self.message_end();
        }
        if !self.block && self.field.is_none() && line.starts_with('{') {
            return self.blocks(number, line);
        }
        if let Some((tag, value)) = field::start(line) {
            self.field_end()?;
            if tag == "20" && self.open.is_some() {
                self.message_end()?;
            }
            let (tag, value) = (tag.to_owned(), value.to_owned());
            self.field = Some(Field { tag, value, line: number });
            return Ok(());
        }
        if let Some(field) = self.field.as_mut() {
            field.value.push('\n');
            field.value.push_str(line);
            if field.value.len() > FIELD_BYTES_MAX {
                return Err(Finding::new(Code::TooLarge, place(field)));
            }
        } else if !line.is_empty() {
            self.find(Finding::new(Code::FieldUnknown, format!("line {number}")));
        }
        Ok(())
    }

    /// Blocks before a message: who sent it, and which it is.
    fn blocks(&mut self, number: u64, line: &str) -> Result<(), Finding> {
        let mut rest = line.trim_matches(['\u{1}', '\u{3}', '$']);
        while let Some(block) = rest.strip_prefix('{') {
            if let Some(text) = block.strip_prefix("4:") {
                self.block = true;
                return if text.is_empty() { Ok(()) } else { self.line(number, text) };
            }
            // Blocks 3 and 5 hold braces of their own.
            let Some(end) = closing(block) else { return Ok(()) };
            let (own, after) = (block.get(..end).unwrap_or_default(), block.get(end + 1..));
            self.header(own);
            rest = after.unwrap_or_default();
        }
        Ok(())
    }

    fn header(&mut self, block: &str) {
        let bic = |from: usize| block.get(from..from + 8).map(str::to_owned);
        match block.get(..2) {
            Some("1:") => self.servicer = bic(5),
            Some("2:") => {
                self.kind = match block.get(3..6) {
                    Some("940" | "950") => Some(Kind::Statement),
                    Some("941" | "942") => Some(Kind::Report),
                    _ => None,
                };
                // An output message names its sender here; of an input message block 1 does.
                if block.get(2..3) == Some("O") {
                    self.servicer = bic(16).or_else(|| self.servicer.take());
                }
            }
            _ => {}
        }
    }

    /// What a field said before the next one begins.
    fn field_end(&mut self) -> Result<(), Finding> {
        let Some(field) = self.field.take() else { return Ok(()) };
        if self.open.is_none() {
            self.statements += 1;
            let head = Head { number: self.statements, ..Head::default() };
            let (kind, line) = (self.kind.take(), field.line);
            self.open = Some(Open { head, kind, line, ..Open::default() });
            if let Some(open) = self.open.as_mut() {
                open.head.account.servicer = self.servicer.take();
            }
        }
        if !matches!(field.tag.as_str(), "86") {
            self.entry_end();
        }
        self.read(&field)
    }

    fn read(&mut self, field: &Field) -> Result<(), Finding> {
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        let value = field.value.trim();
        let some = || (!value.is_empty()).then(|| value.to_owned());
        match field.tag.as_str() {
            "20" => open.head.id = some(),
            "25" | "25P" => {
                let account = value.lines().next().unwrap_or_default().trim();
                open.head.account.id = (!account.is_empty()).then(|| account.to_owned());
            }
            "28C" | "28" => self.sequence(field),
            "60F" | "60M" | "62F" | "62M" | "64" | "65" => self.balance(field)?,
            "34F" | "13D" => {
                open.kind = open.kind.or(Some(Kind::Report));
                if field.tag == "13D" {
                    open.head.created_at = field::date_time(value);
                } else if open.currency.is_none() {
                    open.currency = field::floor_currency(value);
                    open.head.account.currency.clone_from(&open.currency);
                }
            }
            "61" => self.entry(field)?,
            "86" => self.information(field),
            "90D" | "90C" => self.total(field),
            "21" => {}
            _ => self.find(Finding::new(Code::FieldUnknown, place(field))),
        }
        Ok(())
    }

    fn sequence(&mut self, field: &Field) {
        let value = field.value.trim();
        let (number, page) = value.split_once('/').map_or((value, None), |(n, p)| (n, Some(p)));
        let number = number.parse().ok();
        let page = page.map(|page| page.parse().map(|number| Page { number, last: true }));
        let wrong = number.is_none() || matches!(page, Some(Err(_)));
        if let Some(open) = self.open.as_mut() {
            open.head.electronic_sequence = number;
            open.head.page = page.and_then(Result::ok);
        }
        if wrong {
            self.find(Finding::new(Code::FieldMalformed, place(field)));
        }
    }

    fn balance(&mut self, field: &Field) -> Result<(), Finding> {
        let read = field::balance(field.value.trim());
        let booked = field.tag.starts_with('6') && !matches!(field.tag.as_str(), "64" | "65");
        let Some(read) = read else {
            let code = if booked { Code::AmountUnreadable } else { Code::BalanceUnreadable };
            let finding = Finding::new(code, place(field));
            if booked {
                return Err(finding);
            }
            self.find(finding);
            return Ok(());
        };
        let (kind, page) = match field.tag.as_str() {
            "60F" => ("OPBD", false),
            "60M" => ("OPBD", true),
            "62F" => ("CLBD", false),
            "62M" => ("CLBD", true),
            "64" => ("CLAV", false),
            _ => ("FWAV", false),
        };
        let opening = kind == "OPBD";
        if let Some(open) = self.open.as_mut() {
            if opening {
                open.kind = open.kind.or(Some(Kind::Statement));
                open.currency = Some(read.amount.currency.clone());
                open.head.account.currency.clone_from(&open.currency);
            } else if kind == "CLBD" {
                open.closed = true;
                // Only the last page has the final closing balance.
                open.head.page = open.head.page.map(|own| Page { number: own.number, last: !page });
            }
        }
        self.tell();
        self.money(&read.amount, read.lenient, field);
        if read.date.is_none() {
            self.find(Finding::new(Code::DateUnreadable, place(field)));
        }
        self.queue.push_back(Item::Balance(Balance {
            kind: kind.to_owned(),
            sub_kind: page.then(|| "INTM".to_owned()),
            amount: read.amount,
            credit_debit: read.side,
            date: read.date,
        }));
        Ok(())
    }

    fn entry(&mut self, field: &Field) -> Result<(), Finding> {
        self.tell();
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        let currency = open.currency.clone();
        let read = currency.and_then(|currency| field::entry(&field.value, &currency));
        let Some(mut read) = read else {
            return Err(Finding::new(Code::AmountUnreadable, place(field)));
        };
        open.entries += 1;
        read.entry.number = open.entries;
        let amount = read.entry.amount.clone();
        let dated = read.entry.value_date.is_some();
        open.entry = Some(read.entry);
        self.money(&amount, read.lenient, field);
        if !dated {
            self.find(Finding::new(Code::DateUnreadable, place(field)));
        }
        Ok(())
    }

    /// Field 86 belongs to the entry before it, or to the whole once no entry is open.
    fn information(&mut self, field: &Field) {
        let Some(open) = self.open.as_mut() else { return };
        match open.entry.as_mut() {
            Some(entry) => details::read(entry, &field.value),
            None => {
                let text = field.value.replace('\n', " ");
                open.head.additional_information = Some(text.trim().to_owned());
            }
        }
        self.entry_end();
    }

    fn total(&mut self, field: &Field) {
        self.tell();
        let Some(read) = field::total(field.value.trim()) else {
            self.find(Finding::new(Code::FieldMalformed, place(field)));
            return;
        };
        let Some(open) = self.open.as_mut() else { return };
        let summary = open.summary.get_or_insert_with(Summary::default);
        let total = Total { number: Some(read.0), sum: Some(read.1) };
        match field.tag.as_str() {
            "90D" => summary.debits = total,
            _ => summary.credits = total,
        }
    }

    fn entry_end(&mut self) {
        if let Some(entry) = self.open.as_mut().and_then(|open| open.entry.take()) {
            self.queue.push_back(Item::Entry(Box::new(entry)));
        }
    }

    fn message_end(&mut self) -> Result<(), Finding> {
        self.field_end()?;
        self.entry_end();
        self.tell();
        let Some(open) = self.open.take() else { return Ok(()) };
        let at = format!("line {}", open.line);
        if open.head.account.id.is_none() {
            return Err(Finding::new(Code::AccountMissing, at));
        }
        if open.kind() == Kind::Statement && !open.closed {
            return Err(Finding::new(Code::Truncated, at));
        }
        self.queue.extend(open.summary.map(Item::Summary));
        self.queue.push_back(Item::Closed(Box::new(open.head)));
        Ok(())
    }

    /// The head, before the first thing that hangs on it.
    fn tell(&mut self) {
        let Some(open) = self.open.as_mut().filter(|open| !open.told) else { return };
        open.told = true;
        open.head.kind = open.kind();
        let format = if open.head.kind == Kind::Report { "MT942" } else { "MT940" };
        format.clone_into(&mut open.head.format);
        self.format = Some(format);
        self.queue.push_back(Item::Opened(Box::new(open.head.clone())));
    }

    /// What may be wrong with an amount that was read.
    fn money(
        &mut self,
        amount: &services_iso20022::statement::Money,
        lenient: bool,
        field: &Field,
    ) {
        if lenient {
            self.find(Finding::new(Code::FieldMalformed, place(field)));
        }
        if !services_iso20022::statement::money::listed(&amount.currency) {
            self.find(Finding::new(Code::CurrencyUnknown, place(field)));
        } else if amount.too_fine() {
            self.find(Finding::new(Code::AmountDecimals, place(field)));
        }
    }

    fn find(&mut self, finding: Finding) {
        self.queue.push_back(Item::Finding(finding));
    }
}

fn place(field: &Field) -> String {
    format!("line {} :{}:", field.line, field.tag)
}

/// Where the block ends that these characters are within.
fn closing(block: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in block.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
