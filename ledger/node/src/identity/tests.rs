//! A folder keeps its name, is refused to others, and a wiped one is not taken for the one before.
use std::fs;

use ledger_types::NetworkId;

use super::{Identity, Seen};

const NETWORK: NetworkId = NetworkId([7; 32]);

#[test]
fn a_data_folder_is_one_nodes_of_one_network_for_ever() {
    let data = tempfile::tempdir().unwrap();
    let guard = data.path().join("high-water");
    let bind = |network, node| Identity::bind(data.path(), &guard, network, node);
    let first = bind(NETWORK, 1).unwrap();
    assert_eq!(bind(NETWORK, 1).unwrap(), first);
    assert!(bind(NETWORK, 2).is_err());
    assert!(bind(NetworkId([8; 32]), 1).is_err());
    let path = data.path().join("IDENTITY");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("causeway-data 1", "causeway-data 999")).unwrap();
    assert!(bind(NETWORK, 1).unwrap_err().to_string().contains("format"));
    // Lost beside a log or a guard, it is not drawn again.
    fs::remove_file(&path).unwrap();
    fs::create_dir(data.path().join("log")).unwrap();
    assert!(bind(NETWORK, 1).is_err());
    fs::remove_dir(data.path().join("log")).unwrap();
    fs::write(&guard, b"").unwrap();
    assert!(bind(NETWORK, 1).is_err());
    fs::remove_file(&guard).unwrap();
    assert_ne!(bind(NETWORK, 1).unwrap().folder, first.folder);
}

#[test]
fn an_id_seen_with_one_folder_is_refused_with_another() {
    let data = tempfile::tempdir().unwrap();
    let seen = Seen::open(data.path()).unwrap();
    assert!(seen.same(2, "a").unwrap());
    assert!(seen.same(3, "b").unwrap());
    assert!(!seen.same(2, "c").unwrap());
    let again = Seen::open(data.path()).unwrap();
    assert!(again.same(2, "a").unwrap() && !again.same(3, "a").unwrap());
}
