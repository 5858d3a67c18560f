//! Reads a servicer's own CSV under a column map as a stream of items, in the memory of one row. It
//! must never guess what a column means or how a number is written: the map says it.

pub mod map;
mod value;

use std::{
    collections::VecDeque,
    io::{self, BufRead, Read},
};

use services_iso20022::statement::{
    Balance, BankTransactionCode, Charges, Code, CreditDebit, Detail, Entry, EntryStatus, Finding,
    Head, Item, Money, Parties, References, Sum,
};

use map::Cells;
pub use map::{Column, ColumnMap, Columns, Encoding, Words};

/// The most bytes of one row, and of the lines before the headings.
const ROW_BYTES_MAX: u64 = 256 * 1024;

/// Rows that are being read.
#[derive(Debug)]
pub struct Rows<R> {
    reader: csv::Reader<Bounded<R>>,
    map: ColumnMap,
    cells: Cells,
    row: u64,
    queue: VecDeque<Item>,
    open: Option<Open>,
    statements: u64,
    ended: bool,
}

/// A statement that is being read.
#[derive(Debug)]
struct Open {
    head: Head,
    entries: u64,
    /// The first and the last row that stated a balance: it, the row's amount and its date.
    first: Option<Running>,
    last: Option<Running>,
    opening: Option<Sum>,
    closing: Option<Sum>,
}

#[derive(Debug, Clone)]
struct Running {
    balance: Sum,
    amount: Sum,
    date: Option<String>,
}

