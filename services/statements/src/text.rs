//! Lines and encodings of text formats, in the memory of one line. It must never know a format.

use std::io::{BufRead, Read};

use services_iso20022::{
    shape::calendar_day,
    statement::{Code, Finding},
};

/// The longest line read.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Text in Windows-1252; what it does not assign, and zero, is marked as unreadable.
#[must_use]
pub(crate) fn windows_1252(bytes: &[u8]) -> String {
    // The code page of the web gives the control characters of Latin-1 for what is not assigned.
    let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes);
    let readable = |one| if matches!(one, '\0' | '\u{80}'..='\u{9f}') { '\u{fffd}' } else { one };
    text.chars().map(readable).collect()
}

/// A day of the calendar as ISO 8601 writes it.
pub(crate) fn calendar(year: u32, month: u32, day: u32) -> Option<String> {
    let text = format!("{year:04}-{month:02}-{day:02}");
    calendar_day(&text).then_some(text)
}

/// Lines with their numbers.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    source: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, number: 0 }
    }

    /// The next line without its end; text that is no UTF-8 is read as Windows-1252.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, String)>, Finding> {
        let mut bytes = Vec::new();
        self.number += 1;
        let at = || format!("line {}", self.number);
        let read =
            Read::by_ref(&mut self.source).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
        let read = read.map_err(|error| Finding::with(Code::Truncated, at(), error.to_string()))?;
        if read == 0 {
            return Ok(None);
        }
        if bytes.len() as u64 >= LINE_BYTES_MAX {
            return Err(Finding::new(Code::TooLarge, at()));
        }
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        let text = String::from_utf8(bytes).unwrap_or_else(|bad| windows_1252(bad.as_bytes()));
        Ok(Some((self.number, text)))
    }
}
