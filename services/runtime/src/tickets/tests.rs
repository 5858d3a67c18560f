//! Tickets: bounded in all and by key, given back, remembered for no longer than they are held.

use super::{Tickets, lock};

#[test]
fn one_key_leaves_room_for_another() {
    let tickets = Tickets::new(4, 2);
    let held: Vec<_> = (0..9).filter_map(|_| tickets.take("flood")).collect();
    assert_eq!(held.len(), 2);
    let other = tickets.take("other").expect("room is left");
    assert!(tickets.take("third").is_some() && !tickets.full());
    drop((held, other));
    let again: Vec<_> = (0..9).filter_map(|_| tickets.take("flood")).collect();
    assert_eq!(again.len(), 2, "given back");
    drop(again);
    assert!(lock(&tickets.held).each.is_empty() && lock(&tickets.held).all == 0);
}

#[test]
fn all_together_are_bounded() {
    let tickets = Tickets::new(4, 2);
    let held: Vec<_> = (0..9).filter_map(|key| tickets.take(key)).collect();
    assert_eq!(held.len(), 4);
    assert!(tickets.full());
    let forced = tickets.force(100);
    assert!(tickets.take(101).is_none());
    drop((held, forced));
    assert!(!tickets.full());
}

#[test]
fn the_first_of_a_key_is_the_only_one() {
    let tickets = Tickets::new(4, 2);
    let first = tickets.take_first("row").expect("nothing is under way");
    assert!(tickets.take_first("row").is_none());
    assert!(tickets.take("row").is_some(), "a second one that is wanted");
    drop(first);
    assert!(tickets.take_first("row").is_some());
}
