//! The column map: how one servicer writes its CSV, as a value that can be saved. It must never hold
//! anything of a statement but what is the same in all of them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use services_iso20022::statement::{Code, CreditDebit, EntryStatus, Finding, Kind};

/// How a CSV file is written and which column is what. Every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnMap {
    /// For people.
    pub name: String,
    /// What the files are: statement, report or notification.
    pub kind: MapKind,
    pub encoding: Encoding,
    /// One ASCII character between columns.
    pub delimiter: char,
    /// One ASCII character around a cell that holds the delimiter.
    pub quote: char,
    /// Lines before the headings.
    pub skip_lines: u32,
    /// Whether the first row names the columns.
    pub headings: bool,
    pub decimal_mark: char,
    /// Between groups of digits; none by default.
    pub thousands_mark: Option<char>,
    /// Of `YYYY` or `YY`, `MM` or `MMM`, `DD`, and any other characters.
    pub date_format: String,
    /// Whether the last movement comes first.
    pub newest_first: bool,
    pub columns: Columns,
    pub words: Words,
}

impl Default for ColumnMap {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: MapKind::Statement,
            encoding: Encoding::Utf8,
            delimiter: ',',
            quote: '"',
            skip_lines: 0,
            headings: true,
            decimal_mark: '.',
            thousands_mark: None,
            date_format: "YYYY-MM-DD".to_owned(),
            newest_first: false,
            columns: Columns::named(),
            words: Words::default(),
        }
    }
}

/// What the files of a map are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapKind {
    Report,
    Statement,
    Notification,
}

impl From<MapKind> for Kind {
    fn from(kind: MapKind) -> Self {
        match kind {
            MapKind::Report => Self::Report,
            MapKind::Statement => Self::Statement,
            MapKind::Notification => Self::Notification,
        }
    }
}

/// How text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "windows-1252")]
    Windows1252,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Column {
    /// A column by its heading, whatever its case.
    Heading(String),
    /// A column by its place, from 1.
    Place(usize),
    /// The same in every row.
    Value { value: String },
}

/// The words of a servicer's own columns, whatever their case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Words {
    pub credit: Vec<String>,
    pub debit: Vec<String>,
    pub booked: Vec<String>,
    pub pending: Vec<String>,
}

impl Default for Words {
    fn default() -> Self {
        let words = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Self {
            credit: words(&["CRDT", "CREDIT", "CR", "C", "+"]),
            debit: words(&["DBIT", "DEBIT", "DR", "D", "-"]),
            booked: words(&["BOOK", "BOOKED", "POSTED"]),
            pending: words(&["PDNG", "PENDING"]),
        }
    }
}

impl Words {
    pub(super) fn side(&self, word: &str) -> Option<CreditDebit> {
        let among = |words: &[String]| words.iter().any(|own| own.eq_ignore_ascii_case(word));
        match (among(&self.credit), among(&self.debit)) {
            (true, false) => Some(CreditDebit::Credit),
            (false, true) => Some(CreditDebit::Debit),
            _ => None,
        }
    }

    pub(super) fn status(&self, word: &str) -> EntryStatus {
        let among = |words: &[String]| words.iter().any(|own| own.eq_ignore_ascii_case(word));
        if among(&self.booked) {
            EntryStatus::Booked
        } else if among(&self.pending) {
            EntryStatus::Pending
        } else {
            EntryStatus::Other(word.to_owned())
        }
    }
}

/// Defines the columns once, with their names.
macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Which column is what. Needed are `account`, `currency`, a date, and `amount` (signed, or with
        /// `credit_debit`) or `credit` and `debit`.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Columns {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<Column>,)*
        }

        impl Columns {
            /// Each column by its own name.
            fn named() -> Self {
                Self { $($name: Some(Column::Heading(stringify!($name).to_owned())),)* }
            }

            fn all(&self) -> Vec<(&'static str, Option<&Column>)> {
                vec![$((stringify!($name), self.$name.as_ref()),)*]
            }
        }
    };
}

columns! {
    /// The account's number.
    account,
    /// ISO 4217.
    currency,
    /// The statement's id.
    id,
    /// The statement's number.
    sequence,
    /// Signed, or unsigned beside `credit_debit`.
    amount,
    /// One of the words for credit and debit.
    credit_debit,
    /// The amount of a credit.
    credit,
    /// The amount of a debit.
    debit,
    booking_date,
    value_date,
    /// One of the words for booked and pending; absent: booked.
    status,
    /// The balance after the row, signed.
    balance,
    /// The period's opening balance, signed, in the first row.
    opening_balance,
    /// The period's closing balance, signed, in the last row.
    closing_balance,
    charges,
    /// The row's own reference (`NtryRef`).
    reference,
    /// `AcctSvcrRef`.
    servicer_reference,
    transaction_code,
    message_id,
    instruction_id,
    end_to_end_id,
    transaction_id,
    uetr,
    clearing_system_reference,
    debtor,
    debtor_account,
    creditor,
    creditor_account,
    /// The debtor of a credit, the creditor of a debit.
    counterparty,
    counterparty_account,
    purpose,
    remittance_information,
    additional_information,
}

/// Columns found in one file.
#[derive(Debug, Default)]
pub(super) struct Cells {
    found: HashMap<&'static str, Cell>,
}

