//! The one writer of a gateway: whatever waits to be written, of every kind, goes in the next SQL transaction while the one before is under way; it never changes what each of them asks or is told.
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;
use sqlx::PgPool;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{
    Connection, Error, Transaction, commit,
    groups::Group,
    leaving::{Carrier, Leaving, Loaded},
    outbox::envelope_keep,
};

/// The most of one kind in one SQL transaction.
const TOGETHER_MAX: usize = 256;
/// SQL transactions that wait for the disk at one time, while the statements of the next go on. What
/// these need of rows that are not committed yet waits for them in Postgres, and what is read to be
/// written anew has its lock (`book.rs`).
const COMMITS_MAX: usize = 3;

type Answered<G> = Result<<G as Group>::Answer, Error>;
type Waiting<G> = Mutex<VecDeque<(<G as Group>::Item, oneshot::Sender<Answered<G>>)>>;

/// The way to the writer for one kind.
pub(super) struct Lane<G: Group> {
    waiting: Arc<Waiting<G>>,
    wake: mpsc::Sender<()>,
}

impl<G: Group> std::fmt::Debug for Lane<G> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Lane").field(&lock(&self.waiting).len()).finish()
    }
}

impl<G: Group> Lane<G> {
    /// Asks, and waits until it is answered and committed.
    ///
    /// # Errors
    /// When the item's statements fail, or the database does not answer.
    pub(super) async fn ask(&self, item: G::Item) -> Answered<G> {
        let (waiter, answer) = oneshot::channel();
        lock(&self.waiting).push_back((item, waiter));
        // One that is on its way wakes the writer for this too.
        if let Err(mpsc::error::TrySendError::Closed(())) = self.wake.try_send(()) {
            return Err(gone());
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// The writer ended, which only the end of the process or a mistake in a statement's code does.
fn gone() -> Error {
    Error::Statement(sqlx::Error::WorkerCrashed)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writer before it is started: its kinds are written in the order in which they were added.
pub(super) struct Writer {
    pool: PgPool,
    lazy: PgPool,
    carrier: Arc<dyn Carrier>,
    kinds: Vec<Box<dyn Kind>>,
    wake: mpsc::Sender<()>,
    news: mpsc::Receiver<()>,
}

impl Writer {
    /// `pool` commits what must be on the disk when it is answered, `lazy` the rest; `carrier` takes over
    /// what is on its way to the ledger.
    pub(super) fn new(pool: &PgPool, lazy: &PgPool, carrier: Arc<dyn Carrier>) -> Self {
        let (wake, news) = mpsc::channel(1);
        let (pool, lazy) = (pool.clone(), lazy.clone());
        Self { pool, lazy, carrier, kinds: Vec::new(), wake, news }
    }

    /// One more kind.
    pub(super) fn lane<G: Group>(&mut self) -> Lane<G> {
        let waiting = Arc::default();
        self.kinds.push(Box::new(Queue::<G> { waiting: Arc::clone(&waiting) }));
        Lane { waiting, wake: self.wake.clone() }
    }

    /// Writes until every lane is dropped.
    pub(super) fn start(self) {
        let Self { pool, lazy, carrier, kinds, wake, mut news } = self;
        drop(wake);
        tokio::spawn(async move {
            let commits = Arc::new(Semaphore::new(COMMITS_MAX));
            let pools = Pools { pool, lazy, carrier, commits };
            while news.recv().await.is_some() {
                loop {
                    let loads: Vec<_> = kinds.iter().filter_map(|kind| kind.take()).collect();
                    if loads.is_empty() {
                        break;
                    }
                    pools.write(loads).await;
                }
            }
        });
    }
}

/// What waits of one kind.
trait Kind: Send + Sync {
    /// Takes what waits.
    fn take(&self) -> Option<Box<dyn Load>>;
}

/// What is written of one kind in one SQL transaction.
trait Load: Send {
    fn durable(&self) -> bool;
    fn run<'a>(&'a mut self, connection: &'a mut Connection) -> BoxFuture<'a, Result<(), Error>>;
    /// What `run` put on its way to the ledger.
    fn leaving(&mut self) -> Vec<Leaving>;
    /// Tells what `run` found, once it is committed.
    fn answer(self: Box<Self>);
    fn fail(self: Box<Self>, error: Error);
    /// Each item alone.
    fn split(self: Box<Self>) -> Vec<Box<dyn Load>>;
}

struct Queue<G: Group> {
    waiting: Arc<Waiting<G>>,
}

impl<G: Group> Kind for Queue<G> {
    fn take(&self) -> Option<Box<dyn Load>> {
        let mut waiting = lock(&self.waiting);
        let length = waiting.len().min(TOGETHER_MAX);
        // Who went away before it began asked nothing.
        let left = waiting.drain(..length).filter(|(_, waiter)| !waiter.is_closed());
        let (items, waiters): (Vec<_>, Vec<_>) = left.unzip();
        let load = Batch::<G> { items, waiters, answers: Vec::new() };
        (!load.items.is_empty()).then(|| Box::new(load) as Box<dyn Load>)
    }
}

struct Batch<G: Group> {
    items: Vec<G::Item>,
    waiters: Vec<oneshot::Sender<Answered<G>>>,
    answers: Vec<G::Answer>,
}

impl<G: Group> Load for Batch<G> {
    fn durable(&self) -> bool {
        self.items.iter().any(G::durable)
    }

    fn run<'a>(&'a mut self, connection: &'a mut Connection) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.answers = G::run(connection, &self.items).await?;
            Ok(())
        })
    }

    fn leaving(&mut self) -> Vec<Leaving> {
        self.answers.iter_mut().flat_map(G::leaving).collect()
    }

    fn answer(self: Box<Self>) {
        for (waiter, answer) in self.waiters.into_iter().zip(self.answers) {
            let _left = waiter.send(Ok(answer));
        }
    }

    fn fail(self: Box<Self>, error: Error) {
        let mut waiters = self.waiters;
        match (waiters.pop(), waiters.is_empty()) {
            (Some(only), true) => drop(only.send(Err(error))),
            (last, _) => {
                let error = Arc::new(error);
                for waiter in waiters.into_iter().chain(last) {
                    let _left = waiter.send(Err(Error::Shared(Arc::clone(&error))));
                }
            }
        }
    }

    fn split(self: Box<Self>) -> Vec<Box<dyn Load>> {
        let each = self.items.into_iter().zip(self.waiters).map(|(item, waiter)| {
            let (items, waiters) = (vec![item], vec![waiter]);
            Box::new(Self { items, waiters, answers: Vec::new() }) as Box<dyn Load>
        });
        each.collect()
    }
}

struct Pools {
    pool: PgPool,
    lazy: PgPool,
    carrier: Arc<dyn Carrier>,
    /// Places of SQL transactions that wait for the disk.
    commits: Arc<Semaphore>,
}

/// An SQL transaction that only needs its commit, and what leaves with it.
struct Ready {
    transaction: Transaction,
    loaded: Option<Box<dyn Loaded>>,
}

impl Pools {
    /// Writes all together; if something is at fault, kind by kind, and of the kind that is at fault
    /// each alone: the others must not suffer for it.
    async fn write(&self, mut loads: Vec<Box<dyn Load>>) {
        let Ok(place) = Arc::clone(&self.commits).acquire_owned().await else { return };
        match self.run(&mut loads).await {
            Ok(ready) => {
                tokio::spawn(async move {
                    ready.finish(loads).await;
                    drop(place);
                });
            }
            Err(error) if error.unavailable() => fail_all(loads, error),
            Err(_) => {
                for load in loads {
                    self.apart(load).await;
                }
            }
        }
    }

