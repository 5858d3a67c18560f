//! What can be wrong with a statement, by codes that stay: each with its severity, its meaning and
//! what to do. It must never hold a value that names a person.

use std::fmt;

/// What comes of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The statement is read; somebody should look.
    Warn,
    /// There is no honest reading: nothing of the file is taken.
    Refuse,
}

impl Severity {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    /// A path such as `Stmt[1]/Ntry[3]/Amt`, a line and field, or a row and column.
    pub at: String,
    /// What differs here; the code's meaning when nothing more is known.
    pub text: String,
}

impl Finding {
    /// A finding that says no more than its code.
    #[must_use]
    pub fn new(code: Code, at: impl Into<String>) -> Self {
        Self { code, at: at.into(), text: code.meaning().to_owned() }
    }

    /// A finding with words of its own.
    #[must_use]
    pub fn with(code: Code, at: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code, at: at.into(), text: text.into() }
    }

    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() { "file" } else { &self.at };
        write!(out, "{} {at}: {}", self.code.as_str(), self.text)
    }
}

/// Defines the codes once: name, text, severity, meaning.
macro_rules! codes {
    ($($name:ident $text:literal $severity:ident $meaning:literal;)*) => {
        /// The code of a finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $meaning] $name,)* }

        impl Code {
            /// Every code: those that refuse first, then in the order of reading.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it is written in JSON and in docs/statements.md.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What is wrong and what to do.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    NotAStatement "NOT_A_STATEMENT" Refuse "no camt.052, camt.053, camt.054, MT940, MT942 or mapped CSV: send one of them";
    Truncated "TRUNCATED" Refuse "the file breaks off: ask for it again";
    EncodingUnknown "ENCODING_UNKNOWN" Refuse "the text is in an encoding that is not read: send UTF-8";
    DocumentType "DOCUMENT_TYPE" Refuse "the XML declares a document type or uses an entity of its own: neither is expanded; ask for plain XML";
    Malformed "MALFORMED" Refuse "the file breaks the rules of XML or CSV: ask for it again";
    TooLarge "TOO_LARGE" Refuse "one part of the file, or the number of statements, exceeds what is read: ask for smaller files";
    AccountMissing "ACCOUNT_MISSING" Refuse "no account is named: a statement belongs to one";
    AmountUnreadable "AMOUNT_UNREADABLE" Refuse "an entry's or booked balance's amount, currency or direction can't be read: nothing is guessed about money";
    CurrencyDiffers "CURRENCY_DIFFERS" Refuse "an entry is in another currency than its account: ask which is right";
    SumTooLarge "SUM_TOO_LARGE" Refuse "the entries sum up to more than 128 bits hold: no account has that";
    DuplicateFile "DUPLICATE_FILE" Refuse "the same bytes were taken before: nothing to do";
    DuplicateStatement "DUPLICATE_STATEMENT" Refuse "this account's statement of this id and sequence number was taken before: ask whether it is a correction";
    DuplicateContent "DUPLICATE_CONTENT" Refuse "the same account, balances and entries were taken before under another id: nothing to do";
    MapInvalid "MAP_INVALID" Refuse "the column map contradicts itself: correct it";
    MapColumnMissing "MAP_COLUMN_MISSING" Refuse "the file lacks a column that its map needs: choose the file's own map, or correct it";
    Version "VERSION" Warn "the version of the message is none that was tested: it is read by its element names";
    HeaderDiffers "HEADER_DIFFERS" Warn "the application header names another message than the document is: the document is read";
    Xsd "XSD" Warn "the message departs from its XSD: the servicer should correct it";
    ElementOutOfOrder "ELEMENT_OUT_OF_ORDER" Warn "something stands where it should not: it is read where it stands";
    FieldMalformed "FIELD_MALFORMED" Warn "a field is not written as it should be: what could be read is taken";
    FieldUnknown "FIELD_UNKNOWN" Warn "a field or column is unknown or not used: it is left out";
    IdMissing "ID_MISSING" Warn "the statement has no id: a second copy may not be noticed";
    CopyDuplicate "COPY_DUPLICATE" Warn "the servicer marks it as copy or duplicate: see whether the original was taken";
    CurrencyUnknown "CURRENCY_UNKNOWN" Warn "the currency is none of ISO 4217 list one: a historic or wrong code";
    AmountDecimals "AMOUNT_DECIMALS" Warn "the amount has more decimals than its currency (ISO 4217): it is read exactly, and can't be booked";
    DateUnreadable "DATE_UNREADABLE" Warn "a date can't be read: it is left out";
    DateMissing "DATE_MISSING" Warn "the entry has neither booking date nor value date: it can't be matched by date";
    StatusMissing "STATUS_MISSING" Warn "the entry has no status: it is read as booked";
    StatusUnexpected "STATUS_UNEXPECTED" Warn "the entry is not booked, or its status is unknown: it is left out of the balance";
    BalanceUnreadable "BALANCE_UNREADABLE" Warn "a balance that is not booked can't be read: it is left out";
    BalanceCurrency "BALANCE_CURRENCY" Warn "a balance is in another currency than its account: it ties with nothing";
    BalanceRepeated "BALANCE_REPEATED" Warn "the same balance is stated twice with different amounts: the first is taken";
    OpeningMissing "OPENING_MISSING" Warn "no opening booked balance (OPBD, PRCD, 60F): the arithmetic can't be judged";
    ClosingMissing "CLOSING_MISSING" Warn "no closing booked balance (CLBD, 62F): the arithmetic can't be judged";
    OpeningDiffers "OPENING_DIFFERS" Warn "the opening balance is not the previously closed one (OPBD, PRCD)";
    BalanceDiffers "BALANCE_DIFFERS" Warn "opening balance plus booked entries is not the closing balance: an entry is missing, doubled or wrong";
    RunningBalanceDiffers "RUNNING_BALANCE_DIFFERS" Warn "a row's balance is not the former one plus its amount: a row is missing, doubled or out of order";
    SummaryCountDiffers "SUMMARY_COUNT_DIFFERS" Warn "the stated number of entries is not what is listed";
    SummarySumDiffers "SUMMARY_SUM_DIFFERS" Warn "the stated sum of entries is not what is listed";
    BatchCountDiffers "BATCH_COUNT_DIFFERS" Warn "the stated number of a batch's transactions is not what is listed";
    BatchSumDiffers "BATCH_SUM_DIFFERS" Warn "a batch's stated total is not the sum of its details";
    DetailsSumDiffers "DETAILS_SUM_DIFFERS" Warn "an entry's details do not sum up to it, charges considered";
    DetailUnreadable "DETAIL_UNREADABLE" Warn "an amount of a detail can't be read: it is left out";
    ChainAccountDiffers "CHAIN_ACCOUNT_DIFFERS" Warn "the two statements are of different accounts or currencies";
    ChainBroken "CHAIN_BROKEN" Warn "the opening balance is not the former statement's closing balance: one between them is missing";
    SequenceGap "SEQUENCE_GAP" Warn "the sequence number does not follow the former statement's: ask for those between";
    SequenceRepeated "SEQUENCE_REPEATED" Warn "the sequence number is the former statement's: a copy or a correction";
    PageMissing "PAGE_MISSING" Warn "a page of the statement is missing: ask for it";
}
