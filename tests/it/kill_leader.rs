//! The leader killed under load, again and again: nothing acknowledged is lost, nothing doubled.
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use proto::ledger::{GetRootRequest, GetStatusRequest};
use services_cli::bench::{
    load,
    world::{CREDITOR, World},
};

const KILLS: usize = 5;
const BATCH: usize = 10;
const TRANSFERS: usize = 20_000;
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn kill_leader() {
    let mut world = World::start(3).await.unwrap();
    let batches = load::sign(&world, TRANSFERS, BATCH, false).unwrap();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    for part in batches.chunks(batches.len() / 4) {
        let (part, client) = (part.to_vec(), world.client.clone());
        let (acknowledged, stop) = (acknowledged.clone(), stop.clone());
        tasks.spawn(async move {
            let mut sent = Vec::new();
            for envelope in part.into_iter().flatten() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let submitted = client.submit(envelope.clone(), Vec::new()).await.unwrap();
                assert!(submitted.outcomes.iter().all(|outcome| outcome.rejection.is_none()));
                acknowledged.fetch_add(1, Ordering::Relaxed);
                sent.push((envelope, submitted));
            }
            sent
        });
    }
    for _ in 0..KILLS {
        let leader = wait(|| world.leader()).await;
        world.kill(leader).unwrap();
        let (before, killed_at) = (acknowledged.load(Ordering::Relaxed), Instant::now());
        // Envelopes in flight may still be answered; ten more were not.
        while acknowledged.load(Ordering::Relaxed) < before + 10 && !tasks.is_empty() {
            assert!(killed_at.elapsed() < PATIENCE, "no service after the leader's death");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.resume(leader).unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut sent = Vec::new();
    while let Some(part) = tasks.join_next().await {
        sent.extend(part.unwrap());
    }
    nothing_lost_or_doubled(&world, &sent).await;
    roots_equal(&world).await;
}

/// Every acknowledged envelope gives its outcomes again, and the credits are exactly theirs.
async fn nothing_lost_or_doubled(world: &World, sent: &[(Vec<u8>, proto::convert::Submitted)]) {
    for (envelope, submitted) in sent.iter().step_by(37) {
        let again = world.client.submit(envelope.clone(), Vec::new()).await.unwrap();
        assert!(again.resent, "the ledger remembers the request");
        let sequences = |of: &proto::convert::Submitted| -> Vec<u64> {
            of.outcomes.iter().map(|outcome| outcome.sequence).collect()
        };
        assert_eq!(sequences(&again), sequences(submitted));
    }
    let (balances, _) = world.operator().balances(None).await.unwrap();
    let own = balances.iter().filter(|row| row.owner == CREDITOR);
    let credited: u128 = own.map(|row| row.credits_posted).sum();
    assert_eq!(credited, u128::try_from(sent.len() * BATCH).unwrap());
}

/// All nodes hold the same tree at the same size.
async fn roots_equal(world: &World) {
    let (_, records) = world.operator().balances(None).await.unwrap();
    let mut roots = Vec::new();
    for node in 1..=3 {
        let admin = world.operator().admin(node).unwrap();
        let caught_up = wait(|| async {
            let status = admin.clone().get_status(GetStatusRequest {}).await.ok()?.into_inner();
            (status.records >= records).then_some(())
        });
        caught_up.await;
        let root = admin.clone().get_root(GetRootRequest { records }).await.unwrap().into_inner();
        roots.push((root.records, root.root));
    }
    assert!(roots.windows(2).all(|pair| pair[0] == pair[1]), "{roots:?}");
}

async fn wait<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "nothing came in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
