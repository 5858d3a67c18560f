//! Batches one behind the other, each one SQL transaction, several at one time: it knows what must wait for what, and no row.
use std::{collections::VecDeque, sync::Arc, time::Duration};

use services_runtime::{
    faults::{crash_point, planted},
    trace::now_micros,
};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::{sync::watch, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Batch, Cursor, Error, Store,
    batch::{Booked, Stage},
    save,
};

/// Batches that are open at one time.
pub(super) const OPEN_MAX: u32 = 3;

/// The right end of schema `ledger`: batches go in here, in the order of their records. They are
/// booked one after the other, each from the books of those that are still open and from the tables,
/// and written side by side, each a [`Stage`] behind the one before. They end in order, under the lock
/// of the cursor, which must stand exactly where the batch begins.
///
/// Dropping it takes back whatever is not committed. Whoever goes on lets it come to [`rest`](Self::rest) instead, also
/// after an error: what is open is well on its way.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    /// What the tables are known to have.
    written: Cursor,
    /// What they will have once all that is open is written.
    booked: Cursor,
    /// The oldest first.
    open: VecDeque<Open>,
    /// What the newest has left behind it.
    newest: Option<Progress>,
}

#[derive(Debug)]
struct Open {
    booked: Arc<Booked>,
    begun: Instant,
    begun_micros: u64,
    writing: AbortOnDropHandle<Result<Batch, Error>>,
}

/// A committed batch.
#[derive(Debug)]
pub struct Written {
    /// Where the tables are.
    pub cursor: Cursor,
    /// What was written.
    pub batch: Batch,
    /// Since when, in microseconds of the Unix epoch.
    pub begun_micros: u64,
    /// From its booking to its commit.
    pub took: Duration,
}

impl Writer {
    /// Begins where the tables are, as [`Store::claim`] told.
    #[must_use]
    pub fn new(store: Store, held: Cursor) -> Self {
        Self { store, written: held.clone(), booked: held, open: VecDeque::new(), newest: None }
    }

    /// Where the tables are known to be.
    #[must_use]
    pub const fn cursor(&self) -> &Cursor {
        &self.written
    }

    /// Whether nothing is open.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether another batch may be given.
    #[must_use]
    pub fn takes(&self) -> bool {
        u32::try_from(self.open.len()).is_ok_and(|open| open < OPEN_MAX)
    }

    /// Writes batches one behind the other, to the last.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_all(
        mut self,
        batches: impl IntoIterator<Item = Batch>,
    ) -> Result<Cursor, Error> {
        let mut done = Ok(());
        for batch in batches {
            if !self.takes() {
                done = self.written().await.map(drop);
            }
            if done.is_ok() {
                done = self.write(batch).await;
            }
            if done.is_err() {
                break;
            }
        }
        for ended in self.rest().await {
            done = done.and(ended.map(drop));
        }
        done.map(|()| self.written)
    }

    /// Waits until nothing is open; gives what became of each.
    pub async fn rest(&mut self) -> Vec<Result<Written, Error>> {
        let mut ended = Vec::new();
        while !self.idle() {
            ended.push(self.written().await);
        }
        ended
    }

    /// Books a batch behind all that were given before, and begins to write it.
    ///
    /// # Errors
    /// When it is not written; the writer takes no more then. Let what is open come to rest, claim again
    /// and go on from the cursor.
    pub async fn write(&mut self, batch: Batch) -> Result<(), Error> {
        let (begun, begun_micros) = (Instant::now(), now_micros());
        let mut transaction = self.store.pool.begin().await.map_err(Error::statement("begin"))?;
        // What was written must be there for the books, and stay: if the database dies after this
        // look, the transaction dies with it.
        let found = super::look(&mut transaction).await?;
        found.holds(&self.written)?;
        let books = self.open.iter().rev().map(|open| &open.booked.book);
        let from = self.booked.clone();
        let booked = Arc::new(Booked::new(&mut transaction, from, &batch, books.clone()).await?);
        let waits = books.clone().any(|open| booked.book.needs(open));
        self.booked = booked.to.clone();
        let (progress, before) = watch::channel(None);
        let writing = Writing {
            pool: self.store.pool.clone(),
            booked: Arc::clone(&booked),
            before: self.newest.replace(before),
            waits,
            progress,
        };
        let writing = AbortOnDropHandle::new(tokio::spawn(writing.write(transaction, batch)));
        self.open.push_back(Open { booked, begun, begun_micros, writing });
        Ok(())
    }

    /// Waits until the oldest open batch is committed; forever if none is. May be cancelled.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn written(&mut self) -> Result<Written, Error> {
        let Some(oldest) = self.open.front_mut() else { return std::future::pending().await };
        let ended = (&mut oldest.writing).await.unwrap_or(Err(Error::Stopped));
        let oldest = self.open.pop_front().ok_or(Error::Stopped)?;
        let batch = ended?;
        self.written = oldest.booked.to.clone();
        let (cursor, took) = (self.written.clone(), oldest.begun.elapsed());
        Ok(Written { cursor, batch, begun_micros: oldest.begun_micros, took })
    }
}

