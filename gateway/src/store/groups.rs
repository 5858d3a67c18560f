//! Statements of many callers in one SQL transaction: what comes while one is under way goes together in the next; it never changes what each of them asks or is told.
use std::sync::Arc;

use batch_aint_one::{BatchError, Batcher, BatchingPolicy, Limits, Processor};
use sqlx::{PgPool, Postgres, pool::PoolConnection};

use super::{Connection, Error, Transaction};

/// The most of one SQL transaction.
const TOGETHER_MAX: usize = 256;
/// The most that wait; what admits requests and work keeps far below.
const WAITING_MAX: usize = 100_000;

/// Something that many callers do with one set of statements.
pub(super) trait Group: std::fmt::Debug + Send + Sync + 'static {
    /// What is asked.
    type Item: Clone + Send + Sync + 'static;
    /// What is told.
    type Answer: Send + 'static;
    /// Whether each of its statements stands for itself, and so needs no SQL transaction.
    const PLAIN: bool = false;

    /// Answers all, in order.
    fn run(
        connection: &mut Connection,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Error>> + Send;
}

/// The way to a group.
#[derive(Debug)]
pub(super) struct Grouped<G: Group> {
    batcher: Batcher<Runner<G>>,
}

impl<G: Group> Clone for Grouped<G> {
    fn clone(&self) -> Self {
        Self { batcher: self.batcher.clone() }
    }
}

impl<G: Group> Grouped<G> {
    /// So many SQL transactions at one time.
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

    /// Asks, and waits until it is answered and committed.
    ///
    /// # Errors
    /// When the item's statements fail, or those of all do.
    pub(super) async fn ask(&self, item: G::Item) -> Result<G::Answer, Error> {
        match self.batcher.add((), item).await {
            Ok(answer) => answer,
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

/// A connection of the pool, with an SQL transaction begun where statements belong together.
#[derive(Debug)]
enum Held {
    Plain(PoolConnection<Postgres>),
    Begun(Transaction),
}

impl<G: Group> Processor for Runner<G> {
    type Key = ();
    type Input = G::Item;
    type Output = Result<G::Answer, Error>;
    type Error = Arc<Error>;
    type Resources = Held;

    async fn acquire_resources(&self, (): ()) -> Result<Held, Arc<Error>> {
        self.hold().await.map_err(Arc::new)
    }

    async fn process(
        &self,
        (): (),
        items: impl Iterator<Item = G::Item> + Send,
        held: Held,
    ) -> Result<Vec<Self::Output>, Arc<Error>> {
        let items: Vec<G::Item> = items.collect();
        match whole::<G>(held, &items).await {
            Ok(answers) => Ok(answers.into_iter().map(Ok).collect()),
            Err(error) if error.unavailable() => Err(Arc::new(error)),
            Err(error) if items.len() == 1 => Ok(vec![Err(error)]),
            // One of them is at fault: the others must not suffer for it.
            Err(_) => {
                let mut answers = Vec::with_capacity(items.len());
                for item in &items {
                    answers.push(self.alone(item).await);
                }
                Ok(answers)
            }
        }
    }
}

impl<G: Group> Runner<G> {
    async fn hold(&self) -> Result<Held, Error> {
        Ok(match G::PLAIN {
            true => Held::Plain(self.pool.acquire().await?),
            false => Held::Begun(self.pool.begin().await?),
        })
    }

    async fn alone(&self, item: &G::Item) -> Result<G::Answer, Error> {
        let answers = whole::<G>(self.hold().await?, std::slice::from_ref(item)).await?;
        answers.into_iter().next().ok_or(Error::Unanswered)
    }
}

async fn whole<G: Group>(held: Held, items: &[G::Item]) -> Result<Vec<G::Answer>, Error> {
    match held {
        Held::Plain(mut connection) => G::run(&mut connection, items).await,
        Held::Begun(mut transaction) => {
            let answers = G::run(&mut transaction, items).await?;
            super::commit(transaction).await?;
            Ok(answers)
        }
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
