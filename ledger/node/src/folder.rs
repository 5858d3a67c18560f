//! A folder that holds a history, a stopped node's data or a backup, and the manifest of a backup; it is read only.
use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use ledger_proof::{Digest, Frontier};
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    history::{Position, Scan},
    replay::{Fault, Progress, Replayed, differs},
    state_store::{StateStore, current},
};

/// The file that says what a backup holds; it is written last.
pub const MANIFEST: &str = "manifest.json";
/// The version of a backup's layout.
pub const FORMAT: u32 = 1;

/// What a backup holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the layout.
    pub format: u32,
    /// The network's id, hexadecimal.
    pub network_id: String,
    /// Records.
    pub records: u64,
    /// The root over them, hexadecimal.
    pub root: String,
    /// The last log entry in the state.
    pub applied_index: u64,
    /// Replicated time of the last record, microseconds since 1970.
    pub at_micros: u64,
    /// From which node.
    pub node: u64,
    /// The version of the program that made it.
    pub made_by: String,
    /// The folder of the state.
    pub state: String,
    /// Every file, in order of their names.
    pub files: Vec<ManifestFile>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its path in the backup.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Reads a backup's manifest; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is of another format.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(MANIFEST);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file(&path)(error)),
        };
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|_| Error::Damaged { what: path.display().to_string() })?;
        if manifest.format != FORMAT {
            let what = format!("{}, of format {}", path.display(), manifest.format);
            return Err(Error::Damaged { what });
        }
        Ok(Some(manifest))
    }
}

/// What a folder holds, and what it must agree with.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) history: PathBuf,
    pub(crate) state: Option<PathBuf>,
    pub(crate) records: u64,
    position: Option<Position>,
    manifest: Option<Manifest>,
}

impl Source {
    /// Looks at a folder.
    ///
    /// # Errors
    /// When it is neither a node's data nor a backup.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let history = folder.join("history");
        if let Some(manifest) = Manifest::read(folder)? {
            let state = Some(folder.join(&manifest.state));
            let (records, position) = (manifest.records, None);
            return Ok(Self { history, state, records, position, manifest: Some(manifest) });
        }
        let states = folder.join("state");
        let state = states.join(current(&states).map_err(Error::file(&states))?);
        if !state.is_dir() || !history.is_dir() {
            let reason = format!(
                "{}: is neither a node's data folder nor a backup; give one",
                folder.display()
            );
            return Err(Error::Settings { field: "folder", reason });
        }
        let position = StateStore::read_cut(&state)?.history;
        let records = position.records;
        let position = Some(position);
        Ok(Self { history, state: Some(state), records, position, manifest: None })
    }

    pub(crate) fn failed(&self) -> impl FnOnce(io::Error) -> Error {
        Error::file(&self.history)
    }

    /// Whether what was found is what the manifest, or the state, says.
    ///
    /// # Errors
    /// In what it differs.
    pub(crate) fn compare(&self, found: &Replayed) -> Result<(), Fault> {
        if let Some(manifest) = &self.manifest {
            let same = manifest.network_id == found.network.to_string()
                && manifest.root == hex::encode(found.root)
                && manifest.records == found.records;
            if !same {
                return Err(differs(
                    found.records,
                    "network, root or records are not the manifest's",
                ));
            }
        }
        self.same_root(found.records, found.root)
    }

    fn same_root(&self, records: u64, root: Digest) -> Result<(), Fault> {
        let Some(position) = &self.position else { return Ok(()) };
        let frontier = match position.frontier.is_empty() {
            true => Frontier::default(),
            false => ledger_proof::Field::from_bytes(&position.frontier).map_err(Error::State)?,
        };
        if frontier.root() != root {
            return Err(differs(
                records,
                "the root is not the one that the state was written with",
            ));
        }
        Ok(())
    }
}

/// What was verified.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Files whose length and SHA-256 were compared.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// The root over them.
    pub root: Digest,
}

/// Compares every file with the manifest, if there is one, and every record with its leaf hash and
/// number, and the root over all.
///
/// # Errors
/// The first fault.
pub fn verify(folder: &Path, progress: Progress<'_>) -> Result<Verified, Fault> {
    let source = Source::open(folder)?;
    let (mut files, mut bytes) = (0, 0);
    for file in source.manifest.iter().flat_map(|manifest| &manifest.files) {
        same_file(folder, file)?;
        files += 1;
        bytes += file.bytes;
    }
    let mut scan = Scan::open(&source.history, source.records).map_err(source.failed())?;
    let mut records = 0;
    while let Some(entry) = scan.entry()? {
        records += u64::try_from(entry.records.len()).unwrap_or(0);
        progress(records);
    }
    let root = scan.frontier().root();
    if source.manifest.as_ref().is_some_and(|manifest| manifest.root != hex::encode(root)) {
        return Err(differs(records, "the root is not the manifest's"));
    }
    source.same_root(records, root)?;
    Ok(Verified { files, bytes, records, root })
}

/// How many records a folder says that it holds.
///
/// # Errors
/// When it is neither a node's data nor a backup.
pub fn records(folder: &Path) -> Result<u64, Error> {
    Ok(Source::open(folder)?.records)
}

fn same_file(folder: &Path, file: &ManifestFile) -> Result<(), Fault> {
    let path = folder.join(&file.name);
    let wrong = |what: String| Fault::File { file: path.clone(), what };
    let (bytes, sha256) = sha256_file(&path).map_err(|error| wrong(error.to_string()))?;
    if bytes != file.bytes {
        return Err(wrong(format!("has {bytes} bytes, and the manifest says {}", file.bytes)));
    }
    if hex::encode(sha256) != file.sha256 {
        return Err(wrong("has another SHA-256 than the manifest says".to_owned()));
    }
    Ok(())
}

/// Length and SHA-256 of a file.
///
/// # Errors
/// The disk's.
pub fn sha256_file(path: &Path) -> io::Result<(u64, Digest)> {
    use sha2::Digest as _;
    let mut file = File::open(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hasher.finalize().into())),
            got => {
                hasher.update(&buffer[..got]);
                bytes += u64::try_from(got).unwrap_or(0);
            }
        }
    }
}
