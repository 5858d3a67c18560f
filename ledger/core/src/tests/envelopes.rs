//! Envelopes: resends, reuse, staleness, keys, thresholds, all-or-nothing.
use ledger_proof::{
    Field, Item, Part, Record,
    operator::{AddKey, KeyKind, RetireKey},
    record::{PartyPart, SharedPart},
    signature::key_id,
};
use ledger_types::{Rejection, RequestId};

use super::world::{CREDITOR, DEBTOR, SECOND, World, describe, key, uetr};

fn shared(record: &Record) -> SharedPart {
    SharedPart::from_bytes(&record.parts[Part::Shared.index()]).expect("a shared part")
}

#[test]
fn a_resend_gives_the_stored_answer_and_no_record() {
    let mut world = World::new();
    let item = Item::Submit(world.direct("D", 1_000));
    let bytes = world.envelope(DEBTOR, &[item], false, RequestId([1; 16]), 60);
    let first = world.apply(&bytes);
    let records = world.ledger.records();
    let again = world.apply(&bytes);
    assert_eq!(again.resent, Some((first.outcomes[0].sequence, 1)));
    assert_eq!((world.ledger.records(), world.out.records.len()), (records, 0));
    let other = Item::Submit(world.direct("E", 1_000));
    let bytes = world.envelope(DEBTOR, &[other], false, RequestId([1; 16]), 60);
    let refused = world.apply(&bytes);
    assert!(refused.refused_whole);
    assert_eq!(refused.outcomes[0].rejection, Some(Rejection::RequestReused));
}

#[test]
fn validity_is_bounded_both_ways() {
    let mut world = World::new();
    let item = Item::Submit(world.direct("D", 1_000));
    let bytes = world.envelope(DEBTOR, core::slice::from_ref(&item), false, RequestId([1; 16]), 60);
    world.now = world.now.plus_micros(61 * SECOND);
    assert_eq!(world.apply(&bytes).outcomes[0].rejection, Some(Rejection::EnvelopeStale));
    let day = 24 * 3_600;
    let bytes =
        world.envelope(DEBTOR, core::slice::from_ref(&item), false, RequestId([2; 16]), day + 1);
    let refused = world.apply(&bytes);
    assert_eq!(refused.outcomes[0].rejection, Some(Rejection::EnvelopeValidityTooLong));
    let bytes = world.envelope(DEBTOR, &[item], false, RequestId([3; 16]), day);
    assert_eq!(world.apply(&bytes).outcomes[0].rejection, None);
}

#[test]
fn a_retired_key_signs_nothing_more() {
    let mut world = World::new();
    let id = key_id(KeyKind::Signing, key("10").verifying_key().as_bytes());
    let nonce = world.fresh();
    world.operate(Item::RetireKey(RetireKey { nonce, participant: DEBTOR, key: id }));
    let item = Item::Submit(world.direct("D", 1_000));
    let answer = world.send_all(DEBTOR, &[item], false);
    assert!(answer.refused_whole);
    assert_eq!(answer.outcomes[0].rejection, Some(Rejection::KeyNotActive));
    let public_key = key("10").verifying_key().to_bytes();
    let back = AddKey { nonce, participant: DEBTOR, kind: KeyKind::Signing, public_key };
    let outcome = world.send(ledger_types::ParticipantId::OPERATOR, Item::AddKey(back));
    assert_eq!(outcome.rejection, Some(Rejection::KeyExists), "retired for ever");
}

#[test]
fn all_or_nothing_moves_nothing_and_uses_up_the_identities() {
    let mut world = World::new();
    let before = world.balance(DEBTOR, "HKD");
    let good = Item::Submit(world.direct("D", 1_000));
    let bad = Item::Submit(world.direct("E", 799_999));
    let bad2 = Item::Submit(world.direct("F", 799_999));
    let items = [good.clone(), bad, bad2];
    let answer = world.send_all(DEBTOR, &items, true);
    let rejections: alloc::vec::Vec<_> = answer.outcomes.iter().map(|o| o.rejection).collect();
    let others = Some(Rejection::RefusedWithOthers);
    assert_eq!(rejections, [others, others, Some(Rejection::InsufficientFunds)]);
    assert_eq!(world.balance(DEBTOR, "HKD"), before);
    assert_eq!(world.out.records.len(), 4, "three refusals and the entry record");
    let subjects = world.out.records[..3].iter().map(|record| shared(record).subject);
    assert!(subjects.eq(["D", "E", "F"].map(|name| uetr(name).bytes())), "each names its transfer");
    let answer = world.send_all(DEBTOR, &[good], true);
    assert_eq!(describe(&answer.outcomes[0]), "again REFUSED_WITH_OTHERS");
    let retry = Item::Submit(world.direct("G", 1_000));
    assert_eq!(describe(&world.send(DEBTOR, retry)), "SETTLED");
    assert_eq!(world.balance(CREDITOR, "HKD"), (1_000, 0));
}

