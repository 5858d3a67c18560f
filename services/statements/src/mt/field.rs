//! The fields of MT940 and MT942 that carry money or dates, as SWIFT writes them. It must never know
//! in what order fields come.

use services_iso20022::{
    Decimal,
    statement::{
        BankTransactionCode, Charges, CreditDebit, Detail, Entry, EntryStatus, Money, References,
        Sum,
    },
};

/// The tag and first line of a field that starts here: two digits and a letter or none between
/// colons, or `NS`, which some servicers add.
pub(super) fn start(line: &str) -> Option<(&str, &str)> {
    let (tag, value) = line.strip_prefix(':')?.split_once(':')?;
    let known = match tag.as_bytes() {
        [tens, ones] => tens.is_ascii_digit() && ones.is_ascii_digit() || tag == "NS",
        [tens, ones, letter] => {
            tens.is_ascii_digit() && ones.is_ascii_digit() && letter.is_ascii_uppercase()
        }
        _ => false,
    };
    known.then_some((tag, value))
}

/// A balance: `C260131EUR1234,56`.
#[derive(Debug)]
pub(super) struct ReadBalance {
    pub(super) side: CreditDebit,
    pub(super) date: Option<String>,
    pub(super) amount: Money,
    /// It was read although it is not written as it should be.
    pub(super) lenient: bool,
}

pub(super) fn balance(text: &str) -> Option<ReadBalance> {
    let text = text.lines().next()?.trim();
    let side = mark(text.get(..1)?)?;
    let date = date(text.get(1..7)?);
    let currency = currency(text.get(7..10)?)?;
    let (value, lenient) = amount(text.get(10..)?)?;
    Some(ReadBalance { side, date, amount: Money { currency, value }, lenient })
}

/// An entry: `2601300131RC12,50NTRFREF//BANKREF`, and a second line of supplementary details.
#[derive(Debug)]
pub(super) struct ReadEntry {
    pub(super) entry: Entry,
    pub(super) lenient: bool,
}

pub(super) fn entry(text: &str, currency: &str) -> Option<ReadEntry> {
    let (line, supplement) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim();
    let value_date = date(line.get(..6)?);
    let rest = line.get(6..)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (booked, rest) = if digits == 4 { rest.split_at_checked(4)? } else { ("", rest) };
    let booking_date = value_date.as_deref().and_then(|valued| entry_date(booked, valued));
    let (side, reversal, expected, rest) = direction(rest)?;
    // The third letter of the currency may stand before the amount.
    let funds = rest.bytes().take_while(u8::is_ascii_uppercase).count();
    let rest = if funds == 1 { rest.get(1..)? } else { rest };
    let end = rest.find(|own: char| !own.is_ascii_digit() && own != ',' && own != '.')?;
    let (value, lenient) = amount(rest.get(..end)?)?;
    // What follows is the type, so that an amount with a wrong character is not read up to it.
    let (kind, rest) = rest.get(end..)?.split_at_checked(4)?;
    if !kind.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
        return None;
    }
    let (own, bank) = rest.split_once("//").unwrap_or((rest, ""));
    let some = |text: &str| {
        let text = text.trim();
        (!text.is_empty() && text != "NONREF").then(|| text.to_owned())
    };
    // A payment's field 20 comes back here, which is InstrId of its pacs.008 (CBPR+ translation).
    let references = References { instruction_id: some(own), ..References::default() };
    let entry = Entry {
        number: 0,
        reference: None,
        amount: Money { currency: currency.to_owned(), value },
        credit_debit: side,
        reversal,
        status: if expected { EntryStatus::Pending } else { EntryStatus::Booked },
        booking_date,
        value_date,
        servicer_reference: some(bank),
        bank_transaction_code: BankTransactionCode {
            proprietary: some(kind),
            issuer: Some("SWIFT".to_owned()),
            ..BankTransactionCode::default()
        },
        instructed_amount: None,
        exchange: None,
        charges: Charges::default(),
        batches: Vec::new(),
        details_count: 1,
        details: vec![Detail {
            references,
            additional_information: some(supplement),
            ..Detail::default()
        }],
        additional_information: None,
    };
    Some(ReadEntry { entry, lenient })
}

