//! What an enemy with a network cable, an old envelope or a participant's own certificate can do to three real nodes: nothing.
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use proto::{LedgerClient, convert::Submitted};
use services_cli::bench::{load, world::World};
use services_runtime::{
    grpc::ClientLimits,
    tls::{ClientTls, Files},
};
use tests::{memory::resident, say};
use tonic::transport::Channel;

mod bombs;
mod callers;
mod floods;
mod forged;

const PATIENCE: Duration = Duration::from_secs(30);
/// What a node may keep of all this: nothing but its allocator's slack.
const GROWTH_KIB_MAX: u64 = 64 << 10;

/// What is money, and how much was ever recorded.
#[derive(Debug, PartialEq, Eq)]
struct Books {
    records: u64,
    balances: String,
}

impl Books {
    async fn of(client: &LedgerClient) -> Self {
        let (mut balances, records) = client.balances(None).await.unwrap();
        balances.sort_unstable_by_key(|row| row.account);
        Self { records, balances: format!("{balances:?}") }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attack() {
    let world = World::start(3).await.unwrap();
    let mut acknowledged = Vec::new();
    for envelope in load::sign(&world, 100, 1, false).unwrap().into_iter().flatten() {
        let submitted = world.client.submit(envelope.clone(), Vec::new()).await.unwrap();
        assert_eq!(submitted.outcomes[0].rejection, None);
        acknowledged.push((envelope, submitted));
    }
    // Every connection and every cache that the nodes keep anyway is there by now.
    forged::replays(&world, &acknowledged, 10).await;
    let nodes = processes(&world);
    assert_eq!(nodes.len(), 3);
    let before = memory(&nodes);
    forged::replays(&world, &acknowledged, 100).await;
    forged::tampered(&world, &acknowledged).await;
    forged::foreign(&world).await;
    forged::signatures(&world, &acknowledged[0].0).await;
    forged::weak_keys(&world).await;
    callers::certificates(&world).await;
    callers::matrix(&world, &acknowledged[0].0).await;
    callers::revoked(&world).await;
    floods::oversize(&world).await;
    floods::all(&floods::Door::node(&world).await).await;
    still_served(&world).await;
    let after = memory(&nodes);
    say(&format!("resident KiB of each node: {before:?} before, {after:?} after"));
    for (before, after) in before.iter().zip(&after) {
        assert!(after.saturating_sub(*before) < GROWTH_KIB_MAX, "{before} KiB became {after} KiB");
    }
}

/// New transfers are booked, once.
async fn still_served(world: &World) {
    let before = Books::of(world.operator()).await;
    let started = Instant::now();
    for envelope in load::sign(world, 20, 1, false).unwrap().into_iter().flatten() {
        let submitted = world.client.submit(envelope, Vec::new()).await.unwrap();
        assert_eq!(submitted.outcomes[0].rejection, None);
    }
    assert!(started.elapsed() < PATIENCE);
    let after = Books::of(world.operator()).await;
    assert!(after.records >= before.records + 20 && after.balances != before.balances);
}

fn same_outcomes(one: &Submitted, other: &Submitted) -> bool {
    let sequences = |of: &Submitted| of.outcomes.iter().map(|row| row.sequence).collect::<Vec<_>>();
    sequences(one) == sequences(other)
}

/// The certificate, key and trusted CA of a folder such as `operator/client`.
pub(crate) fn files(folder: &Path) -> Files {
    Files {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        ca: folder.join("ca.pem"),
        revoked: None,
    }
}

pub(crate) fn channel(files: Files, endpoint: &str) -> Channel {
    let limits = ClientLimits { timeout_ms: 10_000, ..ClientLimits::default() };
    ClientTls::load(files).unwrap().channel(endpoint, "node", &limits).unwrap()
}

/// A channel to the node that leads, with a certificate of the network's folder.
async fn to_leader(world: &World, certificate: &str) -> Channel {
    let leader = leader(world).await;
    channel(files(&world.folder.path.join(certificate)), &world.folder.endpoints[leader - 1])
}

pub(crate) async fn leader(world: &World) -> usize {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(leader) = world.leader().await {
            return leader;
        }
        assert!(Instant::now() < until, "no node leads");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The nodes' process ids: whose command names a file of this network's folder.
pub(crate) fn processes(world: &World) -> Vec<u32> {
    processes_of(&world.folder.path.join("nodes"))
}

/// The processes whose command names this path or what lies under it.
pub(crate) fn processes_of(path: &Path) -> Vec<u32> {
    let folder = path.to_str().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(folder)
    })
    .collect()
}

/// Resident KiB of each.
pub(crate) fn memory(processes: &[u32]) -> Vec<u64> {
    processes.iter().map(|process| resident(*process).unwrap()).collect()
}
