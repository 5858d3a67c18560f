//! Opens of a record the parts that one reader is party to, and finds its blob or signed item; others stay digests.
use std::{collections::HashMap, io, ops::Range, sync::Arc};

use ledger_proof::{
    Envelope, Field, ItemKind, Part, Reader as Bytes, Record, RecordKind,
    record::{SharedPart, SubmitDetail},
};
use ledger_types::{ParticipantId, RequestId, Timestamp};
use proto::convert::RecordEvent;

use super::Reader;
use crate::{apply::Apply, history::Cursor, state_store::States};

/// The items of an entry by who signed which request.
type Items = HashMap<(ParticipantId, RequestId), Vec<Range<usize>>>;

/// Opens records for one reader.
#[derive(Debug)]
pub(super) struct Opener {
    states: States,
    apply: Apply,
    reader: Reader,
    items: Option<(Arc<[u8]>, Items)>,
}

impl Opener {
    pub(super) fn new(states: States, apply: Apply, reader: Reader) -> Self {
        Self { states, apply, reader, items: None }
    }

    pub(super) fn open(
        &mut self,
        record: Record,
        number: u64,
        cursor: &mut Cursor,
    ) -> io::Result<RecordEvent> {
        let salts = record.salts();
        let digests = record.digests(&salts);
        let (mut blob, mut item) = (None, None);
        match self.reader {
            Reader::Participant(id) => blob = self.blob(id, &record)?,
            Reader::Operator => item = self.item(&record, cursor)?,
        }
        self.own_number(&record, number)?;
        let mut parts = Vec::new();
        for (part, bytes) in Part::ALL.into_iter().zip(record.parts) {
            if !bytes.is_empty() && self.may_open(part, &bytes) {
                parts.push((part, salts[part.index()], bytes.into()));
            }
        }
        let (sequence, kind, at) = (record.sequence, record.kind, record.at);
        Ok(RecordEvent { sequence, kind, at, number, parts, digests, blob, item })
    }

    /// A participant's record says its number itself: the list of numbers may be damaged.
    fn own_number(&self, record: &Record, number: u64) -> io::Result<()> {
        let Reader::Participant(id) = self.reader else { return Ok(()) };
        let own = Part::ALL.into_iter().filter(|part| *part != Part::Shared).any(|part| {
            let mut bytes = Bytes::new(&record.parts[part.index()]);
            let head = (bytes.get::<ParticipantId>().ok(), bytes.get::<u64>().ok());
            head == (Some(id), Some(number))
        });
        match own {
            true => Ok(()),
            false => Err(io::Error::other("a participant's number leads to another record")),
        }
    }

    /// A party's part starts with whose it is.
    fn may_open(&self, part: Part, bytes: &[u8]) -> bool {
        match self.reader {
            Reader::Operator => true,
            Reader::Participant(id) => {
                let whose = Bytes::new(bytes).get::<ParticipantId>();
                part == Part::Shared || whose.is_ok_and(|whose| whose == id)
            }
        }
    }

    /// The sealed data of a submit or return, if a key of the reader's opens it.
    fn blob(&self, id: ParticipantId, record: &Record) -> io::Result<Option<bytes::Bytes>> {
        let submitted = [ItemKind::Submit, ItemKind::Return].map(RecordKind::Item);
        if !submitted.contains(&record.kind) {
            return Ok(None);
        }
        let Ok(shared) = SharedPart::from_bytes(&record.parts[Part::Shared.index()]) else {
            return Ok(None);
        };
        // A refused submit may state no detail.
        let Ok(detail) = SubmitDetail::from_bytes(&shared.detail.0) else { return Ok(None) };
        let installing = || io::Error::other("a snapshot is being taken over");
        let keys = self.apply.holders().ok_or_else(installing)?;
        let own = keys.get(&id).map_or(&[][..], Vec::as_slice);
        if !detail.sealed_for.iter().any(|key| own.contains(key)) {
            return Ok(None);
        }
        self.states.blob(&detail.blob_digest).map_err(io::Error::other)
    }

    fn item(&mut self, record: &Record, cursor: &mut Cursor) -> io::Result<Option<bytes::Bytes>> {
        let RecordKind::Item(_) = record.kind else { return Ok(None) };
        let shared = SharedPart::from_bytes(&record.parts[Part::Shared.index()]);
        let shared = shared.map_err(io::Error::other)?;
        let entry = cursor.entry(record.sequence)?;
        if self.items.as_ref().is_none_or(|(of, _)| !Arc::ptr_eq(of, &entry)) {
            let items = index(&entry).ok_or_else(|| io::Error::other("an entry is unreadable"))?;
            self.items = Some((entry, items));
        }
        let Some((entry, items)) = &self.items else { return Ok(None) };
        let found = items.get(&(shared.author, shared.request));
        let range = found.and_then(|items| items.get(usize::from(shared.item)));
        Ok(range.map(|range| bytes::Bytes::copy_from_slice(&entry[range.clone()])))
    }
}

/// Where each item of an entry's frame lies.
fn index(frame: &[u8]) -> Option<Items> {
    let mut reader = Bytes::new(frame);
    let (_number, _at): (u64, Timestamp) = (reader.get().ok()?, reader.get().ok()?);
    let mut items = Items::new();
    for _ in 0..reader.get::<u32>().ok()? {
        let length: u32 = reader.get().ok()?;
        let bytes = reader.take(usize::try_from(length).ok()?).ok()?;
        let envelope = Envelope::decode(bytes).ok()?;
        let end = frame.len() - reader.rest().len();
        let lengths: Vec<usize> = envelope.items().map(<[u8]>::len).collect();
        // Items are the end of their envelope, each behind a length of two bytes.
        let mut at = end - lengths.iter().map(|length| length + 2).sum::<usize>();
        let ranges = lengths.into_iter().map(|length| {
            let start = at + 2;
            at = start + length;
            start..at
        });
        let ranges: Vec<_> = ranges.collect();
        // A resend in the same entry makes no records of its own.
        items.entry((envelope.header.author, envelope.header.request)).or_insert(ranges);
    }
    Some(items)
}
