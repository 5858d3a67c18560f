//! A history applied anew by this build's ledger, and what it makes compared with what is stored; it changes nothing that it reads.
use std::path::{Path, PathBuf};

use ledger_core::{Command, Ledger, Output};
use ledger_proof::{
    Digest, Envelope, Field, Genesis, Record, RecordKind, envelope::signed_bytes, signature,
    tree::sha256,
};
use ledger_types::{NetworkId, Timestamp};

use crate::{
    Error,
    folder::Source,
    history::{Position, Scan, Scanned, Unreadable},
    rows::Batch,
    state_store::{Cut, StateStore, put_blob, put_row},
    verify::named_blob,
};

/// Bytes of entries after which changed rows are written.
const DRAIN_BYTES: usize = 8 << 20;
/// The row of scalars, in which times of no record stand.
const SCALARS: u8 = 0x01;

/// Why a folder is not what it must be.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read as what it was given as.
    #[error(transparent)]
    Open(#[from] Error),
    /// Its bytes are damaged.
    #[error(transparent)]
    Damaged(#[from] Unreadable),
    /// A file is not the one that was written.
    #[error("{}: {what}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// In what it differs.
        what: String,
    },
    /// This build makes something else of it.
    #[error("record {record}: {what}")]
    Differs {
        /// The first record that differs.
        record: u64,
        /// In what.
        what: String,
    },
}

/// What a walk found.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The network, after the last genesis.
    pub network: NetworkId,
    /// Records.
    pub records: u64,
    /// Entries with records, a genesis not counted.
    pub entries: u64,
    /// Signed envelopes.
    pub envelopes: u64,
    /// The root over all records.
    pub root: Digest,
    /// Replicated time of the last.
    pub at: Timestamp,
    /// The digest of the state after the last record, if it was made.
    pub state_digest: Option<Digest>,
}

/// Told how many records are done.
pub type Progress<'a> = &'a mut dyn FnMut(u64);

/// Applies a history from record 0 and compares every record; `scratch` is an empty folder.
///
/// # Errors
/// The first fault.
pub fn replay(source: &Path, scratch: &Path, progress: Progress<'_>) -> Result<Replayed, Fault> {
    let source = Source::open(source)?;
    let mut scan = Scan::open(&source.history, source.records).map_err(source.failed())?;
    let mut replay = Replay::new(scratch)?;
    while let Some(entry) = scan.entry()? {
        replay.entry(&entry, scan.frontier().root())?;
        progress(replay.next());
    }
    let replayed = replay.end(scan.frontier().root())?;
    source.compare(&replayed)?;
    if let Some(state) = &source.state {
        replay.same_state(state)?;
    }
    Ok(replayed)
}

/// A ledger that follows a history.
pub(crate) struct Replay {
    ledger: Option<Ledger>,
    store: StateStore,
    out: Output,
    keys: Vec<Vec<u8>>,
    dirty_bytes: usize,
    envelopes: u64,
    /// The root before the entry that is applied.
    root: Digest,
    blobs: Vec<Digest>,
}

