//! Data folders as every format ever written left them: this build checks them, opens them, and tells what they told.
use std::{fs, path::Path, process::Command};

use ledger_proof::Genesis;
use proto::ledger::GetRootRequest;
use services_cli::{
    admin::authority::Folder,
    args::NetworkNew,
    demo::processes::Service,
    network::{
        new,
        pki::{ParticipantCa, PeerCa},
    },
};
use services_runtime::tls::Identity;
use tests::chaos::Frozen;
use time::OffsetDateTime;

use crate::operator::causeway;

#[tokio::test(flavor = "multi_thread")]
async fn frozen_folders_open_and_tell_the_same() {
    services_runtime::tls::install_default_provider();
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("frozen");
    let mut opened = 0;
    for folder in fs::read_dir(folders).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.is_dir() {
            opens(&folder).await;
            opened += 1;
        }
    }
    assert!(opened > 0);
}

async fn opens(frozen: &Path) {
    let told = fs::read(frozen.join(Frozen::FILE)).unwrap();
    let told: Frozen = serde_json::from_slice(&told).unwrap();
    let place = tempfile::tempdir().unwrap();
    let network = network(frozen, &place.path().join("network"));
    let data = network.path.join("nodes/1/data");
    let data = data.to_str().unwrap();
    let copied = Command::new("cp").arg("-r").arg(frozen.join("data")).arg(data).status();
    assert!(copied.unwrap().success());
    let (status, said) = causeway(&["admin", "verify-data", "--deep", data]).await;
    assert_eq!((status, &said["sound"]), (0, &true.into()), "{frozen:?}: {said}");

    let config = network.path.join("nodes/1/node.toml");
    let mut node = Service::start("ledger", "frozen", &config, place.path()).unwrap();
    let client = network.client("operator/client", std::time::Duration::from_secs(30)).unwrap();
    let request = GetRootRequest { records: told.records };
    let root = loop {
        node.check().unwrap();
        if let Ok(root) = client.admin(1).unwrap().get_root(request).await {
            break root.into_inner();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let root = root.root.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(root, told.root, "{frozen:?}");
    // It leads and reads: whatever it held as a promise stands.
    let (_, records) = client.balances(None).await.unwrap();
    assert!(records >= told.records, "{frozen:?}: {records} records");
}

/// A new network's folder around a frozen genesis: the certificates are made for this run.
fn network(frozen: &Path, path: &Path) -> Folder {
    let plan = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chaos/chaos.toml"));
    let hosts = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
    new::run(&NetworkNew {
        folder: path.to_owned(),
        plan,
        nodes: "1".to_owned(),
        hosts: hosts.clone(),
        database_url: "postgres://localhost/none".to_owned(),
        sdn: None,
        alt: None,
    })
    .unwrap();
    let genesis = fs::read(frozen.join("genesis.bin")).unwrap();
    fs::write(path.join("genesis.bin"), &genesis).unwrap();
    let network = Genesis::read(&genesis).unwrap().network().to_string();
    let identity = |role: &str, id: &str| Identity {
        network: network.clone(),
        role: role.to_owned(),
        id: id.to_owned(),
    };
    let (node, now) = (identity("node", "1"), OffsetDateTime::now_utc());
    let (peers, participants) = (PeerCa::read(path).unwrap(), ParticipantCa::read(path).unwrap());
    let issued = [
        ("nodes/1/peer", peers.issue_peer(&hosts, &node, now)),
        ("nodes/1/server", participants.issue_server(&hosts, &node, now)),
        ("operator/client", participants.issue_client(&identity("operator", "operator"), now)),
    ];
    for (folder, credentials) in issued {
        credentials.unwrap().replace(&path.join(folder)).unwrap();
    }
    Folder::read(path).unwrap()
}
