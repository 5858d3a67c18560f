//! The overview's figures, made of rows: who has what and for how long, how much flows and how fast, what lies open. It
//! must never read a clock or a table.

use std::collections::BTreeMap;

use services_office::calendar::Calendars;
use time::{Duration, OffsetDateTime};

use crate::{
    forecast::{self, RunOut, Side, flow, latest_top_up, percentile, run_out},
    plot::{self, SERIES_MAX, Series},
    store::overview::{AgeRow, LiquidityRow, MovedRow, PaceRow, TipRow},
    view,
};

/// Over which the pace of an account is taken.
pub const PACE: Duration = Duration::hours(6);
/// Over which finality is taken.
pub const FINALITY: Duration = Duration::hours(24);
const FLOW_STEPS: usize = 30;
const FLOW_STEP_MICROS: i64 = 120_000_000;
/// Upper ends of the plot of latencies, microseconds; the last is open.
const LATENCIES: [i64; 7] = [100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000, i64::MAX];
const LATENCY_NAMES: [&str; 7] =
    ["≤ 100 ms", "≤ 250 ms", "≤ 500 ms", "≤ 1 s", "≤ 2.5 s", "≤ 10 s", "> 10 s"];
const AGES: [(i64, &str); 5] =
    [(1, "under 1 d"), (2, "1 d"), (4, "2–3 d"), (8, "4–7 d"), (i64::MAX, "over 7 d")];

/// Everything that figures are made of.
#[derive(Debug)]
pub struct Rows<'a> {
    pub liquidity: &'a [LiquidityRow],
    pub moved: &'a [MovedRow],
    pub pace: &'a [PaceRow],
    pub ages: &'a [AgeRow],
    pub tip: TipRow,
    pub calendars: &'a Calendars,
    pub now: OffsetDateTime,
    /// The pace's rows are only the newest of the day.
    pub truncated: bool,
}

/// An account, as the overview shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liquidity {
    pub account: u64,
    pub owner: u32,
    pub name: String,
    pub suspended: bool,
    pub currency: String,
    pub available: String,
    pub reserved: String,
    pub net_out: String,
    pub lasts: String,
    pub top_up: String,
    pub tone: &'static str,
}

/// A corridor's flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corridor {
    pub corridor: i64,
    pub last_minutes: i64,
    pub last_hour: i64,
    pub pending: i64,
    pub rejected: i64,
    /// Which colour of the plot; none is not drawn.
    pub series: Option<usize>,
}

/// Latencies of one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality {
    pub stage: &'static str,
    pub count: usize,
    pub p50: String,
    pub p95: String,
    pub p99: String,
}

/// How many of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: String,
    pub counts: Vec<i64>,
}

/// A page's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    pub at: OffsetDateTime,
    pub liquidity: Vec<Liquidity>,
    pub corridors: Vec<Corridor>,
    pub flow_plot: Option<String>,
    pub finality: Vec<Finality>,
    pub latencies: Vec<Kind>,
    pub finality_plot: Option<String>,
    pub ages: Vec<Kind>,
    pub ages_plot: Option<String>,
    pub open_breaks: i64,
    pub overdue: i64,
    pub records: i64,
    pub last_record: String,
    pub truncated: bool,
}

/// Makes them.
#[must_use]
pub fn figures(rows: &Rows<'_>) -> Figures {
    let (corridors, flow_plot) = flows(rows);
    let (finality, latencies, finality_plot) = finality(rows);
    let (ages, ages_plot) = ages(rows);
    Figures {
        at: rows.now,
        liquidity: rows.liquidity.iter().map(|row| liquidity(rows, row)).collect(),
        corridors,
        flow_plot,
        finality,
        latencies,
        finality_plot,
        ages,
        ages_plot,
        open_breaks: rows.ages.iter().map(|row| row.open).sum(),
        overdue: rows.ages.iter().map(|row| row.overdue).sum(),
        records: rows.tip.records,
        last_record: rows.tip.at.map_or_else(|| "none".to_owned(), |at| view::long(rows.now - at)),
        truncated: rows.truncated,
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.whole_microseconds()).unwrap_or(i64::MAX)
}

