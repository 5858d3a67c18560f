//! Trees, tiles, notes and keys against the standards' own examples and independent implementations.
use alloc::{vec, vec::Vec};

use ed25519_dalek::SigningKey;

use super::hex;
use crate::{
    Field, Frontier, note, signature,
    tree::{self, leaf_hash, sha256},
};

/// Roots of RFC 6962 over the eight leaves of the Certificate Transparency test data.
#[test]
fn roots_are_those_of_rfc_6962() {
    let leaves: [&[u8]; 8] = [
        &[],
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), sha256(&[]));
    for (leaf, root) in leaves.iter().zip(roots) {
        frontier.push(leaf_hash(leaf));
        assert_eq!(hex(&frontier.root()), root);
        assert_eq!(Frontier::from_bytes(&frontier.to_bytes()), Ok(frontier.clone()));
    }
}

#[test]
fn tiles_are_those_of_c2sp() {
    assert_eq!(tree::tile_path(0, 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(tree::tile_path(1, 0, 17), "tile/1/000.p/17");
    let mut frontier = Frontier::default();
    let mut levels = [Vec::new(), Vec::new(), Vec::new()];
    let mut stored: Vec<tlog_tiles::Hash> = Vec::new();
    for sequence in 0..70_000_u64 {
        let leaf = sequence.to_be_bytes();
        levels[0].push(leaf_hash(&leaf));
        frontier.push_subtree(0, leaf_hash(&leaf), |height, root| {
            if height % tree::TILE_HEIGHT == 0 {
                levels[usize::try_from(height / tree::TILE_HEIGHT).expect("small")].push(*root);
            }
        });
        let hashes = tlog_tiles::stored_hashes(sequence, &leaf, &Stored(&stored));
        stored.extend(hashes.expect("stored hashes"));
    }
    // 273 full tiles of leaves and one of 112; one full tile above and one of 17; one of one hash.
    assert_eq!(levels.each_ref().map(Vec::len), [70_000, 273, 1]);
    for tile in tlog_tiles::Tile::new_tiles(8, 0, 70_000) {
        let theirs = tile.read_data(&Stored(&stored)).expect("a tile");
        let level = usize::from(tile.level());
        let first = usize::try_from(tile.level_index() * 256).expect("an index");
        let ours = &levels[level][first..first + usize::try_from(tile.width()).expect("a width")];
        assert_eq!(ours.concat(), theirs, "{}", tile.path());
        let width = u16::try_from(tile.width()).expect("a width");
        // Theirs names the tiles' height first, which C2SP fixes and leaves out.
        let path = tile.path().replacen("tile/8/", "tile/", 1);
        assert_eq!(tree::tile_path(tile.level(), tile.level_index(), width), path);
    }
    let mut jumped = Frontier::default();
    jumped.push_subtree(16, levels[2][0], |_, _| {});
    levels[1][256..].iter().for_each(|root| jumped.push_subtree(8, *root, |_, _| {}));
    levels[0][273 * 256..].iter().for_each(|leaf| jumped.push(*leaf));
    assert_eq!(jumped, frontier, "a frontier built of tiles");
}

#[test]
fn an_independent_implementation_finds_the_same_roots() {
    let mut frontier = Frontier::default();
    let mut stored: Vec<tlog_tiles::Hash> = Vec::new();
    for size in 1..=600_u64 {
        let leaf = size.to_be_bytes();
        frontier.push(leaf_hash(&leaf));
        let hashes = tlog_tiles::stored_hashes(size - 1, &leaf, &Stored(&stored));
        stored.extend(hashes.expect("stored hashes"));
        let root = tlog_tiles::tree_hash(size, &Stored(&stored)).expect("a root");
        assert_eq!(root.0, frontier.root(), "size {size}");
    }
}

struct Stored<'a>(&'a [tlog_tiles::Hash]);

impl tlog_tiles::HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let at = |index: &u64| usize::try_from(*index).expect("an index");
        Ok(indexes.iter().map(|index| self.0[at(index)]).collect())
    }
}

#[test]
fn notes_are_those_of_c2sp() {
    let key = SigningKey::from_bytes(&[21; 32]);
    let public = key.verifying_key().to_bytes();
    let text = note::checkpoint("causeway.example/log", 70_000, &[7; 32]);
    let signature = ed25519_dalek::Signer::sign(&key, text.as_bytes()).to_bytes();
    let signed = note::signed_note(&text, "causeway.example/log", &public, &signature);
    let verifier_key = note::verifier_key("causeway.example/log", &public);
    let verifier = signed_note::StandardVerifier::new(&verifier_key).expect("a verifier key");
    let verifiers = signed_note::VerifierList::new(vec![alloc::boxed::Box::new(verifier)]);
    let read = signed_note::Note::from_bytes(signed.as_bytes()).expect("a note");
    let (verified, unverified) = read.verify(&verifiers).expect("verified");
    assert_eq!((verified.len(), unverified.len()), (1, 0));
}

#[test]
fn weak_keys_are_no_keys() {
    let mut identity = [0; 32];
    identity[0] = 1;
    for weak in [[0; 32], identity] {
        assert!(signature::verifying_key(&weak).is_none());
    }
}