/// Debits and credits, reversed (R) or expected (E): a reversed credit takes the money back.
fn direction(text: &str) -> Option<(CreditDebit, bool, bool, &str)> {
    let marks = [
        ("RC", CreditDebit::Debit, true, false),
        ("RD", CreditDebit::Credit, true, false),
        ("EC", CreditDebit::Credit, false, true),
        ("ED", CreditDebit::Debit, false, true),
        ("C", CreditDebit::Credit, false, false),
        ("D", CreditDebit::Debit, false, false),
    ];
    marks.into_iter().find_map(|(mark, side, reversal, expected)| {
        text.strip_prefix(mark).map(|rest| (side, reversal, expected, rest))
    })
}

/// A total: `7EUR1234,56`; number and sum.
pub(super) fn total(text: &str) -> Option<(u64, Sum)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = text.get(..digits)?.parse().ok()?;
    currency(text.get(digits..digits + 3)?)?;
    let (value, _) = amount(text.get(digits + 3..)?)?;
    Some((number, Sum::signed(value, CreditDebit::Credit)))
}

fn mark(text: &str) -> Option<CreditDebit> {
    match text {
        "C" => Some(CreditDebit::Credit),
        "D" => Some(CreditDebit::Debit),
        _ => None,
    }
}

fn currency(text: &str) -> Option<String> {
    text.bytes().all(|byte| byte.is_ascii_uppercase()).then(|| text.to_owned())
}

/// The currency of a floor limit: `EURD0,`.
pub(super) fn floor_currency(text: &str) -> Option<String> {
    currency(text.get(..3)?)
}

/// Digits with one decimal comma; a point instead is read, and told.
fn amount(text: &str) -> Option<(Decimal, bool)> {
    let text = text.trim();
    let commas = text.matches(',').count();
    let points = text.matches('.').count();
    if commas + points != 1 || !text.starts_with(|own: char| own.is_ascii_digit()) {
        return None;
    }
    let value = text.replace(',', ".").parse().ok()?;
    Some((value, commas == 0))
}

/// `YYMMDD`; years from 80 on are of the century before.
pub(super) fn date(text: &str) -> Option<String> {
    let numeric = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    let year: u32 = text.get(..2)?.parse().ok().filter(|_| numeric)?;
    let year = if year >= 80 { 1900 + year } else { 2000 + year };
    crate::text::calendar(year, text.get(2..4)?.parse().ok()?, text.get(4..6)?.parse().ok()?)
}

/// `MMDD` beside a value date: the year that brings the two closest.
fn entry_date(text: &str, valued: &str) -> Option<String> {
    let month: u32 = text.get(..2)?.parse().ok()?;
    let day: u32 = text.get(2..4)?.parse().ok()?;
    let year: u32 = valued.get(..4)?.parse().ok()?;
    let own: u32 = valued.get(5..7)?.parse().ok()?;
    let year = match () {
        () if own > month + 6 => year + 1,
        () if month > own + 6 => year - 1,
        () => year,
    };
    crate::text::calendar(year, month, day)
}

/// Field 13D: `YYMMDDhhmm` and the offset from UTC.
pub(super) fn date_time(text: &str) -> Option<String> {
    let day = date(text.get(..6)?)?;
    let (hour, minute) = (text.get(6..8)?, text.get(8..10)?);
    let offset = text.get(10..).filter(|offset| offset.len() == 5);
    let offset = offset.and_then(|offset| Some((offset.get(..3)?, offset.get(3..)?)));
    let zone = offset.map(|(hours, minutes)| format!("{hours}:{minutes}")).unwrap_or_default();
    Some(format!("{day}T{hour}:{minute}:00{zone}"))
}
