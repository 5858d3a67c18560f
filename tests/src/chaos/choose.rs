//! Which fault comes next in a family, decided by a seed; it does nothing.
use std::time::Duration;

use super::{
    Family,
    cluster::Setup,
    rig::{FileSystem, Needs},
    strike::{Fault, Storage},
};

/// What a family's cluster is made of.
pub(super) fn setup(family: Family, seed: u64) -> Setup {
    let plain = Setup::plain(seed);
    match family {
        Family::Kill
        | Family::Pause
        | Family::Corrupt
        | Family::Members
        | Family::Reconciler
        | Family::Upgrade
        | Family::Follower
        | Family::Overload => plain,
        Family::LeaderGap => Setup { batch: 6, ..plain },
        Family::Power => {
            Setup { needs: Needs { disks: Some(FileSystem::Xfs), ..Needs::default() }, ..plain }
        }
        Family::Partition => {
            Setup { nodes: 5, needs: Needs { wires: true, ..Needs::default() }, ..plain }
        }
        Family::Weather => {
            let needs = Needs { wires: true, weather: Some(seed), ..Needs::default() };
            Setup { needs, ..plain }
        }
        Family::Storage => {
            let needs = Needs { disks: Some(FileSystem::Ext4), calls: true, ..Needs::default() };
            Setup { needs, ..plain }
        }
        Family::Clock => Setup { needs: Needs { clocks: true, ..Needs::default() }, ..plain },
        Family::Crash => {
            Setup { limits: &[("snapshot_entries", 100), ("log_entries_kept", 600)], ..plain }
        }
        Family::Soak => {
            let disks = Some(FileSystem::Xfs);
            let needs = Needs { wires: true, disks, clocks: true, ..Needs::default() };
            Setup { batch: 200, needs, ..plain }
        }
    }
}

/// The next fault; `leader` by its place.
pub(super) fn choose(
    family: Family,
    run: u64,
    leader: usize,
    nodes: usize,
    rng: &mut fastrand::Rng,
) -> Fault {
    let follower = (leader + rng.usize(1..nodes)) % nodes;
    let one = if rng.bool() { leader } else { follower };
    let millis = |range: std::ops::Range<u64>, rng: &mut fastrand::Rng| {
        Duration::from_millis(rng.u64(range))
    };
    match family {
        Family::LeaderGap => Fault::Kill(vec![leader]),
        Family::Kill
        | Family::Corrupt
        | Family::Crash
        | Family::Members
        | Family::Reconciler
        | Family::Upgrade
        | Family::Weather
        | Family::Follower
        | Family::Overload => match rng.u8(..10) {
            8.. => Fault::Kill((0..nodes).collect()),
            _ => Fault::Kill(vec![one]),
        },
        Family::Pause => {
            Fault::Pause(one, millis(100..if run.is_multiple_of(5) { 10_000 } else { 3_000 }, rng))
        }
        Family::Power => match rng.u8(..4) {
            0 => Fault::Power((0..nodes).collect()),
            1 => Fault::Power(vec![leader, follower]),
            _ => Fault::Power(vec![one]),
        },
        Family::Partition => partition(run, leader, nodes, rng),
        // Shares of F9: 30 syncs, 20 writes, 10 full (5 of them nearly, on all nodes), 5 read-only,
        // 5 slow.
        Family::Storage => Fault::Storage(
            one,
            match run % 14 {
                0..=5 => Storage::Sync,
                6..=9 => Storage::Write,
                10 => Storage::Full,
                11 => Storage::Scarce,
                12 => Storage::ReadOnly,
                _ => Storage::Slow,
            },
        ),
        Family::Clock => {
            let to = ["+3600", "-3600", "+0 x2", "-2", "+20"][rng.usize(..5)];
            Fault::Clock(one, to, millis(1_500..4_000, rng))
        }
        Family::Soak => {
            let families =
                [Family::Kill, Family::Pause, Family::Power, Family::Partition, Family::Clock];
            choose(families[rng.usize(..families.len())], run + 1, leader, nodes, rng)
        }
    }
}

/// Shares of F6: of eight, two leaders isolated, two minorities, two one-way links, one ring, one
/// minority with all clients.
fn partition(run: u64, leader: usize, nodes: usize, rng: &mut fastrand::Rng) -> Fault {
    let apart = Duration::from_millis(rng.u64(500..4_000));
    let next = |steps: usize| (leader + steps) % nodes;
    // The smaller part, leader or not.
    let first = rng.usize(..nodes);
    let minority: Vec<usize> = (0..nodes.div_ceil(2) - 1).map(|at| (first + at) % nodes).collect();
    match run % 8 {
        0 | 1 => Fault::Cut(between(&[leader], nodes), apart),
        2 | 3 => Fault::Cut(between(&minority, nodes), apart),
        4 => Fault::Cut(vec![(leader, next(1))], apart),
        5 => Fault::Cut(vec![(next(1), leader)], apart),
        // Each hears only its two neighbours.
        6 => {
            let far = |from: usize, to: usize| (from + nodes - to) % nodes;
            let neighbours = |from, to| [0, 1, nodes - 1].contains(&far(from, to));
            let links = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
            Fault::Cut(links.filter(|(from, to)| !neighbours(*from, *to)).collect(), apart)
        }
        _ => Fault::Strand(minority.clone(), between(&minority, nodes), apart),
    }
}

/// Every link between some nodes and the others, both ways.
fn between(some: &[usize], nodes: usize) -> Vec<(usize, usize)> {
    let others = (0..nodes).filter(|place| !some.contains(place));
    others
        .flat_map(|other| some.iter().flat_map(move |one| [(*one, other), (other, *one)]))
        .collect()
}
