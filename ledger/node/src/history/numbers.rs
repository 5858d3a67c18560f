//! Each participant's own numbering of the records it is party to: a file of sequences per participant, kept by history's writer.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ledger_types::ParticipantId;

use crate::{Error, host};

const ROW: u64 = 8;

/// Number n of a participant is row n − 1 of its file.
#[derive(Debug)]
pub(crate) struct Numbers {
    folder: PathBuf,
    files: Mutex<BTreeMap<ParticipantId, Arc<File>>>,
    dirty: Mutex<BTreeSet<ParticipantId>>,
}

impl Numbers {
    /// Opens the folder and cuts off rows of records from `records` on.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn open(folder: &Path, records: u64) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
        let (files, dirty) = (Mutex::new(BTreeMap::new()), Mutex::new(BTreeSet::new()));
        let numbers = Self { folder: folder.to_owned(), files, dirty };
        numbers.rescan(records)?;
        Ok(numbers)
    }

    /// Opens files that came since, and cuts off rows of records from `records` on.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn rescan(&self, records: u64) -> Result<(), Error> {
        let failed = || Error::file(&self.folder);
        for found in fs::read_dir(&self.folder).map_err(failed())? {
            let name = found.map_err(failed())?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".num"));
            let Some(id) = id.and_then(|id| id.parse::<u32>().ok()) else { continue };
            let file = self.file(ParticipantId(id)).map_err(failed())?;
            cut_rows(&file, records).map_err(failed())?;
        }
        Ok(())
    }

    /// Appends rows; numbers must follow on.
    pub(crate) fn append(&self, numbers: &[(ParticipantId, u64, u64)]) -> io::Result<()> {
        let mut rows = BTreeMap::<ParticipantId, (u64, Vec<u8>)>::new();
        for (participant, number, sequence) in numbers {
            let (_, bytes) = rows.entry(*participant).or_insert((*number, Vec::new()));
            bytes.extend_from_slice(&sequence.to_be_bytes());
        }
        for (participant, (first, bytes)) in rows {
            let file = self.file(participant)?;
            if file.metadata()?.len() != first.saturating_sub(1) * ROW {
                return Err(io::Error::other("a participant's numbers have a gap"));
            }
            (&*file).write_all(&bytes)?;
            self.dirty.lock().unwrap_or_else(PoisonError::into_inner).insert(participant);
        }
        Ok(())
    }

    /// Makes appended rows durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let dirty = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        for participant in dirty {
            host::sync(&*self.file(participant)?, &path(&self.folder, participant))?;
        }
        Ok(())
    }

    /// The record that is a participant's number `number`, if it has come so far.
    pub(crate) fn sequence(
        &self,
        participant: ParticipantId,
        number: u64,
    ) -> io::Result<Option<u64>> {
        let Some(row) = number.checked_sub(1) else { return Ok(None) };
        let Some(file) = self.lock().get(&participant).map(Arc::clone) else { return Ok(None) };
        let mut bytes = [0; 8];
        let whole = file.read_at(&mut bytes, row * ROW)? == bytes.len();
        Ok(whole.then(|| u64::from_be_bytes(bytes)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ParticipantId, Arc<File>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, participant: ParticipantId) -> io::Result<Arc<File>> {
        let mut files = self.lock();
        if let Some(file) = files.get(&participant) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(open_file(&self.folder, participant)?);
        File::open(&self.folder)?.sync_all()?;
        files.insert(participant, Arc::clone(&file));
        Ok(file)
    }
}

fn open_file(folder: &Path, participant: ParticipantId) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path(folder, participant))
}

fn path(folder: &Path, participant: ParticipantId) -> PathBuf {
    folder.join(format!("{}.num", participant.0))
}

fn row_at(file: &File, row: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, row * ROW)?;
    Ok(u64::from_be_bytes(bytes))
}

/// Cuts off rows from the end that are of later records, or that a crash left without bytes: those
/// read as zero, which is the genesis record and nobody's. Whatever lies before was synced.
fn cut_rows(file: &File, records: u64) -> io::Result<()> {
    let mut rows = file.metadata()?.len() / ROW;
    while rows > 0 {
        let row = row_at(file, rows - 1)?;
        if row != 0 && row < records {
            break;
        }
        rows -= 1;
    }
    file.set_len(rows * ROW)
}
