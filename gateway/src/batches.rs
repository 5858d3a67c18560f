//! Files of many transfers: received row by row, kept, sent one by one or all together, and reported; it makes no transfer but by the one path of all.
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ledger_types::{Rejection, StatusReason, Uetr};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::{
    names,
    problem::{Code, Problem},
    settings,
    store::batches::{Refusal, shown::ShownRow},
    transfers::order::OrderBody,
};

pub mod csv;
pub mod feed;
pub mod json_lines;
pub mod pain001;
pub mod progress;
pub mod read;
pub mod report;
pub mod send;
pub mod together;
pub mod upload;
pub mod work;

/// The most rows of a batch.
pub const ROWS_MAX: u32 = 100_000;
/// The most rows of a batch that is sent all or nothing: what one envelope holds.
pub const TOGETHER_ROWS_MAX: u32 = 8_190;
/// The most bytes of an upload.
pub const BYTES_MAX: u64 = 256 << 20;
/// The most bytes of a row, as text.
pub const ROW_BYTES_MAX: usize = 64 << 10;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// RFC 4180 with a header.
    Csv,
    /// One order of `POST /v1/transfers` a line.
    JsonLines,
    /// pain.001.001.09.
    Pain001,
}

impl Form {
    /// The form that a media type names.
    #[must_use]
    pub fn of_media_type(label: &str) -> Option<Self> {
        let kind = label.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "text/csv" => Some(Self::Csv),
            "application/x-ndjson" | "application/jsonl" => Some(Self::JsonLines),
            "application/xml" | "text/xml" => Some(Self::Pain001),
            _ => None,
        }
    }

    /// The word of the API and of the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "json_lines",
            Self::Pain001 => "pain.001",
        }
    }
}

/// What routes and workers share.
#[derive(Clone, Debug)]
pub struct Batches {
    /// Rows under way at one time, in all.
    pub rows: Arc<Semaphore>,
    /// The same as a number.
    pub rows_max: usize,
    /// How long a file is known by its rows.
    pub same_within: Duration,
    /// Uploads under way at one time.
    uploads: Arc<Semaphore>,
    receiving: Arc<Mutex<HashSet<Uuid>>>,
    progress: Arc<progress::Progress>,
    news: Arc<Notify>,
}

impl Batches {
    /// Of one gateway.
    #[must_use]
    pub fn new(settings: &settings::Batches) -> Self {
        let rows_max = settings.rows_max.max(1);
        Self {
            rows: Arc::new(Semaphore::new(rows_max)),
            rows_max,
            same_within: Duration::from_secs(u64::from(settings.same_file_days) * 86_400),
            uploads: Arc::new(Semaphore::new(settings.uploads_max.max(1))),
            receiving: Arc::default(),
            progress: Arc::default(),
            news: Arc::default(),
        }
    }

    /// Says that there may be rows to send.
    pub fn wake(&self) {
        self.news.notify_one();
    }

    /// A place for an upload.
    ///
    /// # Errors
    /// `TOO_MANY_REQUESTS` while there are as many as may be.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let detail = "the request: as many batches are uploaded as may be; send it again later";
        let place = Arc::clone(&self.uploads).try_acquire_owned();
        place.map_err(|_| Problem::new(Code::TooManyRequests, detail))
    }

    /// Takes a batch for one upload; none while another goes on.
    #[must_use]
    pub fn enter(&self, batch: Uuid) -> Option<Receiving> {
        let fresh = self.receiving.lock().unwrap_or_else(PoisonError::into_inner).insert(batch);
        fresh.then(|| Receiving { all: Arc::clone(&self.receiving), batch })
    }
}

/// A batch that is being received, until dropped.
#[derive(Debug)]
pub struct Receiving {
    all: Arc<Mutex<HashSet<Uuid>>>,
    batch: Uuid,
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.batch);
    }
}

/// The UETR of a row that names none: the same however often the row comes.
#[must_use]
pub fn uetr(batch: Uuid, number: u32) -> Uetr {
    names::uetr(b"causeway batch row", &[batch.as_bytes(), &number.to_be_bytes()])
}

