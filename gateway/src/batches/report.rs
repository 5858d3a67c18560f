//! What is said back of a batch: rejects as CSV and a pain.002, written page by page while they are read; it must never hold all rows.
use axum::body::{Body, Bytes};
use futures_util::{Stream, stream};
use ledger_types::Uetr;
use services_iso20022::{
    original::ReasonInformation,
    pain001::PAIN_001,
    pain002::{PaymentReport, Report, RowReport},
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{REJECTS, iso_status, reason, words};
use crate::{
    app::App,
    clock::rfc3339,
    problem::Problem,
    sealing::random,
    store::batches::{
        BatchRow,
        shown::{Count, ShownRow},
    },
};

/// Rows read at one time.
const PAGE: i64 = 1_000;
/// The columns of a reject file.
const COLUMNS: [&str; 7] = ["row", "field", "code", "reason", "detail", "reference", "uetr"];

/// Why a report breaks off in the middle: its reader sees that it is not whole.
type Broken = std::io::Error;

/// The rows whose money did not move, as CSV.
pub fn rejects(app: App, batch: Uuid) -> Body {
    let pages = pages(app, batch, Some(&REJECTS), |rows, first| {
        let mut out = csv::Writer::from_writer(Vec::new());
        if first {
            out.write_record(COLUMNS).map_err(Broken::other)?;
        }
        for row in rows {
            out.write_record(reject(row).iter().map(|cell| inert(cell))).map_err(Broken::other)?;
        }
        out.into_inner().map_err(|error| Broken::other(error.to_string()))
    });
    Body::from_stream(pages)
}

fn reject(row: &ShownRow) -> [String; 7] {
    let text = |own: &Option<String>| own.clone().unwrap_or_default();
    [
        row.number.to_string(),
        text(&row.field),
        row.code.clone().unwrap_or_else(|| row.status.clone()),
        reason(row.reason.as_deref()).to_string(),
        words(row),
        text(&row.reference),
        row.uetr.to_string(),
    ]
}

/// Spreadsheets take a cell that begins so for a formula, and rows hold what strangers wrote.
fn inert(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { format!("'{cell}") } else { cell.to_owned() }
}

/// Rows in pages, each written by `write`, which is told whether it is the first.
fn pages(
    app: App,
    batch: Uuid,
    states: Option<&'static [&'static str]>,
    write: impl FnMut(&[ShownRow], bool) -> Result<Vec<u8>, Broken> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Broken>> + Send + 'static {
    let begin = (app, write, Some(0), true);
    stream::try_unfold(begin, move |(app, mut write, after, first)| async move {
        let Some(after) = after else { return Ok(None) };
        let of = (batch, app.me);
        let rows = app.store.batch_rows(of, states, (after, PAGE)).await.map_err(Broken::other)?;
        let full = i64::try_from(rows.len()).is_ok_and(|length| length == PAGE);
        let next = rows.last().filter(|_| full).map(|row| row.number);
        let text = write(&rows, first)?;
        Ok(Some((Bytes::from(text), (app, write, next, false))))
    })
}

/// A pain.002.001.10 of the batch as it stands.
///
/// # Errors
/// When the store does not answer.
pub async fn pain002(app: App, batch: &BatchRow) -> Result<Body, Problem> {
    let counts = app.store.batch_counts(batch.id, app.me).await?;
    let head = head(batch, &counts)?.open(None).map_err(|error| Problem::internal(&error))?;
    let mut payment: Option<Option<String>> = None;
    let mut open = Some(head);
    let rows = pages(app, batch.id, None, move |rows, _| {
        let mut text = open.take().unwrap_or_default();
        for row in rows {
            if payment.as_ref() != Some(&row.payment_id) {
                if payment.is_some() {
                    text.push_str(PaymentReport::close());
                }
                let id = row.payment_id.clone();
                let report = PaymentReport { payment_information_id: id, ..Default::default() };
                text.push_str(&report.open().map_err(Broken::other)?);
                payment = Some(row.payment_id.clone());
            }
            text.push_str(&line(row).write().map_err(Broken::other)?);
        }
        if i64::try_from(rows.len()).is_ok_and(|length| length < PAGE) {
            if payment.is_some() {
                text.push_str(PaymentReport::close());
            }
            text.push_str(Report::close(false));
        }
        Ok(text.into_bytes())
    });
    Ok(Body::from_stream(rows))
}

