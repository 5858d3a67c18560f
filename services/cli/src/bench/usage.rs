//! Processor time of every process of a running network, as the kernel counts it. It must never
//! guess whose time it is.

use std::collections::BTreeMap;

use anyhow::Context as _;
use nix::unistd::{SysconfVar, sysconf};
use serde_json::{Value, json};

use super::{ratio, world::float};
use crate::demo::network::Running;

/// Microseconds by the name of a process; Postgres with all its own is one.
pub(super) type Counted = BTreeMap<String, u64>;

/// Microseconds of each process for one remittance, or whatever was counted.
#[derive(Clone, Debug)]
pub(super) struct Usage(BTreeMap<String, f64>);

impl Usage {
    pub(super) fn between(before: &Counted, after: &Counted, count: usize) -> Self {
        let count = float(u64::try_from(count).unwrap_or(u64::MAX));
        let each = |(name, now): (&String, &u64)| {
            let was = before.get(name).copied().unwrap_or_default();
            (name.clone(), ratio(float(now.saturating_sub(was)), count))
        };
        Self(after.iter().map(each).collect())
    }

    /// What one process used.
    pub(super) fn of(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    pub(super) fn to_json(&self) -> Value {
        let all: f64 = self.0.values().sum();
        json!({ "all": all.round(), "each": self.0 })
    }
}

/// What everything of a network used until now, and this process.
pub(super) fn of(running: &Running) -> anyhow::Result<Counted> {
    let mut counted = Counted::new();
    let own = [("wallets (this program)".to_owned(), std::process::id())];
    for (name, id) in running.processes().into_iter().chain(own) {
        counted.insert(name, stat(id).with_context(|| format!("process {id} is gone"))?.micros);
    }
    if let Some(first) = running.postgres_id() {
        counted.insert("postgres".to_owned(), with_children(first)?);
    }
    Ok(counted)
}

struct Stat {
    parent: u32,
    /// Of itself.
    micros: u64,
    /// Of those that it waited for.
    ended_micros: u64,
}

fn with_children(first: u32) -> anyhow::Result<u64> {
    let own = stat(first).context("Postgres is gone")?;
    let mut micros = own.micros + own.ended_micros;
    for entry in std::fs::read_dir("/proc")? {
        let id = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        let found = id.and_then(stat).filter(|found| found.parent == first);
        micros += found.map_or(0, |found| found.micros);
    }
    Ok(micros)
}

/// proc(5): the fields behind the name, which may hold anything but ends with the last parenthesis.
fn stat(id: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let tick = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let micros = |one, two| Some((number(one)? + number(two)?) * 1_000_000 / tick);
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        micros: micros(11, 12)?,
        ended_micros: micros(13, 14)?,
    })
}
