//! One small book for each rule: what matches, by what evidence, and what each cause looks like.

use super::movement;
use crate::{Cause, Leg, Movement, Outcome, Reason, Rules, Side, compare, three_way};

const RULES: Rules =
    Rules { value_date_days: 0, search_days: 2, charges_max: 50, until: Some(20_000) };

fn bare(own: &Movement) -> Movement {
    Movement { uetr: None, end_to_end_id: None, servicer_reference: None, ..own.clone() }
}

fn causes(outcome: &Outcome) -> Vec<Cause> {
    outcome.breaks.iter().map(|one| one.cause).collect()
}

fn of(left: &[Movement], right: &[Movement]) -> Outcome {
    compare(left, right, &RULES)
}

#[test]
fn each_reference_alone_finds_the_movement() {
    let own = movement(1);
    let cases = [
        (Reason::Uetr, Movement { uetr: own.uetr, ..bare(&own) }),
        (Reason::EndToEndId, Movement { end_to_end_id: own.end_to_end_id.clone(), ..bare(&own) }),
        (
            Reason::ServicerReference,
            Movement { servicer_reference: own.servicer_reference.clone(), ..bare(&own) },
        ),
        (Reason::Party, bare(&own)),
        (Reason::Amount, Movement { party: None, value_date: 20_002, ..bare(&own) }),
    ];
    for (reason, other) in cases {
        let outcome = of(std::slice::from_ref(&own), &[other]);
        let [found] = outcome.matches.as_slice() else { panic!("{reason:?} {outcome:?}") };
        assert!(found.evidence.has(reason), "{:?}", found.evidence.explained());
        let points = found.evidence.explained().iter().map(|(_, points)| *points).sum::<u16>();
        assert_eq!(found.evidence.score(), points.min(100));
    }
}

#[test]
fn each_cause_is_named() {
    let own = movement(1);
    let other = |bend: fn(&mut Movement)| {
        let mut other = own.clone();
        bend(&mut other);
        other
    };
    let cases = [
        (vec![], Cause::MissingInStatement, own.amount),
        (vec![other(|one| one.amount = 5)], Cause::AmountDiffers, own.amount - 5),
        (vec![other(|one| one.amount += 5)], Cause::AmountDiffers, 5),
        (vec![other(|one| one.amount -= 50)], Cause::ChargesDeducted, 50),
        (
            vec![other(|one| (one.amount, one.charges) = (one.amount - 400, 400))],
            Cause::ChargesDeducted,
            400,
        ),
        (
            vec![other(|one| one.currency = "USD".parse().expect("it is listed"))],
            Cause::CurrencyDiffers,
            own.amount,
        ),
        (vec![other(|one| one.account = 2)], Cause::WrongAccount, own.amount),
        (vec![other(|one| one.value_date += 1)], Cause::ValueDateDiffers, own.amount),
        (vec![own.clone(), own.clone()], Cause::Duplicated, own.amount),
        (
            vec![own.clone(), other(|one| (one.side, one.reversal) = (Side::Debit, true))],
            Cause::Reversed,
            own.amount,
        ),
    ];
    for (right, cause, at_risk) in cases {
        let outcome = of(std::slice::from_ref(&own), &right);
        let found: Vec<_> = outcome.breaks.iter().map(|one| (one.cause, one.at_risk)).collect();
        assert_eq!(found, [(cause, at_risk)], "{right:?}");
    }
    assert_eq!(causes(&of(&[], &[own])), [Cause::MissingInLedger]);
}

#[test]
fn a_batch_is_one_entry_for_many_or_breaks() {
    let mut left: Vec<Movement> = (1..=4).map(movement).collect();
    left.iter_mut().for_each(|own| own.batch = Some("B-1".to_owned()));
    let sum = left.iter().map(|own| own.amount).sum();
    let entry =
        Movement { amount: sum, party: None, batch: Some("B-1".to_owned()), ..bare(&left[0]) };
    let outcome = of(&left, std::slice::from_ref(&entry));
    assert_eq!((outcome.matches[0].left.len(), outcome.breaks.len()), (4, 0));
    let off = Movement { amount: sum - 7, ..entry };
    let outcome = of(&left, &[off]);
    assert_eq!(causes(&outcome), [Cause::BatchSumDiffers]);
    assert_eq!((outcome.breaks[0].left.len(), outcome.breaks[0].at_risk), (4, 7));
}

