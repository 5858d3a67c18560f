//! A batch that is sent all or nothing: every row checked, priced and set aside, then all kept in one SQL transaction and sent in one envelope; one refusal releases everything and moves nothing.
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use ledger_types::{Rejection, TransferId};
use proto::convert::Network;
use services_runtime::error::chain;

use super::{refusal, send, taken, work::again};
use crate::{
    app::App,
    clock, measure, outbox,
    problem::{Code, Problem},
    store::{
        self,
        batches::{BatchRow, Refusal, RowEnd, WorkRow, batch_rows_sent},
        book::{self, Movement},
        keep::{self, Keep},
        outbox::{Carried, EnvelopeRow, OutboxRow, envelope_keep},
    },
    transfers::{
        approve,
        create::{self, Draft, Priced, Terms},
        order::Order,
        reserve,
    },
};

/// Before everything is tried again: ledger, quotes or store are away.
const AGAIN_PAUSE: Duration = Duration::from_secs(1);
/// How often the ledger's word is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A quote that ends sooner would be refused by the ledger.
const QUOTE_MARGIN_MICROS: u64 = 1_000_000;
/// Rows of one statement.
const KEPT_AT_ONCE: usize = 512;
/// How often all rows are quoted before a batch is too long for its quotes.
const QUOTES_MAX: u32 = 3;

/// Why a batch is not sent now.
enum Stopped {
    /// Rows are refused, by their numbers: the batch has ended.
    Refused(Vec<(i32, Refusal)>),
    /// The first quotes ended before everything was ready.
    QuotesEnded,
    /// To be tried again.
    Away(Problem),
}

impl From<Problem> for Stopped {
    fn from(problem: Problem) -> Self {
        Self::Away(problem)
    }
}

impl From<store::Error> for Stopped {
    fn from(error: store::Error) -> Self {
        Self::Away(error.into())
    }
}

/// Sends a batch to its end.
pub async fn run(app: &App, batch: &BatchRow) {
    let mut late = 0;
    loop {
        let left = again(|| app.store.batch_work(batch.id, &["waiting", "sending"])).await;
        let rejected = again(|| app.store.batch_work(batch.id, &["rejected"])).await;
        if let Some(first) = rejected.first() {
            return refuse(app, batch, first.number).await;
        }
        if left.is_empty() {
            return settle(app, batch).await;
        }
        match attempt(app, batch, left).await {
            Ok(()) => {}
            Err(Stopped::Refused(rows)) => {
                for (number, refused) in &rows {
                    let (number, refusal) = (*number, Some(refused.clone()));
                    let ended = RowEnd { batch: batch.id, number, refusal };
                    again(|| app.store.batch_row_end(ended.clone())).await;
                }
                measure::batch_rows("rejected", u64::try_from(rows.len()).unwrap_or(u64::MAX));
            }
            Err(Stopped::QuotesEnded) => {
                late += 1;
                if late == QUOTES_MAX {
                    return quotes_ended(app, batch).await;
                }
            }
            Err(Stopped::Away(problem)) => {
                tracing::info!(batch = %batch.id, code = problem.code, "batch waits");
                tokio::time::sleep(AGAIN_PAUSE).await;
            }
        }
    }
}

async fn quotes_ended(app: &App, batch: &BatchRow) {
    let mut refused = refusal(&Problem::refused(Rejection::QuoteExpired), None);
    refused.detail = "quote: the first quotes ended before the last row had its own; send fewer \
        rows, or best_effort"
        .to_owned();
    again(|| app.store.batch_refuse(batch.id, &refused)).await;
}

async fn refuse(app: &App, batch: &BatchRow, row: i32) {
    let detail = format!(
        "row {row} was refused, so nothing was sent; correct it and send the file \
        under a new Idempotency-Key"
    );
    let refused = refusal(&Problem::new(Code::BatchRefused, detail), None);
    again(|| app.store.batch_refuse(batch.id, &refused)).await;
}

