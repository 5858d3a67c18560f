//! History after a crash: a torn end is cut back to what the state was written with, lost bytes are refused.
use std::{fs::OpenOptions, io::Write as _, path::Path};

use bytes::Bytes;
use ledger_proof::{Entry, Field, Record, RecordKind};
use ledger_types::{ParticipantId, Timestamp};

use super::{Batch, Cursor, HistoryWriter, Position, segment_name};
use crate::Error;

const WHO: ParticipantId = ParticipantId(7);

fn record(sequence: u64) -> Record {
    let mut parts = <[Vec<u8>; 6]>::default();
    parts[0] = format!("record {sequence}").into_bytes();
    let (kind, at) = (RecordKind::Genesis, Timestamp::from_micros(sequence));
    Record { kind, sequence, at, nonce: None, parts }
}

fn batch(first: u64, count: u64) -> Batch {
    let mut payload = Vec::new();
    let entry =
        Entry { stamp: Timestamp::ZERO, envelopes: vec![b"envelope"], blobs: vec![b"blob"] };
    entry.put(&mut payload);
    Batch {
        entry: first,
        at: Timestamp::from_micros(first),
        payload: Bytes::from(payload),
        records: (first..first + count).map(record).collect(),
        numbers: (first..first + count).map(|sequence| (WHO, sequence + 1, sequence)).collect(),
    }
}

/// Writes two batches and gives the positions after each.
fn written(folder: &Path) -> (Position, Position) {
    let (mut writer, _) = HistoryWriter::open(folder, Position::default()).unwrap();
    writer.append(&batch(0, 3)).unwrap();
    writer.sync().unwrap();
    let first = writer.position();
    writer.append(&batch(3, 2)).unwrap();
    writer.sync().unwrap();
    (first, writer.position())
}

#[test]
fn records_numbers_and_roots_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (_, end) = written(folder.path());
    let (writer, history) = HistoryWriter::open(folder.path(), end).unwrap();
    let mut cursor = Cursor::new(history.clone());
    for sequence in [4, 0, 2, 1, 3] {
        assert_eq!(cursor.record(sequence).unwrap(), record(sequence));
    }
    assert!(cursor.record(5).is_err());
    assert_eq!(history.sequence(WHO, 5).unwrap(), Some(4));
    assert_eq!(history.sequence(WHO, 6).unwrap(), None);
    assert_eq!(history.frontier(5).unwrap().to_bytes(), writer.position().frontier);
    let frame = cursor.entry(3).unwrap();
    assert!(frame.windows(8).any(|bytes| bytes == b"envelope"));
    assert!(!frame.windows(4).any(|bytes| bytes == b"blob"));
}

#[test]
fn a_torn_end_is_cut_off_and_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, end) = written(folder.path());
    for file in [segment_name(0, "seg"), segment_name(0, "idx"), format!("numbers/{}.num", WHO.0)] {
        let mut file = OpenOptions::new().append(true).open(folder.path().join(file)).unwrap();
        file.write_all(b"torn").unwrap();
    }
    let (mut writer, history) = HistoryWriter::open(folder.path(), first).unwrap();
    assert_eq!(history.tip().records, 3);
    assert_eq!(history.sequence(WHO, 4).unwrap(), None);
    writer.append(&batch(3, 2)).unwrap();
    assert_eq!(writer.position(), end);
}

#[test]
fn lost_bytes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, end) = written(folder.path());
    let path = folder.path().join(segment_name(0, "seg"));
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(end.length - 1).unwrap();
    let opened = HistoryWriter::open(folder.path(), end);
    assert!(matches!(opened, Err(Error::Damaged { .. })));
}
