//! Shares of the queue: bounded for one and by what is served soon, free for another, given back.
use std::time::Duration;

use ledger_types::ParticipantId;

use super::{FEW, Place, Room, Shares, WEIGHT_MIN};

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

/// Shares of a queue that is known to serve so many envelopes of `bytes` within its time.
fn paced(envelopes: u64, bytes: usize) -> Shares {
    let whole = Room { envelopes: 100_000, bytes: 1 << 40 };
    let shares = Shares::within(whole, Duration::from_secs(1));
    let place = shares.place(ONE, bytes).expect("nothing is known of the pace yet");
    let one = place.room.weight();
    drop(place);
    let mut held = shares.held();
    let pace = held.pace.as_mut().expect("it is measured");
    let start = tokio::time::Instant::now();
    pace.begin(start);
    pace.served(one * envelopes, start + Duration::from_secs(1));
    drop(held);
    shares
}

fn fill(shares: &Shares, caller: ParticipantId, bytes: usize) -> Vec<Place> {
    std::iter::from_fn(|| shares.place(caller, bytes)).collect()
}

#[test]
fn no_more_is_taken_than_is_served_soon() {
    let shares = paced(1_000, 1_000);
    let flood = fill(&shares, ONE, 1_000);
    assert_eq!(flood.len(), 1_000);
    let other = fill(&shares, OTHER, 1_000);
    assert_eq!(other.len(), 500, "half of what is served soon, whatever the flood holds");
    drop(flood);
    assert_eq!(fill(&shares, ONE, 1_000).len(), 500, "the other's part is kept for it");
}

#[test]
fn a_slow_ledger_still_takes_a_few() {
    let shares = paced(0, 1_000);
    let held = fill(&shares, ONE, 1_000);
    let weight: u64 = held.iter().map(|place| place.room.weight()).sum();
    assert!(weight <= WEIGHT_MIN && weight > WEIGHT_MIN / 2, "{weight}");
    let large = fill(&shares, OTHER, 10 << 20);
    assert_eq!(large.len(), FEW / 2, "however large");
}

#[test]
fn the_largest_request_is_taken_beside_a_flood() {
    let shares = paced(1_000, 1_000);
    let _flood = fill(&shares, ONE, 1_000);
    let mut large = shares.place(OTHER, 0).expect("one at least");
    assert!(large.grow(48 << 20), "for which there is room at all");
}
