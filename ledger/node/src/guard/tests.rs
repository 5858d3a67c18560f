//! A promise outlives torn and damaged slots, and a file without a good slot is refused.
use std::{fs, os::unix::fs::FileExt as _};

use openraft::{LogId, Vote};

use super::{Guard, Promise, SLOT};

fn promise(index: u64) -> Promise {
    Promise {
        folder: "f".to_owned(),
        vote: Some(Vote::new(2, 1)),
        last: Some(LogId::new_term_index(2, index)),
        chain: [u8::try_from(index).unwrap(); 32],
    }
}

#[test]
fn the_last_promise_is_read_back_and_a_torn_one_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("high-water");
    assert!(Guard::open(&path).unwrap().is_none());
    let mut guard = Guard::create(&path, promise(1)).unwrap();
    guard.save(promise(2)).unwrap();
    guard.save(promise(3)).unwrap();
    drop(guard);
    assert_eq!(*Guard::open(&path).unwrap().unwrap().promise(), promise(3));
    // The third lies where the first did.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"torn", u64::try_from(SLOT + 30).unwrap()).unwrap();
    assert_eq!(*Guard::open(&path).unwrap().unwrap().promise(), promise(2));
    file.write_all_at(b"torn", 30).unwrap();
    assert!(Guard::open(&path).is_err());
    file.set_len(0).unwrap();
    assert!(Guard::open(&path).is_err());
}

#[test]
fn a_bent_file_keeps_one_of_its_promises_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("high-water");
    let mut guard = Guard::create(&path, promise(1)).unwrap();
    guard.save(promise(2)).unwrap();
    drop(guard);
    let whole = fs::read(&path).unwrap();
    let (mut older, mut refused) = (0, 0);
    for at in (0..whole.len()).filter(|at| at % SLOT < 400) {
        for bit in 0..8 {
            let mut bent = whole.clone();
            bent[at] ^= 1 << bit;
            // And the other slot torn, every second time.
            let other = (at + SLOT) % whole.len() / SLOT * SLOT;
            if bit % 2 == 1 {
                bent[other..other + 16].fill(0);
            }
            fs::write(&path, &bent).unwrap();
            match Guard::open(&path) {
                Ok(Some(guard)) if *guard.promise() == promise(2) => {}
                Ok(Some(guard)) if *guard.promise() == promise(1) => older += 1,
                Err(_) => refused += 1,
                other => panic!("bit {bit} of byte {at}: {other:?}"),
            }
        }
    }
    assert!(older > 500 && refused > 500, "{older} older, {refused} refused");
}
