//! A backup under load, checked, replayed, and a new network made of it up to a record.
use futures_util::StreamExt as _;
use proto::convert::Event;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn operator_backs_up_and_restores_up_to_a_record() {
    let world = World::start(3).await.unwrap();
    let network = shown(&world.folder.path);
    let place = tempfile::tempdir().unwrap();
    let backup = shown(&place.path().join("backup"));
    let load = Load::start(&world, load::sign(&world, 100_000, BATCH, false).unwrap());
    load.more(50).await;
    let (status, first) = causeway(&["admin", "backup", &network, &backup]).await;
    assert_eq!(status, 0, "{first}");
    load.more(50).await;
    let (status, second) = causeway(&["admin", "backup", &network, &backup, "--node", "2"]).await;
    assert_eq!(status, 0, "{second}");
    let sent = load.end().await;
    let (records, former) = (number(&second["records"]), number(&first["records"]));
    assert!(records > former, "{second}");
    assert!(number(&second["received_bytes"]) < number(&second["bytes"]), "{second}");
    let expected = hex(&root(&world.folder, 3, records).await);
    for line in [
        &["admin", "verify-data", &backup][..],
        &["admin", "verify-data", "--deep", &backup],
        &["admin", "replay", &backup],
    ] {
        let (status, said) = causeway(line).await;
        assert_eq!(status, 0, "{said}");
        assert_eq!(said["root"], expected.as_str(), "{said}");
    }
    let (credits, _) = credited(&world.folder).await;
    assert_eq!(credits, u128::try_from(sent * BATCH).unwrap());
    damage_is_found(Path::new(&backup)).await;

    let into = shown(&place.path().join("restored"));
    let upto = (former - 3).to_string();
    let line = ["admin", "restore", &backup, "--from", &network, "--into", &into, "--upto", &upto];
    let (status, preview) = causeway(&[&line[..], &["--dry-run"]].concat()).await;
    assert_eq!(status, 0, "{preview}");
    assert!(!Path::new(&into).exists());
    let (status, restored) = causeway(&line).await;
    assert_eq!(status, 0, "{restored}");
    assert_eq!(restored["last_record"], preview["last_record"]);
    assert!(number(&restored["last_record"]) <= former - 3);
    goes_on(&world, Path::new(&into), &restored, place.path()).await;
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A changed byte of history is found, and it is said where.
async fn damage_is_found(backup: &Path) {
    let file = fs::read_dir(backup.join("history")).unwrap().map(|found| found.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|end| end == "seg"));
    let file = file.unwrap();
    let sound = fs::read(&file).unwrap();
    let mut damaged = sound.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&file, &damaged).unwrap();
    let shown = shown(backup);
    for line in [&["admin", "verify-data", &shown][..], &["admin", "replay", &shown]] {
        let (status, said) = causeway(line).await;
        assert_eq!((status, &said["sound"]), (1, &Value::Bool(false)), "{line:?}: {said}");
    }
    fs::write(&file, &sound).unwrap();
}

/// The new network has the former's records, takes its own envelopes, and grows.
async fn goes_on(world: &World, into: &Path, restored: &Value, place: &Path) {
    let founding = number(&restored["founding_record"]);
    let logs = place.join("logs");
    fs::create_dir_all(&logs).unwrap();
    let start = |node: usize| {
        let config = into.join(format!("nodes/{node}/node.toml"));
        Service::start("ledger", &format!("restored-{node}"), &config, &logs).unwrap()
    };
    let mut nodes: Vec<Service> = (1..=3).map(start).collect();
    let mut folder = Folder::read(into).unwrap();
    assert_ne!(folder.genesis.network(), world.folder.genesis.network());
    assert_eq!(folder.genesis.predecessor[0].records, founding);
    for node in 1..=3 {
        // What came before is the former history, byte for byte.
        let former = root(&world.folder, 1, founding).await;
        assert_eq!(root(&folder, node, founding).await, former, "node {node}");
    }
    let (before, _) = credited(&folder).await;
    let client = folder.client("participants/11/client", PATIENCE).unwrap();
    let foreign = load::sign(world, BATCH, BATCH, false).unwrap();
    assert!(client.submit(foreign[0][0].clone(), Vec::new()).await.is_err(), "another network's");
    for envelope in load::sign_in(&folder, 100, BATCH, false).unwrap().into_iter().flatten() {
        let submitted = client.submit(envelope, Vec::new()).await.unwrap();
        assert!(submitted.outcomes.iter().all(|outcome| outcome.rejection.is_none()));
    }
    let (after, _) = credited(&folder).await;
    assert_eq!(after, before + 100);
    own_numbers_go_on(&folder).await;

    let shown = shown(into);
    let (status, made) = causeway(&["network", "add-node", &shown]).await;
    assert_eq!(status, 0, "{made}");
    nodes.push(start(4));
    for step in ["add-learner", "promote"] {
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, said) = causeway(&["admin", "cluster", step, &shown, "4"]).await;
            if status == 0 {
                break;
            }
            assert!(Instant::now() < until, "{step}: {said}");
        }
    }
    folder = Folder::read(into).unwrap();
    let (_, records) = credited(&folder).await;
    assert_eq!(root(&folder, 4, records).await, root(&folder, 1, records).await);
    let backup = place.join("again");
    let line = ["admin", "backup", &shown, backup.to_str().unwrap(), "--node", "4"];
    let (status, said) = causeway(&line).await;
    assert_eq!(status, 0, "{said}");
    let line = ["admin", "verify-data", "--deep", backup.to_str().unwrap()];
    let (status, said) = causeway(&line).await;
    assert_eq!(status, 0, "a replay crosses the genesis of a restored network: {said}");
    let line = ["admin", "backup", &shown, &super::shown(&place.join("backup"))];
    let (status, said) = causeway(&line).await;
    assert_eq!(status, 1, "the former network's backup is left alone: {said}");
    processes::end(nodes);
    for node in ["nodes/1/data", "nodes/4/data"] {
        let data = super::shown(&into.join(node));
        let (status, said) = causeway(&["admin", "verify-data", "--deep", &data]).await;
        assert_eq!(status, 0, "a stopped node's folder: {said}");
    }
    let (status, said) = causeway(&["admin", "replay", &shown]).await;
    assert_eq!(status, 2, "a network's folder is neither: {said}");
}

/// A participant reads its own numbers from 1 without a gap over the new genesis.
async fn own_numbers_go_on(folder: &Folder) {
    let client = folder.client("participants/12/client", PATIENCE).unwrap();
    let network = folder.client("operator/client", PATIENCE).unwrap();
    let (_, records) = network.balances(None).await.unwrap();
    let mut events = client.events(1, false).await.unwrap();
    let (mut expected, mut last, mut beats) = (1, 0, 0);
    // A heartbeat comes first and each second: two with nothing between them are the end of what is there.
    while beats < 2 {
        match events.next().await.unwrap().unwrap() {
            Event::Heartbeat { .. } => beats += 1,
            Event::Record(record) => {
                assert_eq!(record.number, expected);
                (expected, last, beats) = (expected + 1, record.sequence, 0);
            }
        }
    }
    assert!(last > records - 120 && last < records, "{last} of {records}");
}
