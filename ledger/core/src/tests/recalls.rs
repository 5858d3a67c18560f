//! Recalls and their answers: each refusal in its order, and that no money moves.
use ledger_proof::{
    Digest, Field, Item, Part, item,
    record::{AnswerRecallDetail, RecallDetail, SharedPart},
    tree::sha256,
};
use ledger_types::{CaseId, RecallAnswer, Timestamp};

use super::world::{CREDITOR, DEBTOR, SECOND, START, World, uetr};

impl World {
    /// `recall CASE TRANSFER amount [days]`: one day to answer if none are given.
    pub(super) fn recall(&self, words: &[&str], nonce: Digest) -> Item {
        let days = words.get(4).and_then(|word| word.parse().ok()).unwrap_or(1_u64);
        Item::Recall(item::Recall {
            nonce,
            uetr: uetr(words[2]),
            case: CaseId(uetr(words[1]).bytes()),
            reason: "DUPL".parse().expect("a reason"),
            amount: words[3].parse().expect("minor units"),
            answer_by: Timestamp::from_micros(START + days * 86_400 * SECOND),
        })
    }

    /// `answer-recall CASE TRANSFER accepted|rejected|pending|bare|late`.
    pub(super) fn answer_recall(&self, words: &[&str], nonce: Digest) -> Item {
        let (answer, reason) = match words[3] {
            "accepted" | "bare" => (RecallAnswer::Accepted, "FOCR"),
            "rejected" => (RecallAnswer::Rejected, "CUST"),
            _ => (RecallAnswer::Pending, "NARR"),
        };
        let days = match words[3] {
            "pending" => 2,
            "late" => 31,
            _ => 0,
        };
        let promised = Timestamp::from_micros(START + days * 86_400 * SECOND);
        Item::AnswerRecall(item::AnswerRecall {
            // Each of the answers is another content.
            nonce: sha256(&[&nonce, words[3].as_bytes()]),
            debtor_agent: DEBTOR,
            uetr: uetr(words[2]),
            case: CaseId(uetr(words[1]).bytes()),
            answer,
            reason: reason.parse().expect("a reason"),
            returns: (words[3] == "accepted").then(|| uetr("R")).into_iter().collect(),
            promised_at: if days == 0 { Timestamp::ZERO } else { promised },
        })
    }
}

const SETTLED: &str = "quote T | ok\n submit T | PENDING\n accept T | SETTLED";

#[test]
fn a_recall_is_refused_for_each_rule_in_order() {
    let mut world = World::new();
    world.check("recall C T 0 | TRANSFER_UNKNOWN");
    world.check("quote T | ok\n submit T | PENDING\n recall C T 0 | RECALL_TOO_EARLY");
    world.check("accept T | SETTLED\n recall C T 0 | AMOUNT_ZERO");
    world.check("recall C T 403790 | SETTLED\n recall C T 403790 | again SETTLED");
    world.check("recall C T 1 #other | CASE_REUSED\n recall D T 0 | RECALL_OPEN");
    world.check("answer-recall C T rejected | SETTLED");
    world.check(
        "recall C T 403790 | again SETTLED\n recall D T 405791 31 | RECALL_EXCEEDS_TRANSFER",
    );
    world.check("recall D T 1 31 | RECALL_TIME_INVALID\n recall D T 1 0 | RECALL_TIME_INVALID");
    world.check("recall D T 1 30 | SETTLED");
    world.check(
        "quote U | ok\n submit U | PENDING\n accept U | SETTLED\n recall C U 1 | CASE_REUSED",
    );
    world.check("confirm U CPUC | CREDITED\n recall E U 1 | NOT_RECALLABLE");
}

#[test]
fn what_was_returned_cannot_be_recalled() {
    let mut world = World::new();
    world.check(SETTLED);
    world.check("return R T 400000 | SETTLED\n recall C T 3791 | RECALL_EXCEEDS_TRANSFER");
    world.check("recall C T 3790 | SETTLED");
}

#[test]
fn an_answer_is_refused_for_each_rule_in_order() {
    let mut world = World::new();
    world.check("answer-recall C T bare | TRANSFER_UNKNOWN");
    world.check(SETTLED);
    world.check("quote U | ok\n submit U | PENDING\n accept U | SETTLED");
    world.check("answer-recall C T bare | CASE_UNKNOWN\n recall C T 400000 | SETTLED");
    world.check("answer-recall C U rejected | CASE_UNKNOWN");
    world.check("answer-recall C T bare | RECALL_ANSWER_INVALID");
    world.check("answer-recall C T late | RECALL_TIME_INVALID");
    world.check("answer-recall C T pending | SETTLED\n answer-recall C T pending | again SETTLED");
    world.check("recall D T 1 | RECALL_OPEN\n answer-recall C T pending #other | SETTLED");
    world
        .check("answer-recall C T accepted | SETTLED\n answer-recall C T accepted | again SETTLED");
    world.check(
        "answer-recall C T rejected | ANSWER_REUSED\n answer-recall C T pending | ANSWER_REUSED",
    );
    world.check("recall D T 1 | SETTLED");
}

#[test]
fn an_answer_may_come_after_its_time() {
    let mut world = World::new();
    world.check(SETTLED);
    world.check(
        "recall C T 400000 | SETTLED\n wait 90000 | ok\n answer-recall C T accepted | SETTLED",
    );
}

#[test]
fn a_recall_and_its_answer_tell_both_agents_and_move_nothing() {
    let mut world = World::new();
    world.check(SETTLED);
    let before = (world.balance(DEBTOR, "HKD"), world.balance(CREDITOR, "PHP"));
    world.check("recall C T 1000 | SETTLED");
    let case = CaseId(uetr("C").bytes());
    let asked = shared(&world);
    assert_eq!((asked.amount, asked.reason.as_str()), (1_000, "DUPL"));
    assert_eq!(RecallDetail::from_bytes(&asked.detail.0), Ok(RecallDetail { case }));
    assert_eq!(world.out.numbers.len(), 2, "debtor agent and creditor agent");
    world.check("answer-recall C T accepted | SETTLED");
    let detail = AnswerRecallDetail::from_bytes(&shared(&world).detail.0).expect("a detail");
    assert_eq!((detail.case, detail.answer), (case, RecallAnswer::Accepted));
    assert_eq!(detail.returns.first(), Some(&uetr("R")));
    assert_eq!(before, (world.balance(DEBTOR, "HKD"), world.balance(CREDITOR, "PHP")));
    world.check("return R T 1000 | SETTLED");
}

fn shared(world: &World) -> SharedPart {
    let record = &world.out.records[0];
    SharedPart::from_bytes(&record.parts[Part::Shared.index()]).expect("a shared part")
}
