//! Fuzz targets without a fuzzer: the corpora, and seeds bent in many ways, the same each time.
use std::{collections::BTreeMap, fs};

use tests_targets::{TARGETS, Target, seeds};

/// Bent inputs for each target.
const BENT: usize = 2_000;

/// The corpus of a target, by file name.
fn corpus(target: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(seeds::folder().join(target)).unwrap();
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    };
    entries.map(read).collect()
}

/// `UPDATE_CORPUS=1` writes them; inputs that once found something lie beside the seeds.
#[test]
fn fuzz_corpora_hold_what_the_encoders_make() {
    let update = std::env::var_os("UPDATE_CORPUS").is_some();
    for (target, name, bytes) in seeds::all() {
        let file = seeds::folder().join(target).join(&name);
        if update {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &bytes).unwrap();
        }
        assert_eq!(fs::read(&file).ok(), Some(bytes), "{target}/{name}: run with UPDATE_CORPUS=1");
    }
}

#[test]
fn fuzz_targets_hold_for_their_corpora_and_for_bent_seeds() {
    for Target { name, run } in TARGETS {
        let corpus: Vec<_> = corpus(name).into_values().collect();
        assert!(!corpus.is_empty(), "{name} has no corpus");
        corpus.iter().for_each(|bytes| run(bytes));
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..BENT {
            let mut bytes = corpus[random.usize(..corpus.len())].clone();
            let other = &corpus[random.usize(..corpus.len())];
            for _ in 0..random.usize(1..5) {
                bend(&mut bytes, other, &mut random);
            }
            run(&bytes);
        }
    }
}

/// Flips, cuts, repeats and splices, as fuzzers do.
fn bend(bytes: &mut Vec<u8>, other: &[u8], random: &mut fastrand::Rng) {
    let at = random.usize(..=bytes.len());
    match random.u8(..6) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
        1 if at < bytes.len() => bytes[at] = random.u8(..),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, random.u8(..)),
        4 => {
            let from = random.usize(..=other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        _ => {
            let end = (at + random.usize(..16)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}