fn liquidity(rows: &Rows<'_>, row: &LiquidityRow) -> Liquidity {
    let window = micros(PACE);
    let moved = rows.moved.iter().find(|moved| moved.account == row.account);
    let side = |units: i128, since: Option<OffsetDateTime>| Side {
        moved: units,
        over_micros: since.map_or(window, |since| micros(rows.now - since).max(1)),
    };
    let flow = moved.map_or(forecast::Flow { net_out: 0, over_micros: window }, |moved| {
        flow(
            side(moved.debits, moved.debits_since),
            side(moved.credits, moved.credits_since),
            window,
        )
    });
    let dry = run_out(row.available(), flow, rows.now);
    let top_up = latest_top_up(dry, &cut_offs(rows, &row.currency), rows.now);
    let hours = i128::from(PACE.whole_hours().max(1));
    Liquidity {
        account: row.account,
        owner: row.owner,
        name: row.name.clone(),
        suspended: row.suspended,
        currency: row.currency.clone(),
        available: view::money(row.available(), row.exponent),
        reserved: view::money(row.reserved, row.exponent),
        net_out: view::money(flow.net_out / hours, row.exponent),
        lasts: match dry {
            RunOut::Empty => "empty".to_owned(),
            RunOut::Never => "over 7 days".to_owned(),
            RunOut::At(at) => view::long(at - rows.now),
        },
        top_up: match (dry, top_up) {
            (RunOut::Empty, _) => "now".to_owned(),
            (_, Some(at)) => view::soon(at, rows.now),
            (_, None) => "–".to_owned(),
        },
        tone: match dry {
            RunOut::Empty => "care",
            RunOut::At(at) if at - rows.now < Duration::hours(4) => "care",
            RunOut::At(at) if at - rows.now < Duration::hours(24) => "going",
            RunOut::At(_) | RunOut::Never => "good",
        },
    }
}

/// The cut-offs of a currency within the horizon, in order.
fn cut_offs(rows: &Rows<'_>, currency: &str) -> Vec<OffsetDateTime> {
    let Some(calendar) = rows.calendars.get(currency) else { return Vec::new() };
    let mut day = rows.calendars.day_of(currency, rows.now);
    let mut found = Vec::new();
    for _ in 0..=forecast::HORIZON.whole_days() {
        if calendar.business(day).is_ok() {
            found.extend(calendar.cut_off(day));
        }
        let Some(next) = day.next_day() else { break };
        day = next;
    }
    found
}

fn flows(rows: &Rows<'_>) -> (Vec<Corridor>, Option<String>) {
    let now = micros(rows.now - OffsetDateTime::UNIX_EPOCH);
    let mut all: BTreeMap<i64, (Corridor, Vec<i64>)> = BTreeMap::new();
    for row in rows.pace {
        let (own, steps) = all.entry(row.corridor).or_insert_with(|| {
            let corridor = row.corridor;
            let none = Corridor {
                corridor,
                last_minutes: 0,
                last_hour: 0,
                pending: 0,
                rejected: 0,
                series: None,
            };
            (none, vec![0; FLOW_STEPS])
        });
        own.pending += i64::from(row.state == 1);
        let age = now.saturating_sub(row.submitted_micros).max(0);
        let step = usize::try_from(age / FLOW_STEP_MICROS).unwrap_or(usize::MAX);
        let Some(at) = FLOW_STEPS.checked_sub(step.saturating_add(1)) else { continue };
        own.last_hour += 1;
        own.rejected += i64::from((4..=7).contains(&row.state));
        own.last_minutes += i64::from(age < 300_000_000);
        if let Some(count) = steps.get_mut(at) {
            *count += 1;
        }
    }
    let mut all: Vec<(Corridor, Vec<i64>)> = all.into_values().collect();
    all.sort_by_key(|(own, _)| std::cmp::Reverse(own.last_hour));
    let mut series = Vec::new();
    for (at, (own, steps)) in all.iter_mut().enumerate().take(SERIES_MAX) {
        own.series = Some(at + 1);
        // Two minutes a step, and the axis counts a minute.
        let values = steps.iter().map(|count| count / 2 + count % 2).collect();
        series.push(Series { name: format!("corridor {}", own.corridor), values });
    }
    let minutes = |step: usize| (FLOW_STEPS - 1 - step) * 2;
    let steps: Vec<String> = (0..FLOW_STEPS)
        .map(|step| match minutes(step) {
            0 => "now".to_owned(),
            minutes => format!("−{minutes} min"),
        })
        .collect();
    let plot = plot::lines("Transfers a minute by corridor, the last hour", &steps, &series);
    (all.into_iter().map(|(own, _)| own).collect(), plot.filter(|_| !series.is_empty()))
}

