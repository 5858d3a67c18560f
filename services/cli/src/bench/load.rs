//! The benchmark's load: envelopes signed beforehand, sent with a bounded number in flight. It must
//! never count what was not acknowledged.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arrayvec::ArrayVec;
use hdrhistogram::Histogram;
use ledger_proof::{
    Item,
    item::{Accept, Leg, LegKind, Submit},
};
use ledger_types::{CorridorId, PayoutMethod, ShortText, Timestamp, Uetr};
use serde_json::{Value, json};

use super::world::{ACCOUNTS, CREDITOR, DEBTOR, World, account, currency};
use crate::admin::authority::Folder;
use crate::network::founding::nonce;

/// The longest time told apart.
const HOUR_MICROS: u64 = 3_600_000_000;

/// Envelopes that must be sent one after the other.
pub type Batch = Vec<Vec<u8>>;

/// What sending took.
#[derive(Clone, Debug)]
pub struct Measured {
    /// From the first call to the last acknowledgement.
    pub seconds: f64,
    /// Times of one envelope.
    pub batch_ms: Value,
}

/// Makes and signs every envelope.
pub fn sign(
    world: &World,
    transfers: usize,
    batch: usize,
    two_phase: bool,
) -> anyhow::Result<Vec<Batch>> {
    sign_in(&world.folder, transfers, batch, two_phase)
}

/// The same for a network of these accounts that is not the benchmark's own.
pub fn sign_in(
    folder: &Folder,
    transfers: usize,
    batch: usize,
    two_phase: bool,
) -> anyhow::Result<Vec<Batch>> {
    sign_among(folder, transfers, batch, (two_phase, ACCOUNTS))
}

/// The same between the first `accounts` of each institution; with one, every transfer is on it.
pub fn sign_among(
    folder: &Folder,
    transfers: usize,
    batch: usize,
    (two_phase, accounts): (bool, u64),
) -> anyhow::Result<Vec<Batch>> {
    let mut batches = Vec::new();
    let mut left = transfers;
    while left > 0 {
        let count = left.min(batch);
        left -= count;
        let mut submits = Vec::with_capacity(count);
        let mut accepts = Vec::new();
        for _ in 0..count {
            let item = transfer(two_phase, accounts)?;
            if two_phase {
                let (debtor_agent, uetr) = (DEBTOR, item.uetr);
                let reference = ShortText::EMPTY;
                let nonce = nonce()?;
                accepts.push(Item::Accept(Accept { nonce, debtor_agent, uetr, reference }));
            }
            submits.push(Item::Submit(item));
        }
        let mut envelopes = vec![folder.sign(DEBTOR, &submits)?];
        if two_phase {
            envelopes.push(folder.sign(CREDITOR, &accepts)?);
        }
        batches.push(envelopes);
    }
    Ok(batches)
}

/// A transfer of one minor unit between two random accounts.
fn transfer(two_phase: bool, accounts: u64) -> anyhow::Result<Submit> {
    let random = nonce()?;
    let (mut uetr, mut from, mut to) = ([0; 16], [0; 8], [0; 8]);
    uetr.copy_from_slice(&random[..16]);
    from.copy_from_slice(&random[16..24]);
    to.copy_from_slice(&random[24..]);
    let pick = |bytes: [u8; 8]| u64::from_be_bytes(bytes) % accounts;
    Ok(Submit {
        nonce: nonce()?,
        uetr: Uetr::from_random(uetr),
        creditor_agent: CREDITOR,
        corridor: CorridorId(1),
        single_phase: !two_phase,
        payout_method: PayoutMethod::BankAccount,
        purpose: "INTC".parse()?,
        deadline: Timestamp::from_micros(u64::MAX),
        fee_schedule_version: 0,
        screening_policy_version: 0,
        blob_digest: [0; 32],
        commitment: [0; 32],
        quotes: ArrayVec::new(),
        legs: [Leg {
            kind: LegKind::Principal,
            currency: currency()?,
            debit_account: account(DEBTOR, pick(from)),
            credit_account: account(CREDITOR, pick(to)),
            amount: 1,
        }]
        .into_iter()
        .collect(),
        links: ArrayVec::new(),
        document_digests: ArrayVec::new(),
        sealed_for: ArrayVec::new(),
    })
}

/// Sends every batch with `clients` in flight.
pub async fn send(world: &World, batches: &[Batch], clients: usize) -> anyhow::Result<Measured> {
    let batches: Arc<[Batch]> = batches.to_vec().into();
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients.max(1) {
        let (client, batches, next) = (world.client.clone(), batches.clone(), next.clone());
        tasks.spawn(async move {
            let mut times = Vec::new();
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                for envelope in batch {
                    let called = Instant::now();
                    let submitted = client.submit(envelope.clone(), Vec::new()).await?;
                    let refused = submitted.outcomes.iter().find_map(|outcome| outcome.rejection);
                    anyhow::ensure!(refused.is_none(), "a transfer was refused: {refused:?}");
                    times.push(called.elapsed());
                }
            }
            anyhow::Ok(times)
        });
    }
    let mut histogram = histogram()?;
    while let Some(ended) = tasks.join_next().await {
        for time in ended.context("a client's task failed")?? {
            histogram.saturating_record(micros(time));
        }
    }
    Ok(Measured { seconds: start.elapsed().as_secs_f64(), batch_ms: quantiles(&histogram) })
}

/// For microseconds, up to an hour.
pub(super) fn histogram() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, HOUR_MICROS, 3).context("a histogram of three digits")
}

/// Of microseconds, in milliseconds.
pub(super) fn quantiles(histogram: &Histogram<u64>) -> Value {
    let milliseconds = |micros| super::ratio(super::world::float(micros), 1_000.0);
    json!({
        "p50": milliseconds(histogram.value_at_quantile(0.5)),
        "p99": milliseconds(histogram.value_at_quantile(0.99)),
        "max": milliseconds(histogram.max()),
    })
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