    async fn apart(&self, mut load: Box<dyn Load>) {
        match self.run(std::slice::from_mut(&mut load)).await {
            Ok(ready) => ready.finish(vec![load]).await,
            Err(error) if error.unavailable() => load.fail(error),
            Err(_) => {
                for mut one in load.split() {
                    match self.run(std::slice::from_mut(&mut one)).await {
                        Ok(ready) => ready.finish(vec![one]).await,
                        Err(error) => one.fail(error),
                    }
                }
            }
        }
    }

    /// Everything but the commit.
    async fn run(&self, loads: &mut [Box<dyn Load>]) -> Result<Ready, Error> {
        let durable = loads.iter().any(|load| load.durable());
        let pool = if durable { &self.pool } else { &self.lazy };
        let mut transaction = pool.begin().await?;
        for load in &mut *loads {
            load.run(&mut transaction).await?;
        }
        let leaving: Vec<Leaving> = loads.iter_mut().flat_map(|load| load.leaving()).collect();
        let loaded = (!leaving.is_empty()).then(|| self.carrier.load(leaving));
        let carried = loaded.as_ref().map(|loaded| loaded.carried()).unwrap_or_default();
        if !carried.is_empty() {
            envelope_keep(&mut transaction, &carried).await?;
        }
        Ok(Ready { transaction, loaded })
    }
}

impl Ready {
    async fn finish(self, loads: Vec<Box<dyn Load>>) {
        match commit(self.transaction).await {
            Ok(()) => {
                if let Some(loaded) = self.loaded {
                    loaded.leave();
                }
                loads.into_iter().for_each(Load::answer);
            }
            Err(error) => fail_all(loads, error),
        }
    }
}

fn fail_all(loads: Vec<Box<dyn Load>>, error: Error) {
    let error = Arc::new(error);
    loads.into_iter().for_each(|load| load.fail(Error::Shared(Arc::clone(&error))));
}
