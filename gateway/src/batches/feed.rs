//! Bytes that arrive in one task, as a source that a reader of another thread reads; it must never take more ahead than its channel holds.
use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::body::Bytes;
use tokio::sync::mpsc;

/// Pieces of a body that wait for the reader; HTTP gives them in at most some 64 KiB.
const PIECES: usize = 16;

/// The reader's end.
#[derive(Debug)]
pub struct Feed {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
    whole: Arc<AtomicBool>,
}

/// The end of who has the body.
#[derive(Debug)]
pub struct Feeder {
    pieces: mpsc::Sender<Bytes>,
    whole: Arc<AtomicBool>,
}

/// Whether the body came to its end.
#[derive(Clone, Debug)]
pub struct Whole(Arc<AtomicBool>);

impl Whole {
    /// Whether it did.
    #[must_use]
    pub fn reached(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Both ends.
#[must_use]
pub fn feed() -> (Feeder, Feed, Whole) {
    let (sender, pieces) = mpsc::channel(PIECES);
    let whole = Arc::new(AtomicBool::new(false));
    let feeder = Feeder { pieces: sender, whole: Arc::clone(&whole) };
    (feeder, Feed { pieces, piece: Bytes::new(), whole: Arc::clone(&whole) }, Whole(whole))
}

impl Feeder {
    /// Hands a piece over; false when the reader has gone.
    pub async fn give(&self, piece: Bytes) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// Says that nothing follows; a feeder that is dropped without broke off.
    pub fn end(self) {
        self.whole.store(true, Ordering::Release);
    }
}

impl Read for Feed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece,
                None if self.whole.load(Ordering::Acquire) => return Ok(0),
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "broke off")),
            }
        }
        let length = self.piece.len().min(into.len());
        let taken = self.piece.split_to(length);
        into[..length].copy_from_slice(&taken);
        Ok(length)
    }
}
