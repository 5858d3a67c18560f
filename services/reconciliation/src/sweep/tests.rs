//! Every byte of a stored record counts: changed, it makes another leaf or is refused.
use ledger_proof::{codec::Field, record::EntryRecord};

use super::*;

fn entry() -> Vec<u8> {
    let entry = EntryRecord {
        entry: 1,
        first_sequence: 1,
        last_sequence: 2,
        accounts_digest: [1; 32],
        previous_digest: [2; 32],
    };
    entry.to_bytes()
}

fn stored<'a>(shared: &'a [u8], salts: &'a [u8], sequence: i64) -> Stored<'a> {
    let parts = [Some(shared), None, None, None, None, None];
    let kind = i16::from(RecordKind::Entry.code());
    Stored { sequence, kind, at_micros: 5, parts, salts, item: None }
}

#[test]
fn a_changed_byte_makes_another_leaf_or_none() {
    let (shared, salts) = (entry(), [vec![7; 32], vec![0; 160]].concat());
    let leaf = stored(&shared, &salts, 2).leaf().unwrap();
    for at in 0..shared.len() {
        let mut other = shared.clone();
        other[at] ^= 1;
        assert_ne!(stored(&other, &salts, 2).leaf(), Ok(leaf), "shared, byte {at}");
    }
    for at in 0..salts.len() {
        let mut other = salts.clone();
        other[at] ^= 1;
        assert_ne!(stored(&shared, &other, 2).leaf(), Ok(leaf), "salts, byte {at}");
    }
    let row = stored(&shared, &salts, 2);
    let others = [
        Stored { sequence: 3, ..row },
        Stored { kind: 131, ..row },
        Stored { kind: 1_000, ..row },
        Stored { at_micros: 6, ..row },
        Stored { at_micros: -1, ..row },
        Stored { salts: &salts[1..], ..row },
        Stored { salts: &[], ..row },
        Stored { item: Some(&[1]), ..row },
        Stored { parts: [Some(&shared), Some(&[]), None, None, None, None], ..row },
        Stored { parts: [None, Some(&shared), None, None, None, None], ..row },
    ];
    for other in others {
        assert_ne!(other.leaf(), Ok(leaf), "{other:?}");
    }
}

#[test]
fn missing_records_are_named_and_numbers_go_on() {
    let shared = entry();
    let mut chunk = Chunk::at(10);
    for sequence in [10, 13] {
        chunk.push(&stored(&shared, &[], sequence));
    }
    chunk.end(15);
    let missing: Vec<&str> = chunk.findings.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(missing, ["11", "12", "14"]);
    assert_eq!(chunk.leaves.len(), 5);
}

#[test]
fn the_tree_of_chunks_is_the_tree_of_leaves() {
    let count = CHUNK * 2 + 3;
    let leaves: Vec<Digest> = (0..count).map(|at| leaf_hash(&at.to_be_bytes())).collect();
    let (mut tree, mut plain) = (Tree::default(), Frontier::default());
    for part in leaves.chunks(usize::try_from(CHUNK).unwrap()) {
        tree.push(part, root_of(part));
    }
    leaves.iter().for_each(|leaf| plain.push(*leaf));
    assert_eq!(*tree.frontier(), plain);
    let mut first = Frontier::default();
    leaves.iter().take(usize::try_from(CHUNK).unwrap()).for_each(|leaf| first.push(*leaf));
    assert_eq!(tree.root_at(1), first.root());
    assert_ne!(tree.root_at(2), first.root());
    assert_eq!(tree.chunks(), 2);
    assert!(tree.correct(1, [9; 32]) && !tree.correct(2, [9; 32]));
}
