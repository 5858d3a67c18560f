//! Every cell of the table state × command of docs/format.md.
use alloc::{format, string::String};

use ledger_proof::{Field, Part, record::SharedPart};
use ledger_types::ParticipantId;

use super::world::{BANK, CREDITOR, DEBTOR, World};

/// How a transfer named T gets into a state.
const PATHS: &[(&str, &str)] = &[
    ("none", ""),
    ("pending", "quote T | ok\n submit T | PENDING"),
    ("held", "quote T | ok\n submit T | PENDING\n hold T | PENDING"),
    ("due", "quote T | ok\n submit T | PENDING\n wait 31 | ok"),
    ("settled", "quote T | ok\n submit T | PENDING\n accept T | SETTLED"),
    ("acwp", "quote T | ok\n submit T | PENDING\n accept T | SETTLED\n confirm T ACWP | SETTLED"),
    (
        "blocked",
        "quote T | ok\n submit T | PENDING\n accept T | SETTLED\n confirm T BLCK | SETTLED",
    ),
    (
        "credited",
        "quote T | ok\n submit T | PENDING\n accept T | SETTLED\n confirm T ACCC | CREDITED",
    ),
    ("cash", "quote T | ok\n submit T | PENDING\n accept T | SETTLED\n confirm T CPUC | CREDITED"),
    ("refused", "submit T | QUOTE_UNKNOWN"),
    ("rejected", "quote T | ok\n submit T | PENDING\n reject T | REJECTED"),
    ("cancelled", "quote T | ok\n submit T | PENDING\n cancel T | CANCELLED"),
    ("burned", "resolve T | BURNED"),
];

