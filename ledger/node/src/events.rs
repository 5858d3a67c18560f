//! Streams of applied records as each reader may see them, from history first and then live; it decides no outcome.
mod open;
mod turns;

use std::{pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use ledger_types::ParticipantId;
use proto::{convert::RecordEvent, ledger as wire};
use services_runtime::shutdown::Shutdown;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{
    apply::Apply,
    history::{Cursor, History, Tip},
    propose::Place,
    state_store::States,
};
use open::Opener;
pub(crate) use turns::Turns;

/// How often a reader is told where the ledger is, whatever else it is told: who is behind does not see it by the records.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
/// Records read at once, and the runs that wait for their reader: what a reader that does not read
/// costs, beside what its connection buffers.
const RUN: usize = 64;
const AHEAD: usize = 1;
/// Records so near to the last are read where they are sent.
const LIVE: u64 = 256;

pub(crate) type Events = Pin<Box<dyn Stream<Item = Result<wire::Event, Status>> + Send>>;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reader {
    /// Its own records, by its own numbers.
    Participant(ParticipantId),
    /// Every record, all parts, no blobs.
    Operator,
}

/// What a stream needs.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) history: History,
    pub(crate) states: States,
    pub(crate) apply: Apply,
    pub(crate) turns: Turns,
    /// Ends the streams, which else would hold up the servers' end.
    pub(crate) shutdown: Shutdown,
}

impl Source {
    /// Events of `reader` from its number `from` on; its place is held until the stream ends.
    pub(crate) fn stream(&self, reader: Reader, from: u64, place: Place) -> Events {
        let (sender, events) = mpsc::channel(AHEAD);
        let tip = self.history.watch();
        let stream = Follow {
            opener: Opener::new(self.states.clone(), self.apply.clone(), reader),
            cursor: Cursor::new(self.history.clone()),
            history: self.history.clone(),
            turns: self.turns.clone(),
            reader,
            next: match reader {
                Reader::Participant(_) => from.max(1),
                Reader::Operator => from,
            },
        };
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                () = run(stream, tip, sender) => {}
                () = shutdown.cancelled() => {}
            }
        });
        Box::pin(ReceiverStream::new(events).map(stream::iter).flatten())
    }
}

struct Follow {
    opener: Opener,
    cursor: Cursor,
    history: History,
    turns: Turns,
    reader: Reader,
    next: u64,
}

type Sender = mpsc::Sender<Vec<Result<wire::Event, Status>>>;

async fn run(mut stream: Follow, mut tip: watch::Receiver<Tip>, sender: Sender) {
    // The first is due at once.
    let mut beat_at = Instant::now();
    loop {
        tip.mark_unchanged();
        if Instant::now() >= beat_at {
            beat_at = Instant::now() + HEARTBEAT_EVERY;
            if sender.send(vec![Ok(stream.heartbeat())]).await.is_err() {
                return;
            }
        }
        // Most entries are not this reader's: nothing else is asked for those.
        if matches!(stream.sequence(), Ok(None)) {
            tokio::select! {
                changed = tip.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(beat_at) => {}
                () = sender.closed() => return,
            }
            continue;
        }
        let events = if stream.live() {
            stream.run()
        } else {
            let Some(turn) = stream.turns.take(stream.reader).await else { return };
            // Reading files is not for this thread.
            let read = tokio::task::spawn_blocking(move || {
                let run = stream.run();
                drop(turn);
                (stream, run)
            });
            let Ok((back, events)) = read.await else { return };
            stream = back;
            events
        };
        match events {
            Ok(events) => {
                let event = |record: RecordEvent| wire::Event {
                    event: Some(wire::event::Event::Record(record.into())),
                };
                let events = events.into_iter().map(event).map(Ok).collect();
                if sender.send(events).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::error!(%error, "history cannot be read");
                let status = Status::internal("history cannot be read here; ask another node");
                drop(sender.send(vec![Err(status)]).await);
                return;
            }
        }
    }
}

impl Follow {
    /// The record of the next event, if it has come so far.
    fn sequence(&self) -> std::io::Result<Option<u64>> {
        match self.reader {
            Reader::Operator => {
                Ok(Some(self.next).filter(|next| *next < self.history.tip().records))
            }
            Reader::Participant(id) => self.history.sequence(id, self.next),
        }
    }

    /// Whether what is next was written just now: the system has it in memory, and another thread would cost more
    /// than it.
    fn live(&self) -> bool {
        let records = self.history.tip().records;
        matches!(self.sequence(), Ok(Some(next)) if records.saturating_sub(next) <= LIVE)
    }

    /// The next events, none when the reader has all.
    fn run(&mut self) -> std::io::Result<Vec<RecordEvent>> {
        let mut events = Vec::new();
        while events.len() < RUN {
            let Some(sequence) = self.sequence()? else { break };
            let record = self.cursor.record(sequence)?;
            events.push(self.opener.open(record, self.next, &mut self.cursor)?);
            self.next += 1;
        }
        Ok(events)
    }

    fn heartbeat(&self) -> wire::Event {
        let tip = self.history.tip();
        let beat = wire::Heartbeat {
            records: tip.records,
            at_micros: tip.at.micros(),
            next_number: self.next,
        };
        wire::Event { event: Some(wire::event::Event::Heartbeat(beat)) }
    }
}
