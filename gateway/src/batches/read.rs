//! What every reader of a batch gives, a row at a time, and how it may end; it must never hold a whole file.
use std::io::{self, Read};

use ledger_proof::codec::Digest;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Form, ROW_BYTES_MAX, csv, json_lines, pain001};
use crate::{
    problem::{Code, Problem},
    transfers::order::OrderBody,
};

/// A row as it was read.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its place, from 1.
    pub number: u32,
    /// SHA-256 of the row as it came.
    pub digest: Digest,
    /// The order, or why there is none: code, field, reason in words.
    pub order: Result<Box<OrderBody>, Box<Problem>>,
    /// The row's own reference.
    pub reference: Option<String>,
    /// `InstrId`.
    pub instruction_id: Option<String>,
    /// `PmtInfId`.
    pub payment_id: Option<String>,
}

/// Why a file is not read to its end.
#[derive(Debug)]
pub enum Failure {
    /// The bytes ended before the file did: it is to be sent again.
    Broken,
    /// Nobody takes rows any more.
    Gone,
    /// The file is wrong as a whole.
    Refused(Box<Problem>),
}

impl Failure {
    /// A file that is not what its label says.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::Refused(Box::new(Problem::new(Code::BatchUnreadable, detail)))
    }
}

/// Takes a row; false when no more are wanted.
pub type Put<'a> = dyn FnMut(Row) -> bool + 'a;

/// What rows of a pain.001 are held against.
#[derive(Clone, Debug)]
pub struct Own {
    /// The participant's own BIC.
    pub bic: String,
    /// Its country's latest date at this time, `yyyy-mm-dd`, time zones allowed for.
    pub latest_date: String,
}

/// Reads a file to its end, and gives what it says of itself.
///
/// # Errors
/// Why it came to no end.
pub fn read(form: Form, source: impl Read, own: &Own, put: &mut Put<'_>) -> Result<Value, Failure> {
    match form {
        Form::Csv => csv::read(source, put).map(|()| Value::Null),
        Form::JsonLines => json_lines::read(source, put).map(|()| Value::Null),
        Form::Pain001 => pain001::read(source, own, put),
    }
}

/// SHA-256 of parts, each with its length in front.
#[must_use]
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// A source whose reader says when a row ends; a row that never does ends the reading.
#[derive(Debug)]
pub struct Bounded<R> {
    source: R,
    taken: std::rc::Rc<std::cell::Cell<usize>>,
}

/// Resets the count of a [`Bounded`] source.
#[derive(Clone, Debug)]
pub struct RowEnd(std::rc::Rc<std::cell::Cell<usize>>);

impl RowEnd {
    /// A row has ended.
    pub fn reached(&self) {
        self.0.set(0);
    }
}

impl<R: Read> Bounded<R> {
    /// Bounds a source.
    pub fn new(source: R) -> (Self, RowEnd) {
        let taken = std::rc::Rc::default();
        (Self { source, taken: std::rc::Rc::clone(&taken) }, RowEnd(taken))
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // What the reader has ahead belongs to later rows: twice the bound leaves room for that.
        if self.taken.get() > 2 * ROW_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a row exceeds 64 KiB"));
        }
        let read = self.source.read(into)?;
        self.taken.set(self.taken.get() + read);
        Ok(read)
    }
}