/// Rows: command; columns: the states of `PATHS` in order. `=` repeats what the path gave.
const TABLE: &str = "
submit T        | QUOTE_UNKNOWN    ; again PENDING ; again PENDING ; again PENDING ; again PENDING ; again PENDING ; again PENDING ; again PENDING ; again PENDING ; again QUOTE_UNKNOWN ; again PENDING ; again PENDING ; again TRANSFER_BURNED
submit T #other | QUOTE_UNKNOWN    ; again UETR_REUSED   ; again UETR_REUSED   ; again UETR_REUSED   ; again UETR_REUSED   ; again UETR_REUSED   ; again UETR_REUSED   ; again UETR_REUSED   ; again UETR_REUSED   ; again UETR_REUSED ; again UETR_REUSED   ; again UETR_REUSED   ; again TRANSFER_BURNED
accept T        | TRANSFER_UNKNOWN ; SETTLED ; SETTLED ; TRANSFER_EXPIRED ; again SETTLED ; again SETTLED ; again SETTLED ; again SETTLED ; again SETTLED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; NOT_PARTY
accept T #other | TRANSFER_UNKNOWN ; SETTLED ; SETTLED ; TRANSFER_EXPIRED ; ANSWER_REUSED ; ANSWER_REUSED ; ANSWER_REUSED ; ANSWER_REUSED ; ANSWER_REUSED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; NOT_PARTY
accept-by-debtor T | TRANSFER_UNKNOWN ; NOT_PARTY ; NOT_PARTY ; NOT_PARTY ; NOT_PARTY ; NOT_PARTY ; NOT_PARTY ; NOT_PARTY ; NOT_PARTY ; NOT_PARTY ; NOT_PARTY ; NOT_PARTY ; NOT_PARTY
hold T          | TRANSFER_UNKNOWN ; PENDING ; again PENDING ; TRANSFER_EXPIRED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; NOT_PARTY
hold T #other   | TRANSFER_UNKNOWN ; PENDING ; PENDING ; TRANSFER_EXPIRED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; NOT_PARTY
reject T        | TRANSFER_UNKNOWN ; REJECTED ; REJECTED ; TRANSFER_EXPIRED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; again REJECTED ; STATE_FORBIDS ; NOT_PARTY
reject T #other | TRANSFER_UNKNOWN ; REJECTED ; REJECTED ; TRANSFER_EXPIRED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; ANSWER_REUSED ; STATE_FORBIDS ; NOT_PARTY
cancel T        | TRANSFER_UNKNOWN ; CANCELLED ; CANCELLED ; TRANSFER_EXPIRED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; again CANCELLED ; TRANSFER_BURNED
cancel T #other | TRANSFER_UNKNOWN ; CANCELLED ; CANCELLED ; TRANSFER_EXPIRED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; ANSWER_REUSED ; TRANSFER_BURNED
confirm T ACCC  | TRANSFER_UNKNOWN ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; CREDITED ; CREDITED ; ANSWER_REUSED ; again CREDITED ; ANSWER_REUSED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; NOT_PARTY
confirm T CPUC  | TRANSFER_UNKNOWN ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; CREDITED ; CREDITED ; ANSWER_REUSED ; ANSWER_REUSED ; again CREDITED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; NOT_PARTY
confirm T ACWP  | TRANSFER_UNKNOWN ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; SETTLED ; again SETTLED ; ANSWER_REUSED ; ANSWER_REUSED ; ANSWER_REUSED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; NOT_PARTY
confirm T BLCK  | TRANSFER_UNKNOWN ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; SETTLED ; SETTLED ; again SETTLED ; ANSWER_REUSED ; ANSWER_REUSED ; STATE_FORBIDS ; STATE_FORBIDS ; STATE_FORBIDS ; NOT_PARTY
return R T 400000 | ORIGINAL_UNKNOWN ; ORIGINAL_NOT_RETURNABLE ; ORIGINAL_NOT_RETURNABLE ; ORIGINAL_NOT_RETURNABLE ; SETTLED ; SETTLED ; SETTLED ; SETTLED ; ORIGINAL_NOT_RETURNABLE ; ORIGINAL_NOT_RETURNABLE ; ORIGINAL_NOT_RETURNABLE ; ORIGINAL_NOT_RETURNABLE ; ORIGINAL_UNKNOWN
recall C T 400000 | TRANSFER_UNKNOWN ; RECALL_TOO_EARLY ; RECALL_TOO_EARLY ; NOT_RECALLABLE ; SETTLED ; SETTLED ; SETTLED ; CREDITED ; NOT_RECALLABLE ; NOT_RECALLABLE ; NOT_RECALLABLE ; NOT_RECALLABLE ; TRANSFER_BURNED
answer-recall C T rejected | TRANSFER_UNKNOWN ; CASE_UNKNOWN ; CASE_UNKNOWN ; CASE_UNKNOWN ; CASE_UNKNOWN ; CASE_UNKNOWN ; CASE_UNKNOWN ; CASE_UNKNOWN ; CASE_UNKNOWN ; CASE_UNKNOWN ; CASE_UNKNOWN ; CASE_UNKNOWN ; NOT_PARTY
resolve T       | BURNED ; again PENDING ; again PENDING ; again EXPIRED ; again SETTLED ; again SETTLED ; again SETTLED ; again CREDITED ; again CREDITED ; again REJECTED ; again REJECTED ; again CANCELLED ; again BURNED
wait 31         | ok ; ok ; ok ; ok ; ok ; ok ; ok ; ok ; ok ; ok ; ok ; ok ; ok
";

#[test]
fn every_cell_of_the_state_table() {
    let mut cells = 0;
    for row in TABLE.lines().filter(|line| !line.trim().is_empty()) {
        let (command, answers) = row.split_once('|').expect("command | answers");
        let answers: alloc::vec::Vec<&str> = answers.split(';').map(str::trim).collect();
        assert_eq!(answers.len(), PATHS.len(), "{row}");
        for ((_, path), answer) in PATHS.iter().zip(answers) {
            let mut world = World::new();
            world.check(path);
            let script: String = format!("{} | {answer}", command.trim());
            world.check(&script);
            cells += 1;
        }
    }
    assert_eq!(cells, PATHS.len() * 20);
}