#[test]
fn what_one_party_moved_in_one_day_may_be_one_entry() {
    let party = |number| Movement { party: Some("EXAMPLE".to_owned()), ..bare(&movement(number)) };
    let entry = Movement { amount: 2_003, ..party(9) };
    let outcome = of(&[party(1), party(2)], std::slice::from_ref(&entry));
    assert_eq!(outcome.matches[0].left, [0, 1]);
    let outcome = of(&[party(1), party(2), party(3)], &[entry]);
    assert_eq!(outcome.breaks.len(), 4, "no part of a sum is guessed");
}

#[test]
fn contradicting_references_are_never_one_movement() {
    let other =
        Movement { uetr: Some(99), end_to_end_id: None, servicer_reference: None, ..movement(1) };
    let outcome = of(&[movement(1)], &[other]);
    assert_eq!(causes(&outcome), [Cause::MissingInLedger, Cause::MissingInStatement]);
}

#[test]
fn a_return_that_the_ledger_knows_is_no_break() {
    let own = movement(1);
    let returned = Movement {
        uetr: Some(77),
        returns: own.uetr,
        side: Side::Debit,
        reversal: true,
        ..own.clone()
    };
    let reversal = Movement { side: Side::Debit, reversal: true, ..own.clone() };
    let outcome = of(&[own.clone(), returned], &[own, reversal]);
    assert_eq!((outcome.matches.len(), outcome.breaks.len()), (2, 0), "{outcome:?}");
}

#[test]
fn a_reused_end_to_end_id_pairs_by_amount() {
    let reused = |number| Movement {
        end_to_end_id: Some("RENT".to_owned()),
        uetr: None,
        servicer_reference: None,
        ..movement(number)
    };
    let outcome = of(&[reused(1), reused(2), reused(3)], &[reused(3), reused(1), reused(2)]);
    assert_eq!((outcome.matches.len(), outcome.breaks.len()), (3, 0), "{outcome:?}");
}

#[test]
fn what_is_not_due_is_awaited() {
    let later = Movement { value_date: 20_001, ..movement(1) };
    let outcome = of(&[later, movement(2)], &[]);
    assert_eq!(outcome.awaiting, [0]);
    assert_eq!(causes(&outcome), [Cause::MissingInStatement]);
}

#[test]
fn of_three_books_the_one_alone_is_named() {
    let ledger: Vec<Movement> = (0..4).map(movement).collect();
    let wrong = |at: usize| {
        let mut other = ledger.clone();
        other[at].amount += 5;
        other
    };
    let three = three_way(&ledger, &wrong(1), &wrong(2), &RULES);
    let alone: Vec<_> = (0..4).map(|at| three.alone(at)).collect();
    assert_eq!(alone, [None, Some(Leg::Statement), Some(Leg::Journal), None]);
    assert_eq!(three_way(&ledger, &wrong(3), &wrong(3), &RULES).alone(3), Some(Leg::Ledger));
}

#[test]
fn a_reference_that_everybody_uses_is_none_and_costs_no_time() {
    let shared = |number: u64| Movement {
        uetr: None,
        servicer_reference: None,
        end_to_end_id: Some("PAYMENT".to_owned()),
        amount: 100 + number % 2,
        party: Some(format!("PARTY{}", number % 1_000)),
        ..movement(number)
    };
    let left: Vec<Movement> = (0..20_000).map(shared).collect();
    let right: Vec<Movement> = left.iter().rev().skip(3).cloned().collect();
    let outcome = of(&left, &right);
    assert_eq!((outcome.matches.len(), outcome.breaks.len()), (19_997, 3));
    assert!(causes(&outcome).iter().all(|cause| *cause == Cause::MissingInStatement));
}

#[test]
fn a_name_may_be_cut_off_and_a_charge_taken_off_without_any_reference() {
    let own = Movement { party: Some("EXAMPLECREDITOR".to_owned()), ..bare(&movement(1)) };
    let named = |party: &str, less: u64| Movement {
        party: Some(party.to_owned()),
        amount: own.amount - less,
        ..own.clone()
    };
    let left = std::slice::from_ref(&own);
    assert_eq!(of(left, &[named("EXAMPLECRED", 0)]).matches.len(), 1);
    assert_eq!(of(left, &[named("OTHERCREDITOR", 0)]).breaks.len(), 2);
    assert_eq!(causes(&of(left, &[named("EXAMPLECREDITOR", 50)])), [Cause::ChargesDeducted]);
    assert_eq!(of(left, &[named("EXAMPLECREDITOR", 51)]).breaks.len(), 2);
}