impl Replay {
    /// Begins with nothing, in an empty folder.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn new(folder: &Path) -> Result<Self, Error> {
        let (out, keys, blobs) = (Output::default(), Vec::new(), Vec::new());
        let store = StateStore::open(folder)?;
        let (dirty_bytes, envelopes, root) = (0, 0, [0; 32]);
        Ok(Self { ledger: None, store, out, keys, dirty_bytes, envelopes, root, blobs })
    }

    /// The number of records so far.
    pub(crate) fn next(&self) -> u64 {
        self.ledger.as_ref().map_or(0, Ledger::records)
    }

    /// What the last entry made.
    pub(crate) const fn out(&self) -> &Output {
        &self.out
    }

    /// The ledger.
    ///
    /// # Errors
    /// Before record 0.
    pub(crate) fn ledger(&mut self) -> Result<&mut Ledger, Fault> {
        self.ledger.as_mut().ok_or_else(|| differs(0, "history does not begin with a genesis"))
    }

    /// Applies the next entry and compares what it makes; `root` is the one after it.
    ///
    /// # Errors
    /// The first fault.
    pub(crate) fn entry(&mut self, entry: &Scanned, root: Digest) -> Result<(), Fault> {
        let next = self.next();
        self.out.clear();
        self.blobs.clear();
        match entry.records.first().filter(|record| record.kind == RecordKind::Genesis) {
            Some(record) => self.genesis(record)?,
            None => self.apply(entry, next)?,
        }
        compare(next, &entry.records, &self.out.records)?;
        let number = match entry.records.first().map(|record| record.kind) {
            Some(RecordKind::Genesis) => 0,
            _ => self.ledger()?.entries(),
        };
        if number != entry.entry {
            return Err(differs(next, "the entry has another number"));
        }
        self.root = root;
        if self.dirty_bytes >= DRAIN_BYTES {
            self.drain(&Position::default())?;
        }
        Ok(())
    }

    fn genesis(&mut self, record: &Record) -> Result<(), Fault> {
        let next = record.sequence;
        let invalid = |error| differs(next, &format!("genesis: {error}"));
        let genesis = Genesis::read(&record.parts[0]).map_err(invalid)?;
        if self.ledger.is_none() {
            let (ledger, out) = Ledger::found(&genesis);
            (self.ledger, self.out) = (Some(ledger), out);
            return Ok(());
        }
        self.drain(&Position::default())?;
        let state_digest = digest(&self.store)?;
        let named = genesis.predecessor.first();
        if named
            .is_none_or(|former| (former.root, former.state_digest) != (self.root, state_digest))
        {
            return Err(differs(next, "the genesis names a predecessor of another root or state"));
        }
        self.refound(&genesis).map_err(invalid)
    }

    /// Goes on under a new genesis.
    ///
    /// # Errors
    /// What the genesis may not change.
    pub(crate) fn refound(&mut self, genesis: &Genesis) -> Result<(), ledger_proof::DecodeError> {
        self.out.clear();
        let short = ledger_proof::DecodeError::Short;
        self.ledger.as_mut().ok_or(short)?.refound(genesis, &mut self.out)
    }

    fn apply(&mut self, entry: &Scanned, next: u64) -> Result<(), Fault> {
        let mut commands = Vec::with_capacity(entry.envelopes.len());
        for bytes in &entry.envelopes {
            self.signed(bytes, next)?;
            let command = Command::decode(bytes);
            let command = command.map_err(|error| differs(next, &format!("envelope: {error}")))?;
            self.blobs.extend(command.items.iter().filter_map(named_blob));
            self.dirty_bytes += bytes.len() + 64;
            commands.push(command);
        }
        self.envelopes += u64::try_from(commands.len()).unwrap_or(0);
        let Self { ledger, store, keys, .. } = self;
        let ledger = ledger.as_mut().ok_or_else(|| differs(0, "history has no genesis"))?;
        keys.clear();
        ledger.missing(&commands, keys);
        keys.sort_unstable();
        keys.dedup();
        if !keys.is_empty() {
            let rows = store.rows(keys)?;
            for (key, row) in keys.iter().zip(rows) {
                ledger.load(key, row.as_deref()).map_err(Error::State)?;
            }
        }
        ledger.apply(entry.at, &commands, &mut self.out);
        Ok(())
    }

    /// Every signature of an envelope is of a key that the ledger knew before the entry.
    fn signed(&self, bytes: &[u8], next: u64) -> Result<(), Fault> {
        let wrong = |what: &str| differs(next, what);
        let envelope = Envelope::decode(bytes);
        let envelope = envelope.map_err(|error| wrong(&format!("envelope: {error}")))?;
        let ledger = self.ledger.as_ref().ok_or_else(|| wrong("history has no genesis"))?;
        if envelope.header.network != ledger.network() {
            return Err(wrong("an envelope is for another network"));
        }
        let message = signed_bytes(envelope.header_bytes);
        for signed in &envelope.signatures {
            let key = ledger.verifying_key(envelope.header.author, signed.key);
            let key = key.ok_or_else(|| wrong("an envelope is signed with an unknown key"))?;
            if !signature::verify(key, &message, &signed.bytes) {
                return Err(wrong("an envelope's signature does not verify"));
            }
        }
        Ok(())
    }

    /// Writes every changed row, with how far history reaches then.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn drain(&mut self, position: &Position) -> Result<(), Error> {
        let Some(ledger) = &mut self.ledger else { return Ok(()) };
        let mut rows = Batch::default();
        ledger.drain_dirty(|key, row| put_row(&mut rows, key, row));
        let cut = Cut { history: position.clone(), ..Cut::default() };
        self.store.write(rows, &cut)?;
        ledger.evict();
        self.dirty_bytes = 0;
        Ok(())
    }

    /// Copies a blob from another state, if that has it.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn copy_blobs(&mut self, from: &StateStore) -> Result<u64, Error> {
        let mut rows = Batch::default();
        let mut copied = 0;
        for digest in &self.blobs {
            if let Some(blob) = from.blob(digest)? {
                put_blob(&mut rows, digest, &blob);
                copied += 1;
            }
        }
        if copied > 0 {
            self.store.write(rows, &Cut::default())?;
        }
        Ok(copied)
    }

    /// What was found so far, with the digest of the state.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn end(&mut self, root: Digest) -> Result<Replayed, Fault> {
        self.drain(&Position::default())?;
        let state_digest = Some(digest(&self.store)?);
        let envelopes = self.envelopes;
        let ledger = self.ledger()?;
        Ok(Replayed {
            network: ledger.network(),
            records: ledger.records(),
            entries: ledger.entries(),
            envelopes,
            root,
            at: ledger.time(),
            state_digest,
        })
    }

    /// Makes the state durable.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.store.flush()
    }

    /// Compares the state with a stored one after the same record. A stored one may have heard of a
    /// later time by entries without records.
    fn same_state(&mut self, folder: &Path) -> Result<(), Fault> {
        let stored = StateStore::open_read_only(folder)?;
        let genesis = self.ledger()?.genesis().clone();
        let rows = stored.hot_rows()?;
        let other = Ledger::restore(&genesis, rows.into_iter()).map_err(Error::State)?;
        let records = self.next();
        let wrong = |what: &str| Err(differs(records, what));
        if other.records() != records {
            return wrong("the stored state is after another record");
        }
        let mut out = Output::default();
        self.ledger()?.apply(other.time(), &[], &mut out);
        if !out.records.is_empty() {
            return wrong("the stored state has heard of a time that had made a record");
        }
        if self.ledger()?.sums() != other.sums() || self.ledger()?.entries() != other.entries() {
            return wrong("the stored state has other balances");
        }
        self.drain(&Position::default())?;
        if digest(&self.store)? != digest(&stored)? {
            return wrong("the stored state has other rows");
        }
        Ok(())
    }
}

