//! The simulated machines' clocks and disks' patience; which node asks is told by its runtime.
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use ledger_node::simulation::Machine;
use tokio::runtime::{Handle, Id};

use super::founding::FOUNDED_AT;

/// Every node's machine.
#[derive(Debug)]
pub(super) struct Machines {
    rng: RefCell<fastrand::Rng>,
    nodes: RefCell<BTreeMap<String, u64>>,
    /// How far each node's clock is off, in microseconds.
    skews: RefCell<BTreeMap<u64, i64>>,
    /// Whether writes wait long.
    pub(super) slow: Cell<bool>,
}

impl Machines {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            nodes: RefCell::default(),
            skews: RefCell::default(),
            slow: Cell::new(false),
        }
    }

    /// From now on this runtime is `node`'s.
    pub(super) fn is(&self, node: u64) {
        self.nodes.borrow_mut().insert(name(Handle::current().id()), node);
    }

    pub(super) fn skew(&self, node: u64, micros: i64) {
        self.skews.borrow_mut().insert(node, micros);
    }

    fn node(&self) -> Option<u64> {
        self.nodes.borrow().get(&name(Handle::current().id())).copied()
    }
}

fn name(runtime: Id) -> String {
    runtime.to_string()
}

impl Machine for Machines {
    fn now_micros(&self) -> u64 {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        let skew = self.node().and_then(|node| self.skews.borrow().get(&node).copied());
        let now = FOUNDED_AT + 1_000_000 + u64::try_from(elapsed.as_micros()).unwrap_or(0);
        now.saturating_add_signed(skew.unwrap_or(0))
    }

    fn write_delay(&self) -> Duration {
        let mut rng = self.rng.borrow_mut();
        match (self.slow.get(), rng.u8(..)) {
            (true, 0..=63) => Duration::from_millis(rng.u64(20..200)),
            (_, 0..=7) => Duration::from_millis(rng.u64(10..60)),
            (_, 8..=127) => Duration::from_millis(rng.u64(1..4)),
            (_, _) => Duration::ZERO,
        }
    }
}