#[test]
fn a_group_with_a_known_transfer_leaves_that_one_alone() {
    let mut world = World::new();
    let settled = Item::Submit(world.direct("D", 1_000));
    assert_eq!(describe(&world.send(DEBTOR, settled.clone())), "SETTLED");
    let other = Item::Submit(world.direct("D", 2_000));
    let twice = Item::Submit(world.direct("E", 1_000));
    for items in [[settled.clone(), other], [twice.clone(), Item::Submit(world.direct("E", 1_001))]]
    {
        let answer = world.send_all(DEBTOR, &items, true);
        let refusals = answer.outcomes.iter().map(|outcome| outcome.rejection);
        let expected = [Rejection::RefusedWithOthers, Rejection::UetrReused].map(Some);
        assert!(refusals.eq(expected));
    }
    assert_eq!(describe(&world.send(DEBTOR, settled)), "again SETTLED");
    assert_eq!(describe(&world.send(DEBTOR, twice)), "again REFUSED_WITH_OTHERS");
    assert_eq!(world.balance(CREDITOR, "HKD"), (1_000, 0));
}

#[test]
fn a_request_is_known_until_its_last_moment() {
    let mut world = World::new();
    let item = Item::Submit(world.direct("D", 1_000));
    let bytes = world.envelope(DEBTOR, &[item], false, RequestId([1; 16]), 60);
    world.now = world.now.plus_micros(60 * SECOND);
    assert_eq!(world.apply(&bytes).outcomes[0].rejection, None);
    assert!(world.apply(&bytes).resent.is_some(), "a resend at valid_until");
    world.wait(1);
    assert_eq!(world.apply(&bytes).outcomes[0].rejection, Some(Rejection::EnvelopeStale));
}

#[test]
fn a_refused_envelope_stands_in_its_authors_stream() {
    let mut world = World::new();
    let item = Item::Submit(world.direct("D", 1_000));
    let bytes = world.envelope(DEBTOR, &[item], false, RequestId([1; 16]), 60);
    world.wait(61);
    let outcome = world.apply(&bytes).outcomes[0];
    assert_eq!(outcome.reason, Some(Rejection::EnvelopeStale.reason()));
    let record = &world.out.records[0];
    let part = PartyPart::from_bytes(&record.parts[Part::Debtor.index()]).expect("a part");
    assert_eq!(part.participant, DEBTOR);
    assert_eq!(world.out.numbers[0], (DEBTOR, part.number, record.sequence));
}

#[test]
fn the_operator_needs_its_threshold() {
    let mut world = World::new();
    let nonce = world.fresh();
    let item = Item::Suspend(ledger_proof::operator::Suspend {
        nonce,
        participant: DEBTOR,
        suspended: true,
    });
    let request = ledger_proof::signature::Request {
        network: world.ledger.network(),
        author: ledger_types::ParticipantId::OPERATOR,
        request: RequestId([9; 16]),
        valid_until: world.now.plus_micros(SECOND),
        kind: item.kind(),
        all_or_nothing: false,
    };
    let bytes = Field::to_bytes(&item);
    let one = key("op-1");
    for keys in [alloc::vec![&one], alloc::vec![&one, &one]] {
        let mut request = request;
        request.request.0[0] = u8::try_from(keys.len()).expect("valid");
        let bytes = ledger_proof::signature::sign(&request, core::slice::from_ref(&bytes), &keys);
        let answer = world.apply(&bytes);
        assert_eq!(answer.outcomes[0].rejection, Some(Rejection::SignaturesTooFew));
    }
}