/// A problem of a row, with the field that it names.
#[must_use]
pub fn refusal(problem: &Problem, body: Option<&OrderBody>) -> Refusal {
    Refusal {
        code: problem.code.to_owned(),
        reason: problem.reason.to_string(),
        field: field(problem, body),
        detail: problem.detail.clone(),
    }
}

/// Why a row of an UETR that is taken is not sent.
#[must_use]
pub fn taken() -> Refusal {
    let mut refusal = refusal(&Problem::refused(Rejection::UetrReused), None);
    refusal.detail = "uetr: a transfer or a row before has it; give another".to_owned();
    refusal
}

/// The field in front of a detail's colon, or the one that a refusal of a rule is about.
fn field(problem: &Problem, body: Option<&OrderBody>) -> Option<String> {
    let amount = match body {
        Some(body) if body.instructed_amount.is_none() => "interbank_settlement_amount",
        Some(_) | None => "instructed_amount",
    };
    let about = match problem.code {
        "CREDITOR_AGENT_UNKNOWN" => Some("creditor_agent"),
        "CORRIDOR_UNKNOWN" | "CORRIDOR_CLOSED" => Some("corridor"),
        "PURPOSE_NOT_ALLOWED" => Some("purpose"),
        "PAYOUT_METHOD_NOT_ALLOWED" => Some("payout_method"),
        "CURRENCY_MISMATCH"
        | "AMOUNT_BELOW_MINIMUM"
        | "AMOUNT_ABOVE_MAXIMUM"
        | "APPROVAL_REQUIRED" => Some(amount),
        "UETR_REUSED" => Some("uetr"),
        code if code.starts_with("QUOTE_") => Some("quote"),
        _ => None,
    };
    if about.is_some() {
        return about.map(str::to_owned);
    }
    let (front, _) = problem.detail.split_once(": ")?;
    let name = |letter: char| letter.is_ascii_alphanumeric() || "._[]/, ".contains(letter);
    (front.len() <= 120 && front.chars().all(name)).then(|| front.to_owned())
}

/// Whether a row stands where it will stay.
#[must_use]
pub fn ended(status: &str) -> bool {
    status == "CREDITED" || REJECTS.contains(&status)
}

/// The states of rows whose money did not move.
pub const REJECTS: [&str; 4] = ["REJECTED", "EXPIRED", "CANCELLED", "BURNED"];

/// The ISO status of a row.
#[must_use]
pub fn iso_status<'a>(status: &str, confirmation: Option<&'a str>) -> &'a str {
    match (status, confirmation) {
        (_, Some(confirmation)) => confirmation,
        ("WAITING", None) => "RCVD",
        ("SENDING" | "QUEUED" | "AWAITING_APPROVAL", None) => "PDNG",
        ("PENDING", None) => "ACSP",
        ("SETTLED" | "CREDITED", None) => "ACSC",
        ("CANCELLED", None) => "CANC",
        (_, None) => "RJCT",
    }
}

/// What is said of a row that another one's refusal ended, or nobody sent.
#[must_use]
pub fn words(row: &ShownRow) -> String {
    match (&row.detail, &row.code, row.status.as_str()) {
        (Some(detail), _, _) => detail.clone(),
        (None, Some(code), _) if code == "BATCH_REFUSED" => {
            "not sent: another row of the batch was refused".to_owned()
        }
        (None, Some(code), _) => format!("see docs/errors/{code}.md"),
        (None, None, "CANCELLED") => "withdrawn before it was sent or accepted".to_owned(),
        (None, None, "EXPIRED") => "the creditor agent did not accept in time".to_owned(),
        (None, None, _) => "the creditor agent refused".to_owned(),
    }
}

/// A reason that the store holds as text.
#[must_use]
pub fn reason(text: Option<&str>) -> StatusReason {
    text.and_then(|text| text.parse().ok()).unwrap_or(StatusReason::known(b"NARR"))
}

#[cfg(test)]
mod tests;
