//! Receives a batch: bytes to rows to the store, in chunks, while they come; it must never hold more than a few chunks, and sends nothing before the file's end.
use std::time::{Duration, Instant};

use axum::body::Body;
use futures_util::StreamExt as _;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    BYTES_MAX, Form, ROWS_MAX, TOGETHER_ROWS_MAX,
    feed::{Feeder, feed},
    read::{self, Failure, Own, Row},
    refusal, taken, uetr,
};
use crate::{
    app::App,
    clock::rfc3339,
    problem::{Code, Problem},
    store::batches::{self, BatchRow, NewRow, Received, Refusal, SameFile},
};

/// Rows written in one SQL transaction.
const CHUNK_ROWS: usize = 500;
/// Their orders' bytes, from which a chunk is written though it has fewer.
const CHUNK_BYTES: usize = 1 << 20;
/// Chunks that wait for the store.
const CHUNKS: usize = 2;
/// In this time of waiting for the sender so many bytes must come.
const PROGRESS_TIME: Duration = Duration::from_secs(30);
const PROGRESS_BYTES: u64 = 16 << 10;
/// All the time that is waited for the sender.
const WAITING_MAX: Duration = Duration::from_secs(3_600);

/// What came.
#[derive(Debug)]
pub struct Came {
    rows: u32,
    original: Value,
}

/// Receives the body of a batch, new or sent again, to its end.
///
/// # Errors
/// A file that is wrong, is another than was sent under the key, or breaks off.
pub async fn receive(app: &App, batch: &BatchRow, form: Form, body: Body) -> Result<Came, Problem> {
    let rows_max = if batch.mode == "all_or_nothing" { TOGETHER_ROWS_MAX } else { ROWS_MAX };
    let came = came(app, batch, form, body, rows_max).await;
    if let Err(problem) = &came {
        let wrong = [Code::BatchUnreadable, Code::BatchTooLarge, Code::BatchTotalsDiffer];
        if wrong.into_iter().any(|code| problem.is(code)) {
            app.store.batch_refuse(batch.id, &refusal(problem, None)).await?;
        }
    }
    came
}

async fn came(
    app: &App,
    batch: &BatchRow,
    form: Form,
    body: Body,
    rows_max: u32,
) -> Result<Came, Problem> {
    let own = own(app).await?;
    let (feeder, source, whole) = feed();
    let (chunks, waiting) = mpsc::channel::<Vec<NewRow>>(CHUNKS);
    let id = batch.id;
    let reading = tokio::task::spawn_blocking(move || {
        let mut chunk = Chunk { rows: Vec::new(), bytes: 0, chunks };
        let mut rows = 0;
        let mut put = |row: Row| {
            rows = row.number;
            // One more is taken, so that too many are seen.
            rows <= rows_max + 1 && chunk.put(new_row(id, row))
        };
        let read = read::read(form, source, &own, &mut put);
        let gone = !chunk.flush();
        (rows, read, gone)
    });
    let (pumped, kept) = tokio::join!(pump(body, feeder), kept(app, id, waiting, rows_max));
    let (rows, read, _gone) = reading.await.map_err(|error| Problem::internal(&error))?;
    kept?;
    pumped?;
    match read {
        Ok(_) if rows == 0 => {
            Err(Problem::new(Code::BatchUnreadable, "body: it has no rows; send at least one"))
        }
        Ok(_) if rows > rows_max => Err(too_many(rows_max)),
        Ok(original) => Ok(Came { rows, original }),
        Err(_) if !whole.reached() => Err(broke_off()),
        Err(Failure::Refused(problem)) => Err(*problem),
        Err(Failure::Gone) if rows > rows_max => Err(too_many(rows_max)),
        Err(Failure::Broken | Failure::Gone) => Err(broke_off()),
    }
}

/// Keeps chunks as they come; when it ends, the reader sees that nobody takes rows.
async fn kept(
    app: &App,
    batch: Uuid,
    mut chunks: mpsc::Receiver<Vec<NewRow>>,
    rows_max: u32,
) -> Result<(), Problem> {
    while let Some(rows) = chunks.recv().await {
        if rows.last().and_then(|row| u32::try_from(row.number).ok()) > Some(rows_max) {
            return Err(too_many(rows_max));
        }
        if let Some(number) = app.store.batch_keep(batch, &rows).await? {
            return Err(another(&format!("row {number}")));
        }
    }
    Ok(())
}

/// Closes an upload that came to its end: from here on its rows are sent. A file that came before is kept out unless it is
/// meant to be sent `again`.
///
/// # Errors
/// When another number of rows came under the key before, the same file under another, or the store fails.
pub async fn close(app: &App, batch: &BatchRow, came: &Came, again: bool) -> Result<(), Problem> {
    let twice = taken();
    let same_within = if again { Duration::ZERO } else { app.batches.same_within };
    let (rows, original) = (i64::from(came.rows), &came.original);
    let end = batches::Came { rows, original, twice: &twice, same_within };
    match app.store.batch_received(batch.id, &end).await? {
        Received::Whole => {
            app.batches.wake();
            Ok(())
        }
        Received::OtherRows => Err(another("the number of rows")),
        Received::Before(before) => {
            let problem = same(&before);
            app.store.batch_refuse(batch.id, &refusal(&problem, None)).await?;
            Err(problem)
        }
    }
}

