//! A report as the files that somebody takes away: a table in each format, and the signed manifest that names them. It must
//! never sign what it does not also give.

use ed25519_dalek::SigningKey;
use ledger_proof::codec::Digest;

use crate::error::Error;
use crate::kind::Asked;
use crate::manifest::{File, Manifest};
use crate::persons;
use crate::store::Position;
use crate::table::Table;
use crate::write::{self, Format, Head};

/// What a key is used for beside signing.
const PERSONS: &[u8] = b"causeway/persons/v1";

/// Who signs reports.
#[derive(Clone)]
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Signer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Signer {
    /// A name as a signed note has it, and the seed of an Ed25519 key.
    ///
    /// # Errors
    /// When the name is none.
    pub fn new(name: &str, seed: &Digest) -> Result<Self, Error> {
        let apart = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '+';
        if name.is_empty() || name.contains(apart) {
            return Err(Error::Invalid {
                field: "signer",
                reason: "must be a word without spaces and plus signs".to_owned(),
            });
        }
        Ok(Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// What persons' digests are made under: it follows from the key, and tells nothing of it.
    pub(crate) fn persons(&self) -> Digest {
        persons::mac(&self.key.to_bytes(), &[PERSONS])
    }

    /// What its signatures are believed by.
    #[must_use]
    pub fn public_key(&self) -> Digest {
        self.key.verifying_key().to_bytes()
    }
}

/// A report that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub manifest: Manifest,
    /// Name and bytes; the signed manifest is the last.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Made {
    /// Writes each format once, and signs them together.
    ///
    /// # Errors
    /// When a format can't hold the table.
    pub fn new(
        asked: &Asked,
        (table, position): (&Table, Position),
        formats: &[Format],
        signer: &Signer,
    ) -> Result<Self, Error> {
        let stem = format!("{}-{}", asked.kind.name(), position.records);
        let mut formats = formats.to_vec();
        formats.sort_unstable();
        formats.dedup();
        let (told, mut files) = (asked.parameters(), Vec::new());
        let (title, about) = (asked.kind.name(), asked.kind.about());
        let head = Head { title, about, position: &position, asked: &told };
        for format in formats {
            let bytes = write::write(table, format, &head)?;
            files.push((format!("{stem}.{}", format.name()), bytes));
        }
        let told = files.iter().map(|(name, bytes)| File::of(name.clone(), bytes)).collect();
        let manifest = Manifest::new(asked, position, table.rows.len(), told);
        files.push((
            format!("{stem}.report"),
            manifest.sign(&signer.name, &signer.key).into_bytes(),
        ));
        Ok(Self { manifest, files })
    }
}
