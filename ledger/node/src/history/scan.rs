//! Reading history from its first byte to a position without opening it for use: every frame, every number, every leaf hash is checked; it repairs nothing.
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
};

use ledger_proof::{DecodeError, Field, Frontier, Reader, Record};
use ledger_types::Timestamp;

use super::{
    ENTRY_FRAME, FRAME_HEAD, INDEX_ROW, RECORD_FRAME, check, segment_name, segment_starts,
};

const BUFFER: usize = 1 << 20;
/// No frame is longer: an entry with its envelopes.
const FRAME_BYTES_MAX: u32 = 256 << 20;

/// Why history cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("history is damaged at record {record} in {}: {what}", file.display())]
pub struct Unreadable {
    /// The record that was read, or was to be.
    pub record: u64,
    /// In which file.
    pub file: PathBuf,
    /// What is wrong.
    pub what: String,
}

/// One entry as stored.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// Its number, 0 for a genesis.
    pub(crate) entry: u64,
    /// Its replicated time.
    pub(crate) at: Timestamp,
    /// Its envelopes.
    pub(crate) envelopes: Vec<Vec<u8>>,
    /// Its records.
    pub(crate) records: Vec<Record>,
}

/// The walk.
#[derive(Debug)]
pub(crate) struct Scan {
    folder: PathBuf,
    starts: VecDeque<u64>,
    segment: Option<Segment>,
    next: u64,
    end: u64,
    frontier: Frontier,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    data: BufReader<File>,
    index: BufReader<File>,
    offset: u64,
    pending: Option<Frame>,
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    bytes: Vec<u8>,
    at: u64,
}

impl Scan {
    /// Begins a walk over the first `end` records.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub(crate) fn open(folder: &Path, end: u64) -> io::Result<Self> {
        let (starts, folder) = (segment_starts(folder)?.into(), folder.to_owned());
        Ok(Self { folder, starts, segment: None, next: 0, end, frontier: Frontier::default() })
    }

    /// The tree over the records so far.
    pub(crate) const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// At the first byte that is not as it must be.
    pub(crate) fn entry(&mut self) -> Result<Option<Scanned>, Unreadable> {
        if self.next >= self.end {
            return Ok(None);
        }
        let frame = loop {
            if self.segment.is_none() {
                self.segment = Some(self.open_next()?);
            }
            match self.frame()? {
                Some(frame) => break frame,
                None => self.segment = None,
            }
        };
        if frame.kind != ENTRY_FRAME {
            return Err(self.wrong("an entry must begin here"));
        }
        let mut scanned =
            entry(&frame.bytes).map_err(|error| self.wrong(&format!("entry: {error}")))?;
        // What lies behind the end may be half written.
        while self.next < self.end {
            let Some(next) = self.frame()? else { break };
            if next.kind != RECORD_FRAME {
                if let Some(segment) = &mut self.segment {
                    segment.pending = Some(next);
                }
                break;
            }
            let record = self.record(&next, frame.at)?;
            scanned.records.push(record);
            self.next += 1;
        }
        if scanned.records.is_empty() {
            return Err(self.wrong("an entry has no records"));
        }
        Ok(Some(scanned))
    }

    fn record(&mut self, frame: &Frame, entry_at: u64) -> Result<Record, Unreadable> {
        let record = Record::from_bytes(&frame.bytes);
        let record = record.map_err(|error| self.wrong(&format!("record: {error}")))?;
        if record.sequence != self.next {
            return Err(self.wrong("a record has another number"));
        }
        let leaf = record.leaf_hash();
        let row = self.index_row()?;
        let mut expected = leaf.to_vec();
        for offset in [frame.at, entry_at] {
            let offset =
                u32::try_from(offset).map_err(|_| self.wrong("the segment is too long"))?;
            expected.extend_from_slice(&offset.to_be_bytes());
        }
        if row != expected {
            return Err(self.wrong("the record does not have the leaf hash of the index"));
        }
        self.frontier.push(leaf);
        Ok(record)
    }

    fn index_row(&mut self) -> Result<Vec<u8>, Unreadable> {
        let mut row = vec![0; usize::try_from(INDEX_ROW).unwrap_or(40)];
        let read = self.segment.as_mut().map(|segment| segment.index.read_exact(&mut row));
        match read {
            Some(Ok(())) => Ok(row),
            Some(Err(error)) => Err(self.wrong(&format!("the index: {error}"))),
            None => Err(self.wrong("no segment")),
        }
    }

    fn open_next(&mut self) -> Result<Segment, Unreadable> {
        let Some(first) = self.starts.pop_front() else {
            return Err(self.wrong("history ends here, but must go on"));
        };
        let path = self.folder.join(segment_name(first, "seg"));
        if first != self.next {
            return Err(self.wrong("a segment is missing"));
        }
        let open = |path: &Path| {
            let file = File::open(path).map_err(|error| Unreadable {
                record: first,
                file: path.to_owned(),
                what: error.to_string(),
            })?;
            Ok(BufReader::with_capacity(BUFFER, file))
        };
        let index = open(&self.folder.join(segment_name(first, "idx")))?;
        Ok(Segment { data: open(&path)?, index, path, offset: 0, pending: None })
    }

    /// The next frame; `None` where the segment ends.
    fn frame(&mut self) -> Result<Option<Frame>, Unreadable> {
        let Some(segment) = &mut self.segment else { return Ok(None) };
        if let Some(pending) = segment.pending.take() {
            return Ok(Some(pending));
        }
        let read = segment.frame();
        read.map_err(|error| self.wrong(&error.to_string()))
    }

    fn wrong(&self, what: &str) -> Unreadable {
        let file = self.segment.as_ref().map_or(&self.folder, |segment| &segment.path);
        Unreadable { record: self.next, file: file.clone(), what: what.to_owned() }
    }
}

impl Segment {
    fn frame(&mut self) -> io::Result<Option<Frame>> {
        let at = self.offset;
        let mut head = [0; FRAME_HEAD];
        match self.data.read_exact(&mut head[..1]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        self.data.read_exact(&mut head[1..])?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        if length > FRAME_BYTES_MAX {
            return Err(io::Error::other("a frame is longer than any is"));
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.data.read_exact(&mut bytes)?;
        self.offset += u64::try_from(FRAME_HEAD).map_err(io::Error::other)? + u64::from(length);
        if check(head[4], &bytes)[..] != head[5..] {
            return Err(io::Error::other("a frame's bytes are not those that were written"));
        }
        Ok(Some(Frame { kind: head[4], bytes, at }))
    }
}

/// number ‖ time ‖ count ‖ (length ‖ envelope)….
fn entry(bytes: &[u8]) -> Result<Scanned, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut scanned = Scanned { entry: reader.get()?, at: reader.get()?, ..Scanned::default() };
    for _ in 0..reader.get::<u32>()? {
        let length: u32 = reader.get()?;
        let length = usize::try_from(length).map_err(|_| DecodeError::Short)?;
        scanned.envelopes.push(reader.take(length)?.to_vec());
    }
    reader.end()?;
    Ok(scanned)
}
