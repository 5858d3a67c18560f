//! What COPY sent as the rows that it means; it neither reads nor judges.
use std::collections::HashMap;

use bytes::Bytes;
use ledger_proof::record::RecordKind;
use ledger_types::{
    AccountId, ConfirmationStatus, CorridorId, ParticipantId, Timestamp, TransferState,
};

use super::{
    Batch,
    copy::{Reader, Unreadable, Value},
    sweep::Files,
};
use crate::{
    book::{Posting, PostingState, Subject, SubjectKind, Transfer},
    record::Record,
    sweep::{
        Chunk, Finding, Stored,
        replay::{Rows, Stretch},
    },
};

/// The leaves of a chunk.
pub(super) fn chunk(first: u64, next: u64, file: &[u8]) -> Result<Chunk, Unreadable> {
    let mut chunk = Chunk::at(first);
    let mut reader = Reader::new(file)?;
    while let Some(row) = reader.row::<11>()? {
        chunk.push(&record(&row)?);
    }
    chunk.end(next);
    Ok(chunk)
}

/// Gives each stored record of a file to somebody.
pub(super) fn each_record(
    file: &[u8],
    mut take: impl FnMut(&Stored<'_>),
) -> Result<(), Unreadable> {
    let mut reader = Reader::new(file)?;
    while let Some(row) = reader.row::<11>()? {
        take(&record(&row)?);
    }
    Ok(())
}

/// Records with everything that is stored of them, to be written again.
pub(super) fn batch(file: &[u8]) -> Result<Batch, Unreadable> {
    let mut records = Vec::new();
    let mut reader = Reader::new(file)?;
    while let Some(row) = reader.row::<11>()? {
        let stored = record(&row)?;
        let leaf = stored.leaf().map_err(|(column, _)| Unreadable(column))?;
        let mut record = content(&[row[0], row[1], row[2], row[3], row[10]])?;
        record.parts = stored.parts.map(|part| Bytes::copy_from_slice(part.unwrap_or_default()));
        record.salts = stored.salts.to_vec();
        record.item = stored.item.map(Bytes::copy_from_slice);
        record.leaf = leaf;
        records.push(record);
    }
    Ok(Batch::new(records))
}

fn record<'a>(row: &[Value<'a>; 11]) -> Result<Stored<'a>, Unreadable> {
    let [sequence, kind, at, shared, debtor, creditor, first, second, operator, salts, item] = *row;
    Ok(Stored {
        sequence: sequence.big()?,
        kind: kind.small()?,
        at_micros: at.big()?,
        parts: [shared, debtor, creditor, first, second, operator].map(|part| part.0),
        salts: salts.bytes()?,
        item: item.0,
    })
}

/// The rows of a stretch.
pub(super) fn stretch(files: &Files) -> Result<Stretch, Unreadable> {
    let mut stretch = Stretch { entries: Some(files.entries.clone()), ..Stretch::default() };
    let mut reader = Reader::new(&files.records)?;
    while let Some(row) = reader.row()? {
        match content(&row) {
            Ok(record) => stretch.records.push(record),
            Err(wrong) => stretch.findings.push(unreadable("records", row[0], wrong)),
        }
    }
    let rows: &mut HashMap<Subject, Rows> = &mut stretch.rows;
    let mut reader = Reader::new(&files.transfers)?;
    while let Some(row) = reader.row()? {
        match transfer(&row) {
            Ok((subject, transfer)) => rows.entry(subject).or_default().transfer = Some(transfer),
            Err(wrong) => stretch.findings.push(unreadable("transfers", row[12], wrong)),
        }
    }
    let mut reader = Reader::new(&files.postings)?;
    while let Some(row) = reader.row()? {
        match posting(&row) {
            Ok((subject, posting)) => rows.entry(subject).or_default().postings.push(posting),
            Err(wrong) => stretch.findings.push(unreadable("postings", row[0], wrong)),
        }
    }
    Ok(stretch)
}