fn same(before: &SameFile) -> Problem {
    let detail = format!(
        "body: batch {} of {} has the very same rows; look at that one, or, if all of them are \
        to be paid once more, send the file with again=true under a new Idempotency-Key",
        before.id,
        rfc3339(before.received_at)
    );
    Problem::new(Code::BatchDuplicate, detail)
}

fn another(what: &str) -> Problem {
    let detail = format!(
        "Idempotency-Key: {what} differs from what came under it before; send the \
        same file again, or use a new key"
    );
    Problem::new(Code::IdempotencyKeyReused, detail)
}

fn too_many(rows_max: u32) -> Problem {
    let detail = format!("body: send at most {rows_max} rows a batch of this mode; split the file");
    Problem::new(Code::BatchTooLarge, detail)
}

fn broke_off() -> Problem {
    let detail = "body: it broke off; send the same file again with the same Idempotency-Key";
    Problem::new(Code::BodyMalformed, detail)
}

async fn own(app: &App) -> Result<Own, Problem> {
    let network = app.directory.current(&app.ledger).await?;
    let bic = network.participant(app.me).map(|row| row.bic.clone()).unwrap_or_default();
    // The latest date that there is on Earth.
    let latest = OffsetDateTime::now_utc() + time::Duration::hours(14);
    let format = time::macros::format_description!("[year]-[month]-[day]");
    Ok(Own { bic, latest_date: latest.format(format).unwrap_or_default() })
}

/// Hands the body over piece by piece, and reads on to its end even when nobody takes it: who is
/// still sending hears no answer.
async fn pump(body: Body, feeder: Feeder) -> Result<(), Problem> {
    let mut pieces = body.into_data_stream();
    let mut feeder = Some(feeder);
    let (mut total, mut lately) = (0_u64, 0_u64);
    let (mut waited, mut waited_lately) = (Duration::ZERO, Duration::ZERO);
    loop {
        let begun = Instant::now();
        let patience = PROGRESS_TIME.saturating_sub(waited_lately);
        let next = tokio::time::timeout(patience, pieces.next()).await;
        waited += begun.elapsed();
        waited_lately += begun.elapsed();
        let piece = match next {
            Err(_) => return Err(too_slow()),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(broke_off()),
            Ok(Some(Ok(piece))) => piece,
        };
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        (total, lately) = (total.saturating_add(length), lately.saturating_add(length));
        if total > BYTES_MAX {
            let detail = "body: a batch has at most 256 MiB; split the file";
            return Err(Problem::new(Code::BodyTooLarge, detail));
        }
        if lately >= PROGRESS_BYTES {
            (lately, waited_lately) = (0, Duration::ZERO);
        }
        if waited > WAITING_MAX {
            return Err(too_slow());
        }
        let taken = match &feeder {
            Some(feeder) => feeder.give(piece).await,
            None => false,
        };
        if !taken {
            feeder = None;
        }
    }
    if let Some(feeder) = feeder {
        feeder.end();
    }
    Ok(())
}

fn too_slow() -> Problem {
    let detail = "the request: a batch must bring 16 KiB in 30 seconds; send the same file again \
        with the same Idempotency-Key";
    Problem::new(Code::RequestTimeout, detail)
}

/// Rows that are written together.
struct Chunk {
    rows: Vec<NewRow>,
    bytes: usize,
    chunks: mpsc::Sender<Vec<NewRow>>,
}

impl Chunk {
    fn put(&mut self, row: NewRow) -> bool {
        self.bytes += row.body.as_ref().map_or(0, Vec::len);
        self.rows.push(row);
        if self.rows.len() < CHUNK_ROWS && self.bytes < CHUNK_BYTES {
            return true;
        }
        self.flush()
    }

    fn flush(&mut self) -> bool {
        self.bytes = 0;
        let rows = std::mem::take(&mut self.rows);
        rows.is_empty() || self.chunks.blocking_send(rows).is_ok()
    }
}

fn new_row(batch: Uuid, row: Row) -> NewRow {
    let mut refused = row.order.as_ref().err().map(|problem| refusal(problem, None));
    let mut order = row.order.ok();
    let mut name = uetr(batch, row.number);
    if let Some(order) = &mut order {
        match order.uetr.as_deref().map(str::parse) {
            Some(Ok(own)) => name = own,
            Some(Err(error)) => {
                let error: ledger_types::ParseError = error;
                let body = &**order;
                refused = Some(refusal(&Problem::field("uetr", error.reason), Some(body)));
            }
            None => {}
        }
        order.uetr = Some(name.to_string());
    }
    let body = order.filter(|_| refused.is_none());
    NewRow {
        // Rows are counted up to 100,001.
        number: i32::try_from(row.number).unwrap_or(i32::MAX),
        digest: row.digest.to_vec(),
        uetr: Uuid::from_bytes(name.bytes()),
        body: body.and_then(|body| serde_json::to_vec(&body).ok()),
        reference: row.reference.map(storable),
        instruction_id: row.instruction_id.map(storable),
        payment_id: row.payment_id.map(storable),
        refusal: refused.map(|refused| Refusal {
            field: refused.field.map(storable),
            detail: storable(refused.detail),
            ..refused
        }),
    }
}

/// Postgres has no text with U+0000, and a reference is no novel.
fn storable(text: String) -> String {
    text.chars().filter(|letter| *letter != '\0').take(300).collect()
}
