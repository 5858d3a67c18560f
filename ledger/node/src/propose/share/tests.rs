//! Shares of the queue: bounded for one, free for another, given back.
use ledger_types::ParticipantId;

use super::{Room, Shares};

const ONE: ParticipantId = ParticipantId(11);
const OTHER: ParticipantId = ParticipantId(12);

fn shares() -> Shares {
    Shares::new(Room { envelopes: 8, bytes: 800 })
}

#[test]
fn a_flood_leaves_room_for_another() {
    let shares = shares();
    let flood: Vec<_> = (0..10).filter_map(|_| shares.place(ONE, 10)).collect();
    assert_eq!(flood.len(), 2, "a quarter of the places");
    assert!(shares.place(OTHER, 10).is_some());
    drop(flood);
    assert!(shares.place(ONE, 10).is_some(), "given back");
    assert!(shares.held().each.is_empty() && shares.held().all == Room::default());
}

#[test]
fn bytes_are_bounded_too() {
    let shares = shares();
    let big = shares.place(ONE, 700).expect("the only request may be larger than a share");
    assert!(shares.place(ONE, 1).is_none(), "but then it is the only one");
    assert!(shares.place(OTHER, 101).is_none(), "all together are bounded");
    let mut growing = shares.place(OTHER, 0).expect("no bytes yet");
    assert!(growing.grow(100) && !growing.grow(1));
    drop(big);
    assert!(growing.grow(600) && !growing.grow(101));
}

#[test]
fn places_are_bounded_for_all_together() {
    let shares = shares();
    let held: Vec<_> = (0..10).filter_map(|id| shares.place(ParticipantId(id), 1)).collect();
    assert_eq!(held.len(), 8);
}
