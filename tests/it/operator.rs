//! The operator's night against real nodes and the real program: membership, backup, restore, replay, keys, certificates.
use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use proto::ledger::GetRootRequest;
use serde_json::Value;
use services_cli::{
    admin::authority::Folder,
    bench::{
        load,
        world::{CREDITOR, World},
    },
    demo::processes::{self, Service},
};

mod restored;
mod secrets;

const BATCH: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the program; its exit status and its one JSON object.
pub(crate) async fn causeway(arguments: &[&str]) -> (i32, Value) {
    let (status, output, errors) = spoken(arguments).await;
    let value = serde_json::from_str(output.lines().last().unwrap_or_default());
    (status, value.unwrap_or(Value::String(errors)))
}

async fn spoken(arguments: &[&str]) -> (i32, String, String) {
    let mut arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    arguments.insert(0, "--json".to_owned());
    let run = move || Command::new(processes::binary().unwrap()).args(arguments).output().unwrap();
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Transfers that are sent until it is told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    pub(crate) fn start(world: &World, batches: Vec<load::Batch>) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (client, stopped, counted) = (world.client.clone(), stop.clone(), sent.clone());
        let task = tokio::spawn(async move {
            for envelope in batches.into_iter().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let submitted = client.submit(envelope, Vec::new()).await.unwrap();
                assert!(submitted.outcomes.iter().all(|outcome| outcome.rejection.is_none()));
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, sent, task }
    }

    /// Waits for so many more envelopes.
    pub(crate) async fn more(&self, envelopes: usize) {
        let before = self.sent.load(Ordering::Relaxed);
        let until = Instant::now() + PATIENCE;
        while self.sent.load(Ordering::Relaxed) < before + envelopes && !self.task.is_finished() {
            assert!(Instant::now() < until, "nothing was acknowledged in {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until everything was sent.
    pub(crate) async fn finish(self) -> usize {
        self.task.await.unwrap();
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends it; the number of envelopes acknowledged.
    pub(crate) async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.sent.load(Ordering::Relaxed)
    }
}

/// The root over the first `records` records on a node, once it has them.
pub(crate) async fn root(folder: &Folder, node: usize, records: u64) -> Vec<u8> {
    let client = folder.client("operator/client", PATIENCE).unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        let mut admin = client.admin(node).unwrap();
        if let Ok(answer) = admin.get_root(GetRootRequest { records }).await {
            return answer.into_inner().root.to_vec();
        }
        assert!(Instant::now() < until, "node {node} does not reach {records} records");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What was credited so far, and the number of records then.
pub(crate) async fn credited(folder: &Folder) -> (u128, u64) {
    let client = folder.client("operator/client", PATIENCE).unwrap();
    let (balances, records) = client.balances(None).await.unwrap();
    let own = balances.iter().filter(|row| row.owner == CREDITOR);
    (own.map(|row| row.credits_posted).sum(), records)
}

fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

async fn follower(world: &World) -> usize {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(leader) = world.leader().await {
            return if leader == 1 { 2 } else { 1 };
        }
        assert!(Instant::now() < until, "nobody leads");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_replaces_a_lost_node_under_load() {
    let mut world = World::start(3).await.unwrap();
    let network = shown(&world.folder.path);
    let (status, cluster) = causeway(&["admin", "cluster", "status", &network]).await;
    assert_eq!(status, 0, "{cluster}");
    assert_eq!(cluster["members"].as_array().unwrap().len(), 3);

    let lost = follower(&world).await;
    world.kill(lost).unwrap();
    let lost_text = lost.to_string();
    let made = causeway(&["network", "add-node", &network, "--without", &lost_text]).await;
    assert_eq!((made.0, &made.1["node"]), (0, &Value::from(4)), "{}", made.1);
    world.join(4).unwrap();
    let load = Load::start(&world, load::sign(&world, 60_000, BATCH, false).unwrap());
    load.more(20).await;
    let replaced =
        causeway(&["admin", "replace-node", &network, &lost_text, "4", "--wait", "60"]).await;
    assert_eq!(replaced.0, 0, "{}", replaced.1);
    load.more(20).await;

    let (_, cluster) = causeway(&["admin", "cluster", "status", &network]).await;
    let members = cluster["members"].as_array().unwrap();
    assert!(members.iter().all(|row| row["voter"] == true), "{cluster}");
    assert!(members.iter().all(|row| row["node"] != lost), "{cluster}");
    assert_eq!(cluster["used_ids"], serde_json::json!([1, 2, 3, 4]));
    let again = ["admin", "cluster", "add-learner", &network, &lost_text];
    let (status, refused) = causeway(&again).await;
    assert_eq!(status, 1, "{refused}");
    assert!(refused["refused"].as_str().unwrap().contains("never used again"), "{refused}");

    let (status, led) = causeway(&["admin", "cluster", "transfer-leader", &network, "4"]).await;
    assert_eq!(status, 0, "{led}");
    let remove = ["admin", "cluster", "remove", &network, "4", "--dry-run"];
    let (status, refused) = causeway(&remove).await;
    assert_eq!(status, 1, "the leader is not removed: {refused}");
    load.more(20).await;
    let sent = load.end().await;
    let (credits, records) = credited(&world.folder).await;
    assert_eq!(credits, u128::try_from(sent * BATCH).unwrap());
    let expected = root(&world.folder, 4, records).await;
    for node in (1..=3).filter(|node| *node != lost) {
        assert_eq!(root(&world.folder, node, records).await, expected, "node {node}");
    }
    quorum_is_kept(&mut world, &network, lost).await;
}

/// With one of three voters down, taking out another would leave too few to decide.
async fn quorum_is_kept(world: &mut World, network: &str, lost: usize) {
    let leader = world.leader().await.unwrap();
    let others: Vec<usize> = (1..=4).filter(|node| ![lost, leader].contains(node)).collect();
    world.kill(others[0]).unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        let node = others[1].to_string();
        let line = ["admin", "cluster", "remove", network, &node, "--dry-run"];
        let (status, said) = causeway(&line).await;
        if status == 1 && said["refused"].as_str().unwrap_or_default().contains("too few") {
            return;
        }
        assert!(Instant::now() < until, "the check does not see the dead node: {said}");
    }
}