/// The digest of a state: from 32 zero bytes, digest = SHA-256(digest ‖ length ‖ key ‖ length ‖ row)
/// over every row but the scalars, in key order.
pub(crate) fn digest(store: &StateStore) -> Result<Digest, Error> {
    let (mut chain, mut run) = ([0; 32], Vec::new());
    store.each_row(|key, row| {
        if key.first() == Some(&SCALARS) {
            return;
        }
        for bytes in [key, row] {
            u32::try_from(bytes.len()).unwrap_or(u32::MAX).put(&mut run);
            run.extend_from_slice(bytes);
        }
        chain = sha256(&[&chain, &run]);
        run.clear();
    })?;
    Ok(chain)
}

fn compare(next: u64, stored: &[Record], made: &[Record]) -> Result<(), Fault> {
    for (place, record) in (next..).zip(stored) {
        let at = usize::try_from(place - next).unwrap_or(usize::MAX);
        let Some(again) = made.get(at) else {
            return Err(differs(place, "this build makes no such record"));
        };
        if again.to_bytes() != record.to_bytes() {
            return Err(differs(place, "this build makes other bytes of it"));
        }
    }
    if made.len() > stored.len() {
        let place = next + u64::try_from(stored.len()).unwrap_or(0);
        return Err(differs(place, "this build makes a record that is not stored"));
    }
    Ok(())
}

pub(crate) fn differs(record: u64, what: &str) -> Fault {
    Fault::Differs { record, what: what.to_owned() }
}
