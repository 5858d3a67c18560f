//! A snapshot as pieces of files: the checkpoint whole, of history only what the receiver lacks; it verifies nothing.
use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use proto::peer::SnapshotPiece;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{history, host, snapshot::Folder, state_store::StateStore};

const PIECE_BYTES: u64 = 256 << 10;

/// Reads where it holds up nobody; an error there ends the pieces before their last.
pub(super) fn pieces(
    head: Vec<u8>,
    folder: Arc<Folder>,
    history: PathBuf,
    has: Vec<(String, u64)>,
) -> ReceiverStream<SnapshotPiece> {
    let (sender, pieces) = mpsc::channel(16);
    tokio::spawn(async move {
        let sent = send_all(&sender, head, folder, history, has.into_iter().collect()).await;
        if let Err(error) = sent {
            tracing::warn!(%error, "a snapshot was not sent to its end");
        }
    });
    ReceiverStream::new(pieces)
}

async fn send_all(
    sender: &mpsc::Sender<SnapshotPiece>,
    head: Vec<u8>,
    folder: Arc<Folder>,
    history: PathBuf,
    has: HashMap<String, u64>,
) -> io::Result<()> {
    send(sender, piece("head", head)).await?;
    let mut reader = Reader { parts: parts(&folder, &history, &has)?, open: None };
    loop {
        let read = host::blocking(move || {
            let next = reader.next();
            (reader, next)
        });
        let Some((back, next)) = read.await else { return Ok(()) };
        reader = back;
        match next? {
            Some(next) => send(sender, next).await?,
            None => return send(sender, piece("end", Vec::new())).await,
        }
    }
}

/// A part of a file to send, under a name of its own.
struct Part {
    name: String,
    path: PathBuf,
    from: u64,
    length: u64,
}

/// What the receiver needs: every file of the checkpoint, and the ends of history's files.
fn parts(
    folder: &Folder,
    history: &Path,
    has: &HashMap<String, u64>,
) -> io::Result<VecDeque<Part>> {
    let mut parts = VecDeque::new();
    for found in std::fs::read_dir(folder.state())? {
        let path = found?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            let name = format!("state/{name}");
            parts.push_back(Part { name, path, from: 0, length: u64::MAX });
        }
    }
    let position = StateStore::read_cut(&folder.state()).map_err(io::Error::other)?.history;
    for (name, length) in history::list(history)? {
        let from = has.get(&name).copied().unwrap_or(0);
        let to = history::extent(&name, length, &position);
        if from < to {
            let path = history.join(&name);
            let name = format!("history/{name}@{from}");
            parts.push_back(Part { name, path, from, length: to - from });
        }
    }
    Ok(parts)
}

/// Reads the parts piece by piece.
struct Reader {
    parts: VecDeque<Part>,
    open: Option<io::Take<File>>,
}

impl Reader {
    fn next(&mut self) -> io::Result<Option<SnapshotPiece>> {
        if let Some(file) = &mut self.open {
            let mut data = Vec::new();
            file.take(PIECE_BYTES).read_to_end(&mut data)?;
            if !data.is_empty() {
                return Ok(Some(piece("", data)));
            }
        }
        let Some(part) = self.parts.pop_front() else { return Ok(None) };
        let mut file = File::open(&part.path)?;
        file.seek(SeekFrom::Start(part.from))?;
        self.open = Some(file.take(part.length));
        // Its name alone: a file may be empty.
        Ok(Some(piece(&part.name, Vec::new())))
    }
}

fn piece(file: &str, data: Vec<u8>) -> SnapshotPiece {
    SnapshotPiece { file: file.to_owned(), data: data.into() }
}

async fn send(sender: &mpsc::Sender<SnapshotPiece>, piece: SnapshotPiece) -> io::Result<()> {
    sender.send(piece).await.map_err(|_| io::Error::other("the receiver has gone"))
}
