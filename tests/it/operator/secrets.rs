//! Keys and certificates changed while transfers go on.
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn operator_rotates_a_key_and_renews_certificates_under_load() {
    let mut world = World::start(3).await.unwrap();
    let network = shown(&world.folder.path);
    let old = load::sign(&world, 40, BATCH, false).unwrap();
    let late = load::sign(&world, BATCH, BATCH, false).unwrap();
    let (status, said) = causeway(&["admin", "rotate-key", &network, "11"]).await;
    assert_eq!(status, 0, "{said}");
    // Signed before, sent after: both keys are active.
    assert_eq!(Load::start(&world, old).finish().await, 4);
    let load = Load::start(&world, load::sign(&world, 60_000, BATCH, false).unwrap());
    load.more(20).await;
    let (status, said) = causeway(&["admin", "rotate-key", &network, "11", "--retire"]).await;
    assert_eq!(status, 0, "{said}");
    let refused = world.client.submit(late[0][0].clone(), Vec::new()).await.unwrap();
    assert!(refused.envelope_refused, "a retired key signs nothing");

    let (_, due) = causeway(&["network", "renew", &network, "--dry-run"]).await;
    assert_eq!(due["renewed"].as_array().unwrap().len(), 0, "none ends within 30 days");
    let loaded: Vec<usize> = (1..=3).map(|node| times_loaded(&world, node)).collect();
    let before = fs::read(world.folder.path.join("nodes/1/peer/certificate.pem")).unwrap();
    let (status, renewed) = causeway(&["network", "renew", &network, "--within", "366"]).await;
    assert_eq!(status, 0, "{renewed}");
    assert!(renewed["renewed"].as_array().unwrap().len() >= 8, "{renewed}");
    let after = fs::read(world.folder.path.join("nodes/1/peer/certificate.pem")).unwrap();
    assert_ne!(before, after);
    let until = Instant::now() + PATIENCE;
    while (1..=3).any(|node| times_loaded(&world, node) < loaded[node - 1] + 3) {
        assert!(Instant::now() < until, "the nodes do not take the new certificates");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // New connections, by the new certificates alone.
    let leader = world.leader().await.unwrap();
    world.kill(leader).unwrap();
    load.more(20).await;
    world.resume(leader).unwrap();
    world.folder = Folder::read(&world.folder.path).unwrap();
    let sent = load.end().await;
    let (credits, _) = credited(&world.folder).await;
    assert_eq!(credits, u128::try_from((sent + 4) * BATCH).unwrap());
}

/// How often a node has read its three sets of certificates anew.
fn times_loaded(world: &World, node: usize) -> usize {
    let log = world.folder.path.parent().unwrap().join(format!("logs/ledger-{node}.log"));
    fs::read_to_string(log).unwrap().matches("certificates loaded").count()
}
