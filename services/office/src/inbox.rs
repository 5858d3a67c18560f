//! A watched folder: what lies in `incoming`, and where it goes once it was judged. It must never delete a file nor
//! look into one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::error::Error;

/// A file that was written to more recently may be still on its way.
const SETTLED: Duration = Duration::from_millis(500);

/// The three folders.
#[derive(Clone, Debug)]
pub struct Inbox {
    folder: PathBuf,
}

impl Inbox {
    /// Makes the folders that are missing.
    ///
    /// # Errors
    /// [`Error::File`] when one cannot be made.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        for name in ["incoming", "done", "refused"] {
            let path = folder.join(name);
            fs::create_dir_all(&path).map_err(|error| wrong(&path, &error))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Files that are whole, by name. Names that begin with a dot or end in `.part` or `.tmp` are still on their way.
    ///
    /// # Errors
    /// [`Error::File`] when the folder cannot be read.
    pub fn waiting(&self) -> Result<Vec<PathBuf>, Error> {
        let folder = self.folder.join("incoming");
        let listed = fs::read_dir(&folder).map_err(|error| wrong(&folder, &error))?;
        let now = SystemTime::now();
        let mut files: Vec<PathBuf> = listed
            .flatten()
            .filter(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let whole = !on_its_way(&name);
                let data = entry.metadata().ok().filter(|data| data.is_file() && whole);
                let written = data.and_then(|data| data.modified().ok());
                written.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age >= SETTLED))
            })
            .map(|entry| entry.path())
            .collect();
        files.sort();
        Ok(files)
    }

    /// Where a file is written to while it arrives, and where it lies once it is whole.
    #[must_use]
    pub fn arriving(&self, name: &str) -> (PathBuf, PathBuf) {
        let folder = self.folder.join("incoming");
        (folder.join(format!(".{name}.part")), free(&folder, name))
    }

    /// Reads a file, unless it is larger than what is taken.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn read(&self, file: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let size = fs::metadata(file).map_err(|error| wrong(file, &error))?.len();
        if size > bytes_max {
            let reason = format!("has {size} bytes, and {bytes_max} are taken");
            return Err(Error::File { path: file.display().to_string(), reason });
        }
        fs::read(file).map_err(|error| wrong(file, &error))
    }

    /// Puts a judged file away, its findings beside it if it was refused.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn put_away(&self, file: &Path, refused: Option<&str>) -> Result<PathBuf, Error> {
        let folder = self.folder.join(if refused.is_some() { "refused" } else { "done" });
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = free(&folder, &name);
        if let Some(findings) = refused {
            let beside = PathBuf::from(format!("{}.findings.json", place.display()));
            fs::write(&beside, findings).map_err(|error| wrong(&beside, &error))?;
        }
        fs::rename(file, &place).map_err(|error| wrong(file, &error))?;
        Ok(place)
    }
}

/// Whether a file of this name is still being written.
#[must_use]
pub fn on_its_way(name: &str) -> bool {
    name.starts_with('.') || name.ends_with(".part") || name.ends_with(".tmp")
}

/// A name that no file has: a second file of one name gets a number.
fn free(folder: &Path, name: &str) -> PathBuf {
    let first = folder.join(name);
    if !first.exists() {
        return first;
    }
    let numbered = (2_u32..).map(|number| folder.join(format!("{number}-{name}")));
    numbered.into_iter().find(|path| !path.exists()).unwrap_or(first)
}

fn wrong(path: &Path, error: &io::Error) -> Error {
    Error::File { path: path.display().to_string(), reason: error.to_string() }
}