/// What the task that writes a batch has.
struct Writing {
    pool: PgPool,
    booked: Arc<Booked>,
    /// What the batch before has left behind it; none where that is long committed.
    before: Option<Progress>,
    /// Whether its rows stand on rows of a batch before.
    waits: bool,
    progress: watch::Sender<Option<Stage>>,
}

/// The stage that a batch has left; the last one is left with the commit.
type Progress = watch::Receiver<Option<Stage>>;

impl Writing {
    async fn write(
        mut self,
        mut transaction: Transaction<'static, Postgres>,
        batch: Batch,
    ) -> Result<Batch, Error> {
        if self.waits {
            self.turn(Stage::Changes).await?;
        }
        for stage in [Stage::Records, Stage::Transfers, Stage::Postings] {
            self.turn(stage).await?;
            self.booked.write(stage, &mut transaction, &batch).await?;
            self.progress.send_replace(Some(stage));
        }
        self.turn(Stage::Changes).await?;
        lock(&mut transaction, &self.booked.from).await?;
        self.booked.write(Stage::Changes, &mut transaction, &batch).await?;
        self.commit(transaction).await?;
        crash_point("batch-committed");
        self.progress.send_replace(Some(Stage::Changes));
        Ok(batch)
    }

    async fn commit(&self, mut transaction: Transaction<'static, Postgres>) -> Result<(), Error> {
        let to = &self.booked.to;
        if planted("cursor-outside") {
            transaction.commit().await.map_err(Error::statement("commit"))?;
            crash_point("batch-cursor");
            let mut connection = self.pool.acquire().await.map_err(Error::statement("begin"))?;
            return save::cursor(&mut connection, to).await;
        }
        save::cursor(&mut transaction, to).await?;
        crash_point("batch-cursor");
        transaction.commit().await.map_err(Error::statement("commit"))
    }

    /// The batch before may have failed; then this one does, and is not the first to say so.
    async fn turn(&mut self, stage: Stage) -> Result<(), Error> {
        let Some(before) = &mut self.before else { return Ok(()) };
        let left = before.wait_for(|left| *left >= Some(stage)).await;
        left.map(|_| ()).map_err(|_| Error::Stopped)
    }
}

/// Locks the cursor, which must stand where the batch begins.
async fn lock(connection: &mut PgConnection, from: &Cursor) -> Result<(), Error> {
    let found = super::lock(connection).await?;
    found.holds(from)?;
    if found.next_sequence > from.next_sequence {
        return Err(Error::Gap { expected: found.next_sequence, found: from.next_sequence });
    }
    if found != *from {
        return Err(Error::Unreadable { column: "frontier" });
    }
    crash_point("batch-locked");
    Ok(())
}
