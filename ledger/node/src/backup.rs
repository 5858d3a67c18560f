//! A consistent copy as pieces: a checkpoint of the state and history up to it, without what the receiver has; it reads only.
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
    sync::Arc,
};

use proto::ledger::{self as wire, backup_piece::Piece};

use crate::{
    folder,
    history::{self, Position},
    snapshot::Folder,
};

const PIECE_BYTES: usize = 256 << 10;

/// One file to send.
#[derive(Debug)]
struct Part {
    name: String,
    path: std::path::PathBuf,
    from: u64,
    to: u64,
}

/// What goes over, in order.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Keeps the checkpoint until everything was sent.
    _folder: Arc<Folder>,
    parts: Vec<Part>,
    kept: Vec<String>,
}

impl Plan {
    /// Looks at what there is and at what the receiver has.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn new(
        checkpoint: Arc<Folder>,
        history_folder: &Path,
        position: &Position,
        has: Vec<wire::BackupFile>,
    ) -> io::Result<Self> {
        let has: HashMap<_, _> = has.into_iter().map(|file| (file.name.clone(), file)).collect();
        let (mut parts, mut kept) = (Vec::new(), Vec::new());
        for found in std::fs::read_dir(checkpoint.state())? {
            let path = found?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let (name, to) = (format!("state/{name}"), path.metadata()?.len());
            // The same name on another node, or after a replacement, is another file.
            let same = match has.get(&name).filter(|file| file.length == to) {
                Some(file) => folder::sha256_file(&path)?.1[..] == file.sha256[..],
                None => false,
            };
            match same {
                true => kept.push(name),
                false => parts.push(Part { name, path, from: 0, to }),
            }
        }
        for (name, length) in history::list(history_folder)? {
            // Own numbers follow from the records.
            if name.contains('/') {
                continue;
            }
            let to = history::extent(&name, length, position);
            let path = history_folder.join(&name);
            let name = format!("history/{name}");
            let from = has.get(&name).map_or(0, |file| file.length);
            if from > to {
                return Err(io::Error::other(
                    "the former backup reaches further than this node; ask another node",
                ));
            }
            if to > 0 {
                parts.push(Part { name, path, from, to });
            }
        }
        parts.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Self { _folder: checkpoint, parts, kept })
    }

    /// Bytes that go over.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.to - part.from).sum()
    }

    /// Gives every piece to `send`, the end last.
    ///
    /// # Errors
    /// The disk's, or that the receiver has gone: then the end was not sent.
    pub(crate) fn send(self, mut give: impl FnMut(Piece) -> io::Result<()>) -> io::Result<()> {
        for name in self.kept {
            give(Piece::Kept(name))?;
        }
        for part in self.parts {
            give(Piece::Part(wire::BackupPart { name: part.name, offset: part.from }))?;
            let mut file = File::open(&part.path)?;
            file.seek(SeekFrom::Start(part.from))?;
            let mut left = part.to - part.from;
            while left > 0 {
                let want = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
                let mut data = vec![0; want];
                file.read_exact(&mut data)?;
                left -= u64::try_from(want).map_err(io::Error::other)?;
                give(Piece::Data(data.into()))?;
            }
        }
        give(Piece::End(true))
    }
}