/// A row with a value that no row has, by the number of the record that made it.
fn unreadable(table: &'static str, sequence: Value<'_>, Unreadable(column): Unreadable) -> Finding {
    let key = sequence.big().map_or_else(|_| String::new(), |number| number.to_string());
    Finding { table, key, column, what: "holds what it cannot hold" }
}

fn content(row: &[Value<'_>; 5]) -> Result<Record, Unreadable> {
    let [sequence, kind, at, shared, item] = *row;
    let kind = u8::try_from(kind.small()?).ok().and_then(RecordKind::from_code);
    let kind = kind.ok_or(Unreadable("kind"))?;
    let at = Timestamp::from_micros(unsigned(at)?);
    let parts = (shared.0.unwrap_or_default(), item.0);
    Record::of_columns(kind, unsigned(sequence)?, at, parts).map_err(|_| Unreadable("shared"))
}

fn transfer(row: &[Value<'_>; 19]) -> Result<(Subject, Transfer), Unreadable> {
    let word = row[18].text()?;
    let confirmed = ConfirmationStatus::ALL.into_iter().find(|status| status.as_str() == word);
    if confirmed.is_none() && !word.is_empty() {
        return Err(Unreadable("confirmation"));
    }
    let state = u8::try_from(row[4].small()?).ok().and_then(TransferState::from_code);
    let transfer = Transfer {
        creditor_agent: ParticipantId(unsigned(row[2])?),
        corridor: CorridorId(unsigned(row[3])?),
        state: state.ok_or(Unreadable("state"))?,
        rejection: u16::try_from(row[5].integer()?).map_err(|_| Unreadable("rejection"))?,
        reason: row[6].text()?.parse().map_err(|_| Unreadable("reason"))?,
        amount: amount(row[7])?,
        currency: row[8].text()?.parse().map_err(|_| Unreadable("currency"))?,
        returned: amount(row[9])?,
        deadline: Timestamp::from_micros(amount(row[10])?),
        held_until: Timestamp::from_micros(amount(row[11])?),
        submit_sequence: unsigned(row[12])?,
        submitted_at: Timestamp::from_micros(unsigned(row[13])?),
        decided_sequence: unsigned(row[14])?,
        decided_at: Timestamp::from_micros(unsigned(row[15])?),
        confirmed_sequence: unsigned(row[16])?,
        confirmed_at: Timestamp::from_micros(unsigned(row[17])?),
        confirmation: confirmed,
    };
    let owner = ParticipantId(unsigned(row[0])?);
    let id = row[1].bytes()?.to_vec();
    Ok((Subject { kind: SubjectKind::Transfer, owner, id }, transfer))
}

fn posting(row: &[Value<'_>; 12]) -> Result<(Subject, Posting), Unreadable> {
    let word = row[10].text()?;
    let states = [PostingState::Pending, PostingState::Posted, PostingState::Released];
    let state = states.into_iter().find(|state| state.as_str() == word);
    let posting = Posting {
        sequence: unsigned(row[0])?,
        leg: row[1].small()?,
        kind: row[5].small()?,
        debit_account: AccountId(amount(row[6])?),
        credit_account: AccountId(amount(row[7])?),
        currency: row[8].text()?.parse().map_err(|_| Unreadable("currency"))?,
        amount: amount(row[9])?,
        state: state.ok_or(Unreadable("state"))?,
        decided_sequence: unsigned(row[11])?,
    };
    let kind = SubjectKind::from_code(row[2].small()?);
    let subject = Subject {
        kind: kind.ok_or(Unreadable("subject_kind"))?,
        owner: ParticipantId(unsigned(row[3])?),
        id: row[4].bytes()?.to_vec(),
    };
    Ok((subject, posting))
}

fn unsigned<T: TryFrom<i64>>(value: Value<'_>) -> Result<T, Unreadable> {
    T::try_from(value.big()?).map_err(|_| Unreadable("a number out of range"))
}

fn amount(value: Value<'_>) -> Result<u64, Unreadable> {
    u64::try_from(value.numeric()?).map_err(|_| Unreadable("a number beyond 64 bits"))
}