#[derive(Debug)]
enum Cell {
    At(usize),
    Value(String),
}

impl Cells {
    pub(super) fn has(&self, name: &str) -> bool {
        self.found.contains_key(name)
    }

    /// The text of a row's cell; nothing if it is empty.
    pub(super) fn get(&self, record: &[String], name: &str) -> Option<String> {
        let text = match self.found.get(name)? {
            Cell::At(at) => record.get(*at)?,
            Cell::Value(value) => value,
        };
        (!text.is_empty()).then(|| text.clone())
    }

    /// The last column that a row must have.
    pub(super) fn needs(&self) -> Option<usize> {
        let needed = ["account", "currency", "amount", "credit_debit"].iter();
        needed
            .filter_map(|name| match self.found.get(name) {
                Some(Cell::At(at)) => Some(*at),
                Some(Cell::Value(_)) | None => None,
            })
            .max()
    }
}

impl ColumnMap {
    /// What the map contradicts itself in; nothing if it can be used.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let columns = &self.columns;
        let signed = columns.amount.is_some();
        let sides = columns.credit.is_some() && columns.debit.is_some();
        // The default map lists every column, of which a file has some.
        let own = *columns != Columns::named();
        let marks = [Some(self.decimal_mark), self.thousands_mark];
        let tokens = |tokens: &[&str]| tokens.iter().any(|own| self.date_format.contains(own));
        let dated = tokens(&["YY"]) && tokens(&["MM"]) && tokens(&["DD"]);
        let places = columns.all().into_iter().filter_map(|(name, column)| match column {
            Some(Column::Place(0)) => Some((name, "places count from 1")),
            Some(Column::Heading(_)) if !self.headings => {
                Some((name, "a file without headings needs places"))
            }
            Some(_) | None => None,
        });
        let rules = [
            (!self.delimiter.is_ascii() || !self.quote.is_ascii(), "delimiter", "must be ASCII"),
            (self.delimiter == self.quote, "delimiter", "is the quote too"),
            (
                self.thousands_mark == Some(self.decimal_mark),
                "thousands_mark",
                "is the decimal mark",
            ),
            (marks.iter().flatten().any(char::is_ascii_digit), "decimal_mark", "is a digit"),
            (!dated, "date_format", "must hold YYYY or YY, MM or MMM, and DD"),
            (columns.account.is_none(), "columns.account", "is needed"),
            (columns.currency.is_none(), "columns.currency", "is needed"),
            (!signed && !sides, "columns.amount", "is needed, or credit and debit"),
            (
                own && signed && (columns.credit.is_some() || columns.debit.is_some()),
                "columns.amount",
                "excludes credit and debit",
            ),
            (
                own && sides && columns.credit_debit.is_some(),
                "columns.credit_debit",
                "needs amount",
            ),
            (
                columns.booking_date.is_none() && columns.value_date.is_none(),
                "columns.booking_date",
                "is needed, or value_date",
            ),
        ];
        let broken = rules.into_iter().filter(|(broken, _, _)| *broken);
        let mut findings: Vec<Finding> = broken
            .map(|(_, at, text)| Finding::with(Code::MapInvalid, at, format!("{at} {text}")))
            .collect();
        findings.extend(
            places.map(|(name, text)| {
                Finding::with(Code::MapInvalid, format!("columns.{name}"), text)
            }),
        );
        findings
    }

    /// Finds the columns under the headings of a file. What is needed and not there refuses; what else
    /// is not there is a finding.
    pub(super) fn cells(&self, headings: &[String]) -> Result<(Cells, Vec<Finding>), Finding> {
        let by_default = self.columns == Columns::named();
        let (mut cells, mut missing) = (Cells::default(), Vec::new());
        for (name, column) in self.columns.all() {
            let cell = match column {
                None => continue,
                Some(Column::Value { value }) => Some(Cell::Value(value.clone())),
                Some(Column::Place(place)) => place.checked_sub(1).map(Cell::At),
                Some(Column::Heading(heading)) => {
                    let wanted = heading.trim().to_lowercase();
                    let at = headings.iter().position(|own| own.trim().to_lowercase() == wanted);
                    at.map(Cell::At)
                }
            };
            match cell {
                Some(cell) => {
                    cells.found.insert(name, cell);
                }
                None => missing.push(name),
            }
        }
        let dated = cells.has("booking_date") || cells.has("value_date");
        let moved = cells.has("amount") || cells.has("credit") && cells.has("debit");
        let needed = |name: &&&str| match **name {
            "account" | "currency" => true,
            "booking_date" => !dated,
            "amount" => !moved,
            // Without its column amounts of an own map would lose their direction.
            "credit_debit" | "credit" | "debit" => !by_default,
            _ => false,
        };
        let absent: Vec<&str> = missing.iter().filter(needed).copied().collect();
        if !absent.is_empty() {
            let text =
                format!("{} not found: {}", absent.join(", "), Code::MapColumnMissing.meaning());
            return Err(Finding::with(Code::MapColumnMissing, "row 1", text));
        }
        let others = missing.iter().filter(|_| !by_default);
        let findings = others.map(|name| {
            let text = format!("{name}: the map's column is not in the file");
            Finding::with(Code::FieldUnknown, "row 1", text)
        });
        Ok((cells, findings.collect()))
    }
}