#[test]
fn a_stranger_learns_nothing_of_a_transfer() {
    let mut world = World::new();
    world.check("quote T | ok\n submit T | PENDING\n accept-by-bank T | NOT_PARTY");
    let record = &world.out.records[0];
    let shared = SharedPart::from_bytes(&record.parts[Part::Shared.index()]).expect("a part");
    assert_eq!((shared.creditor_agent, shared.state), (ParticipantId::OPERATOR, 0));
    assert_eq!((shared.amount, shared.corridor.0), (0, 0));
}

#[test]
fn a_repeated_answer_says_what_the_first_said() {
    let mut world = World::new();
    world.check("quote T | ok\n submit T | PENDING\n hold T | PENDING");
    world.check("hold T | again PENDING\n reject T | REJECTED\n reject T | again REJECTED");
    world
        .check("quote U | ok\n submit U | PENDING\n accept U | SETTLED\n confirm U ACWP | SETTLED");
    world.check(
        "confirm U ACCC | CREDITED\n confirm U ACWP | again SETTLED\n accept U | again SETTLED",
    );
    let record = &world.out.records[0];
    let shared = SharedPart::from_bytes(&record.parts[Part::Shared.index()]).expect("a part");
    assert!(shared.first_sequence > 0 && shared.first_sequence < record.sequence);
}

#[test]
fn legs_move_together_and_come_back_together() {
    let funds = |world: &World| {
        (
            world.balance(DEBTOR, "HKD"),
            world.balance(BANK, "HKD"),
            world.balance(BANK, "PHP"),
            world.balance(CREDITOR, "PHP"),
        )
    };
    let before = ((1_000_000, 0), (1_000, 0), (10_000_000, 0), (0, 0));
    let reserved = ((1_000_000, 50_500), (1_000, 0), (10_000_000, 405_790), (0, 0));
    let posted = ((949_500, 0), (51_000, 0), (9_594_210, 0), (405_790, 0));
    let mut world = World::new();
    world.fund(BANK, "HKD", 1_000);
    assert_eq!(funds(&world), before);
    world.check("quote T | ok\n submit T | PENDING");
    assert_eq!(funds(&world), reserved);
    world.check("reject T | REJECTED\n quote U | ok\n submit U | PENDING\n cancel U | CANCELLED");
    assert_eq!(funds(&world), before);
    world.check("quote V | ok\n submit V | PENDING\n wait 31 | ok");
    assert_eq!(funds(&world), before);
    world.check("quote W | ok\n submit W | PENDING\n accept W | SETTLED");
    assert_eq!(funds(&world), posted);
    world.check("return R W 403784 | SETTLED\n return S W 8 | RETURN_EXCEEDS_ORIGINAL");
    assert_eq!(world.balance(CREDITOR, "PHP"), (2_006, 0));
    assert_eq!(world.balance(DEBTOR, "HKD"), (949_500 + 50_473, 0));
}

#[test]
fn an_accept_at_the_deadline_is_refused_without_a_tick() {
    let mut world = World::new();
    world.check("quote T | ok\n submit T | PENDING");
    world.now = world.now.plus_micros(30 * super::world::SECOND);
    world.check("accept T | TRANSFER_EXPIRED");
    assert_eq!(world.balance(DEBTOR, "HKD"), (1_000_000, 0));
}

#[test]
fn withdrawals_reserve_then_post_or_release() {
    let mut world = World::new();
    world.check(
        "withdraw W 1000001 | INSUFFICIENT_FUNDS
         withdraw W 600000 | ok
         withdraw W 600000 | again
         withdraw W 1 #other | WITHDRAWAL_REUSED
         withdraw X 400001 | INSUFFICIENT_FUNDS
         withdraw X 0 | AMOUNT_ZERO
         withdraw X 400000 | ok
         failed X | ok
         paid X | WITHDRAWAL_NOT_PENDING
         failed X | again
         paid W | ok
         paid W | again
         failed W | WITHDRAWAL_NOT_PENDING
         paid Y | WITHDRAWAL_UNKNOWN",
    );
    assert_eq!(world.balance(DEBTOR, "HKD"), (400_000, 0));
}
