//! Ten times the callers that a ledger can serve: it refuses at once, goes on with what it took, and lets another participant through.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use proto::{
    client::{FATE_KEY, RETRY_AFTER_KEY},
    ledger::{SubmitRequest, ledger_client::LedgerClient},
};
use services_cli::bench::{load, world::World};
use tonic::{Code, transport::Channel};

use crate::attack::{channel, files, leader, memory, processes, say};

/// A connection carries 256 calls at one time; a caller may have 1,024 envelopes waiting.
const CONNECTIONS: usize = 10;
const CALLS: usize = 256;
const FOR: Duration = Duration::from_secs(10);
const GROWTH_KIB_MAX: u64 = 256 << 10;

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    refused: AtomicU64,
    refused_micros: AtomicU64,
    other: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_refused_and_shared() {
    let world = World::start(3).await.unwrap();
    let nodes = processes(&world);
    let envelopes: Arc<[_]> = load::sign(&world, 4_000, 1, false).unwrap().concat().into();
    let endpoint = world.folder.endpoints[leader(&world).await - 1].clone();
    let (counts, stop) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
    let before = memory(&nodes);
    let mut flood = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let channel = channel(files(&world.folder.path.join("participants/11/client")), &endpoint);
        for call in 0..CALLS {
            let sent = (channel.clone(), envelopes.clone(), connection * CALLS + call);
            flood.spawn(hammer(sent, counts.clone(), stop.clone()));
        }
    }
    let other = world.folder.client("participants/12/client", FOR).unwrap();
    let (started, mut through, mut worst) = (Instant::now(), 0, Duration::ZERO);
    for envelope in load::sign(&world, 2_000, 1, false).unwrap().concat() {
        if started.elapsed() > FOR {
            break;
        }
        let called = Instant::now();
        let submitted = other.submit(envelope, Vec::new()).await.unwrap();
        assert_eq!(submitted.outcomes[0].rejection, None);
        (through, worst) = (through + 1, worst.max(called.elapsed()));
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = flood.join_next().await {
        ended.unwrap();
    }
    let after = memory(&nodes);
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (accepted, refused) = (of(&counts.accepted), of(&counts.refused));
    let mean = of(&counts.refused_micros) / refused.max(1);
    say(&format!(
        "overload: {accepted} accepted, {refused} refused in {mean} us on average, {} else; another \
         participant: {through} through, {worst:?} at most; KiB {before:?} then {after:?}",
        of(&counts.other)
    ));
    assert!(accepted > 0 && refused > 0 && through > 0);
    for (before, after) in before.iter().zip(&after) {
        assert!(after.saturating_sub(*before) < GROWTH_KIB_MAX, "{before} KiB became {after} KiB");
    }
}

/// One caller that never waits before it calls again.
async fn hammer(
    (channel, envelopes, from): (Channel, Arc<[Vec<u8>]>, usize),
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
) {
    let mut client = LedgerClient::new(channel);
    for envelope in envelopes.iter().cycle().skip(from) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let request = SubmitRequest { envelope: envelope.clone().into(), blobs: Vec::new() };
        let called = Instant::now();
        let counter = match client.submit(request).await {
            Ok(_) => &counts.accepted,
            Err(status) if status.code() == Code::ResourceExhausted => {
                assert!(status.metadata().contains_key(RETRY_AFTER_KEY), "{status:?}");
                assert!(status.metadata().contains_key(FATE_KEY), "{status:?}");
                let micros = u64::try_from(called.elapsed().as_micros()).unwrap();
                counts.refused_micros.fetch_add(micros, Ordering::Relaxed);
                &counts.refused
            }
            Err(_) => &counts.other,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
