//! Lines and encodings of text formats, in the memory of one line. It must never know a format.

use std::io::{BufRead, Read};

use services_iso20022::statement::{Code, Finding};

/// The longest line read.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Windows-1252 where it departs from ISO 8859-1, from 0x80 on; a zero is not assigned.
const WINDOWS_1252: [u16; 32] = [
    0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039,
    0x0152, 0, 0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc,
    0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
];

/// Reads bytes as Windows-1252, which every byte is.
#[must_use]
pub(crate) fn windows_1252(bytes: &[u8]) -> String {
    let character = |byte: &u8| {
        let high = byte.checked_sub(0x80).and_then(|at| WINDOWS_1252.get(usize::from(at)));
        let code = high.copied().unwrap_or_else(|| u16::from(*byte));
        char::from_u32(u32::from(code)).filter(|one| *one != '\0').unwrap_or('\u{fffd}')
    };
    bytes.iter().map(character).collect()
}

/// A day of the calendar as ISO 8601 writes it.
pub(crate) fn calendar(year: u32, month: u32, day: u32) -> Option<String> {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    let valid = (1..=9_999).contains(&year) && (1..=days).contains(&day);
    valid.then(|| format!("{year:04}-{month:02}-{day:02}"))
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
