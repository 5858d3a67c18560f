//! Exact matches of normal forms on lists in the OFAC `sdn.csv` and `alt.csv` formats; it scores nothing.
use std::{collections::HashMap, path::PathBuf};

use sha2::{Digest, Sha256};

use super::{Hit, Screening, Unavailable, Verdict, normal::normal};

/// What the lists write for an absent value.
const ABSENT: &str = "-0-";

/// Why a list can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No file.
    #[error("{}: cannot be read; check screening.sdn and screening.alt", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No CSV.
    #[error("{}: is not a list in the OFAC CSV format", file.display())]
    Format {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// No names: an empty list would clear everybody.
    #[error("screening.sdn: the lists hold no name; a gateway never starts without a list")]
    Empty,
}

/// Lists in memory, by normal form.
#[derive(Debug)]
pub struct ExactLists {
    entries: HashMap<String, Vec<(String, String)>>,
    version: String,
}

impl ExactLists {
    /// Loads files in the two formats.
    ///
    /// # Errors
    /// When a file is unreadable or no file holds a name.
    pub fn load(sdn: &[PathBuf], alt: &[PathBuf]) -> Result<Self, Error> {
        let mut lists = Self { entries: HashMap::new(), version: String::new() };
        let mut digest = Sha256::new();
        // sdn.csv: number, name, …; alt.csv: number, number of the alias, type, name, remarks.
        let files = sdn.iter().map(|file| (file, 1)).chain(alt.iter().map(|file| (file, 3)));
        for (file, column) in files {
            let read = |source| Error::Read { file: file.clone(), source };
            let bytes = std::fs::read(file).map_err(read)?;
            digest.update(&bytes);
            lists
                .add(&bytes, column)
                .map_err(|source| Error::Format { file: file.clone(), source })?;
        }
        lists.version = hex::encode(digest.finalize());
        if lists.entries.is_empty() { Err(Error::Empty) } else { Ok(lists) }
    }

    /// How many different normal forms are listed.
    #[must_use]
    pub fn names(&self) -> usize {
        self.entries.len()
    }

    fn add(&mut self, bytes: &[u8], column: usize) -> Result<(), csv::Error> {
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        for row in rows.byte_records() {
            let row = row?;
            let text = |at: usize| row.get(at).map(|field| String::from_utf8_lossy(field));
            // The files end with a lone 0x1A, which is a row without a name.
            let (Some(entry), Some(name)) = (text(0), text(column)) else { continue };
            let form = normal(&name);
            if name != ABSENT && !form.is_empty() {
                self.entries.entry(form).or_default().push((entry.into(), name.into()));
            }
        }
        Ok(())
    }
}

impl Screening for ExactLists {
    fn screen(&self, names: &[&str]) -> Result<Verdict, Unavailable> {
        let mut hits = Vec::new();
        for name in names {
            for (entry, listed) in self.entries.get(&normal(name)).into_iter().flatten() {
                hits.push(Hit {
                    entry: entry.clone(),
                    listed: listed.clone(),
                    list_version: self.version.clone(),
                });
            }
        }
        if hits.is_empty() { Ok(Verdict::Clear) } else { Ok(Verdict::Hits(hits)) }
    }
}
