//! Finds out what a file is by its first bytes and reads it as items, whatever it is. It must never
//! look at what the items say.

use std::io::{BufRead, Chain, Cursor, Read};

use services_iso20022::statement::{Code, Finding, Item, Reader};

use crate::{
    csv::{ColumnMap, Rows},
    mt,
};

/// Bytes looked at to tell formats apart.
const PREFIX_BYTES: u64 = 1_024;

/// The source with what was looked at put back.
pub(crate) type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// A file that is being read.
#[derive(Debug)]
pub enum Items<R> {
    Camt(Box<Reader<Whole<R>>>),
    Mt(Box<mt::Messages<Whole<R>>>),
    Csv(Box<Rows<Whole<R>>>),
}

impl<R: BufRead> Items<R> {
    /// Opens a file. Text that is neither XML nor MT is CSV under the map; without one, under the
    /// default map.
    ///
    /// # Errors
    /// A finding of severity refuse if it is no statement.
    pub fn open(mut source: R, map: Option<&ColumnMap>) -> Result<Self, Finding> {
        let mut prefix = Vec::new();
        let read = Read::by_ref(&mut source).take(PREFIX_BYTES).read_to_end(&mut prefix);
        read.map_err(|error| Finding::with(Code::Truncated, "", error.to_string()))?;
        if prefix.starts_with(&[0xff, 0xfe]) || prefix.starts_with(&[0xfe, 0xff]) {
            return Err(Finding::new(Code::EncodingUnknown, ""));
        }
        if prefix.starts_with(b"\xef\xbb\xbf") {
            prefix.drain(..3);
        }
        let text = prefix.trim_ascii_start();
        if text.is_empty() {
            return Err(Finding::new(Code::NotAStatement, ""));
        }
        let (xml, mt) = (text.first() == Some(&b'<'), mt::looks_like(text));
        let whole = Cursor::new(prefix).chain(source);
        if xml {
            return Ok(Self::Camt(Box::new(Reader::new(whole))));
        }
        if mt {
            return Ok(Self::Mt(Box::new(mt::Messages::new(whole))));
        }
        let fallback = ColumnMap::default();
        let rows = Rows::open(whole, map.unwrap_or(&fallback));
        rows.map(|rows| Self::Csv(Box::new(rows))).map_err(|finding| match map {
            Some(_) => finding,
            None => Finding::new(Code::NotAStatement, ""),
        })
    }

    /// The next item; nothing after the last.
    ///
    /// # Errors
    /// A finding of severity refuse: there is no honest reading, and nothing follows.
    pub fn next_item(&mut self) -> Result<Option<Item>, Finding> {
        match self {
            Self::Camt(reader) => reader.next_item(),
            Self::Mt(messages) => messages.next_item(),
            Self::Csv(rows) => rows.next_item(),
        }
    }

    /// `camt.053.001.08`, `MT940`, `CSV`, as far as it is known.
    #[must_use]
    pub fn format(&self) -> Option<&str> {
        match self {
            Self::Camt(reader) => reader.format(),
            Self::Mt(messages) => messages.format(),
            Self::Csv(_) => Some("CSV"),
        }
    }
}
