//! A demonstration's figures: counted from what wallets saw and what ledger and Postgres say. It
//! must never count what nobody saw.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use comfy_table::Table;
use hdrhistogram::Histogram;
use proto::ledger::GetRootRequest;
use serde_json::{Value, json};

use super::network::Running;
use super::play::Played;
use super::scenario::Meant;

/// The longest time told apart.
const HOUR_MS: u64 = 3_600_000;

/// The outage that killing the leader made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outage {
    /// When SIGKILL was sent.
    pub killed_at: Option<Instant>,
}

impl Outage {
    /// The first acknowledgement of a submit sent after the kill.
    fn ended_at(&self, played: &[Played]) -> Option<Instant> {
        let killed_at = self.killed_at?;
        let after = played.iter().filter(|row| row.called_at >= killed_at);
        after.filter_map(|row| row.acknowledged_at).min()
    }

    fn overlaps(&self, played: &[Played], row: &Played) -> bool {
        let (Some(from), Some(to)) = (self.killed_at, self.ended_at(played)) else { return false };
        let end = row.called_at + row.credited_after.or(row.settled_after).unwrap_or_default();
        row.called_at <= to && end >= from
    }
}

/// The figures of `--json`.
pub(super) async fn figures(
    running: &Running,
    played: &[Played],
    outage: Outage,
) -> anyhow::Result<Value> {
    let reconciled = running.reconciled().await?;
    let root = root(running, reconciled.records).await?;
    let count = |test: &dyn Fn(&Played) -> bool| played.iter().filter(|row| test(row)).count();
    let state = |status: &str| count(&|row| row.status == status);
    let undisturbed: Vec<&Played> = played
        .iter()
        .filter(|row| row.planned.meant != Meant::Held && !outage.overlaps(played, row))
        .collect();
    let ended_at = outage.ended_at(played);
    let outage_ms = outage.killed_at.zip(ended_at).map(|(from, to)| millis(to - from));
    let acknowledged = |row: &Played| (200..300).contains(&row.http_status);
    let ended = ["SETTLED", "CREDITED", "REJECTED", "EXPIRED", "CANCELLED"].map(str::to_owned);
    let in_ledger: u64 = reconciled.states.values().sum();
    let returned = count(&|row| row.returned);
    let submitted = count(&|row| acknowledged(row)) + returned;
    let ledger_only = reconciled.states.get("REJECTED").copied().unwrap_or(0);
    let known = u64::try_from(submitted).unwrap_or(0) + ledger_only;
    Ok(json!({
        "transfers": played.len(),
        "settled": state("SETTLED") + state("CREDITED"),
        "rejected": state("REJECTED"),
        "screened_out": count(&|row| row.reason == "SCREENING_REFUSED"),
        "expired": state("EXPIRED"),
        "cancelled": state("CANCELLED"),
        "returned": returned,
        "credited": state("CREDITED"),
        "finality_ms": percentiles(undisturbed.iter().filter_map(|row| row.settled_after)),
        "credited_ms": percentiles(undisturbed.iter().filter_map(|row| row.credited_after)),
        "in_outage": count(&|row| outage.overlaps(played, row)),
        "outage_ms": outage_ms,
        "expiry_lag_ms": { "max": played.iter().filter_map(|row| row.expiry_lag_ms).max() },
        "lost": count(&|row| acknowledged(row) && !ended.contains(&row.status)),
        "duplicates": in_ledger.saturating_sub(known),
        "conservation": reconciled.conservation,
        "ledger_records": root.0,
        "reconciled_records": reconciled.records,
        "roots_equal": root.1 == reconciled.root_hex,
        "leader_killed": outage.killed_at.is_some(),
    }))
}

/// The ledger's own root at a size, from the first node that answers.
async fn root(running: &Running, records: u64) -> anyhow::Result<(u64, String)> {
    for node in 1..=running.operator.nodes() {
        let mut admin = running.operator.admin(node)?;
        if let Ok(answer) = admin.get_root(GetRootRequest { records }).await {
            let answer = answer.into_inner();
            return Ok((answer.records, hex::encode(&answer.root)));
        }
    }
    Err(anyhow::anyhow!("no node tells its root")).context("roots cannot be compared")
}

fn percentiles(times: impl Iterator<Item = Duration>) -> Value {
    let Ok(mut histogram) = Histogram::<u64>::new_with_bounds(1, HOUR_MS, 3) else {
        return Value::Null;
    };
    for time in times {
        histogram.saturating_record(millis(time));
    }
    json!({
        "p50": histogram.value_at_quantile(0.5),
        "p99": histogram.value_at_quantile(0.99),
        "max": histogram.max(),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What became of each kind, by corridor, for people.
pub(super) fn table(played: &[Played]) -> Table {
    let mut groups: BTreeMap<(bool, Meant, String), Vec<&Played>> = BTreeMap::new();
    for row in played {
        let key = (!row.planned.hong_kong, row.planned.meant, row.status.clone());
        groups.entry(key).or_default().push(row);
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
    table.set_header(["corridor", "meant", "ended", "count", "reason", "credited, median ms"]);
    for ((malaysia, meant, status), rows) in groups {
        let mut times: Vec<u64> =
            rows.iter().filter_map(|row| row.credited_after).map(millis).collect();
        times.sort_unstable();
        let median = times.get(times.len() / 2).map(u64::to_string).unwrap_or_default();
        table.add_row([
            if malaysia { "MYR → PKR" } else { "HKD → PHP" }.to_owned(),
            meant.name().to_owned(),
            status,
            rows.len().to_string(),
            rows.first().map(|row| row.reason.clone()).unwrap_or_default(),
            median,
        ]);
    }
    table
}