fn finality(rows: &Rows<'_>) -> (Vec<Finality>, Vec<Kind>, Option<String>) {
    let took = |from: i64, to: i64| (to > 0).then(|| to.saturating_sub(from).max(0));
    let settled = rows.pace.iter().filter(|row| matches!(row.state, 2 | 3));
    let mut settled: Vec<i64> =
        settled.filter_map(|row| took(row.submitted_micros, row.decided_micros)).collect();
    let credited = rows.pace.iter().filter(|row| row.state == 3);
    let mut credited: Vec<i64> =
        credited.filter_map(|row| took(row.decided_micros, row.confirmed_micros)).collect();
    settled.sort_unstable();
    credited.sort_unstable();
    let stage = |stage, own: &[i64]| Finality {
        stage,
        count: own.len(),
        p50: view::latency(percentile(own, 50)),
        p95: view::latency(percentile(own, 95)),
        p99: view::latency(percentile(own, 99)),
    };
    let within = |own: &[i64], at: usize| -> i64 {
        let below = at.checked_sub(1).map_or(-1, |at| LATENCIES[at]);
        let fits = own.iter().filter(|took| **took > below && **took <= LATENCIES[at]);
        i64::try_from(fits.count()).unwrap_or(i64::MAX)
    };
    let kinds: Vec<Kind> = (0..LATENCIES.len())
        .map(|at| Kind {
            name: LATENCY_NAMES[at].to_owned(),
            counts: vec![within(&settled, at), within(&credited, at)],
        })
        .collect();
    let column = |at: usize, name: &str| Series {
        name: name.to_owned(),
        values: kinds.iter().map(|kind| kind.counts[at]).collect(),
    };
    let names: Vec<String> = kinds.iter().map(|kind| kind.name.clone()).collect();
    let label = "How long transfers took to settle, and then to be credited";
    let plot = plot::columns(label, &names, &[column(0, "settled"), column(1, "credited")]);
    let rows = vec![stage("submitted → settled", &settled), stage("settled → credited", &credited)];
    (rows, kinds, plot.filter(|_| !settled.is_empty()))
}

fn ages(rows: &Rows<'_>) -> (Vec<Kind>, Option<String>) {
    let mut kinds: Vec<Kind> = AGES
        .iter()
        .map(|(_, name)| Kind { name: (*name).to_owned(), counts: vec![0, 0] })
        .collect();
    for row in rows.ages {
        let at = AGES.iter().position(|(below, _)| row.days < *below).unwrap_or(AGES.len() - 1);
        kinds[at].counts[0] += row.open;
        kinds[at].counts[1] += row.overdue;
    }
    let names: Vec<String> = kinds.iter().map(|kind| kind.name.clone()).collect();
    let column = |at: usize, name: &str| Series {
        name: name.to_owned(),
        values: kinds.iter().map(|kind| kind.counts[at]).collect(),
    };
    let plot = plot::columns(
        "Open breaks by age, and those of them that are overdue",
        &names,
        &[column(0, "open"), column(1, "overdue")],
    );
    (kinds, plot.filter(|_| !rows.ages.is_empty()))
}
