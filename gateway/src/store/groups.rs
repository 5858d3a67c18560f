//! One set of statements for many callers, and reads of many in one statement: what comes while one is under way goes together in the next; it never changes what each of them asks or is told.
use std::sync::Arc;

use batch_aint_one::{BatchError, Batcher, BatchingPolicy, Limits, Processor};
use sqlx::{PgPool, Postgres, pool::PoolConnection};

use super::{Connection, Error, leaving::Leaving};

/// The most of one statement.
const TOGETHER_MAX: usize = 256;
/// The most that wait; what admits requests and work keeps far below.
const WAITING_MAX: usize = 100_000;

/// Something that many callers do with one set of statements.
pub(super) trait Group: std::fmt::Debug + Send + Sync + 'static {
    /// What is asked.
    type Item: Send + Sync + 'static;
    /// What is told.
    type Answer: Send + 'static;

    /// Whether what is written must be on the disk when it is answered; not what the ledger tells
    /// again, or what means nothing without something durable that follows, which brings it to the disk.
    fn durable(_item: &Self::Item) -> bool {
        false
    }

    /// What is on its way to the ledger once an answer is committed.
    fn leaving(_answer: &mut Self::Answer) -> Vec<Leaving> {
        Vec::new()
    }

    /// Answers all, in order.
    fn run(
        connection: &mut Connection,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Error>> + Send;
}

/// The way to a group of readers, which needs no SQL transaction.
#[derive(Debug)]
pub(super) struct Grouped<G: Group<Item: Clone>> {
    batcher: Batcher<Runner<G>>,
}

impl<G: Group<Item: Clone>> Clone for Grouped<G> {
    fn clone(&self) -> Self {
        Self { batcher: self.batcher.clone() }
    }
}

impl<G: Group<Item: Clone>> Grouped<G> {
    /// So many statements at one time.
    pub(super) fn new(name: &'static str, pool: &PgPool, at_once: usize) -> Self {
        let limits = Limits::builder()
            .max_batch_size(TOGETHER_MAX)
            .max_key_concurrency(at_once)
            .max_key_queued_items(WAITING_MAX)
            .build();
        let processor = Runner { pool: pool.clone(), group: std::marker::PhantomData };
        let batcher = Batcher::builder()
            .name(name)
            .processor(processor)
            .limits(limits)
            .batching_policy(BatchingPolicy::Immediate)
            .build();
        Self { batcher }
    }

    /// Asks, and waits until it is answered.
    ///
    /// # Errors
    /// When the statement fails.
    pub(super) async fn ask(&self, item: G::Item) -> Result<G::Answer, Error> {
        match self.batcher.add((), item).await {
            Ok(answer) => Ok(answer),
            Err(BatchError::BatchFailed(error) | BatchError::ResourceAcquisitionFailed(error)) => {
                Err(Error::Shared(error))
            }
            // It ends with the process, or there are more than ever are let in.
            Err(_) => Err(Error::Statement(sqlx::Error::WorkerCrashed)),
        }
    }
}

#[derive(Debug)]
struct Runner<G> {
    pool: PgPool,
    group: std::marker::PhantomData<G>,
}

impl<G> Clone for Runner<G> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), group: self.group }
    }
}

impl<G: Group<Item: Clone>> Processor for Runner<G> {
    type Key = ();
    type Input = G::Item;
    type Output = G::Answer;
    type Error = Arc<Error>;
    type Resources = PoolConnection<Postgres>;

    async fn acquire_resources(&self, (): ()) -> Result<Self::Resources, Arc<Error>> {
        self.pool.acquire().await.map_err(|error| Arc::new(error.into()))
    }

    async fn process(
        &self,
        (): (),
        items: impl Iterator<Item = G::Item> + Send,
        mut connection: Self::Resources,
    ) -> Result<Vec<G::Answer>, Arc<Error>> {
        let items: Vec<G::Item> = items.collect();
        G::run(&mut connection, &items).await.map_err(Arc::new)
    }
}

/// Rows under the items that they belong to, by `WITH ORDINALITY`, which counts from 1.
pub(super) fn in_order<R>(items: usize, rows: impl Iterator<Item = (i64, R)>) -> Vec<Vec<R>> {
    let mut answers: Vec<Vec<R>> = (0..items).map(|_| Vec::new()).collect();
    for (place, row) in rows {
        let at = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
        if let Some(own) = at.and_then(|at| answers.get_mut(at)) {
            own.push(row);
        }
    }
    answers
}
