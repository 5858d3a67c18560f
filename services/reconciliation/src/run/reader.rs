//! Reads the ledger's stream ahead of the tables: what is written is checked, decoded and encoded before its turn, on other threads; it writes nothing.
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use ledger_types::Timestamp;
use proto::{
    LedgerClient, client,
    convert::{Balance, Event, RecordEvent},
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, Interval, MissedTickBehavior},
};
use tracing::debug;

use super::{Error, SILENCE_MAX, chain};
use crate::{
    Settings,
    record::{self, Record},
    store::Batch,
};

/// A batch ends here too: several wait in memory, each about three times.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// The first batch ends after so many records and each after it may be twice as long, so that writing begins while
/// most is still to be read.
const FIRST_BATCH_RECORDS: usize = 2_048;
/// Batches that wait while one is written and one is read.
const WAITING: usize = 1;

/// The ledger's balances and the number of records they follow from.
pub(super) type LedgerBalances = (Vec<Balance>, u64);

/// What was read, and what is known of the ledger then.
#[derive(Debug)]
pub(super) struct Ahead {
    /// Records in the making; none with a heartbeat while nothing happens.
    pub(super) batch: Option<JoinHandle<Result<Batch, record::Error>>>,
    /// How many records the ledger is known to have.
    pub(super) tip: u64,
    /// The ledger's time as last heard.
    pub(super) heard_at: Timestamp,
    /// Its balances at the very record that the batch ends with.
    pub(super) tie_out: Option<LedgerBalances>,
}

/// What a task that reads hands over, or why it ended.
pub(super) type Read = mpsc::Receiver<Result<Ahead, Error>>;

/// Reads from a record on until nobody listens; ends with the error it hands over.
pub(super) async fn read(
    client: LedgerClient,
    settings: Settings,
    next: u64,
    sender: mpsc::Sender<Result<Ahead, Error>>,
) {
    let mut ticks = tokio::time::interval(Duration::from_millis(settings.tie_out_ms));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reader = Reader {
        client,
        next,
        raw: Vec::new(),
        records_max: settings.batch_records_max.min(FIRST_BATCH_RECORDS),
        settings,
        bytes: 0,
        due: Instant::now(),
        tip: 0,
        heard_at: Timestamp::ZERO,
        tie_out: None,
    };
    let Err(failure) = reader.read(&sender, ticks).await;
    // The writer may have ended first.
    let _gone = sender.send(Err(failure)).await;
}

/// A channel for [`read`].
pub(super) fn channel() -> (mpsc::Sender<Result<Ahead, Error>>, Read) {
    mpsc::channel(WAITING)
}

struct Reader {
    client: LedgerClient,
    settings: Settings,
    /// The number of the record that is due.
    next: u64,
    raw: Vec<RecordEvent>,
    /// After how many records the batch ends.
    records_max: usize,
    bytes: usize,
    /// When what was read is handed over.
    due: Instant,
    tip: u64,
    heard_at: Timestamp,
    tie_out: Option<LedgerBalances>,
}

impl Reader {
    async fn read(
        mut self,
        sender: &mpsc::Sender<Result<Ahead, Error>>,
        mut ticks: Interval,
    ) -> Result<std::convert::Infallible, Error> {
        let mut events = self.client.events(self.next, true).await.map_err(Error::Ledger)?;
        loop {
            // What is there is taken without a look at the clock, as long as a batch goes on.
            let mut flush = false;
            while !flush && let Some(event) = events.next().now_or_never() {
                flush = self.came(event)?;
            }
            let flush = flush
                || tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(self.due), if !self.raw.is_empty() => true,
                    event = tokio::time::timeout(SILENCE_MAX, events.next()) => {
                        self.came(event.map_err(|_| Error::Stream("fell silent"))?)?
                    }
                    _ = ticks.tick(), if self.tie_out.is_none() => self.ask_balances().await,
                };
            if flush {
                // Waits while enough is waiting: the stream stops meanwhile, and the ledger with it.
                let ahead = self.hand_over();
                sender.send(Ok(ahead)).await.map_err(|_| Error::Stream("is not read"))?;
            }
        }
    }

    /// Takes what came of the stream; tells whether what was read is handed over.
    fn came(&mut self, event: Option<Result<Event, client::Error>>) -> Result<bool, Error> {
        let event = event.ok_or(Error::Stream("ended"))?.map_err(Error::Ledger)?;
        Ok(self.take(event))
    }

    /// Takes one event; tells whether what was read is handed over.
    fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Heartbeat { records, at, .. } => {
                self.tip = records;
                self.heard_at = self.heard_at.max(at);
                // While more is coming a batch goes on.
                records <= self.next
            }
            Event::Record(event) => {
                if self.raw.is_empty() {
                    let wait = Duration::from_millis(self.settings.batch_wait_ms);
                    self.due = Instant::now() + wait;
                }
                self.next = event.sequence.saturating_add(1);
                self.tip = self.tip.max(self.next);
                self.heard_at = self.heard_at.max(event.at);
                let parts = event.parts.iter().map(|(_, _, bytes)| bytes.len()).sum::<usize>();
                self.bytes += parts + event.item.as_ref().map_or(0, bytes::Bytes::len);
                self.raw.push(*event);
                // Balances can be compared only at the very record they were read at.
                self.at_tie_out()
                    || self.raw.len() >= self.records_max
                    || self.bytes >= BATCH_BYTES_MAX
            }
        }
    }

    fn at_tie_out(&self) -> bool {
        self.tie_out.as_ref().is_some_and(|(_, records)| *records == self.next)
    }

    /// Asks the ledger for its balances; tells whether what was read ends where they stand.
    async fn ask_balances(&mut self) -> bool {
        match self.client.balances(None).await {
            // Where it has gone beyond, the next turn is another chance.
            Ok(balances) => self.tie_out = Some(balances).filter(|(_, at)| *at >= self.next),
            Err(failure) => {
                debug!(error = chain(&Error::Ledger(failure)), "no balances to compare with");
            }
        }
        self.at_tie_out()
    }

    fn hand_over(&mut self) -> Ahead {
        let raw = std::mem::take(&mut self.raw);
        let empty = raw.is_empty();
        if raw.len() >= self.records_max {
            self.records_max = self.settings.batch_records_max.min(2 * self.records_max);
        }
        self.bytes = 0;
        let tie_out = if self.at_tie_out() { self.tie_out.take() } else { None };
        // Digests are made again on a thread of its own, while others are read.
        let read = move || {
            let records: Result<Vec<_>, _> = raw.into_iter().map(Record::read).collect();
            records.map(Batch::new)
        };
        let batch = (!empty).then(|| tokio::task::spawn_blocking(read));
        Ahead { batch, tip: self.tip, heard_at: self.heard_at, tie_out }
    }
}
