//! Turns: in order for one, alternating between many, by weight and not by number.
use ledger_types::ParticipantId;

use super::{Fair, QUANTUM};

const ONE: ParticipantId = ParticipantId(11);
const OTHER: ParticipantId = ParticipantId(12);

fn drain(fair: &mut Fair<(ParticipantId, usize)>) -> Vec<(ParticipantId, usize)> {
    std::iter::from_fn(|| fair.pop()).collect()
}

#[test]
fn one_caller_is_served_in_its_order() {
    let mut fair = Fair::default();
    (0..5).for_each(|at| fair.push(ONE, at * QUANTUM * 3, (ONE, at)));
    assert_eq!(fair.len(), 5);
    let order: Vec<_> = drain(&mut fair).into_iter().map(|(_, at)| at).collect();
    assert_eq!(order, [0, 1, 2, 3, 4]);
    assert!(fair.len() == 0 && fair.lines.is_empty() && fair.turns.is_empty());
}

#[test]
fn a_newcomer_waits_for_no_flood() {
    let mut fair = Fair::default();
    (0..1_000).for_each(|at| fair.push(ONE, QUANTUM, (ONE, at)));
    fair.push(OTHER, QUANTUM, (OTHER, 0));
    let place = drain(&mut fair).iter().position(|(caller, _)| *caller == OTHER).unwrap();
    assert!(place <= 1, "served as number {place}");
}

#[test]
fn turns_are_by_weight() {
    let mut fair = Fair::default();
    (0..100).for_each(|at| fair.push(ONE, QUANTUM * 10, (ONE, at)));
    (0..1_000).for_each(|at| fair.push(OTHER, QUANTUM, (OTHER, at)));
    let first: Vec<_> = drain(&mut fair).into_iter().take(110).collect();
    let light = first.iter().filter(|(caller, _)| *caller == OTHER).count();
    assert!((90..=101).contains(&light), "{light} light ones beside {} heavy", first.len() - light);
}