fn line(row: &ShownRow) -> RowReport {
    let status = iso_status(&row.status, row.confirmation.as_deref());
    let refused = matches!(status, "RJCT" | "CANC");
    let reasons = refused.then(|| {
        let code = row.code.as_deref().map_or_else(String::new, |code| format!("{code}: "));
        let field = row.field.as_deref().map_or_else(String::new, |field| format!("({field}) "));
        let words = format!("{code}{field}{}", words(row));
        ReasonInformation::of_code(reason(row.reason.as_deref()).as_str(), &words)
    });
    RowReport {
        status_id: Some(row.number.to_string()),
        instruction_id: row.instruction_id.clone(),
        end_to_end_id: row.reference.clone(),
        uetr: Some(row.uetr.to_string()),
        status: status.to_owned(),
        reasons: reasons.into_iter().collect(),
        accepted_at: row.submitted_at.map(rfc3339),
        clearing_system_reference: row.record.map(|record| record.to_string()),
    }
}

fn head(batch: &BatchRow, counts: &[Count]) -> Result<Report, Problem> {
    let id = Uetr::from_random(random().map_err(|error| Problem::internal(&error))?);
    let own = |name: &str| batch.original[name].as_str().map(str::to_owned);
    let mut by_status: Vec<(String, u64)> = Vec::new();
    for count in counts {
        let status = iso_status(&count.status, count.confirmation.as_deref());
        let rows = u64::try_from(count.rows).unwrap_or(0);
        match by_status.iter_mut().find(|(own, _)| own == status) {
            Some((_, sum)) => *sum += rows,
            None => by_status.push((status.to_owned(), rows)),
        }
    }
    let total: u64 = by_status.iter().map(|(_, rows)| rows).sum();
    let name = if batch.form == "pain.001" { PAIN_001 } else { batch.form.as_str() };
    let refused = batch.code.as_deref().map(|code| {
        let words = format!("{code}: {}", batch.detail.as_deref().unwrap_or_default());
        ReasonInformation::of_code(reason(batch.reason.as_deref()).as_str(), &words)
    });
    Ok(Report {
        message_id: id.to_string().replace('-', ""),
        created_at: rfc3339(OffsetDateTime::now_utc()),
        initiating_party: None,
        original_message_id: own("message_id").or_else(|| Some(batch.id.simple().to_string())),
        original_message_name: Some(name.to_owned()),
        original_created_at: own("created_at"),
        original_number_of_transactions: Some(total.to_string()),
        status: Some(group_status(batch, &by_status).to_owned()),
        reasons: refused.into_iter().collect(),
        counts: by_status,
    })
}

/// What all rows come to: RJCT none, PART some, ACSC all, ACSP while rows are under way.
fn group_status(batch: &BatchRow, by_status: &[(String, u64)]) -> &'static str {
    let refused = |status: &str| matches!(status, "RJCT" | "CANC");
    let all = |of: &dyn Fn(&str) -> bool| by_status.iter().all(|(status, _)| of(status));
    match batch.state.as_str() {
        "refused" => "RJCT",
        "receiving" => "RCVD",
        _ if all(&refused) => "RJCT",
        _ if by_status.iter().any(|(status, _)| refused(status)) => "PART",
        _ if all(&|status| matches!(status, "ACSC" | "ACCC" | "CPUC" | "ACWP")) => "ACSC",
        _ if all(&|status| status == "RCVD") => "RCVD",
        _ => "ACSP",
    }
}
