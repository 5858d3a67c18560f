//! Ids once used stay used, over restarts too.
use super::Used;

#[test]
fn ids_are_kept_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let used = Used::open(folder.path()).unwrap();
    assert!(used.ids().is_empty());
    used.note([1, 2, 3]).unwrap();
    used.note([2, 4]).unwrap();
    assert_eq!(Vec::from_iter(used.ids()), [1, 2, 3, 4]);
    assert_eq!(Vec::from_iter(Used::open(folder.path()).unwrap().ids()), [1, 2, 3, 4]);
    std::fs::write(folder.path().join("MEMBERS"), "[1,").unwrap();
    assert!(Used::open(folder.path()).unwrap_err().to_string().contains("node ids"));
}
