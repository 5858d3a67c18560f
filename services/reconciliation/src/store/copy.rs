//! Rows in the binary format of COPY, both ways (PostgreSQL documentation, COPY, "Binary Format"); it knows no table.
use sqlx::{
    Encode, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo},
};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Flags, and the length of a header extension: none.
const HEADER_LENGTH: usize = 19;
/// NUMERIC keeps digits to the base of 10,000; 39 decimal digits are ten of them.
const BASE: u128 = 10_000;
const DIGITS_MAX: usize = 10;
/// The sign of a NUMERIC below zero.
const NEGATIVE: [u8; 2] = [0x40, 0];

/// About how much is handed to Postgres at one time: it works on the first piece while the last are still here.
const PIECE_BYTES: usize = 256 << 10;
/// A row rarely goes beyond the end of a piece by more.
const ROW_BYTES: usize = 4 << 10;

/// Rows on their way in. They are many megabytes, and never in one place: what is so large is given
/// back to the system each time, which clears its pages anew.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    full: Vec<Vec<u8>>,
    bytes: Vec<u8>,
    columns: i16,
}

impl Rows {
    /// Rows of so many columns.
    pub(super) fn new(columns: i16) -> Self {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0; 8]);
        Self { full: Vec::new(), bytes, columns }
    }

    /// Begins a row; as many values follow as there are columns.
    pub(super) fn row(&mut self) -> &mut Self {
        if self.bytes.len() >= PIECE_BYTES {
            let next = Vec::with_capacity(PIECE_BYTES + ROW_BYTES);
            self.full.push(std::mem::replace(&mut self.bytes, next));
        }
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
        self
    }

    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
        self
    }

    pub(super) fn bytes_or_null(&mut self, value: Option<&[u8]>) -> &mut Self {
        if let Some(value) = value {
            return self.bytes(value);
        }
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
        self
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub(super) fn small(&mut self, value: i16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn integer(&mut self, value: i32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn big(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn numeric(&mut self, value: u64) -> &mut Self {
        let mut own = Vec::with_capacity(8 + 2 * DIGITS_MAX);
        put_numeric(u128::from(value), false, &mut own);
        self.bytes(&own)
    }

    /// The whole file, in pieces.
    pub(super) fn finish(mut self) -> Vec<Vec<u8>> {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        self.full.push(self.bytes);
        self.full
    }
}

/// A whole number as a parameter of type NUMERIC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numeric(pub(super) i128);

impl Type<sqlx::Postgres> for Numeric {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("numeric")
    }
}

impl PgHasArrayType for Numeric {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_numeric")
    }
}

impl Encode<'_, sqlx::Postgres> for Numeric {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let mut own = Vec::with_capacity(8 + 2 * DIGITS_MAX);
        put_numeric(self.0.unsigned_abs(), self.0 < 0, &mut own);
        buffer.extend_from_slice(&own);
        Ok(IsNull::No)
    }
}

fn put_numeric(mut value: u128, negative: bool, out: &mut Vec<u8>) {
    let mut digits = [0_i16; DIGITS_MAX];
    let mut count = 0;
    while value > 0 && count < DIGITS_MAX {
        // Most amounts fit 64 bits, whose division is many times faster.
        let digit = match u64::try_from(value) {
            Ok(short) => {
                value = u128::from(short / 10_000);
                i16::try_from(short % 10_000)
            }
            Err(_) => {
                let digit = i16::try_from(value % BASE);
                value /= BASE;
                digit
            }
        };
        digits[count] = digit.unwrap_or_default();
        count += 1;
    }
    let zeros = digits[..count].iter().take_while(|digit| **digit == 0).count();
    let short = |length: usize| i16::try_from(length).unwrap_or_default();
    out.extend_from_slice(&short(count - zeros).to_be_bytes());
    out.extend_from_slice(&short(count.saturating_sub(1)).to_be_bytes());
    // The sign, and no digits after the point.
    out.extend_from_slice(if negative { &NEGATIVE } else { &[0; 2] });
    out.extend_from_slice(&[0; 2]);
    for digit in digits[zeros..count].iter().rev() {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

/// What Postgres sent is no such file, or a value is none of its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rows from Postgres are unreadable: {0}")]
pub struct Unreadable(pub(crate) &'static str);

/// Rows on their way out.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(file: &'a [u8]) -> Result<Self, Unreadable> {
        let header = file.get(..HEADER_LENGTH).filter(|header| header.starts_with(SIGNATURE));
        header.ok_or(Unreadable("header"))?;
        Ok(Self { rest: &file[HEADER_LENGTH..] })
    }

    /// The next row of so many values.
    pub(crate) fn row<const N: usize>(&mut self) -> Result<Option<[Value<'a>; N]>, Unreadable> {
        let columns = i16::from_be_bytes(self.take()?);
        if columns == -1 {
            return Ok(None);
        }
        if usize::try_from(columns) != Ok(N) {
            return Err(Unreadable("columns"));
        }
        let mut values = [Value(None); N];
        for value in &mut values {
            let length = i32::from_be_bytes(self.take()?);
            let Ok(length) = usize::try_from(length) else { continue };
            let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Unreadable("length"))?;
            (*value, self.rest) = (Value(Some(bytes)), rest);
        }
        Ok(Some(values))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Unreadable("end"))?;
        self.rest = rest;
        Ok(*bytes)
    }
}

