//! History after a crash: a torn end is cut back to what the state was written with, lost bytes are refused.
use std::{fs::OpenOptions, io::Write as _, path::Path};

use bytes::Bytes;
use ledger_proof::{Entry, Field, Frontier, Record, RecordKind};
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
        // The genesis record is nobody's.
        numbers: (first.max(1)..first + count).map(|number| (WHO, number, number)).collect(),
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
    assert_eq!(history.sequence(WHO, 4).unwrap(), Some(4));
    assert_eq!(history.sequence(WHO, 5).unwrap(), None);
    assert_eq!(history.frontier(5).unwrap().to_bytes(), writer.position().frontier);
    let frame = cursor.entry(3).unwrap();
    assert!(frame.windows(8).any(|bytes| bytes == b"envelope"));
    assert!(!frame.windows(4).any(|bytes| bytes == b"blob"));
}

#[test]
fn a_torn_end_is_cut_off_and_written_again() {
    // Part of a row, and a file that grew without its bytes.
    for torn in [&b"torn"[..], &[0; 24]] {
        a_torn_end(torn);
    }
}

fn a_torn_end(torn: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let (first, end) = written(folder.path());
    for file in [segment_name(0, "seg"), segment_name(0, "idx"), format!("numbers/{}.num", WHO.0)] {
        let mut file = OpenOptions::new().append(true).open(folder.path().join(file)).unwrap();
        file.write_all(torn).unwrap();
    }
    let (mut writer, history) = HistoryWriter::open(folder.path(), first).unwrap();
    assert_eq!(history.tip().records, 3);
    assert_eq!(history.sequence(WHO, 3).unwrap(), None);
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

#[test]
fn flipped_bits_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = HistoryWriter::open(folder.path(), Position::default()).unwrap();
    writer.append(&batch(0, 600)).unwrap();
    writer.sync().unwrap();
    let end = writer.position();
    drop(writer);
    let flip = |name: &str, at: usize| {
        let path = folder.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    };
    for (name, at) in [
        (segment_name(0, "idx"), 40 * 599),
        (segment_name(0, "idx"), 3),
        ("tiles/1".to_owned(), 40),
    ] {
        flip(&name, at);
        assert!(HistoryWriter::open(folder.path(), end.clone()).is_err(), "{name} at {at}");
        flip(&name, at);
    }
    // Records are read against their check, and their places against their numbers.
    let length = usize::try_from(end.length).unwrap();
    for (name, at) in
        [(segment_name(0, "seg"), length - 3), (segment_name(0, "idx"), 40 * 599 + 35)]
    {
        flip(&name, at);
        let (_writer, history) = HistoryWriter::open(folder.path(), end.clone()).unwrap();
        assert!(Cursor::new(history).record(599).is_err(), "{name} at {at}");
        flip(&name, at);
    }
    let (_writer, history) = HistoryWriter::open(folder.path(), end).unwrap();
    assert_eq!(Cursor::new(history).record(599).unwrap(), record(599));
}

#[test]
fn roots_at_any_size_come_of_tiles_that_can_be_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, history) = HistoryWriter::open(folder.path(), Position::default()).unwrap();
    let count = 66_000;
    let sizes = [0, 1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 65_800, count];
    for first in (0..count).step_by(3_000) {
        writer.append(&batch(first, 3_000)).unwrap();
    }
    let mut plain = Frontier::default();
    let roots: Vec<Frontier> = (0..=count)
        .filter_map(|size| {
            let found = sizes.contains(&size).then(|| plain.clone());
            plain.push(record(size).leaf_hash());
            found
        })
        .collect();
    let same = |history: &super::History| {
        for (size, root) in sizes.iter().zip(&roots) {
            assert_eq!(history.frontier(*size).unwrap(), *root, "{size}");
        }
    };
    same(&history);
    writer.sync().unwrap();
    let end = writer.position();
    drop((writer, history));
    // Lost, torn or too long: what is missing follows from the leaves.
    let tiles = folder.path().join("tiles");
    std::fs::remove_file(tiles.join("2")).unwrap();
    let first = OpenOptions::new().write(true).open(tiles.join("1")).unwrap();
    first.set_len(100 * 32 + 7).unwrap();
    std::fs::write(tiles.join("3"), [1; 64]).unwrap();
    let (_writer, history) = HistoryWriter::open(folder.path(), end).unwrap();
    same(&history);
}
