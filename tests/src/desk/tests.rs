//! That clients ask for every kind of item, and that the model and the ledger's core say the same of each: without a cluster, one envelope after the other.
use std::collections::BTreeSet;

use fastrand::Rng;
use ledger_core::{Command, Ledger, Output};
use ledger_proof::{
    Field, ItemKind, Part, RecordKind,
    record::{Record, SharedPart},
};
use ledger_types::{Rejection, Timestamp, Uetr};

use super::Desk;
use crate::{
    model::{Expected, Model},
    world::{Envelope, FUNDED, Pen, items::Name},
};

#[path = "../simulation/founding.rs"]
#[expect(dead_code, reason = "shared with the simulation, whose operator changes keys")]
mod founding;

/// Kinds that nobody asks for: their numbers are reserved, and no envelope may carry them.
const RESERVED: [ItemKind; 3] = [ItemKind::Attest, ItemKind::CloseDay, ItemKind::Adjust];
/// Kinds that the ledger never refuses.
const NEVER_REFUSED: &[ItemKind] = &[ItemKind::Resolve];

/// A ledger beside the model.
struct Beside {
    ledger: Ledger,
    model: Model,
    now: Timestamp,
    /// What was done, and what was refused.
    done: BTreeSet<ItemKind>,
    refused: BTreeSet<ItemKind>,
}

impl Beside {
    fn new() -> Self {
        let (ledger, _) = Ledger::found(&founding::genesis());
        Self {
            ledger,
            model: Model::default(),
            now: Timestamp::from_micros(founding::FOUNDED_AT),
            done: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    fn ask(&mut self, envelope: &Envelope) {
        let commands = [Command::decode(&envelope.bytes).unwrap()];
        let mut missing = Vec::new();
        self.ledger.missing(&commands, &mut missing);
        missing.iter().for_each(|key| self.ledger.load(key, None).unwrap());
        let mut out = Output::default();
        self.ledger.apply(self.now, &commands, &mut out);
        for record in out.records.iter().filter(|record| record.kind == RecordKind::Expiry) {
            assert!(self.model.expire(subject(record), self.now), "{record:?}");
        }
        assert_eq!(self.model.overdue(self.now), 0, "transfers that should have expired");
        let answer = out.answers.first().unwrap();
        assert!(!answer.refused_whole && answer.resent.is_none(), "{answer:?}");
        for (item, outcome) in envelope.items.iter().zip(&answer.outcomes) {
            let heard = match outcome.rejection {
                None => Expected::Done(outcome.state),
                Some(Rejection::InsufficientFunds) => Expected::NoFunds,
                Some(_) => Expected::Refused,
            };
            let expected = self.model.apply(envelope.author, item, self.now);
            let author = envelope.author;
            assert_eq!(heard, expected, "{:?} to {item:?} of {author}", outcome.rejection);
            let kinds = match outcome.rejection {
                None => &mut self.done,
                Some(_) => &mut self.refused,
            };
            kinds.insert(item.kind());
        }
        self.same_books();
    }

    fn same_books(&self) {
        for (id, account) in self.ledger.accounts() {
            let expected = self.model.money(id, account.currency, account.custody);
            let heard = (account.debits_pending, account.debits_posted);
            assert_eq!(heard, (expected.debits_pending, expected.debits_posted), "{id}");
            let heard = (account.credits_pending, account.credits_posted);
            assert_eq!(heard, (expected.credits_pending, expected.credits_posted), "{id}");
        }
        assert!(self.model.conserved());
    }
}

fn subject(record: &Record) -> Name {
    let part = SharedPart::from_bytes(&record.parts[Part::Shared.index()]).unwrap();
    (part.debtor_agent, Uetr::from_bytes(part.subject).unwrap())
}

#[test]
fn every_kind_is_asked_for_and_done_and_refused_as_the_model_says() {
    let (mut done, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for seed in 1..=8 {
        let mut beside = Beside::new();
        let begun = beside.now;
        let mut pen = Pen::new(seed, FUNDED, begun, founding::Keys::default().signer());
        let (mut rng, mut desk) = (Rng::with_seed(seed), Desk::new(3));
        founding::founding(&mut pen).iter().for_each(|envelope| beside.ask(envelope));
        let mut asked: Vec<Envelope> = Vec::new();
        for _ in 0..500 {
            beside.now = beside.now.plus_micros(rng.u64(..100_000));
            let envelope = match rng.u8(..20) {
                0 if !asked.is_empty() => {
                    let before = asked[rng.usize(..asked.len())].clone();
                    pen.envelope(before.author, before.items)
                }
                1..=4 => desk.operate(&mut rng, &mut pen),
                _ => desk.next(&mut rng, &mut pen),
            };
            beside.ask(&envelope);
            asked.push(envelope);
        }
        done.append(&mut beside.done);
        refused.append(&mut beside.refused);
    }
    for kind in ItemKind::ACCEPTED {
        assert!(done.contains(&kind), "{kind:?} was never done");
        let never = NEVER_REFUSED.contains(&kind);
        assert_ne!(refused.contains(&kind), never, "{kind:?} refused");
    }
    let reserved = RESERVED.iter().all(|kind| ItemKind::from_code(kind.code()).is_none());
    assert!(reserved, "clients must ask for what is not reserved any more");
}
