//! One row to its outcome: the transfer is made by the one path of all, and asked for again while ledger, quotes or store are away; it must never make two of one row.
use std::time::Duration;

use ledger_types::{ParticipantId, Uetr};
use proto::convert::Network;

use super::{pain001::by_currency, refusal, work::again};
use crate::{
    app::App,
    measure,
    problem::{Code, Problem},
    store::{
        batches::{BatchRow, Refusal, RowEnd, WorkRow},
        transfers::Row,
    },
    transfers::{
        create::{self, one_sided},
        known::{known, refused},
        order::{self, Maker, Order, OrderBody},
    },
};

/// The first and the longest wait before a row is tried again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a sent row keeps its place while its creditor agent has not decided, and how often that is
/// looked at: rows that are sent faster than they are decided would wait there until they expire.
const DECIDED_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often a failure of the gateway itself is tried again.
const FAILURES_MAX: u32 = 5;

/// Sends a claimed row, and writes what became of it.
pub async fn row(app: &App, batch: &BatchRow, row: WorkRow) {
    let Ok(_place) = app.batches.rows.acquire().await else { return };
    let refused = outcome(app, batch, &row).await;
    let sent = refused.is_none();
    measure::batch_rows(if sent { "sent" } else { "rejected" }, 1);
    let ended = RowEnd { batch: batch.id, number: row.number, refusal: refused };
    again(|| app.store.batch_row_end(ended.clone())).await;
    if let (true, Ok(uetr)) = (sent, Uetr::from_bytes(*row.uetr.as_bytes())) {
        let _late = tokio::time::timeout(DECIDED_WITHIN, decided(app, uetr)).await;
    }
}

/// Waits while a transfer is neither settled nor ended.
async fn decided(app: &App, uetr: Uetr) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let rows = app.store.transfer_fetch(uetr, Some(app.me)).await.unwrap_or_default();
        let waits = |row: &Row| matches!(row.status.as_str(), "QUEUED" | "PENDING");
        if !rows.first().is_some_and(waits) {
            return;
        }
    }
}

async fn outcome(app: &App, batch: &BatchRow, row: &WorkRow) -> Option<Refusal> {
    let body = match body(row) {
        Ok(body) => body,
        Err(problem) => return Some(refusal(&problem, None)),
    };
    let (mut pause, mut failures) = (PAUSE_MIN, 0);
    loop {
        let problem = match one(app, batch, body.clone()).await {
            Ok(()) => return None,
            Err(problem) => problem,
        };
        failures += u32::from(problem.is(Code::Internal));
        if ends(&problem) || failures >= FAILURES_MAX {
            return Some(refusal(&problem, Some(&body)));
        }
        tracing::debug!(batch = %batch.id, row = row.number, code = problem.code, "row waits");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Whether a problem is the row's outcome; the others say to come again.
#[must_use]
pub fn ends(problem: &Problem) -> bool {
    let again = problem.status.is_server_error()
        || problem.is(Code::RequestInProgress)
        || problem.is(Code::TooManyRequests);
    // The ledger did not take what was kept: the transfer has ended.
    !again || problem.uetr.is_some()
}

/// The order that a row holds.
///
/// # Errors
/// When the store holds none, which only a mistake in this crate makes it.
pub fn body(row: &WorkRow) -> Result<OrderBody, Problem> {
    let bytes = row.body.as_deref().unwrap_or_default();
    serde_json::from_slice(bytes).map_err(|error| Problem::internal(&error))
}

/// The order of a row under the network's rules, made by whoever holds the batch's key.
///
/// # Errors
/// Names the field that breaks its rule.
pub fn order(
    network: &Network,
    me: ParticipantId,
    batch: &BatchRow,
    body: OrderBody,
) -> Result<Order, Problem> {
    let body = match batch.form.as_str() {
        "pain.001" => by_currency(body, |body| arrives(network, me, body)),
        _ => body,
    };
    let mut order = order::read(body, network)?;
    order.maker = Some(Maker { key: batch.api_key, owner: batch.owner.clone() });
    Ok(order)
}

async fn one(app: &App, batch: &BatchRow, body: OrderBody) -> Result<(), Problem> {
    let network = app.directory.current(&app.ledger).await?;
    let order = order(&network, app.me, batch, body)?;
    match create::create(app, &order).await {
        Ok(_) => Ok(()),
        // Its own, of an attempt that was cut off; or of somebody who sent the very same meanwhile.
        Err(problem) if problem.reused() => match known(app, &order).await? {
            Some(Ok(row)) => match refused(&row) {
                None => Ok(()),
                Some(kept) => Err(judged(app, &network, &order, kept).await),
            },
            Some(Err(_)) | None => Err(problem),
        },
        Err(problem) => Err(problem),
    }
}

/// A refusal that was kept by an attempt that was cut off, with the field that it names, which is
/// not kept: rules say the same again, and what passes them was refused by core banking.
async fn judged(app: &App, network: &Network, order: &Order, kept: Problem) -> Problem {
    if kept.code == Code::AccountRefused.name() {
        return Problem { detail: "debtor.account: it can't be debited".to_owned(), ..kept };
    }
    let again = async {
        let terms = create::check(app, network, order).await?;
        create::price(app, network, order, terms).await
    };
    match again.await {
        Err(problem) if problem.code == kept.code => Problem { detail: problem.detail, ..kept },
        Ok(_) | Err(_) => kept,
    }
}

/// Whether the amount is in the currency that the creditor gets, and not in the debtor's.
fn arrives(network: &Network, me: ParticipantId, body: &OrderBody) -> bool {
    let currency = body.instructed_amount.as_ref().and_then(|own| own.currency.parse().ok());
    let Some(agent) = order::agent(network, &body.creditor_agent) else { return false };
    let fits =
        |source, destination| one_sided(network, (me, agent), (source, destination)).is_some();
    currency.is_some() && !fits(currency, None) && fits(None, currency)
}