/// Waits for the ledger's word on all, which the outbox brings even after a restart.
async fn settle(app: &App, batch: &BatchRow) {
    loop {
        let counts = again(|| app.store.batch_counts(batch.id, app.me)).await;
        if counts.iter().any(|count| count.status == "QUEUED") {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        let none =
            counts.iter().all(|count| matches!(count.status.as_str(), "REJECTED" | "BURNED"));
        if !none {
            return again(|| app.store.batch_end(batch.id)).await;
        }
        let states: Option<&[&str]> = Some(&["REJECTED", "BURNED"]);
        let of = (batch.id, app.me);
        let rows = again(|| app.store.batch_rows(of, states, (0, 10_000))).await;
        let own = rows.iter().find(|row| row.code.as_deref() != Some("REFUSED_WITH_OTHERS"));
        return refuse(app, batch, own.or(rows.first()).map_or(1, |row| row.number)).await;
    }
}

/// A row on its way.
struct Member {
    number: i32,
    order: Order,
    terms: Terms,
}

async fn attempt(app: &App, batch: &BatchRow, rows: Vec<WorkRow>) -> Result<(), Stopped> {
    app.room()?;
    let members = checked(app, batch, &rows).await?;
    // Nobody else works on these UETRs.
    let _turns = app.turns.take_all(members.iter().map(|member| member.order.uetr)).await;
    let known = app.store.batch_taken(batch.id, app.me).await?;
    if !known.is_empty() {
        return Err(Stopped::Refused(known.into_iter().map(|row| (row, taken())).collect()));
    }
    let done = sent(app, batch, &members).await;
    if let Err(Stopped::Refused(_)) = done {
        let mut transaction = app.store.begin().await?;
        for member in &members {
            create::return_quote(&mut transaction, &member.order).await?;
        }
        store::commit(transaction).await?;
    }
    done
}

async fn sent(app: &App, batch: &BatchRow, members: &[Member]) -> Result<(), Stopped> {
    let priced = priced(app, members).await?;
    let drafts = drafts(app, members, &priced).await?;
    let aside = match set_aside(app, members, &priced).await {
        Ok(aside) => aside,
        Err(stopped) => {
            release(app, members).await;
            return Err(stopped);
        }
    };
    let soon = clock::now().plus_micros(QUOTE_MARGIN_MICROS);
    if priced.iter().any(|priced| priced.submit_by.is_some_and(|by| by < soon)) {
        release(app, members).await;
        return Err(Stopped::QuotesEnded);
    }
    let ready = drafts.into_iter().zip(aside).collect();
    let kept = keep_all(app, batch, (members, &priced), ready).await;
    let (transaction, envelope, items) = match kept {
        Ok(kept) => kept,
        Err(stopped) => {
            release(app, members).await;
            return Err(stopped);
        }
    };
    if let Err(error) = store::commit(transaction).await {
        // A commit whose answer was lost may have kept them all.
        if again(|| app.store.batch_taken(batch.id, app.me)).await.is_empty() {
            release(app, members).await;
            return Err(error.into());
        }
    }
    items.iter().for_each(|_| measure::reached(true, "QUEUED"));
    measure::batch_rows("sent", u64::try_from(items.len()).unwrap_or(u64::MAX));
    if let Err(error) = outbox::send_kept(app, envelope, items).await {
        tracing::error!(cause = chain(&error), "envelope is sent again at the next start");
    }
    Ok(())
}

/// Every row that can be told wrong without a quote is told, not only the first.
async fn checked(app: &App, batch: &BatchRow, rows: &[WorkRow]) -> Result<Vec<Member>, Stopped> {
    let network = app.directory.current(&app.ledger).await?;
    let mut members = Vec::with_capacity(rows.len());
    let mut refused = Vec::new();
    for row in rows {
        let body = send::body(row)?;
        let order = send::order(&network, app.me, batch, body.clone());
        let checked = match order {
            Ok(order) => {
                let terms = create::check(app, &network, &order).await;
                terms.map(|terms| Member { number: row.number, order, terms })
            }
            Err(problem) => Err(problem),
        };
        match checked {
            Ok(member) => members.push(member),
            Err(problem) if send::ends(&problem) => {
                refused.push((row.number, refusal(&problem, Some(&body))));
            }
            Err(problem) => return Err(problem.into()),
        }
    }
    if refused.is_empty() { Ok(members) } else { Err(Stopped::Refused(refused)) }
}

async fn priced(app: &App, members: &[Member]) -> Result<Vec<Priced>, Stopped> {
    let network = app.directory.current(&app.ledger).await?;
    let mut asked = Vec::with_capacity(members.len());
    for member in members {
        asked.push(one_priced(app, &network, member).boxed());
    }
    let asked = stream::iter(asked);
    let all: Vec<_> = asked.buffered(app.batches.rows_max).collect().await;
    all_or_refused(members, all)
}

async fn one_priced(app: &App, network: &Network, member: &Member) -> Result<Priced, Problem> {
    let _place = app.batches.rows.acquire().await;
    let priced = create::price(app, network, &member.order, member.terms.clone()).await?;
    if approve::needed(app, &priced) {
        // What waits for a second pair of eyes can't move together with what does not.
        let detail = "the row is above the participant's own limit, and a batch of all or nothing \
            can't wait for approval; send it best_effort, or the row by POST /v1/transfers";
        return Err(Problem::new(Code::ApprovalRequired, detail));
    }
    Ok(priced)
}

async fn one_set_aside(
    app: &App,
    order: &Order,
    priced: &Priced,
) -> Result<Option<Movement>, Problem> {
    let _place = app.batches.rows.acquire().await;
    reserve::set_aside(app, order, priced).await
}

async fn set_aside(
    app: &App,
    members: &[Member],
    priced: &[Priced],
) -> Result<Vec<Option<Movement>>, Stopped> {
    let mut asked = Vec::with_capacity(members.len());
    for (member, priced) in members.iter().zip(priced) {
        asked.push(one_set_aside(app, &member.order, priced).boxed());
    }
    let asked = stream::iter(asked);
    let all: Vec<_> = asked.buffered(app.batches.rows_max).collect().await;
    all_or_refused(members, all)
}

/// Everything, or which rows are refused; what is only away is not held against a row.
fn all_or_refused<T>(members: &[Member], all: Vec<Result<T, Problem>>) -> Result<Vec<T>, Stopped> {
    let mut good = Vec::with_capacity(all.len());
    let (mut refused, mut away) = (Vec::new(), None);
    for (member, one) in members.iter().zip(all) {
        match one {
            Ok(value) => good.push(value),
            Err(problem) if send::ends(&problem) => {
                refused.push((member.number, refusal(&problem, None)));
            }
            Err(problem) => away = Some(problem),
        }
    }
    match (refused.is_empty(), away) {
        (false, _) => Err(Stopped::Refused(refused)),
        (true, Some(problem)) => Err(problem.into()),
        (true, None) => Ok(good),
    }
}

async fn drafts(app: &App, members: &[Member], priced: &[Priced]) -> Result<Vec<Draft>, Stopped> {
    let network = app.directory.current(&app.ledger).await?;
    let mut drafts = Vec::with_capacity(members.len());
    for (member, priced) in members.iter().zip(priced) {
        let draft = create::draft(app, &network, &member.order, priced);
        drafts.push(
            draft.map_err(|problem| {
                Stopped::Refused(vec![(member.number, refusal(&problem, None))])
            })?,
        );
        // Sealing is work: others have their turn.
        tokio::task::yield_now().await;
    }
    Ok(drafts)
}

async fn release(app: &App, members: &[Member]) {
    for member in members {
        let transfer = TransferId { debtor_agent: app.me, uetr: member.order.uetr };
        while let Err(error) = app.banking.release(transfer).await {
            tracing::warn!(cause = chain(&error), "not released, trying again");
            tokio::time::sleep(AGAIN_PAUSE).await;
        }
    }
}

/// What is ready to be committed.
type Kept = (store::Transaction, EnvelopeRow, Vec<OutboxRow>);

/// Keeps every transfer, the envelope that carries them, and that the rows were sent.
async fn keep_all(
    app: &App,
    batch: &BatchRow,
    (members, priced): (&[Member], &[Priced]),
    ready: Vec<(Draft, Option<Movement>)>,
) -> Result<Kept, Stopped> {
    let mut transaction = app.store.begin().await?;
    if !batch_rows_sent(&mut transaction, batch.id).await? {
        let detail = "batch: it was cancelled meanwhile; look at it";
        return Err(Problem::new(Code::RequestInProgress, detail).into());
    }
    let mut items = Vec::with_capacity(members.len());
    let all: Vec<Keep> = members
        .iter()
        .zip(priced)
        .zip(ready)
        .map(|((member, priced), ready)| create::to_keep(app, (&member.order, priced), ready))
        .collect();
    for some in all.chunks(KEPT_AT_ONCE) {
        for (row, kept) in keep::keep(&mut transaction, some).await?.into_iter().zip(some) {
            let uetr = kept.new.transfer.uetr;
            items.push(row.ok_or_else(|| Problem::refused(Rejection::UetrReused).of(uetr))?);
        }
    }
    // Last of all: others who move money wait from here to the commit.
    all_aside(&mut transaction, members, &all).await?;
    let envelope = outbox::together(app, &items).await;
    let envelope = envelope.map_err(|error| Problem::internal(&error))?;
    let carried = Carried::new(envelope, items.iter());
    envelope_keep(&mut transaction, std::slice::from_ref(&carried)).await?;
    Ok((transaction, carried.envelope, items))
}

/// Sets aside what the book has to, or tells every row that is refused.
async fn all_aside(
    connection: &mut store::Connection,
    members: &[Member],
    all: &[Keep],
) -> Result<(), Stopped> {
    let asked = |(member, one): (&'_ Member, &'_ Keep)| {
        Some((member.number, (one.new.transfer, one.set_aside.clone()?)))
    };
    let (numbers, asked): (Vec<i32>, Vec<_>) = members.iter().zip(all).filter_map(asked).unzip();
    let asked: Vec<_> = asked.iter().map(|(transfer, of)| (*transfer, of)).collect();
    let done = book::set_aside_apart(connection, &asked).await?;
    let refused = numbers.into_iter().zip(done).filter_map(|(number, done)| {
        Some((number, refusal(&reserve::refused(reserve::DEBTOR, done.err()?), None)))
    });
    let refused: Vec<_> = refused.collect();
    if refused.is_empty() { Ok(()) } else { Err(Stopped::Refused(refused)) }
}
