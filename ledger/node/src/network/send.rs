//! A snapshot as pieces of files: the checkpoint whole, of history only what the receiver lacks; it verifies nothing.
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use proto::peer::SnapshotPiece;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{history, snapshot::Folder, state_store::StateStore};

const PIECE_BYTES: usize = 256 << 10;

type Sender = mpsc::Sender<SnapshotPiece>;

/// Reads on a thread of its own; an error there ends the pieces before their last.
pub(super) fn pieces(
    head: Vec<u8>,
    folder: Arc<Folder>,
    history: PathBuf,
    has: Vec<(String, u64)>,
) -> ReceiverStream<SnapshotPiece> {
    let (sender, pieces) = mpsc::channel(16);
    tokio::task::spawn_blocking(move || {
        let sent = send_all(&sender, head, &folder, &history, has.into_iter().collect());
        if let Err(error) = sent {
            tracing::warn!(%error, "a snapshot was not sent to its end");
        }
    });
    ReceiverStream::new(pieces)
}

fn send_all(
    sender: &Sender,
    head: Vec<u8>,
    folder: &Folder,
    history: &Path,
    has: HashMap<String, u64>,
) -> io::Result<()> {
    send(sender, "head", head)?;
    for found in std::fs::read_dir(folder.state())? {
        let path = found?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            send_file(sender, &path, format!("state/{name}"), 0, u64::MAX)?;
        }
    }
    let position = StateStore::read_cut(&folder.state()).map_err(io::Error::other)?.history;
    for (name, length) in history::list(history)? {
        let from = has.get(&name).copied().unwrap_or(0);
        let to = history::extent(&name, length, &position);
        if from < to {
            let path = history.join(&name);
            send_file(sender, &path, format!("history/{name}@{from}"), from, to - from)?;
        }
    }
    send(sender, "end", Vec::new())
}

fn send_file(sender: &Sender, path: &Path, name: String, from: u64, length: u64) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut rest = file.take(length);
    let mut name = name;
    loop {
        let mut data = Vec::with_capacity(PIECE_BYTES);
        let got = (&mut rest).take(u64::try_from(PIECE_BYTES).unwrap_or(u64::MAX));
        let got = { got }.read_to_end(&mut data)?;
        if got == 0 && name.is_empty() {
            return Ok(());
        }
        send(sender, &std::mem::take(&mut name), data)?;
    }
}

fn send(sender: &Sender, file: &str, data: Vec<u8>) -> io::Result<()> {
    let piece = SnapshotPiece { file: file.to_owned(), data: data.into() };
    sender.blocking_send(piece).map_err(|_| io::Error::other("the receiver has gone"))
}