impl<R: BufRead> Rows<R> {
    /// Reads up to the headings.
    ///
    /// # Errors
    /// MAP_INVALID, MAP_COLUMN_MISSING, or what keeps the headings from being read.
    pub fn open(mut source: R, map: &ColumnMap) -> Result<Self, Finding> {
        if let Some(finding) = map.check().into_iter().next() {
            return Err(finding);
        }
        for _ in 0..map.skip_lines {
            let mut line = Vec::new();
            let mut bounded = Read::by_ref(&mut source).take(ROW_BYTES_MAX);
            let read = bounded.read_until(b'\n', &mut line);
            read.map_err(|error| Finding::with(Code::Truncated, "", error.to_string()))?;
        }
        let (delimiter, quote) = (byte(map.delimiter), byte(map.quote));
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter.unwrap_or(b','))
            .quote(quote.unwrap_or(b'"'))
            .has_headers(false)
            .flexible(true)
            .from_reader(Bounded { source, taken: 0 });
        let mut rows = Self {
            reader,
            map: map.clone(),
            cells: Cells::default(),
            row: 0,
            queue: VecDeque::new(),
            open: None,
            statements: 0,
            ended: false,
        };
        let headings = if map.headings { rows.record()?.unwrap_or_default() } else { Vec::new() };
        let (cells, findings) = map.cells(&headings)?;
        rows.cells = cells;
        rows.queue.extend(findings.into_iter().map(Item::Finding));
        Ok(rows)
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
            match self.record()? {
                Some(record) => self.take(&record)?,
                None => {
                    self.ended = true;
                    self.close()?;
                    if self.statements == 0 {
                        return Err(Finding::new(Code::AccountMissing, "no row"));
                    }
                }
            }
        }
    }

    /// The next row as text.
    fn record(&mut self) -> Result<Option<Vec<String>>, Finding> {
        self.reader.get_mut().taken = 0;
        let mut record = csv::ByteRecord::new();
        self.row += 1;
        let at = format!("row {}", self.row);
        match self.reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(_) if self.reader.get_ref().taken > ROW_BYTES_MAX => {
                return Err(Finding::new(Code::TooLarge, at));
            }
            Err(error) => {
                let code = if error.is_io_error() { Code::Truncated } else { Code::Malformed };
                return Err(Finding::with(code, at, error.to_string()));
            }
        }
        let mut fields = Vec::with_capacity(record.len());
        for field in &record {
            let text = match self.map.encoding {
                Encoding::Windows1252 => crate::text::windows_1252(field),
                Encoding::Utf8 => match std::str::from_utf8(field) {
                    Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
                    Err(_) => return Err(Finding::new(Code::EncodingUnknown, at)),
                },
            };
            fields.push(text.trim().to_owned());
        }
        Ok(Some(fields))
    }

    fn take(&mut self, record: &[String]) -> Result<(), Finding> {
        if record.iter().all(String::is_empty) {
            return Ok(());
        }
        if let Some(needed) = self.cells.needs().filter(|needed| *needed >= record.len()) {
            let text = format!("the row has {} columns, {} are needed", record.len(), needed + 1);
            return Err(Finding::with(Code::Truncated, format!("row {}", self.row), text));
        }
        let text = |name| self.cells.get(record, name);
        let undated = text("booking_date").is_none() && text("value_date").is_none();
        if undated && text("amount").or(text("credit")).or(text("debit")).is_none() {
            let at = format!("row {}", self.row);
            self.queue.push_back(Item::Finding(Finding::new(Code::FieldUnknown, at)));
            return Ok(());
        }
        let Some(account) = text("account") else {
            return Err(Finding::new(Code::AccountMissing, self.place("account")));
        };
        let other = self.open.as_ref().is_none_or(|open| open.head.account.id != Some(account));
        if other {
            self.close()?;
            self.begin(record);
        }
        let entry = self.entry(record)?;
        self.balances(record, &entry)?;
        self.queue.push_back(Item::Entry(Box::new(entry)));
        Ok(())
    }

    fn begin(&mut self, record: &[String]) {
        let text = |name| self.cells.get(record, name);
        self.statements += 1;
        let mut head = Head {
            kind: self.map.kind.into(),
            format: "CSV".to_owned(),
            number: self.statements,
            id: text("id"),
            electronic_sequence: text("sequence").and_then(|number| number.parse().ok()),
            ..Head::default()
        };
        head.account.id = text("account");
        head.account.currency = text("currency");
        self.queue.push_back(Item::Opened(Box::new(head.clone())));
        self.open =
            Some(Open { head, entries: 0, first: None, last: None, opening: None, closing: None });
    }

    fn entry(&mut self, record: &[String]) -> Result<Entry, Finding> {
        let text = |name| self.cells.get(record, name);
        let currency = text("currency").unwrap_or_default();
        let money = value::money(&self.map, &self.cells, record);
        let three = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        let Some((value, credit_debit)) = money.filter(|_| three) else {
            return Err(Finding::new(Code::AmountUnreadable, self.place("amount")));
        };
        let amount = Money { currency, value };
        let status = text("status");
        let status = status.map_or(EntryStatus::Booked, |word| self.map.words.status(&word));
        let charges = text("charges").and_then(|text| value::decimal(&self.map, &text));
        let charges = charges.map(|(_, value)| Money { currency: amount.currency.clone(), value });
        let detail = self.detail(record, credit_debit);
        let (reference, servicer_reference, code, additional) = (
            text("reference"),
            text("servicer_reference"),
            text("transaction_code"),
            text("additional_information"),
        );
        let number = self.open.as_mut().map_or(1, |open| {
            open.entries += 1;
            open.entries
        });
        self.judge_money(&amount);
        if !matches!(status, EntryStatus::Booked | EntryStatus::Pending) {
            self.find(Code::StatusUnexpected, "status");
        }
        let booking_date = self.date(record, "booking_date");
        let value_date = self.date(record, "value_date");
        if booking_date.is_none() && value_date.is_none() {
            self.find(Code::DateMissing, "booking_date");
        }
        Ok(Entry {
            number,
            reference,
            amount,
            credit_debit,
            reversal: false,
            status,
            booking_date,
            value_date,
            servicer_reference,
            bank_transaction_code: BankTransactionCode {
                proprietary: code,
                ..BankTransactionCode::default()
            },
            instructed_amount: None,
            exchange: None,
            charges: Charges { total: charges, records: Vec::new() },
            batches: Vec::new(),
            details_count: 1,
            details: vec![detail],
            additional_information: additional,
        })
    }

    /// References and parties; a counterparty is the other side of the entry's direction.
    fn detail(&self, record: &[String], credit_debit: CreditDebit) -> Detail {
        let text = |name| self.cells.get(record, name);
        let references = References {
            message_id: text("message_id"),
            instruction_id: text("instruction_id"),
            end_to_end_id: text("end_to_end_id"),
            uetr: text("uetr").map(|uetr| uetr.to_ascii_lowercase()),
            transaction_id: text("transaction_id"),
            clearing_system_reference: text("clearing_system_reference"),
            ..References::default()
        };
        let mut parties = Parties {
            debtor: text("debtor"),
            debtor_account: text("debtor_account"),
            creditor: text("creditor"),
            creditor_account: text("creditor_account"),
            ..Parties::default()
        };
        let (name, account) = (text("counterparty"), text("counterparty_account"));
        match credit_debit {
            CreditDebit::Credit => {
                parties.debtor = parties.debtor.or(name);
                parties.debtor_account = parties.debtor_account.or(account);
            }
            CreditDebit::Debit => {
                parties.creditor = parties.creditor.or(name);
                parties.creditor_account = parties.creditor_account.or(account);
            }
        }
        Detail {
            references,
            parties,
            purpose: text("purpose"),
            remittance_information: text("remittance_information").into_iter().collect(),
            ..Detail::default()
        }
    }

    fn judge_money(&mut self, amount: &Money) {
        if !services_iso20022::statement::money::listed(&amount.currency) {
            self.find(Code::CurrencyUnknown, "currency");
        } else if amount.too_fine() {
            self.find(Code::AmountDecimals, "amount");
        }
    }

    fn date(&mut self, record: &[String], name: &'static str) -> Option<String> {
        let text = self.cells.get(record, name)?;
        let date = value::date(&self.map.date_format, &text);
        if date.is_none() {
            self.find(Code::DateUnreadable, name);
        }
        date
    }

    /// The row's own balance against the former row's, and what the period begins and ends with.
    fn balances(&mut self, record: &[String], entry: &Entry) -> Result<(), Finding> {
        let read = |name: &str| -> Result<Option<Sum>, Finding> {
            let Some(text) = self.cells.get(record, name) else { return Ok(None) };
            let Some((side, value)) = value::decimal(&self.map, &text) else {
                return Err(Finding::new(Code::AmountUnreadable, self.place(name)));
            };
            Ok(Some(Sum::signed(value, side)))
        };
        let (balance, opening) = (read("balance")?, read("opening_balance")?);
        let closing = read("closing_balance")?;
        let newest_first = self.map.newest_first;
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        open.opening = open.opening.or(opening);
        open.closing = closing.or(open.closing);
        let Some(balance) = balance.filter(|_| entry.status == EntryStatus::Booked) else {
            return Ok(());
        };
        let date = entry.booking_date.clone().or_else(|| entry.value_date.clone());
        let running = Running { balance, amount: entry.signed(), date };
        let fits = open.last.as_ref().is_none_or(|last| {
            if newest_first {
                last.balance.minus(last.amount) == Some(balance)
            } else {
                last.balance.plus(running.amount) == Some(balance)
            }
        });
        open.first.get_or_insert_with(|| running.clone());
        open.last = Some(running);
        if !fits {
            self.find(Code::RunningBalanceDiffers, "balance");
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Finding> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let (oldest, newest) =
            if self.map.newest_first { (open.last, open.first) } else { (open.first, open.last) };
        let before = oldest.as_ref().and_then(|row| row.balance.minus(row.amount));
        let rows = [
            ("OPBD", open.opening.or(before), oldest.and_then(|row| row.date)),
            (
                "CLBD",
                open.closing.or(newest.as_ref().map(|row| row.balance)),
                newest.and_then(|row| row.date),
            ),
        ];
        let currency = open.head.account.currency.clone().unwrap_or_default();
        for (kind, sum, date) in rows {
            let Some(sum) = sum else { continue };
            let Some((amount, credit_debit)) = sum.money(&currency) else {
                return Err(Finding::new(Code::SumTooLarge, format!("row {}", self.row)));
            };
            let kind = kind.to_owned();
            let balance = Balance { kind, sub_kind: None, amount, credit_debit, date };
            self.queue.push_back(Item::Balance(balance));
        }
        self.queue.push_back(Item::Closed(Box::new(open.head)));
        Ok(())
    }

    fn place(&self, name: &str) -> String {
        format!("row {}, {name}", self.row)
    }

    fn find(&mut self, code: Code, name: &str) {
        let finding = Finding::new(code, self.place(name));
        self.queue.push_back(Item::Finding(finding));
    }
}

fn byte(character: char) -> Option<u8> {
    u8::try_from(character).ok().filter(u8::is_ascii)
}

/// A source that ends with an error when one row takes too much of it.
#[derive(Debug)]
struct Bounded<R> {
    source: R,
    taken: u64,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken > ROW_BYTES_MAX {
            return Err(io::Error::other("a row is too large"));
        }
        let read = self.source.read(into)?;
        self.taken = self.taken.saturating_add(read as u64);
        Ok(read)
    }
}