/// One value as it came: `None` is NULL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a>(pub(crate) Option<&'a [u8]>);

impl<'a> Value<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], Unreadable> {
        self.0.ok_or(Unreadable("null"))
    }

    pub(crate) fn text(self) -> Result<&'a str, Unreadable> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Unreadable("text"))
    }

    pub(crate) fn small(self) -> Result<i16, Unreadable> {
        self.fixed().map(i16::from_be_bytes)
    }

    pub(crate) fn integer(self) -> Result<i32, Unreadable> {
        self.fixed().map(i32::from_be_bytes)
    }

    pub(crate) fn big(self) -> Result<i64, Unreadable> {
        self.fixed().map(i64::from_be_bytes)
    }

    /// A whole number that is not negative.
    pub(crate) fn numeric(self) -> Result<u128, Unreadable> {
        let wrong = Unreadable("numeric");
        let short = |at: usize, bytes: &[u8]| {
            let pair = bytes.get(at..at + 2).and_then(|pair| pair.try_into().ok());
            pair.map(i16::from_be_bytes).ok_or(wrong)
        };
        let bytes = self.bytes()?;
        let (count, weight) = (short(0, bytes)?, short(2, bytes)?);
        if short(4, bytes)? != 0 || short(6, bytes)? != 0 {
            return Err(wrong);
        }
        let mut value = 0_u128;
        for place in 0..=usize::try_from(weight).unwrap_or_default() {
            let present = i16::try_from(place).is_ok_and(|place| place < count);
            let digit = if present { short(8 + 2 * place, bytes)? } else { 0 };
            let digit = u128::try_from(digit).map_err(|_| wrong)?;
            let next = value.checked_mul(BASE).and_then(|value| value.checked_add(digit));
            value = next.ok_or(wrong)?;
        }
        if i32::from(count) > i32::from(weight) + 1 { Err(wrong) } else { Ok(value) }
    }

    fn fixed<const N: usize>(self) -> Result<[u8; N], Unreadable> {
        self.bytes()?.try_into().map_err(|_| Unreadable("width"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went() {
        let numbers = [0, 1, 9_999, 10_000, 10_001, 1_000_000, 123_456_789_012, u64::MAX];
        let mut rows = Rows::new(3);
        for number in numbers {
            rows.row().numeric(number).bytes_or_null(None).text("PHP");
        }
        let file = rows.finish().concat();
        let mut reader = Reader::new(&file).unwrap();
        for number in numbers {
            let [numeric, null, text] = reader.row().unwrap().unwrap();
            assert_eq!(numeric.numeric(), Ok(u128::from(number)));
            assert_eq!((null.0, text.text()), (None, Ok("PHP")));
        }
        assert!(reader.row::<3>().unwrap().is_none());
    }

    #[test]
    fn many_rows_are_in_pieces_and_none_is_torn() {
        // Two and a half pieces of them.
        let count = i64::try_from(PIECE_BYTES / 14 * 5 / 2).unwrap();
        let mut rows = Rows::new(1);
        for number in 0..count {
            rows.row().big(number);
        }
        let pieces = rows.finish();
        assert_eq!(pieces.len(), 3);
        let full = PIECE_BYTES..PIECE_BYTES + 14;
        assert!(pieces[..2].iter().all(|piece| full.contains(&piece.len())));
        let file = pieces.concat();
        let mut reader = Reader::new(&file).unwrap();
        for number in 0..count {
            let [value] = reader.row().unwrap().unwrap();
            assert_eq!(value.big(), Ok(number));
        }
        assert!(reader.row::<1>().unwrap().is_none());
    }

    #[test]
    fn what_is_no_whole_number_is_none() {
        for (bytes, why) in [
            (&[0, 1, 0, 0, 0x40, 0, 0, 0, 0, 1][..], "minus 1"),
            (&[0, 1, 255, 255, 0, 0, 0, 1, 3, 232], "0.1"),
            (&[0, 1, 0, 0, 0, 0, 0, 0], "cut off"),
            (&[0, 1, 0, 30, 0, 0, 0, 0, 0, 1], "beyond 128 bits"),
        ] {
            assert!(Value(Some(bytes)).numeric().is_err(), "{why}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_unreadable() {
        let mut rows = Rows::new(2);
        rows.row().big(7).bytes(&[1; 9]);
        let file = rows.finish().concat();
        for length in 0..file.len() {
            let read = Reader::new(&file[..length]).and_then(|mut reader| {
                while reader.row::<2>()?.is_some() {}
                Ok(())
            });
            assert!(read.is_err(), "{length}");
        }
    }
}
