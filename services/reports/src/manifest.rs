//! What a report says of itself: what was asked, from where its figures are, which files it has; and who signs that. It
//! must never name what the signature does not cover.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use ledger_proof::codec::Digest;
use ledger_proof::note;
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::kind::{Asked, Kind};
use crate::store::Position;

const FIRST_LINE: &str = "causeway report v1";
/// What stands for the root where whoever made the report does not know it.
const NO_ROOT: &str = "-";

/// One file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name beside the manifest.
    pub name: String,
    pub digest: Digest,
}

impl File {
    #[must_use]
    pub fn of(name: String, bytes: &[u8]) -> Self {
        Self { name, digest: Sha256::digest(bytes).into() }
    }
}

/// What a report says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub kind: Kind,
    pub edition: u32,
    pub position: Position,
    /// Rows of its table.
    pub rows: u64,
    pub parameters: Vec<(String, String)>,
    pub files: Vec<File>,
}

impl Manifest {
    #[must_use]
    pub fn new(asked: &Asked, position: Position, rows: usize, files: Vec<File>) -> Self {
        let parameters = asked.parameters().into_iter();
        Self {
            kind: asked.kind,
            edition: asked.kind.edition(),
            position,
            rows: u64::try_from(rows).unwrap_or(u64::MAX),
            parameters: parameters.map(|(name, value)| (name.to_owned(), value)).collect(),
            files,
        }
    }

    /// The lines that are signed.
    #[must_use]
    pub fn text(&self) -> String {
        let Position { network, records, root, acts, query } = &self.position;
        let mut text = format!(
            "{FIRST_LINE}\nreport {} {}\nnetwork {}\nrecords {records}\nroot {}\nacts {acts}\nquery {}\nrows {}\n",
            self.kind.name(),
            self.edition,
            hex::encode(network),
            root.map_or_else(|| NO_ROOT.to_owned(), hex::encode),
            hex::encode(query),
            self.rows,
        );
        for (name, value) in &self.parameters {
            let _infallible = writeln!(text, "asked {name} {value}");
        }
        for file in &self.files {
            let _infallible = writeln!(text, "file {} {}", hex::encode(file.digest), file.name);
        }
        text
    }

    /// The manifest as a signed note of C2SP, under a name.
    #[must_use]
    pub fn sign(&self, name: &str, key: &SigningKey) -> String {
        let text = self.text();
        let signature = key.sign(text.as_bytes()).to_bytes();
        note::signed_note(&text, name, key.verifying_key().as_bytes(), &signature)
    }

    fn read(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Manifest(format!("{what} is missing or unreadable"));
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(wrong("its first line"));
        }
        let mut next = |word: &'static str| {
            let line = lines.next().and_then(|line| line.strip_prefix(word)?.strip_prefix(' '));
            line.map(str::to_owned).ok_or_else(|| wrong(word))
        };
        let report = next("report")?;
        let (kind, edition) = report.split_once(' ').ok_or_else(|| wrong("report"))?;
        let network = digest(&next("network")?).ok_or_else(|| wrong("network"))?;
        let records = next("records")?.parse().map_err(|_| wrong("records"))?;
        let root = match next("root")?.as_str() {
            NO_ROOT => None,
            text => Some(digest(text).ok_or_else(|| wrong("root"))?),
        };
        let acts = next("acts")?.parse().map_err(|_| wrong("acts"))?;
        let query = digest(&next("query")?).ok_or_else(|| wrong("query"))?;
        let rows = next("rows")?.parse().map_err(|_| wrong("rows"))?;
        let (mut parameters, mut files) = (Vec::new(), Vec::new());
        for line in lines {
            match line.split_once(' ') {
                Some(("asked", rest)) => {
                    let (name, value) = rest.split_once(' ').ok_or_else(|| wrong("asked"))?;
                    parameters.push((name.to_owned(), value.to_owned()));
                }
                Some(("file", rest)) => {
                    let (hash, name) = rest.split_once(' ').ok_or_else(|| wrong("file"))?;
                    let digest = digest(hash).ok_or_else(|| wrong("file"))?;
                    files.push(File { name: plain(name)?, digest });
                }
                _ => return Err(Error::Manifest(format!("the line {line:?} means nothing here"))),
            }
        }
        Ok(Self {
            kind: kind.parse()?,
            edition: edition.parse().map_err(|_| wrong("report"))?,
            position: Position { network, records, root, acts, query },
            rows,
            parameters,
            files,
        })
    }
}

/// A name of a file beside the manifest, and of none elsewhere.
fn plain(name: &str) -> Result<String, Error> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match !name.is_empty() && !name.starts_with('.') && name.bytes().all(letter) {
        true => Ok(name.to_owned()),
        false => Err(Error::Manifest(format!("{name:?} is no name of a file beside it"))),
    }
}

fn digest(text: &str) -> Option<Digest> {
    hex::decode(text).ok()?.try_into().ok()
}

/// A manifest that was read, and what signs it.
#[derive(Clone, Debug)]
pub struct Signed {
    pub manifest: Manifest,
    /// Who signed, by the name in the note.
    pub name: String,
    text: String,
    key_id: [u8; 4],
    signature: Signature,
}

impl Signed {
    /// Reads a signed manifest; whether the signature holds is for [`Signed::by`].
    ///
    /// # Errors
    /// [`Error::Manifest`] for what is none.
    pub fn read(note: &str) -> Result<Self, Error> {
        let wrong = || Error::Manifest("it has no signature line".to_owned());
        let (text, line) = note.rsplit_once("\n\u{2014} ").ok_or_else(wrong)?;
        let line = line.strip_suffix('\n').ok_or_else(wrong)?;
        let (name, encoded) = line.rsplit_once(' ').ok_or_else(wrong)?;
        let bytes = BASE64.decode(encoded).map_err(|_| wrong())?;
        let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or_else(wrong)?;
        let signature = Signature::from_slice(signature).map_err(|_| wrong())?;
        // The text ends with its line's end; the empty line between is the note's.
        let manifest = Manifest::read(text)?;
        if manifest.text() != text {
            return Err(Error::Manifest("it is not written as a manifest is".to_owned()));
        }
        let (text, name, key_id) = (text.to_owned(), name.to_owned(), *key_id);
        Ok(Self { manifest, name, text, key_id, signature })
    }

    /// Which of these keys signed it.
    #[must_use]
    pub fn by(&self, keys: &[Digest]) -> Option<Digest> {
        keys.iter().copied().find(|key| {
            note::key_id(&self.name, key) == self.key_id
                && VerifyingKey::from_bytes(key).is_ok_and(|own| {
                    own.verify_strict(self.text.as_bytes(), &self.signature).is_ok()
                })
        })
    }
}

#[cfg(test)]
mod tests;
